//! What the current thread is to a pool.

use std::cell::RefCell;
use std::sync::Arc;

use super::Shared;
use crate::futures::Node;
use crate::sync::thread_local;

/// The pool that this thread works for now, its deque there, and the calls that it is running, one upon the other.
pub(crate) struct Here {
    pub(crate) pool: Arc<Shared>,
    /// `None` if others from outside have taken the deque for them.
    pub(crate) deque: Option<usize>,
    calls: Vec<Frame>,
}

struct Frame {
    call: Arc<dyn Node>,
    /// Where its children begin.
    mark: u64,
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// Restores what the thread was before.
pub(crate) struct Entered {
    before: Option<Here>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        let _here = HERE.try_with(|here| here.replace(before));
    }
}

impl Here {
    /// The thread works for a pool from now on.
    pub(super) fn enter(pool: Arc<Shared>, deque: usize) -> Entered {
        Self::with_deque(pool, Some(deque))
    }

    fn with_deque(pool: Arc<Shared>, deque: Option<usize>) -> Entered {
        let here = Here { pool, deque, calls: Vec::new() };
        Entered { before: HERE.try_with(|slot| slot.replace(Some(here))).ok().flatten() }
    }

    /// The pool that the thread works for, and its deque.
    pub(crate) fn current() -> Option<(Arc<Shared>, Option<usize>)> {
        Self::with(|here| (here.pool.clone(), here.deque))
    }

    /// The number that events have for the thread: 0 is a thread from outside.
    pub(crate) fn number() -> usize {
        Self::with(|here| here.deque.filter(|&deque| deque < here.pool.threads).map_or(0, |deque| deque + 1))
            .unwrap_or(0)
    }

    #[inline]
    pub(crate) fn with<R>(work: impl FnOnce(&Here) -> R) -> Option<R> {
        HERE.try_with(|here| here.borrow().as_ref().map(work)).ok().flatten()
    }

    /// Whether the thread works for this pool.
    #[inline]
    pub(crate) fn is(pool: &Arc<Shared>) -> bool {
        Self::with(|here| Arc::ptr_eq(&here.pool, pool)).unwrap_or(false)
    }

    /// Runs a call's work on top of what the thread does; `work` is told where the call's children will be.
    #[inline]
    pub(crate) fn frame<R>(call: Arc<dyn Node>, work: impl FnOnce(Option<(usize, u64)>) -> R) -> R {
        let place = HERE.try_with(|here| {
            let mut here = here.borrow_mut();
            let here = here.as_mut()?;
            let place = here.deque.map(|deque| (deque, here.pool.deque(deque).end()));
            here.calls.push(Frame { call, mark: place.map_or(0, |(_, mark)| mark) });
            place
        });
        let result = work(place.ok().flatten());
        // The call may be the last owner of anything: it is dropped outside of the borrow.
        let _call = HERE.try_with(|here| here.borrow_mut().as_mut().and_then(|here| here.calls.pop()));
        result
    }

    /// The call that the thread is running.
    pub(crate) fn call(&self) -> Option<&Arc<dyn Node>> {
        self.calls.last().map(|frame| &frame.call)
    }

    /// Where the children of the call begin that the thread is running. (Tasks of graphs do not note where theirs begin.)
    pub(crate) fn mark(&self) -> u64 {
        self.calls.last().map_or(u64::MAX, |frame| frame.mark)
    }

    /// The calls that the thread is running, the youngest last.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Arc<dyn Node>> {
        self.calls.iter().map(|frame| &frame.call)
    }

    /// Whether the thread is running a call, perhaps below others.
    pub(crate) fn runs(&self, call: &Arc<dyn Node>) -> bool {
        self.calls().any(|other| std::ptr::addr_eq(Arc::as_ptr(other), Arc::as_ptr(call)))
    }

    /// A thread from outside works for a pool until what is given is dropped.
    pub(crate) fn visit(pool: &Arc<Shared>) -> Visit {
        pool.guest_comes();
        let deque = pool.sit_down();
        Visit { entered: Some(Self::with_deque(pool.clone(), deque)), pool: pool.clone(), sits: deque.is_some() }
    }
}

/// A thread from outside at work.
pub(crate) struct Visit {
    entered: Option<Entered>,
    pool: Arc<Shared>,
    sits: bool,
}

impl Drop for Visit {
    fn drop(&mut self) {
        // What a guest's calls have submitted and not waited for is left to the pool, if it has threads.
        while self.sits
            && self.pool.is_alone()
            && let Some(call) = self.pool.deque(self.pool.threads).pop(0)
        {
            call.run(None);
        }
        drop(self.entered.take());
        if self.sits {
            self.pool.stand_up();
        }
        self.pool.guest_goes();
    }
}
