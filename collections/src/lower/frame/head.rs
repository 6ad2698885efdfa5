//! The first rows.

use std::sync::Arc;

use talatat_graph::{Edge, Kernel, KeyBuilder, Layer};

use super::operation::{Narrowed, Operation};
use super::partition::{partition_kernel, run_of_steps};
use super::{add, frame, one_each, only_input, tree};
use crate::error::Result;
use crate::frame::expr::{Columns, Facts, FrameExpr, Node, Op, Shape};
use crate::frame::kernels::{HeadKernel, TakeKernel};
use crate::lower::Lowering;

/// The first rows, as one partition.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) rows: usize,
}

impl Head {
    pub(crate) fn shape(&self, input: &FrameExpr) -> Shape {
        let rows = self.rows as u64;
        let lengths = input.facts.rows().map(|known| [known.min(rows)].into());
        Shape { partitions: 1, rows, facts: Facts { lengths, ..Facts::default() }, ..Shape::like(input) }
    }
}

impl Operation for Head {
    fn name(&self) -> &'static str {
        "frame.head"
    }

    fn describe(&self) -> String {
        format!("head {}", self.rows)
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.number(self.rows as u64)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        Ok(self.shape(only_input(self.name(), inputs)?))
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        Some(Narrowed { operation: Arc::new(*self), reads: vec![Some(wanted.clone())] })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        Ok(vec![head(lowering, node, input, self.rows)?])
    }
}

/// The first rows. Partitions that a task can make by itself are made one after the other until there are enough rows; what stands on
/// other tasks is computed and cut.
fn head(lowering: &mut Lowering, node: &Node, input: &Node, rows: usize) -> Result<Edge> {
    let (source, steps) = run_of_steps(lowering, input);
    let rows = rows as u64;
    let bytes = node.bytes();
    let alone = !lowering.frames.is_shared(source);
    if alone && matches!(source.op, Op::Scan(_)) && source.partitions > 0 {
        let partition = partition_kernel(source, steps);
        let key = KeyBuilder::new("frame.head.link").key(node.key).finish();
        let kernel = Arc::new(HeadKernel { partition, rows });
        let layer = lowering.graph.layer(Layer::new(key, kernel).at(node.location).scratch(source.bytes()));
        let mut last: Option<Edge> = None;
        for block in 0..source.partitions {
            let inputs: Vec<Edge> = last.into_iter().collect();
            last = Some(lowering.graph.task(layer, block as u32, bytes, &inputs)?.into());
        }
        return take(lowering, node, rows, last.into_iter().collect());
    }
    let inputs = frame(lowering, input)?;
    // Each partition is cut by itself, so that whole ones do not wait for the others.
    let key = KeyBuilder::new("frame.head.each").key(node.key).finish();
    let each = add(lowering, key, Arc::new(TakeKernel { rows }), node);
    let cut = one_each(lowering, each, bytes, &inputs)?;
    take(lowering, node, rows, cut)
}

fn take(lowering: &mut Lowering, node: &Node, rows: u64, inputs: Vec<Edge>) -> Result<Edge> {
    let bytes = node.bytes();
    let kernel: Arc<dyn Kernel> = Arc::new(TakeKernel { rows });
    let key = KeyBuilder::new("frame.head.tree").key(node.key).finish();
    let root = tree(lowering, key, &kernel, node, bytes, inputs)?;
    let layer = add(lowering, node.key, kernel, node);
    Ok(lowering.graph.task(layer, 0, bytes, &[root])?.into())
}
