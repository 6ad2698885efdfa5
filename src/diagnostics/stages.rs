//! A graph as it stands between two passes, in sums: what a pass took away and what it put there.

use std::collections::HashMap;
use std::fmt;

use talatat_graph::{StorageBytes, TaskGraph};

/// Operations of a stage, or of the difference of two, that are written out; the others are counted.
const LISTED: usize = 20;

/// A graph as it stands before the first or after one of the passes: see [`Explained::stages`](super::Explained::stages).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stage {
    /// The pass that has run last; `lowered` before the first one.
    pub pass: &'static str,
    /// How many tasks there are.
    pub tasks: usize,
    /// How many edges.
    pub edges: usize,
    /// How many tasks run each operation, in order of first use.
    pub operations: Vec<(String, usize)>,
    /// Whether the tasks are numbered otherwise than before.
    pub reordered: bool,
}

/// What is noted of a graph while it is planned.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    pub(crate) stages: Vec<Stage>,
    /// What is read from files and stores, and written there.
    pub(crate) storage: StorageBytes,
    layers: Vec<u32>,
}

impl Stages {
    /// Notes the graph as it is when a pass has run. O(tasks + edges).
    pub(crate) fn note(&mut self, pass: &'static str, graph: &TaskGraph) {
        let layers: Vec<u32> = graph.tasks().map(|task| graph.layer_id(task).0).collect();
        let mut order: Vec<u32> = Vec::new();
        let mut counts = vec![0_usize; graph.layers().len()];
        for &layer in &layers {
            if let Some(count) = counts.get_mut(layer as usize) {
                if *count == 0 {
                    order.push(layer);
                }
                *count += 1;
            }
        }
        let mut operations: Vec<(String, usize)> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        for layer in order {
            let (name, count) =
                (graph.layers()[layer as usize].kernel.describe(), counts.get(layer as usize).copied().unwrap_or(0));
            let at = *index.entry(name.clone()).or_insert_with(|| {
                operations.push((name, 0));
                operations.len() - 1
            });
            if let Some((_, known)) = operations.get_mut(at) {
                *known += count;
            }
        }
        // Fused tasks do not know what goes from step to step: the last graph without them knows most.
        if !graph.layers().iter().any(|layer| layer.kernel.fused().is_some()) {
            self.storage = graph.storage();
        }
        let reordered = pass == "order" && layers != self.layers;
        self.layers = layers;
        let stage = Stage { pass, tasks: graph.len(), edges: graph.edge_count(), operations, reordered };
        self.stages.push(stage);
    }
}

impl Stage {
    fn counts(&self) -> HashMap<&str, usize> {
        self.operations.iter().map(|(name, count)| (name.as_str(), *count)).collect()
    }

    /// How many more or fewer tasks of each operation there are than there were before, as lines; none if there is no difference.
    pub(crate) fn difference(&self, before: &Stage) -> Vec<String> {
        let (old, new) = (before.counts(), self.counts());
        let mut lines = Vec::new();
        for (name, old) in &before.operations {
            match new.get(name.as_str()) {
                Some(new) if new == old => {}
                None => lines.push(format!("- {old:>6}  {name}")),
                Some(new) => lines.push(format!("  {new:>6}  {name} (were {old})")),
            }
        }
        let new = self.operations.iter().filter(|(name, _)| !old.contains_key(name.as_str()));
        lines.extend(new.map(|(name, count)| format!("+ {count:>6}  {name}")));
        if lines.is_empty() && (self.tasks, self.edges) != (before.tasks, before.edges) {
            lines.push("the same operations".into());
        }
        if self.reordered {
            lines.push("in another order".into());
        }
        shortened(lines)
    }
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LISTED);
    if more > 0 {
        lines.truncate(LISTED);
        lines.push(format!("  and {more} more"));
    }
    lines
}

impl fmt::Display for Stage {
    /// The stage as a whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} tasks, {} edges", self.pass, self.tasks, self.edges)?;
        let lines = self.operations.iter().map(|(name, count)| format!("  {count:>6}  {name}")).collect();
        shortened(lines).iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The first stage as it is, and of each later one what it changed; nothing if no pass has changed anything.
pub(crate) fn changes(stages: &[Stage]) -> String {
    let Some(first) = stages.first() else { return String::new() };
    let mut text = String::new();
    for (before, after) in stages.iter().zip(stages.iter().skip(1)) {
        let lines = after.difference(before);
        if lines.is_empty() {
            continue;
        }
        let counts = if (before.tasks, before.edges) == (after.tasks, after.edges) {
            String::new()
        } else {
            format!(": {} -> {} tasks, {} -> {} edges", before.tasks, after.tasks, before.edges, after.edges)
        };
        text += &format!("{}{counts}\n", after.pass);
        lines.iter().for_each(|line| text += &format!("  {line}\n"));
    }
    if text.is_empty() { text } else { format!("{first}{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use talatat_graph::testing::sum_kernel;
    use talatat_graph::{Edge, GraphBuilder, Key, Layer, Plan, PlanOptions};

    #[test]
    fn what_passes_change() {
        let mut graph = GraphBuilder::new();
        let mut layer = |name: &str| graph.layer(Layer::new(Key::of(name, &[]), Arc::new(sum_kernel(name))));
        let (read, add, sum, idle) = (layer("read"), layer("add"), layer("sum"), layer("idle"));
        let mut added: Vec<Edge> = Vec::new();
        for block in 0..3 {
            let source = graph.task(read, block, 10, &[]).unwrap();
            added.push(graph.task(add, block, 10, &[source.into()]).unwrap().into());
            graph.task(idle, block, 10, &[source.into()]).unwrap();
        }
        let total = graph.task(sum, 0, 10, &added).unwrap();
        graph.output(total.into());
        let (graph, mut stages) = (graph.build(), Stages::default());
        stages.note("lowered", &graph);
        Plan::watched(graph, &PlanOptions::default(), &mut |pass, graph| stages.note(pass, graph)).unwrap();
        insta::assert_snapshot!(changes(&stages.stages), @r"
        lowered: 10 tasks, 9 edges
               3  read
               3  add
               3  idle
               1  sum
        cull: 10 -> 7 tasks, 9 -> 6 edges
          -      3  idle
        fuse: 7 -> 4 tasks, 6 -> 3 edges
          -      3  read
          -      3  add
          +      3  read > add
        ");
        assert_eq!(stages.stages.len(), 6);
        assert_eq!(stages.storage, StorageBytes::default());
    }

    #[test]
    fn many_operations_are_counted() {
        let lines = (0..50).map(|number| number.to_string()).collect();
        assert_eq!(shortened(lines).last().map(String::as_str), Some("  and 30 more"));
    }
}
