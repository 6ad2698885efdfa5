//! A kernel on each partition.

use std::sync::Arc;

use polars::prelude::SchemaRef;
use talatat_graph::{Edge, Kernel, Key, KeyBuilder};

use super::operation::Operation;
use super::{add, frame, one_each, only_input};
use crate::error::Result;
use crate::frame::expr::{FrameExpr, Node, Shape};
use crate::lower::Lowering;

/// A kernel on each partition, with the columns that it promises.
pub(crate) struct Map {
    pub(crate) kernel: Arc<dyn Kernel>,
    pub(crate) schema: SchemaRef,
    /// What it does: equal ones compute equal partitions.
    pub(crate) identity: Key,
}

impl Map {
    pub(crate) fn shape(&self, input: &FrameExpr) -> Shape {
        Shape { schema: self.schema.clone(), ..Shape::like(input) }
    }
}

impl Operation for Map {
    fn name(&self) -> &'static str {
        "frame.map"
    }

    fn describe(&self) -> String {
        format!("map_partitions {}", self.kernel.describe())
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.key(self.identity)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        Ok(self.shape(only_input(self.name(), inputs)?))
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let inputs = frame(lowering, only_input(self.name(), &node.inputs)?)?;
        let layer = add(lowering, node.key, self.kernel.clone(), node);
        one_each(lowering, layer, node.bytes(), &inputs)
    }
}
