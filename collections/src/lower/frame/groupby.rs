//! Groups: states of each partition that are merged, or rows of a group brought together.

use std::sync::Arc;

use polars::prelude::Expr;
use talatat_graph::{Edge, Kernel, KeyBuilder, Layer};

use super::operation::{Narrowed, Operation};
use super::shuffle::{Move, Size};
use super::tree::shrunk;
use super::{add, frame, one_each, only_input};
use crate::error::Result;
use crate::frame::expr::{Columns, Facts, Node, Shape};
use crate::frame::groupby::Grouping;
use crate::lower::Lowering;

impl Operation for Grouping {
    fn name(&self) -> &'static str {
        "frame.groupby"
    }

    fn describe(&self) -> String {
        self.shown()
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        self.key(key)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let rows = self.rows(only_input(self.name(), inputs)?.rows);
        Ok(Shape { schema: self.schema.clone(), partitions: self.partitions(), rows, facts: Facts::default() })
    }

    fn narrowed(&self, _: &[Node], _: &Columns) -> Option<Narrowed> {
        Some(Narrowed { operation: Arc::new(self.clone()), reads: vec![Some(self.reads().into_iter().collect())] })
    }

    fn sinks(&self, _: &[Node], condition: &Expr) -> Vec<(usize, Expr)> {
        self.below(condition).into_iter().map(|condition| (0, condition)).collect()
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let edges = frame(lowering, input)?;
        grouped(lowering, node, self, input.bytes(), edges)
    }
}

/// Aggregated partitions, merged in a tree (one part), or in one task for each part; or the rows of each part. Parts that are to be in
/// order are sorted over all of them; what looks at all groups has them in one partition.
fn grouped(
    lowering: &mut Lowering,
    node: &Node,
    grouping: &Grouping,
    rows: u64,
    mut edges: Vec<Edge>,
) -> Result<Vec<Edge>> {
    // Sorting the result makes layers that are named after the same expression.
    let key = |stage: &str| KeyBuilder::new("frame.groupby").key(node.key).bytes(stage.as_bytes()).finish();
    let parts = grouping.parts;
    let one = parts == 1;
    let layer = |lowering: &mut Lowering, stage: &str, kernel: Arc<dyn Kernel>| {
        // Polars' lists of rows of groups, and the copies of keys.
        lowering.graph.layer(Layer::new(key(stage), kernel).at(node.location).scratch(rows))
    };
    let bytes = node.bytes().min(rows.max(1));
    match (grouping.partial_kernel(), grouping.combine_kernel()) {
        (Some(partial), Some(combine)) => {
            let partial = layer(lowering, "partial", Arc::new(partial));
            edges = one_each(lowering, partial, bytes, &edges)?;
            if one {
                let combine: Arc<dyn Kernel> = Arc::new(combine);
                edges = shrunk(lowering, key("combine"), &combine, node, bytes, edges)?;
            }
        }
        _ if one => {}
        _ => {
            let split = layer(lowering, "split", Arc::new(grouping.split_kernel()));
            edges = one_each(lowering, split, rows, &edges)?;
        }
    }
    let order = grouping.order().filter(|_| !one && !grouping.gathers());
    let last = one || !(grouping.gathers() || order.is_some());
    let finish: Arc<dyn Kernel> = Arc::new(grouping.finish_kernel());
    let merge = if last { add(lowering, node.key, finish, node) } else { layer(lowering, "finish", finish) };
    let mut merged = Vec::with_capacity(parts as usize);
    for part in 0..parts {
        let reads: Vec<Edge> = match one {
            true => edges.clone(),
            false => edges.iter().map(|edge| Edge::part_of(edge.task, part)).collect(),
        };
        merged.push(Edge::whole(lowering.graph.task(merge, part, bytes, &reads)?));
    }
    if let Some(order) = order {
        return Move::of(node, Size { bytes, rows: node.rows }).sorted(lowering, &order, Vec::new(), merged);
    }
    if last {
        return Ok(merged);
    }
    let order = add(lowering, node.key, Arc::new(grouping.order_kernel()), node);
    Ok(vec![lowering.graph.task(order, 0, bytes.saturating_mul(u64::from(parts)), &merged)?.into()])
}
