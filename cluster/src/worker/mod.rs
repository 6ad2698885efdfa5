//! Runs units: what a worker's process does.
//!
//! A process has one [`Worker`], whatever runs in it at once: one pool of threads, one budget of memory, the kernels it knows.

mod budget;
mod report;
mod size;

use std::path::PathBuf;
use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;
use talatat_graph::memory::SpillSpace;
use talatat_graph::{
    Cancel, Error, Executor, Observer, Outputs, PASSES, Plan, PlanOptions, Registry, Result, RunContext, Value,
};

use crate::wire::UnitData;
use budget::Budget;
pub use report::{Failure, FailureKind, Report, Site, TaskTime};
pub use size::Size;

/// Runs units on an executor of this process.
pub struct Worker {
    registry: Arc<Registry>,
    executor: Box<dyn Executor>,
    budget: Budget,
    spill: Option<SpillSpace>,
    runs: Mutex<Runs>,
}

/// The runs whose units are here, and those that have been cancelled lately.
#[derive(Default)]
struct Runs {
    running: HashMap<u128, (Cancel, usize)>,
    cancelled: std::collections::VecDeque<u128>,
}

/// As many cancelled runs are remembered: a unit of one may still come.
const REMEMBERED: usize = 256;

impl Worker {
    /// A worker that knows these kernels and runs on this executor.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use talatat_cluster::worker::Worker;
    /// use talatat_graph::{Synchronous, testing::registry};
    /// let worker = Worker::new(Arc::new(registry()), Synchronous).memory_limit(1 << 30, std::env::temp_dir());
    /// assert_eq!(worker.registry().kernel_names(), ["testing.sum"]);
    /// ```
    pub fn new(registry: Arc<Registry>, executor: impl Executor + 'static) -> Worker {
        Worker {
            registry,
            executor: Box::new(executor),
            budget: Budget::default(),
            spill: None,
            runs: Mutex::default(),
        }
    }

    /// The most bytes that units which run at once may need, as their plans project it. A unit that needs more than that runs alone,
    /// with results that go to a folder.
    pub fn memory_limit(mut self, bytes: u64, spill_folder: impl Into<PathBuf>) -> Worker {
        self.budget = Budget::new(bytes);
        self.spill = Some(SpillSpace::new(spill_folder, self.registry.clone()));
        self
    }

    /// Bytes that have gone to the folder and come back because memory was short.
    pub fn spill_traffic(&self) -> (u64, u64) {
        self.spill.as_ref().map_or((0, 0), SpillSpace::traffic)
    }

    /// The kernels and blocks that this worker knows.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// How many threads it runs tasks on.
    pub fn threads(&self) -> usize {
        self.executor.threads()
    }

    /// Runs a unit: `other` gives the outputs of its dependencies, by the dependency's position and the output's number. With
    /// `observe` the times of its tasks are told.
    ///
    /// # Errors
    /// What a task failed with, and which.
    pub fn run(
        &self,
        unit: &[u8],
        other: impl FnMut(u32, u32) -> Result<Value>,
        observe: bool,
    ) -> std::result::Result<(Vec<Value>, Report), Failure> {
        let unit = UnitData::decode(unit).map_err(|error| Failure::of(0, 0, &error))?;
        let cancel = self.enter(unit.run);
        let result = self.run_unit(&unit, other, observe, cancel);
        self.leave(unit.run);
        result.map_err(|error| Failure::of(unit.run, unit.number, &error))
    }

    fn run_unit(
        &self,
        unit: &UnitData,
        other: impl FnMut(u32, u32) -> Result<Value>,
        observe: bool,
        cancel: Cancel,
    ) -> Result<(Vec<Value>, Report)> {
        if cancel.is_cancelled() {
            return Err(Error::Cancelled { done: 0, total: unit.len() });
        }
        let graph = unit.graph(&self.registry, other)?;
        let inputs = graph.len() - unit.len();
        // The driver's plan has been through the passes and is in order.
        let skip = PASSES.iter().map(|pass| pass.name).filter(|&name| name != "check").chain(["order"]);
        let options = PlanOptions {
            memory_limit: self.budget.limit(),
            spill: self.spill.is_some(),
            // They are brought back below: what others read of a unit is small beside what it needs, or the unit is cut badly.
            outputs: Outputs::Anywhere,
            skip_passes: skip.map(String::from).collect(),
            ..PlanOptions::default()
        };
        let plan = Arc::new(Plan::new(graph, &options)?);
        let _reservation = self.budget.reserve(plan.peak().bytes);
        let times = observe.then(|| Arc::new(report::Times::new(inputs)));
        let observers = times.iter().map(|times| times.clone() as Arc<dyn Observer>).collect();
        let (registry, spill) = (self.registry.clone(), self.spill.clone());
        let context = RunContext { cancel, observers, registry, spill, ..RunContext::default() };
        let start = std::time::SystemTime::now();
        let begin = std::time::Instant::now();
        let values = self.executor.execute(plan, &context)?;
        let values: Vec<Value> = values.into_iter().map(Value::loaded).collect::<Result<_>>()?;
        values.iter().try_for_each(portable)?;
        let tasks = times.map_or_else(Vec::new, |times| times.take());
        let report = Report::new(unit.run, unit.number, start, begin.elapsed(), tasks);
        Ok((values, report))
    }

    /// Stops the units of a run: those that run now, after the kernels that they are in, and those that come later.
    pub fn cancel(&self, run: u128) {
        let mut runs = self.runs.lock();
        if let Some((cancel, _)) = runs.running.get(&run) {
            cancel.cancel();
        }
        runs.cancelled.push_back(run);
        if runs.cancelled.len() > REMEMBERED {
            runs.cancelled.pop_front();
        }
    }

    fn enter(&self, run: u128) -> Cancel {
        let mut runs = self.runs.lock();
        let late = runs.cancelled.contains(&run);
        let (cancel, count) = runs.running.entry(run).or_default();
        *count += 1;
        if late {
            cancel.cancel();
        }
        cancel.clone()
    }

    fn leave(&self, run: u128) {
        let mut runs = self.runs.lock();
        if let Some((_, count)) = runs.running.get_mut(&run) {
            *count -= 1;
            if *count == 0 {
                runs.running.remove(&run);
            }
        }
    }
}

/// What a unit gives to others may have to travel.
fn portable(value: &Value) -> Result<()> {
    match value {
        Value::Block(block) if block.codec().is_none() => Err(Error::NotPortable {
            operation: block.describe(),
            reason: "it is the result of a unit, and its type has no codec: implement `Block::codec` and `Block::encode`, and \
                     register the codec by `Registry::block`"
                .into(),
        }),
        Value::Parts(parts) => parts.iter().try_for_each(portable),
        _ => Ok(()),
    }
}
