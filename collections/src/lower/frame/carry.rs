//! Running results along the partitions: a chain of tasks.

use std::sync::Arc;

use polars::prelude::PlSmallStr;
use talatat_graph::{Edge, KeyBuilder};

use super::operation::{Narrowed, Operation};
use super::{add, frame, only_input};
use crate::error::Result;
use crate::frame::expr::{Columns, Node, Shape};
use crate::frame::kernels::{CarryKernel, Running};
use crate::lower::Lowering;

/// Columns replaced by what runs along them.
#[derive(Clone)]
pub(crate) struct Carry {
    pub(crate) running: Running,
    pub(crate) columns: Vec<PlSmallStr>,
}

impl Operation for Carry {
    fn name(&self) -> &'static str {
        "frame.running"
    }

    fn describe(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(PlSmallStr::as_str).collect();
        format!("{} {}", self.running.name(), columns.join(", "))
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        self.columns.iter().fold(key.bytes(self.running.name().as_bytes()), |key, name| key.bytes(name.as_bytes()))
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let mut schema = (*input.schema).clone();
        for name in &self.columns {
            if let Some(dtype) = schema.get(name).and_then(|dtype| self.running.dtype(dtype)) {
                schema.set_dtype(name, dtype);
            }
        }
        Ok(Shape { schema: Arc::new(schema), facts: input.facts.with_made(&self.columns), ..Shape::like(input) })
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let columns = self.columns.iter().filter(|name| wanted.contains(*name)).cloned().collect();
        let operation = Carry { running: self.running, columns };
        Some(Narrowed { operation: Arc::new(operation), reads: vec![Some(wanted.clone())] })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let parts = frame(lowering, only_input(self.name(), &node.inputs)?)?;
        let columns = self.columns.iter().map(PlSmallStr::to_string).collect();
        let layer = add(lowering, node.key, Arc::new(CarryKernel { running: self.running, columns }), node);
        let mut made: Vec<Edge> = Vec::with_capacity(parts.len());
        let mut before: Option<Edge> = None;
        let numbered: Vec<(usize, Edge)> = parts.into_iter().enumerate().collect();
        let back = self.running == Running::Backward;
        let along: Box<dyn Iterator<Item = _>> =
            if back { Box::new(numbered.into_iter().rev()) } else { Box::new(numbered.into_iter()) };
        for (block, part) in along {
            let inputs: Vec<Edge> = [part].into_iter().chain(before).collect();
            let task = lowering.graph.task(layer, block as u32, node.bytes(), &inputs)?;
            made.push(Edge::part_of(task, 0));
            before = Some(Edge::part_of(task, 1));
        }
        if back {
            made.reverse();
        }
        Ok(made)
    }
}
