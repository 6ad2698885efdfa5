//! Runs tasks one by one on the calling thread.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

// Not the locks of the pool's model: only those who ask share this one.
use parking_lot::{Mutex, MutexGuard};

use super::invoke::{invoke_again, task_site};
use super::spilling::{keep, read_back, write_out};
use super::{Executor, RunContext};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::events::{Event, Watch};
use crate::memory::Residency;
use crate::plan::Plan;
use crate::scheduler::{Instruction, Scheduler};
use crate::status::{Levels, Probe, RunStatus, Running};
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
    let state = State {
        scheduler: Scheduler::metered(plan.clone(), true),
        store: Store::metered(plan.graph()).watching(context.headroom.clone()).keeping(context.cache.as_ref(), &plan),
        running: None,
        over: false,
    };
    let watch = context.watch(&plan, 1);
    let order = InOrder { begin: Instant::now(), cancel: context.cancel.clone(), state: Mutex::new(state), plan };
    let order = Arc::new(order);
    let probe: Weak<InOrder> = Arc::downgrade(&order);
    context.board.enter(probe);
    let result = order.run_all(context, &watch, &mut run);
    let mut state = order.state.lock();
    state.over = true;
    // What the run holds is not freed under the lock.
    let (_store, peak) = (std::mem::take(&mut state.store), state.scheduler.peak());
    drop(state);
    let (error, elapsed) = (result.as_ref().err(), order.begin.elapsed());
    watch.tell(&Event::Finished { plan: &order.plan, error, elapsed, peak });
    result
}

/// A run on the calling thread. The lock is for those who ask what it is doing.
struct InOrder {
    plan: Arc<Plan>,
    cancel: Cancel,
    begin: Instant,
    state: Mutex<State>,
}

struct State {
    scheduler: Scheduler,
    store: Store,
    running: Option<Running>,
    over: bool,
}

impl InOrder {
    fn run_all(
        &self,
        context: &RunContext,
        watch: &Watch,
        run: &mut impl FnMut(&Plan, TaskId, &mut [Value]) -> Result<Value>,
    ) -> Result<Vec<Value>> {
        let (plan, graph, begin) = (&*self.plan, self.plan.graph(), self.begin);
        let mut inputs = Vec::new();
        let mut trash = Vec::new();
        let mut locked = self.state.lock();
        loop {
            let state = &mut *locked;
            state.running = None;
            let task = match state.scheduler.next(&state.store) {
                Instruction::Run(task) => task,
                Instruction::Evict(result) => {
                    let mut leaving = state.store.leaving(graph, result, state.scheduler.upcoming());
                    let start = begin.elapsed();
                    state.running = Some(Running { task: result, thread: 0, age: start, writes: true });
                    let written = MutexGuard::unlocked(&mut locked, || {
                        write_out(graph, result, &mut leaving, context.spill.as_ref())
                    });
                    let (bytes, state) = (written?, &mut *locked);
                    state.store.left(result, leaving, &mut trash);
                    state.scheduler.left(result, &state.store);
                    MutexGuard::unlocked(&mut locked, || {
                        trash.clear();
                        if bytes > 0 {
                            watch.tell(&Event::Evicted { task: result, thread: 0, start, end: begin.elapsed(), bytes });
                        }
                    });
                    continue;
                }
                Instruction::Done => break,
                Instruction::Refuse(task, needed) => return Err(plan.too_large(task, needed)),
                Instruction::Wait => {
                    return Err(Error::InvalidGraph("no task runs and none may start".into()));
                }
            };
            let done = state.scheduler.finished_tasks();
            if context.cancel.is_cancelled() {
                return Err(Error::Cancelled { done, total: graph.len() });
            }
            let room = state.scheduler.room(&state.store);
            inputs.clear();
            let gathered = state.store.gather(graph, task, &mut inputs);
            gathered.map_err(|source| Error::Kernel { site: task_site(graph, task), source })?;
            let start = begin.elapsed();
            state.running = Some(Running { task, thread: 0, age: start, writes: false });
            let result = MutexGuard::unlocked(&mut locked, || {
                if let (Some(reclaim), Some(room)) = (&context.reclaim, room) {
                    reclaim.shrink(room);
                }
                watch.tell(&Event::TaskStarted { task, thread: 0, at: start });
                let result = self.load(watch, task, start, &mut inputs).and_then(|()| run(plan, task, &mut inputs));
                if let Err(error) = &result {
                    if !matches!(error, Error::Cancelled { .. }) {
                        context.board.failed(&self.plan, task);
                    }
                    watch.tell(&Event::Failed { task, thread: 0, start, end: begin.elapsed(), error });
                }
                result
            });
            let value = result.map_err(|error| match error {
                Error::Cancelled { .. } => Error::Cancelled { done, total: graph.len() },
                error => error,
            })?;
            let state = &mut *locked;
            if state.store.is_timed() {
                state.store.took(plan, task, begin.elapsed().saturating_sub(start), &value);
            }
            let made = state.store.put(plan, task, value, &mut trash);
            let excess = {
                state.store.release(graph, task, &mut trash);
                state.scheduler.finished(task, made, &state.store)
            };
            let kept = state.store.take_kept();
            MutexGuard::unlocked(&mut locked, || {
                inputs.clear();
                trash.clear();
                keep(kept);
                watch.tell(&Event::Task { task, thread: 0, start, end: begin.elapsed(), bytes: made });
                if let Some(excess) = excess {
                    watch.tell(&Event::Excess { task, excess });
                }
            });
        }
        locked.store.keep_outputs(graph);
        let kept = locked.store.take_kept();
        MutexGuard::unlocked(&mut locked, || keep(kept));
        locked.store.outputs(graph).map_err(|error| Error::InvalidGraph(error.to_string()))
    }

    /// Reads back the inputs that are on disk.
    fn load(&self, watch: &Watch, task: TaskId, start: Duration, inputs: &mut [Value]) -> Result<()> {
        let bytes = read_back(inputs, |at, input| {
            let edge = self.plan.graph().inputs(task)[at];
            let state = &mut *self.state.lock();
            let kept = state.store.came_back(edge, input);
            state.scheduler.came_back(task, edge.task, kept, &state.store);
        })?;
        if bytes > 0 {
            watch.tell(&Event::ReadBack { task, thread: 0, start, end: self.begin.elapsed(), bytes });
        }
        Ok(())
    }
}

impl Probe for InOrder {
    fn levels(&self) -> Option<Levels> {
        let state = self.state.lock();
        (!state.over).then(|| Levels {
            elapsed: self.begin.elapsed(),
            finished: state.scheduler.finished_tasks(),
            running: usize::from(state.running.is_some()),
            held: state.store.live(),
            reserved: state.scheduler.reserved(),
        })
    }

    fn status(&self) -> Option<RunStatus> {
        let state = self.state.lock();
        if state.over {
            return None;
        }
        let elapsed = self.begin.elapsed();
        // While it runs, what is noted in place of the age is when it started.
        let age = |running: Running| Running { age: elapsed.saturating_sub(running.age), ..running };
        let running: Vec<Running> = state.running.into_iter().map(age).collect();
        Some(RunStatus {
            elapsed,
            cancelled: self.cancel.is_cancelled(),
            ..RunStatus::of(&self.plan, &state.scheduler, &state.store, running)
        })
    }
}
