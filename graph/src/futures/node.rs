//! What all calls have, whatever they give: where they stand, what they wait for, and who is told when they have ended.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::need::Need;
use crate::error::{Error, Result, TaskSite};
use crate::events::Event;
use crate::pool::{Grant, Here, Parker, Pool, Shared};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};
use crate::sync::now;

/// Who is told when a call has ended.
pub(crate) enum Then {
    /// A call that waits for this one among others.
    Count(Arc<dyn Node>),
    /// A thread.
    Unpark(Arc<Parker>),
    /// A task of an asynchronous runtime.
    Wake(Waker),
    /// Anybody else.
    Call(Box<dyn FnOnce() + Send>),
}

/// Where a call stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Some argument is not there yet.
    Blocked,
    /// Nobody has begun it.
    Ready,
    /// It runs.
    Running,
    /// It has ended.
    Done,
}

/// What all calls have, whatever they give.
pub(crate) struct Core {
    /// Arguments that are not there yet.
    blocked: AtomicU32,
    /// Futures of this call.
    pub(super) handles: AtomicU32,
    /// Where it runs: the number of the deque, counted from 1, and the place of its first child there.
    place: AtomicU64,
    /// When it may be tried again, in nanoseconds.
    rests_until: AtomicU64,
    name: &'static str,
    location: &'static Location<'static>,
    /// The pool, if no thread of it has submitted the call.
    pub(crate) pool: Option<Pool>,
    pub(crate) need: Option<Arc<Need>>,
    /// It is a task of a run, which tells of it.
    is_task: bool,
}

/// Bits of [`Core::place`] for the place within a deque.
const PLACE_BITS: u32 = 48;

impl Core {
    pub(super) fn new(
        name: &'static str,
        location: &'static Location<'static>,
        need: Option<Arc<Need>>,
        pool: Option<Pool>,
        blocked: u32,
        is_task: bool,
    ) -> Core {
        Core {
            blocked: AtomicU32::new(blocked),
            handles: AtomicU32::new(1),
            place: AtomicU64::new(0),
            rests_until: AtomicU64::new(0),
            name,
            location,
            pool,
            need,
            is_task,
        }
    }

    /// Whether arguments are missing.
    #[inline]
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Acquire) > 0
    }

    /// The pool, if anybody wants to hear of its calls.
    #[inline]
    pub(super) fn watched(&self) -> Option<Arc<Shared>> {
        let wanted = |pool: &Arc<Shared>| (pool.is_watched() && !self.is_task).then(|| pool.clone());
        match &self.pool {
            Some(pool) => wanted(pool.shared()),
            None => Here::with(|here| wanted(&here.pool)).flatten(),
        }
    }

    /// Tells of the call that it ended.
    #[cold]
    pub(super) fn tell(&self, pool: &Shared, begin: Duration, error: Option<&Error>) {
        let (end, thread) = (now(), Here::number());
        pool.tell(|since| Event::Call {
            name: self.name(),
            location: self.location,
            thread,
            start: begin.saturating_sub(since),
            end: end.saturating_sub(since),
            error,
        });
    }

    /// The call's name.
    pub(crate) fn name(&self) -> &str {
        self.need.as_ref().and_then(|need| need.name.as_deref()).unwrap_or_else(|| short_name(self.name))
    }

    /// What errors say of it.
    pub(crate) fn site(&self) -> TaskSite {
        TaskSite {
            operation: self.name().into(),
            block: 0,
            inputs: Box::default(),
            location: Some(self.location),
            worker: None,
        }
    }

    /// One line for errors about waiting.
    pub(crate) fn describe(&self) -> String {
        format!("{} (called at {}:{})", self.name(), self.location.file(), self.location.line())
    }

    /// The deque that the call's children are in, and from which place on, while it runs.
    pub(crate) fn place(&self) -> Option<(usize, u64)> {
        let place = self.place.load(Acquire);
        let deque = (place >> PLACE_BITS) as usize;
        (deque > 0).then(|| (deque - 1, place & ((1 << PLACE_BITS) - 1)))
    }

    /// For how long it is not to be tried again after a failure.
    pub(crate) fn rest(&self) -> Option<Duration> {
        let until = Duration::from_nanos(self.rests_until.load(Acquire));
        if until.is_zero() { None } else { until.checked_sub(now()).filter(|rest| !rest.is_zero()) }
    }

    /// It is not to be tried again before this time.
    pub(super) fn rest_until(&self, time: Duration) {
        self.rests_until.store(time.as_nanos().min(u64::MAX.into()) as u64, Release);
    }

    pub(super) fn runs_at(&self, deque: Option<(usize, u64)>) {
        let place = deque.map_or(0, |(deque, mark)| (deque as u64 + 1) << PLACE_BITS | mark);
        self.place.store(place, Release);
    }
}

/// `a::b::increment` as `increment`, and a closure in `a::b::main` as `main::{{closure}}`.
fn short_name(path: &str) -> &str {
    let path = path.split('<').next().unwrap_or(path);
    let closure = path.strip_suffix("::{{closure}}").unwrap_or(path);
    closure.rfind("::").map_or(path, |at| &path[at + 2..])
}

/// A call, whatever it gives.
pub(crate) trait Node: Send + Sync {
    fn core(&self) -> &Core;

    /// Runs the call on this thread, unless somebody has begun it or arguments are missing. `grant` is what has been reserved for it.
    fn run(self: Arc<Self>, grant: Option<Grant>) -> bool;

    fn standing(&self) -> Standing;

    /// Lets somebody be told; gives it back if the call has ended.
    fn subscribe(&self, then: Then) -> std::result::Result<(), Then>;

    /// An argument of a call that cannot start.
    fn missing(&self) -> Option<Arc<dyn Node>>;

    /// Ends the call with an error, unless it has ended.
    fn fail(&self, error: Error) -> bool;

    /// The same, if nobody has begun it.
    fn revoke(&self, error: Error) -> bool;
}

/// What a future asks of its call.
pub(crate) trait Outcome<T>: Node {
    /// The result, taken or copied, if the call has ended.
    fn take(&self, last: bool) -> Option<Result<T>>;

    /// Whether it failed, if it has ended.
    fn failed(&self) -> Option<bool>;

    /// Nobody has a future of the call any more.
    fn abandon(&self);

    fn into_node(self: Arc<Self>) -> Arc<dyn Node>;
}

/// An argument of `call` is there, or all of them have been looked at: it starts when this was said for each.
pub(crate) fn count_down(call: Arc<dyn Node>) {
    if call.core().blocked.fetch_sub(1, AcqRel) == 1 {
        let pool = call.core().pool.clone();
        match pool {
            Some(pool) => pool.enter(call),
            // Never so: calls with arguments know their pool. Whoever waits for it runs it.
            None => drop(call),
        }
    }
}

/// Lets each of `arguments` tell `call` that it is there.
pub(crate) fn link(call: &Arc<dyn Node>, arguments: &[Arc<dyn Node>]) {
    for argument in arguments {
        if argument.subscribe(Then::Count(call.clone())).is_err() {
            count_down(call.clone());
        }
    }
    count_down(call.clone());
}

/// Tells everybody who wants to know that a call has ended.
pub(super) fn tell(then: Vec<Then>) {
    for then in then {
        match then {
            Then::Count(call) => count_down(call),
            Then::Unpark(parker) => parker.unpark(),
            Then::Wake(waker) => waker.wake(),
            Then::Call(call) => {
                // A callback that panics has nobody to tell; the others are called all the same.
                let _ = catch_unwind(AssertUnwindSafe(call));
            }
        }
    }
}
