//! What has run, next to what was promised.

use std::fmt;
use std::time::Duration;

use talatat_graph::format_bytes;
use talatat_graph::memory::Excess;

use super::recording::{Recorder, Sums};

/// One operation of a [`Report`].
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct OperationReport {
    /// The operation.
    pub operation: String,
    /// Tasks that ended well.
    pub tasks: usize,
    /// Tasks that the plan has.
    pub planned: usize,
    /// Time that the tasks took, all threads together.
    pub time: Duration,
    /// The operation's part of the time of all tasks, from 0 to 1.
    pub share: f64,
    /// Time that the tasks were predicted to take, if that was asked for.
    pub predicted: Option<Duration>,
    /// Bytes of the results as the plan promised.
    pub bytes_promised: u64,
    /// Bytes of the results as they were measured.
    pub bytes_measured: u64,
    /// Bytes that the tasks read of each other's results and made, as the plan promised.
    pub bytes_moved: u64,
    /// The largest excess of a task that made more than it declared.
    pub excess: Option<Excess>,
}

/// What ran, how long, with how many bytes, next to what the plan promised. `Display` gives a table.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The operations, the longest first.
    pub operations: Vec<OperationReport>,
    /// How long the run took.
    pub elapsed: Duration,
    /// How long it was predicted to take, if that was asked for.
    pub predicted: Option<Duration>,
    /// Threads that could run tasks.
    pub threads: usize,
    /// The peak that the plan projected for a run of one thread, in bytes.
    pub peak_promised: u64,
    /// The most bytes that were held at once, if the executor tells.
    pub peak_measured: Option<u64>,
    /// The limit that was in force.
    pub memory_limit: Option<u64>,
    /// Bytes that went to the disk because memory was short, and bytes that were read back.
    pub spilled: (u64, u64),
    /// What memory can do: bytes a second that as many threads read and write together when they only copy. Measured once for each number of threads
    /// (about 50 ms, after the first run that took a tenth of a second) and kept in the file of the setting `costs`; `None` if that is off, or
    /// the run was on other machines.
    pub copying: Option<f64>,
    /// Why what was measured could not be compared with earlier runs or kept for later ones, if that is so.
    pub note: Option<String>,
}

impl Report {
    /// The part of the threads' time in which tasks ran, from 0 to 1. (More, if a task waited for the graph of another.)
    pub fn busy(&self) -> f64 {
        let time: Duration = self.operations.iter().map(|row| row.time).sum();
        ratio(time, self.elapsed * u32::try_from(self.threads).unwrap_or(u32::MAX))
    }

    /// How near the run came to the limit of the hardware that is known, that of memory: bytes that tasks read of each other's results and made,
    /// by what copying would have moved in the same time. 1 is the limit for blocks that come from memory and go there; blocks that stay in the
    /// processor's caches may exceed it, and what is limited by arithmetic, or waits for disks, does not come near it.
    pub fn of_limit(&self) -> Option<f64> {
        let bytes = self.operations.iter().fold(0_u64, |sum, row| sum.saturating_add(row.bytes_moved));
        part_of_limit(bytes, self.elapsed, self.copying?)
    }

    /// The same of one operation: its tasks' bytes and time, by what a thread copies when all of them do. (While others have nothing to do, a thread
    /// may be faster than that.)
    pub fn operation_of_limit(&self, row: &OperationReport) -> Option<f64> {
        part_of_limit(row.bytes_moved, row.time, self.copying? / self.threads.max(1) as f64)
    }
}

fn part_of_limit(bytes: u64, time: Duration, limit: f64) -> Option<f64> {
    let part = bytes as f64 / time.as_secs_f64() / limit;
    Some(part).filter(|part| bytes > 0 && part.is_finite())
}

fn ratio(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.operations.iter().map(|row| row.operation.chars().count()).max().unwrap_or(0);
        let width = longest.clamp(9, 72);
        let predicted = self.operations.iter().any(|row| row.predicted.is_some());
        let optional = |text: String| if predicted { format!(" {text:>11}") } else { String::new() };
        let of_limit = |text: String| if self.copying.is_some() { format!(" {text:>6}") } else { String::new() };
        writeln!(
            f,
            "{:width$} {:>9} {:>11}{} {:>6} {:>11} {:>11}{}",
            "operation",
            "tasks",
            "time",
            optional("predicted".into()),
            "share",
            "promised",
            "measured",
            of_limit("memory".into())
        )?;
        for row in &self.operations {
            let name: String = row.operation.chars().take(width).collect();
            let tasks =
                if row.tasks == row.planned { row.tasks.to_string() } else { format!("{}/{}", row.tasks, row.planned) };
            let (promised, measured) = (format_bytes(row.bytes_promised), format_bytes(row.bytes_measured));
            let (time, share) = (format!("{:.3?}", row.time), row.share * 100.0);
            let before = optional(row.predicted.map_or_else(|| "-".into(), |time| format!("{time:.3?}")));
            let limit = self.operation_of_limit(row).map_or_else(|| "-".into(), |part| format!("{:.0}%", part * 100.0));
            let limit = of_limit(limit);
            writeln!(
                f,
                "{name:width$} {tasks:>9} {time:>11}{before} {share:>5.1}% {promised:>11} {measured:>11}{limit}"
            )?;
        }
        write!(f, "{:.3?} on {} threads, {:.0}% busy; ", self.elapsed, self.threads, self.busy() * 100.0)?;
        write!(f, "peak {} projected for one thread", format_bytes(self.peak_promised))?;
        if let Some(peak) = self.peak_measured {
            write!(f, ", {} measured", format_bytes(peak))?;
        }
        match self.memory_limit {
            Some(limit) => write!(f, ", limit {}", format_bytes(limit))?,
            None => write!(f, ", no limit")?,
        }
        if self.spilled.0 > 0 || self.spilled.1 > 0 {
            write!(f, "; {} to the disk, {} back", format_bytes(self.spilled.0), format_bytes(self.spilled.1))?;
        }
        if let Some(predicted) = self.predicted {
            write!(f, "; {predicted:.3?} predicted")?;
        }
        writeln!(f)?;
        if let (Some(copying), Some(part)) = (self.copying, self.of_limit()) {
            let (rate, threads) = (copying / 1e9, self.threads);
            writeln!(f, "memory: {:.0}% of the {rate:.1} GB/s that {threads} threads copy", part * 100.0)?;
        }
        self.note.iter().try_for_each(|note| writeln!(f, "note: {note}"))?;
        for row in &self.operations {
            if let Some(Excess { declared, made }) = row.excess.filter(|excess| excess.made > 2 * excess.declared) {
                let (made, declared) = (format_bytes(made), format_bytes(declared));
                writeln!(f, "{}: a task made {made} and had declared {declared}", row.operation)?;
            }
        }
        Ok(())
    }
}

impl Report {
    /// What a recording knows so far.
    pub(crate) fn of(recorder: &Recorder) -> Report {
        let (plan, lanes, end) = (recorder.plan(), recorder.lanes(), recorder.end().unwrap_or_default());
        let sums = |row: usize| {
            let of_row = lanes.iter().filter_map(|lane| lane.sums.get(row));
            of_row.fold(Sums::default(), Sums::and)
        };
        let operations = recorder.rows().into_iter().enumerate().map(|(number, row)| {
            let sums = sums(number);
            OperationReport {
                operation: row.operation,
                tasks: sums.tasks as usize,
                planned: row.tasks,
                time: Duration::from_nanos(sums.time),
                share: 0.0,
                predicted: None,
                bytes_promised: row.bytes,
                bytes_measured: sums.bytes,
                bytes_moved: sums.moved as u64,
                excess: row.excess,
            }
        });
        let mut operations: Vec<OperationReport> = operations.collect();
        let total: Duration = operations.iter().map(|row| row.time).sum();
        operations.iter_mut().for_each(|row| row.share = ratio(row.time, total));
        operations.sort_by_key(|row| std::cmp::Reverse(row.time));
        Report {
            operations,
            elapsed: end.elapsed,
            predicted: None,
            threads: recorder.threads(),
            peak_promised: plan.peak().bytes,
            peak_measured: end.peak,
            memory_limit: plan.memory_limit(),
            note: None,
            copying: None,
            spilled: lanes.iter().fold((0, 0), |(out, back), lane| (out + lane.written.bytes, back + lane.read.bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use super::super::recording::Detail;
    use talatat_graph::{Event, Observer, Plan, PlanOptions, TaskId, testing::tree_graph};

    #[test]
    fn times_and_bytes_are_summed_by_operation() {
        let plan = Arc::new(Plan::new(tree_graph(4, 2), &PlanOptions::default()).unwrap());
        let recorder = Recorder::new(&plan, 2, Detail::Sums);
        let millis = Duration::from_millis;
        recorder.on(&Event::Started { plan: &plan, threads: 2 });
        for task in plan.graph().tasks() {
            let leaf = plan.graph().inputs(task).is_empty();
            let thread = task.index() % 2;
            recorder.on(&Event::Task {
                task,
                thread,
                start: millis(1),
                end: millis(if leaf { 11 } else { 21 }),
                bytes: 3,
            });
        }
        recorder.on(&Event::Finished { plan: &plan, error: None, elapsed: millis(100), peak: Some(5) });
        insta::assert_snapshot!(Report::of(&recorder), @r"
        operation     tasks        time  share    promised    measured
        sum               3    60.000ms  60.0%         3 B         9 B
        leaf              4    40.000ms  40.0%         4 B        12 B
        100.000ms on 2 threads, 50% busy; peak 4 B projected for one thread, 5 B measured, no limit
        ");
    }

    #[test]
    fn what_memory_can_do_is_shown_beside() {
        let row = |name: &str, millis, bytes_moved| OperationReport {
            operation: name.into(),
            time: Duration::from_millis(millis),
            bytes_moved,
            ..OperationReport::default()
        };
        let report = Report {
            operations: vec![row("copy", 100, 500_000_000), row("think", 100, 50_000_000), row("count", 0, 0)],
            elapsed: Duration::from_millis(100),
            threads: 2,
            copying: Some(10e9),
            ..Report::default()
        };
        insta::assert_snapshot!(report, @r"
        operation     tasks        time  share    promised    measured memory
        copy              0   100.000ms   0.0%         0 B         0 B   100%
        think             0   100.000ms   0.0%         0 B         0 B    10%
        count             0     0.000ns   0.0%         0 B         0 B      -
        100.000ms on 2 threads, 100% busy; peak 0 B projected for one thread, no limit
        memory: 55% of the 10.0 GB/s that 2 threads copy
        ");
        assert_eq!(Report { copying: None, ..report }.of_limit(), None);
    }

    #[test]
    fn a_run_that_stopped_shows_how_far_it_came() {
        let plan = Arc::new(Plan::new(tree_graph(4, 2), &PlanOptions::default()).unwrap());
        let recorder = Recorder::new(&plan, 2, Detail::Sums);
        recorder.on(&Event::Task { task: TaskId(0), thread: 0, start: Duration::ZERO, end: Duration::ZERO, bytes: 0 });
        let report = Report::of(&recorder);
        assert_eq!(report.operations.iter().map(|row| row.tasks).sum::<usize>(), 1);
        assert!(report.to_string().contains("1/4"));
        assert_eq!(report.busy(), 0.0);
    }
}
