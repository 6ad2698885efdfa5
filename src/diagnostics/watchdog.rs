//! Says what a run waits for when nothing happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use talatat_graph::Board;

use super::recording::Ticker;
use super::status::Status;

/// Whom a watchdog tells.
pub(crate) type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// Notices that no task finishes. It has no clock: it is told the time.
#[derive(Debug)]
pub(crate) struct Watchdog {
    patience: Duration,
    /// What was seen last: tasks that have finished, and whether the run was cancelled.
    seen: (usize, bool),
    /// Since when nothing has changed.
    since: Duration,
    /// How long nothing may go on to happen before it is said again; doubles each time.
    again: Duration,
}

impl Watchdog {
    pub(crate) fn new(patience: Duration) -> Watchdog {
        Watchdog { patience, seen: (0, false), since: Duration::ZERO, again: patience }
    }

    /// Looks at what is going on at a time that is counted from anywhere; gives what there is to say.
    pub(crate) fn look(&mut self, now: Duration, status: &Status) -> Option<String> {
        let finished = status.runs.iter().map(|run| run.finished).sum();
        let seen = (finished, status.runs.iter().any(|run| run.cancelled));
        if status.runs.is_empty() || seen != self.seen {
            (self.seen, self.since, self.again) = (seen, now, self.patience);
            return None;
        }
        let quiet = now.saturating_sub(self.since);
        if quiet < self.again {
            return None;
        }
        self.again = quiet * 2;
        let what = if seen.1 { "cancelled, and still not over after" } else { "no task has finished for" };
        Some(format!("talatat: {what} {:.1} s\n{status}", quiet.as_secs_f64()))
    }

    /// How often to look.
    fn pause(&self) -> Duration {
        (self.patience / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }

    /// Looks at the runs on a board until the ticker is dropped.
    pub(crate) fn start(mut self, board: Board, tell: Tell) -> Ticker {
        let (begin, pause) = (Instant::now(), self.pause());
        Ticker::start("talatat-watchdog", pause, move || {
            if let Some(text) = self.look(begin.elapsed(), &Status { runs: board.statuses(), cache: None }) {
                tell(&text);
            }
            pause
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use talatat_graph::testing::tree_graph;
    use talatat_graph::{HeldUp, Plan, PlanOptions, RunStatus, Running, TaskId, Waiting};

    fn status() -> Status {
        let options = PlanOptions { memory_limit: Some(10), ..PlanOptions::default() };
        let plan = Arc::new(Plan::new(tree_graph(4, 2), &options).unwrap());
        let run = |task: u32, age: u64, writes: bool| Running {
            task: TaskId(task),
            thread: task as usize,
            age: Duration::from_secs(age),
            writes,
        };
        Status {
            cache: None,
            runs: vec![RunStatus {
                plan,
                threads: 2,
                elapsed: Duration::from_secs(65),
                cancelled: false,
                finished: 1,
                running: vec![run(0, 1, true), run(1, 60, false)],
                ready: 2,
                held: 7,
                reserved: 2,
                held_up: Some(HeldUp { task: TaskId(3), needs: 4, lacks: 3, ahead: false }),
                wanted: Some(Waiting { result: TaskId(6), at: TaskId(2), inputs: vec![TaskId(1)], lacking: 2 }),
            }],
        }
    }

    #[test]
    fn barks_when_nothing_happens_and_then_less_and_less_often() {
        let (mut dog, mut status) = (Watchdog::new(Duration::from_secs(10)), status());
        let mut barks = Vec::new();
        for second in 0..100 {
            if second == 31 {
                status.runs[0].finished += 1;
            }
            barks.extend(dog.look(Duration::from_secs(second), &status).map(|_| second));
        }
        // First seen at 0; said after 10 s and after 20; then something finished at 31.
        assert_eq!(barks, [10, 20, 41, 51, 71]);
        assert!(dog.look(Duration::from_secs(200), &Status::default()).is_none(), "nothing runs");
    }

    #[test]
    fn says_what_waits_for_what() {
        let (mut dog, status) = (Watchdog::new(Duration::from_secs(60)), status());
        assert_eq!(dog.look(Duration::ZERO, &status), None);
        insta::assert_snapshot!(dog.look(Duration::from_secs(60), &status).unwrap(), @r"
        talatat: no task has finished for 60.0 s
        1 of 7 tasks done in 65.0 s, on 2 threads
          leaf/1: running on thread 1 for 60.0 s
          leaf/0: its result is being written to the disk on thread 0 for 1.0 s
          2 tasks are ready; the first, leaf/2, waits for memory: it needs 4 B and lacks 3 B (results hold 7 B, running tasks have reserved 2 B, the limit is 10 B)
          3 tasks wait for inputs; the wanted sum/0 waits at sum/0 for leaf/1 (running) and 1 more
        ");
    }

    #[test]
    fn a_task_that_goes_on_after_a_cancel_is_named() {
        let (mut dog, mut status) = (Watchdog::new(Duration::from_secs(5)), status());
        dog.look(Duration::ZERO, &status);
        status.runs[0].cancelled = true;
        status.runs[0].held_up = None;
        assert_eq!(dog.look(Duration::from_secs(7), &status), None, "it was cancelled just now");
        insta::assert_snapshot!(dog.look(Duration::from_secs(12), &status).unwrap(), @r"
        talatat: cancelled, and still not over after 5.0 s
        1 of 7 tasks done in 65.0 s, on 2 threads
          cancelled: it ends when the running tasks do; a task cannot be stopped from outside
          leaf/1: running on thread 1 for 60.0 s
          leaf/0: its result is being written to the disk on thread 0 for 1.0 s
          2 tasks are ready and will not start
          3 tasks wait for inputs; the wanted sum/0 waits at sum/0 for leaf/1 (running) and 1 more
        ");
    }
}
