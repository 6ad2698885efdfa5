//! Shared calls, dropped without recursion.

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::Arc;

use super::call::Call;

/// A call, shared by whoever uses its result.
///
/// Calls hold their inputs, which hold theirs: a chain of a million calls must not be dropped a million frames deep. The
/// last owner of a call hands its inputs to the drop that is already going on in this thread.
pub struct Node(Option<Arc<dyn Call>>);

impl Node {
    /// Wraps a call.
    pub(crate) fn new(call: impl Call + 'static) -> Node {
        Node(Some(Arc::new(call)))
    }

    /// The call.
    #[inline]
    pub(crate) fn call(&self) -> &(dyn Call + 'static) {
        match &self.0 {
            Some(call) => &**call,
            None => unreachable!("only drop empties a node"),
        }
    }

    /// Whether both are the same call, not only equal ones.
    #[inline]
    pub(crate) fn is(&self, other: &Node) -> bool {
        std::ptr::addr_eq(self.call(), other.call())
    }
}

impl Clone for Node {
    #[inline]
    fn clone(&self) -> Node {
        Node(self.0.clone())
    }
}

impl Deref for Node {
    type Target = dyn Call;

    #[inline]
    fn deref(&self) -> &(dyn Call + 'static) {
        self.call()
    }
}

#[derive(Default)]
struct Pending {
    active: bool,
    calls: Vec<Arc<dyn Call>>,
}

thread_local! {
    static PENDING: RefCell<Pending> = RefCell::default();
}

impl Drop for Node {
    #[inline]
    fn drop(&mut self) {
        if let Some(call) = self.0.take()
            && Arc::strong_count(&call) == 1
        {
            drop_last(call);
        }
    }
}

/// Drops a call that nobody else owns. (If another thread drops its handle at the same time, one of the two
/// frees the call outside of this function: its inputs then start here again, so depth stays bounded.)
fn drop_last(call: Arc<dyn Call>) {
    let mut call = Some(call);
    // While a thread ends its locals may be gone: then there is nothing left but to recurse.
    let first = PENDING.try_with(|pending| {
        let mut pending = pending.borrow_mut();
        if pending.active {
            pending.calls.extend(call.take());
        }
        !std::mem::replace(&mut pending.active, true)
    });
    drop(call);
    if first == Ok(true) {
        while let Ok(Some(next)) = PENDING.try_with(|pending| pending.borrow_mut().calls.pop()) {
            drop(next);
        }
        let _ = PENDING.try_with(|pending| pending.borrow_mut().active = false);
    }
}
