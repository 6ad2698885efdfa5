//! Groups: states of each partition that are merged, or rows of a group brought together.

use std::sync::Arc;

use polars::prelude::Expr;
use talatat_graph::{Edge, Kernel, Key, KeyBuilder, Layer};

use super::operation::{Narrowed, Operation};
use super::shuffle::{Move, Size};
use super::stage::reads_alone;
use super::tree::shrunk;
use super::{add, frame, one_each, only_input};
use crate::error::Result;
use crate::frame::expr::{Columns, Facts, Node, Shape};
use crate::frame::groupby::Grouping;
use crate::frame::kernels::split::{GatherKernel, HashKey, SplitBy, SplitKernel};
use crate::frame::known::{Ask, Known};
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

    fn asks(&self, inputs: &[Node]) -> Vec<Ask> {
        // Where any partition can be read, and its keys alone, a look costs little.
        let cheap = || inputs.first().is_some_and(|input| reads_alone(input) == Some(true));
        let pays = self.parts >= MANY_PARTS || (self.parts > 1 && cheap());
        (self.merges() && pays && !self.gathers())
            .then(|| Ask { input: 0, columns: self.keys.clone() })
            .into_iter()
            .collect()
    }

    fn decided(&self, inputs: &[Node], known: &Known) -> Option<Arc<dyn Operation>> {
        let found = known.of(inputs.first()?, &self.keys)?;
        // Sums of floats have other last bits when they are merged in a tree: what is small is merged at once, sampled or not.
        if found.groups > FEW_GROUPS || self.parts < MANY_PARTS {
            return Some(Arc::new(self.of_many(found.groups)?));
        }
        let few = format!("about {} groups by a sample of {}", found.groups, found.sampled);
        Some(Arc::new(self.of_few(few)))
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let edges = frame(lowering, input)?;
        if self.few.is_none() {
            return grouped(lowering, node, node.key, self, input, edges);
        }
        let key = KeyBuilder::new("frame.groupby.one").key(node.key).finish();
        let one = grouped(lowering, node, key, &self.in_one(), input, edges)?;
        // The parts that a shuffle would have made; in order, even ones.
        let by = match self.sorted.is_empty() {
            true => SplitBy::Hash(self.key_names().iter().map(HashKey::plain).collect()),
            false => SplitBy::Even,
        };
        let moved = Move::of(node, Size::of(node));
        let pieces = moved.split(lowering, SplitKernel { by, parts: self.parts, origin: None }, &one, None)?;
        moved.take(lowering, Arc::new(GatherKernel), pieces, Size::of(node))
    }
}

/// Fewer parts are not worth a look at the keys if rows have to be parsed for it, nor a tree: spreading few groups costs next to nothing.
const MANY_PARTS: u32 = 16;

/// So many groups are merged in a tree.
const FEW_GROUPS: u64 = 1 << 14;

/// Rows put together, tables of keys, numbers of groups, polars' lists of rows, and states, as a share of the rows' bytes: measured where no
/// two keys are equal (`promise scratch`).
const SCRATCH: f32 = 4.0;

/// Aggregated partitions, merged in a tree (one part), or in one task for each part; or the rows of each part. Parts that are to be in
/// order are sorted over all of them; what looks at all groups has them in one partition. The layer of the result has the name `result`.
fn grouped(
    lowering: &mut Lowering,
    node: &Node,
    result: Key,
    grouping: &Grouping,
    input: &Node,
    mut edges: Vec<Edge>,
) -> Result<Vec<Edge>> {
    // Sorting the result makes layers that are named after the same expression.
    let key = |stage: &str| KeyBuilder::new("frame.groupby").key(result).bytes(stage.as_bytes()).finish();
    let parts = grouping.parts;
    let one = parts == 1;
    let layer = |lowering: &mut Lowering, name: Key, kernel: Arc<dyn Kernel>| {
        lowering.graph.layer(Layer::new(name, kernel).at(node.location).scratch_of_inputs(SCRATCH))
    };
    let rows = input.bytes();
    let most = rows.saturating_mul(input.partitions as u64).max(1);
    let (bytes, a_group) = (node.bytes().min(most), node.bytes().div_ceil(node.rows.max(1)));
    let states = a_group.saturating_mul(grouping.met(input.rows)).min(rows.max(1));
    match (grouping.partial_kernel(), grouping.combine_kernel()) {
        (Some(partial), Some(combine)) => {
            let partial = layer(lowering, key("partial"), Arc::new(partial));
            edges = one_each(lowering, partial, states, &edges)?;
            if one {
                let combine: Arc<dyn Kernel> = Arc::new(combine);
                edges = shrunk(lowering, key("combine"), &combine, node, bytes, edges)?;
            }
        }
        _ if one => {}
        _ => {
            let split = layer(lowering, key("split"), Arc::new(grouping.split_kernel()));
            edges = one_each(lowering, split, rows, &edges)?;
        }
    }
    let order = grouping.order().filter(|_| !one && !grouping.gathers());
    let last = one || !(grouping.gathers() || order.is_some());
    let finish: Arc<dyn Kernel> = Arc::new(grouping.finish_kernel());
    let merge = layer(lowering, if last { result } else { key("finish") }, finish);
    let mut merged = Vec::with_capacity(parts as usize);
    for part in 0..parts {
        let reads: Vec<Edge> = match one {
            true => edges.clone(),
            false => edges.iter().map(|edge| Edge::part_of(edge.task, part)).collect(),
        };
        merged.push(Edge::whole(lowering.graph.task(merge, part, bytes, &reads)?));
    }
    if let Some(order) = order {
        let size = Size { bytes, rows: node.rows };
        return Move { node, key: result, size }.sorted(lowering, &order, Vec::new(), merged);
    }
    if last {
        return Ok(merged);
    }
    let order = add(lowering, result, Arc::new(grouping.order_kernel()), node);
    Ok(vec![lowering.graph.task(order, 0, bytes.saturating_mul(u64::from(parts)), &merged)?.into()])
}
