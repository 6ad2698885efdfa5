//! Small graphs with known answers.

use std::fmt::Write;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::builder::GraphBuilder;
use crate::error::{Error, KernelError, KernelResult, Result};
use crate::graph::{Edge, TaskGraph};
use crate::key::Key;
use crate::layer::{Layer, LayerId};
use crate::registry::Registry;
use crate::task::{Kernel, TaskContext, TaskId};
use crate::value::Value;

/// A small generator of pseudo-random numbers (Steele, Lea and Flood, "SplitMix", 2014): the same numbers from the same seed.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator for a seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound` (0 if `bound` is 0).
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next_u64() % bound as u64) as usize }
    }
}

/// A kernel that adds its inputs (wrapping) and its block's number; with `parts`, gives that many parts, the k-th plus k.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SumKernel {
    name: String,
    parts: u32,
}

/// The kernel behind the test graphs, under the name that plans show.
pub fn sum_kernel(name: &str) -> SumKernel {
    SumKernel { name: name.into(), parts: 0 }
}

impl Kernel for SumKernel {
    fn name(&self) -> &str {
        "testing.sum"
    }

    fn describe(&self) -> String {
        self.name.clone()
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let mut sum = task.block as i64;
        for input in inputs {
            match input {
                Value::I64(value) => sum = sum.wrapping_mul(3).wrapping_add(*value),
                other => {
                    return Err(KernelError::new(format!("expected an integer, got {}", other.describe())));
                }
            }
        }
        Ok(match self.parts {
            0 => Value::I64(sum),
            parts => Value::Parts((0..i64::from(parts)).map(|part| Value::I64(sum.wrapping_add(part))).collect()),
        })
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        postcard::to_stdvec(self)
            .map_err(|error| Error::NotPortable { operation: self.name.clone(), reason: error.to_string() })
    }
}

/// A registry with the kernel of the test graphs.
pub fn registry() -> Registry {
    Registry::new().kernel::<SumKernel>("testing.sum")
}

fn layer(graph: &mut GraphBuilder, name: &str, parts: u32) -> LayerId {
    let number = graph.len() as u64;
    let kernel = SumKernel { name: name.into(), parts };
    graph.layer(Layer::new(Key::of(name, &[]).block(number), Arc::new(kernel)))
}

/// A graph with one task a line (a name and its inputs' numbers), each of one byte and in a layer of its own.
///
/// # Panics
/// If an input or output does not exist: it is for tests.
pub fn graph_of(tasks: &[(&str, &[u32])], outputs: &[u32]) -> TaskGraph {
    let mut graph = GraphBuilder::new();
    for (number, (name, inputs)) in tasks.iter().enumerate() {
        let layer = layer(&mut graph, name, 0);
        let inputs: Vec<Edge> = inputs.iter().map(|&input| Edge::whole(TaskId(input))).collect();
        graph.task(layer, number as u32, 1, &inputs).expect("inputs come before their readers");
    }
    outputs.iter().for_each(|&output| graph.output(Edge::whole(TaskId(output))));
    graph.build()
}

/// Leaves summed `arity` by `arity` until one is left; each result is one byte.
///
/// # Panics
/// Never: inputs exist by construction.
pub fn tree_graph(leaves: usize, arity: usize) -> TaskGraph {
    let mut graph = GraphBuilder::new();
    let map = layer(&mut graph, "leaf", 0);
    let sum = layer(&mut graph, "sum", 0);
    let mut level: Vec<Edge> =
        (0..leaves).map(|leaf| Edge::whole(graph.task(map, leaf as u32, 1, &[]).expect("a source"))).collect();
    while level.len() > 1 {
        level = level
            .chunks(arity.max(2))
            .map(|inputs| Edge::whole(graph.task(sum, 0, 1, inputs).expect("inputs exist")))
            .collect();
    }
    level.iter().for_each(|&edge| graph.output(edge));
    graph.build()
}

/// A random graph: up to four inputs a task, some of them parts of results with several, up to three outputs.
///
/// # Panics
/// Never: inputs exist by construction.
pub fn random_graph(seed: u64, tasks: usize) -> TaskGraph {
    let mut rng = Rng::new(seed);
    let mut graph = GraphBuilder::new();
    let layers: Vec<(LayerId, u32)> =
        [0, 0, 3].iter().map(|&parts| (layer(&mut graph, &format!("op{parts}"), parts), parts)).collect();
    let mut parts_of = Vec::new();
    let edge_to = |rng: &mut Rng, parts_of: &[u32]| {
        let task = rng.below(parts_of.len());
        let id = TaskId(task as u32);
        match parts_of[task] {
            0 => Edge::whole(id),
            parts => Edge::part_of(id, rng.below(parts as usize) as u32),
        }
    };
    for number in 0..tasks {
        let (layer, parts) = layers[rng.below(layers.len())];
        let count = if number == 0 { 0 } else { rng.below(5) };
        let inputs: Vec<Edge> = (0..count).map(|_| edge_to(&mut rng, &parts_of)).collect();
        let bytes = rng.below(100) as u64;
        graph.task(layer, number as u32, bytes, &inputs).expect("inputs exist");
        parts_of.push(parts);
    }
    for _ in 0..if tasks == 0 { 0 } else { 1 + rng.below(3) } {
        let edge = edge_to(&mut rng, &parts_of);
        graph.output(edge);
    }
    graph.build()
}

/// A graph as text, one line a task, for snapshots.
pub fn draw(graph: &TaskGraph) -> String {
    let mut text = String::new();
    let name = |edge: &Edge| match edge.part() {
        None => edge.task.0.to_string(),
        Some(part) => format!("{}.{part}", edge.task.0),
    };
    let names = |edges: &[Edge]| edges.iter().map(name).collect::<Vec<_>>().join(" ");
    for task in graph.tasks() {
        let _ = write!(text, "{} {}/{}", task.0, graph.layer(task).kernel.describe(), graph.block(task));
        if !graph.inputs(task).is_empty() {
            let _ = write!(text, " <- {}", names(graph.inputs(task)));
        }
        text.push('\n');
    }
    let _ = writeln!(text, "outputs {}", names(graph.outputs()));
    text
}
