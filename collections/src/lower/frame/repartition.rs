//! Rows in other partitions, in the order they have: some of the partitions, more or fewer of them, the last rows.

use std::sync::Arc;

use polars::prelude::Expr;
use talatat_graph::{Edge, Kernel, KeyBuilder, Layer, LayerId};

use super::operation::{Narrowed, Operation};
use super::shuffle::{Move, Size};
use super::{add, frame, one_each, only_input, tree};
use crate::error::Result;
use crate::frame::divisions::Divisions;
use crate::frame::expr::{Columns, Facts, Node, Shape};
use crate::frame::kernels::moves::{OrderedKernel, TailKernel};
use crate::frame::kernels::order::Order;
use crate::frame::kernels::split::{GatherKernel, SplitBy, SplitKernel};
use crate::lower::Lowering;

/// The parts of the trait that operations share which neither read nor make columns.
macro_rules! passes_columns {
    () => {
        fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
            Some(Narrowed { operation: Arc::new(self.clone()), reads: vec![Some(wanted.clone())] })
        }
    };
}

/// Some of the partitions.
#[derive(Clone)]
pub(crate) struct Selected {
    pub(crate) partitions: Arc<[usize]>,
}

impl Operation for Selected {
    fn name(&self) -> &'static str {
        "frame.partitions"
    }

    fn describe(&self) -> String {
        let numbers: Vec<String> = self.partitions.iter().map(usize::to_string).collect();
        match self.partitions.as_ref() {
            [first, .., last] if last - first + 1 == numbers.len() => format!("partitions {first} to {last}"),
            _ => format!("partitions {}", numbers.join(", ")),
        }
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.partitions.to_vec())
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let lengths = input.facts.lengths.as_ref();
        let lengths = lengths.map(|all| self.partitions.iter().filter_map(|&at| all.get(at).copied()).collect());
        let divisions = input.facts.divisions.as_ref().map(|divisions| divisions.of(&self.partitions));
        Ok(Shape { partitions: self.partitions.len(), facts: Facts { lengths, divisions }, ..Shape::like(input) })
    }

    passes_columns!();

    fn sinks(&self, _: &[Node], condition: &Expr) -> Vec<(usize, Expr)> {
        vec![(0, condition.clone())]
    }

    /// No tasks: those of the other partitions are never run.
    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let edges = frame(lowering, only_input(self.name(), &node.inputs)?)?;
        Ok(self.partitions.iter().filter_map(|&at| edges.get(at).copied()).collect())
    }
}

/// As many partitions as asked for: neighbours are put together, or each is cut into several.
#[derive(Clone)]
pub(crate) struct Repartition {
    pub(crate) partitions: usize,
}

impl Repartition {
    /// The partitions that each of the result is made of, if it is of whole ones.
    pub(super) fn groups(&self, input: usize) -> Vec<std::ops::Range<usize>> {
        let at = |number: usize| (input as u128 * number as u128 / self.partitions.max(1) as u128) as usize;
        (0..self.partitions).map(|number| at(number)..at(number + 1)).collect()
    }

    /// Into how many parts each partition is cut.
    fn pieces(&self, input: usize) -> Vec<usize> {
        let whole = Repartition { partitions: input };
        whole.groups(self.partitions).into_iter().map(|range| range.len()).collect()
    }
}

impl Operation for Repartition {
    fn name(&self) -> &'static str {
        "frame.repartition"
    }

    fn describe(&self) -> String {
        format!("repartition to {} partitions", self.partitions)
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.number(self.partitions as u64)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let (from, to) = (input.partitions.max(1), self.partitions);
        let rows = match to <= from {
            true => input.rows.saturating_mul(from.div_ceil(to) as u64),
            false => input.rows.div_ceil((to / from) as u64),
        };
        let lengths: Option<Arc<[u64]>> = input.facts.lengths.as_ref().map(|lengths| match to <= from {
            true => {
                let sum = |range: std::ops::Range<usize>| lengths.get(range).unwrap_or_default().iter().sum();
                self.groups(from).into_iter().map(sum).collect()
            }
            false => {
                let cut = |(&rows, parts): (&u64, usize)| {
                    let parts = parts as u64;
                    (0..parts).map(move |part| rows * (part + 1) / parts - rows * part / parts)
                };
                lengths.iter().zip(self.pieces(from)).flat_map(cut).collect()
            }
        });
        Ok(Shape { partitions: to, rows, facts: Facts { lengths, divisions: None }, ..Shape::like(input) })
    }

    passes_columns!();

    fn sinks(&self, _: &[Node], condition: &Expr) -> Vec<(usize, Expr)> {
        vec![(0, condition.clone())]
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let edges = frame(lowering, input)?;
        if self.partitions <= edges.len() {
            let group = |range: std::ops::Range<usize>| edges.get(range).unwrap_or_default().to_vec();
            let groups = self.groups(edges.len()).into_iter().map(group).collect();
            return Move::of(node, Size::of(input)).take(lowering, Arc::new(GatherKernel), groups, Size::of(node));
        }
        let mut parts = Vec::with_capacity(self.partitions);
        // Pieces are as many, or one more.
        let mut layers: Vec<(u32, LayerId)> = Vec::new();
        for (block, (&edge, count)) in edges.iter().zip(self.pieces(edges.len())).enumerate() {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            let known = layers.iter().find(|(pieces, _)| *pieces == count).map(|(_, layer)| *layer);
            let layer = known.unwrap_or_else(|| {
                let key = KeyBuilder::new("frame.repartition.cut").key(node.key).number(u64::from(count)).finish();
                let kernel = SplitKernel { by: SplitBy::Even, parts: count, origin: None };
                let layer = add(lowering, key, Arc::new(kernel), node);
                layers.push((count, layer));
                layer
            });
            let task = lowering.graph.task(layer, block as u32, input.bytes(), &[edge])?;
            parts.extend((0..count).map(|part| Edge::part_of(task, part)));
        }
        Ok(parts)
    }
}

/// Partitions that are in the order of a column, as their tasks check.
#[derive(Clone)]
pub(crate) struct Indexed {
    pub(crate) divisions: Divisions,
}

impl Operation for Indexed {
    fn name(&self) -> &'static str {
        "frame.indexed"
    }

    fn describe(&self) -> String {
        format!("set_index {}, sorted already", self.divisions.column())
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.bytes(self.divisions.column().as_bytes())
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let facts = Facts { lengths: input.facts.lengths.clone(), divisions: Some(self.divisions.clone()) };
        Ok(Shape { facts, ..Shape::like(input) })
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let reads = wanted.iter().cloned().chain([self.divisions.column().into()]).collect();
        Some(Narrowed { operation: Arc::new(self.clone()), reads: vec![Some(reads)] })
    }

    fn sinks(&self, _: &[Node], condition: &Expr) -> Vec<(usize, Expr)> {
        vec![(0, condition.clone())]
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let edges = frame(lowering, only_input(self.name(), &node.inputs)?)?;
        // What is known has been looked at.
        if self.divisions.are_known() {
            return Ok(edges);
        }
        let kernel = OrderedKernel { order: Order::ascending(self.divisions.column()) };
        let layer = Layer::new(node.key, Arc::new(kernel)).at(node.location).scratch(node.bytes());
        let layer = lowering.graph.layer(layer);
        one_each(lowering, layer, node.bytes(), &edges)
    }
}

/// The last rows, as one partition.
#[derive(Clone)]
pub(crate) struct Tail {
    pub(crate) rows: usize,
}

impl Operation for Tail {
    fn name(&self) -> &'static str {
        "frame.tail"
    }

    fn describe(&self) -> String {
        format!("tail {}", self.rows)
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.number(self.rows as u64)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let rows = self.rows as u64;
        let lengths = input.facts.rows().map(|known| [known.min(rows)].into());
        Ok(Shape { partitions: 1, rows, facts: Facts { lengths, divisions: None }, ..Shape::like(input) })
    }

    passes_columns!();

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let edges = frame(lowering, input)?;
        // Where it is known how many rows partitions have, the first ones are not made.
        let mut wanted = self.rows as u64;
        let known = input.facts.lengths.as_deref().unwrap_or_default();
        let needed = known.iter().rev().take_while(|rows| {
            let more = wanted > 0;
            wanted = wanted.saturating_sub(**rows);
            more
        });
        let skipped = if known.is_empty() { 0 } else { edges.len().saturating_sub(needed.count().max(1)) };
        let edges = edges.get(skipped..).unwrap_or_default();
        let kernel: Arc<dyn Kernel> = Arc::new(TailKernel { rows: self.rows as u64 });
        let key = |stage: &str| KeyBuilder::new(stage).key(node.key).finish();
        let each = add(lowering, key("frame.tail.each"), kernel.clone(), node);
        let cut = one_each(lowering, each, node.bytes(), edges)?;
        let root = tree(lowering, key("frame.tail.tree"), &kernel, node, node.bytes(), cut)?;
        let layer = add(lowering, node.key, kernel, node);
        Ok(vec![lowering.graph.task(layer, 0, node.bytes(), &[root])?.into()])
    }
}
