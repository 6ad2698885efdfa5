//! Dropping of chains of calls without recursion: a chain may be a million calls deep, a stack may not.

use std::cell::{Cell, RefCell};
use std::mem::replace;
use std::sync::{Arc, LazyLock};

use talatat_graph::{Key, Value};

use super::{Node, call};

thread_local! {
    /// Calls whose last owner is gone, while this thread drops another one.
    static DYING: RefCell<Vec<Node>> = const { RefCell::new(Vec::new()) };
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// What stands in the place of a call that was taken out.
static NOTHING: LazyLock<Node> = LazyLock::new(|| call::persisted(Key::of("delayed.nothing", &[]), Value::Unit));

/// To be called when an owner of `node` dies. If it is the last one, the call is dropped here, and the calls that it alone holds
/// after it, one by one. (Two owners that die at the same moment may both be taken for not the last; the call is then
/// dropped by whoever comes second, and those below it come through here again.)
#[inline]
pub(super) fn bury(node: &mut Node) {
    if Arc::strong_count(node) == 1 {
        bury_last(node);
    }
}

fn bury_last(node: &mut Node) {
    if BUSY.get() {
        // At the end of a thread there may be no list any more: then the call is dropped where it is.
        let _ = DYING.try_with(|dying| dying.borrow_mut().push(replace(node, NOTHING.clone())));
        return;
    }
    let _digging = Digging::new();
    drop(replace(node, NOTHING.clone()));
    while let Some(next) = DYING.try_with(|dying| dying.borrow_mut().pop()).ok().flatten() {
        drop(next);
    }
}

/// While it lives, calls that die wait in the list. A value that panics in its `drop` must not leave the list closed for ever.
struct Digging;

impl Digging {
    fn new() -> Self {
        BUSY.set(true);
        Digging
    }
}

impl Drop for Digging {
    fn drop(&mut self) {
        BUSY.set(false);
    }
}
