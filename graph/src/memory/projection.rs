//! The peak of a plan, known before it runs.

use crate::graph::TaskGraph;
use crate::task::TaskId;

/// Where a plan is projected to hold the most bytes when it runs in order, one task at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// Bytes of all live results, of the running task's result and of its scratch memory.
    pub bytes: u64,
    /// The task that runs at the peak.
    pub task: TaskId,
}

/// Simulates an order: results live from their task's start to the end of their last reader; outputs live on. O(tasks + edges).
pub fn project(graph: &TaskGraph, order: impl IntoIterator<Item = TaskId>) -> Peak {
    if graph.bytes.is_empty() && graph.layers.iter().all(|layer| layer.scratch == 0) {
        return Peak::default();
    }
    let mut readers = vec![0_u32; graph.len()];
    for edge in graph.edges.iter().chain(graph.outputs()) {
        readers[edge.task.index()] += 1;
    }
    let mut live = 0_u64;
    let mut peak = Peak::default();
    for task in order {
        let running = live.saturating_add(graph.need(task));
        if running > peak.bytes {
            peak = Peak { bytes: running, task };
        }
        live = live.saturating_add(graph.bytes(task));
        for edge in graph.inputs(task) {
            let left = &mut readers[edge.task.index()];
            *left -= 1;
            if *left == 0 {
                live -= graph.bytes(edge.task);
            }
        }
        if readers[task.index()] == 0 {
            live -= graph.bytes(task);
        }
    }
    peak
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::testing::graph_of;

    #[test]
    fn a_chain_holds_two() {
        // Each result is 1 byte: at any step the input and the output.
        let graph = graph_of(&[("read", &[]), ("add", &[0]), ("mul", &[1]), ("sum", &[2])], &[3]);
        assert_eq!(project(&graph, graph.tasks()), Peak { bytes: 2, task: TaskId(1) });
    }

    #[test]
    fn outputs_stay() {
        let graph = graph_of(&[("read", &[]), ("read", &[]), ("read", &[])], &[0, 1, 2]);
        assert_eq!(project(&graph, graph.tasks()), Peak { bytes: 3, task: TaskId(2) });
    }
}
