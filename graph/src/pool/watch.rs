//! Who is told of submitted calls.

use std::sync::Arc;
use std::time::Duration;

use super::{Pool, Shared};
use crate::events::{Event, Observer};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering::Relaxed};
use crate::sync::now;

/// The observers of a pool's calls.
#[derive(Default)]
pub(super) struct Watchers {
    /// Whether there are any: all that a call looks at if there are none.
    on: AtomicBool,
    list: Mutex<Vec<Watcher>>,
}

struct Watcher {
    observer: Arc<dyn Observer>,
    /// When it began to watch.
    since: Duration,
}

/// Lets an observer watch a pool's calls, until it is dropped: see [`Pool::observe`].
#[must_use = "the observer watches until this is dropped"]
pub struct Observing {
    pool: Arc<Shared>,
    observer: Arc<dyn Observer>,
}

impl Pool {
    /// Tells an observer of each submitted call that ends ([`Event::Call`]), until what is given is dropped; calls of every session that has the
    /// pool. What it takes, the call's thread waits for. Without observers a call costs a look at a flag more.
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
    /// use talatat_graph::{Event, Observer, Threads};
    ///
    /// #[derive(Default)]
    /// struct Calls(AtomicUsize);
    /// impl Observer for Calls {
    ///     fn on(&self, event: &Event<'_>) {
    ///         if let Event::Call { .. } = event {
    ///             self.0.fetch_add(1, Ordering::Relaxed);
    ///         }
    ///     }
    /// }
    ///
    /// let (pool, calls) = (Threads::new(2).pool(), Arc::new(Calls::default()));
    /// let watching = pool.observe(calls.clone());
    /// assert_eq!(pool.submit(|| 6 * 7).result()?, 42);
    /// drop(watching);
    /// assert_eq!(calls.0.load(Ordering::Relaxed), 1);
    /// # Ok::<(), talatat_graph::Error>(())
    /// ```
    pub fn observe(&self, observer: Arc<dyn Observer>) -> Observing {
        let watchers = &self.shared().watchers;
        let mut list = watchers.list.lock();
        list.push(Watcher { observer: observer.clone(), since: now() });
        watchers.on.store(true, Relaxed);
        drop(list);
        Observing { pool: self.shared().clone(), observer }
    }
}

impl Drop for Observing {
    fn drop(&mut self) {
        let watchers = &self.pool.watchers;
        let mut list = watchers.list.lock();
        let gone = list.iter().position(|watcher| Arc::ptr_eq(&watcher.observer, &self.observer));
        let gone = gone.map(|at| list.remove(at));
        watchers.on.store(!list.is_empty(), Relaxed);
        // The observer may be the last owner of anything: it goes without the lock.
        drop(list);
        drop(gone);
    }
}

impl Shared {
    /// Whether anybody wants to hear of calls.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.watchers.on.load(Relaxed)
    }

    /// Tells all observers of a call; `event` is given when each of them began to watch. No lock is held meanwhile.
    #[cold]
    pub(crate) fn tell<'a>(&self, event: impl Fn(Duration) -> Event<'a>) {
        let watchers: Vec<(Arc<dyn Observer>, Duration)> =
            self.watchers.list.lock().iter().map(|watcher| (watcher.observer.clone(), watcher.since)).collect();
        watchers.iter().for_each(|(observer, since)| observer.on(&event(*since)));
    }
}
