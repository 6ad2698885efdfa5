//! Partitions that a user's kernel makes.

use std::sync::Arc;

use polars::prelude::SchemaRef;
use talatat_graph::{Edge, Kernel, Key, KeyBuilder};

use super::add;
use super::operation::Operation;
use crate::error::Result;
use crate::frame::expr::{Facts, Node, Shape};
use crate::frame::step::row_bytes;
use crate::lower::Lowering;

/// Bytes that a partition is taken to have: nothing is known of what a user's function reads.
const GUESS: u64 = 32 << 20;

/// A kernel without inputs, for each partition.
pub(crate) struct FromMap {
    pub(crate) kernel: Arc<dyn Kernel>,
    pub(crate) partitions: usize,
    pub(crate) schema: SchemaRef,
    /// What it makes: equal ones make equal partitions.
    pub(crate) identity: Key,
}

impl Operation for FromMap {
    fn name(&self) -> &'static str {
        "frame.from_map"
    }

    fn describe(&self) -> String {
        format!("{}: {} partitions", self.kernel.describe(), self.partitions)
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.key(self.identity).number(self.partitions as u64)
    }

    fn result(&self, _: &[Node]) -> Result<Shape> {
        let rows = GUESS / row_bytes(&self.schema).max(1);
        Ok(Shape { schema: self.schema.clone(), partitions: self.partitions, rows, facts: Facts::default() })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let layer = add(lowering, node.key, self.kernel.clone(), node);
        let bytes = node.bytes();
        let tasks = (0..self.partitions).map(|block| Ok(lowering.graph.task(layer, block as u32, bytes, &[])?.into()));
        tasks.collect()
    }
}
