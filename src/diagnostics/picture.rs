//! What a drawing of a graph shows: each task while there are few, else each layer, else each operation.

use std::collections::BTreeMap;

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{EdgeRef, IntoEdgeReferences, IntoNodeReferences, NodeRef};
use talatat_graph::{GraphView, TaskGraph, TaskId, format_bytes};

/// The most boxes of a picture: more could not be read, and would be slow to lay out.
const BOXES: usize = 400;
/// The most arrows.
const ARROWS: usize = 2000;

/// A box.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Box {
    /// What it computes.
    pub title: String,
    /// How much of it.
    pub detail: String,
    /// Boxes of one layer have one number.
    pub colour: usize,
    /// How many steps it is away from a source.
    pub rank: u32,
    /// Whether it is a result that was asked for.
    pub output: bool,
    /// The first of its tasks in the graph's order.
    pub order: usize,
    /// Bytes of its results.
    pub bytes: u64,
    /// Nanoseconds that it is expected to take, if that is known.
    pub time: Option<f64>,
    /// Where the user called it.
    pub place: Option<String>,
}

/// An arrow, from what is made to who reads it; the text may be empty.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrow(pub String);

pub(super) type Picture = DiGraph<Box, Arrow>;

/// The picture of a graph; `times` are those of its tasks in nanoseconds, or nothing. O(tasks + edges log edges).
pub(super) fn picture(graph: &TaskGraph, times: &[f64]) -> Picture {
    if graph.len() <= BOXES && graph.edge_count() <= ARROWS {
        return of_tasks(graph, times);
    }
    let layers: Vec<usize> = graph.tasks().map(|task| graph.layer_id(task).0 as usize).collect();
    let by_layer = of_groups(graph, &layers, times);
    if by_layer.node_count() <= BOXES && by_layer.edge_count() <= ARROWS {
        return by_layer;
    }
    let mut names = BTreeMap::new();
    let operation_of: Vec<usize> = (graph.layers().iter())
        .map(|layer| {
            let count = names.len();
            *names.entry(layer.kernel.describe()).or_insert(count)
        })
        .collect();
    let operations: Vec<usize> = layers.iter().map(|&layer| operation_of[layer]).collect();
    shortened(of_groups(graph, &operations, times))
}

fn of_tasks(graph: &TaskGraph, times: &[f64]) -> Picture {
    let view = GraphView::new(graph);
    let (depth, output) = (depths(graph), outputs(graph));
    let mut picture = Picture::with_capacity(graph.len(), graph.edge_count());
    for node in view.node_references() {
        let task = node.id();
        picture.add_node(Box {
            title: format!("{}/{}", node.weight().kernel.describe(), graph.block(task)),
            detail: Some(graph.bytes(task)).filter(|&bytes| bytes > 0).map_or_else(String::new, format_bytes),
            colour: graph.layer_id(task).0 as usize,
            rank: depth[task.index()],
            output: output[task.index()],
            order: task.index(),
            bytes: graph.bytes(task),
            time: times.get(task.index()).copied(),
            place: place(graph, task),
        });
    }
    for edge in view.edge_references() {
        let part = edge.weight().part().map_or_else(String::new, |part| format!("part {part}"));
        picture.add_edge(index(edge.source()), index(edge.target()), Arrow(part));
    }
    picture
}

/// A box for each group of tasks; `group_of` gives a task's group.
fn of_groups(graph: &TaskGraph, group_of: &[usize], times: &[f64]) -> Picture {
    let (depth, output) = (depths(graph), outputs(graph));
    let mut picture = Picture::new();
    let mut boxes: BTreeMap<usize, (NodeIndex, usize, u64)> = BTreeMap::new();
    let mut arrows: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for task in graph.tasks() {
        let group = group_of[task.index()];
        let rank = depth[task.index()];
        let (node, tasks, bytes) = boxes.entry(group).or_insert_with(|| {
            let title = graph.layer(task).kernel.describe();
            let (order, place) = (task.index(), place(graph, task));
            let node = Box { title, colour: group, rank, order, place, ..Box::default() };
            (picture.add_node(node), 0, 0)
        });
        *tasks += 1;
        *bytes += graph.bytes(task);
        if let Some(node) = picture.node_weight_mut(*node) {
            node.rank = node.rank.min(rank);
            node.output |= output[task.index()];
            if let Some(time) = times.get(task.index()) {
                *node.time.get_or_insert(0.0) += time;
            }
        }
        for edge in graph.inputs(task) {
            *arrows.entry((group_of[edge.task.index()], group)).or_default() += 1;
        }
    }
    for (node, tasks, bytes) in boxes.values() {
        if let Some(node) = picture.node_weight_mut(*node) {
            let s = if *tasks == 1 { "" } else { "s" };
            node.detail = format!("{tasks} task{s}");
            node.bytes = *bytes;
            if *bytes > 0 {
                node.detail += &format!(", {}", format_bytes(*bytes));
            }
        }
    }
    for ((from, to), count) in arrows {
        if let (Some(from), Some(to)) = (boxes.get(&from), boxes.get(&to)) {
            picture.add_edge(from.0, to.0, Arrow(if count == 1 { String::new() } else { format!("{count} edges") }));
        }
    }
    picture
}

/// A picture with no more boxes and arrows than can be drawn; one last box says what is missing.
fn shortened(picture: Picture) -> Picture {
    let (boxes, arrows) = (picture.node_count(), picture.edge_count());
    if boxes <= BOXES && arrows <= ARROWS {
        return picture;
    }
    let mut left = 0;
    let mut short = picture.filter_map(
        |node, weight| (node.index() < BOXES).then(|| weight.clone()),
        |_, weight| {
            left += 1;
            (left <= ARROWS).then(|| weight.clone())
        },
    );
    let missing = (boxes.saturating_sub(short.node_count()), arrows.saturating_sub(short.edge_count()));
    let title = format!("{} more operations and {} more edges are not drawn", missing.0, missing.1);
    short.add_node(Box { title, ..Box::default() });
    short
}

/// How many steps each task is away from a source.
fn depths(graph: &TaskGraph) -> Vec<u32> {
    let mut depths: Vec<u32> = Vec::with_capacity(graph.len());
    for task in graph.tasks() {
        let inputs = graph.inputs(task).iter().map(|edge| depths[edge.task.index()] + 1);
        depths.push(inputs.max().unwrap_or(0));
    }
    depths
}

fn outputs(graph: &TaskGraph) -> Vec<bool> {
    let mut wanted = vec![false; graph.len()];
    graph.outputs().iter().for_each(|edge| wanted[edge.task.index()] = true);
    wanted
}

fn place(graph: &TaskGraph, task: TaskId) -> Option<String> {
    graph.location(task).map(|place| format!("{}:{}", place.file(), place.line()))
}

fn index(task: TaskId) -> NodeIndex {
    NodeIndex::new(task.index())
}

#[cfg(test)]
mod tests {
    use super::*;
    use talatat_graph::testing::{graph_of, tree_graph};

    #[test]
    fn small_graphs_are_drawn_by_task() {
        let picture = picture(&tree_graph(4, 2), &[]);
        assert_eq!(picture.node_count(), 7);
        assert_eq!(picture.edge_count(), 6);
        assert_eq!(picture.node_weights().map(|node| node.rank).max(), Some(2));
        assert_eq!(picture.node_weights().filter(|node| node.output).count(), 1);
    }

    #[test]
    fn large_graphs_are_drawn_by_layer() {
        let picture = picture(&tree_graph(10_000, 8), &[]);
        let boxes: Vec<&str> = picture.node_weights().map(|node| node.detail.as_str()).collect();
        assert_eq!(boxes, ["10000 tasks, 9.8 KiB", "1431 tasks, 1.4 KiB"]);
        let arrows: Vec<&str> = picture.edge_weights().map(|arrow| arrow.0.as_str()).collect();
        assert_eq!(arrows, ["10000 edges", "1430 edges"]);
    }

    #[test]
    fn many_layers_are_drawn_by_operation() {
        let tasks: Vec<(&str, &[u32])> =
            (0..1000).map(|number| (if number % 2 == 0 { "a" } else { "b" }, &[] as &[u32])).collect();
        let picture = picture(&graph_of(&tasks, &[999]), &[]);
        assert_eq!(picture.node_count(), 2);
    }

    #[test]
    fn what_is_too_much_is_left_out_and_counted() {
        let names: Vec<String> = (0..1000).map(|number| format!("operation {number}")).collect();
        let tasks: Vec<(&str, &[u32])> = names.iter().map(|name| (name.as_str(), &[] as &[u32])).collect();
        let picture = picture(&graph_of(&tasks, &[0]), &[]);
        assert_eq!(picture.node_count(), BOXES + 1);
        assert!(picture.node_weights().any(|node| node.title.starts_with("600 more operations")));
    }
}
