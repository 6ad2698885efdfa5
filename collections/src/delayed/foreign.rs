//! Delayed values that stand on tasks which somebody else makes: those of another collection.

use std::panic::Location;
use std::sync::Arc;

use talatat_graph::{Edge, Error as GraphError, KernelError, KernelResult, Key, Value};

use super::call::{Call, Lowered, TaskNote};
use super::value::{Payload, is_scalar};
use super::{Delayed, Node};
use crate::error::Result;
use crate::lower::Lowering;

/// Makes tasks and gives their results, in order. They are made once in a graph; that is for this function to see to.
pub(crate) type Lower = Arc<dyn Fn(&mut Lowering) -> Result<Vec<Edge>> + Send + Sync>;

/// Makes a value of what tasks gave.
type Run = Box<dyn Fn(&mut [Value]) -> KernelResult<Value> + Send + Sync>;

/// The delayed value of one of the results of what `lower` makes.
pub(crate) fn foreign<T: Payload>(
    key: Key,
    name: &'static str,
    location: &'static Location<'static>,
    number: usize,
    lower: Lower,
) -> Delayed<T> {
    let bytes = if is_scalar::<T>() { 0 } else { size_of::<T>() as u64 };
    let key = key.block(number as u64);
    let use_as = Use::Result(number);
    Delayed::from_node(Node::new(Foreign { key, name, location, lower, use_as, bytes, task: TaskNote::new() }))
}

/// The delayed value, of so many bytes, that `run` makes of all results of what `lower` makes, in a task of its own.
pub(crate) fn of_blocks<T: Payload>(
    key: Key,
    name: &'static str,
    location: &'static Location<'static>,
    bytes: u64,
    lower: Lower,
    run: impl Fn(&mut [Value]) -> KernelResult<Value> + Send + Sync + 'static,
) -> Delayed<T> {
    let use_as = Use::Inputs(Box::new(run));
    Delayed::from_node(Node::new(Foreign { key, name, location, lower, use_as, bytes, task: TaskNote::new() }))
}

struct Foreign {
    key: Key,
    name: &'static str,
    location: &'static Location<'static>,
    lower: Lower,
    use_as: Use,
    bytes: u64,
    task: TaskNote,
}

/// What the tasks' results are for the call.
enum Use {
    /// One of them is its result.
    Result(usize),
    /// It reads them.
    Inputs(Run),
}

impl Call for Foreign {
    fn key(&self) -> Key {
        self.key
    }

    fn function(&self) -> Key {
        Key::of(self.name, &[])
    }

    fn name(&self) -> &str {
        self.name
    }

    fn location(&self) -> &'static Location<'static> {
        self.location
    }

    fn inputs<'a>(&'a self, _: &mut dyn FnMut(&'a Node)) {}

    fn run(&self, inputs: &mut [Value]) -> KernelResult<Value> {
        match &self.use_as {
            Use::Inputs(run) => run(inputs),
            Use::Result(_) => Err(KernelError::new("its tasks are others")),
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn lower(&self, lowering: &mut Lowering) -> Option<Result<Lowered>> {
        let made = (self.lower)(lowering).and_then(|edges| match self.use_as {
            Use::Inputs(_) => Ok(Lowered::Inputs(edges)),
            Use::Result(number) => {
                let missing = || GraphError::InvalidGraph(format!("{} has no result {number}", self.name));
                Ok(Lowered::Result(*edges.get(number).ok_or_else(missing)?))
            }
        });
        Some(made)
    }

    fn task(&self) -> &TaskNote {
        &self.task
    }
}
