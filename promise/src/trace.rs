//! What each task really takes: the process's own memory before it, at its highest, and after it. On one thread.

use std::sync::Mutex;

use talatat::graph::{Event, Observer};

use crate::child::{own_peak, status};

/// Prints a line for each task to the standard error.
#[derive(Default)]
pub(crate) struct Trace(Mutex<State>);

#[derive(Default)]
struct State {
    /// What each task is, reads and makes, as the plan has it.
    tasks: Vec<(String, u64, u64)>,
    before: u64,
}

/// From now on the highest is what is there now.
fn reset() {
    // Where that is not possible the highest stays what it was.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

impl Observer for Trace {
    fn on(&self, event: &Event<'_>) {
        let Ok(mut state) = self.0.lock() else { return };
        let mib = |bytes: u64| bytes as f64 / 1048576.0;
        match event {
            Event::Started { plan, .. } => {
                let graph = plan.graph();
                let name = |task| graph.layer(task).kernel.describe().chars().take(100).collect();
                state.tasks = graph.tasks().map(|task| (name(task), plan.bytes_in(task), graph.bytes(task))).collect();
            }
            Event::TaskStarted { .. } => {
                reset();
                state.before = status("RssAnon");
            }
            Event::Task { task, bytes, .. } => {
                let Some((name, reads, makes)) = state.tasks.get(task.index()) else { return };
                eprintln!(
                    "{:>7.1} MiB before, {:>7.1} highest, {:>7.1} after; reads {:>7.1} by promise, makes {:>6.1} of {:>6.1}: {} {}",
                    mib(state.before),
                    mib(own_peak()),
                    mib(status("RssAnon")),
                    mib(*reads),
                    mib(*bytes),
                    mib(*makes),
                    name,
                    task.index()
                );
            }
            Event::Evicted { bytes, .. } => eprintln!("{:>7.1} MiB to the disk", mib(*bytes)),
            Event::ReadBack { bytes, .. } => eprintln!("{:>7.1} MiB from the disk", mib(*bytes)),
            _ => {}
        }
    }
}
