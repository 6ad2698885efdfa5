//! Rows by their number over all partitions.

use std::sync::Arc;

use talatat_graph::{Edge, KeyBuilder, Layer};

use super::operation::{Narrowed, Operation};
use super::rows::counted;
use super::shuffle::{Move, Size};
use super::{add, frame, only_input};
use crate::error::Result;
use crate::frame::expr::{Columns, Facts, Node, Shape};
use crate::frame::kernels::order::Order;
use crate::frame::kernels::sort::SortKernel;
use crate::frame::kernels::{PositionKernel, ROW_NUMBER, RowRange};
use crate::lower::Lowering;

/// A range of rows. Where it is known how long partitions are, only those that it touches are made.
#[derive(Clone)]
pub(crate) struct Rows {
    pub(crate) range: RowRange,
}

impl Rows {
    /// Partitions with rows of it, where they begin there, and how many they are; the first partition if there are none.
    fn touched(&self, lengths: &[u64]) -> Vec<(usize, (u64, u64))> {
        let total = lengths.iter().sum();
        let mut first = 0;
        let within = lengths.iter().map(|&rows| {
            let found = self.range.within(total, first, rows);
            first += rows;
            found
        });
        let all: Vec<(usize, (u64, u64))> = within.enumerate().collect();
        let touched: Vec<_> = all.iter().copied().filter(|(_, (_, rows))| *rows > 0).collect();
        if touched.is_empty() { all.into_iter().take(1).collect() } else { touched }
    }
}

impl Operation for Rows {
    fn name(&self) -> &'static str {
        "frame.rows"
    }

    fn describe(&self) -> String {
        let RowRange { start, end } = self.range;
        format!("iloc {start}..{}", end.map(|end| end.to_string()).unwrap_or_default())
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.range)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let Some(lengths) = &input.facts.lengths else { return Ok(Shape::like(input)) };
        let touched = self.touched(lengths);
        let numbers: Vec<usize> = touched.iter().map(|(number, _)| *number).collect();
        let lengths: Arc<[u64]> = touched.iter().map(|(_, (_, rows))| *rows).collect();
        let divisions = input.facts.divisions.as_ref().map(|divisions| divisions.of(&numbers));
        let rows = lengths.iter().copied().max().unwrap_or(0);
        let facts = Facts { lengths: Some(lengths), divisions };
        Ok(Shape { partitions: numbers.len(), rows, facts, ..Shape::like(input) })
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        Some(Narrowed { operation: Arc::new(self.clone()), reads: vec![Some(wanted.clone())] })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let parts = frame(lowering, input)?;
        if let Some(lengths) = &input.facts.lengths {
            let touched = self.touched(lengths);
            let slices = touched.iter().map(|(_, slice)| *slice).collect();
            let layer = add(lowering, node.key, Arc::new(PositionKernel::Known(slices)), node);
            let reads = touched.iter().filter_map(|(number, _)| parts.get(*number));
            let tasks = (0..).zip(reads);
            return tasks
                .map(|(block, &part)| Ok(lowering.graph.task(layer, block, node.bytes(), &[part])?.into()))
                .collect();
        }
        let (starts, total) = counted(lowering, node, &parts)?;
        let total = total.filter(|_| self.range.counts_back());
        let layer = add(lowering, node.key, Arc::new(PositionKernel::Range(self.range)), node);
        let mut made = Vec::with_capacity(parts.len());
        for ((block, part), start) in (0..).zip(parts).zip(starts) {
            let inputs: Vec<Edge> = [part].into_iter().chain(start).chain(total).collect();
            made.push(lowering.graph.task(layer, block, node.bytes(), &inputs)?.into());
        }
        Ok(made)
    }
}

/// Rows of these numbers, in the order of the list, as one partition.
#[derive(Clone)]
pub(crate) struct Take {
    pub(crate) list: Vec<i64>,
}

impl Operation for Take {
    fn name(&self) -> &'static str {
        "frame.take"
    }

    fn describe(&self) -> String {
        format!("take {} rows", self.list.len())
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.list)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let rows = self.list.len() as u64;
        let facts = Facts { lengths: Some([rows].into()), ..Facts::default() };
        Ok(Shape { partitions: 1, rows, facts, ..Shape::like(input) })
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        Some(Narrowed { operation: Arc::new(self.clone()), reads: vec![Some(wanted.clone())] })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let parts = frame(lowering, input)?;
        let (starts, total) = counted(lowering, node, &parts)?;
        let key = KeyBuilder::new("frame.take.each").key(node.key).finish();
        let kernel = PositionKernel::List(self.list.clone());
        let layer = lowering.graph.layer(Layer::new(key, Arc::new(kernel)).at(node.location));
        let mut pieces = Vec::with_capacity(parts.len());
        for ((block, part), start) in (0..).zip(parts).zip(starts) {
            let inputs: Vec<Edge> = [part].into_iter().chain(start).chain(total).collect();
            pieces.push(lowering.graph.task(layer, block, node.bytes(), &inputs)?.into());
        }
        let sort = SortKernel { order: Order::ascending(ROW_NUMBER), without: vec![ROW_NUMBER.into()], within: None };
        Move::of(node, Size::of(input)).take(lowering, Arc::new(sort), vec![pieces], Size::of(node))
    }
}
