//! Executors: one trait, and what runs graphs in this process.

mod invoke;
mod spilling;
mod sync;
pub mod testing;
mod threads;

use std::sync::Arc;

use crate::cancel::Cancel;
use crate::error::Result;
use crate::events::{Observer, Watch};
use crate::memory::{Cache, Headroom, Reclaim, SpillSpace};
use crate::plan::Plan;
use crate::pool::Pool;
use crate::registry::Registry;
use crate::status::Board;
use crate::value::Value;

pub use invoke::invoke;
pub(crate) use invoke::{invoke_layer, panic_message, task_site};
pub(crate) use spilling::reads_again;
pub use sync::{Synchronous, run_in_order};
pub use threads::Threads;

/// What a run is given beside its plan.
#[derive(Clone, Default)]
pub struct RunContext {
    /// Stops the run.
    pub cancel: Cancel,
    /// Who watches.
    pub observers: Vec<Arc<dyn Observer>>,
    /// The kernels and blocks that can travel.
    pub registry: Arc<Registry>,
    /// Where results go when memory is short.
    pub spill: Option<SpillSpace>,
    /// What the machine has left: where that is less than the memory limit, it is the limit.
    pub headroom: Option<Arc<dyn Headroom>>,
    /// What is given back first when memory is short.
    pub reclaim: Option<Arc<dyn Reclaim>>,
    /// What keeps results that cost much for graphs to come. It is part of what [`reclaim`](RunContext::reclaim) gives back.
    pub cache: Option<Arc<Cache>>,
    /// Nanoseconds that each task of the plan is expected to take by what was measured before, for executors that cut plans to pieces; empty if
    /// nothing was measured.
    pub times: Vec<f64>,
    /// The runs that are going on, for whoever wants to know what they are doing.
    pub board: Board,
}

impl RunContext {
    /// The observers of a run that starts now; they are told that it does.
    pub fn watch(&self, plan: &Arc<Plan>, threads: usize) -> Watch {
        Watch::new(&self.observers, plan, threads)
    }
}

/// Runs plans.
///
/// An executor runs each task of the plan once, after its inputs, as the [`Scheduler`](crate::Scheduler) says or in any
/// other order that respects the edges, and returns the plan's outputs in their order. The first error
/// ends the run: tasks that are running finish, no other one starts, and all blocks are freed.
///
/// [`conformance`](testing::conformance) checks an implementation.
pub trait Executor: Send + Sync {
    /// The executor's name, as settings and reports name it.
    fn name(&self) -> &str;

    /// How many tasks it may run at once.
    fn threads(&self) -> usize {
        1
    }

    /// Where calls run that are submitted: by default on the thread that submits them, at once.
    ///
    /// # Errors
    /// If the executor never computes.
    fn pool(&self) -> Result<Pool> {
        Ok(Pool::inline())
    }

    /// Whether tasks run in other processes, whose memory is not this one's.
    fn elsewhere(&self) -> bool {
        false
    }

    /// What it would do with a plan beyond what the plan says itself, for `explain`: some lines of text. `times` are the nanoseconds that each
    /// task is expected to take by what was measured before; they are empty if nothing was.
    fn outlook(&self, plan: &Plan, times: &[f64]) -> Option<String> {
        let _ = (plan, times);
        None
    }

    /// What timelines call the threads, by their numbers, if they have names of their own: those of machines, for instance.
    fn lanes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Runs a plan and returns its outputs; under a memory limit some may be on disk ([`Value::loaded`] brings them here).
    fn execute(&self, plan: Arc<Plan>, context: &RunContext) -> Result<Vec<Value>>;
}
