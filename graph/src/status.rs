//! What a run is doing now, asked from outside.

use std::sync::{Arc, Weak};
use std::time::Duration;

// Not the locks of the pool's model: nothing is done under this one that another thread could wait for.
use parking_lot::Mutex;

use crate::memory::Residency;
use crate::plan::Plan;
use crate::scheduler::Scheduler;
use crate::store::Store;
use crate::task::TaskId;

/// A run that can be asked what it is doing.
pub trait Probe: Send + Sync {
    /// What it is doing now; `None` if it is over. Holds the run's lock for up to O(tasks).
    fn status(&self) -> Option<RunStatus>;

    /// How far it is and what it holds; `None` if it is over. Holds the run's lock for O(threads): cheap enough for a thousand times a
    /// second.
    fn levels(&self) -> Option<Levels>;
}

/// A task that failed, and its plan.
type Failure = (Arc<Plan>, TaskId);

/// The runs of a session that are going on: executors put theirs here, whoever wants to know asks. Clones are the same board.
///
/// ```
/// use talatat_graph::RunContext;
/// assert!(RunContext::default().board.statuses().is_empty());
/// ```
#[derive(Clone, Default)]
pub struct Board {
    runs: Arc<Mutex<Vec<Weak<dyn Probe>>>>,
    failure: Arc<Mutex<Option<Failure>>>,
    outer: Option<Arc<Board>>,
}

impl Board {
    /// An empty board; what is put on it is put on this one, too.
    pub fn within(&self) -> Board {
        Board { outer: Some(Arc::new(self.clone())), ..Board::default() }
    }

    /// Puts a run on the board; it leaves it when it is dropped.
    pub fn enter(&self, run: Weak<dyn Probe>) {
        if let Some(outer) = &self.outer {
            outer.enter(run.clone());
        }
        let mut runs = self.runs.lock();
        runs.retain(|run| run.strong_count() > 0);
        runs.push(run);
    }

    /// What all runs are doing, in the order in which they started.
    pub fn statuses(&self) -> Vec<RunStatus> {
        self.runs().iter().filter_map(|run| run.status()).collect()
    }

    /// How far all runs are.
    pub fn levels(&self) -> Vec<Levels> {
        self.runs().iter().filter_map(|run| run.levels()).collect()
    }

    /// Notes which task of which plan has failed; the note stays until another task fails or it is taken off.
    pub fn failed(&self, plan: &Arc<Plan>, task: TaskId) {
        if let Some(outer) = &self.outer {
            outer.failed(plan, task);
        }
        // The plan of an earlier failure is not freed under the lock.
        let _earlier = self.failure.lock().replace((plan.clone(), task));
    }

    /// The last task that has failed, and its plan.
    pub fn failure(&self) -> Option<(Arc<Plan>, TaskId)> {
        self.failure.lock().clone()
    }

    /// Runs are not asked under the board's lock: one may take its time, and others want to enter.
    fn runs(&self) -> Vec<Arc<dyn Probe>> {
        self.runs.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

/// How far a run is, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// The time since it started.
    pub elapsed: Duration,
    /// Tasks that have finished.
    pub finished: usize,
    /// Threads that run tasks or write results to the disk.
    pub running: usize,
    /// Bytes that results hold.
    pub held: u64,
    /// Bytes that running tasks have reserved beside them.
    pub reserved: u64,
}

/// What a run is doing.
#[derive(Clone, Debug)]
pub struct RunStatus {
    /// What runs.
    pub plan: Arc<Plan>,
    /// How many threads may run tasks.
    pub threads: usize,
    /// Since when.
    pub elapsed: Duration,
    /// Whether the run was cancelled and ends when the running tasks do.
    pub cancelled: bool,
    /// Tasks that have finished.
    pub finished: usize,
    /// Tasks that are running.
    pub running: Vec<Running>,
    /// Tasks whose inputs have all been computed and that have not started.
    pub ready: usize,
    /// Bytes that results hold.
    pub held: u64,
    /// Bytes that running tasks have reserved beside them.
    pub reserved: u64,
    /// Why the first ready task does not start, if it is for memory.
    pub held_up: Option<HeldUp>,
    /// The first wanted result that is not there, and what it waits for.
    pub wanted: Option<Waiting>,
}

impl RunStatus {
    /// What scheduler and store say of a run on one thread that has just begun: whoever runs it knows the rest.
    pub(crate) fn of(plan: &Arc<Plan>, scheduler: &Scheduler, store: &Store, running: Vec<Running>) -> RunStatus {
        RunStatus {
            plan: plan.clone(),
            threads: 1,
            elapsed: Duration::ZERO,
            cancelled: false,
            finished: scheduler.finished_tasks(),
            ready: scheduler.ready_tasks(),
            held: store.live(),
            reserved: scheduler.reserved(),
            held_up: scheduler.held_up(store),
            wanted: scheduler.wanted(&running),
            running,
        }
    }

    /// Tasks that wait for inputs.
    pub fn waiting(&self) -> usize {
        let tasks = self.running.iter().filter(|running| !running.writes).count();
        self.plan.graph().len().saturating_sub(self.finished + tasks + self.ready)
    }
}

/// What a thread is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The task, or the task whose result is being written to the disk.
    pub task: TaskId,
    /// The thread.
    pub thread: usize,
    /// For how long (of short tasks that a thread takes together, unless the run is watched: since it took them).
    pub age: Duration,
    /// Whether the task's result is being written to the disk, instead of the task being run.
    pub writes: bool,
}

/// A ready task that waits for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldUp {
    /// The task.
    pub task: TaskId,
    /// Bytes that it needs to start.
    pub needs: u64,
    /// Bytes that are lacking.
    pub lacks: u64,
    /// Whether they are lacking because the task would run ahead of the plan's order, which may take only what the limit leaves
    /// beyond what the tasks before it need.
    pub ahead: bool,
}

/// A wanted result and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The task whose result is wanted.
    pub result: TaskId,
    /// The task on the way to it that waits for inputs none of which waits for inputs itself; the result's own if that is so.
    pub at: TaskId,
    /// Inputs of that task that are lacking: running or ready. At most [`Waiting::MOST`] of them.
    pub inputs: Vec<TaskId>,
    /// How many are lacking.
    pub lacking: usize,
}

impl Waiting {
    /// The most inputs that are named.
    pub const MOST: usize = 8;
}
