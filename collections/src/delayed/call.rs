//! One call: a function and its arguments.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use talatat_graph::{KernelResult, Key, KeyBuilder, Need, TaskId, Value};

use super::{Delayed, Node, Payload};
use crate::lower::Foreign;

/// Where a lowering notes which task a call has become, so that the call's next reader need not look it up by its key.
///
/// Several graphs may be made of one call, even at once: what stands here is a guess, to be checked by whoever reads it.
#[derive(Debug)]
pub struct TaskNote(AtomicU32);

impl TaskNote {
    /// No task yet.
    pub(crate) fn new() -> TaskNote {
        TaskNote(AtomicU32::new(u32::MAX))
    }

    /// The task that was noted last.
    #[inline]
    pub(crate) fn get(&self) -> TaskId {
        TaskId(self.0.load(Ordering::Relaxed))
    }

    /// Notes a task.
    #[inline]
    pub(crate) fn set(&self, task: TaskId) {
        self.0.store(task.0, Ordering::Relaxed);
    }
}

/// A call that has not happened yet.
pub trait Call: Send + Sync {
    /// The name of the result.
    fn key(&self) -> Key;

    /// The function that is called.
    fn function(&self) -> Key;

    /// The function's name.
    fn name(&self) -> &str;

    /// Where the user wrote the call.
    fn location(&self) -> &'static Location<'static>;

    /// Shows each call among the arguments, in order.
    fn inputs<'a>(&'a self, visit: &mut dyn FnMut(&'a Node));

    /// Calls the function; `inputs` are the results of the calls that [`inputs`](Call::inputs) shows.
    ///
    /// # Errors
    /// If the function fails or an argument is not of its type.
    fn run(&self, inputs: &mut [Value]) -> KernelResult<Value>;

    /// Bytes of the result, as far as its type tells.
    fn bytes(&self) -> u64;

    /// The function's annotations.
    fn need(&self) -> Option<Arc<Need>> {
        None
    }

    /// Where lowerings note the call's task.
    fn task(&self) -> &TaskNote;

    /// Blocks that something else makes, which the call reads instead of [`inputs`](Call::inputs).
    #[doc(hidden)]
    fn foreign(&self) -> Option<&dyn Foreign> {
        None
    }

    /// How many calls the result takes, this one included; those that are shared are counted for each reader.
    fn weight(&self) -> u32 {
        1
    }
}

/// A call whose result is there.
struct Ready {
    key: Key,
    value: Value,
    location: &'static Location<'static>,
    task: TaskNote,
}

/// A value that was computed elsewhere; it has an identity of its own.
#[track_caller]
pub(super) fn ready(value: Value) -> Node {
    use std::sync::atomic::AtomicU64;
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let key = KeyBuilder::new("delayed.ready").number(COUNT.fetch_add(1, Ordering::Relaxed)).finish();
    persisted(key, value)
}

/// The result of a call that has been computed.
#[track_caller]
pub(super) fn persisted(key: Key, value: Value) -> Node {
    Node::new(Ready { key, value, location: Location::caller(), task: TaskNote::new() })
}

impl Call for Ready {
    fn key(&self) -> Key {
        self.key
    }

    fn function(&self) -> Key {
        Key::of("delayed.ready", &[])
    }

    fn name(&self) -> &str {
        "ready"
    }

    fn location(&self) -> &'static Location<'static> {
        self.location
    }

    fn inputs<'a>(&'a self, _: &mut dyn FnMut(&'a Node)) {}

    fn run(&self, _: &mut [Value]) -> KernelResult<Value> {
        Ok(self.value.clone())
    }

    fn bytes(&self) -> u64 {
        self.value.nbytes() as u64
    }

    fn task(&self) -> &TaskNote {
        &self.task
    }
}

/// A value made of blocks of another collection.
struct OfBlocks<F, R> {
    key: Key,
    name: &'static str,
    from: F,
    bytes: u64,
    location: &'static Location<'static>,
    run: R,
    task: TaskNote,
}

/// A delayed value that `run` makes of the blocks of another collection, in one task.
pub(crate) fn foreign<T, F, R>(
    key: Key,
    name: &'static str,
    from: F,
    bytes: u64,
    location: &'static Location<'static>,
    run: R,
) -> Delayed<T>
where
    T: Payload,
    F: Foreign + 'static,
    R: Fn(&mut [Value]) -> KernelResult<Value> + Send + Sync + 'static,
{
    Delayed::from_node(Node::new(OfBlocks { key, name, from, bytes, location, run, task: TaskNote::new() }))
}

impl<F, R> Call for OfBlocks<F, R>
where
    F: Foreign,
    R: Fn(&mut [Value]) -> KernelResult<Value> + Send + Sync,
{
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
        (self.run)(inputs)
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn task(&self) -> &TaskNote {
        &self.task
    }

    fn foreign(&self) -> Option<&dyn Foreign> {
        Some(&self.from)
    }
}
