//! Drops tasks that no output needs.

use crate::graph::{Edge, TaskGraph};
use crate::task::TaskId;

/// Keeps the tasks that an output reads, directly or not. O(tasks + edges); a graph without idle tasks is not copied.
pub fn cull(graph: TaskGraph) -> TaskGraph {
    let needed = needed(&graph);
    if needed.iter().all(|&needed| needed) {
        return graph;
    }
    let kept: Vec<TaskId> = graph.tasks().filter(|task| needed[task.index()]).collect();
    graph.select(&kept, |edge| edge)
}

/// Which tasks an output reads, directly or not.
pub(crate) fn needed(graph: &TaskGraph) -> Vec<bool> {
    let mut needed = vec![false; graph.len()];
    for output in graph.outputs() {
        needed[output.task.index()] = true;
    }
    // Inputs have smaller numbers, so one sweep from the back sees every reader before its inputs.
    for task in graph.tasks().rev() {
        if needed[task.index()] {
            for edge in graph.inputs(task) {
                needed[edge.task.index()] = true;
            }
        }
    }
    needed
}

impl TaskGraph {
    /// The graph of the given tasks, in the given order (inputs first), with their edges passed through `redirect`
    /// (old number to old number) and then renumbered.
    pub(crate) fn select(self, tasks: &[TaskId], redirect: impl Fn(Edge) -> Edge) -> TaskGraph {
        const GONE: u32 = u32::MAX;
        let mut number = vec![GONE; self.len()];
        for (new, old) in tasks.iter().enumerate() {
            number[old.index()] = new as u32;
        }
        let rename = |edge: &Edge| {
            let edge = redirect(*edge);
            debug_assert_ne!(number[edge.task.index()], GONE, "a pass dropped a task that is still read");
            edge.with_task(TaskId(number[edge.task.index()]))
        };
        let mut offsets = Vec::with_capacity(tasks.len() + 1);
        let mut edges = Vec::with_capacity(self.edges.len());
        offsets.push(0);
        for &task in tasks {
            edges.extend(self.inputs(task).iter().map(rename));
            offsets.push(edges.len() as u32);
        }
        TaskGraph {
            offsets,
            edges,
            outputs: self.outputs.iter().map(rename).collect(),
            layer_of: tasks.iter().map(|task| self.layer_of[task.index()]).collect(),
            block_of: tasks.iter().map(|task| self.block_of[task.index()]).collect(),
            bytes: if self.bytes.is_empty() {
                Vec::new()
            } else {
                tasks.iter().map(|task| self.bytes[task.index()]).collect()
            },
            layers: self.layers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::testing::{draw, graph_of};

    #[test]
    fn drops_what_no_output_needs() {
        let graph = graph_of(&[("read", &[]), ("read", &[]), ("add", &[0]), ("sum", &[2])], &[2]);
        insta::assert_snapshot!(draw(&graph), @"
        0 read/0
        1 read/1
        2 add/2 <- 0
        3 sum/3 <- 2
        outputs 2
        ");
        insta::assert_snapshot!(draw(&cull(graph)), @"
        0 read/0
        1 add/2 <- 0
        outputs 1
        ");
    }
}
