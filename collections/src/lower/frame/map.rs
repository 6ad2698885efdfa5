//! A kernel on each partition.

use std::sync::Arc;

use polars::prelude::{DataType, Expr, PlSmallStr, SchemaRef};
use talatat_graph::{Edge, Kernel, Key, KeyBuilder};

use super::operation::{Narrowed, Operation};
use super::{add, frame, one_each, only_input};
use crate::error::Result;
use crate::frame::expr::{Columns, FrameExpr, Node, Shape};
use crate::frame::step::columns_of;
use crate::lower::Lowering;

/// A kernel on each partition, with the columns that it promises.
#[derive(Clone)]
pub(crate) struct Map {
    pub(crate) kernel: Arc<dyn Kernel>,
    pub(crate) schema: SchemaRef,
    /// What it does: equal ones compute equal partitions.
    pub(crate) identity: Key,
    /// If it adds a column and leaves all else as it is: which, and what it reads.
    pub(crate) adds: Option<Adds>,
}

/// A column that is made of others of the same row.
#[derive(Clone)]
pub(crate) struct Adds {
    pub(crate) reads: Vec<PlSmallStr>,
    pub(crate) name: PlSmallStr,
    pub(crate) dtype: DataType,
}

impl Map {
    pub(crate) fn shape(&self, input: &FrameExpr) -> Shape {
        let Some(adds) = &self.adds else { return Shape { schema: self.schema.clone(), ..Shape::like(input) } };
        let mut schema = (*input.schema).clone();
        schema.with_column(adds.name.clone(), adds.dtype.clone());
        Shape { schema: Arc::new(schema), facts: input.facts.with_made([&adds.name]), ..Shape::like(input) }
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

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let adds = self.adds.as_ref()?;
        let passed = wanted.iter().filter(|name| **name != adds.name).chain(&adds.reads).cloned().collect();
        Some(Narrowed { operation: Arc::new(self.clone()), reads: vec![Some(passed)] })
    }

    fn sinks(&self, _: &[Node], condition: &Expr) -> Vec<(usize, Expr)> {
        match &self.adds {
            Some(adds) if !columns_of(condition).contains(&adds.name) => vec![(0, condition.clone())],
            _ => Vec::new(),
        }
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let inputs = frame(lowering, only_input(self.name(), &node.inputs)?)?;
        let layer = add(lowering, node.key, self.kernel.clone(), node);
        one_each(lowering, layer, node.bytes(), &inputs)
    }
}
