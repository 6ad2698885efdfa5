//! Ranks over all partitions: `P + Q + P` tasks for `P` partitions and as many ranges.

use std::sync::Arc;

use polars::prelude::RankMethod;
use talatat_graph::{Edge, KeyBuilder, Layer};

use super::operation::{Narrowed, Operation};
use super::shuffle::{Move, Size};
use super::{frame, only_input, with_floats};
use crate::error::Result;
use crate::frame::expr::{Columns, Node, Shape};
use crate::frame::kernels::order::{Order, OrderKey};
use crate::frame::kernels::rank::RankKernel;
use crate::lower::Lowering;

/// Bytes of a row's number, its value and its rank on their way.
const ROW_BYTES: u64 = 24;

/// Columns replaced by the ranks of their values.
#[derive(Clone)]
pub(crate) struct Rank {
    pub(crate) columns: Vec<String>,
    pub(crate) method: RankMethod,
    pub(crate) descending: bool,
    pub(crate) pct: bool,
}

impl Operation for Rank {
    fn name(&self) -> &'static str {
        "frame.rank"
    }

    fn describe(&self) -> String {
        let way = if self.descending { ", descending" } else { "" };
        format!("rank {}{way}", self.columns.join(", "))
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.columns).value(&self.method).value(&[self.descending, self.pct])
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        Ok(with_floats(input, &self.columns))
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let columns = self.columns.iter().filter(|name| wanted.contains(name.as_str())).cloned().collect();
        let operation = Rank { columns, ..self.clone() };
        Some(Narrowed { operation: Arc::new(operation), reads: vec![Some(wanted.clone())] })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let edges = frame(lowering, input)?;
        if self.columns.is_empty() {
            return Ok(edges);
        }
        let parts = u32::try_from(edges.len()).unwrap_or(u32::MAX);
        let bytes = input.rows.saturating_mul(ROW_BYTES);
        let size = Size { bytes, rows: input.rows };
        let mut reads: Vec<Vec<Edge>> = edges.iter().map(|&edge| vec![edge]).collect();
        for (number, column) in (0..).zip(&self.columns) {
            let key = |stage: &str| KeyBuilder::new(stage).key(node.key).number(number).finish();
            let order_key = OrderKey { column: column.clone(), descending: self.descending, nulls_last: true };
            // Equal values stay together.
            let order = Order { keys: vec![order_key], ties: false };
            let moved = Move { node, key: key("frame.rank.column"), size };
            let cuts = if edges.len() > 1 { Some(moved.splitters(lowering, &order, &edges)?) } else { None };
            let kernel = RankKernel::Scatter { order, parts };
            let layer = Layer::new(key("frame.rank.scatter"), Arc::new(kernel)).at(node.location).scratch(bytes);
            let layer = lowering.graph.layer(layer);
            let mut cut = Vec::with_capacity(edges.len());
            for (block, &edge) in (0..).zip(&edges) {
                let inputs: Vec<Edge> = [edge].into_iter().chain(cuts).collect();
                cut.push(lowering.graph.task(layer, block, bytes, &inputs)?);
            }
            let kernel = RankKernel::Compute { method: self.method, descending: self.descending };
            // The order of the values beside them.
            let layer = Layer::new(key("frame.rank.compute"), Arc::new(kernel)).at(node.location).scratch(bytes);
            let layer = lowering.graph.layer(layer);
            let mut ranked = Vec::with_capacity(edges.len());
            for part in 0..parts {
                let inputs: Vec<Edge> = cut.iter().map(|&task| Edge::part_of(task, part)).collect();
                ranked.push(lowering.graph.task(layer, part, bytes, &inputs)?);
            }
            for (block, reads) in (0..).zip(&mut reads) {
                reads.extend(ranked.iter().map(|&task| Edge::part_of(task, block)));
                reads.extend(ranked.iter().map(|&task| Edge::part_of(task, parts)));
            }
        }
        let kernel = RankKernel::Restore { columns: self.columns.clone(), parts, pct: self.pct };
        let layer = Layer::new(node.key, Arc::new(kernel)).at(node.location).scratch(bytes);
        let layer = lowering.graph.layer(layer);
        let tasks = (0..).zip(reads);
        tasks.map(|(block, reads)| Ok(lowering.graph.task(layer, block, node.bytes(), &reads)?.into())).collect()
    }
}
