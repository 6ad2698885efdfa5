//! Frames as tasks.
//!
//! A run of partition-wise steps, the reader included, is one layer: a task a partition. Blocks of CSV files with quotes are read by
//! tasks of their own, and a chain of tiny tasks carries the state of the quotes along each file.

use std::sync::Arc;

use talatat_graph::{Edge, Kernel, Key, KeyBuilder, Layer, LayerId};

use super::Lowering;
use crate::error::Result;
use crate::frame::csv::CsvScan;
use crate::frame::expr::{FrameExpr, Node, Op};
use crate::frame::groupby::Grouping;
use crate::frame::kernels::{
    HeadKernel, LenKernel, PartitionKernel, RawKernel, Source, StateKernel, SumKernel, TakeKernel,
};
use crate::frame::step::Step;
use crate::frame::wire::Wire;

/// How many results one task of a tree merges.
const ARITY: usize = 8;

/// Makes tasks of a rewritten expression: an edge for each partition.
pub(crate) fn frame(lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
    if let Some(edges) = lowering.seen(node.key) {
        return Ok(edges.to_vec());
    }
    let edges = match &node.op {
        Op::Csv(_) | Op::Data(_) | Op::Step { .. } => partitions(lowering, node)?,
        Op::Foreign(blocks) => blocks.lower(lowering)?,
        Op::Map { input, kernel } => {
            let inputs = frame(lowering, input)?;
            let layer = add(lowering, node.key, kernel.clone(), node);
            one_each(lowering, layer, node.bytes(), &inputs)?
        }
        Op::GroupBy { input, grouping } => {
            let inputs = frame(lowering, input)?;
            vec![grouped(lowering, node, grouping, &inputs)?]
        }
        Op::Head { input, rows } => vec![head(lowering, node, input, *rows)?],
    };
    Ok(lowering.note(node.key, edges).to_vec())
}

fn add(lowering: &mut Lowering, key: Key, kernel: Arc<dyn Kernel>, node: &FrameExpr) -> LayerId {
    lowering.graph.layer(Layer::new(key, kernel).at(node.location))
}

fn one_each(lowering: &mut Lowering, layer: LayerId, bytes: u64, inputs: &[Edge]) -> Result<Vec<Edge>> {
    let numbered = inputs.iter().enumerate();
    let tasks = numbered.map(|(block, &input)| Ok(lowering.graph.task(layer, block as u32, bytes, &[input])?.into()));
    tasks.collect()
}

/// The steps that end in this node, first one first, and what they stand on.
fn run_of_steps(node: &Node) -> (&Node, Vec<Step>) {
    let mut steps = Vec::new();
    let mut source = node;
    while let Op::Step { input, step } = &source.op {
        steps.push(step.clone());
        source = input;
    }
    steps.reverse();
    (source, steps)
}

/// A kernel for a run of steps and its source, if the source can be made inside of the task.
fn partition_kernel(source: &Node, steps: Vec<Step>) -> PartitionKernel {
    let source = match &source.op {
        Op::Csv(scan) => Source::Csv(Box::new(scan.parser())),
        Op::Data(parts) => Source::Data(parts.clone()),
        _ => Source::Input,
    };
    PartitionKernel { base: 0, source, steps: Wire(steps) }
}

fn partitions(lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
    let (source, steps) = run_of_steps(node);
    let kernel = partition_kernel(source, steps);
    let inputs: Vec<Vec<Edge>> = match &source.op {
        Op::Csv(scan) => quotes(lowering, source, scan)?,
        Op::Data(parts) => vec![Vec::new(); parts.len()],
        _ => frame(lowering, source)?.into_iter().map(|edge| vec![edge]).collect(),
    };
    let scratch = match &source.op {
        // The text of the block, and the columns that are read but not handed on.
        Op::Csv(scan) => {
            scan.blocks.iter().map(|block| block.end - block.start).max().unwrap_or(0).saturating_add(source.bytes())
        }
        _ => source.bytes(),
    };
    let layer = lowering.graph.layer(Layer::new(node.key, Arc::new(kernel)).at(node.location).scratch(scratch));
    let bytes = node.bytes();
    let numbered = inputs.iter().enumerate();
    numbered.map(|(block, inputs)| Ok(lowering.graph.task(layer, block as u32, bytes, inputs)?.into())).collect()
}

/// For each block of the files what its parser reads: nothing, if it can read the file by itself; else the block's bytes and, but for a
/// file's first block, whether it begins inside of quotes.
fn quotes(lowering: &mut Lowering, node: &Node, scan: &CsvScan) -> Result<Vec<Vec<Edge>>> {
    if !(0..scan.blocks.len()).any(|number| scan.is_chained(number)) {
        return Ok(vec![Vec::new(); scan.blocks.len()]);
    }
    // Reading does not depend on columns and filters: two scans of the same files share it.
    let plain = scan.plain();
    let key = KeyBuilder::new("frame.csv_read").key(plain.key()).finish();
    let read = add(lowering, key, Arc::new(RawKernel { base: 0, parser: plain.parser() }), node);
    let key = KeyBuilder::new("frame.csv_state").key(key).finish();
    let state = lowering.graph.layer(Layer::new(key, Arc::new(StateKernel)).at(node.location).tiny(true));
    let mut inputs = Vec::with_capacity(scan.blocks.len());
    // The block before: its count of quotes, and the state at its start.
    let mut before: Option<(Edge, Option<Edge>)> = None;
    for (number, block) in scan.blocks.iter().enumerate() {
        if !scan.is_chained(number) {
            inputs.push(Vec::new());
            before = None;
            continue;
        }
        let bytes = block.end - block.start + crate::frame::kernels::TAIL;
        let task = lowering.graph.task(read, number as u32, bytes, &[])?;
        let mut needs = vec![Edge::part_of(task, 0)];
        let known = match before.filter(|_| block.start > 0) {
            None => None,
            Some((count, known)) => {
                let edges: Vec<Edge> = known.into_iter().chain([count]).collect();
                Some(Edge::whole(lowering.graph.task(state, number as u32, 0, &edges)?))
            }
        };
        needs.extend(known);
        before = Some((Edge::part_of(task, 1), known));
        inputs.push(needs);
    }
    Ok(inputs)
}

/// Partial aggregations, a tree that merges them in the order of partitions, and the results.
fn grouped(lowering: &mut Lowering, node: &Node, grouping: &Grouping, inputs: &[Edge]) -> Result<Edge> {
    let bytes = node.bytes();
    let key = |stage: &str| KeyBuilder::new(stage).key(node.key).finish();
    let partial = add(lowering, key("partial"), Arc::new(grouping.partial_kernel()), node);
    let parts = one_each(lowering, partial, bytes, inputs)?;
    let combine: Arc<dyn Kernel> = Arc::new(grouping.combine_kernel());
    let root = tree(lowering, key("combine"), &combine, node, bytes, parts)?;
    let finish = add(lowering, node.key, Arc::new(grouping.finish_kernel()), node);
    Ok(lowering.graph.task(finish, 0, bytes, &[root])?.into())
}

/// Merges neighbours until one is left. The shape depends on how many there are, and on nothing else.
fn tree(
    lowering: &mut Lowering,
    key: Key,
    kernel: &Arc<dyn Kernel>,
    node: &FrameExpr,
    bytes: u64,
    mut level: Vec<Edge>,
) -> Result<Edge> {
    let layer = add(lowering, key, kernel.clone(), node);
    let mut block = 0;
    loop {
        if let [root] = level.as_slice() {
            return Ok(*root);
        }
        let mut merged = Vec::with_capacity(level.len().div_ceil(ARITY));
        for group in level.chunks(ARITY) {
            merged.push(match group {
                [one] => *one,
                several => {
                    block += 1;
                    lowering.graph.task(layer, block, bytes, several)?.into()
                }
            });
        }
        if merged.is_empty() {
            merged.push(lowering.graph.task(layer, 0, bytes, &[])?.into());
        }
        level = merged;
    }
}

/// The first rows. Partitions that a task can make by itself are made one after the other until there are enough rows; what stands on
/// other tasks is computed and cut.
fn head(lowering: &mut Lowering, node: &Node, input: &Node, rows: usize) -> Result<Edge> {
    let (source, steps) = run_of_steps(input);
    let rows = rows as u64;
    let bytes = node.bytes();
    if matches!(source.op, Op::Csv(_) | Op::Data(_)) && source.partitions > 0 {
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

/// The number of rows: counted in each partition, then added up in a tree.
pub(crate) fn len(lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
    let inputs = frame(lowering, node)?;
    let key = |stage: &str| KeyBuilder::new(stage).key(node.key).finish();
    let count = lowering.graph.layer(Layer::new(key("frame.len"), Arc::new(LenKernel)).at(node.location).tiny(true));
    let counts = one_each(lowering, count, 0, &inputs)?;
    let sum: Arc<dyn Kernel> = Arc::new(SumKernel { known: 0 });
    Ok(vec![tree(lowering, key("frame.len.sum"), &sum, node, 0, counts)?])
}

/// A count that has been computed.
pub(crate) fn known_len(lowering: &mut Lowering, key: Key, rows: u64) -> Result<Vec<Edge>> {
    let layer = lowering.graph.layer(Layer::new(key, Arc::new(SumKernel { known: rows })).tiny(true));
    Ok(vec![lowering.graph.task(layer, 0, 0, &[])?.into()])
}
