//! What happens during a run, for whoever wants to watch.

use std::time::Duration;

use crate::error::Error;
use crate::memory::Excess;
use crate::plan::Plan;
use crate::task::TaskId;

/// Something that happened. Times are counted from the start of the run.
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
    /// A task made more bytes than its layer declared. Later tasks of the layer are admitted by what it really makes.
    Excess {
        /// The task.
        task: TaskId,
        /// By how much.
        excess: Excess,
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

/// Watches runs. Called on the threads that run tasks: be quick.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn on(&self, event: &Event<'_>);
}
