//! Bins of time without rows.

use std::sync::Arc;

use polars::prelude::PlSmallStr;
use talatat_graph::{Edge, KeyBuilder};

use super::operation::Operation;
use super::{add, frame, only_input};
use crate::error::Result;
use crate::frame::expr::{Node, Shape};
use crate::frame::kernels::BinsKernel;
use crate::lower::Lowering;

/// Rows for the bins that have none, in one partition.
#[derive(Clone)]
pub(crate) struct Bins {
    pub(crate) column: PlSmallStr,
    pub(crate) every: String,
    /// Columns that are 0 there.
    pub(crate) zeros: Vec<PlSmallStr>,
}

impl Operation for Bins {
    fn name(&self) -> &'static str {
        "frame.bins"
    }

    fn describe(&self) -> String {
        format!("resample {} every {}", self.column, self.every)
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        let key = key.bytes(self.column.as_bytes()).bytes(self.every.as_bytes());
        self.zeros.iter().fold(key, |key, name| key.bytes(name.as_bytes()))
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let rows = input.rows.saturating_mul(input.partitions as u64);
        Ok(Shape { partitions: 1, rows, ..Shape::like(input) })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let parts = frame(lowering, only_input(self.name(), &node.inputs)?)?;
        let kernel = BinsKernel {
            column: self.column.to_string(),
            every: self.every.clone(),
            zeros: self.zeros.iter().map(PlSmallStr::to_string).collect(),
        };
        let layer = add(lowering, node.key, Arc::new(kernel), node);
        Ok(vec![lowering.graph.task(layer, 0, node.bytes(), &parts)?.into()])
    }
}
