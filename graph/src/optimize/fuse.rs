//! Makes one task of a chain: no scheduling between its steps, and each intermediate dies at once.

use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::error::{Error, KernelError, KernelResult, Result};
use crate::graph::{Edge, TaskGraph};
use crate::key::{Key, KeyBuilder};
use crate::layer::Layer;
use crate::registry::Registry;
use crate::storage::StorageBytes;
use crate::task::{Kernel, TaskContext, TaskId};
use crate::value::Value;

/// The name of the fused kernel in the registry.
pub const FUSED: &str = "graph.fused";

/// The longest chain that becomes one task: a cancel need not wait for more steps than this,
/// and the cost of scheduling a task is by then spread thin.
const LONGEST: usize = 64;

/// A graph is rebuilt if at least one task in this many goes away: below that the copy costs more than it spares.
const WORTHWHILE: usize = 64;

/// Joins chains: a task whose only input is read by nobody else continues in the same task. O(tasks + edges).
pub fn fuse(graph: TaskGraph) -> TaskGraph {
    let mut readers = vec![0_u32; graph.len()];
    for edge in graph.edges.iter().chain(&graph.outputs) {
        readers[edge.task.index()] = readers[edge.task.index()].saturating_add(1);
    }
    // next[t] = the task that continues t.
    const NONE: u32 = u32::MAX;
    let mut next = vec![NONE; graph.len()];
    let mut depth = vec![0_u8; graph.len()];
    let mut joined = 0;
    for task in graph.tasks() {
        if let [edge] = graph.inputs(task)
            && readers[edge.task.index()] == 1
            && !is_held(&graph, edge.task)
            && !graph.layer(task).kernel.once()
            && !graph.layer(edge.task).kernel.once()
            && usize::from(depth[edge.task.index()]) + 1 < LONGEST
            && alike(graph.layer(task), graph.layer(edge.task))
        {
            next[edge.task.index()] = task.0;
            depth[task.index()] = depth[edge.task.index()] + 1;
            joined += 1;
        }
    }
    if joined == 0 || joined < graph.len() / WORTHWHILE {
        return graph;
    }
    rebuild(graph, &next, &depth)
}

/// Whether tasks of both layers may be one: what is annotated stays as it was asked for.
fn alike(layer: &Layer, other: &Layer) -> bool {
    match (&layer.need, &other.need) {
        (None, None) => true,
        (Some(need), Some(other)) => need.same_but_name(other),
        _ => false,
    }
}

/// Whether a task only hands out what is there: such a task may vanish where its value is, and its reader runs there.
fn is_held(graph: &TaskGraph, task: TaskId) -> bool {
    graph.inputs(task).is_empty() && graph.layer(task).kernel.held(graph.block(task)).is_some()
}

/// Builds the graph in which the chains along `next` are tasks; `depth` is a task's place in its chain.
fn rebuild(graph: TaskGraph, next: &[u32], depth: &[u8]) -> TaskGraph {
    let mut layers = graph.layers.clone();
    let mut fused_layers: HashMap<Vec<u32>, FusedLayer> = HashMap::new();
    let mut layer_of = graph.layer_of.clone();
    let mut block_of = graph.block_of.clone();
    // The chain's task stands where its last step stood, so that inputs still come first; its edges are the head's.
    let mut head: Vec<TaskId> = graph.tasks().collect();
    let mut chain = Vec::new();
    for first in graph.tasks().filter(|task| depth[task.index()] == 0 && next[task.index()] != u32::MAX) {
        chain.clear();
        chain.push(first);
        while let Some(&last) = chain.last()
            && next[last.index()] != u32::MAX
        {
            chain.push(TaskId(next[last.index()]));
        }
        let Some(&last) = chain.last() else { continue };
        head[last.index()] = first;
        let signature: Vec<u32> = chain.iter().map(|task| graph.layer_of[task.index()]).collect();
        let count = layers.len() + fused_layers.len();
        let fused = fused_layers.entry(signature).or_insert_with(|| FusedLayer {
            id: count as u32,
            rows: 0,
            steps: Vec::new(),
            inner: 0,
        });
        layer_of[last.index()] = fused.id;
        block_of[last.index()] = fused.rows;
        fused.rows += 1;
        for (step, &task) in chain.iter().enumerate() {
            let part = if step == 0 { 0 } else { graph.inputs(task)[0].part().unwrap_or(WHOLE) };
            fused.steps.push(StepAt { block: graph.block_of[task.index()], part });
        }
        // Between two steps both results are alive; the chain's own result is counted with the task. Only the first step reads what
        // may turn out to be larger.
        let scratch = |pair: &[TaskId]| graph.layer(pair[1]).scratch_for(graph.bytes(pair[0]));
        let inner = chain[..chain.len() - 1].iter().map(|&task| graph.need(task)).max().unwrap_or(0)
            + chain.windows(2).map(scratch).max().unwrap_or(0);
        fused.inner = fused.inner.max(inner);
    }
    let mut made: Vec<(Vec<u32>, FusedLayer)> = fused_layers.into_iter().collect();
    made.sort_by_key(|(_, fused)| fused.id);
    for (signature, fused) in made {
        layers.push(fused.layer(&signature, &graph.layers));
    }

    let kept: Vec<TaskId> = graph.tasks().filter(|task| next[task.index()] == u32::MAX).collect();
    let mut number = vec![0_u32; graph.len()];
    let mut built = TaskGraph { layers, offsets: vec![0], ..TaskGraph::default() };
    for &task in &kept {
        number[task.index()] = built.layer_of.len() as u32;
        let rename = |edge: &Edge| edge.with_task(TaskId(number[edge.task.index()]));
        built.edges.extend(graph.inputs(head[task.index()]).iter().map(rename));
        built.offsets.push(built.edges.len() as u32);
        built.layer_of.push(layer_of[task.index()]);
        built.block_of.push(block_of[task.index()]);
        if !graph.bytes.is_empty() {
            built.bytes.push(graph.bytes(task));
        }
    }
    built.outputs = graph.outputs.iter().map(|edge| edge.with_task(TaskId(number[edge.task.index()]))).collect();
    built
}

/// Stands for the whole result of the step before, parts or not.
const WHOLE: u32 = u32::MAX;

/// What is known of a fused layer while its tasks are collected.
struct FusedLayer {
    id: u32,
    rows: u32,
    steps: Vec<StepAt>,
    inner: u64,
}

impl FusedLayer {
    fn layer(self, signature: &[u32], layers: &[Layer]) -> Layer {
        let steps: Vec<&Layer> = signature.iter().map(|&id| &layers[id as usize]).collect();
        let key =
            steps.iter().fold(KeyBuilder::new(FUSED), |key, layer| key.key(layer.key)).value(&self.steps).finish();
        let names: Vec<String> = summarize(steps.iter().map(|layer| layer.kernel.describe()));
        Layer {
            key,
            scratch: self.inner,
            scratch_share: steps.first().map_or(0.0, |layer| layer.scratch_share),
            location: steps.last().and_then(|layer| layer.location),
            tiny: steps.iter().all(|layer| layer.tiny),
            estimated: steps.iter().any(|layer| layer.estimated),
            // A chain has one annotation: see `alike`.
            need: steps.last().and_then(|layer| layer.need.clone()),
            // What was made of a source may have cost more than reading it.
            again: false,
            borrowed: steps.last().is_some_and(|layer| layer.borrowed),
            kernel: Arc::new(Fused {
                description: names.join(" > "),
                layers: steps.into_iter().cloned().collect(),
                steps: self.steps,
                single: false,
            }),
        }
    }
}

/// `a, a, a, b` as `3 x a, b`.
fn summarize(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut runs: Vec<(String, usize)> = Vec::new();
    for name in names {
        match runs.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => runs.push((name, 1)),
        }
    }
    runs.into_iter().map(|(name, count)| if count == 1 { name } else { format!("{count} x {name}") }).collect()
}

/// Which block of its layer a step computes, and which part of the step before it reads.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct StepAt {
    block: u32,
    part: u32,
}

/// A kernel that runs the kernels of a chain one after the other.
pub struct Fused {
    description: String,
    layers: Vec<Layer>,
    /// `layers.len()` steps for each block.
    steps: Vec<StepAt>,
    /// Read back from bytes: there is one row of steps, whatever the block's number.
    single: bool,
}

/// One step of a fused task.
pub struct Step<'a> {
    /// The layer whose kernel runs.
    pub layer: &'a Layer,
    /// The block of that layer.
    pub block: u64,
    /// Which part of the previous step's result is read.
    pub part: u32,
}

impl Fused {
    /// The steps of one fused block, in order.
    pub fn steps(&self, block: u64) -> impl Iterator<Item = Step<'_>> {
        let row = if self.single { 0 } else { block as usize };
        let row = self.steps.chunks_exact(self.layers.len().max(1)).nth(row).unwrap_or(&[]);
        self.layers.iter().zip(row).map(|(layer, step)| Step { layer, block: u64::from(step.block), part: step.part })
    }

    /// The layers that were fused.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Reads back what [`Kernel::encode`] wrote of one block.
    pub(crate) fn decode(registry: &Registry, bytes: &[u8]) -> Result<Fused> {
        let malformed = |reason: String| Error::NotPortable { operation: FUSED.into(), reason };
        let encoded: Vec<EncodedStep> = postcard::from_bytes(bytes).map_err(|error| malformed(error.to_string()))?;
        let mut layers = Vec::with_capacity(encoded.len());
        let mut steps = Vec::with_capacity(encoded.len());
        for step in encoded {
            if step.name == FUSED {
                return Err(malformed("a fused step within a fused task".into()));
            }
            let kernel = registry.decode_kernel(&step.name, &step.parameters)?;
            layers.push(Layer::new(KeyBuilder::new(&step.name).bytes(&step.parameters).finish(), kernel));
            steps.push(StepAt { block: step.block, part: step.part });
        }
        let description = summarize(layers.iter().map(|layer| layer.kernel.describe())).join(" > ");
        Ok(Fused { description, layers, steps, single: true })
    }
}

/// A step as it travels.
#[derive(Serialize, Deserialize)]
struct EncodedStep {
    name: String,
    parameters: Vec<u8>,
    block: u32,
    part: u32,
}

impl Step<'_> {
    /// Hands the result of the previous step over to this one.
    pub fn input(&self, previous: Value) -> KernelResult<Value> {
        match previous {
            Value::Parts(parts) if self.part != WHOLE => parts
                .into_iter()
                .nth(self.part as usize)
                .ok_or_else(|| KernelError::new(format!("there is no part {}", self.part))),
            whole => Ok(whole),
        }
    }
}

impl Kernel for Fused {
    fn name(&self) -> &str {
        FUSED
    }

    fn describe(&self) -> String {
        self.description.clone()
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let mut steps = self.steps(task.block);
        let first = steps.next().ok_or_else(|| KernelError::new(format!("no fused block {}", task.block)))?;
        let mut value = first.layer.kernel.run(TaskContext { block: first.block }, inputs)?;
        for step in steps {
            let mut input = [step.input(value)?];
            value = step.layer.kernel.run(TaskContext { block: step.block }, &mut input)?;
        }
        Ok(value)
    }

    fn encode(&self, block: u64) -> Result<Vec<u8>> {
        let steps = self
            .steps(block)
            .map(|step| {
                Ok(EncodedStep {
                    name: step.layer.kernel.name().to_string(),
                    parameters: step.layer.kernel.encode(step.block)?,
                    block: step.block as u32,
                    part: step.part,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        postcard::to_stdvec(&steps)
            .map_err(|error| Error::NotPortable { operation: self.description.clone(), reason: error.to_string() })
    }

    fn lasting(&self, block: u64) -> Option<Key> {
        let last = self.steps(block).last()?;
        last.layer.kernel.lasting(last.block)
    }

    fn storage_bytes(&self, block: u64, inputs: u64, result: u64) -> StorageBytes {
        // What goes from step to step is not known any more.
        let last = self.layers.len().saturating_sub(1);
        let of = |(at, step): (usize, Step<'_>)| {
            let (inputs, result) = (if at == 0 { inputs } else { 0 }, if at == last { result } else { 0 });
            step.layer.kernel.storage_bytes(step.block, inputs, result)
        };
        self.steps(block).enumerate().map(of).fold(StorageBytes::default(), StorageBytes::and).about()
    }

    fn fused(&self) -> Option<&Fused> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::testing::{draw, graph_of};

    #[test]
    fn chains_become_tasks() {
        let graph = graph_of(
            &[
                ("read", &[]),
                ("add", &[0]),
                ("mul", &[1]),
                ("read", &[]),
                ("add", &[3]),
                ("sum", &[2, 4]),
                ("neg", &[5]),
            ],
            &[6],
        );
        insta::assert_snapshot!(draw(&graph), @"
        0 read/0
        1 add/1 <- 0
        2 mul/2 <- 1
        3 read/3
        4 add/4 <- 3
        5 sum/5 <- 2 4
        6 neg/6 <- 5
        outputs 6
        ");
        insta::assert_snapshot!(draw(&fuse(graph)), @"
        0 read > add > mul/0
        1 read > add/0
        2 sum > neg/0 <- 0 1
        outputs 2
        ");
    }

    #[test]
    fn a_task_read_twice_stays() {
        let graph = graph_of(&[("read", &[]), ("add", &[0]), ("mul", &[0])], &[1, 2]);
        assert_eq!(fuse(graph).len(), 3);
    }

    #[test]
    fn an_output_in_the_middle_stays() {
        let graph = graph_of(&[("read", &[]), ("add", &[0])], &[0, 1]);
        assert_eq!(fuse(graph).len(), 2);
    }
}
