//! One call: a function and its arguments.

use std::panic::Location;

use talatat_graph::{KernelResult, Key, KeyBuilder, Value};

use super::Node;

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
}

/// A value that was computed elsewhere; it has an identity of its own.
#[track_caller]
pub(super) fn ready(value: Value) -> Node {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let key = KeyBuilder::new("delayed.ready").number(COUNT.fetch_add(1, Ordering::Relaxed)).finish();
    persisted(key, value)
}

/// The result of a call that has been computed.
#[track_caller]
pub(super) fn persisted(key: Key, value: Value) -> Node {
    Node::new(Ready { key, value, location: Location::caller() })
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
}
