//! How a graph is made: layers and tasks, inputs before readers.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::after::After;
use crate::error::{Error, Result};
use crate::graph::{Edge, TaskGraph};
use crate::key::Key;
use crate::layer::{Layer, LayerId};
use crate::task::{Kernel, TaskId};

/// A place in a graph that is being made.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    tasks: usize,
    layers: usize,
}

/// Builds a [`TaskGraph`], inputs before readers.
pub struct GraphBuilder {
    graph: TaskGraph,
    /// Whether layers that are added now have bytes that are guesses.
    estimated: bool,
}

impl Default for GraphBuilder {
    fn default() -> Self {
        GraphBuilder::new()
    }
}

impl GraphBuilder {
    /// An empty graph.
    pub fn new() -> Self {
        GraphBuilder { graph: TaskGraph { offsets: vec![0], ..TaskGraph::default() }, estimated: false }
    }

    /// Makes room for more tasks and edges.
    pub fn reserve(&mut self, tasks: usize, edges: usize) {
        let graph = &mut self.graph;
        graph.layer_of.reserve_exact(tasks);
        graph.block_of.reserve_exact(tasks);
        graph.offsets.reserve_exact(tasks);
        graph.edges.reserve_exact(edges);
    }

    /// Adds a layer.
    pub fn layer(&mut self, mut layer: Layer) -> LayerId {
        layer.estimated |= self.estimated;
        self.graph.layers.push(layer);
        LayerId(self.graph.layers.len() as u32 - 1)
    }

    /// Says whether the bytes of layers that are added from now on are guesses, and tells what was said before.
    pub fn estimating(&mut self, estimated: bool) -> bool {
        std::mem::replace(&mut self.estimated, estimated)
    }

    /// The place that the graph has come to: what is added from now on can be [set apart](GraphBuilder::set_apart).
    pub fn mark(&self) -> Mark {
        Mark { tasks: self.graph.len(), layers: self.graph.layers.len() }
    }

    /// Gives the layers that were added since a mark other keys, so that none of their tasks is taken for one that was there, and lets those of
    /// their tasks that read none of themselves wait for `after`. They must be complete, and no task that was added since then may be of an earlier
    /// layer. O(tasks and edges since the mark).
    ///
    /// # Errors
    /// If `after` was itself added since then, or there are 2^32 edges.
    pub fn set_apart(&mut self, mark: Mark, seed: Key, after: Option<Edge>) -> Result<()> {
        let graph = &mut self.graph;
        for layer in graph.layers.iter_mut().skip(mark.layers) {
            layer.key = layer.key.combine(seed.bits());
        }
        let Some(after) = after else { return Ok(()) };
        if after.task.index() >= mark.tasks {
            return Err(Error::InvalidGraph(format!("a task waits for task {}, which comes after it", after.task.0)));
        }
        let first = graph.offsets.get(mark.tasks).copied().unwrap_or(0) as usize;
        let edges = graph.edges.split_off(first);
        let ends = graph.offsets.split_off((mark.tasks + 1).min(graph.offsets.len()));
        // The layers of those that wait, by the layers that they had.
        let mut waiting: HashMap<u32, u32> = HashMap::new();
        let mut start = 0;
        for (task, end) in (mark.tasks..).zip(ends) {
            let end = end as usize - first;
            graph.edges.extend_from_slice(&edges[start..end]);
            let (id, block) = (graph.layer_of[task], graph.block_of[task]);
            let layer = &graph.layers[id as usize];
            let begins = edges[start..end].iter().all(|edge| edge.task.index() < mark.tasks);
            // What is there already has nothing to wait for.
            if begins && layer.kernel.held(u64::from(block)).is_none() {
                let next = graph.layers.len() as u32;
                let made = waiting.entry(id).or_insert(next);
                if *made == next {
                    let (key, kernel) = (layer.key.combine(seed.bits()), Arc::new(After(layer.kernel.clone())));
                    // It has an input now.
                    let layer = Layer { key, kernel, again: false, ..layer.clone() };
                    graph.layers.push(layer);
                }
                graph.layer_of[task] = *made;
                graph.edges.push(after);
            }
            if graph.edges.len() >= u32::MAX as usize {
                return Err(Error::InvalidGraph("more than 2^32 tasks or edges".into()));
            }
            graph.offsets.push(graph.edges.len() as u32);
            start = end;
        }
        Ok(())
    }

    /// Replaces the kernel of a layer: for kernels that are only complete when all tasks are known.
    pub fn set_kernel(&mut self, layer: LayerId, kernel: Arc<dyn Kernel>) {
        self.graph.layers[layer.0 as usize].kernel = kernel;
    }

    /// Adds a task and gives its number. `bytes` is the size of its result.
    ///
    /// # Errors
    /// If an input or the layer does not exist, a part's number is 2^24 or more, or there are 2^32 tasks or edges.
    #[inline]
    pub fn task(&mut self, layer: LayerId, block: u32, bytes: u64, inputs: &[Edge]) -> Result<TaskId> {
        let graph = &mut self.graph;
        let number = graph.layer_of.len();
        if inputs.iter().any(|edge| edge.task.index() >= number) || layer.0 as usize >= graph.layers.len() {
            return Err(Error::InvalidGraph(format!(
                "task {number} reads a task or uses a layer that does not exist yet"
            )));
        }
        if let Some(edge) = inputs.iter().find(|edge| edge.is_excessive()) {
            return Err(edge.excess());
        }
        if number >= u32::MAX as usize || graph.edges.len() + inputs.len() >= u32::MAX as usize {
            return Err(Error::InvalidGraph("more than 2^32 tasks or edges".into()));
        }
        graph.layer_of.push(layer.0);
        graph.block_of.push(block);
        if bytes > 0 || !graph.bytes.is_empty() {
            graph.bytes.resize(number, 0);
            graph.bytes.push(bytes);
        }
        graph.edges.extend_from_slice(inputs);
        graph.offsets.push(graph.edges.len() as u32);
        Ok(TaskId(number as u32))
    }

    /// Asks for a result.
    pub fn output(&mut self, edge: Edge) {
        self.graph.outputs.push(edge);
    }

    /// Which tasks these results need, those that make them included. O(tasks and edges).
    pub fn behind(&self, results: &[Edge]) -> Vec<bool> {
        let mut behind = vec![false; self.graph.len()];
        let mark = |behind: &mut Vec<bool>, edge: &Edge| {
            if let Some(mark) = behind.get_mut(edge.task.index()) {
                *mark = true;
            }
        };
        results.iter().for_each(|edge| mark(&mut behind, edge));
        // Inputs have smaller numbers: one sweep from the back sees every reader before its inputs.
        for task in self.graph.tasks().rev() {
            if behind.get(task.index()).is_some_and(|&behind| behind) {
                self.graph.inputs(task).iter().for_each(|edge| mark(&mut behind, edge));
            }
        }
        behind
    }

    /// The layer and the block number of a task.
    #[inline]
    pub fn place(&self, task: TaskId) -> (LayerId, u32) {
        (LayerId(self.graph.layer_of[task.index()]), self.graph.block_of[task.index()])
    }

    /// Bytes of a task's result, as it was added.
    pub fn bytes(&self, task: TaskId) -> u64 {
        self.graph.bytes(task)
    }

    /// How many tasks there are so far.
    pub fn len(&self) -> usize {
        self.graph.len()
    }

    /// Whether there are no tasks yet.
    pub fn is_empty(&self) -> bool {
        self.graph.is_empty()
    }

    /// The graph.
    pub fn build(self) -> TaskGraph {
        self.graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::closure_kernel;
    use crate::optimize::optimize;
    use crate::value::Value;

    #[test]
    fn what_is_not_there_is_refused() {
        let mut graph = GraphBuilder::new();
        let layer = Layer::new(Key::of("one", &[]), Arc::new(closure_kernel("one", |_, _| Ok(Value::I64(1)))));
        let layer = graph.layer(layer);
        let one = graph.task(layer, 0, 0, &[]).unwrap();
        assert!(graph.task(layer, 1, 0, &[Edge::whole(TaskId(5))]).is_err());
        assert!(graph.task(LayerId(1), 1, 0, &[]).is_err());
        for part in [1 << 24, u32::MAX] {
            let error = graph.task(layer, 1, 0, &[Edge::part_of(one, part)]).unwrap_err().to_string();
            assert!(error.contains("less than 2^24 parts"), "{error}");
        }
        for wanted in [Edge::whole(TaskId(1)), Edge::part_of(one, u32::MAX)] {
            let graph = graph.graph.clone().with_outputs(vec![one.into(), wanted]);
            assert!(graph.is_err());
        }
        graph.output(Edge::whole(TaskId(9)));
        let error = optimize(graph.build(), &[]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("there is no task 9"), "{error}");
    }

    #[test]
    fn what_results_need() {
        let mut graph = GraphBuilder::new();
        let layer = Layer::new(Key::of("one", &[]), Arc::new(closure_kernel("one", |_, _| Ok(Value::I64(1)))));
        let layer = graph.layer(layer);
        let a = graph.task(layer, 0, 0, &[]).unwrap();
        let b = graph.task(layer, 1, 0, &[]).unwrap();
        let c = graph.task(layer, 2, 0, &[a.into()]).unwrap();
        assert_eq!(graph.behind(&[c.into()]), [true, false, true]);
        assert_eq!(graph.behind(&[b.into(), Edge::whole(TaskId(9))]), [false, true, false]);
    }
}
