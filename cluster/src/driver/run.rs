//! One run of a plan.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hashbrown::{HashMap, HashSet};
use talatat_graph::{
    Error, Event, Kernel, KernelError, Outputs, Plan, Probe, Result, RunContext, TaskId, TaskSite, Value, Watch, invoke,
};

use super::Cluster;
use super::helper::{Told, run_name};
use super::kept::{KeptUnit, KeptValue, bring};
use super::progress::Progress;
use super::python::unavailable;
use crate::units::{CutOptions, Input, Source, Unit, Units};
use crate::wire::{Answer, Held, Request, UnitHeader, Wanted, WorkerInfo, pack};
use crate::worker::{Failure, FailureKind, Report, Site, Size};

/// How often a cancel is looked for: nothing wakes the driver when somebody cancels.
const LOOK: Duration = Duration::from_millis(10);

/// How long the driver waits for reports that are still on their way when the results are there.
const LATE: Duration = Duration::from_millis(500);

pub(super) fn execute(cluster: &Cluster, plan: &Arc<Plan>, context: &RunContext) -> Result<Vec<Value>> {
    let begin = Instant::now();
    let threads = talatat_graph::Executor::threads(cluster);
    let watch = context.watch(plan, threads);
    let progress = Arc::new(Progress::new(plan.clone(), threads, context.cancel.clone()));
    let probe: Arc<dyn Probe> = progress.clone();
    context.board.enter(Arc::downgrade(&probe));
    let result = Run::start(cluster, plan, context, &watch, &progress).and_then(|mut run| run.finish());
    progress.end();
    watch.tell(&Event::Finished { plan, error: result.as_ref().err(), elapsed: begin.elapsed(), peak: None });
    result
}

struct Run<'a> {
    cluster: &'a Cluster,
    plan: &'a Arc<Plan>,
    context: &'a RunContext,
    name: String,
    units: Units,
    /// The units whose outputs are wanted, and which of their outputs.
    wanted: Vec<(u32, Vec<u32>)>,
    told: Receiver<Told>,
    seen: Seen<'a>,
}

/// What is known of units that are done.
struct Seen<'a> {
    watch: &'a Watch,
    progress: &'a Progress,
    workers: Vec<WorkerInfo>,
    /// When the run started, by the clock that workers have, too.
    start: Duration,
    units: HashSet<u32>,
}

/// Results of units.
enum Found<'a> {
    /// Here: by unit and output.
    Here(HashMap<(u32, u32), Value>),
    /// On the workers: of each unit which outputs.
    There(HashMap<u32, (Arc<KeptUnit>, &'a [u32])>),
}

impl<'a> Run<'a> {
    fn start(
        cluster: &'a Cluster,
        plan: &'a Arc<Plan>,
        context: &'a RunContext,
        watch: &'a Watch,
        progress: &'a Progress,
    ) -> Result<Run<'a>> {
        let workers = match cluster.workers() {
            none if none.is_empty() => cluster.refresh()?,
            workers => workers,
        };
        let slots = talatat_graph::Executor::threads(cluster);
        let units = Units::cut(plan, &cluster.costs, &CutOptions::slots(slots));
        let number = (u128::from(RandomState::new().hash_one(0)) << 64) | u128::from(RandomState::new().hash_one(1));
        let name = run_name(number);
        let mut wanted: HashMap<u32, Vec<u32>> = HashMap::new();
        for input in units.outputs.iter().chain(units.last.iter().flat_map(|last| &last.inputs)) {
            if let Source::Unit { unit, output } = input.source {
                wanted.entry(unit).or_default().push(output);
            }
        }
        let mut wanted: Vec<(u32, Vec<u32>)> = wanted.into_iter().collect();
        wanted.sort_unstable();
        for (_, outputs) in &mut wanted {
            outputs.sort_unstable();
            outputs.dedup();
        }
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seen = Seen { watch, progress, workers, start, units: HashSet::new() };
        cluster.link.check()?;
        let told = cluster.link.helper.open(&name, context.registry.clone());
        let run = Run { cluster, plan, context, name, units, wanted, told, seen };
        run.submit(number)?;
        Ok(run)
    }

    /// What the engine calls a unit: its main operation, so that the engine's own displays say something.
    fn key(&self, unit: u32) -> String {
        let last = self.units.units.get(unit as usize).and_then(|unit| unit.tasks.last());
        let operation = last.map_or("", |&task| self.plan.graph().layer(task).kernel.name());
        let operation: String = operation.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        format!("{operation}-{}-{unit}", self.name)
    }

    fn submit(&self, number: u128) -> Result<()> {
        let keys: Vec<String> = (0..self.units.units.len() as u32).map(|unit| self.key(unit)).collect();
        let name = |unit: u32| keys.get(unit as usize).map_or("", String::as_str).to_string();
        let mut packed = Vec::with_capacity(keys.len());
        for (at, unit) in (0..).zip(&self.units.units) {
            let held = |task| self.held(task);
            packed.push(pack(self.plan, unit, (number, at), &self.context.registry, name, held)?);
        }
        // After packing, which has more to say of an operation that cannot be sent at all.
        super::check_operations(self.plan, &self.seen.workers)?;
        // And only then: what cannot be sent must not have changed anything.
        self.units.first.iter().try_for_each(|&task| self.here(task, &mut []).map(drop))?;
        if self.wanted.is_empty() {
            return Ok(());
        }
        let (frames, dependencies): (Vec<Vec<u8>>, Vec<Vec<String>>) =
            packed.into_iter().map(|packed| (packed.bytes, packed.dependencies)).unzip();
        let units = keys.iter().zip(dependencies).map(|(key, deps)| UnitHeader { key: key.clone(), deps }).collect();
        let wanted = self.wanted.iter().map(|(unit, outputs)| {
            let all = self.units.units.get(*unit as usize).is_some_and(|unit| unit.outputs.len() == outputs.len());
            Wanted { key: name(*unit), pick: (!all).then(|| outputs.clone()) }
        });
        let request = Request::Submit {
            run: self.name.clone(),
            units,
            wanted: wanted.collect(),
            keep: self.keeps(),
            observe: self.seen.watch.is_on(),
        };
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        self.cluster.link.helper.send(&request, &frames)
    }

    fn keeps(&self) -> bool {
        self.plan.outputs() == Outputs::Anywhere
    }

    /// Runs a task in this process.
    fn here(&self, task: TaskId, inputs: &mut [Value]) -> Result<Value> {
        let begin = self.seen.progress.elapsed();
        let value = invoke(self.plan.graph(), task, inputs, &self.context.cancel);
        let end = self.seen.progress.elapsed();
        match &value {
            Ok(value) => self.seen.told(task, 0, begin, end, value.nbytes() as u64),
            Err(error) => self.fails(task, error),
        }
        value
    }

    /// Tells whoever watches, and whoever asks later, of a task that failed.
    fn fails(&self, task: TaskId, error: &Error) {
        self.context.board.failed(self.plan, task);
        let now = self.seen.progress.elapsed();
        self.seen.watch.tell(&Event::Failed { task, thread: 0, start: now, end: now, error });
    }

    /// Where a value is that is there before the run.
    fn held(&self, task: TaskId) -> Result<Held<String>> {
        if self.plan.graph().layer(task).kernel.once() {
            return Ok(Held::Sent(Value::Unit));
        }
        let value = self.held_value(task)?;
        match KeptValue::of(&value, &self.cluster.link) {
            Some(kept) => Ok(Held::There { of: kept.unit.key.clone(), output: kept.output, part: kept.part }),
            None => Ok(Held::Sent(value.loaded()?)),
        }
    }

    fn held_value(&self, task: TaskId) -> Result<Value> {
        let graph = self.plan.graph();
        if graph.layer(task).kernel.once() {
            return Ok(Value::Unit);
        }
        let value = graph.layer(task).kernel.held(graph.block(task));
        value.ok_or_else(|| Error::InvalidGraph(format!("the value of task {} is there no more", task.0)))
    }

    /// Waits for the end.
    fn finish(&mut self) -> Result<Vec<Value>> {
        if self.wanted.is_empty() {
            return self.outputs(&Found::Here(HashMap::new()));
        }
        loop {
            if self.context.cancel.is_cancelled() {
                return Err(self.cancel());
            }
            let told = match self.told.recv_timeout(LOOK) {
                Ok(told) => told,
                Err(RecvTimeoutError::Timeout) => {
                    self.cluster.link.check()?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(unavailable("the helper is gone")),
            };
            match told {
                Told::Report(worker, report) => self.seen.done(&self.units, &worker, &report),
                Told::Gone(reason) => return Err(unavailable(reason)),
                Told::Values(counts, values) => {
                    self.wait_for_reports();
                    return self.values(&counts, values?);
                }
                Told::Answer(Answer::Kept { keys, .. }, sizes) => {
                    self.wait_for_reports();
                    return self.kept(keys, &sizes);
                }
                Told::Answer(Answer::UnitFailed { worker, .. }, frames) => {
                    return Err(self.failed(worker, frames.first().and_then(|frame| Failure::decode(frame))));
                }
                Told::Answer(Answer::Failed { kind, message, .. }, _) => {
                    self.cluster.link.check()?;
                    return Err(unavailable(format!("{kind}: {message}")));
                }
                Told::Answer(_, _) => {}
            }
        }
    }

    /// Whoever watches is told of every unit, if the engine tells of it soon.
    fn wait_for_reports(&mut self) {
        let deadline = Instant::now() + LATE;
        while self.seen.watch.is_on()
            && self.seen.units.len() < self.units.units.len()
            && let Ok(told) = self.told.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            if let Told::Report(worker, report) = told {
                self.seen.done(&self.units, &worker, &report);
            }
        }
    }

    /// Stops the run: when this returns, no unit of it starts any more.
    fn cancel(&mut self) -> Error {
        let helper = &self.cluster.link.helper;
        if helper.send(&Request::Cancel { run: self.name.clone() }, &[]).is_ok() {
            loop {
                match self.told.recv_timeout(LOOK) {
                    Ok(Told::Report(worker, report)) => self.seen.done(&self.units, &worker, &report),
                    Ok(Told::Answer(Answer::Cancelled { .. } | Answer::Failed { .. }, _) | Told::Gone(_)) => break,
                    Ok(Told::Answer(..) | Told::Values(..)) => {}
                    Err(RecvTimeoutError::Timeout) if self.cluster.link.check().is_ok() => {}
                    Err(_) => break,
                }
            }
        }
        Error::Cancelled { done: self.seen.progress.finished(), total: self.plan.graph().len() }
    }

    /// Puts results in their places: `counts` of them are of each wanted unit.
    fn values(&self, counts: &[usize], found: Vec<Value>) -> Result<Vec<Value>> {
        let mut found = found.into_iter();
        let mut values: HashMap<(u32, u32), Value> = HashMap::new();
        for ((unit, outputs), &count) in self.wanted.iter().zip(counts) {
            if count != outputs.len() {
                return Err(unavailable(format!("unit {unit} gave {count} results of {}", outputs.len())));
            }
            for &output in outputs {
                let value = found.next().ok_or_else(|| unavailable("the helper did not bring all results"))?;
                values.insert((*unit, output), value);
            }
        }
        self.outputs(&Found::Here(values))
    }

    /// Handles on results that stay where they are.
    fn kept(&self, keys: Vec<String>, sizes: &[Vec<u8>]) -> Result<Vec<Value>> {
        // First of all the handles: what goes wrong below gives the results up.
        let link = &self.cluster.link;
        let held = keys.into_iter().map(|key| KeptUnit { key, outputs: Vec::new(), link: link.clone() });
        let mut held: Vec<KeptUnit> = held.collect();
        let mut kept = HashMap::with_capacity(held.len());
        for (number, (unit, outputs)) in self.wanted.iter().enumerate().rev() {
            let missing = || unavailable(format!("the helper does not say what unit {unit} has made"));
            let mut there = held.pop().ok_or_else(missing)?;
            let sizes = sizes.get(number).and_then(|bytes| Size::decode(bytes));
            there.outputs = sizes.filter(|sizes| sizes.len() == outputs.len()).ok_or_else(missing)?;
            kept.insert(*unit, (Arc::new(there), outputs.as_slice()));
        }
        self.outputs(&Found::There(kept))
    }

    /// The plan's outputs, after what this process does last.
    fn outputs(&self, found: &Found<'_>) -> Result<Vec<Value>> {
        let mut last = Vec::with_capacity(self.units.last.len());
        for task in &self.units.last {
            let inputs =
                task.inputs.iter().map(|input| self.value(input, found, &last)).collect::<Result<Vec<Value>>>();
            let mut inputs = inputs?;
            bring(&mut inputs, &self.cluster.link)?;
            last.push(self.here(task.task, &mut inputs)?);
        }
        let values = self.units.outputs.iter().map(|input| self.value(input, found, &last));
        let mut values = values.collect::<Result<Vec<Value>>>()?;
        if !self.keeps() {
            bring(&mut values, &self.cluster.link)?;
            values = values.into_iter().map(Value::loaded).collect::<Result<_>>()?;
        }
        Ok(values)
    }

    /// A value that was there before, that the units made, or that was made last.
    fn value(&self, input: &Input, found: &Found<'_>, last: &[Value]) -> Result<Value> {
        let missing = || unavailable("the helper did not bring all results");
        let value = match (input.source, found) {
            (Source::Held(task), _) => self.held_value(task)?,
            (Source::Last(at), _) => last.get(at).cloned().ok_or_else(missing)?,
            (Source::Unit { unit, output }, Found::Here(values)) => {
                values.get(&(unit, output)).cloned().ok_or_else(missing)?
            }
            (Source::Unit { unit, output }, Found::There(kept)) => {
                let (unit, outputs) = kept.get(&unit).ok_or_else(missing)?;
                let position = outputs.binary_search(&output).map_err(|_| missing())? as u32;
                let (unit, registry) = (unit.clone(), self.context.registry.clone());
                let kept = KeptValue { unit, output: position, part: input.part, registry };
                return Ok(Value::Remote(Arc::new(kept)));
            }
        };
        let Some(part) = input.part else { return Ok(value) };
        let value = value.loaded()?;
        value.part(part).cloned().ok_or_else(|| {
            let count = if let Value::Parts(parts) = &value { parts.len() } else { 1 };
            Error::InvalidGraph(format!("reads part {part} of a result of {count} parts"))
        })
    }

    /// A unit's failure as an error of this process, with the line of the user's code.
    fn failed(&self, worker: String, failure: Option<Failure>) -> Error {
        let Some(failure) = failure else {
            return unavailable(format!("a unit failed on {worker} and did not say why"));
        };
        let task = match &failure.kind {
            FailureKind::Kernel(site) | FailureKind::Panic(site) => self.task_of(failure.unit, site),
            _ => None,
        };
        let site = |site: Site| TaskSite {
            location: task.and_then(|(_, location)| location),
            operation: site.operation,
            block: site.block,
            inputs: site.inputs.into(),
            worker: Some(worker.as_str().into()),
        };
        let error = match failure.kind {
            FailureKind::Kernel(at) => Error::Kernel { site: site(at), source: KernelError::new(failure.message) },
            FailureKind::Panic(at) => Error::Panic { site: site(at), message: failure.message },
            FailureKind::Cancelled => {
                Error::Cancelled { done: self.seen.progress.finished(), total: self.plan.graph().len() }
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
    fn task_of(&self, unit: u32, site: &Site) -> Option<(TaskId, Option<&'static std::panic::Location<'static>>)> {
        let graph = self.plan.graph();
        let unit: &Unit = self.units.units.get(unit as usize)?;
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

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.cluster.link.helper.close(&self.name);
    }
}

impl Seen<'_> {
    /// A unit is done. One that was lost and made again counts once.
    fn done(&mut self, units: &Units, worker: &str, report: &Report) {
        let Some(unit) = units.units.get(report.unit as usize) else { return };
        if !self.units.insert(report.unit) {
            return;
        }
        self.progress.add(unit.tasks.len());
        // The lanes of a worker's threads stand side by side.
        let before = self.workers.iter().take_while(|other| other.address != worker);
        let lane: usize = before.map(|other| other.threads).sum();
        let offset = report.start.saturating_sub(self.start);
        for time in &report.tasks {
            let Some(&task) = unit.tasks.get(time.task as usize) else { continue };
            let start = offset + Duration::from_micros(time.start);
            let end = start + Duration::from_micros(time.elapsed);
            self.watch.tell(&Event::Task { task, thread: lane + time.thread as usize, start, end, bytes: time.bytes });
        }
    }

    /// A task of this process is done.
    fn told(&self, task: TaskId, thread: usize, start: Duration, end: Duration, bytes: u64) {
        self.progress.add(1);
        self.watch.tell(&Event::Task { task, thread, start, end, bytes });
    }
}
