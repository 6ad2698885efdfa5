//! How long a plan will take: what its operations cost before, and the plan played through with that.

mod costs;
mod file;
mod machine;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use talatat_graph::memory::play;
use talatat_graph::{Layer, Plan, Result as GraphResult};

use super::recording::{Recorder, Sums, Traffic};
use super::report::Report;
pub use costs::Basis;
use costs::{ANY, Costs, Key, Line, SCHEDULING, kind};

/// Plans with more tasks are played through on the session's threads only.
const PLAYED: usize = 100_000;
/// Plans with more tasks are not played through after a run.
const COMPARED: usize = 20_000;
/// The numbers of threads of the table.
const THREADS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// The name of what a byte to the disk or back costs.
const DISK: &str = "disk";

/// How long a computation will take, going by what its operations cost in earlier runs on this machine. Made by
/// [`predict`](crate::Compute::predict); `Display` gives a table.
///
/// Costs are learnt by [`compute_reported`](crate::Compute::compute_reported) and
/// [`compute_profiled`](crate::Compute::compute_profiled): for each operation and number of threads a time for a task and a time for a byte that it
/// reads or makes, newer runs counting more. The plan is then played through by the real scheduler, under the real memory limit, with tasks that
/// take as long as that. What it cannot know: who else uses the machine, which files are in the system's cache, and, for numbers of
/// threads that were never measured, how much threads slow each other down.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Prediction {
    /// Threads of the session.
    pub threads: usize,
    /// How long it will take on them.
    pub elapsed: Duration,
    /// The time of all tasks: core-seconds, if threads are never idle.
    pub busy: Duration,
    /// The operations, the longest first.
    pub operations: Vec<PredictedOperation>,
    /// How long it will take on other numbers of threads. (Of plans with more than 100,000 tasks only on the session's.)
    pub by_threads: Vec<(usize, Duration)>,
    /// Predicted by measured time of earlier runs all of whose operations had been measured before, the latest last: how far to trust this.
    pub earlier: Vec<f32>,
    /// The price of a core for an hour, in any currency.
    pub price: Option<f64>,
    /// Why what was measured before could not be used, if that is so.
    pub note: Option<String>,
}

/// One operation of a [`Prediction`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PredictedOperation {
    /// The operation.
    pub operation: String,
    /// Its tasks.
    pub tasks: usize,
    /// The time of all of them.
    pub time: Duration,
    /// What that is founded on.
    pub basis: Basis,
}

impl Prediction {
    /// The prediction with a price for a core and an hour: the table then says what each number of threads costs, idle ones included.
    pub fn priced(self, per_core_hour: f64) -> Prediction {
        Prediction { price: Some(per_core_hour), ..self }
    }

    /// What so many cores cost for so long at the price of [`priced`](Prediction::priced).
    pub fn cost(&self, threads: usize, elapsed: Duration) -> Option<f64> {
        Some(self.price? * threads as f64 * elapsed.as_secs_f64() / 3600.0)
    }

    /// The part of the predicted time that operations take which were measured, on any number of threads: from 0 to 1.
    pub fn founded(&self) -> f64 {
        let measured = self.operations.iter().filter(|row| row.basis <= Basis::OtherThreads);
        let time: Duration = measured.map(|row| row.time).sum();
        let all: Duration = self.operations.iter().map(|row| row.time).sum();
        if all.is_zero() { 0.0 } else { time.as_secs_f64() / all.as_secs_f64() }
    }

    /// The middle and the largest factor by which earlier predictions were wrong, in either direction.
    pub fn error(&self) -> Option<(f32, f32)> {
        let mut factors: Vec<f32> = self.earlier.iter().map(|ratio| ratio.max(1.0 / ratio)).collect();
        factors.sort_by(f32::total_cmp);
        Some((*factors.get(factors.len() / 2)?, *factors.last()?))
    }
}

/// Predicts a plan's run.
pub(crate) fn predict(plan: &Arc<Plan>, threads: usize, file: Option<&Path>) -> GraphResult<Prediction> {
    let (costs, note) = file.map_or_else(|| (Costs::default(), Some(OFF.into())), file::read);
    let mut counts: Vec<usize> = if plan.graph().len() > PLAYED { Vec::new() } else { THREADS.to_vec() };
    counts.push(threads);
    counts.sort_unstable();
    counts.dedup();
    let mut prediction = with_costs(plan, threads, &counts, &costs)?;
    prediction.note = note;
    Ok(prediction)
}

const OFF: &str = "nothing is measured: the setting `costs` is off, or there is no home folder";

fn with_costs(plan: &Arc<Plan>, threads: usize, counts: &[usize], costs: &Costs) -> GraphResult<Prediction> {
    let elapsed = |threads: usize| -> GraphResult<Duration> {
        let lines = lines(plan, threads, costs);
        let disk = costs.of(DISK, threads as u32).map_or(0.0, |(line, _)| line.byte);
        let each = costs.of(SCHEDULING, 1).map_or(0.0, |(line, _)| line.each);
        let cost = |task| {
            let layer = plan.graph().layer_id(task).0 as usize;
            (lines[layer].0.at(moved(plan, task)) + each) as u64
        };
        Ok(Duration::from_nanos(play(plan, threads, cost, disk)?.elapsed))
    };
    let by_threads: Vec<(usize, Duration)> =
        counts.iter().map(|&count| Ok((count, elapsed(count)?))).collect::<GraphResult<_>>()?;
    let operations = operations(plan, threads, costs);
    Ok(Prediction {
        threads,
        elapsed: by_threads.iter().find(|(count, _)| *count == threads).map_or(Duration::ZERO, |(_, time)| *time),
        busy: operations.iter().map(|row| row.time).sum(),
        operations,
        by_threads,
        earlier: costs.ratios.clone(),
        price: None,
        note: None,
    })
}

/// Bytes that a task reads and makes, as the plan says.
fn moved(plan: &Plan, task: talatat_graph::TaskId) -> u64 {
    plan.bytes_in(task).saturating_add(plan.graph().bytes(task))
}

/// The time of each layer's tasks, and what that is founded on.
fn lines(plan: &Plan, threads: usize, costs: &Costs) -> Vec<(Line, Basis)> {
    let threads = threads as u32;
    let line = |layer: &Layer| {
        let exact = costs.of(&layer.kernel.describe(), threads);
        let exact = exact.map(|(line, same)| (line, if same { Basis::Measured } else { Basis::OtherThreads }));
        let similar = || costs.of(&kind(layer.kernel.name()), threads).map(|(line, _)| (line, Basis::SameKind));
        let any = || costs.of(ANY, threads).map(|(line, _)| (line, Basis::Guessed));
        exact.or_else(similar).or_else(any).unwrap_or((Line::default(), Basis::Unknown))
    };
    plan.graph().layers().iter().map(line).collect()
}

/// What each task is expected to take in nanoseconds, or nothing if nothing was measured.
pub(crate) fn task_times(plan: &Plan, threads: usize, file: Option<&Path>) -> Vec<f64> {
    let costs = file.map(|file| file::read(file).0).unwrap_or_default();
    if costs.is_empty() {
        return Vec::new();
    }
    let (graph, lines) = (plan.graph(), lines(plan, threads, &costs));
    graph.tasks().map(|task| lines[graph.layer_id(task).0 as usize].0.at(moved(plan, task))).collect()
}

fn operations(plan: &Plan, threads: usize, costs: &Costs) -> Vec<PredictedOperation> {
    let (graph, lines) = (plan.graph(), lines(plan, threads, costs));
    let names: Vec<String> = graph.layers().iter().map(|layer| layer.kernel.describe()).collect();
    let mut rows: HashMap<&str, (usize, f64, Basis)> = HashMap::new();
    for task in graph.tasks() {
        let layer = graph.layer_id(task).0 as usize;
        let (line, basis) = lines[layer];
        let row = rows.entry(&names[layer]).or_insert((0, 0.0, basis));
        *row = (row.0 + 1, row.1 + line.at(moved(plan, task)), row.2.max(basis));
    }
    let row = |(operation, (tasks, time, basis)): (&str, (usize, f64, Basis))| PredictedOperation {
        operation: operation.into(),
        tasks,
        time: Duration::from_nanos(time as u64),
        basis,
    };
    let mut rows: Vec<PredictedOperation> = rows.into_iter().map(row).collect();
    rows.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.operation.cmp(&b.operation)));
    rows
}

/// Puts what was predicted before a run beside what was measured, and how fast memory is, then learns from the run. Says why, if it cannot.
/// How fast memory is is measured here if it is not known, the run took long enough to be worth it, and it ran `here`.
pub(crate) fn compare_and_learn(recorder: &Recorder, report: &mut Report, file: &Path, here: bool) -> Option<String> {
    let plan = recorder.plan();
    let (costs, mut note) = file::read(file);
    let threads = report.threads as u32;
    let known = costs.copying.get(&threads).copied();
    let new = (known.is_none() && here && report.elapsed >= machine::WORTHWHILE)
        .then(|| machine::copying(report.threads, plan.memory_limit()))
        .flatten();
    report.copying = known.or(new).filter(|_| here);
    let mut ratio = None;
    if !costs.is_empty() {
        let rows = operations(plan, report.threads, &costs);
        let founded = rows.iter().all(|row| row.basis <= Basis::OtherThreads);
        let known: HashMap<String, PredictedOperation> =
            rows.into_iter().map(|row| (row.operation.clone(), row)).collect();
        for row in &mut report.operations {
            row.predicted = known.get(&row.operation).filter(|row| row.basis <= Basis::SameKind).map(|row| row.time);
        }
        // Playing the plan through takes about as long as scheduling it.
        if founded
            && plan.graph().len() <= COMPARED
            && let Ok(prediction) = with_costs(plan, report.threads, &[report.threads], &costs)
        {
            report.predicted = Some(prediction.elapsed);
            let finished = recorder.end().is_some_and(|end| end.error.is_none());
            let factor = prediction.elapsed.as_secs_f64() / report.elapsed.as_secs_f64();
            ratio = Some(factor as f32).filter(|ratio| finished && ratio.is_finite() && *ratio > 0.0);
        }
    }
    let run = measured(recorder, report);
    if let Err(problem) = file::update(file, |costs| {
        costs.learn(&run, ratio);
        if let Some(rate) = new {
            costs.copying.entry(threads).or_insert(rate);
        }
    }) {
        note = Some(problem);
    }
    note
}

/// What a run has measured, by name and number of threads.
fn measured(recorder: &Recorder, report: &Report) -> Vec<(Key, Sums)> {
    let (lanes, threads) = (recorder.lanes(), report.threads as u32);
    let mut found: BTreeMap<String, Sums> = BTreeMap::new();
    let mut add = |name: String, sums: &Sums| {
        let known = found.entry(name).or_default();
        *known = known.and(sums);
    };
    let kernels = recorder.kernels();
    for (number, row) in recorder.rows().into_iter().enumerate() {
        let sums = lanes.iter().filter_map(|lane| lane.sums.get(number)).fold(Sums::default(), Sums::and);
        kernels.get(number).into_iter().for_each(|kernel| add(kind(kernel), &sums));
        add(ANY.into(), &sums);
        add(row.operation, &sums);
    }
    let disk = |traffic: &Traffic| {
        let (times, bytes, time) = (traffic.times.max(1) as f64, traffic.bytes as f64, traffic.time as f64);
        Sums {
            tasks: traffic.times,
            time: traffic.time,
            bytes: 0,
            moved: bytes,
            moved_squared: bytes * bytes / times,
            moved_time: bytes * time / times,
        }
    };
    lanes.iter().flat_map(|lane| [&lane.written, &lane.read]).for_each(|traffic| add(DISK.into(), &disk(traffic)));
    if threads == 1 {
        let tasks: usize = report.operations.iter().map(|row| row.tasks).sum();
        let disk: u64 = lanes.iter().map(|lane| lane.written.time).sum();
        let busy: Duration = report.operations.iter().map(|row| row.time).sum();
        let rest = report.elapsed.saturating_sub(busy).as_nanos() as u64;
        add(SCHEDULING.into(), &Sums { tasks: tasks as u64, time: rest.saturating_sub(disk), ..Sums::default() });
    }
    found.into_iter().map(|(name, sums)| ((name, threads), sums)).collect()
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.operations.iter().map(|row| row.operation.chars().count()).max().unwrap_or(0);
        let width = longest.clamp(9, 72);
        writeln!(f, "{:width$} {:>9} {:>11}  founded on", "operation", "tasks", "time")?;
        for row in &self.operations {
            let name: String = row.operation.chars().take(width).collect();
            let basis = match row.basis {
                Basis::Measured => "measurements",
                Basis::OtherThreads => "measurements on other numbers of threads",
                Basis::SameKind => "operations of its kind",
                Basis::Guessed => "other operations",
                Basis::Unknown => "nothing",
            };
            writeln!(f, "{name:width$} {:>9} {:>11}  {basis}", row.tasks, format!("{:.3?}", row.time))?;
        }
        if self.operations.iter().all(|row| row.basis == Basis::Unknown) {
            writeln!(f, "nothing has been measured yet: a run that is reported or profiled is learnt from")?;
            return self.note.iter().try_for_each(|note| writeln!(f, "note: {note}"));
        }
        writeln!(f, "{:.3} core-seconds; by threads:", self.busy.as_secs_f64())?;
        let one = self.by_threads.first().map_or(Duration::ZERO, |(_, time)| *time);
        for &(threads, time) in &self.by_threads {
            let mark = if threads == self.threads { '*' } else { ' ' };
            write!(f, "{mark} {threads:>3} {:>11}", format!("{time:.3?}"))?;
            if self.by_threads.len() > 1 && !time.is_zero() {
                write!(f, " {:>6.2} x", one.as_secs_f64() / time.as_secs_f64())?;
            }
            match self.cost(threads, time) {
                Some(cost) => writeln!(f, "  {cost:.6} at {} per core and hour", self.price.unwrap_or(0.0))?,
                None => writeln!(f)?,
            }
        }
        match self.error() {
            Some((factor, _)) if self.earlier.len() == 1 => {
                writeln!(f, "the last prediction was off by a factor of {factor:.2}")?;
            }
            Some((middle, largest)) => {
                let runs = self.earlier.len();
                writeln!(
                    f,
                    "the last {runs} predictions were off by a factor of {middle:.2} in the middle, {largest:.2} at most"
                )?;
            }
            None => writeln!(f, "no earlier prediction could be checked")?,
        }
        if self.operations.iter().any(|row| row.basis > Basis::OtherThreads) {
            writeln!(f, "{:.0}% of the time stands on measurements of these operations", self.founded() * 100.0)?;
        }
        self.note.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::recording::Detail;
    use super::*;
    use talatat_graph::{Event, Observer, PlanOptions, testing::tree_graph};

    fn plan(leaves: usize) -> Arc<Plan> {
        Arc::new(Plan::new(tree_graph(leaves, 4), &PlanOptions::default()).unwrap())
    }

    /// A run on one thread in which a leaf takes 10 ms and a sum 2, and between two tasks there is a millisecond.
    fn run(plan: &Arc<Plan>) -> Recorder {
        let recorder = Recorder::new(plan, 1, Detail::Sums);
        let millis = Duration::from_millis;
        let mut now = millis(0);
        for task in plan.graph().tasks() {
            let end = now + millis(if plan.graph().inputs(task).is_empty() { 10 } else { 2 });
            recorder.on(&Event::Task { task, thread: 0, start: now, end, bytes: 1 });
            now = end + millis(1);
        }
        recorder.on(&Event::Finished { plan, error: None, elapsed: now, peak: None });
        recorder
    }

    #[test]
    fn what_was_measured_is_predicted_and_played_on_any_number_of_threads() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("costs");
        let small = plan(4);
        let recorder = run(&small);
        let mut report = Report::of(&recorder);
        assert_eq!(compare_and_learn(&recorder, &mut report, &file, true), None);
        assert_eq!((report.predicted, report.operations[0].predicted), (None, None), "nothing was known");
        // The same again: known, and right.
        let mut report = Report::of(&recorder);
        compare_and_learn(&recorder, &mut report, &file, true);
        assert_eq!(report.predicted, Some(Duration::from_millis(47)));
        assert_eq!(report.operations[0].predicted, Some(report.operations[0].time));
        let prediction = predict(&plan(64), 2, Some(&file)).unwrap().priced(3600.0);
        insta::assert_snapshot!(prediction, @r"
        operation     tasks        time  founded on
        leaf             64   640.000ms  measurements on other numbers of threads
        sum              21    42.000ms  measurements on other numbers of threads
        0.682 core-seconds; by threads:
            1   767.000ms   1.00 x  0.767000 at 3600 per core and hour
        *   2   393.000ms   1.95 x  0.786000 at 3600 per core and hour
            4   205.000ms   3.74 x  0.820000 at 3600 per core and hour
            8   111.000ms   6.91 x  0.888000 at 3600 per core and hour
           16    64.000ms  11.98 x  1.024000 at 3600 per core and hour
           32    37.000ms  20.73 x  1.184000 at 3600 per core and hour
           64    20.000ms  38.35 x  1.280000 at 3600 per core and hour
        the last prediction was off by a factor of 1.00
        ");
    }

    #[test]
    fn what_memory_can_do_is_measured_once_after_a_run_that_was_long_enough() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("costs");
        let recorder = run(&plan(4));
        let learn = |elapsed: u64, here| {
            let mut report = Report { elapsed: Duration::from_millis(elapsed), ..Report::of(&recorder) };
            assert_eq!(compare_and_learn(&recorder, &mut report, &file, here), None);
            report.copying
        };
        assert_eq!((learn(99, true), learn(5000, false)), (None, None));
        let rate = learn(100, true);
        assert!(rate.is_some_and(|rate| rate > 0.0));
        assert_eq!((learn(1, true), learn(200, true)), (rate, rate), "it is kept");
        assert_eq!(learn(200, false), None, "the run was on other machines");
    }

    #[test]
    fn nothing_measured_is_said() {
        let prediction = predict(&plan(4), 1, None).unwrap();
        assert_eq!((prediction.elapsed, prediction.founded(), prediction.error()), (Duration::ZERO, 0.0, None));
        assert!(
            prediction.to_string().contains("nothing\n")
                && prediction.to_string().contains("note: nothing is measured")
        );
    }
}
