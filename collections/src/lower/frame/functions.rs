//! Users' functions on groups.

use std::sync::Arc;

use polars::prelude::SchemaRef;
use talatat_graph::{Edge, Kernel, Key, KeyBuilder, Layer};

use super::operation::Operation;
use super::tree::shrunk;
use super::{add, frame, one_each, only_input};
use crate::error::Result;
use crate::frame::expr::{Facts, Node, Shape};
use crate::frame::kernels::{EachKernel, GroupKernel};
use crate::lower::Lowering;

/// A function on each group, or an aggregation that a user made of three.
pub(crate) struct EachGroup {
    /// Before groups come together: on the groups of each partition, and of several ones.
    pub(crate) before: Option<(EachKernel, EachKernel)>,
    pub(crate) last: EachKernel,
    pub(crate) parts: u32,
    pub(crate) schema: SchemaRef,
    /// A closure equals only itself.
    pub(crate) identity: Key,
}

impl Operation for EachGroup {
    fn name(&self) -> &'static str {
        "frame.groupby.apply"
    }

    fn describe(&self) -> String {
        let what = if self.before.is_some() { "aggregate" } else { "apply" };
        format!("groupby {what} {}, in {} parts", self.last.name, self.parts)
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.key(self.identity).number(u64::from(self.parts))
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let rows = input.rows;
        Ok(Shape { schema: self.schema.clone(), partitions: self.parts as usize, rows, facts: Facts::default() })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let mut edges = frame(lowering, input)?;
        let key = |stage: &str| KeyBuilder::new(stage).key(node.key).finish();
        let rows = input.bytes();
        let one = self.parts == 1;
        let layer = |lowering: &mut Lowering, stage: &str, kernel: Arc<dyn Kernel>| {
            lowering.graph.layer(Layer::new(key(stage), kernel).at(node.location).scratch_of_inputs(2.0))
        };
        let cut = (!one).then_some(self.parts);
        match &self.before {
            Some((chunk, combine)) => {
                let chunk = layer(lowering, "chunk", Arc::new(EachKernel { parts: cut, ..chunk.clone() }));
                edges = one_each(lowering, chunk, rows, &edges)?;
                if one {
                    let combine: Arc<dyn Kernel> = Arc::new(combine.clone());
                    edges = shrunk(lowering, key("combine"), &combine, node, rows, edges)?;
                }
            }
            None if one => {}
            None => {
                let keys = self.last.keys.clone();
                let split = GroupKernel { keys, parts: cut, ..GroupKernel::new("frame.groupby.split") };
                let split = layer(lowering, "split", Arc::new(split));
                edges = one_each(lowering, split, rows, &edges)?;
            }
        }
        let last = add(lowering, node.key, Arc::new(self.last.clone()), node);
        let parts = (0..self.parts).map(|part| {
            let reads: Vec<Edge> = match one {
                true => edges.clone(),
                false => edges.iter().map(|edge| Edge::part_of(edge.task, part)).collect(),
            };
            Ok(lowering.graph.task(last, part, node.bytes(), &reads)?.into())
        });
        parts.collect()
    }
}
