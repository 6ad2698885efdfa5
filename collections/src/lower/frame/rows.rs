//! Rows counted along the partitions.

use std::sync::Arc;

use polars::prelude::{DataType, PlSmallStr};
use talatat_graph::{Edge, KeyBuilder, Layer};

use super::operation::{Narrowed, Operation};
use super::{add, frame, one_each, only_input};
use crate::error::Result;
use crate::frame::expr::{Columns, Node, Shape};
use crate::frame::kernels::{LenKernel, RowIndexKernel, SumKernel};
use crate::lower::Lowering;

/// A first column with the rows' numbers.
#[derive(Clone)]
pub(crate) struct RowIndex {
    pub(crate) column: PlSmallStr,
    pub(crate) offset: i64,
}

impl Operation for RowIndex {
    fn name(&self) -> &'static str {
        "frame.row_index"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.bytes(self.column.as_bytes()).number(self.offset as u64)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let mut schema = (*input.schema).clone();
        schema.shift_remove(&self.column);
        schema.insert_at_index(0, self.column.clone(), DataType::Int64).ok();
        Ok(Shape { schema: Arc::new(schema), facts: input.facts.clone(), ..Shape::like(input) })
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let reads = wanted.iter().filter(|name| **name != self.column).cloned().collect();
        Some(Narrowed { operation: Arc::new(self.clone()), reads: vec![Some(reads)] })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let parts = frame(lowering, only_input(self.name(), &node.inputs)?)?;
        let (starts, _) = counted(lowering, node, &parts)?;
        let kernel = RowIndexKernel { column: self.column.to_string(), offset: self.offset };
        let layer = add(lowering, node.key, Arc::new(kernel), node);
        let mut made = Vec::with_capacity(parts.len());
        for ((block, part), start) in (0..).zip(parts).zip(starts) {
            let inputs: Vec<Edge> = [part].into_iter().chain(start).collect();
            made.push(lowering.graph.task(layer, block, node.bytes(), &inputs)?.into());
        }
        Ok(made)
    }
}

/// How many rows there are before each partition, nothing for the first one, and how many in all.
pub(super) fn counted(
    lowering: &mut Lowering,
    node: &Node,
    parts: &[Edge],
) -> Result<(Vec<Option<Edge>>, Option<Edge>)> {
    let key = |stage: &str| KeyBuilder::new(stage).key(node.key).finish();
    let tiny = |key, kernel| Layer::new(key, kernel).at(node.location).tiny(true);
    let count = lowering.graph.layer(tiny(key("frame.row_index.len"), Arc::new(LenKernel)));
    let counts = one_each(lowering, count, 0, parts)?;
    let start = lowering.graph.layer(tiny(key("frame.row_index.start"), Arc::new(SumKernel { known: 0 })));
    let mut starts = Vec::with_capacity(parts.len());
    let mut before: Option<Edge> = None;
    for (block, count) in (0..).zip(counts) {
        starts.push(before);
        let sum: Vec<Edge> = before.into_iter().chain([count]).collect();
        before = Some(lowering.graph.task(start, block, 0, &sum)?.into());
    }
    Ok((starts, before))
}
