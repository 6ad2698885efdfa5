//! Runs tasks one by one on the calling thread.

use std::sync::Arc;
use std::time::Instant;

use super::invoke::{invoke, task_site};
use super::{Executor, RunContext};
use crate::error::{Error, Result};
use crate::events::Event;
use crate::plan::Plan;
use crate::scheduler::{Instruction, Scheduler};
use crate::store::Store;
use crate::task::TaskId;
use crate::value::Value;

/// The executor for debugging: the calling thread, the plan's order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Synchronous;

impl Executor for Synchronous {
    fn name(&self) -> &str {
        "sync"
    }

    fn execute(&self, plan: Arc<Plan>, context: &RunContext) -> Result<Vec<Value>> {
        run_in_order(plan, context, |plan, task, inputs| invoke(plan.graph(), task, inputs, &context.cancel))
    }
}

/// Runs a plan on the calling thread with `run` in place of the kernels' calls: the base of executors that do
/// something else with a task than to run it here.
pub fn run_in_order(
    plan: Arc<Plan>,
    context: &RunContext,
    mut run: impl FnMut(&Plan, TaskId, &mut [Value]) -> Result<Value>,
) -> Result<Vec<Value>> {
    let begin = Instant::now();
    for observer in &context.observers {
        observer.on(&Event::Started { plan: &plan, threads: 1 });
    }
    let mut meter = Meter::default();
    let result = run_all(&plan, context, begin, &mut meter, &mut run);
    for observer in &context.observers {
        let error = result.as_ref().err();
        observer.on(&Event::Finished { plan: &plan, error, elapsed: begin.elapsed(), peak: Some(meter.peak) });
    }
    result
}

#[derive(Default)]
struct Meter {
    live: u64,
    peak: u64,
}

fn run_all(
    plan: &Arc<Plan>,
    context: &RunContext,
    begin: Instant,
    meter: &mut Meter,
    run: &mut impl FnMut(&Plan, TaskId, &mut [Value]) -> Result<Value>,
) -> Result<Vec<Value>> {
    let graph = plan.graph();
    let mut scheduler = Scheduler::new(plan.clone());
    let mut store = Store::new(graph);
    let mut held = vec![0_u64; graph.len()];
    let mut inputs = Vec::new();
    let mut trash = Vec::new();
    loop {
        let task = match scheduler.next() {
            Instruction::Run(task) => task,
            Instruction::Done => break,
            Instruction::Wait => {
                return Err(Error::InvalidGraph("no task runs and none may start".into()));
            }
        };
        let done = scheduler.finished_tasks();
        if context.cancel.is_cancelled() {
            return Err(Error::Cancelled { done, total: graph.len() });
        }
        inputs.clear();
        let gathered = store.gather(graph, task, &mut inputs);
        gathered.map_err(|source| Error::Kernel { site: task_site(graph, task), source })?;
        let start = begin.elapsed();
        meter.peak = meter.peak.max(meter.live + graph.need(task));
        let value = run(plan, task, &mut inputs).map_err(|error| match error {
            Error::Cancelled { .. } => Error::Cancelled { done, total: graph.len() },
            error => error,
        })?;
        let holds = value.nbytes() as u64;
        held[task.index()] = holds;
        store.put(plan, task, value, &mut trash);
        store.release(graph, task, &mut trash);
        inputs.clear();
        trash.clear();
        let mut freed = if store.is_dead(task) { holds } else { 0 };
        for edge in graph.inputs(task) {
            if store.is_dead(edge.task) {
                freed += std::mem::take(&mut held[edge.task.index()]);
            }
        }
        meter.live = (meter.live + holds).saturating_sub(freed);
        meter.peak = meter.peak.max(meter.live);
        scheduler.finished(task, holds, freed);
        for observer in &context.observers {
            observer.on(&Event::Task { task, thread: 0, start, end: begin.elapsed(), bytes: holds });
        }
    }
    store.outputs(graph).map_err(|error| Error::InvalidGraph(error.to_string()))
}
