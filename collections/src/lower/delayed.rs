//! Delayed calls as tasks: a layer for each function, a block for each call.

use std::sync::Arc;

use hashbrown::{HashMap, HashTable};
use talatat_graph::{
    Edge, GraphBuilder, Kernel, KernelError, KernelResult, Key, Layer, LayerId, TaskContext, TaskId, Value,
};

use super::Lowering;
use crate::delayed::{Call, Lowered, Node};
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
    /// The layers by their functions.
    by_function: HashMap<Key, usize>,
    /// The tasks, by their calls' keys.
    index: HashTable<Indexed>,
    /// Calls that became tasks elsewhere in the graph, and which of these tasks may be used here.
    others: Option<Box<(DelayedTasks, Vec<bool>)>>,
}

/// A task, and enough of its call's key to move it to another place in the table without a look at the call.
#[derive(Clone, Copy)]
struct Indexed {
    key: u32,
    task: TaskId,
}

impl Indexed {
    fn new(key: Key, task: TaskId) -> Indexed {
        Indexed { key: key.bits() as u32, task }
    }

    /// The table wants bits at both ends of a hash.
    #[inline]
    fn hash(&self) -> u64 {
        u64::from(self.key).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
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
    /// The task of a call, if it or an equal call has become one.
    #[inline]
    fn find(&self, graph: &GraphBuilder, node: &Node) -> Option<TaskId> {
        let noted = node.task().get();
        if noted.index() < graph.len() && call_of(&self.layers, graph, noted).is_some_and(|call| call.is(node)) {
            return Some(noted);
        }
        let wanted = Indexed::new(node.key(), noted);
        let equal = |other: &Indexed| wanted.key == other.key && self.is_equal(graph, node, other.task);
        let found = self.index.find(wanted.hash(), equal).map(|found| found.task);
        found.or_else(|| {
            let (others, usable) = &**self.others.as_ref()?;
            others.find(graph, node).filter(|task| usable.get(task.index()).copied().unwrap_or(false))
        })
    }

    /// No calls yet, beside others of whose tasks some may be used.
    pub(crate) fn beside(others: DelayedTasks, usable: Vec<bool>) -> DelayedTasks {
        DelayedTasks { others: Some(Box::new((others, usable))), ..DelayedTasks::default() }
    }

    /// Takes the others out again.
    pub(crate) fn take_others(&mut self) -> Option<DelayedTasks> {
        Some(self.others.take()?.0)
    }

    fn is_equal(&self, graph: &GraphBuilder, node: &Node, task: TaskId) -> bool {
        call_of(&self.layers, graph, task).is_some_and(|call| call.key() == node.key())
    }

    fn reserve(&mut self, calls: usize) {
        self.index.reserve(calls, Indexed::hash);
    }

    /// Makes tasks of a call and of all it depends on, inputs first; depth is no limit.
    pub(crate) fn lower(lowering: &mut Lowering, root: &Node) -> Result<Edge> {
        let hint = expected(root);
        lowering.graph.reserve(hint, hint);
        lowering.delayed.reserve(hint);
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
                    if let Some(task) = lowering.delayed.find(&lowering.graph, node) {
                        stack.truncate(at);
                        edges.push(task.into());
                        continue;
                    }
                    if inputs > 0 {
                        stack[at] = Visit::Close(node, inputs as u32);
                        // The stack reverses: the first argument is to be visited first.
                        stack[at + 1..].reverse();
                        continue;
                    }
                    stack.truncate(at);
                    match node.lower(lowering).transpose()? {
                        Some(Lowered::Result(edge)) => {
                            edges.push(edge);
                            continue;
                        }
                        Some(Lowered::Inputs(read)) => {
                            edges.push(Self::task(lowering, node, &read, hint)?.into());
                            continue;
                        }
                        None => (node, 0),
                    }
                }
            };
            let first = edges.len() - inputs;
            let task = Self::task(lowering, node, &edges[first..], hint)?;
            edges.truncate(first);
            edges.push(task.into());
        }
        edges.pop().ok_or_else(|| talatat_graph::Error::InvalidGraph("a delayed call was lost".into()).into())
    }

    /// Makes a task of a call that has none. (The calls that it waited for cannot have made one of an equal call: a key
    /// is made of the keys of the inputs.)
    #[inline]
    fn task(lowering: &mut Lowering, node: &Node, inputs: &[Edge], hint: usize) -> Result<TaskId> {
        let (DelayedTasks { layers, by_function, index, .. }, graph) = (&mut lowering.delayed, &mut lowering.graph);
        let function = node.function();
        // Calls of one function come in runs: one of the last layers is nearly always the right one.
        let near = layers.len().saturating_sub(4);
        let near = layers[near..].iter().rposition(|layer| layer.function == function).map(|at| near + at);
        let at = match near.or_else(|| by_function.get(&function).copied()) {
            Some(at) => at,
            None => {
                by_function.insert(function, layers.len());
                let placeholder = CallKernel { name: node.name().into(), calls: Vec::new() };
                let id = graph.layer(Layer::new(function, Arc::new(placeholder)).needs(node.need()));
                // Room for all the calls there may be: what is not touched costs nothing.
                let calls = Vec::with_capacity(hint.max(16));
                layers.push(CallLayer { function, id, calls });
                layers.len() - 1
            }
        };
        let layer = &mut layers[at];
        let task = graph.task(layer.id, layer.calls.len() as u32, node.bytes(), inputs)?;
        layer.calls.push(node.clone());
        node.task().set(task);
        let entry = Indexed::new(node.key(), task);
        index.insert_unique(entry.hash(), entry, Indexed::hash);
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

/// The call that a task stands for, if it stands for one.
#[inline]
fn call_of<'a>(layers: &'a [CallLayer], graph: &GraphBuilder, task: TaskId) -> Option<&'a Node> {
    let (id, block) = graph.place(task);
    // Numbers of layers grow.
    let layer = match layers.last() {
        Some(last) if last.id == id => Some(last),
        _ => layers.binary_search_by_key(&id, |layer| layer.id).ok().and_then(|at| layers.get(at)),
    };
    layer.and_then(|layer| layer.calls.get(block as usize))
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

    fn lasting(&self, block: u64) -> Option<Key> {
        self.call(block).filter(|call| call.lasts()).map(Call::key)
    }

    fn content(&self, block: u64) -> KernelResult<Key> {
        self.call(block).ok_or_else(|| KernelError::new(format!("there is no call {block}")))?.content()
    }

    fn location(&self, block: u64) -> Option<&'static std::panic::Location<'static>> {
        self.call(block).map(Call::location)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::Collection;
    use crate::delayed::{Delayed, delayed};
    use crate::lower::LoweringOptions;

    fn tasks(roots: &[&Delayed<i64>]) -> usize {
        let mut lowering = Lowering::new(LoweringOptions::default());
        let edges: Vec<Edge> = roots.iter().flat_map(|root| root.lower(&mut lowering).unwrap()).collect();
        let graph = lowering.finish(edges);
        assert!(talatat_graph::check(&graph).is_ok());
        graph.len()
    }

    /// What one graph notes on a call must not lead another astray.
    #[test]
    fn calls_in_several_graphs() {
        let (inc, add) = (delayed(|x: i64| x + 1), delayed(|a: i64, b: i64| a + b));
        let calls: Vec<Delayed<i64>> = (0..4_i64).map(|x| inc.call(x)).collect();
        let sum = |a: usize, b: usize| add.call((calls[a].clone(), calls[b].clone()));
        let (first, second, third) = (sum(0, 1), sum(3, 2), sum(0, 3));
        for _ in 0..3 {
            assert_eq!(tasks(&[&first]), 3);
            assert_eq!(tasks(&[&second, &first]), 6);
            assert_eq!(tasks(&[&third]), 3);
            assert_eq!(tasks(&[&third, &first, &second, &first]), 7);
        }
    }

    /// Calls that were written twice are found by their keys, with all that is below them.
    #[test]
    fn equal_calls_are_one_task() {
        fn tower(height: usize) -> Delayed<i64> {
            let double = delayed(|a: i64, b: i64| a + b);
            (0..height).fold(delayed(|| 1_i64).call(()), |x, _| double.call((x.clone(), x)))
        }
        let (one, other) = (tower(40), tower(40));
        assert_eq!(tasks(&[&one]), 41);
        assert_eq!(tasks(&[&other, &one]), 41);
    }
}
