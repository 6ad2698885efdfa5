//! How many rows find partners in another frame, and whether any finds two.

use std::sync::Arc;

use polars::prelude::{Expr, col};
use talatat_graph::{Edge, Key, KeyBuilder, Layer, Value};

use super::super::algorithm::total;
use super::super::chain::Link;
use super::super::{Lowering, Roots, frame};
use super::{Question, broken, looked_at, reads_alone};
use crate::error::Result;
use crate::frame::expr::{FrameExpr, Node};
use crate::frame::kernels::join::JoinKernel;
use crate::frame::kernels::partners::{PartnersKernel, partners};
use crate::frame::known::Known;
use crate::frame::rewrite::Wanted;
use crate::frame::step::Step;

/// The other frame is read whole, though only its keys: a larger one is not worth it.
const MOST_BYTES: u64 = 64 << 20;

/// Nor is one that is not much smaller than the rows whose partners it has.
const SMALLER: u64 = 4;

/// What is asked of two frames.
pub(super) struct PartnersOf {
    base: Node,
    right: Node,
    kernel: JoinKernel,
    /// The partitions of the base that are looked at.
    partitions: Vec<usize>,
    /// The name of the answer.
    pub(super) key: Key,
}

/// How many partners the base's rows have in a join; `None` if a look would not pay.
pub(super) fn question(base: &Node, link: &Link<'_>) -> Option<PartnersOf> {
    let partitions = looked_at(base)?;
    reads_alone(link.right)?;
    let bytes = total(link.right).bytes;
    let pays = bytes <= MOST_BYTES && bytes <= total(base).bytes / SMALLER;
    let kernel = JoinKernel { lefts: u32::try_from(partitions.len()).ok()?, ..link.keys_alone() };
    let key = link.question(base);
    pays.then(|| PartnersOf { base: base.clone(), right: link.right.clone(), kernel, partitions, key })
}

impl Question for PartnersOf {
    fn describe(&self) -> String {
        let keys = self.kernel.left.keys.join(", ");
        let (looked, all) = (self.partitions.len(), self.base.partitions);
        format!(
            "partners by {keys}, {looked} of {all} partitions: {} in {}",
            self.base.describe(),
            self.right.describe()
        )
    }

    fn blocks(&self) -> usize {
        1
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        let mut made = |node: &Node, keys: &[String]| {
            let mut keys = keys.to_vec();
            keys.sort_unstable();
            keys.dedup();
            let columns: Vec<Expr> = keys.into_iter().map(col).collect();
            let read = FrameExpr::step(node.clone(), Step::Select(columns), node.location)?;
            let read = Roots::resolve(lowering, &read, Wanted::All)?;
            frame(lowering, &read)
        };
        let left = made(&self.base, &self.kernel.left.keys)?;
        let right = made(&self.right, &self.kernel.right.keys)?;
        let chosen = self.partitions.iter().filter_map(|&partition| left.get(partition).copied());
        let edges: Vec<Edge> = chosen.chain(right).collect();
        let kernel = PartnersKernel { join: self.kernel.clone() };
        let key = KeyBuilder::new("frame.stage.partners").key(self.key).finish();
        let rows = total(&self.right).rows.saturating_add(self.base.rows.saturating_mul(self.partitions.len() as u64));
        let layer = Layer::new(key, Arc::new(kernel)).at(self.base.location).scratch(rows.saturating_mul(40));
        let layer = lowering.graph.layer(layer);
        Ok(vec![lowering.graph.task(layer, 0, 0, &edges)?.into()])
    }

    fn note(&self, blocks: Vec<Value>, known: &mut Known) -> Result<()> {
        if let [block] = blocks.as_slice() {
            known.add_partners(self.key, partners(block).map_err(broken)?);
        }
        Ok(())
    }
}
