//! Runs and tasks as spans of the `tracing` crate.

use std::cell::RefCell;
use std::sync::Arc;

use talatat_graph::{Event, Observer, Plan};
use tracing::span::EnteredSpan;
use tracing::{Level, Span, debug_span, info_span};

thread_local! {
    /// The spans of the tasks that this thread is in, inner ones last.
    static OPEN: RefCell<Vec<EnteredSpan>> = const { RefCell::new(Vec::new()) };
}

/// Tells the program's `tracing` subscriber of runs and tasks: a span `run` (level INFO) for each run, below it a span `task` (level DEBUG)
/// for each task, entered on the thread that runs it, so that what a kernel logs stands within its task; events for what fails and for
/// results that go to the disk. The target is `talatat`. What the subscriber does not want costs a few nanoseconds a task. (Cargo feature
/// `tracing`.)
///
/// ```
/// use std::sync::Arc;
/// use talatat::{Compute, Session, delayed::delayed, diagnostics::TracingSpans};
/// let session = Session::builder().observer(Arc::new(TracingSpans)).build()?;
/// assert_eq!(delayed(|x: i64| x + 1).call(1_i64).compute_on(&session)?, 2);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingSpans;

/// The spans of one run.
struct RunSpans {
    plan: Arc<Plan>,
    run: Span,
}

impl Observer for TracingSpans {
    fn on(&self, _: &Event<'_>) {}

    fn of_run(&self, plan: &Arc<Plan>) -> Option<Arc<dyn Observer>> {
        let run = info_span!(target: "talatat", "run", tasks = plan.graph().len(), projected_peak = plan.peak().bytes);
        Some(Arc::new(RunSpans { plan: plan.clone(), run }))
    }
}

impl Observer for RunSpans {
    fn on(&self, event: &Event<'_>) {
        match event {
            Event::TaskStarted { task, .. } => {
                let span = if tracing::enabled!(target: "talatat", Level::DEBUG) {
                    let (graph, bytes) = (self.plan.graph(), tracing::field::Empty);
                    let (operation, block) = (graph.layer(*task).kernel.describe(), graph.block(*task));
                    debug_span!(target: "talatat", parent: &self.run, "task", operation, block, bytes)
                } else {
                    Span::none()
                };
                OPEN.with_borrow_mut(|open| open.push(span.entered()));
            }
            Event::Task { bytes, .. } => leave(|span| {
                span.record("bytes", bytes);
            }),
            Event::Failed { error, .. } => {
                tracing::error!(target: "talatat", %error, "task failed");
                leave(|_| {});
            }
            Event::Evicted { bytes, .. } => {
                tracing::debug!(target: "talatat", parent: &self.run, bytes, "a result went to the disk");
            }
            Event::ReadBack { bytes, .. } => {
                tracing::debug!(target: "talatat", bytes, "inputs came back from the disk")
            }
            Event::Finished { error: Some(error), .. } => {
                tracing::error!(target: "talatat", parent: &self.run, %error, "run failed");
            }
            Event::Finished { elapsed, peak, .. } => {
                tracing::info!(target: "talatat", parent: &self.run, ?elapsed, peak, "run finished");
            }
            _ => {}
        }
    }
}

/// Leaves the innermost task's span.
fn leave(last: impl FnOnce(&Span)) {
    // The subscriber is called after the list is given back: it may compute something itself.
    if let Some(span) = OPEN.with_borrow_mut(Vec::pop) {
        last(&span);
    }
}
