//! How far a computation is.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use indicatif::{ProgressDrawTarget, ProgressStyle};
use talatat_graph::{Event, Observer, format_bytes};

/// Runs shorter than this show nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// Between two drawings on a terminal, and between two lines elsewhere.
const ON_TERMINAL: Duration = Duration::from_millis(100);
const ELSEWHERE: Duration = Duration::from_secs(5);

/// Shows on the standard error stream how far computations are: tasks, bytes made, time left.
///
/// On a terminal it is a bar that goes away at the end; elsewhere it is a line every five seconds. Runs of less than half a
/// second show nothing. Several runs at once are shown as one. A task costs a clock reading and two counters.
///
/// ```
/// use std::sync::Arc;
/// use talatat::{Compute, Session, delayed::delayed, diagnostics::ProgressBar};
/// let session = Session::builder().observer(Arc::new(ProgressBar::new())).build()?;
/// assert_eq!(delayed(|x: i64| x + 1).call(1_i64).compute_on(&session)?, 2);
/// # Ok::<(), talatat::Error>(())
/// ```
pub struct ProgressBar {
    screen: Box<dyn Screen>,
    begin: Instant,
    runs: AtomicUsize,
    done: AtomicUsize,
    total: AtomicUsize,
    bytes: AtomicU64,
    /// The next time to draw at, in nanoseconds from `begin`.
    next: AtomicU64,
    shown: AtomicBool,
}

/// Where progress is shown.
trait Screen: Send + Sync {
    /// The time between two drawings.
    fn pause(&self) -> Duration;
    fn show(&self, done: usize, total: usize, bytes: u64);
    fn clear(&self);
}

impl Default for ProgressBar {
    fn default() -> Self {
        Self::new()
    }
}

impl ProgressBar {
    /// A bar on the standard error stream.
    pub fn new() -> Self {
        use std::io::IsTerminal;
        if std::io::stderr().is_terminal() {
            Self::on(Box::new(Terminal::new()))
        } else {
            Self::on(Box::new(Lines(Instant::now())))
        }
    }

    fn on(screen: Box<dyn Screen>) -> Self {
        ProgressBar {
            screen,
            begin: Instant::now(),
            runs: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            total: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            next: AtomicU64::new(0),
            shown: AtomicBool::new(false),
        }
    }

    /// What [`Observer::on`] does, at a time counted from the bar's making.
    fn at(&self, now: Duration, event: &Event<'_>) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        match event {
            Event::Started { plan, .. } => {
                self.total.fetch_add(plan.graph().len(), Relaxed);
                if self.runs.fetch_add(1, Relaxed) == 0 {
                    self.next.store(nanos(now + PATIENCE), Relaxed);
                }
            }
            Event::Task { bytes, .. } => {
                let done = self.done.fetch_add(1, Relaxed) + 1;
                let made = self.bytes.fetch_add(*bytes, Relaxed) + bytes;
                let next = self.next.load(Relaxed);
                // Of several threads that come at the same time one draws.
                if nanos(now) >= next
                    && self.next.compare_exchange(next, nanos(now + self.screen.pause()), Relaxed, Relaxed).is_ok()
                {
                    self.shown.store(true, Relaxed);
                    self.screen.show(done, self.total.load(Relaxed), made);
                }
            }
            Event::Finished { .. } => self.ended(),
            _ => {}
        }
    }

    fn ended(&self) {
        if self.runs.fetch_sub(1, Relaxed) > 1 {
            return;
        }
        self.done.store(0, Relaxed);
        self.total.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        if self.shown.swap(false, Relaxed) {
            self.screen.clear();
        }
    }
}

impl Observer for ProgressBar {
    fn on(&self, event: &Event<'_>) {
        self.at(self.begin.elapsed(), event);
    }
}

/// A bar on a terminal.
struct Terminal(indicatif::ProgressBar);

impl Terminal {
    fn new() -> Self {
        let bar = indicatif::ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let style = "{wide_bar} {pos}/{len} tasks, {msg}, {eta} left";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Terminal(bar)
    }
}

impl Screen for Terminal {
    fn pause(&self) -> Duration {
        ON_TERMINAL
    }

    fn show(&self, done: usize, total: usize, bytes: u64) {
        if self.0.is_hidden() {
            self.0.reset();
            self.0.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.0.set_length(total as u64);
        self.0.set_message(format_bytes(bytes));
        self.0.set_position(done as u64);
    }

    fn clear(&self) {
        self.0.finish_and_clear();
        self.0.set_draw_target(ProgressDrawTarget::hidden());
    }
}

/// Lines in a log; counted from when the bar was made.
struct Lines(Instant);

impl Screen for Lines {
    fn pause(&self) -> Duration {
        ELSEWHERE
    }

    fn show(&self, done: usize, total: usize, bytes: u64) {
        use std::io::Write;
        let seconds = self.0.elapsed().as_secs();
        // Nobody is told if nobody can be.
        let _ = writeln!(std::io::stderr(), "{done} of {total} tasks, {} at {seconds} s", format_bytes(bytes));
    }

    fn clear(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use talatat_graph::{Plan, PlanOptions, TaskId, testing::tree_graph};

    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);

    impl Screen for Notes {
        fn pause(&self) -> Duration {
            ON_TERMINAL
        }

        fn show(&self, done: usize, total: usize, bytes: u64) {
            self.0.lock().push(format!("{done}/{total} {bytes}"));
        }

        fn clear(&self) {
            self.0.lock().push("clear".into());
        }
    }

    fn task() -> Event<'static> {
        Event::Task { task: TaskId(0), thread: 0, start: Duration::ZERO, end: Duration::ZERO, bytes: 10 }
    }

    #[test]
    fn draws_now_and_then_and_clears_at_the_end() {
        let notes = Notes::default();
        let bar = ProgressBar::on(Box::new(notes.clone()));
        let plan = Plan::new(tree_graph(8, 8), &PlanOptions::default()).unwrap();
        let finished = Event::Finished { plan: &plan, error: None, elapsed: Duration::ZERO, peak: None };
        let millis = Duration::from_millis;
        for _ in 0..2 {
            bar.at(millis(0), &Event::Started { plan: &plan, threads: 1 });
            bar.at(millis(499), &task());
            bar.at(millis(500), &task());
            bar.at(millis(599), &task());
            bar.at(millis(600), &task());
            bar.at(millis(601), &finished);
        }
        assert_eq!(*notes.0.lock(), ["2/9 20", "4/9 40", "clear", "2/9 20", "4/9 40", "clear"]);
    }

    #[test]
    fn short_runs_show_nothing() {
        let notes = Notes::default();
        let bar = ProgressBar::on(Box::new(notes.clone()));
        let plan = Plan::new(tree_graph(8, 8), &PlanOptions::default()).unwrap();
        bar.at(Duration::ZERO, &Event::Started { plan: &plan, threads: 1 });
        bar.at(Duration::from_millis(400), &task());
        bar.at(
            Duration::from_millis(450),
            &Event::Finished { plan: &plan, error: None, elapsed: Duration::ZERO, peak: None },
        );
        assert!(notes.0.lock().is_empty());
    }
}
