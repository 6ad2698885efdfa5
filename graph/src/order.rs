//! The static order of execution: depth first, the hungriest input first, and a reader as soon as it frees memory.

use smallvec::SmallVec;

use crate::graph::{Successors, TaskGraph};
use crate::task::TaskId;

/// An order of all tasks that keeps few bytes alive.
///
/// From each output the tasks are visited depth first. Among the inputs of a task the one goes first whose subtree
/// needs the most beyond what it leaves behind (Liu's rule for trees, "On optimal pebbling for expression trees", 1986).
/// When a task is placed, a reader whose inputs are then all there follows at once if it frees at least the
/// bytes it makes, and so do all readers of a block if each of them is ready and they make no more together than the block
/// has: on graphs that are not trees this is what lets a block go through all of its readers and die.
///
/// Complexity: O(tasks + edges log fan-in).
pub fn order(graph: &TaskGraph, successors: &Successors) -> Vec<TaskId> {
    let needs = needs(graph);
    let mut walk = Walk {
        graph,
        successors,
        waiting: graph.offsets.windows(2).map(|pair| pair[1] - pair[0]).collect(),
        readers: graph.tasks().map(|task| successors.of(task).len() as u32).collect(),
        unready: graph.tasks().map(|task| successors.of(task).len() as u32).collect(),
        placed: vec![false; graph.len()],
        order: Vec::with_capacity(graph.len()),
    };
    for output in graph.outputs() {
        walk.readers[output.task.index()] += 1;
    }
    let mut stack: Vec<(TaskId, bool)> = Vec::new();
    // Outputs first, then whatever no output needs (nothing, after culling).
    let roots = graph.outputs().iter().map(|edge| edge.task).chain(graph.tasks().rev());
    for root in roots {
        stack.push((root, false));
        while let Some((task, expanded)) = stack.pop() {
            if walk.placed[task.index()] {
                continue;
            }
            if expanded || walk.waiting[task.index()] == 0 {
                walk.place(task);
                continue;
            }
            stack.push((task, true));
            let mut inputs: SmallVec<[TaskId; 16]> = graph.inputs(task).iter().map(|edge| edge.task).collect();
            let surplus = |input: &TaskId| needs[input.index()].saturating_sub(graph.bytes(*input));
            // The stack reverses: the last one pushed is visited first.
            inputs.reverse();
            if inputs.windows(2).any(|pair| surplus(&pair[0]) > surplus(&pair[1])) {
                inputs.sort_by_key(surplus);
            }
            stack.extend(inputs.into_iter().map(|input| (input, false)));
        }
    }
    walk.order
}

/// Bytes that each task's subtree needs at its peak if it were a tree.
fn needs(graph: &TaskGraph) -> Vec<u64> {
    let mut needs = vec![0_u64; graph.len()];
    let mut inputs: Vec<(u64, u64)> = Vec::new();
    for task in graph.tasks() {
        inputs.clear();
        inputs.extend(graph.inputs(task).iter().map(|edge| (needs[edge.task.index()], graph.bytes(edge.task))));
        let surplus = |&(need, bytes): &(u64, u64)| std::cmp::Reverse(need.saturating_sub(bytes));
        if inputs.windows(2).any(|pair| surplus(&pair[0]) > surplus(&pair[1])) {
            inputs.sort_by_key(surplus);
        }
        let mut held = 0_u64;
        let mut peak = 0_u64;
        for &(need, bytes) in &inputs {
            peak = peak.max(held.saturating_add(need));
            held = held.saturating_add(bytes);
        }
        needs[task.index()] = peak.max(held.saturating_add(graph.need(task)));
    }
    needs
}

struct Walk<'g> {
    graph: &'g TaskGraph,
    successors: &'g Successors,
    waiting: Vec<u32>,
    /// Readers that are not placed, and whoever asked for the result.
    readers: Vec<u32>,
    /// Readers that still wait for another input.
    unready: Vec<u32>,
    placed: Vec<bool>,
    order: Vec<TaskId>,
}

impl Walk<'_> {
    /// Places a task whose inputs are placed, and then the readers that are ready and pay for themselves.
    fn place(&mut self, task: TaskId) {
        let mut pending: SmallVec<[TaskId; 8]> = SmallVec::from_slice(&[task]);
        while let Some(task) = pending.pop() {
            if std::mem::replace(&mut self.placed[task.index()], true) {
                continue;
            }
            self.order.push(task);
            for edge in self.graph.inputs(task) {
                self.readers[edge.task.index()] -= 1;
            }
            for &reader in self.successors.of(task).iter().rev() {
                let waiting = &mut self.waiting[reader.index()];
                *waiting -= 1;
                if *waiting > 0 {
                    continue;
                }
                if self.frees_enough(reader) {
                    pending.push(reader);
                }
                for edge in self.graph.inputs(reader) {
                    let unready = &mut self.unready[edge.task.index()];
                    *unready -= 1;
                    if *unready == 0 && self.all_free_enough(edge.task) {
                        let readers = self.successors.of(edge.task).iter().rev().copied();
                        pending.extend(readers.filter(|reader| !self.placed[reader.index()]));
                    }
                }
            }
        }
    }

    /// Whether all readers of a task together make no more bytes than it has, and nobody else holds it.
    fn all_free_enough(&self, task: TaskId) -> bool {
        let left = self.successors.of(task).iter().filter(|reader| !self.placed[reader.index()]);
        let (count, makes) = left
            .fold((0, 0_u64), |(count, makes), &reader| (count + 1, makes.saturating_add(self.graph.bytes(reader))));
        let frees = self.graph.bytes(task);
        frees > 0 && makes <= frees && count == self.readers[task.index()]
    }

    fn frees_enough(&self, reader: TaskId) -> bool {
        let makes = self.graph.bytes(reader);
        let mut frees = 0;
        for edge in self.graph.inputs(reader) {
            if self.readers[edge.task.index()] == 1 {
                frees += self.graph.bytes(edge.task);
            }
            if frees >= makes && frees > 0 {
                return true;
            }
        }
        frees >= makes && makes == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::testing::{random_graph, tree_graph};
    use crate::memory::projection::project;
    use crate::{Edge, GraphBuilder, Key, Layer, Value, closure_kernel};
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn inputs_come_before_readers(seed in 0_u64..10_000, tasks in 1_usize..80) {
            let graph = random_graph(seed, tasks);
            let order = order(&graph, &graph.successors());
            let mut position = vec![usize::MAX; graph.len()];
            for (at, task) in order.iter().enumerate() {
                position[task.index()] = at;
            }
            prop_assert_eq!(order.len(), graph.len());
            for task in graph.tasks() {
                for edge in graph.inputs(task) {
                    prop_assert!(position[edge.task.index()] < position[task.index()]);
                }
            }
        }
    }

    /// Two sums over the same blocks: each block is read by both before the next one is made.
    #[test]
    fn blocks_with_several_readers_go_through_all_of_them() {
        let mut graph = GraphBuilder::new();
        let kernel = || Arc::new(closure_kernel("k", |_, _| Ok(Value::Unit)));
        let layers: Vec<_> = ["block", "sum", "squares", "total"]
            .map(|name| graph.layer(Layer::new(Key::of(name, &[]), kernel())))
            .into();
        let blocks: Vec<Edge> = (0..50).map(|block| graph.task(layers[0], block, 1000, &[]).unwrap().into()).collect();
        for (number, layer) in layers[1..3].iter().enumerate() {
            let parts = blocks
                .iter()
                .enumerate()
                .map(|(block, &edge)| graph.task(*layer, block as u32, 1, &[edge]).unwrap().into());
            let parts: Vec<Edge> = parts.collect();
            let total = graph.task(layers[3], number as u32, 1, &parts).unwrap();
            graph.output(total.into());
        }
        let graph = graph.build();
        let order = order(&graph, &graph.successors());
        assert!(project(&graph, order).bytes < 1200);
    }

    #[test]
    fn a_tree_sum_keeps_a_path_alive() {
        // 4096 leaves of 1 byte summed 8 by 8: depth first needs 8 a level, breadth first would need 4096.
        let graph = tree_graph(4096, 8);
        let order = order(&graph, &graph.successors());
        assert!(project(&graph, order).bytes <= 4 * 8 + 1);
    }
}
