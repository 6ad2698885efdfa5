//! Computes equal tasks once.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::graph::{Edge, TaskGraph};
use crate::key::Key;
use crate::task::TaskId;

/// Merges tasks with the same key: the same block of layers that are named alike. Inputs need no comparison,
/// a layer's key hashes them. O(layers) when all layers have keys of their own, else O(tasks + edges).
pub fn dedupe(graph: TaskGraph) -> TaskGraph {
    let mut seen: HashMap<Key, usize> = HashMap::with_capacity(graph.layers.len());
    let mut twin = false;
    for layer in &graph.layers {
        let count = seen.entry(layer.key).or_insert(0);
        *count += 1;
        twin |= *count > 1;
    }
    if !twin {
        return graph;
    }
    let mut first: HashMap<(Key, u32), TaskId> = HashMap::new();
    let mut stands_for: Vec<TaskId> = graph.tasks().collect();
    let mut kept = Vec::with_capacity(graph.len());
    for task in graph.tasks() {
        let key = graph.layer(task).key;
        if seen[&key] > 1 {
            match first.entry((key, graph.block_of[task.index()])) {
                Entry::Occupied(entry) => {
                    stands_for[task.index()] = *entry.get();
                    continue;
                }
                Entry::Vacant(entry) => {
                    entry.insert(task);
                }
            }
        }
        kept.push(task);
    }
    if kept.len() == graph.len() {
        return graph;
    }
    graph.select(&kept, |edge: Edge| edge.with_task(stands_for[edge.task.index()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::GraphBuilder;
    use crate::executor::testing::{draw, sum_kernel};
    use crate::layer::Layer;
    use std::sync::Arc;

    #[test]
    fn equal_layers_are_computed_once() {
        let mut graph = GraphBuilder::new();
        let mut ends = Vec::new();
        for _ in 0..2 {
            let read = graph.layer(Layer::new(Key::of("read", &[]), Arc::new(sum_kernel("read"))));
            let add = graph.layer(Layer::new(Key::of("add", &[]), Arc::new(sum_kernel("add"))));
            let a = graph.task(read, 0, 1, &[]).unwrap();
            ends.push(graph.task(add, 0, 1, &[a.into()]).unwrap());
        }
        let both = graph.layer(Layer::new(Key::of("both", &[]), Arc::new(sum_kernel("both"))));
        let last = graph.task(both, 0, 1, &[ends[0].into(), ends[1].into()]).unwrap();
        graph.output(last.into());
        let graph = graph.build();
        insta::assert_snapshot!(draw(&graph), @"
        0 read/0
        1 add/0 <- 0
        2 read/0
        3 add/0 <- 2
        4 both/0 <- 1 3
        outputs 4
        ");
        insta::assert_snapshot!(draw(&dedupe(graph)), @"
        0 read/0
        1 add/0 <- 0
        2 both/0 <- 1 1
        outputs 2
        ");
    }
}
