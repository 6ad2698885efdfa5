//! Delayed calls as tasks: a layer for each function, a block for each call.

use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use talatat_graph::{
    Edge, GraphBuilder, Kernel, KernelError, KernelResult, Key, Layer, LayerId, TaskContext, TaskId, Value,
};

use super::Lowering;
use crate::delayed::{Call, Node};
use crate::error::Result;

/// Room for at most this many tasks is made ahead of time.
const MOST_RESERVED: usize = 1 << 22;

/// How many calls a result takes, if that can be believed: where calls are shared the count grows without bounds.
fn expected(node: &Node) -> usize {
    Some(node.weight() as usize).filter(|&weight| weight <= MOST_RESERVED).unwrap_or(0)
}

/// The calls that have become tasks. Calls with equal keys are one task.
#[derive(Default)]
pub(crate) struct DelayedTasks {
    layers: Vec<CallLayer>,
    /// The tasks, by their calls' keys.
    index: HashTable<TaskId>,
}

struct CallLayer {
    function: Key,
    id: LayerId,
    calls: Vec<Node>,
}

/// One entry of the walk: a call to visit, or one whose `inputs` inputs have been visited.
enum Visit<'a> {
    Open(&'a Node),
    Close(&'a Node, u32),
}

impl DelayedTasks {
    #[inline]
    fn find(&self, graph: &GraphBuilder, key: Key) -> Option<TaskId> {
        self.index.find(hash(key), |&task| key_of(&self.layers, graph, task) == key).copied()
    }

    fn reserve(&mut self, graph: &GraphBuilder, calls: usize) {
        let layers = &self.layers;
        self.index.reserve(calls, |&task| hash(key_of(layers, graph, task)));
    }

    /// Makes tasks of a call and of all it depends on, inputs first; depth is no limit.
    pub(crate) fn lower(lowering: &mut Lowering, root: &Node) -> Result<Edge> {
        let hint = expected(root);
        lowering.graph.reserve(hint, hint);
        lowering.delayed.reserve(&lowering.graph, hint);
        let mut stack = vec![Visit::Open(root)];
        // The tasks of the inputs that have been visited and not yet read.
        let mut edges: Vec<Edge> = Vec::new();
        while let Some(visit) = stack.pop() {
            let (node, inputs) = match visit {
                Visit::Close(node, inputs) => (node, inputs as usize),
                Visit::Open(node) => {
                    let at = stack.len();
                    stack.push(Visit::Close(node, 0));
                    node.inputs(&mut |input| stack.push(Visit::Open(input)));
                    let inputs = stack.len() - at - 1;
                    if inputs > 0 {
                        if let Some(task) = lowering.delayed.find(&lowering.graph, node.key()) {
                            stack.truncate(at);
                            edges.push(task.into());
                            continue;
                        }
                        stack[at] = Visit::Close(node, inputs as u32);
                        // The stack reverses: the first argument is to be visited first.
                        stack[at + 1..].reverse();
                        continue;
                    }
                    stack.truncate(at);
                    (node, 0)
                }
            };
            let first = edges.len() - inputs;
            let task = Self::task(lowering, node, &edges[first..], hint)?;
            edges.truncate(first);
            edges.push(task.into());
        }
        edges.pop().ok_or_else(|| talatat_graph::Error::InvalidGraph("a delayed call was lost".into()).into())
    }

    #[inline]
    fn task(lowering: &mut Lowering, node: &Node, inputs: &[Edge], hint: usize) -> Result<TaskId> {
        let (DelayedTasks { layers, index }, graph) = (&mut lowering.delayed, &mut lowering.graph);
        let key = node.key();
        let entry = index.entry(
            hash(key),
            |&task| key_of(layers, graph, task) == key,
            |&task| hash(key_of(layers, graph, task)),
        );
        let vacant = match entry {
            Entry::Occupied(entry) => return Ok(*entry.get()),
            Entry::Vacant(vacant) => vacant,
        };
        let function = node.function();
        // Calls of one function come in runs: the last layer is nearly always the right one.
        let at = match layers.iter().rposition(|layer| layer.function == function) {
            Some(at) => at,
            None => {
                let placeholder = CallKernel { name: node.name().into(), calls: Vec::new() };
                let id = graph.layer(Layer::new(function, Arc::new(placeholder)));
                // Room for all the calls there may be: what is not touched costs nothing.
                let calls = Vec::with_capacity(hint.max(16));
                layers.push(CallLayer { function, id, calls });
                layers.len() - 1
            }
        };
        let layer = &mut layers[at];
        let task = graph.task(layer.id, layer.calls.len() as u32, node.bytes(), inputs)?;
        layer.calls.push(node.clone());
        vacant.insert(task);
        Ok(task)
    }

    /// Gives each layer the calls that were collected for it.
    pub(crate) fn finish(lowering: &mut Lowering) {
        let delayed = std::mem::take(&mut lowering.delayed);
        for layer in delayed.layers {
            let name = layer.calls.first().map_or_else(String::new, |call| call.name().into());
            lowering.graph.set_kernel(layer.id, Arc::new(CallKernel { name, calls: layer.calls }));
        }
    }
}

/// The key of a call that is a task.
#[inline]
fn key_of(layers: &[CallLayer], graph: &GraphBuilder, task: TaskId) -> Key {
    let (id, block) = graph.place(task);
    let layer = layers.iter().rfind(|layer| layer.id == id);
    layer.and_then(|layer| layer.calls.get(block as usize)).map_or(Key::from_bits(0), |call| call.key())
}

fn hash(key: Key) -> u64 {
    key.bits() as u64
}

/// The calls of one function; block `n` is call `n`.
struct CallKernel {
    name: String,
    calls: Vec<Node>,
}

impl CallKernel {
    fn call(&self, block: u64) -> Option<&dyn Call> {
        self.calls.get(block as usize).map(Node::call)
    }
}

impl Kernel for CallKernel {
    fn name(&self) -> &str {
        &self.name
    }

    #[inline]
    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let call = self.call(task.block).ok_or_else(|| KernelError::new(format!("there is no call {}", task.block)))?;
        call.run(inputs)
    }

    fn location(&self, block: u64) -> Option<&'static std::panic::Location<'static>> {
        self.call(block).map(Call::location)
    }
}
