//! Frames one below the other, and side by side.

use std::sync::Arc;

use polars::prelude::{Expr, Schema};
use talatat_graph::{Edge, KeyBuilder};

use super::operation::{Narrowed, Operation};
use super::{add, frame};
use crate::error::{Error, Result};
use crate::frame::expr::{Columns, Facts, Node, Shape};
use crate::frame::kernels::moves::BesideKernel;
use crate::lower::Lowering;

/// Frames of the same columns, one below the other: their partitions, and no tasks.
#[derive(Clone, Copy)]
pub(crate) struct Concat;

impl Operation for Concat {
    fn name(&self) -> &'static str {
        "frame.concat"
    }

    fn describe(&self) -> String {
        "concat".into()
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let first = inputs.first().ok_or_else(|| Error::invalid("concat", "there is no frame"))?;
        let partitions = inputs.iter().map(|input| input.partitions).sum();
        let rows = inputs.iter().map(|input| input.rows).max().unwrap_or(0);
        let lengths: Option<Vec<Arc<[u64]>>> = inputs.iter().map(|input| input.facts.lengths.clone()).collect();
        let lengths = lengths.map(|all| all.iter().flat_map(|lengths| lengths.iter().copied()).collect());
        Ok(Shape { partitions, rows, facts: Facts { lengths, ..Facts::default() }, ..Shape::like(first) })
    }

    fn narrowed(&self, inputs: &[Node], wanted: &Columns) -> Option<Narrowed> {
        // All inputs keep the same column, if there is to be none.
        let reads: Columns = match wanted.is_empty() {
            true => inputs.first()?.schema.iter_names().take(1).cloned().collect(),
            false => wanted.clone(),
        };
        Some(Narrowed { operation: Arc::new(*self), reads: vec![Some(reads); inputs.len()] })
    }

    fn sinks(&self, inputs: &[Node], condition: &Expr) -> Vec<(usize, Expr)> {
        (0..inputs.len()).map(|input| (input, condition.clone())).collect()
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let mut edges = Vec::with_capacity(node.partitions);
        for input in &node.inputs {
            edges.extend(frame(lowering, input)?);
        }
        Ok(edges)
    }
}

/// Frames of the same partitions, side by side.
#[derive(Clone, Copy)]
pub(crate) struct Beside;

impl Operation for Beside {
    fn name(&self) -> &'static str {
        "frame.concat_columns"
    }

    fn describe(&self) -> String {
        "concat_columns".into()
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let first = inputs.first().ok_or_else(|| Error::invalid("concat_columns", "there is no frame"))?;
        let mut schema = Schema::default();
        for input in inputs {
            for (name, dtype) in input.schema.iter() {
                schema.insert(name.clone(), dtype.clone());
            }
        }
        let facts = Facts { lengths: inputs.iter().find_map(|input| input.facts.lengths.clone()), divisions: None };
        Ok(Shape { schema: Arc::new(schema), facts, ..Shape::like(first) })
    }

    fn narrowed(&self, inputs: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let reads = inputs.iter().map(|input| {
            let names = || input.schema.iter_names();
            let read: Columns = names().filter(|name| wanted.contains(*name)).cloned().collect();
            // Whether it has as many rows is still to be seen.
            Some(if read.is_empty() { names().take(1).cloned().collect() } else { read })
        });
        Some(Narrowed { operation: Arc::new(*self), reads: reads.collect() })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let inputs = node.inputs.iter().map(|input| frame(lowering, input)).collect::<Result<Vec<_>>>()?;
        let layer = add(lowering, node.key, Arc::new(BesideKernel), node);
        let mut made = Vec::with_capacity(node.partitions);
        for block in 0..node.partitions {
            let edges: Vec<Edge> = inputs.iter().filter_map(|edges| edges.get(block).copied()).collect();
            made.push(lowering.graph.task(layer, block as u32, node.bytes(), &edges)?.into());
        }
        Ok(made)
    }
}
