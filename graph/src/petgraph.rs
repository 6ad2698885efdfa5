//! petgraph's visit traits on [`TaskGraph`](crate::TaskGraph): its algorithms and its `Dot` work on task graphs.
//!
//! Edges point as the data flows: from the task that makes a value to the one that reads it.

use std::ops::Range;

use petgraph::Direction;
use petgraph::visit::{
    Data, EdgeCount, EdgeRef, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges, IntoNeighbors,
    IntoNeighborsDirected, IntoNodeIdentifiers, IntoNodeReferences, NodeCompactIndexable, NodeCount, NodeIndexable,
    NodeRef, VisitMap, Visitable,
};
use petgraph::{Directed, EdgeType};

use crate::graph::{Edge, Successors, TaskGraph};
use crate::layer::Layer;
use crate::task::TaskId;

/// A task graph with its readers, as petgraph sees it.
///
/// ```
/// use talatat_graph::{GraphView, testing::tree_graph};
/// let graph = tree_graph(8, 8);
/// let view = GraphView::new(&graph);
/// assert!(!petgraph::algo::is_cyclic_directed(&view));
/// assert_eq!(petgraph::algo::toposort(&view, None).unwrap().len(), 9);
/// ```
pub struct GraphView<'g> {
    graph: &'g TaskGraph,
    successors: Successors,
}

impl<'g> GraphView<'g> {
    /// A view of a graph; finds the readers of every task. O(tasks + edges).
    pub fn new(graph: &'g TaskGraph) -> Self {
        GraphView { graph, successors: graph.successors() }
    }
}

impl GraphBase for GraphView<'_> {
    type NodeId = TaskId;
    type EdgeId = (TaskId, u32);
}

impl Data for GraphView<'_> {
    type NodeWeight = Layer;
    type EdgeWeight = Edge;
}

impl GraphProp for GraphView<'_> {
    type EdgeType = Directed;

    fn is_directed(&self) -> bool {
        Directed::is_directed()
    }
}

impl NodeCount for GraphView<'_> {
    fn node_count(&self) -> usize {
        self.graph.len()
    }
}

impl EdgeCount for GraphView<'_> {
    fn edge_count(&self) -> usize {
        self.graph.edge_count()
    }
}

impl NodeIndexable for GraphView<'_> {
    fn node_bound(&self) -> usize {
        self.graph.len()
    }

    fn to_index(&self, task: TaskId) -> usize {
        task.index()
    }

    fn from_index(&self, index: usize) -> TaskId {
        TaskId(index as u32)
    }
}

impl NodeCompactIndexable for GraphView<'_> {}

/// Which tasks a walk has seen.
#[derive(Clone, Debug, Default)]
pub struct Visited(Vec<bool>);

impl VisitMap<TaskId> for Visited {
    fn visit(&mut self, task: TaskId) -> bool {
        !std::mem::replace(&mut self.0[task.index()], true)
    }

    fn is_visited(&self, task: &TaskId) -> bool {
        self.0[task.index()]
    }

    fn unvisit(&mut self, task: TaskId) -> bool {
        std::mem::replace(&mut self.0[task.index()], false)
    }
}

impl Visitable for GraphView<'_> {
    type Map = Visited;

    fn visit_map(&self) -> Visited {
        Visited(vec![false; self.graph.len()])
    }

    fn reset_map(&self, map: &mut Visited) {
        *map = self.visit_map();
    }
}

impl IntoNodeIdentifiers for &GraphView<'_> {
    type NodeIdentifiers = std::iter::Map<Range<u32>, fn(u32) -> TaskId>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        (0..self.graph.len() as u32).map(TaskId)
    }
}

/// A task with its layer, as petgraph hands it out.
#[derive(Clone, Copy)]
pub struct TaskRef<'a> {
    task: TaskId,
    layer: &'a Layer,
}

impl NodeRef for TaskRef<'_> {
    type NodeId = TaskId;
    type Weight = Layer;

    fn id(&self) -> TaskId {
        self.task
    }

    fn weight(&self) -> &Layer {
        self.layer
    }
}

/// The tasks of a graph with their layers.
pub struct TaskRefs<'a> {
    graph: &'a TaskGraph,
    numbers: Range<u32>,
}

impl<'a> Iterator for TaskRefs<'a> {
    type Item = TaskRef<'a>;

    fn next(&mut self) -> Option<TaskRef<'a>> {
        let task = TaskId(self.numbers.next()?);
        Some(TaskRef { task, layer: self.graph.layer(task) })
    }
}

impl<'a> IntoNodeReferences for &'a GraphView<'_> {
    type NodeRef = TaskRef<'a>;
    type NodeReferences = TaskRefs<'a>;

    fn node_references(self) -> TaskRefs<'a> {
        TaskRefs { graph: self.graph, numbers: 0..self.graph.len() as u32 }
    }
}

/// An edge between two tasks, as petgraph hands it out. Its id is the reader and the position among the reader's inputs.
#[derive(Clone, Copy)]
pub struct ReadRef<'a> {
    reader: TaskId,
    position: u32,
    edge: &'a Edge,
}

impl EdgeRef for ReadRef<'_> {
    type NodeId = TaskId;
    type EdgeId = (TaskId, u32);
    type Weight = Edge;

    fn source(&self) -> TaskId {
        self.edge.task
    }

    fn target(&self) -> TaskId {
        self.reader
    }

    fn weight(&self) -> &Edge {
        self.edge
    }

    fn id(&self) -> (TaskId, u32) {
        (self.reader, self.position)
    }
}

type Reads<'a> = Box<dyn Iterator<Item = ReadRef<'a>> + 'a>;

fn reads_of(graph: &TaskGraph, reader: TaskId) -> impl Iterator<Item = ReadRef<'_>> {
    let edges = graph.inputs(reader).iter().enumerate();
    edges.map(move |(position, edge)| ReadRef { reader, position: position as u32, edge })
}

impl<'a> IntoEdgeReferences for &'a GraphView<'_> {
    type EdgeRef = ReadRef<'a>;
    type EdgeReferences = Reads<'a>;

    fn edge_references(self) -> Reads<'a> {
        Box::new(self.graph.tasks().flat_map(|task| reads_of(self.graph, task)))
    }
}

impl<'a> IntoNeighbors for &'a GraphView<'_> {
    type Neighbors = Box<dyn Iterator<Item = TaskId> + 'a>;

    fn neighbors(self, task: TaskId) -> Self::Neighbors {
        self.neighbors_directed(task, Direction::Outgoing)
    }
}

impl<'a> IntoNeighborsDirected for &'a GraphView<'_> {
    type NeighborsDirected = Box<dyn Iterator<Item = TaskId> + 'a>;

    fn neighbors_directed(self, task: TaskId, direction: Direction) -> Self::NeighborsDirected {
        match direction {
            Direction::Outgoing => Box::new(self.successors.of(task).iter().copied()),
            Direction::Incoming => Box::new(self.graph.inputs(task).iter().map(|edge| edge.task)),
        }
    }
}

impl<'a> IntoEdges for &'a GraphView<'_> {
    type Edges = Reads<'a>;

    fn edges(self, task: TaskId) -> Reads<'a> {
        let mut readers = self.successors.of(task).to_vec();
        readers.dedup();
        let reads = readers.into_iter().flat_map(|reader| reads_of(self.graph, reader));
        Box::new(reads.filter(move |read| read.edge.task == task))
    }
}
