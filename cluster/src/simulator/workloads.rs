//! Graphs whose shapes are those of common computations, with kernels of one's choice: ones that are only named, to be simulated, or ones
//! that a cluster really runs.

use std::sync::Arc;
use std::time::Duration;

use talatat_graph::{
    Edge, GraphBuilder, Kernel, Key, Layer, LayerId, Plan, PlanOptions, Result, Value, closure_kernel,
};

use crate::units::{Costs, Rate};

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// How many parts it makes, if it does not make one block.
    pub parts: u32,
    /// Bytes that it makes.
    pub bytes: u64,
}

/// Makes the kernel of a step.
pub type Kernels<'a> = &'a dyn Fn(Step) -> Arc<dyn Kernel>;

/// Kernels that have a name and nothing else.
pub fn named(step: Step) -> Arc<dyn Kernel> {
    Arc::new(closure_kernel(step.name, |_, _| Ok(Value::Unit)))
}

/// What the steps are taken to cost: rates of one core that reads and makes arrays, and of one that hashes, sorts and joins rows.
pub fn costs() -> Costs {
    let rate = |bytes_per_second| Rate { task: Duration::from_micros(2), bytes_per_second };
    [("load", 1e9), ("add", 2e9), ("sum", 5e9), ("split", 5e8), ("merge", 1e9), ("join", 2e8)]
        .into_iter()
        .fold(Costs::default(), |costs, (name, bytes)| costs.measured(name, rate(bytes)))
}

/// The sum of `leaves` numbers, each a task, eight at a time.
///
/// # Errors
/// Never: the graph is sound.
pub fn tree_sum(kernels: Kernels<'_>, leaves: usize) -> Result<Plan> {
    let mut graph = Builder::new(kernels);
    let step = Step { name: "load", parts: 0, bytes: 8 };
    let leaves = (0..leaves).map(|_| graph.add(step, &[])).collect::<Result<Vec<Edge>>>()?;
    graph.finish(leaves)
}

/// The sum of `x + x.T`, where x has `side` times `side` blocks of `bytes` each.
///
/// # Errors
/// Never: the graph is sound.
pub fn transposed(kernels: Kernels<'_>, side: usize, bytes: u64) -> Result<Plan> {
    let mut graph = Builder::new(kernels);
    let step = |name| Step { name, parts: 0, bytes };
    let blocks = (0..side * side).map(|_| graph.add(step("load"), &[])).collect::<Result<Vec<Edge>>>()?;
    let mut sums = Vec::with_capacity(blocks.len());
    for (at, &block) in blocks.iter().enumerate() {
        let other = blocks[at % side * side + at / side];
        let added = graph.add(step("add"), &[block, other])?;
        sums.push(graph.add(Step { bytes: 8, ..step("sum") }, &[added])?);
    }
    graph.finish(sums)
}

/// `blocks` blocks of rows become as many blocks of columns, which are summed.
///
/// # Errors
/// Never: the graph is sound.
pub fn rechunk(kernels: Kernels<'_>, blocks: u32, bytes: u64) -> Result<Plan> {
    let mut graph = Builder::new(kernels);
    let split = graph.split(blocks, blocks, bytes)?;
    let mut sums = Vec::new();
    for part in 0..blocks {
        let parts: Vec<Edge> = split.iter().map(|split| Edge::part_of(split.task, part)).collect();
        let merged = graph.add(Step { name: "merge", parts: 0, bytes }, &parts)?;
        sums.push(graph.add(Step { name: "sum", parts: 0, bytes: 8 }, &[merged])?);
    }
    graph.finish(sums)
}

/// Two tables of `blocks` partitions each are brought together by key in as many partitions, joined and counted.
///
/// # Errors
/// Never: the graph is sound.
pub fn join(kernels: Kernels<'_>, blocks: u32, bytes: u64) -> Result<Plan> {
    let mut graph = Builder::new(kernels);
    let left = graph.split(blocks, blocks, bytes)?;
    let right = graph.split(blocks, blocks, bytes)?;
    let mut sums = Vec::new();
    for part in 0..blocks {
        let parts: Vec<Edge> = left.iter().chain(&right).map(|split| Edge::part_of(split.task, part)).collect();
        let joined = graph.add(Step { name: "join", parts: 0, bytes }, &parts)?;
        sums.push(graph.add(Step { name: "sum", parts: 0, bytes: 8 }, &[joined])?);
    }
    graph.finish(sums)
}

struct Builder<'a> {
    graph: GraphBuilder,
    kernels: Kernels<'a>,
    layers: hashbrown::HashMap<Step, LayerId>,
}

impl<'a> Builder<'a> {
    fn new(kernels: Kernels<'a>) -> Builder<'a> {
        Builder { graph: GraphBuilder::new(), kernels, layers: hashbrown::HashMap::new() }
    }

    fn add(&mut self, step: Step, inputs: &[Edge]) -> Result<Edge> {
        let number = self.layers.len() as u64;
        let make = || Layer::new(Key::of(step.name, &[]).block(number), (self.kernels)(step));
        let layer = *self.layers.entry(step).or_insert_with(|| self.graph.layer(make()));
        Ok(Edge::whole(self.graph.task(layer, self.graph.len() as u32, step.bytes, inputs)?))
    }

    fn split(&mut self, blocks: u32, parts: u32, bytes: u64) -> Result<Vec<Edge>> {
        let mut split = Vec::with_capacity(blocks as usize);
        for _ in 0..blocks {
            let block = self.add(Step { name: "load", parts: 0, bytes }, &[])?;
            split.push(self.add(Step { name: "split", parts, bytes }, &[block])?);
        }
        Ok(split)
    }

    /// Sums up, eight at a time.
    fn finish(mut self, mut level: Vec<Edge>) -> Result<Plan> {
        while level.len() > 1 {
            let step = Step { name: "sum", parts: 0, bytes: 8 };
            level = level.chunks(8).map(|some| self.add(step, some)).collect::<Result<_>>()?;
        }
        level.iter().for_each(|&edge| self.graph.output(edge));
        Plan::new(self.graph.build(), &PlanOptions::default())
    }
}
