//! The last pass: changes nothing, refuses a broken graph.

use crate::error::{Error, Result};
use crate::graph::TaskGraph;

/// Checks what every other part relies on: tables of equal length, inputs before readers, layers and outputs that exist.
pub fn check(graph: &TaskGraph) -> Result<()> {
    let broken = |what: String| Err(Error::InvalidGraph(what));
    let tasks = graph.len();
    if graph.block_of.len() != tasks
        || (!graph.bytes.is_empty() && graph.bytes.len() != tasks)
        || graph.offsets.len() != tasks + 1
    {
        return broken(format!("{tasks} tasks with tables of other lengths"));
    }
    if graph.offsets.last().map(|&end| end as usize) != Some(graph.edges.len()) || graph.offsets[0] != 0 {
        return broken("the offsets do not cover the edges".into());
    }
    for task in graph.tasks() {
        if graph.offsets[task.index()] > graph.offsets[task.index() + 1] {
            return broken(format!("task {} has a negative number of inputs", task.0));
        }
        if graph.layer_of[task.index()] as usize >= graph.layers.len() {
            return broken(format!("task {} has no layer", task.0));
        }
        if let Some(edge) = graph.inputs(task).iter().find(|edge| edge.task >= task) {
            return broken(format!("task {} reads task {}, which comes after it", task.0, edge.task.0));
        }
    }
    if let Some(edge) = graph.outputs.iter().find(|edge| edge.task.index() >= tasks) {
        return broken(format!("task {} is wanted and does not exist", edge.task.0));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::testing::graph_of;
    use crate::graph::Edge;
    use crate::task::TaskId;

    #[test]
    fn breakage_is_found() {
        let sound = graph_of(&[("read", &[]), ("add", &[0])], &[1]);
        assert!(check(&sound).is_ok());
        type Breakage = (&'static str, fn(&mut TaskGraph));
        let breakages: &[Breakage] = &[
            ("comes after", |graph| graph.edges[0] = Edge::whole(TaskId(1))),
            ("wanted", |graph| graph.outputs[0] = Edge::whole(TaskId(7))),
            ("no layer", |graph| graph.layer_of[1] = 9),
            ("offsets", |graph| graph.offsets[2] = 0),
            ("lengths", |graph| graph.bytes.truncate(1)),
        ];
        for (words, breakage) in breakages {
            let mut graph = sound.clone();
            breakage(&mut graph);
            let error = check(&graph).unwrap_err().to_string();
            assert!(error.contains(words), "{words}: {error}");
        }
    }
}
