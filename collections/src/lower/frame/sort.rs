//! Rows in order over all partitions.

use std::sync::Arc;

use polars::prelude::Expr;
use talatat_graph::{Edge, KeyBuilder};

use super::operation::{Narrowed, Operation};
use super::shuffle::{Move, Size};
use super::{frame, only_input};
use crate::error::Result;
use crate::frame::expr::{Columns, Facts, Node, Shape};
use crate::frame::index::Divisions;
use crate::frame::kernels::order::Order;
use crate::lower::Lowering;

/// Sorts by columns. Partitions have about as many rows each.
#[derive(Clone)]
pub(crate) struct Sort {
    pub(crate) order: Order,
    /// Whether the column that it is sorted by is the index from now on.
    pub(crate) index: bool,
}

impl Operation for Sort {
    fn name(&self) -> &'static str {
        "frame.sort"
    }

    fn describe(&self) -> String {
        format!("{} {}", if self.index { "set_index" } else { "sort_values" }, self.order.describe())
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.order).value(&self.index)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let lengths = input.facts.lengths.clone().filter(|lengths| lengths.len() == 1);
        let divisions = match (self.index, self.order.keys.as_slice()) {
            (true, [key]) => Some(Divisions::unknown(&key.column)),
            _ => None,
        };
        Ok(Shape { partitions: input.partitions.max(1), facts: Facts { lengths, divisions }, ..Shape::like(input) })
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let keys = self.order.keys.iter().map(|key| key.column.as_str().into());
        let reads = wanted.iter().cloned().chain(keys).collect();
        Some(Narrowed { operation: Arc::new(self.clone()), reads: vec![Some(reads)] })
    }

    fn sinks(&self, _: &[Node], condition: &Expr) -> Vec<(usize, Expr)> {
        vec![(0, condition.clone())]
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let edges = frame(lowering, input)?;
        Move::of(node, Size::of(input)).sorted(lowering, &self.order, Vec::new(), edges)
    }
}
