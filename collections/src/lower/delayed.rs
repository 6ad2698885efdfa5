//! Delayed calls as tasks: a layer for each function, a block for each call.

use std::sync::Arc;

use hashbrown::HashTable;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, Key, Layer, LayerId, TaskContext, Value};

use super::Lowering;
use crate::delayed::{Call, Node};
use crate::error::Result;

/// The calls that have become tasks. Calls with equal keys are one task.
#[derive(Default)]
pub(crate) struct DelayedTasks {
    layers: Vec<CallLayer>,
    /// Numbers in `tasks`, by the call's key.
    index: HashTable<u32>,
    tasks: Vec<(Key, Edge)>,
}

struct CallLayer {
    function: Key,
    id: LayerId,
    calls: Vec<Node>,
}

/// One entry of the walk: a call to visit, or one whose inputs have been visited.
enum Visit<'a> {
    Open(&'a Node),
    Close(&'a Node),
}

impl DelayedTasks {
    fn find(&self, key: Key) -> Option<Edge> {
        let found = self.index.find(hash(key), |&number| self.tasks[number as usize].0 == key);
        found.map(|&number| self.tasks[number as usize].1)
    }

    /// Makes tasks of a call and of all it depends on, inputs first; depth is no limit.
    pub(crate) fn lower(lowering: &mut Lowering, root: &Node) -> Result<Edge> {
        let mut stack = vec![Visit::Open(root)];
        let mut edges = Vec::new();
        while let Some(visit) = stack.pop() {
            match visit {
                Visit::Open(node) => {
                    if lowering.delayed.find(node.key()).is_some() {
                        continue;
                    }
                    let mut leaf = true;
                    let at = stack.len();
                    stack.push(Visit::Close(node));
                    node.inputs(&mut |input| {
                        leaf = false;
                        stack.push(Visit::Open(input));
                    });
                    // The stack reverses: the first argument is to be visited first.
                    stack[at + 1..].reverse();
                    if leaf {
                        stack.pop();
                        Self::task(lowering, node, &[])?;
                    }
                }
                Visit::Close(node) => {
                    if lowering.delayed.find(node.key()).is_some() {
                        continue;
                    }
                    edges.clear();
                    let delayed = &lowering.delayed;
                    node.inputs(&mut |input| edges.extend(delayed.find(input.key())));
                    Self::task(lowering, node, &edges)?;
                }
            }
        }
        lowering.delayed.find(root.key()).ok_or_else(|| {
            talatat_graph::Error::InvalidGraph("a delayed call was lowered and cannot be found".into()).into()
        })
    }

    fn task(lowering: &mut Lowering, node: &Node, inputs: &[Edge]) -> Result<()> {
        let delayed = &mut lowering.delayed;
        let function = node.function();
        // Calls of one function come in runs: the last layer is nearly always the right one.
        let at = match delayed.layers.iter().rposition(|layer| layer.function == function) {
            Some(at) => at,
            None => {
                let placeholder = CallKernel { name: node.name().into(), calls: Vec::new() };
                let id = lowering.graph.layer(Layer::new(function, Arc::new(placeholder)));
                delayed.layers.push(CallLayer { function, id, calls: Vec::new() });
                delayed.layers.len() - 1
            }
        };
        let layer = &mut delayed.layers[at];
        let block = layer.calls.len() as u32;
        let task = lowering.graph.task(layer.id, block, node.bytes(), inputs)?;
        layer.calls.push(node.clone());
        let number = delayed.tasks.len() as u32;
        delayed.tasks.push((node.key(), task.into()));
        let tasks = &delayed.tasks;
        delayed.index.insert_unique(hash(node.key()), number, |&number| hash(tasks[number as usize].0));
        Ok(())
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
        self.calls.get(block as usize).map(|call| &**call)
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
