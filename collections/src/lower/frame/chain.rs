//! Joins of one frame with several others, one after the other: those whose order may be another one.
//!
//! A join may change its place if it takes rows away or puts columns beside them and does nothing else: inner, semi and anti joins
//! whose left columns keep their names. A join whose keys come from another one's columns stays behind it. Rows come in the order of the
//! base's rows, then of the partners in the first join, in the second ...: so of joins that give a row several partners the order stays as it is,
//! and one that gives at most one partner may stand anywhere.

use std::collections::HashMap;
use std::sync::Arc;

use polars::prelude::PlSmallStr;
use talatat_graph::{Key, KeyBuilder};

use super::merge::{Merge, sides};
use crate::error::Result;
use crate::frame::expr::{Columns, FrameExpr, Node, Op};
use crate::frame::kernels::join::{How, JoinKernel, Output, Side};
use crate::frame::known::{Known, Partners};
use crate::frame::wire::add_to_key;

/// A frame and the joins on it, the first one first.
pub(crate) struct Chain<'a> {
    pub(crate) base: &'a Node,
    links: Vec<Link<'a>>,
}

/// A join of what is on its left with a frame.
#[derive(Clone, Copy)]
pub(crate) struct Link<'a> {
    pub(crate) merge: &'a Merge,
    /// The expression of the join.
    node: &'a Node,
    pub(crate) right: &'a Node,
}

/// Reordered only if a join leaves less than this share of what the one before it leaves: the user's order is as good as a guess.
const BETTER: f64 = 0.9;

impl<'a> Link<'a> {
    fn of(node: &'a Node) -> Option<(Link<'a>, &'a Node)> {
        let Op::Custom(operation) = &node.op else { return None };
        let merge = operation.as_merge()?;
        let [left, right] = sides(&node.inputs).ok()?;
        Some((Link { merge, node, right }, left))
    }

    fn kernel(&self) -> &'a JoinKernel {
        &self.merge.kernel
    }

    /// Whether it does nothing to the left rows but to leave some out, to repeat some, and to put columns beside them.
    fn is_movable(&self, left: &FrameExpr) -> bool {
        let kernel = self.kernel();
        let plain = matches!(kernel.how, How::Inner | How::Semi | How::Anti)
            && !kernel.left.unique
            && !kernel.has_indicator()
            && self.merge.wish.broadcast.is_none();
        let mut keys = kernel.left.keys.iter().zip(&kernel.types);
        plain
            && kernel.left.columns.iter().all(|(from, to)| from == to)
            && keys.all(|(key, dtype)| left.schema.get(key.as_str()) == Some(&dtype.0))
    }

    /// Names of what it puts beside the rows.
    fn makes(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.kernel().right.columns.iter().map(|(_, to)| to.as_str())
    }

    /// The name by which its partners are known.
    pub(crate) fn question(&self, base: &Node) -> Key {
        let key = KeyBuilder::new("frame.partners").key(base.key).key(self.right.key);
        add_to_key(key, &self.keys_alone()).finish()
    }

    /// The join of the keys.
    pub(crate) fn keys_alone(&self) -> JoinKernel {
        let side = |side: &Side| Side { keys: side.keys.clone(), columns: Vec::new(), unique: false };
        let kernel = self.kernel();
        JoinKernel {
            left: side(&kernel.left),
            right: side(&kernel.right),
            output: vec![Output::Key(0, "\u{1}key".into())],
            lefts: 1,
            ..kernel.clone()
        }
    }

    fn partners(&self, base: &Node, known: &Known) -> Option<Partners> {
        known.partners(self.question(base))
    }

    /// Whether no row comes out more often than it went in.
    fn is_single(&self, partners: Option<Partners>) -> bool {
        self.kernel().how != How::Inner || self.kernel().right.unique || partners.is_some_and(|found| found.unique)
    }
}

impl<'a> Chain<'a> {
    /// The joins that end with `top`, if there are several; what has several readers is a base.
    pub(crate) fn ending(top: &'a Node, readers: &HashMap<Key, usize>) -> Option<Chain<'a>> {
        let (mut links, mut node) = (Vec::new(), top);
        while let Some((link, left)) = Link::of(node) {
            let is_alone = links.is_empty() || readers.get(&node.key).is_none_or(|&count| count < 2);
            if !is_alone || !link.is_movable(left) {
                break;
            }
            links.push(link);
            node = left;
        }
        links.reverse();
        let chain = Chain { base: node, links };
        (chain.links.len() > 1 && chain.has_one_meaning()).then_some(chain)
    }

    /// Whether each name stands for one column, wherever it is read.
    fn has_one_meaning(&self) -> bool {
        let mut seen: Columns = self.base.schema.iter_names().cloned().collect();
        self.links.iter().flat_map(Link::makes).all(|name| seen.insert(name.into()))
    }

    /// The joins whose keys the base has, if there are several: only then there is something to choose.
    pub(crate) fn open(&self) -> Vec<Link<'a>> {
        let of_base = |link: &Link<'_>| link.kernel().left.keys.iter().all(|key| self.base.schema.contains(key));
        let open: Vec<Link<'_>> = self.links.iter().copied().filter(of_base).collect();
        if open.len() > 1 { open } else { Vec::new() }
    }

    /// The numbers of the joins in the order that leaves few rows early, as far as partners are known.
    fn order(&self, known: &Known) -> Vec<usize> {
        let found: Vec<Option<Partners>> = self.links.iter().map(|link| link.partners(self.base, known)).collect();
        let share = |number: usize| match found.get(number) {
            Some(Some(found)) if found.rows > 0 => found.joined as f64 / found.rows as f64,
            _ => 1.0,
        };
        let mut there: Columns = self.base.schema.iter_names().cloned().collect();
        let mut left: Vec<(usize, Link<'_>)> = self.links.iter().copied().enumerate().collect();
        let mut order = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let mut best = 0;
            let mut passes_many = false;
            for (at, (number, link)) in left.iter().enumerate() {
                let ready = link.kernel().left.keys.iter().all(|key| there.contains(key.as_str()));
                let single = link.is_single(found.get(*number).copied().flatten());
                let current = left.get(best).map_or(1.0, |(number, _)| share(*number));
                if at > 0 && ready && (single || !passes_many) && share(*number) < BETTER * current {
                    best = at;
                }
                passes_many |= !single;
            }
            let (number, link) = left.remove(best);
            there.extend(link.makes().map(PlSmallStr::from));
            order.push(number);
        }
        order
    }

    /// The same rows and columns by joins in a better order; `None` if it is as good as any.
    pub(crate) fn reordered(&self, known: &Known) -> Result<Option<Node>> {
        let order = self.order(known);
        if order.windows(2).all(|pair| pair[0] < pair[1]) {
            return Ok(None);
        }
        let links: Vec<Link<'_>> = order.iter().filter_map(|&number| self.links.get(number).copied()).collect();
        let Some(last) = self.links.last() else { return Ok(None) };
        let wanted: Vec<&str> = last.kernel().output.iter().map(Output::name).collect();
        let mut node = self.base.clone();
        for (at, link) in links.iter().enumerate() {
            let later: Vec<&str> =
                links.iter().skip(at + 1).flat_map(|link| &link.kernel().left.keys).map(String::as_str).collect();
            let is_last = at + 1 == links.len();
            let needed = |name: &str| wanted.contains(&name) || later.contains(&name);
            let there = || node.schema.iter_names().map(PlSmallStr::as_str).chain(link.makes());
            let output: Vec<&str> =
                if is_last { wanted.clone() } else { there().filter(|name| needed(name)).collect() };
            let operation = Merge { kernel: placed(link.kernel(), &node, &output), ..link.merge.clone() };
            let inputs = vec![node.clone(), link.right.clone()];
            node = FrameExpr::custom(Arc::new(operation), inputs, link.node.location)?;
        }
        Ok((node.schema == last.node.schema).then_some(node))
    }
}

/// The join with these columns of what is on its left now, and of its right side.
fn placed(all: &JoinKernel, left: &FrameExpr, output: &[&str]) -> JoinKernel {
    let shared = |name: &str| {
        let mut pairs = all.left.keys.iter().zip(&all.right.keys);
        pairs.position(|(left, right)| left == name && right == name)
    };
    let mut kernel = all.clone();
    kernel.output = output
        .iter()
        .map(|&name| match shared(name) {
            Some(number) => Output::Key(number, name.into()),
            None => Output::Column(name.into()),
        })
        .collect();
    let kept = |name: &str| output.contains(&name) && shared(name).is_none();
    let names = left.schema.iter_names().map(PlSmallStr::as_str).filter(|name| kept(name));
    kernel.left.columns = names.map(|name| (name.to_string(), name.to_string())).collect();
    kernel.right.columns.retain(|(_, to)| output.contains(&to.as_str()));
    kernel
}
