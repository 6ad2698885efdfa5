//! Missing values between others: a chain of tiny tasks each way along the partitions, then each partition by itself.

use std::sync::Arc;

use polars::prelude::PlSmallStr;
use talatat_graph::{Edge, KeyBuilder, Layer};

use super::operation::{Narrowed, Operation};
use super::{frame, only_input, with_floats};
use crate::error::Result;
use crate::frame::expr::{Columns, Node, Shape};
use crate::frame::kernels::{Around, InterpolateKernel, Interpolated};
use crate::lower::Lowering;

/// A guess at the bytes of what one column has nearest to a border.
const END_BYTES: u64 = 64;

impl Operation for Interpolated {
    fn name(&self) -> &'static str {
        "frame.interpolate"
    }

    fn describe(&self) -> String {
        format!("interpolate {}", self.columns.join(", "))
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(self)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(Operation::name(self), inputs)?;
        Ok(with_floats(input, &self.columns))
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let columns: Vec<String> = self.columns.iter().filter(|name| wanted.contains(name.as_str())).cloned().collect();
        let by = self.by.as_deref().filter(|_| !columns.is_empty()).map(PlSmallStr::from);
        let reads = wanted.iter().cloned().chain(by).collect();
        Some(Narrowed { operation: Arc::new(Interpolated { columns, ..self.clone() }), reads: vec![Some(reads)] })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let parts = frame(lowering, only_input(Operation::name(self), &node.inputs)?)?;
        if self.columns.is_empty() {
            return Ok(parts);
        }
        let small = END_BYTES.saturating_mul(self.columns.len() as u64);
        let ends = |first: bool, lowering: &mut Lowering| -> Result<Vec<Edge>> {
            let stage = if first { "frame.interpolate.first" } else { "frame.interpolate.last" };
            let kernel = InterpolateKernel::Ends { what: self.clone(), first };
            let layer = Layer::new(KeyBuilder::new(stage).key(node.key).finish(), Arc::new(kernel)).at(node.location);
            let layer = lowering.graph.layer(layer);
            let mut made: Vec<Edge> = Vec::with_capacity(parts.len());
            let along: Vec<(usize, Edge)> = parts.iter().copied().enumerate().collect();
            let ordered: Vec<(usize, Edge)> = if first { along.into_iter().rev().collect() } else { along };
            for (block, part) in ordered {
                let inputs: Vec<Edge> = [part].into_iter().chain(made.last().copied()).collect();
                made.push(lowering.graph.task(layer, block as u32, small, &inputs)?.into());
            }
            if first {
                made.reverse();
            }
            Ok(made)
        };
        let (last, first) = (ends(false, lowering)?, ends(true, lowering)?);
        let around = Around { blocks: parts.len() as u64, before: true, after: true };
        let kernel = InterpolateKernel::Fill { what: self.clone(), around };
        let layer =
            lowering.graph.layer(Layer::new(node.key, Arc::new(kernel)).at(node.location).scratch(node.bytes()));
        let mut made = Vec::with_capacity(parts.len());
        for (block, &part) in parts.iter().enumerate() {
            let before = block.checked_sub(1).and_then(|block| last.get(block));
            let inputs: Vec<Edge> =
                [part].into_iter().chain(before.copied()).chain(first.get(block + 1).copied()).collect();
            made.push(lowering.graph.task(layer, block as u32, node.bytes(), &inputs)?.into());
        }
        Ok(made)
    }
}
