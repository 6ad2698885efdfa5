//! How many rows a frame has, and how many different keys.

use std::sync::Arc;

use polars::prelude::{Expr, col};
use talatat_graph::{Edge, KeyBuilder, Layer, Value};

use super::super::{Lowering, Roots, frame};
use super::{Question, broken, looked_at};
use crate::error::Result;
use crate::frame::Partition;
use crate::frame::expr::{FrameExpr, Node};
use crate::frame::kernels::skew::{SampleKeysKernel, Samples, Seen};
use crate::frame::kernels::split::HashKey;
use crate::frame::known::{Found, Known};
use crate::frame::rewrite::Wanted;
use crate::frame::step::Step;

/// How many keys are looked at in a partition.
const ROWS: u32 = 1 << 14;

/// What is asked of a frame.
struct Sample {
    node: Node,
    columns: Vec<String>,
    /// The partitions that are looked at.
    partitions: Vec<usize>,
}

/// How many rows there are, or different values of the columns; `None` if a look would not pay.
pub(super) fn question(node: &Node, columns: Vec<String>) -> Option<Box<dyn Question>> {
    Some(Box::new(Sample { node: node.clone(), columns, partitions: looked_at(node)? }))
}

impl Question for Sample {
    fn describe(&self) -> String {
        let of = match self.columns.is_empty() {
            true => "rows".to_string(),
            false => format!("groups of {}", self.columns.join(", ")),
        };
        format!("{of}, {} of {} partitions: {}", self.partitions.len(), self.node.partitions, self.node.describe())
    }

    fn blocks(&self) -> usize {
        self.partitions.len()
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        let node = &self.node;
        let keys: Vec<HashKey> = self.columns.iter().map(HashKey::plain).collect();
        let (read, wanted, rows) = match keys.is_empty() {
            true => (node.clone(), Wanted::Rows, 1),
            false => {
                let columns: Vec<Expr> = self.columns.iter().map(|name| col(name.as_str())).collect();
                (FrameExpr::step(node.clone(), Step::Select(columns), node.location)?, Wanted::All, ROWS)
            }
        };
        let read = Roots::resolve(lowering, &read, wanted)?;
        let made = frame(lowering, &read)?;
        let key = KeyBuilder::new("frame.stage").key(node.key).value(&self.columns).finish();
        let layer = lowering.graph.layer(Layer::new(key, Arc::new(SampleKeysKernel { keys, rows })).at(node.location));
        let chosen = self.partitions.iter().filter_map(|&partition| Some((partition, *made.get(partition)?)));
        let task =
            |(partition, edge)| Ok(lowering.graph.task(layer, partition as u32, u64::from(rows) * 16, &[edge])?.into());
        chosen.map(task).collect()
    }

    fn note(&self, blocks: Vec<Value>, known: &mut Known) -> Result<()> {
        let tables = blocks.into_iter().map(|mut block| Partition::take(&mut block));
        let tables = tables.collect::<std::result::Result<Vec<_>, _>>().map_err(broken)?;
        let samples = Samples::of(&tables).map_err(broken)?;
        let Seen { rows, groups } = samples.scaled(self.node.partitions);
        known.add(&self.node, &self.columns, Found { rows, groups, sampled: self.partitions.len() });
        Ok(())
    }
}
