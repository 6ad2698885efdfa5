//! Delayed values whose tasks somebody else makes.

use std::panic::Location;
use std::sync::Arc;

use talatat_graph::{Edge, Error as GraphError, KernelError, KernelResult, Key, Value};

use super::call::{Call, TaskNote};
use super::value::{Payload, is_scalar};
use super::{Delayed, Node};
use crate::error::Result;
use crate::lower::Lowering;

/// Makes tasks.
pub(crate) type Lower = Arc<dyn Fn(&mut Lowering) -> Result<Vec<Edge>> + Send + Sync>;

/// The delayed value of one of the results of what `lower` makes. The tasks are made once in a graph; that is for `lower` to see to.
pub(crate) fn foreign<T: Payload>(
    key: Key,
    name: &'static str,
    location: &'static Location<'static>,
    number: usize,
    lower: Lower,
) -> Delayed<T> {
    let bytes = if is_scalar::<T>() { 0 } else { size_of::<T>() as u64 };
    let key = key.block(number as u64);
    Delayed::from_node(Node::new(Foreign { key, name, location, number, lower, bytes, task: TaskNote::new() }))
}

struct Foreign {
    key: Key,
    name: &'static str,
    location: &'static Location<'static>,
    number: usize,
    lower: Lower,
    bytes: u64,
    task: TaskNote,
}

impl Call for Foreign {
    fn key(&self) -> Key {
        self.key
    }

    fn function(&self) -> Key {
        Key::of("delayed.foreign", &[])
    }

    fn name(&self) -> &str {
        self.name
    }

    fn location(&self) -> &'static Location<'static> {
        self.location
    }

    fn inputs<'a>(&'a self, _: &mut dyn FnMut(&'a Node)) {}

    fn run(&self, _: &mut [Value]) -> KernelResult<Value> {
        Err(KernelError::new("its tasks are others"))
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn lower(&self, lowering: &mut Lowering) -> Option<Result<Edge>> {
        let made = (self.lower)(lowering).and_then(|edges| {
            let missing = || GraphError::InvalidGraph(format!("{} has no result {}", self.name, self.number));
            Ok(*edges.get(self.number).ok_or_else(missing)?)
        });
        Some(made)
    }

    fn task(&self) -> &TaskNote {
        &self.task
    }
}
