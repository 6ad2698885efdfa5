//! Tasks with annotations: they are calls of the pool, which knows of priorities, resources and time.

use std::sync::Arc;

use super::super::invoke::invoke;
use super::{Batch, Run, State};
use crate::error::Error;
use crate::events::Event;
use crate::futures::{Failure, Future, Submit};
use crate::pool::{Here, begin, wait};
use crate::sync::MutexGuard;
use crate::task::TaskId;
use crate::value::Value;

impl Run {
    /// Hands annotated tasks to the pool.
    pub(super) fn call(self: &Arc<Self>, batch: &mut Batch) {
        for (task, inputs) in batch.calls.drain(..) {
            let layer = self.plan.graph().layer(task);
            let mut call = Submit::new("task");
            call.task().need(layer.need.as_deref().cloned().unwrap_or_default().name(layer.kernel.describe()));
            if let Some(location) = layer.location {
                call.at(location);
            }
            let run = self.clone();
            let again = layer.need.as_ref().is_some_and(|need| need.retry_after(0).is_some());
            let mut inputs = inputs;
            let work = move || {
                if run.context.cancel.is_cancelled() {
                    return Err(Failure::Other(Error::Cancelled { done: 0, total: 0 }));
                }
                let mut inputs = if again { inputs.clone() } else { std::mem::take(&mut inputs) };
                let start = run.begin.elapsed();
                let thread = Here::number();
                let loaded = run.load(task, thread, &mut inputs).map_err(Failure::Other);
                let invoked =
                    |()| invoke(run.plan.graph(), task, &mut inputs, &run.context.cancel).map_err(Failure::Located);
                let value = loaded.and_then(invoked)?;
                let (bytes, end) = (value.nbytes() as u64, run.begin.elapsed());
                if run.timed {
                    run.state.lock().call_times.insert(task, end.saturating_sub(start));
                }
                run.watch.tell(&Event::Task { task, thread, start, end, bytes });
                Ok(value)
            };
            match call.again(&self.owner, work) {
                Ok(future) => {
                    self.state.lock().called.insert(task, future.clone());
                    let run = self.clone();
                    future.on_done(move |future| run.deliver(task, future));
                }
                Err(error) => batch.error = Some(error),
            }
        }
        if batch.error.is_some() {
            let state = &mut *self.state.lock();
            self.hand_in(state, batch);
        }
    }

    /// An annotated task has ended.
    pub(super) fn deliver(&self, task: TaskId, future: Future<Value>) {
        let mut batch = Batch::default();
        let mut state = self.state.lock();
        let other = state.called.remove(&task);
        let time = state.call_times.remove(&task).unwrap_or_default();
        MutexGuard::unlocked(&mut state, || {
            // Whoever has the last future gets the value itself.
            drop(other);
            match future.result() {
                Ok(value) => batch.done.push((task, time, value)),
                Err(error) => batch.error = Some(error),
            }
        });
        state.told += 1;
        // Of a run that has failed the results are dropped.
        if state.error.is_none() || batch.error.is_some() {
            self.hand_in(&mut state, &mut batch);
        }
        drop(state);
        self.tell_excesses(&mut batch);
        batch.tidy();
        drop(batch);
        self.changed.notify_all();
    }

    /// Begins a call that stands for a task, or waits for one if nothing else goes on. Whether anything has changed.
    pub(super) fn help_calls(&self, state: &mut MutexGuard<'_, State>, helper: bool) -> bool {
        // Of those that have ended the run will be told.
        let open = state.called.values().filter(|call| !call.is_done());
        let calls: Vec<_> = open.map(Future::node).collect();
        let alone = state.busy == 1 && !helper;
        let mut failed = None;
        let helped = MutexGuard::unlocked(state, || {
            if calls.iter().any(begin) {
                return true;
            }
            if alone && let Some(first) = calls.first() {
                failed = wait(first).err();
                return true;
            }
            false
        });
        drop(calls);
        if let Some(error) = failed {
            self.fail(state, error);
        }
        helped
    }
}
