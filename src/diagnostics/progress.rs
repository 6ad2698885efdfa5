//! How far a computation is.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressStyle};
use parking_lot::Mutex;
use talatat_graph::{Event, Observer, Plan, format_bytes};

/// Runs shorter than this show nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// Between two drawings on a terminal, and between two lines elsewhere.
const ON_TERMINAL: Duration = Duration::from_millis(100);
const ELSEWHERE: Duration = Duration::from_secs(5);

/// Shows on the standard error stream how far computations are: tasks, bytes made, time left.
///
/// On a terminal it is a bar for each run, one below the other, that goes away at the end; elsewhere it is a line every five seconds. Runs of less
/// than half a second show nothing. A run is called after its last operation. A task costs a clock reading and two counters.
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
}

/// Where progress is shown.
trait Screen: Send + Sync {
    /// A place for a run of that name; nothing is drawn yet.
    fn open(&self, name: String) -> Box<dyn Line>;
}

/// The line of one run. It goes when it is dropped.
trait Line: Send + Sync {
    /// The time between two drawings.
    fn pause(&self) -> Duration;
    fn show(&self, done: usize, total: usize, bytes: u64);
}

impl Default for ProgressBar {
    fn default() -> Self {
        Self::new()
    }
}

impl ProgressBar {
    /// Bars on the standard error stream.
    pub fn new() -> Self {
        use std::io::IsTerminal;
        if std::io::stderr().is_terminal() {
            Self::on(Box::new(Terminal(MultiProgress::new())))
        } else {
            Self::on(Box::new(Log))
        }
    }

    fn on(screen: Box<dyn Screen>) -> Self {
        ProgressBar { screen }
    }

    /// What watches a run of a plan.
    fn run(&self, plan: &Plan) -> Run {
        Run {
            line: Mutex::new(Some(self.screen.open(title(plan)))),
            begin: Instant::now(),
            total: plan.graph().len(),
            done: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            next: AtomicU64::new(nanos(PATIENCE)),
        }
    }
}

impl Observer for ProgressBar {
    fn on(&self, _: &Event<'_>) {}

    fn of_run(&self, plan: &Arc<Plan>) -> Option<Arc<dyn Observer>> {
        Some(Arc::new(self.run(plan)))
    }
}

/// What a run is called: its last operation, of a chain the last one.
fn title(plan: &Plan) -> String {
    const SHOWN: usize = 24;
    let graph = plan.graph();
    let last = graph.outputs().last().map(|edge| graph.layer(edge.task).kernel.describe()).unwrap_or_default();
    last.rsplit(" > ").next().unwrap_or_default().chars().take(SHOWN).collect()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How far one run is.
struct Run {
    line: Mutex<Option<Box<dyn Line>>>,
    begin: Instant,
    total: usize,
    done: AtomicUsize,
    bytes: AtomicU64,
    /// The next time to draw at, in nanoseconds from `begin`.
    next: AtomicU64,
}

impl Run {
    /// What [`Observer::on`] does, at a time counted from the run's start.
    fn at(&self, now: Duration, event: &Event<'_>) {
        match event {
            Event::Task { bytes, .. } => {
                let done = self.done.fetch_add(1, Relaxed) + 1;
                let made = self.bytes.fetch_add(*bytes, Relaxed) + bytes;
                let next = self.next.load(Relaxed);
                // Of several threads that come at the same time one draws; the others do not wait for it.
                if nanos(now) < next || self.next.compare_exchange(next, u64::MAX, Relaxed, Relaxed).is_err() {
                    return;
                }
                if let Some(line) = &*self.line.lock() {
                    line.show(done, self.total, made);
                    self.next.store(nanos(now + line.pause()), Relaxed);
                }
            }
            Event::Finished { .. } => drop(self.line.lock().take()),
            _ => {}
        }
    }
}

impl Observer for Run {
    fn on(&self, event: &Event<'_>) {
        self.at(self.begin.elapsed(), event);
    }
}

/// Bars on a terminal, one below the other.
struct Terminal(MultiProgress);

impl Screen for Terminal {
    fn open(&self, name: String) -> Box<dyn Line> {
        Box::new(Bar { all: self.0.clone(), bar: OnceLock::new(), name, begin: Instant::now() })
    }
}

/// One bar; it is put below the others when it is drawn for the first time.
struct Bar {
    all: MultiProgress,
    bar: OnceLock<indicatif::ProgressBar>,
    name: String,
    begin: Instant,
}

impl Line for Bar {
    fn pause(&self) -> Duration {
        ON_TERMINAL
    }

    fn show(&self, done: usize, total: usize, bytes: u64) {
        let bar = self.bar.get_or_init(|| {
            let style = "{prefix:24} {wide_bar} {pos}/{len} tasks, {msg}, {eta} left";
            let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = self.all.add(indicatif::ProgressBar::new(total as u64));
            bar.with_style(style).with_prefix(self.name.clone()).with_elapsed(self.begin.elapsed())
        });
        bar.set_message(format_bytes(bytes));
        bar.set_position(done as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
            self.all.remove(bar);
        }
    }
}

/// Lines in a log.
struct Log;

impl Screen for Log {
    fn open(&self, name: String) -> Box<dyn Line> {
        Box::new(Entry { name, begin: Instant::now() })
    }
}

/// The lines of one run, counted from its start.
struct Entry {
    name: String,
    begin: Instant,
}

impl Line for Entry {
    fn pause(&self) -> Duration {
        ELSEWHERE
    }

    fn show(&self, done: usize, total: usize, bytes: u64) {
        use std::io::Write;
        let (name, seconds) = (&self.name, self.begin.elapsed().as_secs());
        // Nobody is told if nobody can be.
        let _ = writeln!(std::io::stderr(), "{name}: {done} of {total} tasks, {} at {seconds} s", format_bytes(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use talatat_graph::{PlanOptions, TaskId, testing::tree_graph};

    /// Notes what would be drawn, of all runs.
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);

    struct Note(Notes, usize);

    impl Screen for Notes {
        fn open(&self, name: String) -> Box<dyn Line> {
            let mut notes = self.0.lock();
            notes.push(format!("open {name}"));
            let number = notes.iter().filter(|note| note.starts_with("open")).count();
            Box::new(Note(self.clone(), number))
        }
    }

    impl Line for Note {
        fn pause(&self) -> Duration {
            ON_TERMINAL
        }

        fn show(&self, done: usize, total: usize, bytes: u64) {
            self.0.0.lock().push(format!("run {}: {done}/{total} {bytes}", self.1));
        }
    }

    impl Drop for Note {
        fn drop(&mut self) {
            self.0.0.lock().push(format!("close {}", self.1));
        }
    }

    fn task() -> Event<'static> {
        Event::Task { task: TaskId(0), thread: 0, start: Duration::ZERO, end: Duration::ZERO, bytes: 10 }
    }

    fn finished(plan: &Plan) -> Event<'_> {
        Event::Finished { plan, error: None, elapsed: Duration::ZERO, peak: None }
    }

    fn plan() -> Arc<Plan> {
        Arc::new(Plan::new(tree_graph(8, 8), &PlanOptions::default()).unwrap())
    }

    #[test]
    fn draws_now_and_then_and_clears_at_the_end() {
        let (notes, plan, millis) = (Notes::default(), plan(), Duration::from_millis);
        let run = ProgressBar::on(Box::new(notes.clone())).run(&plan);
        run.at(millis(0), &Event::Started { plan: &plan, threads: 1 });
        run.at(millis(499), &task());
        run.at(millis(500), &task());
        run.at(millis(599), &task());
        run.at(millis(600), &task());
        run.at(millis(601), &finished(&plan));
        let name = title(&plan);
        assert_eq!(*notes.0.lock(), [&format!("open {name}"), "run 1: 2/9 20", "run 1: 4/9 40", "close 1"]);
    }

    #[test]
    fn runs_at_once_have_a_line_each() {
        let (notes, plan, late) = (Notes::default(), plan(), Duration::from_secs(1));
        let bar = ProgressBar::on(Box::new(notes.clone()));
        let (one, two) = (bar.run(&plan), bar.run(&plan));
        one.at(late, &task());
        two.at(late, &task());
        one.at(late, &finished(&plan));
        two.at(2 * late, &task());
        two.at(2 * late, &finished(&plan));
        let drawn: Vec<String> = notes.0.lock().iter().filter(|note| !note.starts_with("open")).cloned().collect();
        assert_eq!(drawn, ["run 1: 1/9 10", "run 2: 1/9 10", "close 1", "run 2: 2/9 20", "close 2"]);
    }

    #[test]
    fn short_runs_show_nothing() {
        let (notes, plan) = (Notes::default(), plan());
        let run = ProgressBar::on(Box::new(notes.clone())).run(&plan);
        run.at(Duration::from_millis(400), &task());
        run.at(Duration::from_millis(450), &finished(&plan));
        assert!(!notes.0.lock().iter().any(|note| note.starts_with("run")));
    }

    /// A terminal that keeps what is drawn last.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<(String, String)>>);

    impl Paper {
        fn bars(&self) -> usize {
            self.0.lock().1.matches("/9 tasks").count()
        }
    }

    impl indicatif::TermLike for Paper {
        fn width(&self) -> u16 {
            100
        }

        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn write_line(&self, line: &str) -> std::io::Result<()> {
            self.write_str(line)
        }

        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.0.lock().0.push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> std::io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> std::io::Result<()> {
            let mut page = self.0.lock();
            page.1 = std::mem::take(&mut page.0);
            Ok(())
        }
    }

    #[test]
    fn a_terminal_shows_a_bar_a_run() {
        let paper = Paper::default();
        let target = indicatif::ProgressDrawTarget::term_like(Box::new(paper.clone()));
        let bar = ProgressBar::on(Box::new(Terminal(MultiProgress::with_draw_target(target))));
        let (plan, late) = (plan(), Duration::from_secs(1));
        let (one, two) = (bar.run(&plan), bar.run(&plan));
        one.at(late, &task());
        assert_eq!(paper.bars(), 1);
        two.at(late, &task());
        assert_eq!(paper.bars(), 2);
        one.at(late, &finished(&plan));
        two.at(late, &finished(&plan));
        assert_eq!(paper.bars(), 0);
    }
}
