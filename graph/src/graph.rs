//! The task graph: layers of tasks in compressed adjacency.

use std::panic::Location;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::after::After;
use crate::error::{Error, Result};
use crate::futures::Need;
use crate::key::Key;
use crate::task::{Kernel, TaskId};

/// The number of a layer in its graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LayerId(pub u32);

/// An input of a task: another task's result, or one part of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Edge {
    /// The task that makes the value.
    pub task: TaskId,
    part: u32,
}

impl Edge {
    const WHOLE: u32 = u32::MAX;

    /// The whole result of a task.
    #[inline]
    pub fn whole(task: TaskId) -> Edge {
        Edge { task, part: Edge::WHOLE }
    }

    /// One part of the result of a task with several outputs.
    #[inline]
    pub fn part_of(task: TaskId, part: u32) -> Edge {
        Edge { task, part }
    }

    /// The part's number, or `None` for the whole result.
    #[inline]
    pub fn part(self) -> Option<u32> {
        (self.part != Edge::WHOLE).then_some(self.part)
    }

    #[inline]
    pub(crate) fn with_task(self, task: TaskId) -> Edge {
        Edge { task, ..self }
    }
}

impl From<TaskId> for Edge {
    fn from(task: TaskId) -> Edge {
        Edge::whole(task)
    }
}

/// Tasks that share one kernel and one set of parameters.
#[derive(Clone)]
pub struct Layer {
    /// The hash of what the layer computes; equal keys compute equal blocks.
    pub key: Key,
    /// What every task of the layer runs.
    pub kernel: Arc<dyn Kernel>,
    /// Bytes that one task needs beside its inputs and its output.
    pub scratch: u64,
    /// The same as a share of the bytes of a task's inputs, as large as they turn out: added to `scratch`.
    pub scratch_share: f32,
    /// Where the user asked for it.
    pub location: Option<&'static Location<'static>>,
    /// Annotations: when tasks may start, and what they take beside a thread. They change no result.
    pub need: Option<Arc<Need>>,
    /// Whether a task is known to be so short that waking another thread for it does not pay.
    pub tiny: bool,
    /// Whether results are views of memory that is there anyway, before the run and after it: they do not count.
    pub borrowed: bool,
    /// Whether the bytes of results are guesses: a plan is not refused for them, and they are corrected while it runs.
    pub estimated: bool,
    /// Whether a task without inputs reads its result from a disk: when memory is short, the result is not written but read there again.
    pub again: bool,
}

impl Layer {
    /// A layer without scratch memory.
    pub fn new(key: Key, kernel: Arc<dyn Kernel>) -> Layer {
        Layer {
            key,
            kernel,
            scratch: 0,
            scratch_share: 0.0,
            location: None,
            tiny: false,
            borrowed: false,
            need: None,
            estimated: false,
            again: false,
        }
    }

    /// Sets where the user asked for the layer.
    pub fn at(mut self, location: &'static Location<'static>) -> Layer {
        self.location = Some(location);
        self
    }

    /// Sets the bytes that one task needs beside its inputs and its output.
    pub fn scratch(mut self, bytes: u64) -> Layer {
        self.scratch = bytes;
        self
    }

    /// Sets what one task needs beside its inputs and its output as a share of its inputs' bytes: for kernels whose tables and copies grow with
    /// what they read, where how much that is may be a guess.
    pub fn scratch_of_inputs(mut self, share: f32) -> Layer {
        self.scratch_share = share;
        self
    }

    /// Scratch memory for reading a result again that was dropped.
    pub(crate) fn scratch_again(&self) -> u64 {
        if self.again { self.scratch } else { 0 }
    }

    /// Scratch memory of a task that reads so many bytes.
    pub(crate) fn scratch_for(&self, inputs: u64) -> u64 {
        self.scratch.saturating_add((inputs as f64 * f64::from(self.scratch_share)) as u64)
    }

    /// Annotates the tasks.
    pub fn needs(mut self, need: Option<Arc<Need>>) -> Layer {
        self.need = need;
        self
    }

    /// Says that results are views of memory that is there anyway.
    pub fn borrowed(mut self, borrowed: bool) -> Layer {
        self.borrowed = borrowed;
        self
    }

    /// Says that tasks read their results from a disk, and will find the same there as long as the graph runs: what has to leave memory is
    /// dropped and read again, which costs no more than reading back what was spilled. For tasks without inputs.
    pub fn again(mut self, again: bool) -> Layer {
        self.again = again;
        self
    }

    /// Says that tasks are so short that waking another thread for them does not pay.
    pub fn tiny(mut self, tiny: bool) -> Layer {
        self.tiny = tiny;
        self
    }
}

/// A graph of tasks. Inputs always have smaller numbers than the tasks that read them, so the numbering is a
/// topological order and a cycle cannot be written down.
///
/// Memory: 12 bytes a task (a layer, a block number, an offset), 8 more if results have bytes, and 8 for each edge.
///
/// ```
/// use std::sync::Arc;
/// use talatat_graph::{Edge, GraphBuilder, Key, Layer, closure_kernel, Value};
///
/// let mut graph = GraphBuilder::new();
/// let one = graph.layer(Layer::new(Key::of("one", &[]), Arc::new(closure_kernel("one", |_, _| Ok(Value::I64(1))))));
/// let a = graph.task(one, 0, 8, &[])?;
/// let b = graph.task(one, 1, 8, &[Edge::whole(a)])?;
/// graph.output(Edge::whole(b));
/// let graph = graph.build();
/// assert_eq!(graph.len(), 2);
/// assert_eq!(graph.inputs(b), &[Edge::whole(a)]);
/// # Ok::<(), talatat_graph::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct TaskGraph {
    pub(crate) layers: Vec<Layer>,
    pub(crate) layer_of: Vec<u32>,
    pub(crate) block_of: Vec<u32>,
    /// Bytes of each result; empty while all of them are 0.
    pub(crate) bytes: Vec<u64>,
    /// `offsets[t]..offsets[t + 1]` are the task's edges; empty for an empty graph.
    pub(crate) offsets: Vec<u32>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) outputs: Vec<Edge>,
}

impl TaskGraph {
    /// How many tasks there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.layer_of.len()
    }

    /// Whether there are no tasks.
    pub fn is_empty(&self) -> bool {
        self.layer_of.is_empty()
    }

    /// How many edges there are.
    pub fn edge_count(&self) -> usize {
        self.edges.len()
    }

    /// All tasks, in order.
    pub fn tasks(&self) -> impl DoubleEndedIterator<Item = TaskId> + ExactSizeIterator + use<> {
        (0..self.len() as u32).map(TaskId)
    }

    /// The layers.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The number of a task's layer.
    #[inline]
    pub fn layer_id(&self, task: TaskId) -> LayerId {
        LayerId(self.layer_of[task.index()])
    }

    /// A task's layer.
    #[inline]
    pub fn layer(&self, task: TaskId) -> &Layer {
        &self.layers[self.layer_of[task.index()] as usize]
    }

    /// A task's block number within its layer.
    #[inline]
    pub fn block(&self, task: TaskId) -> u64 {
        self.block_of[task.index()] as u64
    }

    /// Bytes of a task's result, as its layer promised.
    #[inline]
    pub fn bytes(&self, task: TaskId) -> u64 {
        self.bytes.get(task.index()).copied().unwrap_or(0)
    }

    /// Bytes that must be free for a task to start: its result and its scratch memory, but for the share of what it reads.
    #[inline]
    pub fn need(&self, task: TaskId) -> u64 {
        self.bytes(task).saturating_add(self.layer(task).scratch)
    }

    /// Whether any task needs bytes.
    pub(crate) fn has_bytes(&self) -> bool {
        !self.bytes.is_empty() || self.layers.iter().any(|layer| layer.scratch > 0)
    }

    /// The key of a task's result.
    pub fn key(&self, task: TaskId) -> Key {
        self.layer(task).key.block(self.block(task))
    }

    /// Where the user asked for a task; of a fused one, for its last step that knows.
    pub fn location(&self, task: TaskId) -> Option<&'static Location<'static>> {
        let (layer, block) = (self.layer(task), self.block(task));
        let of_steps = || {
            let steps = layer.kernel.fused()?.steps(block);
            steps.filter_map(|step| step.layer.kernel.location(step.block).or(step.layer.location)).last()
        };
        layer.kernel.location(block).or_else(of_steps).or(layer.location)
    }

    /// What a task reads.
    #[inline]
    pub fn inputs(&self, task: TaskId) -> &[Edge] {
        let at = task.index();
        &self.edges[self.offsets[at] as usize..self.offsets[at + 1] as usize]
    }

    /// Calls `visit` for what a task reads, once for each even if it stands there twice.
    pub(crate) fn distinct_inputs(&self, task: TaskId, mut visit: impl FnMut(Edge)) {
        let inputs = self.inputs(task);
        if inputs.len() <= 16 {
            let distinct = inputs.iter().enumerate().filter(|&(at, edge)| !inputs[..at].contains(edge));
            distinct.for_each(|(_, &edge)| visit(edge));
        } else {
            inputs.iter().copied().collect::<HashSet<Edge>>().into_iter().for_each(visit);
        }
    }

    /// The results that are wanted, in the order they were asked for.
    pub fn outputs(&self) -> &[Edge] {
        &self.outputs
    }

    /// The same graph with other results wanted of it.
    ///
    /// # Errors
    /// If one of them is of a task that does not exist.
    pub fn with_outputs(&self, outputs: Vec<Edge>) -> Result<TaskGraph> {
        if let Some(edge) = outputs.iter().find(|edge| edge.task.index() >= self.len()) {
            return Err(Error::InvalidGraph(format!("there is no task {}, of which a result is wanted", edge.task.0)));
        }
        Ok(TaskGraph { outputs, ..self.clone() })
    }

    /// Who reads each task.
    pub fn successors(&self) -> Successors {
        let mut offsets = vec![0_u32; self.len() + 1];
        for edge in &self.edges {
            offsets[edge.task.index()] += 1;
        }
        let mut sum = 0;
        for offset in &mut offsets {
            sum += *offset;
            *offset = sum;
        }
        // Filling from the back leaves each list sorted and each offset at its list's start.
        let mut readers = vec![TaskId(0); self.edges.len()];
        for task in self.tasks().rev() {
            for edge in self.inputs(task).iter().rev() {
                let offset = &mut offsets[edge.task.index()];
                *offset -= 1;
                readers[*offset as usize] = task;
            }
        }
        Successors { offsets, readers }
    }
}

/// The readers of every task: one entry an edge.
#[derive(Clone, Default)]
pub struct Successors {
    offsets: Vec<u32>,
    readers: Vec<TaskId>,
}

impl Successors {
    /// The tasks that read `task`, in order; one that reads it twice stands there twice.
    #[inline]
    pub fn of(&self, task: TaskId) -> &[TaskId] {
        let at = task.index();
        &self.readers[self.offsets[at] as usize..self.offsets[at + 1] as usize]
    }
}

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
    /// their tasks that read nothing wait for `after`. They must be complete, and no task that was added since then may be of an earlier layer.
    /// O(tasks and edges since the mark).
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
            // What is there already has nothing to wait for.
            if start == end && layer.kernel.held(u64::from(block)).is_none() {
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
    /// If an input or the layer does not exist, or there are 2^32 tasks or edges.
    #[inline]
    pub fn task(&mut self, layer: LayerId, block: u32, bytes: u64, inputs: &[Edge]) -> Result<TaskId> {
        let graph = &mut self.graph;
        let number = graph.layer_of.len();
        if inputs.iter().any(|edge| edge.task.index() >= number) || layer.0 as usize >= graph.layers.len() {
            return Err(Error::InvalidGraph(format!(
                "task {number} reads a task or uses a layer that does not exist yet"
            )));
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
