//! Dropping of chains of calls with little recursion: a chain may be a million calls deep, a stack may not.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, LazyLock};

use talatat_graph::{Key, Value};

use super::{Node, call};

/// The deepest recursion. Most calls die within it, and then nothing is written down.
const DEEPEST: u32 = 64;

thread_local! {
    /// How deep this thread is in dropping calls.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Calls without an owner that were met too deep down.
    static DYING: RefCell<Vec<Node>> = const { RefCell::new(Vec::new()) };
}

/// What stands in the place of a call that was taken out; nobody gets to see it.
pub(super) static NOTHING: LazyLock<Node> =
    LazyLock::new(|| call::persisted(Key::of("delayed.nothing", &[]), Value::Unit));

/// To be called when an owner of `node` dies. If it is the last one the call is dropped here, and with it, level by level, the calls
/// that it alone holds. (Two owners that die at the same moment may both be taken for not the last; the call is then
/// dropped by whoever comes second, and those below it come through here again.)
#[inline]
pub(super) fn bury(node: &mut Option<Node>) {
    if node.as_ref().is_some_and(|node| Arc::strong_count(node) == 1) {
        bury_last(node.take());
    }
}

fn bury_last(mut node: Option<Node>) {
    let depth = DEPTH.get();
    if depth >= DEEPEST {
        // At the end of a thread there may be no list any more: then the call is dropped where it is.
        let _ = DYING.try_with(|dying| dying.borrow_mut().extend(node.take()));
        return;
    }
    let _level = Level::enter(depth);
    drop(node);
    if depth == 0 {
        while let Some(next) = DYING.try_with(|dying| dying.borrow_mut().pop()).ok().flatten() {
            drop(next);
        }
    }
}

/// One level of the recursion; left again even if a value panics in its `drop`.
struct Level(u32);

impl Level {
    fn enter(depth: u32) -> Self {
        DEPTH.set(depth + 1);
        Level(depth)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(self.0);
    }
}
