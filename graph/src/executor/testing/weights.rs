//! Graphs of blocks that weigh something: for what concerns memory.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::graphs::Rng;
use crate::builder::GraphBuilder;
use crate::error::{Error, KernelError, KernelResult, Result};
use crate::graph::{Edge, TaskGraph};
use crate::key::Key;
use crate::layer::Layer;
use crate::registry::Registry;
use crate::task::{Kernel, TaskContext, TaskId};
use crate::value::{Block, Brief, Value};

/// A block of bytes that are all the same: one that is damaged on its way shows it.
#[derive(Debug)]
pub struct Weight(Vec<u8>);

impl Weight {
    const CODEC: &'static str = "testing.weight";

    /// A block of `bytes` bytes.
    pub fn new(bytes: usize, fill: u8) -> Weight {
        Weight(vec![fill; bytes])
    }

    /// What the bytes are (0 if there are none).
    ///
    /// # Errors
    /// If they are not all the same.
    pub fn fill(&self) -> KernelResult<u8> {
        let first = self.0.first().copied().unwrap_or(0);
        match self.0.iter().all(|&byte| byte == first) {
            true => Ok(first),
            false => Err(KernelError::new("a block was damaged")),
        }
    }
}

impl Block for Weight {
    fn nbytes(&self) -> usize {
        self.0.len()
    }

    fn brief(&self) -> Brief {
        Brief::new("weight", &[self.0.len()])
    }

    fn codec(&self) -> Option<&'static str> {
        Some(Self::CODEC)
    }

    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        out.extend_from_slice(&self.0);
        Ok(())
    }
}

/// A kernel that makes a block (or `parts` blocks) whose fill depends on all inputs. Its size is the one that `sizes` gives for the
/// task's block number.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Weigh {
    sizes: Vec<u64>,
    parts: u32,
}

impl Kernel for Weigh {
    fn name(&self) -> &str {
        "testing.weigh"
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let mut fill = task.block as u8;
        for input in inputs {
            fill = fill.wrapping_mul(3).wrapping_add(input.get::<Weight>()?.fill()?);
        }
        let bytes = *self.sizes.get(task.block as usize).ok_or_else(|| KernelError::new("no such block"))? as usize;
        Ok(match self.parts {
            0 => Value::block(Weight::new(bytes, fill)),
            parts => Value::Parts(
                (0..parts).map(|part| Value::block(Weight::new(bytes, fill.wrapping_add(part as u8)))).collect(),
            ),
        })
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        postcard::to_stdvec(self)
            .map_err(|error| Error::NotPortable { operation: self.name().into(), reason: error.to_string() })
    }
}

/// A registry with the kernel and the block of these graphs.
pub fn weights() -> Registry {
    Registry::new().kernel::<Weigh>("testing.weigh").block(Weight::CODEC, |bytes| Ok(Arc::new(Weight(bytes.to_vec()))))
}

/// A random graph of blocks of up to `largest` bytes: up to four inputs a task, most of them recent ones, a third of the tasks with
/// four parts, up to three outputs.
///
/// # Panics
/// Never: inputs exist by construction.
pub fn random_weights(seed: u64, tasks: usize, largest: u64) -> TaskGraph {
    let mut rng = Rng::new(seed);
    let sizes: Vec<u64> = (0..tasks).map(|_| rng.next_u64() % (largest + 1)).collect();
    let mut graph = GraphBuilder::new();
    let layers = [(0, 0.0), (0, 0.5), (4, 0.0)].map(|(parts, share)| {
        let kernel = Weigh { sizes: sizes.clone(), parts };
        let key = Key::of("weigh", &[]).block(u64::from(parts) + u64::from(share > 0.0));
        (graph.layer(Layer::new(key, Arc::new(kernel)).scratch_of_inputs(share)), parts)
    });
    let mut parts_of: Vec<u32> = Vec::new();
    let edge_to = |rng: &mut Rng, parts_of: &[u32]| {
        let near = rng.below(4) > 0;
        let back = 1 + rng.below(if near { parts_of.len().min(5) } else { parts_of.len() });
        let task = parts_of.len() - back;
        match parts_of[task] {
            0 => Edge::whole(TaskId(task as u32)),
            parts => Edge::part_of(TaskId(task as u32), rng.below(parts as usize) as u32),
        }
    };
    for (number, &size) in sizes.iter().enumerate() {
        let (layer, parts) = layers[rng.below(3)];
        let count = if number == 0 { 0 } else { rng.below(5) };
        let inputs: Vec<Edge> = (0..count).map(|_| edge_to(&mut rng, &parts_of)).collect();
        graph.task(layer, number as u32, size * u64::from(parts.max(1)), &inputs).expect("inputs exist");
        parts_of.push(parts);
    }
    for _ in 0..if tasks == 0 { 0 } else { 1 + rng.below(3) } {
        let edge = edge_to(&mut rng, &parts_of);
        graph.output(edge);
    }
    graph.build()
}

/// A shuffle: every one of `sources` blocks is cut into `targets` parts of `bytes`, every target reads a part of each.
///
/// # Panics
/// Never: inputs exist by construction.
pub fn shuffle_weights(sources: u32, targets: u32, bytes: u64) -> TaskGraph {
    let mut graph = GraphBuilder::new();
    let weigh = |count, bytes, parts| Arc::new(Weigh { sizes: vec![bytes; count as usize], parts });
    let split = graph.layer(Layer::new(Key::of("split", &[]), weigh(sources, bytes, targets)));
    let merge = graph.layer(Layer::new(Key::of("merge", &[]), weigh(targets, 8, 0)));
    let split: Vec<TaskId> = (0..sources)
        .map(|block| graph.task(split, block, bytes * u64::from(targets), &[]).expect("a source"))
        .collect();
    for block in 0..targets {
        let parts: Vec<Edge> = split.iter().map(|&task| Edge::part_of(task, block)).collect();
        let merged = graph.task(merge, block, 8, &parts).expect("inputs exist");
        graph.output(merged.into());
    }
    graph.build()
}
