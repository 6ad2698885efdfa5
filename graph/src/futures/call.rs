//! One submitted call: its work until it starts, its result afterwards.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use super::need::Need;
use super::node::{Core, Node, Outcome, Standing, Then, tell};
use crate::error::{Error, KernelError, Result};
use crate::executor::panic_message;
use crate::pool::{Grant, Here, Pool};
use crate::sync::atomic::Ordering::Acquire;
use crate::sync::thread_local;
use crate::sync::{Mutex, now};

/// Why a call's work gave no result.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The function failed.
    Own(KernelError),
    /// The same, with its name and place.
    Located(Error),
    /// Something failed that has a name and a place of its own: an argument, a computation within.
    Other(Error),
}

impl From<KernelError> for Failure {
    fn from(error: KernelError) -> Self {
        Failure::Own(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}

/// What a call does. It may be called again if it failed and is to be retried.
pub trait Work: Send + 'static {
    /// The result.
    type Output: Clone + Send + Sync + 'static;

    /// Does it.
    ///
    /// # Errors
    /// If it fails.
    fn call(&mut self) -> std::result::Result<Self::Output, Failure>;
}

/// Work that can be done only once.
pub(crate) struct Once<F>(Option<F>);

impl<F> Once<F> {
    pub(crate) fn new(work: F) -> Self {
        Once(Some(work))
    }
}

impl<T, F> Work for Once<F>
where
    T: Clone + Send + Sync + 'static,
    F: FnOnce() -> std::result::Result<T, Failure> + Send + 'static,
{
    type Output = T;

    #[inline]
    fn call(&mut self) -> std::result::Result<T, Failure> {
        match self.0.take() {
            Some(work) => work(),
            None => Err(KernelError::new("it can be called only once").into()),
        }
    }
}

/// Work that can be done again.
pub(crate) struct Again<F>(pub(crate) F);

impl<T, F> Work for Again<F>
where
    T: Clone + Send + Sync + 'static,
    F: FnMut() -> std::result::Result<T, Failure> + Send + 'static,
{
    type Output = T;

    fn call(&mut self) -> std::result::Result<T, Failure> {
        (self.0)()
    }
}

enum Stage<T, W> {
    Waiting(W, Arguments),
    Running,
    Done(Result<T>, Option<Grant>),
    /// Somebody has the result.
    Taken,
}

/// The calls whose results a call takes.
type Arguments = Option<Box<[Arc<dyn Node>]>>;

struct State<T, W> {
    stage: Stage<T, W>,
    then: Vec<Then>,
    failures: u32,
}

pub(crate) struct Call<T, W> {
    core: Core,
    state: Mutex<State<T, W>>,
}

impl<W: Work> Call<W::Output, W> {
    /// A call; `arguments` are the calls whose results `work` takes.
    #[inline]
    pub(crate) fn new(
        work: W,
        name: &'static str,
        location: &'static Location<'static>,
        need: Option<Arc<Need>>,
        pool: Option<Pool>,
        arguments: Vec<Arc<dyn Node>>,
    ) -> Arc<Self> {
        Self::of_run(work, name, location, need, pool, arguments, false)
    }

    /// The same; `is_task` if it is a task of a run, which tells of it.
    #[inline]
    pub(crate) fn of_run(
        work: W,
        name: &'static str,
        location: &'static Location<'static>,
        need: Option<Arc<Need>>,
        pool: Option<Pool>,
        arguments: Vec<Arc<dyn Node>>,
        is_task: bool,
    ) -> Arc<Self> {
        // One more than there are: nothing starts before all arguments know of it.
        let blocked = if arguments.is_empty() { 0 } else { arguments.len() as u32 + 1 };
        let arguments = (!arguments.is_empty()).then(|| arguments.into_boxed_slice());
        let core = Core::new(name, location, need, pool, blocked, is_task);
        let state = State { stage: Stage::Waiting(work, arguments), then: Vec::new(), failures: 0 };
        Arc::new(Call { core, state: Mutex::new(state) })
    }
}

impl<T: Clone + Send + Sync + 'static> Call<T, Once<fn() -> std::result::Result<T, Failure>>> {
    /// A call whose result is there.
    pub(crate) fn done(result: Result<T>, location: &'static Location<'static>) -> Arc<Self> {
        let state = State { stage: Stage::Done(result, None), then: Vec::new(), failures: 0 };
        Arc::new(Call { core: Core::new("scatter", location, None, None, 0, false), state: Mutex::new(state) })
    }
}

impl<W: Work> Call<W::Output, W> {
    /// Ends the call and tells everybody. The lock is not held while others' code runs.
    fn complete(&self, result: Result<W::Output>, grant: Option<Grant>) -> bool {
        self.end(result, grant, false)
    }

    fn end(&self, result: Result<W::Output>, grant: Option<Grant>, unless_begun: bool) -> bool {
        let mut state = self.state.lock();
        let begun = unless_begun && matches!(state.stage, Stage::Running);
        if begun || matches!(state.stage, Stage::Done(..) | Stage::Taken) {
            drop(state);
            return false;
        }
        let before = std::mem::replace(&mut state.stage, Stage::Done(result, grant));
        let then = std::mem::take(&mut state.then);
        drop(state);
        if let Stage::Waiting(work, arguments) = before {
            discard(Box::new((work, arguments)));
        }
        tell(then);
        // If all futures went away while it ran, nobody will take the result.
        if self.core.handles.load(Acquire) == 0 {
            self.abandon();
        }
        true
    }

    /// Puts the work back to be done again after a while; gives it back if it may not be.
    fn retry(self: &Arc<Self>, work: W, grant: &mut Option<Grant>) -> Option<W> {
        let (Some(need), Some(pool)) = (self.core.need.clone(), self.core.pool.clone()) else { return Some(work) };
        if need.retries == 0 {
            return Some(work);
        }
        let mut state = self.state.lock();
        let Some(wait) = need.retry_after(state.failures) else { return Some(work) };
        if !matches!(state.stage, Stage::Running) || self.core.handles.load(Acquire) == 0 {
            return Some(work);
        }
        state.failures += 1;
        state.stage = Stage::Waiting(work, None);
        let time = now().saturating_add(wait);
        self.core.rest_until(time);
        // Threads that sleep until the end look up, to see that there is a time to wait for.
        let (threads, others) =
            std::mem::take(&mut state.then).into_iter().partition(|then| matches!(then, Then::Unpark(_)));
        state.then = others;
        drop(state);
        drop(grant.take());
        pool.enter_later(time, self.clone());
        tell(threads);
        None
    }
}

impl<W: Work> Node for Call<W::Output, W> {
    #[inline]
    fn core(&self) -> &Core {
        &self.core
    }

    fn run(self: Arc<Self>, grant: Option<Grant>) -> bool {
        let mut grant = grant;
        if self.core.is_blocked() {
            return false;
        }
        let mut state = self.state.lock();
        if !matches!(state.stage, Stage::Waiting(..)) {
            return false;
        }
        let Stage::Waiting(mut work, arguments) = std::mem::replace(&mut state.stage, Stage::Running) else {
            return false;
        };
        drop(state);
        drop(arguments);
        let node: Arc<dyn Node> = self.clone();
        let watched = self.core.watched().map(|pool| (pool, now()));
        let result = Here::frame(node, |place| {
            self.core.runs_at(place);
            catch_unwind(AssertUnwindSafe(|| work.call()))
        });
        let tell = |error: Option<&Error>| {
            if let Some((pool, begin)) = &watched {
                self.core.tell(pool, *begin, error);
            }
        };
        let (error, own) = match result {
            Ok(Ok(value)) => {
                // What the work still holds is dropped before anybody hears of the result.
                drop(work);
                if let Some(grant) = &mut grant {
                    grant.end();
                }
                tell(None);
                self.complete(Ok(value), grant);
                return true;
            }
            // What an argument failed with, it will fail with again.
            Ok(Err(Failure::Other(error))) => (error, false),
            Ok(Err(Failure::Located(error))) => (error, true),
            Ok(Err(Failure::Own(source))) => (Error::Kernel { site: self.core.site(), source }, true),
            Err(payload) => (Error::Panic { site: self.core.site(), message: panic_message(&*payload) }, true),
        };
        tell(Some(&error));
        let work = if own { self.retry(work, &mut grant) } else { Some(work) };
        if work.is_some() {
            drop((work, grant));
            self.complete(Err(error), None);
        }
        true
    }

    fn standing(&self) -> Standing {
        match self.state.lock().stage {
            Stage::Waiting(..) if self.core.is_blocked() => Standing::Blocked,
            Stage::Waiting(..) => Standing::Ready,
            Stage::Running => Standing::Running,
            Stage::Done(..) | Stage::Taken => Standing::Done,
        }
    }

    fn subscribe(&self, then: Then) -> std::result::Result<(), Then> {
        let mut state = self.state.lock();
        if matches!(state.stage, Stage::Done(..) | Stage::Taken) {
            return Err(then);
        }
        // Whoever asks again and again is told once.
        let same = |other: &Then| match (other, &then) {
            (Then::Wake(other), Then::Wake(waker)) => other.will_wake(waker),
            (Then::Unpark(other), Then::Unpark(parker)) => Arc::ptr_eq(other, parker),
            _ => false,
        };
        if !state.then.iter().any(same) {
            state.then.push(then);
        }
        Ok(())
    }

    fn missing(&self) -> Option<Arc<dyn Node>> {
        let state = self.state.lock();
        let Stage::Waiting(_, Some(arguments)) = &state.stage else { return None };
        // The lock of a call is taken before those of its arguments: they cannot be arguments of each other.
        arguments.iter().find(|argument| argument.standing() != Standing::Done).cloned()
    }

    fn fail(&self, error: Error) -> bool {
        self.complete(Err(error), None)
    }

    fn revoke(&self, error: Error) -> bool {
        self.end(Err(error), None, true)
    }
}

impl<W: Work> Outcome<W::Output> for Call<W::Output, W> {
    #[inline]
    fn take(&self, last: bool) -> Option<Result<W::Output>> {
        let mut state = self.state.lock();
        match &mut state.stage {
            Stage::Done(result, _) if !last => Some(result.clone()),
            Stage::Done(..) => match std::mem::replace(&mut state.stage, Stage::Taken) {
                Stage::Done(result, grant) => {
                    drop(state);
                    drop(grant);
                    Some(result)
                }
                _ => None,
            },
            Stage::Taken => {
                Some(Err(Error::Dropped { operation: format!("{}, whose result was taken,", self.core.name()) }))
            }
            _ => None,
        }
    }

    fn failed(&self) -> Option<bool> {
        match &self.state.lock().stage {
            Stage::Done(result, _) => Some(result.is_err()),
            _ => None,
        }
    }

    fn abandon(&self) {
        let mut state = self.state.lock();
        match state.stage {
            // Somebody may wait for it by other ways than a future.
            Stage::Waiting(..) => {
                drop(state);
                self.revoke(Error::Dropped { operation: self.core.describe() });
            }
            Stage::Done(..) => {
                let result = std::mem::replace(&mut state.stage, Stage::Taken);
                drop(state);
                drop(result);
            }
            Stage::Running | Stage::Taken => {}
        }
    }

    fn into_node(self: Arc<Self>) -> Arc<dyn Node> {
        self
    }
}

thread_local! {
    /// Work that is being discarded on this thread: a call holds its arguments, which hold theirs, and a chain of a million
    /// must not be dropped a million frames deep.
    static DISCARDED: RefCell<Option<Vec<Box<dyn Any + Send>>>> = const { RefCell::new(None) };
}

fn discard(work: Box<dyn Any + Send>) {
    let mut work = Some(work);
    let first = DISCARDED.try_with(|discarded| {
        let mut discarded = discarded.borrow_mut();
        match &mut *discarded {
            Some(others) => {
                others.extend(work.take());
                false
            }
            None => {
                *discarded = Some(Vec::new());
                true
            }
        }
    });
    drop(work);
    if matches!(first, Ok(true)) {
        while let Ok(Some(next)) = DISCARDED.try_with(|discarded| discarded.borrow_mut().as_mut().and_then(Vec::pop)) {
            drop(next);
        }
        let _ = DISCARDED.try_with(|discarded| discarded.borrow_mut().take());
    }
}
