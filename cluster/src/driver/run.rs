//! One run of a plan.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use talatat_graph::{Error, Event, Outputs, Plan, Probe, Result, RunContext, TaskId, Value, Watch, invoke};

use super::Cluster;
use super::helper::{Told, run_name};
use super::kept::{KeptUnit, KeptValue, bring};
use super::link::Connection;
use super::progress::Progress;
use super::python::unavailable;
use super::seen::Seen;
use crate::units::{Input, Source, Units};
use crate::wire::{Answer, Held, Request, UnitHeader, Wanted, pack};
use crate::worker::{Failure, Size};

/// How often a cancel is looked for: nothing wakes the driver when somebody cancels.
const LOOK: Duration = Duration::from_millis(10);

/// How long the driver waits for reports that are still on their way when the results are there.
const LATE: Duration = Duration::from_millis(500);

/// So often the units are handed in again when the helper or the scheduler is gone: what takes them down each time may be the run itself.
const AGAIN: usize = 3;

pub(super) fn execute(cluster: &Cluster, plan: &Arc<Plan>, context: &RunContext) -> Result<Vec<Value>> {
    let begin = Instant::now();
    let threads = talatat_graph::Executor::threads(cluster);
    let watch = context.watch(plan, threads);
    let progress = Arc::new(Progress::new(plan.clone(), threads, context.cancel.clone()));
    let probe: Arc<dyn Probe> = progress.clone();
    context.board.enter(Arc::downgrade(&probe));
    let result = Run::new(cluster, plan, context, &watch, &progress).and_then(|mut run| run.run());
    progress.end();
    watch.tell(&Event::Finished { plan, error: result.as_ref().err(), elapsed: begin.elapsed(), peak: None });
    result
}

struct Run<'a> {
    cluster: &'a Cluster,
    plan: &'a Arc<Plan>,
    context: &'a RunContext,
    units: Units,
    /// The units whose outputs are wanted, and which of their outputs.
    wanted: Vec<(u32, Vec<u32>)>,
    /// Where the units are now.
    at: Attempt,
    /// What is done once before the units has been done.
    begun: bool,
    /// What is done once after them has at least been tried.
    ending: Cell<bool>,
    seen: Seen<'a>,
}

/// Units that have been handed to one connection, under one name.
struct Attempt {
    connection: Arc<Connection>,
    number: u128,
    name: String,
    told: Receiver<Told>,
}

/// Results of units.
enum Found<'a> {
    /// Here: by unit and output.
    Here(HashMap<(u32, u32), Value>),
    /// On the workers: of each unit which outputs.
    There(HashMap<u32, (Arc<KeptUnit>, &'a [u32])>),
}

impl<'a> Run<'a> {
    fn new(
        cluster: &'a Cluster,
        plan: &'a Arc<Plan>,
        context: &'a RunContext,
        watch: &'a Watch,
        progress: &'a Progress,
    ) -> Result<Run<'a>> {
        let connection = connected(cluster, plan, context)?;
        let workers = match cluster.workers() {
            none if none.is_empty() => cluster.refresh()?,
            workers => workers,
        };
        let units = cluster.units(plan, &context.times);
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
        let seen = Seen::new(plan, context, watch, progress, workers);
        let at = Attempt::new(connection, context);
        Ok(Run { cluster, plan, context, units, wanted, at, begun: false, ending: Cell::new(false), seen })
    }

    /// Hands the units in and waits for their results. If the helper or the scheduler is gone, so is all that the units have made, and
    /// they are handed in again, under another name.
    fn run(&mut self) -> Result<Vec<Value>> {
        let mut lost = 0;
        loop {
            let error = match self.submit().and_then(|()| self.finish()) {
                Err(error @ Error::Unavailable { .. }) if self.at.connection.helper.gone().is_some() => error,
                result => return result,
            };
            // What is done once may have changed what the units read.
            if self.ending.get() {
                return Err(error);
            }
            lost += 1;
            if lost > AGAIN {
                return Err(unavailable(format!(
                    "given up after {AGAIN} new tries, as this happened each time: {error}"
                )));
            }
            let next = Attempt::new(connected(self.cluster, self.plan, self.context)?, self.context);
            let before = std::mem::replace(&mut self.at, next);
            // Perhaps it was the helper alone: then units of the old name are still running. If nobody listens any more, that is seen next.
            let _ = self.at.connection.helper.send(&Request::Cancel { run: before.name.clone() }, &[]);
        }
    }

    /// What the engine calls a unit: its main operation, so that the engine's own displays say something.
    fn key(&self, unit: u32) -> String {
        let last = self.units.units.get(unit as usize).and_then(|unit| unit.tasks.last());
        let operation = last.map_or("", |&task| self.plan.graph().layer(task).kernel.name());
        let operation: String = operation.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        format!("{operation}-{}-{unit}", self.at.name)
    }

    fn submit(&mut self) -> Result<()> {
        self.cluster.link.check()?;
        let keys: Vec<String> = (0..self.units.units.len() as u32).map(|unit| self.key(unit)).collect();
        let name = |unit: u32| keys.get(unit as usize).map_or("", String::as_str).to_string();
        let mut packed = Vec::with_capacity(keys.len());
        for (at, unit) in (0..).zip(&self.units.units) {
            let held = |task| self.held(task);
            packed.push(pack(self.plan, unit, (self.at.number, at), &self.context.registry, name, held)?);
        }
        // After packing, which has more to say of an operation that cannot be sent at all.
        super::check_operations(self.plan, &self.cluster.workers())?;
        // And only then: what cannot be sent must not have changed anything.
        if !std::mem::replace(&mut self.begun, true) {
            self.units.first.iter().try_for_each(|&task| self.here(task, &mut []).map(drop))?;
        }
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
            run: self.at.name.clone(),
            units,
            wanted: wanted.collect(),
            keep: self.keeps(),
            observe: self.seen.watch.is_on(),
        };
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        self.at.connection.helper.send(&request, &frames)
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
            Err(error) => self.seen.fails(task, error),
        }
        value
    }

    /// Where a value is that is there before the run.
    fn held(&self, task: TaskId) -> Result<Held<String>> {
        if self.plan.graph().layer(task).kernel.once() {
            return Ok(Held::Sent(Value::Unit));
        }
        let value = self.held_value(task)?;
        match KeptValue::of(&value, &self.at.connection) {
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
            let told = match self.at.told.recv_timeout(LOOK) {
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
                    let failure = frames.first().and_then(|frame| Failure::decode(frame));
                    return Err(self.seen.failed(&self.units, &worker, failure));
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
            && self.seen.units() < self.units.units.len()
            && let Ok(told) = self.at.told.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            if let Told::Report(worker, report) = told {
                self.seen.done(&self.units, &worker, &report);
            }
        }
    }

    /// Stops the run: when this returns, no unit of it starts any more.
    fn cancel(&mut self) -> Error {
        let helper = &self.at.connection.helper;
        if helper.send(&Request::Cancel { run: self.at.name.clone() }, &[]).is_ok() {
            loop {
                match self.at.told.recv_timeout(LOOK) {
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
        let (link, connection) = (&self.cluster.link, &self.at.connection);
        let handle = |key| KeptUnit { key, outputs: Vec::new(), connection: connection.clone(), link: link.clone() };
        let mut held: Vec<KeptUnit> = keys.into_iter().map(handle).collect();
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
            bring(&mut inputs, &self.at.connection)?;
            self.ending.set(true);
            last.push(self.here(task.task, &mut inputs)?);
        }
        let values = self.units.outputs.iter().map(|input| self.value(input, found, &last));
        let mut values = values.collect::<Result<Vec<Value>>>()?;
        if !self.keeps() {
            bring(&mut values, &self.at.connection)?;
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
}

impl Attempt {
    fn new(connection: Arc<Connection>, context: &RunContext) -> Attempt {
        let number = (u128::from(RandomState::new().hash_one(0)) << 64) | u128::from(RandomState::new().hash_one(1));
        let name = run_name(number);
        let told = connection.helper.open(&name, context.registry.clone());
        Attempt { connection, number, name, told }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.connection.helper.close(&self.name);
    }
}

/// A connection that is there. If another one has to be made, that takes its time, and whoever cancels does not wait for it.
fn connected(cluster: &Cluster, plan: &Plan, context: &RunContext) -> Result<Arc<Connection>> {
    if let Some(connection) = cluster.link.current() {
        return Ok(connection);
    }
    let (sender, told) = channel();
    let link = cluster.link.clone();
    let connecting = std::thread::Builder::new().name("talatat-again".into()).spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(link.alive());
    });
    connecting.map_err(|error| unavailable(format!("no thread to connect again: {error}")))?;
    loop {
        if context.cancel.is_cancelled() {
            return Err(Error::Cancelled { done: 0, total: plan.graph().len() });
        }
        match told.recv_timeout(LOOK) {
            Ok(connection) => return connection,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(unavailable("connecting again ended without a word")),
        }
    }
}
