//! Runs tasks one by one on the calling thread.

use std::sync::Arc;
use std::time::Instant;

use super::invoke::{invoke_again, task_site};
use super::spilling::{read_back, write_out};
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
        run_in_order(plan, context, |plan, task, inputs| invoke_again(plan.graph(), task, inputs, &context.cancel))
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
    let mut scheduler = Scheduler::metered(plan.clone(), true);
    let result = run_all(&plan, context, begin, &mut scheduler, &mut run);
    for observer in &context.observers {
        let error = result.as_ref().err();
        observer.on(&Event::Finished { plan: &plan, error, elapsed: begin.elapsed(), peak: scheduler.peak() });
    }
    result
}

fn run_all(
    plan: &Arc<Plan>,
    context: &RunContext,
    begin: Instant,
    scheduler: &mut Scheduler,
    run: &mut impl FnMut(&Plan, TaskId, &mut [Value]) -> Result<Value>,
) -> Result<Vec<Value>> {
    let graph = plan.graph();
    let mut store = Store::metered(graph).watching(context.headroom.clone());
    let mut inputs = Vec::new();
    let mut trash = Vec::new();
    loop {
        let task = match scheduler.next(&store) {
            Instruction::Run(task) => task,
            Instruction::Evict(result) => {
                let mut leaving = store.leaving(graph, result, scheduler.upcoming());
                write_out(&mut leaving, context.spill.as_ref())?;
                store.left(result, leaving, &mut trash);
                trash.clear();
                scheduler.left(result, &store);
                continue;
            }
            Instruction::Done => break,
            Instruction::Wait => {
                return Err(Error::InvalidGraph("no task runs and none may start".into()));
            }
        };
        let done = scheduler.finished_tasks();
        if context.cancel.is_cancelled() {
            return Err(Error::Cancelled { done, total: graph.len() });
        }
        if let (Some(reclaim), Some(room)) = (&context.reclaim, scheduler.room(&store)) {
            reclaim.shrink(room);
        }
        inputs.clear();
        let gathered = store.gather(graph, task, &mut inputs);
        gathered.map_err(|source| Error::Kernel { site: task_site(graph, task), source })?;
        let start = begin.elapsed();
        read_back(&mut inputs, |at, input| {
            let edge = graph.inputs(task)[at];
            let kept = store.came_back(edge, input);
            scheduler.came_back(task, edge.task, kept, &store);
        })?;
        let value = run(plan, task, &mut inputs).map_err(|error| match error {
            Error::Cancelled { .. } => Error::Cancelled { done, total: graph.len() },
            error => error,
        })?;
        let made = store.put(plan, task, value, &mut trash);
        inputs.clear();
        store.release(graph, task, &mut trash);
        trash.clear();
        let excess = scheduler.finished(task, made, &store);
        for observer in &context.observers {
            observer.on(&Event::Task { task, thread: 0, start, end: begin.elapsed(), bytes: made });
            if let Some(excess) = excess {
                observer.on(&Event::Excess { task, excess });
            }
        }
    }
    store.outputs(graph).map_err(|error| Error::InvalidGraph(error.to_string()))
}
