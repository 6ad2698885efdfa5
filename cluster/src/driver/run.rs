//! One run of a plan.

use std::any::Any;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hashbrown::{HashMap, HashSet};
use talatat_graph::{Error, Event, Kernel, KernelError, Outputs, Plan, Result, RunContext, TaskId, TaskSite, Value};

use super::Cluster;
use super::helper::{Told, run_name};
use super::kept::{KeptUnit, KeptValue};
use super::python::unavailable;
use crate::units::{CutOptions, Input, Source, Unit, Units};
use crate::wire::{Answer, Held, Request, UnitHeader, Wanted, WorkerInfo, pack};
use crate::worker::{Failure, FailureKind, Report, Site};

/// How often a cancel is looked for: nothing wakes the driver when somebody cancels.
const LOOK: Duration = Duration::from_millis(10);

/// How long the driver waits for reports that are still on their way when the results are there.
const LATE: Duration = Duration::from_millis(500);

pub(super) fn execute(cluster: &Cluster, plan: &Arc<Plan>, context: &RunContext) -> Result<Vec<Value>> {
    let begin = Instant::now();
    let threads = talatat_graph::Executor::threads(cluster);
    for observer in &context.observers {
        observer.on(&Event::Started { plan, threads });
    }
    let result = Run::start(cluster, plan, context).and_then(|mut run| run.finish());
    for observer in &context.observers {
        let error = result.as_ref().err();
        observer.on(&Event::Finished { plan, error, elapsed: begin.elapsed(), peak: None });
    }
    result
}

struct Run<'a> {
    cluster: &'a Cluster,
    plan: &'a Plan,
    context: &'a RunContext,
    name: String,
    units: Units,
    /// The units whose outputs are wanted, and which of their outputs.
    wanted: Vec<(u32, Vec<u32>)>,
    told: Receiver<Told>,
    watch: Watch<'a>,
}

/// What is known of units that are done.
struct Watch<'a> {
    context: &'a RunContext,
    workers: Vec<WorkerInfo>,
    /// When the run started, by the clock that workers have, too.
    start: Duration,
    seen: HashSet<u32>,
    tasks: usize,
}

impl<'a> Run<'a> {
    fn start(cluster: &'a Cluster, plan: &'a Plan, context: &'a RunContext) -> Result<Run<'a>> {
        let workers = match cluster.workers() {
            none if none.is_empty() => cluster.refresh()?,
            workers => workers,
        };
        let slots = talatat_graph::Executor::threads(cluster);
        let units = Units::cut(plan, &cluster.costs, &CutOptions::slots(slots));
        let number = (u128::from(RandomState::new().hash_one(0)) << 64) | u128::from(RandomState::new().hash_one(1));
        let name = run_name(number);
        let mut wanted: HashMap<u32, Vec<u32>> = HashMap::new();
        for input in &units.outputs {
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
        let watch = Watch { context, workers, start, seen: HashSet::new(), tasks: 0 };
        cluster.link.check()?;
        let told = cluster.link.helper.open(&name, context.registry.clone());
        let run = Run { cluster, plan, context, name, units, wanted, told, watch };
        if !run.wanted.is_empty() {
            run.submit(number)?;
        }
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
        super::check_operations(self.plan, &self.watch.workers)?;
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
            observe: !self.context.observers.is_empty(),
        };
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        self.cluster.link.helper.send(&request, &frames)
    }

    fn keeps(&self) -> bool {
        self.plan.outputs() == Outputs::Anywhere
    }

    /// Where a value is that is there before the run.
    fn held(&self, task: TaskId) -> Result<Held<String>> {
        let value = self.held_value(task)?;
        if let Value::Remote(remote) = &value {
            let any: &dyn Any = &**remote;
            if let Some(kept) = any.downcast_ref::<KeptValue>()
                && Arc::ptr_eq(&kept.unit.link, &self.cluster.link)
            {
                return Ok(Held::There { of: kept.unit.key.clone(), output: kept.output, part: kept.part });
            }
        }
        Ok(Held::Sent(value.loaded()?))
    }

    fn held_value(&self, task: TaskId) -> Result<Value> {
        let graph = self.plan.graph();
        let value = graph.layer(task).kernel.held(graph.block(task));
        value.ok_or_else(|| Error::InvalidGraph(format!("the value of task {} is there no more", task.0)))
    }

    /// Waits for the end.
    fn finish(&mut self) -> Result<Vec<Value>> {
        if self.wanted.is_empty() {
            return self.outputs(|_| Err(Error::InvalidGraph("an output of no unit".into())));
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
                Told::Report(worker, report) => self.watch.done(&self.units, &worker, &report),
                Told::Gone(reason) => return Err(unavailable(reason)),
                Told::Values(counts, values) => {
                    self.wait_for_reports();
                    return self.values(&counts, values?);
                }
                Told::Answer(Answer::Kept { keys, .. }, _) => {
                    self.wait_for_reports();
                    return self.kept(keys);
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
        while !self.context.observers.is_empty()
            && self.watch.seen.len() < self.units.units.len()
            && let Ok(told) = self.told.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            if let Told::Report(worker, report) = told {
                self.watch.done(&self.units, &worker, &report);
            }
        }
    }

    /// Stops the run: when this returns, no unit of it starts any more.
    fn cancel(&mut self) -> Error {
        let helper = &self.cluster.link.helper;
        if helper.send(&Request::Cancel { run: self.name.clone() }, &[]).is_ok() {
            loop {
                match self.told.recv_timeout(LOOK) {
                    Ok(Told::Report(worker, report)) => self.watch.done(&self.units, &worker, &report),
                    Ok(Told::Answer(Answer::Cancelled { .. } | Answer::Failed { .. }, _) | Told::Gone(_)) => break,
                    Ok(Told::Answer(..) | Told::Values(..)) => {}
                    Err(RecvTimeoutError::Timeout) if self.cluster.link.check().is_ok() => {}
                    Err(_) => break,
                }
            }
        }
        Error::Cancelled { done: self.watch.tasks, total: self.plan.graph().len() }
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
        self.outputs(|input| {
            let value = match input.source {
                Source::Unit { unit, output } => values.get(&(unit, output)),
                Source::Held(_) => None,
            };
            let value = value.ok_or_else(|| unavailable("the helper did not bring all results"))?;
            let part = input.part.map_or(Some(value), |part| value.part(part));
            part.cloned().ok_or_else(|| {
                let count = if let Value::Parts(parts) = value { parts.len() } else { 1 };
                Error::InvalidGraph(format!("reads part {} of a result of {count} parts", input.part.unwrap_or(0)))
            })
        })
    }

    /// Handles on results that stay where they are.
    fn kept(&self, keys: Vec<String>) -> Result<Vec<Value>> {
        let link = &self.cluster.link;
        let kept = keys.into_iter().map(|key| Arc::new(KeptUnit { key, link: link.clone() }));
        let kept: HashMap<u32, (Arc<KeptUnit>, &[u32])> =
            (self.wanted.iter().zip(kept)).map(|((unit, outputs), kept)| (*unit, (kept, outputs.as_slice()))).collect();
        self.outputs(|input| {
            let Source::Unit { unit, output } = input.source else { return self.held_value(input.edge.task) };
            let found = kept.get(&unit).and_then(|(kept, outputs)| {
                let position = outputs.binary_search(&output).ok()?;
                Some((kept.clone(), position as u32))
            });
            let (unit, output) = found.ok_or_else(|| unavailable("the helper did not keep all results"))?;
            let bytes = self.plan.graph().bytes(input.edge.task);
            let registry = self.context.registry.clone();
            Ok(Value::Remote(Arc::new(KeptValue { unit, output, part: input.part, bytes, registry })))
        })
    }

    /// The plan's outputs: of units as `of_unit` gives them; values that were there before stay what they are.
    fn outputs(&self, mut of_unit: impl FnMut(&Input) -> Result<Value>) -> Result<Vec<Value>> {
        let value = |input: &Input| match input.source {
            Source::Unit { .. } => of_unit(input),
            Source::Held(task) => {
                let value = self.held_value(task)?;
                let value = if self.keeps() { value } else { value.loaded()? };
                match input.part {
                    None => Ok(value),
                    Some(part) => {
                        let part = value.loaded()?.part(part).cloned();
                        part.ok_or_else(|| Error::InvalidGraph("an output names a part that is not there".into()))
                    }
                }
            }
        };
        self.units.outputs.iter().map(value).collect()
    }

    /// A unit's failure as an error of this process, with the line of the user's code.
    fn failed(&self, worker: String, failure: Option<Failure>) -> Error {
        let Some(failure) = failure else {
            return unavailable(format!("a unit failed on {worker} and did not say why"));
        };
        let unit = self.units.units.get(failure.unit as usize);
        let site = |site: Site| TaskSite {
            location: unit.and_then(|unit| self.location(unit, &site)),
            operation: site.operation,
            block: site.block,
            inputs: site.inputs.into(),
            worker: Some(worker.as_str().into()),
        };
        match failure.kind {
            FailureKind::Kernel(at) => Error::Kernel { site: site(at), source: KernelError::new(failure.message) },
            FailureKind::Panic(at) => Error::Panic { site: site(at), message: failure.message },
            FailureKind::Cancelled => Error::Cancelled { done: self.watch.tasks, total: self.plan.graph().len() },
            FailureKind::NotPortable { operation } => {
                Error::NotPortable { operation, reason: format!("{} (on {worker})", failure.message) }
            }
            FailureKind::Other => unavailable(format!("{} (on {worker})", failure.message)),
        }
    }

    /// The line of the first task of a unit that fits a site: an error names the operation and the block, not the task.
    fn location(&self, unit: &Unit, site: &Site) -> Option<&'static std::panic::Location<'static>> {
        let graph = self.plan.graph();
        let fits = |kernel: &dyn Kernel, block: u64| block == site.block && kernel.describe() == site.operation;
        unit.tasks.iter().find_map(|&task| {
            let (layer, block) = (graph.layer(task), graph.block(task));
            match layer.kernel.fused() {
                None => fits(&*layer.kernel, block).then(|| layer.kernel.location(block).or(layer.location)),
                Some(fused) => fused
                    .steps(block)
                    .find(|step| fits(&*step.layer.kernel, step.block))
                    .map(|step| step.layer.kernel.location(step.block).or(step.layer.location)),
            }
        })?
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.cluster.link.helper.close(&self.name);
    }
}

impl Watch<'_> {
    /// A unit is done. One that was lost and made again counts once.
    fn done(&mut self, units: &Units, worker: &str, report: &Report) {
        let Some(unit) = units.units.get(report.unit as usize) else { return };
        if !self.seen.insert(report.unit) {
            return;
        }
        self.tasks += unit.tasks.len();
        // The lanes of a worker's threads stand side by side.
        let before = self.workers.iter().take_while(|other| other.address != worker);
        let lane: usize = before.map(|other| other.threads).sum();
        let offset = report.start.saturating_sub(self.start);
        for time in &report.tasks {
            let Some(&task) = unit.tasks.get(time.task as usize) else { continue };
            let start = offset + Duration::from_micros(time.start);
            let end = start + Duration::from_micros(time.elapsed);
            let event = Event::Task { task, thread: lane + time.thread as usize, start, end, bytes: time.bytes };
            self.context.observers.iter().for_each(|observer| observer.on(&event));
        }
    }
}
