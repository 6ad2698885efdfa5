//! The peak of a plan, known before it runs.

use hashbrown::{HashMap, HashSet};

use crate::graph::{Edge, TaskGraph};
use crate::task::TaskId;

/// Where a plan is projected to hold the most bytes when it runs in order, one task at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// Bytes of all live results, of the running task's result and of its scratch memory.
    pub bytes: u64,
    /// The task that runs at the peak.
    pub task: TaskId,
}

/// How many parts the results have that are read in parts; each counts as an equal share of the bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartCounts(HashMap<TaskId, u32>);

impl PartCounts {
    pub(crate) fn new(graph: &TaskGraph) -> PartCounts {
        let mut counts = HashMap::new();
        for edge in graph.edges.iter().chain(graph.outputs()) {
            if let Some(part) = edge.part() {
                let count = counts.entry(edge.task).or_insert(0);
                *count = part.saturating_add(1).max(*count);
            }
        }
        PartCounts(counts)
    }

    pub(crate) fn count(&self, task: TaskId) -> Option<u32> {
        self.0.get(&task).copied()
    }

    pub(crate) fn has(&self, task: TaskId) -> bool {
        self.0.contains_key(&task)
    }

    /// Bytes of what an edge reads.
    pub(crate) fn bytes(&self, graph: &TaskGraph, edge: Edge) -> u64 {
        let bytes = graph.bytes(edge.task);
        match edge.part().and_then(|_| self.0.get(&edge.task)) {
            Some(&count) => bytes / u64::from(count),
            None => bytes,
        }
    }

    /// Bytes of all that a task reads.
    fn inputs(&self, graph: &TaskGraph, task: TaskId) -> u64 {
        let mut bytes = 0_u64;
        graph.distinct_inputs(task, |edge| bytes = bytes.saturating_add(self.bytes(graph, edge)));
        bytes
    }

    /// Bytes of a task's result and of its scratch memory.
    pub(crate) fn need(&self, graph: &TaskGraph, task: TaskId) -> u64 {
        let layer = graph.layer(task);
        let reads = if layer.scratch_share > 0.0 { self.inputs(graph, task) } else { 0 };
        graph.bytes(task).saturating_add(layer.scratch_for(reads))
    }

    /// Bytes that a task needs at once: its inputs, its result, its scratch memory, and what it takes to read inputs again, one at a time.
    pub(crate) fn working_set(&self, graph: &TaskGraph, task: TaskId) -> u64 {
        let mut again = 0;
        graph.distinct_inputs(task, |edge| again = graph.layer(edge.task).scratch_again().max(again));
        self.need(graph, task).saturating_add(self.inputs(graph, task)).saturating_add(again)
    }

    /// Bytes of all outputs, each counted once.
    pub(crate) fn output_bytes(&self, graph: &TaskGraph) -> u64 {
        let distinct: HashSet<Edge> = graph.outputs().iter().copied().collect();
        distinct.iter().fold(0, |bytes, &edge| bytes.saturating_add(self.bytes(graph, edge)))
    }

    /// The most that one task needs at once, of the tasks that `count`.
    pub(crate) fn largest_working_set(&self, graph: &TaskGraph, count: impl Fn(TaskId) -> bool) -> Peak {
        let sets =
            graph.tasks().filter(|&task| count(task)).map(|task| Peak { bytes: self.working_set(graph, task), task });
        sets.max_by_key(|peak| (peak.bytes, std::cmp::Reverse(peak.task))).unwrap_or_default()
    }
}

/// Simulates an order: results live from their task's start to the end of their last reader, parts until their own; outputs live on.
/// O(tasks + edges).
pub fn project(graph: &TaskGraph, order: impl IntoIterator<Item = TaskId>) -> Peak {
    if !graph.has_bytes() {
        return Peak::default();
    }
    project_parts(graph, &PartCounts::new(graph), order)
}

pub(crate) fn project_parts(graph: &TaskGraph, parts: &PartCounts, order: impl IntoIterator<Item = TaskId>) -> Peak {
    let mut readers = vec![0_u32; graph.len()];
    // Readers and bytes of each part of those results that are read in parts.
    let mut of_parts: HashMap<TaskId, Vec<(u32, u64)>> = HashMap::with_capacity(parts.0.len());
    for (&task, &count) in &parts.0 {
        let share = graph.bytes(task) / u64::from(count);
        of_parts.insert(task, vec![(0, share); count as usize]);
    }
    let mut count = |edge: &Edge| {
        readers[edge.task.index()] += 1;
        if let Some(parts) = of_parts.get_mut(&edge.task) {
            match edge.part() {
                Some(part) => parts[part as usize].0 += 1,
                None => parts.iter_mut().for_each(|part| part.0 += 1),
            }
        }
    };
    graph.edges.iter().chain(graph.outputs()).for_each(&mut count);
    let mut live = 0_u64;
    let mut peak = Peak::default();
    for task in order {
        let running = live.saturating_add(parts.need(graph, task));
        if running > peak.bytes {
            peak = Peak { bytes: running, task };
        }
        if readers[task.index()] > 0 {
            live = live.saturating_add(match of_parts.get_mut(&task) {
                // Parts that nobody reads die at once.
                Some(parts) => {
                    parts.iter_mut().filter(|part| part.0 == 0).for_each(|part| part.1 = 0);
                    parts.iter().map(|part| part.1).sum()
                }
                None => graph.bytes(task),
            });
        }
        for edge in graph.inputs(task) {
            let left = &mut readers[edge.task.index()];
            *left -= 1;
            let last = *left == 0;
            match of_parts.get_mut(&edge.task) {
                Some(parts) => {
                    let read = edge.part().map_or(0..parts.len(), |part| part as usize..part as usize + 1);
                    for part in &mut parts[read] {
                        part.0 -= 1;
                        if part.0 == 0 {
                            live -= std::mem::take(&mut part.1);
                        }
                    }
                }
                None if last => live -= graph.bytes(edge.task),
                None => {}
            }
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
