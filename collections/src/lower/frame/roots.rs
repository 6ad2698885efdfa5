//! The frames that one graph is made for: rewritten together, so that what they share is seen.

use std::collections::{HashMap, HashSet};

use talatat_graph::{Edge, Key};

use crate::error::Result;
use crate::frame::expr::{Node, Op};
use crate::frame::known::Known;
use crate::frame::rewrite::{Root, Wanted, described, readers, rewrite_all};
use crate::lower::Lowering;

/// Frame expressions that a graph is made for, as they were asked for and as they were rewritten.
#[derive(Default)]
pub(crate) struct Roots {
    announced: Vec<Root>,
    rewritten: HashMap<(Key, Wanted), Node>,
    /// What has several readers is made once, in tasks of its own.
    shared: HashSet<Key>,
    /// What stages have found.
    known: Known,
}

impl Roots {
    /// Says that an expression will be lowered. All that is announced before the first one is lowered is rewritten together.
    pub(crate) fn announce(&mut self, node: &Node, wanted: Wanted) {
        if !self.announced.iter().any(|root| root.node.key == node.key && root.wanted == wanted) {
            self.announced.push(Root { node: node.clone(), wanted });
        }
    }

    /// What has been announced and not been lowered.
    pub(super) fn announced(&self) -> &[Root] {
        &self.announced
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// Notes what samples say of frames.
    pub(super) fn learn(&mut self, found: Known) {
        self.known.extend(found);
    }

    /// What an expression was rewritten to, if it has been lowered.
    fn rewritten(&self, node: &Node, wanted: Wanted) -> Option<&Node> {
        self.rewritten.get(&(node.key, wanted))
    }

    /// The tree of what an expression was lowered as; of one that was not lowered, that of rewriting it by itself.
    pub(crate) fn described(&self, node: &Node, wanted: Wanted) -> String {
        self.rewritten(node, wanted).map_or_else(|| described(node, wanted, true), |node| node.tree())
    }

    /// Whether several others read this.
    pub(crate) fn is_shared(&self, node: &Node) -> bool {
        self.shared.contains(&node.key)
    }

    /// Rewrites an expression, with those announced beside it.
    pub(crate) fn resolve(lowering: &mut Lowering, node: &Node, wanted: Wanted) -> Result<Node> {
        let mut announced = std::mem::take(&mut lowering.frames.announced);
        if lowering.frames.rewritten(node, wanted).is_none() {
            let new = Root { node: node.clone(), wanted };
            if !announced.iter().any(|root| root.node.key == node.key && root.wanted == wanted) {
                announced.push(new);
            }
        }
        if !announced.is_empty() {
            let trace = lowering.trace.as_mut();
            let rewritten = rewrite_all(announced.clone(), &lowering.options, &lowering.frames.known, trace)?;
            let counted = readers(rewritten.iter().map(|root| &root.node));
            let frames = &mut lowering.frames;
            let free = |node: &Node| matches!(&node.op, Op::Scan(scan) if scan.is_free());
            frames
                .shared
                .extend(counted.iter().filter(|(node, count)| *count > 1 && !free(node)).map(|(node, _)| node.key));
            let asked = announced.into_iter().map(|root| (root.node.key, root.wanted));
            frames.rewritten.extend(asked.zip(rewritten.into_iter().map(|root| root.node)));
        }
        Ok(lowering.frames.rewritten(node, wanted).unwrap_or(node).clone())
    }

    /// Rewrites an expression, with those announced beside it, and makes its partitions.
    pub(crate) fn lower(lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let node = Self::resolve(lowering, node, Wanted::All)?;
        super::frame(lowering, &node)
    }
}
