//! How far a run is, for whoever asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use talatat_graph::{Cancel, Levels, Plan, Probe, RunStatus};

/// What the driver knows of a run while it goes on: how many tasks are done. What the workers are doing at the moment they alone know.
pub(super) struct Progress {
    plan: Arc<Plan>,
    threads: usize,
    cancel: Cancel,
    begin: Instant,
    finished: AtomicUsize,
    over: AtomicBool,
}

impl Progress {
    pub(super) fn new(plan: Arc<Plan>, threads: usize, cancel: Cancel) -> Progress {
        let (finished, over) = (AtomicUsize::new(0), AtomicBool::new(false));
        Progress { plan, threads, cancel, begin: Instant::now(), finished, over }
    }

    pub(super) fn add(&self, tasks: usize) {
        self.finished.fetch_add(tasks, Ordering::Relaxed);
    }

    pub(super) fn finished(&self) -> usize {
        self.finished.load(Ordering::Relaxed)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Probe for Progress {
    fn status(&self) -> Option<RunStatus> {
        let Levels { elapsed, finished, held, reserved, .. } = self.levels()?;
        Some(RunStatus {
            plan: self.plan.clone(),
            threads: self.threads,
            elapsed,
            cancelled: self.cancel.is_cancelled(),
            finished,
            running: Vec::new(),
            ready: 0,
            held,
            reserved,
            held_up: None,
            wanted: None,
        })
    }

    fn levels(&self) -> Option<Levels> {
        let (elapsed, finished) = (self.elapsed(), self.finished());
        (!self.over.load(Ordering::Relaxed)).then(|| Levels { elapsed, finished, ..Levels::default() })
    }
}
