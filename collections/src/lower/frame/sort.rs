//! Rows in order over all partitions.

use std::sync::Arc;

use polars::prelude::{DataFrame, Expr};
use talatat_graph::{Edge, Key, KeyBuilder};

use super::operation::{Narrowed, Operation};
use super::shuffle::{Move, Size};
use super::{frame, only_input};
use crate::error::{Error, Result};
use crate::frame::divisions::Divisions;
use crate::frame::expr::{Columns, Facts, FrameExpr, Node, Shape};
use crate::frame::kernels::order::Order;
use crate::frame::kernels::sort::{Bytes, SortKernel};
use crate::frame::kernels::split::{SplitBy, SplitKernel};
use crate::lower::Lowering;

/// Sorts by columns. Partitions have about as many rows each.
#[derive(Clone)]
pub(crate) struct Sort {
    pub(crate) order: Order,
    /// Whether the column that it is sorted by is the index from now on.
    pub(crate) index: bool,
    /// Where to cut, if that is not to be found out.
    pub(crate) divided: Option<Divided>,
}

/// Partitions between given values of the index.
#[derive(Clone)]
pub(crate) struct Divided {
    /// One column with the smallest value of each partition, and the largest one of the last.
    pub(crate) values: DataFrame,
    pub(crate) divisions: Divisions,
    pub(crate) key: Key,
}

impl Divided {
    fn partitions(&self) -> usize {
        self.values.height().saturating_sub(1).max(1)
    }

    fn lower(
        &self,
        sort: &Sort,
        lowering: &mut Lowering,
        node: &Node,
        input: &Node,
        edges: &[Edge],
    ) -> Result<Vec<Edge>> {
        let parts = u32::try_from(self.partitions()).unwrap_or(u32::MAX);
        // The first and the last value are not splitters.
        let mut table = self.values.slice(1, self.partitions().saturating_sub(1));
        let name = table.get_column_names_owned().into_iter().next().unwrap_or_default();
        let invalid = |what: String| Error::invalid_at("set_index", what, node.location);
        table.rename(&name, "key 0".into()).map_err(|error| invalid(error.to_string()))?;
        let held = FrameExpr::data([table.clone()].into(), table.schema().clone(), self.key, node.location);
        let splitters = frame(lowering, &held)?.first().copied();
        let within = Bytes::of(&self.values).map_err(|error| invalid(error.to_string()))?;
        let split = SplitKernel { by: SplitBy::Ranges(sort.order.clone()), parts, origin: None };
        let moved = Move::of(node, Size::of(input));
        let pieces = moved.split(lowering, split, edges, splitters)?;
        let kernel = SortKernel { order: sort.order.clone(), without: Vec::new(), within: Some(within) };
        moved.take(lowering, Arc::new(kernel), pieces, Size::of(node))
    }
}

impl Operation for Sort {
    fn name(&self) -> &'static str {
        "frame.sort"
    }

    fn describe(&self) -> String {
        let divided = self.divided.as_ref().map(|divided| format!(", {} given divisions", divided.partitions()));
        let name = if self.index { "set_index" } else { "sort_values" };
        format!("{name} {}{}", self.order.describe(), divided.unwrap_or_default())
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        let key = key.value(&self.order).value(&self.index);
        self.divided.iter().fold(key, |key, divided| key.key(divided.key))
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        if let Some(divided) = &self.divided {
            let facts = Facts { lengths: None, divisions: Some(divided.divisions.clone()) };
            let rows = input.rows.saturating_mul(input.partitions as u64) / divided.partitions() as u64;
            return Ok(Shape { partitions: divided.partitions(), rows, facts, ..Shape::like(input) });
        }
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
        if let Some(divided) = &self.divided {
            return divided.lower(self, lowering, node, input, &edges);
        }
        Move::of(node, Size::of(input)).sorted(lowering, &self.order, Vec::new(), edges)
    }
}
