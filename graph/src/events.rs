//! What happens during a run, for whoever wants to watch.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::memory::Excess;
use crate::plan::Plan;
use crate::task::TaskId;

/// Something that happened. Times are counted from the start of the run; threads are numbered within the executor.
///
/// What a run tells, in this order: `Started`; for each task that starts `TaskStarted`, then on the same thread `Task` or `Failed`, with
/// `ReadBack`s in between if inputs were on disk; `Evicted` between the tasks of a thread; `Finished`. On one thread what starts later
/// ends earlier, so the spans nest; events of several threads come as they come. A cancelled run ends as `Finished` with
/// [`Error::Cancelled`](crate::Error::Cancelled). Executors that run tasks elsewhere may leave out `TaskStarted`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A run starts.
    Started {
        /// What will run.
        plan: &'a Plan,
        /// How many threads may run tasks.
        threads: usize,
    },
    /// A thread begins a task.
    TaskStarted {
        /// The task.
        task: TaskId,
        /// The thread.
        thread: usize,
        /// When.
        at: Duration,
    },
    /// A task ended well.
    Task {
        /// The task.
        task: TaskId,
        /// The thread's number within the executor.
        thread: usize,
        /// When it started.
        start: Duration,
        /// When it ended.
        end: Duration,
        /// Bytes that its result holds.
        bytes: u64,
    },
    /// A task failed; the run will end with this error, or with one that came before.
    Failed {
        /// The task.
        task: TaskId,
        /// The thread.
        thread: usize,
        /// When it started.
        start: Duration,
        /// When it ended.
        end: Duration,
        /// Why.
        error: &'a Error,
    },
    /// A task made more bytes than its layer declared. Later tasks of the layer are admitted by what it really makes.
    Excess {
        /// The task.
        task: TaskId,
        /// By how much.
        excess: Excess,
    },
    /// A result was written to the disk because memory is short.
    Evicted {
        /// The task whose result it is.
        task: TaskId,
        /// The thread that wrote it.
        thread: usize,
        /// When writing started.
        start: Duration,
        /// When it ended.
        end: Duration,
        /// Bytes that were written.
        bytes: u64,
    },
    /// Inputs of a task were read back from the disk.
    ReadBack {
        /// The task that reads them.
        task: TaskId,
        /// The thread.
        thread: usize,
        /// When reading started.
        start: Duration,
        /// When it ended.
        end: Duration,
        /// Bytes that were read.
        bytes: u64,
    },
    /// A submitted call ended, or one of its tries. It belongs to no run: times are counted from when the observer began to watch
    /// ([`Pool::observe`](crate::Pool::observe)). What it submitted itself and waited for on its thread lies within its time. Told before anybody gets
    /// the result.
    Call {
        /// The call's name.
        name: &'a str,
        /// Where it was submitted.
        location: &'static Location<'static>,
        /// The thread: 0 is one from outside.
        thread: usize,
        /// When it started.
        start: Duration,
        /// When it ended.
        end: Duration,
        /// Why it failed, if it did.
        error: Option<&'a Error>,
    },
    /// The run ended.
    Finished {
        /// What was running.
        plan: &'a Plan,
        /// The error it ended with, if any.
        error: Option<&'a Error>,
        /// How long it took.
        elapsed: Duration,
        /// The most bytes that were reserved or held at once, as far as the executor knows.
        peak: Option<u64>,
    },
}

/// Watches runs and submitted calls: a progress bar, a recording, a counter in a service's metrics.
///
/// It is called on the threads that run tasks, between tasks and without any lock: several threads call at once, and what it
/// takes the task's thread waits for. It must not panic. One observer may see several runs at once; what must tell them apart gives each an
/// observer of its own in [`of_run`](Observer::of_run).
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
/// use talatat_graph::*;
///
/// #[derive(Default)]
/// struct Failures(AtomicUsize);
/// impl Observer for Failures {
///     fn on(&self, event: &Event<'_>) {
///         if let Event::Failed { .. } = event {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let failures = Arc::new(Failures::default());
/// let context = RunContext { observers: vec![failures.clone()], ..RunContext::default() };
/// let plan = Plan::new(testing::tree_graph(4, 2), &PlanOptions::default())?;
/// Synchronous.execute(Arc::new(plan), &context)?;
/// assert_eq!(failures.0.load(Ordering::Relaxed), 0);
/// # Ok::<(), Error>(())
/// ```
pub trait Observer: Send + Sync {
    /// Something happened.
    fn on(&self, event: &Event<'_>);

    /// The observer that is to watch this run in the place of this one; `None`: this one watches it itself. Called before `Started`.
    fn of_run(&self, plan: &Arc<Plan>) -> Option<Arc<dyn Observer>> {
        let _ = plan;
        None
    }
}

/// The observers of one run.
pub struct Watch {
    observers: Vec<Arc<dyn Observer>>,
}

impl Watch {
    /// The observers of a run that starts now; they are told so.
    pub(crate) fn new(observers: &[Arc<dyn Observer>], plan: &Arc<Plan>, threads: usize) -> Watch {
        let of_run = |observer: &Arc<dyn Observer>| observer.of_run(plan).unwrap_or_else(|| observer.clone());
        let watch = Watch { observers: observers.iter().map(of_run).collect() };
        watch.tell(&Event::Started { plan, threads });
        watch
    }

    /// Whether anybody watches.
    #[inline]
    pub fn is_on(&self) -> bool {
        !self.observers.is_empty()
    }

    /// Tells all of them.
    #[inline]
    pub fn tell(&self, event: &Event<'_>) {
        self.observers.iter().for_each(|observer| observer.on(event));
    }
}
