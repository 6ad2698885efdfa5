//! What is told of a run while it goes on: units that are done, and why one failed.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hashbrown::HashSet;
use talatat_graph::{Error, Event, Kernel, KernelError, Plan, RunContext, TaskId, TaskSite, Watch};

use super::progress::Progress;
use super::python::unavailable;
use crate::units::{Unit, Units};
use crate::wire::WorkerInfo;
use crate::worker::{Failure, FailureKind, Report, Site};

/// What is known of units that are done.
pub(super) struct Seen<'a> {
    plan: &'a Arc<Plan>,
    context: &'a RunContext,
    pub(super) watch: &'a Watch,
    pub(super) progress: &'a Progress,
    /// The workers when the run began, whose threads are its lanes.
    workers: Vec<WorkerInfo>,
    /// When the run started, by the clock that workers have, too.
    start: Duration,
    units: HashSet<u32>,
}

/// What lanes are called, in their order: those of the workers' threads, and one for workers that were not there when the run began.
pub(super) fn lanes(workers: &[WorkerInfo]) -> Vec<String> {
    let name = |worker: &WorkerInfo, thread: usize| {
        let address = worker.address.split_once("://").map_or(worker.address.as_str(), |(_, rest)| rest);
        if worker.threads > 1 { format!("{address} thread {thread}") } else { address.to_string() }
    };
    let threads = workers.iter().flat_map(|worker| (0..worker.threads).map(move |thread| name(worker, thread)));
    threads.chain(["workers that came later".to_string()]).collect()
}

impl<'a> Seen<'a> {
    pub(super) fn new(
        plan: &'a Arc<Plan>,
        context: &'a RunContext,
        watch: &'a Watch,
        progress: &'a Progress,
        workers: Vec<WorkerInfo>,
    ) -> Seen<'a> {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Seen { plan, context, watch, progress, workers, start, units: HashSet::new() }
    }

    /// How many units are done.
    pub(super) fn units(&self) -> usize {
        self.units.len()
    }

    /// A unit is done. One that was lost and made again counts once.
    pub(super) fn done(&mut self, units: &Units, worker: &str, report: &Report) {
        let Some(unit) = units.units.get(report.unit as usize) else { return };
        if !self.units.insert(report.unit) {
            return;
        }
        self.progress.add(unit.tasks.len());
        // The lanes of a worker's threads stand side by side; workers that were not there before share the last one.
        let place = self.workers.iter().position(|other| other.address == worker);
        let before = self.workers.iter().take(place.unwrap_or(self.workers.len()));
        let first: usize = before.map(|other| other.threads).sum();
        let lane = |thread: u32| if place.is_some() { first + thread as usize } else { first };
        let offset = report.start.saturating_sub(self.start);
        for time in &report.tasks {
            let Some(&task) = unit.tasks.get(time.task as usize) else { continue };
            let start = offset + Duration::from_micros(time.start);
            let end = start + Duration::from_micros(time.elapsed);
            self.watch.tell(&Event::Task { task, thread: lane(time.thread), start, end, bytes: time.bytes });
        }
    }

    /// A task of this process is done.
    pub(super) fn told(&self, task: TaskId, thread: usize, start: Duration, end: Duration, bytes: u64) {
        self.progress.add(1);
        self.watch.tell(&Event::Task { task, thread, start, end, bytes });
    }

    /// Tells whoever watches, and whoever asks later, of a task that failed.
    pub(super) fn fails(&self, task: TaskId, error: &Error) {
        self.context.board.failed(self.plan, task);
        let now = self.progress.elapsed();
        self.watch.tell(&Event::Failed { task, thread: 0, start: now, end: now, error });
    }

    /// A unit's failure as an error of this process, with the line of the user's code.
    pub(super) fn failed(&self, units: &Units, worker: &str, failure: Option<Failure>) -> Error {
        let Some(failure) = failure else {
            return unavailable(format!("a unit failed on {worker} and did not say why"));
        };
        let task = match &failure.kind {
            FailureKind::Kernel(site) | FailureKind::Panic(site) => self.task_of(units, failure.unit, site),
            _ => None,
        };
        let site = |site: Site| TaskSite {
            location: task.and_then(|(_, location)| location),
            operation: site.operation,
            block: site.block,
            inputs: site.inputs.into(),
            worker: Some(worker.into()),
        };
        let error = match failure.kind {
            FailureKind::Kernel(at) => Error::Kernel { site: site(at), source: KernelError::new(failure.message) },
            FailureKind::Panic(at) => Error::Panic { site: site(at), message: failure.message },
            FailureKind::Cancelled => {
                Error::Cancelled { done: self.progress.finished(), total: self.plan.graph().len() }
            }
            FailureKind::NotPortable { operation } => {
                Error::NotPortable { operation, reason: format!("{} (on {worker})", failure.message) }
            }
            FailureKind::Other => unavailable(format!("{} (on {worker})", failure.message)),
        };
        if let Some((task, _)) = task {
            self.fails(task, &error);
        }
        error
    }

    /// The first task of a unit that fits a site, and its line: an error names the operation and the block, not the task.
    fn task_of(
        &self,
        units: &Units,
        unit: u32,
        site: &Site,
    ) -> Option<(TaskId, Option<&'static std::panic::Location<'static>>)> {
        let graph = self.plan.graph();
        let unit: &Unit = units.units.get(unit as usize)?;
        let fits = |kernel: &dyn Kernel, block: u64| block == site.block && kernel.describe() == site.operation;
        unit.tasks.iter().find_map(|&task| {
            let (layer, block) = (graph.layer(task), graph.block(task));
            let location = match layer.kernel.fused() {
                None => fits(&*layer.kernel, block).then(|| layer.kernel.location(block).or(layer.location)),
                Some(fused) => fused
                    .steps(block)
                    .find(|step| fits(&*step.layer.kernel, step.block))
                    .map(|step| step.layer.kernel.location(step.block).or(step.layer.location)),
            };
            Some((task, location?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_called_by_where_they_are() {
        let worker = |address: &str, threads| WorkerInfo { address: address.into(), threads, ..WorkerInfo::default() };
        let names = lanes(&[worker("tcp://10.0.0.1:40", 1), worker("tls://10.0.0.2:41", 2)]);
        assert_eq!(names, ["10.0.0.1:40", "10.0.0.2:41 thread 0", "10.0.0.2:41 thread 1", "workers that came later"]);
    }
}
