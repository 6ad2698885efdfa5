//! One call: a function and its arguments.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use talatat_graph::{Edge, KernelError, KernelResult, Key, KeyBuilder, Need, TaskId, Value};

use super::Node;
use crate::error::Result;
use crate::lower::Lowering;

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

/// What somebody else has made for a call.
pub enum Lowered {
    /// The call's result: it has no task of its own, and never runs.
    Result(Edge),
    /// What the call reads.
    Inputs(Vec<Edge>),
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

    /// Whether the call gives the same whenever it is computed, so that what it gave may be used again under its key.
    fn lasts(&self) -> bool {
        false
    }

    /// A name of what the call gives of its inputs, the same in every run of every program that computes the same.
    ///
    /// # Errors
    /// If nothing that can be compared between two runs tells what it gives.
    fn content(&self) -> KernelResult<Key> {
        Err(KernelError::new("nothing says that another run would compute the same"))
    }

    /// Whether the result is known to be of a type that can be written as bytes.
    fn is_storable(&self) -> bool {
        false
    }

    /// Makes the tasks that the call stands for or reads, if they are not those of [`inputs`](Call::inputs): then there are none of these.
    fn lower(&self, lowering: &mut Lowering) -> Option<Result<Lowered>> {
        let _ = lowering;
        None
    }

    /// Where lowerings note the call's task.
    fn task(&self) -> &TaskNote;

    /// How many calls the result takes, this one included; those that are shared are counted for each reader.
    fn weight(&self) -> u32 {
        1
    }
}

/// How many calls a call takes, itself included, and whether it gives the same whenever it is computed: in one number, since there are
/// many calls.
#[derive(Clone, Copy)]
pub(super) struct Weight(u32);

impl Weight {
    const LASTS: u32 = 1 << 31;

    /// A call without inputs.
    #[inline]
    pub(super) fn new(pure: bool) -> Weight {
        Weight(if pure { 1 | Weight::LASTS } else { 1 })
    }

    /// The call reads another one.
    #[inline]
    pub(super) fn add(&mut self, input: &Node) {
        let lasts = if self.lasts() && input.lasts() { Weight::LASTS } else { 0 };
        self.0 = self.calls().saturating_add(input.weight()).min(Weight::LASTS - 1) | lasts;
    }

    #[inline]
    pub(super) fn calls(self) -> u32 {
        self.0 & !Weight::LASTS
    }

    #[inline]
    pub(super) fn lasts(self) -> bool {
        self.0 & Weight::LASTS != 0
    }
}

/// A call whose result is there.
struct Ready {
    key: Key,
    value: Value,
    location: &'static Location<'static>,
    task: TaskNote,
}

/// A value that was computed elsewhere. Scalars are known by what they are; others have an identity of their own.
#[track_caller]
pub(super) fn ready(value: Value) -> Node {
    use std::sync::atomic::AtomicU64;
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let key = KeyBuilder::new("delayed.ready");
    let key = match &value {
        // Blocks are not looked at: they may be large, or of any type.
        Value::Block(_) => key.number(COUNT.fetch_add(1, Ordering::Relaxed)),
        scalar => match scalar.content() {
            Ok(content) => key.key(content),
            Err(_) => key.number(COUNT.fetch_add(1, Ordering::Relaxed)),
        },
    };
    persisted(key.finish(), value)
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

    fn lasts(&self) -> bool {
        true
    }

    fn content(&self) -> KernelResult<Key> {
        self.value.content().map_err(|error| {
            let mend =
                "pass it on as a plain argument, or say `.storable()` on the call that gave it before it is persisted";
            KernelError::new(format!("it is a value that was there when the program called, and {error}: {mend}"))
        })
    }

    fn is_storable(&self) -> bool {
        match &self.value {
            Value::Block(block) => block.codec().is_some(),
            _ => true,
        }
    }

    fn task(&self) -> &TaskNote {
        &self.task
    }
}
