//! A kernel whose tasks wait for something that it does not see.

use std::panic::Location;
use std::sync::Arc;

use crate::error::{Error, KernelError, KernelResult, Result};
use crate::key::Key;
use crate::registry::Registry;
use crate::storage::StorageBytes;
use crate::task::{Kernel, TaskContext};
use crate::value::Value;

/// The name of the kernel in the registry.
pub(crate) const AFTER: &str = "graph.after";

/// The kernel of tasks whose last input is what they wait for.
pub(crate) struct After(pub(crate) Arc<dyn Kernel>);

impl After {
    /// Reads back what [`Kernel::encode`] wrote.
    pub(crate) fn decode(registry: &Registry, bytes: &[u8]) -> Result<After> {
        let malformed = |reason: String| Error::NotPortable { operation: AFTER.into(), reason };
        let (name, parameters): (String, Vec<u8>) =
            postcard::from_bytes(bytes).map_err(|error| malformed(error.to_string()))?;
        // A task that waits already reads something.
        if name == AFTER || name == crate::optimize::FUSED {
            return Err(malformed(format!("a {name} task within one that waits")));
        }
        Ok(After(registry.decode_kernel(&name, &parameters)?))
    }
}

impl Kernel for After {
    fn name(&self) -> &str {
        AFTER
    }

    fn describe(&self) -> String {
        self.0.describe()
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let (_, own) = inputs.split_last_mut().ok_or_else(|| KernelError::new("there is nothing that it waits for"))?;
        self.0.run(task, own)
    }

    fn encode(&self, block: u64) -> Result<Vec<u8>> {
        let inner = (self.0.name(), self.0.encode(block)?);
        postcard::to_stdvec(&inner)
            .map_err(|error| Error::NotPortable { operation: self.describe(), reason: error.to_string() })
    }

    fn lasting(&self, block: u64) -> Option<Key> {
        self.0.lasting(block)
    }

    fn content(&self, block: u64) -> KernelResult<Key> {
        self.0.content(block)
    }

    fn storage_bytes(&self, block: u64, inputs: u64, result: u64) -> StorageBytes {
        self.0.storage_bytes(block, inputs, result)
    }

    fn location(&self, block: u64) -> Option<&'static Location<'static>> {
        self.0.location(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::GraphBuilder;
    use crate::cancel::Cancel;
    use crate::executor::invoke;
    use crate::executor::testing::{draw, sum_kernel};
    use crate::graph::Edge;
    use crate::layer::Layer;
    use crate::task::TaskId;

    /// Two sources and their sum, twice: the second time set apart.
    fn graph(after: Option<Edge>) -> crate::graph::TaskGraph {
        let mut graph = GraphBuilder::new();
        let mut sums: Vec<TaskId> = Vec::new();
        let mut mark = graph.mark();
        for _ in 0..2 {
            mark = graph.mark();
            let read = graph.layer(Layer::new(Key::of("read", &[]), Arc::new(sum_kernel("read"))));
            let sum = graph.layer(Layer::new(Key::of("sum", &[]), Arc::new(sum_kernel("sum"))));
            let a = graph.task(read, 0, 1, &[]).unwrap();
            let b = graph.task(read, 1, 1, &[]).unwrap();
            sums.push(graph.task(sum, 0, 1, &[a.into(), b.into()]).unwrap());
        }
        graph.set_apart(mark, Key::of("seed", &[]), after).unwrap();
        sums.into_iter().for_each(|sum| graph.output(sum.into()));
        graph.build()
    }

    #[test]
    fn sources_wait_and_nothing_is_shared() {
        insta::assert_snapshot!(draw(&crate::dedupe(graph(None))), @"
        0 read/0
        1 read/1
        2 sum/0 <- 0 1
        3 read/0
        4 read/1
        5 sum/0 <- 3 4
        outputs 2 5
        ");
        let waiting = crate::dedupe(graph(Some(TaskId(2).into())));
        insta::assert_snapshot!(draw(&waiting), @"
        0 read/0
        1 read/1
        2 sum/0 <- 0 1
        3 read/0 <- 2
        4 read/1 <- 2
        5 sum/0 <- 3 4
        outputs 2 5
        ");
        assert!(crate::check(&waiting).is_ok());
        // What is waited for is not seen by the kernel.
        let sources = waiting.tasks().filter(|&task| waiting.inputs(task).len() == 1);
        for task in sources {
            let alone = invoke(&waiting, TaskId(waiting.block(task) as u32), &mut [], &Cancel::new()).unwrap();
            let after = invoke(&waiting, task, &mut [Value::I64(1000)], &Cancel::new()).unwrap();
            assert_eq!(format!("{alone:?}"), format!("{after:?}"));
        }
    }

    #[test]
    fn what_was_added_later_cannot_be_waited_for() {
        let mut graph = GraphBuilder::new();
        let mark = graph.mark();
        let read = graph.layer(Layer::new(Key::of("read", &[]), Arc::new(sum_kernel("read"))));
        let a = graph.task(read, 0, 1, &[]).unwrap();
        assert!(graph.set_apart(mark, Key::of("seed", &[]), Some(a.into())).is_err());
    }

    #[test]
    fn garbage_is_refused() {
        let registry = Registry::new();
        let nested = postcard::to_stdvec(&(AFTER, Vec::<u8>::new())).unwrap();
        assert!(After::decode(&registry, &nested).is_err());
        assert!(After::decode(&registry, b"\xff\xff\xff").is_err());
    }
}
