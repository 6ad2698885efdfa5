//! Futures: handles of submitted calls, and how calls are submitted.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::call::{Again, Call, Failure, Once, Work};
use super::need::Need;
use super::node::{Node, Outcome, Standing, Then, link};
use crate::error::{Error, Result};
use crate::pool::{Here, Pool, begin, wait};
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// The result of a submitted call: there already, or some time later. Cloning shares it.
///
/// [`result`](Future::result) waits for it; on a thread of the pool it works meanwhile. Any asynchronous runtime can `.await` it. When the
/// last future of a call that has not begun is dropped, so is the call.
///
/// ```
/// use talatat_graph::Pool;
/// let pool = talatat_graph::Threads::new(2).pool();
/// let answer = pool.submit(|| 6 * 7);
/// assert_eq!(answer.result()?, 42);
/// # Ok::<(), talatat_graph::Error>(())
/// ```
#[must_use = "dropping the last future of a call that has not begun drops the call: `detach` lets it run"]
pub struct Future<T>(Arc<dyn Outcome<T>>);

impl<T: Clone + Send + Sync + 'static> Future<T> {
    pub(super) fn of<W: Work<Output = T>>(call: Arc<Call<T, W>>) -> Future<T> {
        Future(call)
    }
}

impl<T> Clone for Future<T> {
    #[inline]
    fn clone(&self) -> Self {
        self.0.core().handles.fetch_add(1, Relaxed);
        Future(self.0.clone())
    }
}

impl<T> Drop for Future<T> {
    #[inline]
    fn drop(&mut self) {
        if self.0.core().handles.fetch_sub(1, AcqRel) == 1 {
            self.0.abandon();
        }
    }
}

impl<T> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Future({}, {:?})", self.0.core().name(), self.0.standing())
    }
}

impl<T: Clone + Send + Sync + 'static> Future<T> {
    /// A future whose result is there.
    #[track_caller]
    pub fn ready(value: T) -> Future<T> {
        Future(Call::done(Ok(value), Location::caller()))
    }

    /// A future that has failed.
    #[track_caller]
    pub fn failed(error: Error) -> Future<T> {
        Future(Call::done(Err(error), Location::caller()))
    }

    /// The result. Waits for it: a thread of the pool works meanwhile, on what this call needs, and any thread runs the call itself if
    /// nobody has begun it. The last future hands the result over, others copy it.
    ///
    /// # Errors
    /// If the call or one of its arguments failed, panicked or was cancelled; or if the call cannot end before the one that waits does.
    pub fn result(self) -> Result<T> {
        if self.0.standing() == Standing::Ready {
            begin(&self.node());
        }
        loop {
            // Nobody can make a second future of the only one.
            if let Some(result) = self.0.take(self.0.core().handles.load(Acquire) == 1) {
                return result;
            }
            wait(&self.node())?;
        }
    }

    /// Waits for the end of the call, as [`result`](Future::result) does, and leaves the result where it is.
    ///
    /// # Errors
    /// If the call cannot end before the one that waits does.
    pub fn wait(&self) -> Result<()> {
        wait(&self.node())
    }

    /// Whether the call has ended, well or not.
    pub fn is_done(&self) -> bool {
        self.0.standing() == Standing::Done
    }

    /// Whether the call has ended with an error; `None` if it has not ended.
    pub fn is_failed(&self) -> Option<bool> {
        self.0.failed()
    }

    /// The name of the call.
    pub fn name(&self) -> &str {
        self.0.core().name()
    }

    /// Ends the call with an error, for all who wait for it. If it runs, it cannot be stopped, but its result is dropped;
    /// [`is_cancelled`] tells it. Returns whether the call had not ended.
    pub fn cancel(&self) -> bool {
        self.0.fail(Error::Dropped { operation: self.0.core().describe() })
    }

    /// Calls `work` with this future when the call has ended: on the thread that ended it, or at once. The call then runs even if all
    /// other futures of it are dropped.
    pub fn on_done(&self, work: impl FnOnce(Future<T>) + Send + 'static) {
        let future = self.clone();
        if let Err(Then::Call(work)) = self.0.subscribe(Then::Call(Box::new(move || work(future)))) {
            work();
        }
    }

    /// Lets the call run though nobody wants its result.
    pub fn detach(self) {
        self.on_done(drop);
    }

    /// Ends the call with an error if nobody has begun it.
    pub(crate) fn revoke(&self) {
        self.0.revoke(Error::Dropped { operation: self.0.core().describe() });
    }

    pub(crate) fn node(&self) -> Arc<dyn Node> {
        self.0.clone().into_node()
    }
}

impl<T: Clone + Send + Sync + 'static> std::future::Future for Future<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        loop {
            if let Some(result) = self.0.take(self.0.core().handles.load(Acquire) == 1) {
                return Poll::Ready(result);
            }
            if self.0.subscribe(Then::Wake(context.waker().clone())).is_ok() {
                return Poll::Pending;
            }
        }
    }
}

/// Whether the result of the call that runs on this thread is not wanted any more: calls that take long ask now and then.
pub fn is_cancelled() -> bool {
    let call = Here::with(|here| here.call().cloned()).flatten();
    call.is_some_and(|call| call.standing() == Standing::Done || call.core().handles.load(Acquire) == 0)
}

/// Whether this thread is running a submitted call.
pub fn in_call() -> bool {
    Here::with(|here| here.call().is_some()).unwrap_or(false)
}

/// A call that is about to be submitted: what it takes, and its annotations.
///
/// ```
/// use talatat_graph::{Need, Submit, Threads};
/// let pool = Threads::new(2).pool();
/// let (one, two) = (pool.submit(|| 1), pool.submit(|| 2));
/// let mut sum = Submit::new("sum");
/// sum.takes(&one).takes(&two).need(Need::default().priority(1));
/// let sum = sum.once(&pool, move || Ok(one.result()? + two.result()?))?;
/// assert_eq!(sum.result()?, 3);
/// # Ok::<(), talatat_graph::Error>(())
/// ```
pub struct Submit {
    name: &'static str,
    location: &'static Location<'static>,
    need: Option<Need>,
    arguments: Vec<Arc<dyn Node>>,
    is_task: bool,
}

impl Submit {
    /// A call with a name, submitted by the caller.
    #[track_caller]
    #[inline]
    pub fn new(name: &'static str) -> Submit {
        Submit { name, location: Location::caller(), need: None, arguments: Vec::new(), is_task: false }
    }

    /// The call is a task of a run, which tells of it.
    pub(crate) fn task(&mut self) -> &mut Submit {
        self.is_task = true;
        self
    }

    /// The call waits for another one: it starts when that has ended, well or not.
    pub fn takes<T: Clone + Send + Sync + 'static>(&mut self, future: &Future<T>) -> &mut Submit {
        if !future.is_done() {
            self.arguments.push(future.node());
        }
        self
    }

    /// Annotates the call.
    pub fn need(&mut self, need: Need) -> &mut Submit {
        self.need = Some(need);
        self
    }

    /// Where the user wrote the call.
    pub fn at(&mut self, location: &'static Location<'static>) -> &mut Submit {
        self.location = location;
        self
    }

    /// Submits work that is done once: it cannot be retried.
    ///
    /// # Errors
    /// If the annotations ask for what there is not.
    #[inline]
    pub fn once<T, F>(self, pool: &Pool, work: F) -> Result<Future<T>>
    where
        T: Clone + Send + Sync + 'static,
        F: FnOnce() -> std::result::Result<T, Failure> + Send + 'static,
    {
        self.work(pool, Once::new(work))
    }

    /// Submits work that can be done again if it fails.
    ///
    /// # Errors
    /// If the annotations ask for what there is not.
    pub fn again<T, F>(self, pool: &Pool, work: F) -> Result<Future<T>>
    where
        T: Clone + Send + Sync + 'static,
        F: FnMut() -> std::result::Result<T, Failure> + Send + 'static,
    {
        self.work(pool, Again(work))
    }

    #[inline]
    fn work<W: Work>(self, pool: &Pool, work: W) -> Result<Future<W::Output>> {
        if let Some(need) = &self.need {
            pool.check(need, need.name.as_deref().unwrap_or(self.name))?;
        }
        // The children of a call are in the deque of its thread; what is annotated or waits for others is everybody's.
        let plain = self.need.is_none() && self.arguments.is_empty();
        let own = if plain { pool.own_deque() } else { None };
        let (owner, need) = (own.is_none().then(|| pool.clone()), self.need.map(Arc::new));
        let arguments = self.arguments.clone();
        let call = Call::of_run(work, self.name, self.location, need, owner, self.arguments, self.is_task);
        match own {
            Some(deque) => pool.shared().push(deque, call.clone()),
            None if arguments.is_empty() => pool.enter(call.clone()),
            None => {
                let node: Arc<dyn Node> = call.clone();
                link(&node, &arguments);
            }
        }
        Ok(Future(call))
    }
}

/// Submits work to the pool that runs the current call, as its child: the short way for work that is split again and again. Outside of a
/// pool's calls it runs at once.
///
/// ```
/// use talatat_graph::{Threads, spawn};
/// fn fib(n: u64) -> u64 {
///     if n < 2 {
///         return n;
///     }
///     let first = spawn(move || fib(n - 1));
///     let second = fib(n - 2);
///     first.result().map_or(0, |first| first + second)
/// }
/// assert_eq!(Threads::new(2).pool().submit(|| fib(15)).result()?, 610);
/// # Ok::<(), talatat_graph::Error>(())
/// ```
#[track_caller]
#[inline]
pub fn spawn<T, F>(work: F) -> Future<T>
where
    T: Clone + Send + Sync + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let once = Once::new(move || Ok(work()));
    let call = Call::new(once, std::any::type_name::<F>(), Location::caller(), None, None, Vec::new());
    let mine = Here::with(|here| here.deque.map(|deque| here.pool.push(deque, call.clone())));
    if mine.flatten().is_none() {
        call.clone().run(None);
    }
    Future(call)
}

impl Pool {
    /// Submits work: the short way, without arguments and annotations.
    #[track_caller]
    #[inline]
    pub fn submit<T, F>(&self, work: F) -> Future<T>
    where
        T: Clone + Send + Sync + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let submit = Submit::new(std::any::type_name::<F>());
        submit.once(self, move || Ok(work())).unwrap_or_else(Future::failed)
    }

    /// The deque for calls that this thread submits, if it belongs to the pool.
    #[inline]
    fn own_deque(&self) -> Option<usize> {
        let deque = Here::with(|here| if Arc::ptr_eq(&here.pool, self.shared()) { here.deque } else { None });
        // The deque for threads from outside may be left behind: its calls are everybody's.
        deque.flatten().filter(|&deque| !self.is_guests(deque))
    }
}
