//! The task graph: layers of tasks in compressed adjacency.

use std::panic::Location;

use hashbrown::HashSet;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::layer::{Layer, LayerId};
use crate::task::TaskId;

/// An input of a task: another task's result, or one part of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Edge {
    /// The task that makes the value.
    pub task: TaskId,
    part: u32,
}

impl Edge {
    const WHOLE: u32 = u32::MAX;
    const MOST_PARTS: u32 = 1 << 24;

    /// The whole result of a task.
    #[inline]
    pub fn whole(task: TaskId) -> Edge {
        Edge { task, part: Edge::WHOLE }
    }

    /// One part of the result of a task with several outputs. (Graphs have no room for numbers of 2^24 or more, and say so.)
    #[inline]
    pub fn part_of(task: TaskId, part: u32) -> Edge {
        Edge { task, part: part.min(Edge::WHOLE - 1) }
    }

    /// Whether it names a part with a number that no graph has room for: books are kept on each part.
    #[inline]
    pub(crate) fn is_excessive(self) -> bool {
        self.part >= Edge::MOST_PARTS && self.part != Edge::WHOLE
    }

    /// The part's number, or `None` for the whole result.
    #[inline]
    pub fn part(self) -> Option<u32> {
        (self.part != Edge::WHOLE).then_some(self.part)
    }

    /// The error for that.
    #[cold]
    pub(crate) fn excess(self) -> Error {
        let (task, part) = (self.task.0, self.part);
        Error::InvalidGraph(format!("part {part} of task {task}: a result has less than 2^24 parts"))
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
        let graph = TaskGraph { outputs, ..self.clone() };
        graph.check_outputs()?;
        Ok(graph)
    }

    /// Whether there are tasks for all results that are wanted: the only thing that [`GraphBuilder`](crate::GraphBuilder) does not see to.
    ///
    /// # Errors
    /// If one of them is of a task that does not exist.
    pub fn check_outputs(&self) -> Result<()> {
        if let Some(edge) = self.outputs.iter().find(|edge| edge.task.index() >= self.len()) {
            let task = edge.task.0;
            return Err(Error::InvalidGraph(format!("there is no task {task}, of which a result is wanted")));
        }
        match self.outputs.iter().find(|edge| edge.is_excessive()) {
            Some(edge) => Err(edge.excess()),
            None => Ok(()),
        }
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
