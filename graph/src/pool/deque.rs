//! Calls that one thread has submitted and nobody has begun: the owner takes the youngest, thieves the oldest.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::futures::{Node, Standing};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A thread's own calls. Places are counted from the first call ever: what stands at or behind a place was submitted after the place was
/// the end, so a call that notes the end when it begins knows its children.
#[derive(Default)]
pub(crate) struct Deque {
    queue: Mutex<Queue>,
    /// The place of the first call; only a hint without the lock.
    front: AtomicU64,
    /// The place behind the last call; only the owner moves it.
    end: AtomicU64,
}

#[derive(Default)]
struct Queue {
    /// Calls that were taken from the middle leave a gap, so that places stay.
    calls: VecDeque<Option<Arc<dyn Node>>>,
    /// What the youngest call of this thread waits for.
    awaited: Option<Arc<dyn Node>>,
}

impl Deque {
    /// The place of the next call: for the owner.
    #[inline]
    pub(crate) fn end(&self) -> u64 {
        self.end.load(Relaxed)
    }

    /// How many calls there are, about.
    #[inline]
    pub(crate) fn len(&self) -> u64 {
        self.end.load(Relaxed).saturating_sub(self.front.load(Relaxed))
    }

    /// Adds a call: for the owner.
    #[inline]
    pub(crate) fn push(&self, call: Arc<dyn Node>) {
        let mut queue = self.queue.lock();
        queue.calls.push_back(Some(call));
        self.end.store(self.end() + 1, Relaxed);
    }

    /// Takes the youngest call that is at or behind `mark`: for the owner.
    #[inline]
    pub(crate) fn pop(&self, mark: u64) -> Option<Arc<dyn Node>> {
        if self.end() <= mark || self.len() == 0 {
            return None;
        }
        let queue = &mut *self.queue.lock();
        let mut end = self.end();
        let mut found = None;
        while found.is_none() && end > mark && !queue.calls.is_empty() {
            found = queue.calls.pop_back().flatten();
            end -= 1;
        }
        self.end.store(end, Relaxed);
        found
    }

    /// The owner begins a call by itself: takes it out if it is the last one, and what stands before it that somebody has begun, down to `mark`.
    pub(crate) fn begins(&self, call: &Arc<dyn Node>, mark: u64) {
        let last = |entry: &Option<Arc<dyn Node>>| entry.as_ref().is_some_and(|last| Arc::ptr_eq(last, call));
        let begun =
            |entry: &Option<Arc<dyn Node>>| entry.as_ref().is_none_or(|last| last.standing() != Standing::Ready);
        let mut first = true;
        loop {
            let mut queue = self.queue.lock();
            let end = self.end();
            if end <= mark
                || !queue.calls.back().is_some_and(|entry| (first && last(entry)) || (!first && begun(entry)))
            {
                return;
            }
            first = false;
            let entry = queue.calls.pop_back();
            self.end.store(end - 1, Relaxed);
            // Others' code may run when a call goes: without the lock.
            drop(queue);
            drop(entry);
        }
    }

    /// Takes the oldest call.
    pub(crate) fn steal(&self) -> Option<Arc<dyn Node>> {
        if self.len() == 0 {
            return None;
        }
        let queue = &mut *self.queue.lock();
        let mut found = None;
        while found.is_none() && !queue.calls.is_empty() {
            found = queue.calls.pop_front().flatten();
            self.front.store(self.front.load(Relaxed) + 1, Relaxed);
        }
        found
    }

    /// Takes the oldest call at or behind `mark`, if `still` is true while nothing can be taken away or added.
    pub(crate) fn steal_behind(&self, mark: u64, still: impl FnOnce() -> bool) -> Option<Arc<dyn Node>> {
        if self.end() <= mark {
            return None;
        }
        let queue = &mut *self.queue.lock();
        if !still() {
            return None;
        }
        let skip = mark.saturating_sub(self.front.load(Relaxed)) as usize;
        queue.calls.iter_mut().skip(skip).find_map(Option::take)
    }

    /// Notes what the owner waits for, and gives what was noted before.
    pub(crate) fn awaits(&self, call: Option<Arc<dyn Node>>) -> Option<Arc<dyn Node>> {
        std::mem::replace(&mut self.queue.lock().awaited, call)
    }

    /// What the owner waits for.
    pub(crate) fn awaited(&self) -> Option<Arc<dyn Node>> {
        self.queue.lock().awaited.clone()
    }
}
