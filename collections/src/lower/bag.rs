//! Bags as tasks: a shape of the graph for each kind of step.

use std::rc::Rc;
use std::sync::Arc;

use talatat_graph::{Edge, Error, Kernel, KernelError, KeyBuilder, Layer, LayerId, Value, closure_kernel};

use super::Lowering;
use crate::bag::expr::{BagExpr, Node, Op, Size};
use crate::error::Result;

/// How many neighbours a tree merges at once.
const ARITY: usize = 8;

/// Makes tasks of an expression and of all it is made of, inputs first; depth is no limit. Gives the partitions.
pub(crate) fn lower(lowering: &mut Lowering, root: &Node) -> Result<Rc<[Edge]>> {
    let lost = || Error::InvalidGraph("the partitions of a bag were lost".into());
    let mut stack = vec![(root, false)];
    while let Some((node, inputs_are_there)) = stack.pop() {
        if lowering.seen(node.key).is_some() {
            continue;
        }
        if !inputs_are_there {
            stack.push((node, true));
            stack.extend(node.inputs.iter().rev().map(|input| (input, false)));
            continue;
        }
        let inputs: Vec<Rc<[Edge]>> =
            node.inputs.iter().map(|input| lowering.seen(input.key)).collect::<Option<_>>().ok_or_else(lost)?;
        // How many items there are, nobody knows before they are counted.
        let before = lowering.graph.estimating(true);
        let made = tasks(lowering, node, &inputs);
        lowering.graph.estimating(before);
        let made = made?;
        if let Some(trace) = &mut lowering.trace {
            trace.split(node.name.clone(), made.len(), "partitions of items".into());
        }
        lowering.note(node.key, made);
    }
    Ok(lowering.seen(root.key).ok_or_else(lost)?)
}

/// The tasks of one step.
fn tasks(lowering: &mut Lowering, node: &BagExpr, inputs: &[Rc<[Edge]>]) -> Result<Vec<Edge>> {
    let first: &[Edge] = inputs.first().map_or(&[], |edges| edges);
    let one = node.size;
    match &node.op {
        Op::Source(kernel) => {
            let layer = lowering.graph.layer(named(node, "", kernel));
            blocks(lowering, layer, one, (0..node.partitions).map(|_| Vec::new()))
        }
        Op::Ready(values) => {
            let values = values.clone();
            // What is on disk takes memory when it is read.
            let away = values.iter().any(|value| matches!(value, Value::Spilled(_) | Value::Remote(_)));
            let kernel: Arc<dyn Kernel> = Arc::new(closure_kernel(node.name.clone(), move |task, _| {
                let value = usize::try_from(task.block).ok().and_then(|block| values.get(block).cloned());
                value.ok_or_else(|| KernelError::new("a partition is missing"))
            }));
            let layer = lowering.graph.layer(named(node, "", &kernel).borrowed(!away));
            blocks(lowering, layer, one, (0..node.partitions).map(|_| Vec::new()))
        }
        Op::Each(kernel) => {
            let layer = lowering.graph.layer(named(node, "", kernel));
            let all = |at| inputs.iter().filter_map(|edges| edges.get(at).copied()).collect();
            blocks(lowering, layer, one, (0..node.partitions).map(all))
        }
        Op::Tree(kernel) => {
            let mut edges = first.to_vec();
            let mut level = 0;
            while edges.len() > 1 {
                let layer = lowering.graph.layer(named(node, &format!("level {level}"), kernel));
                edges = blocks(lowering, layer, one, edges.chunks(ARITY).map(<[Edge]>::to_vec))?;
                level += 1;
            }
            Ok(edges)
        }
        Op::All(kernel) => {
            let layer = lowering.graph.layer(named(node, "", kernel));
            blocks(lowering, layer, one, std::iter::once(first.to_vec()))
        }
        Op::Exchange { cut, take } => {
            let mut parts: Vec<Vec<Edge>> = vec![Vec::new(); node.partitions];
            for ((number, kernel), edges) in cut.iter().enumerate().zip(inputs) {
                let size = node.inputs.get(number).map_or(one, |input| input.size);
                // The table of keys, and the parts beside the partition that they are moved out of.
                let layer = named(node, &format!("cut {number}"), kernel).scratch_of_inputs(1.0);
                let layer = lowering.graph.layer(layer);
                let pieces = blocks(lowering, layer, size, edges.iter().map(|&edge| vec![edge]))?;
                for (at, part) in (0..).zip(&mut parts) {
                    part.extend(pieces.iter().map(|piece| Edge::part_of(piece.task, at)));
                }
            }
            let layer = lowering.graph.layer(named(node, "", take).scratch_of_inputs(1.0));
            blocks(lowering, layer, one, parts.into_iter())
        }
        Op::Recut { cut, join } => {
            let (old, new) = (first.len(), node.partitions);
            if new > old {
                let size = node.inputs.first().map_or(one, |input| input.size);
                let layer = lowering.graph.layer(named(node, "cut", cut));
                let pieces = blocks(lowering, layer, size, first.iter().map(|&edge| vec![edge]))?;
                let pieces = (0..).zip(&pieces).flat_map(|(at, piece)| {
                    let parts = u32::try_from(run(at, old, new).len()).unwrap_or(u32::MAX);
                    (0..parts).map(|part| Edge::part_of(piece.task, part))
                });
                // A partition is a part of an old one: there is nothing to put together, but a result that is kept must not be a part.
                let layer = lowering.graph.layer(named(node, "", join));
                return blocks(lowering, layer, one, pieces.map(|edge| vec![edge]));
            }
            let layer = lowering.graph.layer(named(node, "", join).scratch_of_inputs(1.0));
            let runs = (0..new).map(|at| first.get(run(at, new, old)).unwrap_or_default().to_vec());
            blocks(lowering, layer, one, runs)
        }
        Op::Concat => Ok(inputs.iter().flat_map(|edges| edges.iter().copied()).collect()),
        Op::Select(range) => Ok(first.get(range.clone()).unwrap_or_default().to_vec()),
        Op::Foreign { from, kernel } => {
            let edges = from.lower(lowering)?;
            let layer = lowering.graph.layer(named(node, "", kernel));
            blocks(lowering, layer, one, edges.into_iter().map(|edge| vec![edge]))
        }
    }
}

/// Which of `many` things belong to thing `at` of `few`, so that all have about as many.
pub(crate) fn run(at: usize, few: usize, many: usize) -> std::ops::Range<usize> {
    let border = |at: usize| (at as u128 * many as u128 / few.max(1) as u128) as usize;
    border(at)..border(at + 1)
}

fn named(node: &BagExpr, stage: &str, kernel: &Arc<dyn Kernel>) -> Layer {
    let key = if stage.is_empty() { node.key } else { KeyBuilder::new(stage).key(node.key).finish() };
    Layer::new(key, kernel.clone()).at(node.location).scratch(node.scratch)
}

/// A task for each list of inputs.
fn blocks(
    lowering: &mut Lowering,
    layer: LayerId,
    size: Size,
    inputs: impl Iterator<Item = Vec<Edge>>,
) -> Result<Vec<Edge>> {
    let task = |(block, edges): (u32, Vec<Edge>)| Ok(lowering.graph.task(layer, block, size.bytes, &edges)?.into());
    (0..).zip(inputs).map(task).collect()
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn runs_follow_each_other_and_are_alike() {
        for few in 1..20 {
            for many in few..40 {
                let runs: Vec<_> = (0..few).map(|at| run(at, few, many)).collect();
                assert!(runs.windows(2).all(|pair| pair[0].end == pair[1].start));
                assert_eq!((runs[0].start, runs[few - 1].end), (0, many));
                let lengths: Vec<usize> = runs.iter().map(|run| run.len()).collect();
                assert!(lengths.iter().max().unwrap() - lengths.iter().min().unwrap() <= 1);
            }
        }
    }
}
