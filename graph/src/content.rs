//! Names of results that hold in every run of a program: what is kept under such a name can be found again.
//!
//! A task's [`key`](crate::TaskGraph::key) need only tell results of one process apart: closures in it are numbered. Here every task says
//! what it computes ([`Kernel::content`](crate::Kernel::content)), and a result's name is a hash of that and of the names of its inputs.

use crate::error::{Error, Result};
use crate::executor::task_site;
use crate::graph::{Edge, TaskGraph};
use crate::key::Key;
use crate::optimize::needed;

/// The names of the wanted results, in their order. The passes on graphs change names: give the graph as it was lowered.
///
/// O(tasks) and the bytes of their parameters; blocks that are held in memory are read once. Another version of this library gives other
/// names.
///
/// ```
/// use std::sync::Arc;
/// use talatat_graph::{GraphBuilder, Key, Layer, closure_kernel, contents, Value};
/// let mut graph = GraphBuilder::new();
/// let one = graph.layer(Layer::new(Key::of("one", &[]), Arc::new(closure_kernel("one", |_, _| Ok(Value::I64(1))))));
/// let task = graph.task(one, 0, 0, &[])?;
/// graph.output(task.into());
/// let error = contents(&graph.build()).unwrap_err();
/// assert!(error.to_string().contains("one, block 0: its result cannot be found again"));
/// # Ok::<(), talatat_graph::Error>(())
/// ```
///
/// # Errors
/// [`Error::NotDurable`] if a task that they need cannot say what it computes.
pub fn contents(graph: &TaskGraph) -> Result<Vec<Key>> {
    graph.check_outputs()?;
    let needed = needed(graph);
    let library = Key::of("talatat", env!("CARGO_PKG_VERSION").as_bytes());
    let mut names = vec![library; graph.len()];
    for task in graph.tasks().filter(|task| needed[task.index()]) {
        let own = graph.layer(task).kernel.content(graph.block(task));
        let own = own.map_err(|source| Error::NotDurable { site: Box::new(task_site(graph, task)), source })?;
        let inputs = graph.inputs(task).iter();
        names[task.index()] =
            inputs.fold(library.combine(own.bits()), |name, edge| name.combine(of_edge(&names, *edge).bits()));
    }
    Ok(graph.outputs().iter().map(|edge| of_edge(&names, *edge)).collect())
}

fn of_edge(names: &[Key], edge: Edge) -> Key {
    let whole = names[edge.task.index()];
    edge.part().map_or(whole, |part| whole.block(u64::from(part)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::builder::GraphBuilder;
    use crate::error::KernelResult;
    use crate::layer::Layer;
    use crate::task::{Kernel, TaskContext, TaskId};
    use crate::value::Value;

    struct Named(&'static str);

    impl Kernel for Named {
        fn name(&self) -> &str {
            self.0
        }

        fn run(&self, _: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
            Ok(Value::Unit)
        }

        fn encode(&self, _: u64) -> Result<Vec<u8>> {
            Ok(Vec::new())
        }
    }

    /// The names of the last task of a graph that lists operations, blocks and inputs; layers' keys are numbers that nobody knows.
    fn name(number: &mut u64, tasks: &[(&'static str, u32, &[Edge])]) -> Key {
        let mut graph = GraphBuilder::new();
        let mut last = TaskId(0);
        for &(operation, block, inputs) in tasks {
            *number += 1;
            let layer = graph.layer(Layer::new(Key::of("n", &[]).block(*number), Arc::new(Named(operation))));
            last = graph.task(layer, block, 0, inputs).unwrap();
        }
        graph.output(last.into());
        contents(&graph.build()).unwrap()[0]
    }

    #[test]
    fn names_tell_what_is_computed_and_nothing_else() {
        let (a, b) = (Edge::whole(TaskId(0)), Edge::whole(TaskId(1)));
        let part = |number| Edge::part_of(TaskId(0), number);
        let number = &mut 0;
        let base = name(number, &[("read", 0, &[]), ("read", 1, &[]), ("join", 0, &[a, b])]);
        assert_eq!(base, name(number, &[("read", 0, &[]), ("read", 1, &[]), ("join", 0, &[a, b])]));
        // Tasks that are not needed make no difference.
        assert_eq!(
            name(number, &[("read", 0, &[]), ("sum", 0, &[a])]),
            name(number, &[("read", 0, &[]), ("other", 0, &[]), ("sum", 0, &[a])])
        );
        for other in [
            name(number, &[("read", 0, &[]), ("read", 1, &[]), ("join", 0, &[b, a])]),
            name(number, &[("read", 0, &[]), ("read", 2, &[]), ("join", 0, &[a, b])]),
            name(number, &[("read", 0, &[]), ("read", 1, &[]), ("join", 1, &[a, b])]),
            name(number, &[("read", 0, &[]), ("read", 1, &[]), ("cross", 0, &[a, b])]),
            name(number, &[("read", 0, &[]), ("read", 1, &[]), ("join", 0, &[a])]),
            name(number, &[("read", 0, &[]), ("read", 1, &[]), ("join", 0, &[part(0), b])]),
            name(number, &[("read", 0, &[]), ("read", 1, &[]), ("join", 0, &[part(1), b])]),
        ] {
            assert_ne!(base, other);
        }
    }
}
