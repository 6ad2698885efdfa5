//! Running results along the partitions: a chain of tasks.

use std::sync::Arc;

use polars::prelude::PlSmallStr;
use talatat_graph::{Edge, KeyBuilder};

use super::operation::{Narrowed, Operation};
use super::{add, frame, only_input};
use crate::error::Result;
use crate::frame::expr::{Columns, Node, Shape};
use crate::frame::kernels::{CarryKernel, Run, Running};
use crate::lower::Lowering;

/// Columns replaced or made by what runs along others.
#[derive(Clone)]
pub(crate) struct Carry {
    pub(crate) running: Running,
    pub(crate) runs: Vec<Run>,
}

impl Carry {
    fn outputs(&self) -> Vec<PlSmallStr> {
        self.runs.iter().map(|run| run.output.as_str().into()).collect()
    }
}

impl Operation for Carry {
    fn name(&self) -> &'static str {
        "frame.running"
    }

    fn describe(&self) -> String {
        let columns: Vec<String> = self.runs.iter().map(|run| run.inputs.join(" and ")).collect();
        format!("{} {}", self.running.name(), columns.join(", "))
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.running).value(&self.runs)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let mut schema = (*input.schema).clone();
        for run in &self.runs {
            let dtype = run.inputs.first().and_then(|name| input.schema.get(name.as_str()));
            if let Some(dtype) = dtype.and_then(|dtype| self.running.dtype(dtype)) {
                schema.with_column(run.output.as_str().into(), dtype);
            }
        }
        Ok(Shape { schema: Arc::new(schema), facts: input.facts.with_made(&self.outputs()), ..Shape::like(input) })
    }

    fn narrowed(&self, inputs: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let input = inputs.first()?;
        let runs: Vec<Run> = self.runs.iter().filter(|run| wanted.contains(run.output.as_str())).cloned().collect();
        let read = runs.iter().flat_map(|run| &run.inputs).map(|name| PlSmallStr::from(name.as_str()));
        let passed = wanted.iter().filter(|name| input.schema.contains(name)).cloned();
        let reads = passed.chain(read).collect();
        Some(Narrowed { operation: Arc::new(Carry { running: self.running, runs }), reads: vec![Some(reads)] })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let parts = frame(lowering, only_input(self.name(), &node.inputs)?)?;
        if self.runs.is_empty() {
            return Ok(parts);
        }
        let kernel = CarryKernel { running: self.running, runs: self.runs.clone() };
        let layer = add(lowering, node.key, Arc::new(kernel), node);
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
