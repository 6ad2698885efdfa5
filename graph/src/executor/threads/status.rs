//! What a run on the pool says when it is asked.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::{Run, State};
use crate::memory::Residency;
use crate::status::{Levels, Probe, RunStatus, Running};
use crate::task::TaskId;

impl Run {
    /// Whether threads are still at work.
    pub(super) fn goes_on(state: &State) -> bool {
        if state.error.is_some() { state.busy > 0 } else { !state.scheduler.is_done() }
    }

    fn running(&self, now: Duration) -> impl Iterator<Item = Running> {
        self.slots.iter().enumerate().filter_map(move |(thread, slot)| slot.get(thread, now))
    }
}

impl Probe for Run {
    fn levels(&self) -> Option<Levels> {
        let state = self.state.lock();
        let elapsed = self.begin.elapsed();
        Run::goes_on(&state).then(|| Levels {
            elapsed,
            finished: state.scheduler.finished_tasks(),
            running: self.running(elapsed).count(),
            held: state.store.live(),
            reserved: state.scheduler.reserved(),
        })
    }

    fn status(&self) -> Option<RunStatus> {
        let state = self.state.lock();
        if !Run::goes_on(&state) {
            return None;
        }
        let now = self.begin.elapsed();
        let running: Vec<Running> = self.running(now).collect();
        Some(RunStatus {
            threads: self.slots.len(),
            elapsed: now,
            cancelled: self.context.cancel.is_cancelled(),
            ..RunStatus::of(&self.plan, &state.scheduler, &state.store, running)
        })
    }
}

/// What a thread is busy with, for whoever asks; written by the thread alone.
pub(super) struct Slot {
    /// A task, and whether its result is being written; see [`Slot::IDLE`].
    what: AtomicU64,
    /// Nanoseconds since the start of the run.
    since: AtomicU64,
}

/// What a thread does with a task.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Runs,
    Writes,
}

impl Default for Slot {
    fn default() -> Slot {
        Slot { what: AtomicU64::new(Slot::IDLE), since: AtomicU64::new(0) }
    }
}

impl Slot {
    const IDLE: u64 = u64::MAX;
    const WRITES: u64 = 1 << 32;

    #[inline]
    pub(super) fn set(&self, kind: Kind, task: TaskId, since: Duration) {
        let writes = if matches!(kind, Kind::Writes) { Slot::WRITES } else { 0 };
        self.since.store(since.as_nanos() as u64, Relaxed);
        self.what.store(u64::from(task.0) | writes, Relaxed);
    }

    pub(super) fn clear(&self) {
        self.what.store(Slot::IDLE, Relaxed);
    }

    fn get(&self, thread: usize, now: Duration) -> Option<Running> {
        let (what, since) = (self.what.load(Relaxed), self.since.load(Relaxed));
        let age = now.saturating_sub(Duration::from_nanos(since));
        let running = Running { task: TaskId(what as u32), thread, age, writes: what & Slot::WRITES != 0 };
        (what != Slot::IDLE).then_some(running)
    }
}
