//! Partition-wise steps: a run of them, the scan included, is one layer.

use std::sync::Arc;

use talatat_graph::{Edge, Layer};

use super::frame;
use crate::error::Result;
use crate::frame::expr::{Node, Op};
use crate::frame::kernels::{PartitionKernel, Source};
use crate::frame::step::Step;
use crate::frame::wire::Wire;
use crate::lower::Lowering;

/// The steps that end in this node, first one first, and what they stand on. What others read, too, is made on its own.
pub(super) fn run_of_steps<'a>(lowering: &Lowering, node: &'a Node) -> (&'a Node, Vec<Step>) {
    let mut steps = Vec::new();
    let mut source = node;
    while let (Op::Step(step), [input]) = (&source.op, source.inputs.as_slice()) {
        if !std::ptr::eq(source, node) && lowering.frames.is_shared(source) {
            break;
        }
        steps.push(step.clone());
        source = input;
    }
    steps.reverse();
    (source, steps)
}

/// A kernel for a run of steps and its source, if the source can be made inside of the task.
pub(super) fn partition_kernel(source: &Node, steps: Vec<Step>) -> PartitionKernel {
    let source = match &source.op {
        Op::Scan(scan) => scan.source(),
        _ => Source::Input,
    };
    PartitionKernel { base: 0, source, steps: Wire(steps) }
}

/// A task for each partition of a run of steps.
pub(super) fn partitions(lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
    let (source, steps) = run_of_steps(lowering, node);
    let inside = match &source.op {
        Op::Scan(scan) if steps.is_empty() || !lowering.frames.is_shared(source) => Some(scan),
        _ => None,
    };
    let (kernel, inputs, scratch, share) = match inside {
        Some(scan) => {
            let inputs = scan.needs(lowering, source)?;
            (partition_kernel(source, steps), inputs, scan.scratch().saturating_add(source.bytes()), 0.0)
        }
        None => {
            let inputs = frame(lowering, source)?.into_iter().map(|edge| vec![edge]).collect();
            (PartitionKernel { base: 0, source: Source::Input, steps: Wire(steps) }, inputs, 0, 1.0)
        }
    };
    let layer = Layer::new(node.key, Arc::new(kernel)).at(node.location).scratch(scratch).scratch_of_inputs(share);
    let layer = lowering.graph.layer(layer);
    let bytes = node.bytes();
    let numbered = inputs.iter().enumerate();
    numbered.map(|(block, inputs)| Ok(lowering.graph.task(layer, block as u32, bytes, inputs)?.into())).collect()
}
