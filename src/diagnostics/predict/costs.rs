//! What operations have cost in earlier runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostics::recording::Sums;

/// The most operations that are remembered; beyond it those go that were not seen for the longest time.
const MOST: usize = 4096;
/// The most errors of predictions that are remembered.
const ERRORS: usize = 32;

/// Sums over the tasks of one operation in runs on one number of threads: what a straight line through (bytes, time) needs.
/// Bytes are those that the plan says a task reads and makes, times are in nanoseconds. Older runs count less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    tasks: f64,
    time: f64,
    moved: f64,
    moved_squared: f64,
    moved_time: f64,
    /// The number of the run that it was seen in last.
    seen: u64,
}

impl Cost {
    fn of(sums: &Sums, seen: u64) -> Cost {
        let Sums { tasks, time, moved, moved_squared, moved_time, .. } = *sums;
        Cost { tasks: tasks as f64, time: time as f64, moved, moved_squared, moved_time, seen }
    }

    /// Adds a run. What is known already counts at most as much as the run, or loses half of its weight.
    fn learn(&mut self, run: &Cost) {
        let keep = if self.tasks > 0.0 { (run.tasks / self.tasks).clamp(0.5, 1.0) } else { 0.0 };
        let mix = |old: f64, new: f64| old * keep + new;
        *self = Cost {
            tasks: mix(self.tasks, run.tasks),
            time: mix(self.time, run.time),
            moved: mix(self.moved, run.moved),
            moved_squared: mix(self.moved_squared, run.moved_squared),
            moved_time: mix(self.moved_time, run.moved_time),
            seen: run.seen,
        };
    }

    fn is_sound(&self) -> bool {
        let numbers = [self.tasks, self.time, self.moved, self.moved_squared, self.moved_time];
        self.tasks > 0.0 && numbers.iter().all(|number| number.is_finite() && *number >= 0.0)
    }

    /// Nanoseconds of a task as a line: so much, and so much for each byte. Neither is negative. If all tasks had nearly the same bytes, how
    /// time depends on them cannot be told: then it is taken to be in proportion.
    pub(crate) fn line(&self) -> Line {
        let (mean, mean_moved) = (self.time / self.tasks, self.moved / self.tasks);
        let spread = self.moved_squared / self.tasks - mean_moved * mean_moved;
        if mean_moved <= 0.0 {
            return Line { each: mean, byte: 0.0 };
        }
        if spread <= 0.01 * mean_moved * mean_moved {
            return Line { each: 0.0, byte: mean / mean_moved };
        }
        let byte = (self.moved_time / self.tasks - mean * mean_moved) / spread;
        let each = mean - byte * mean_moved;
        if byte <= 0.0 {
            Line { each: mean, byte: 0.0 }
        } else if each < 0.0 {
            Line { each: 0.0, byte: self.moved_time / self.moved_squared }
        } else {
            Line { each, byte }
        }
    }
}

/// The time of a task: `each + bytes * byte`, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Line {
    pub each: f64,
    pub byte: f64,
}

impl Line {
    pub(crate) fn at(&self, bytes: u64) -> f64 {
        self.each + bytes as f64 * self.byte
    }
}

/// How well a prediction of a task's time is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// The operation was measured on this number of threads.
    Measured,
    /// It was measured on another number of threads.
    OtherThreads,
    /// Only operations of the same kind were measured, with other parameters.
    SameKind,
    /// Only other operations were measured.
    Guessed,
    /// Nothing was measured.
    Unknown,
}

/// What is remembered of an operation: under its name a cost for each number of threads.
pub(crate) type Key = (String, u32);

/// The name under which all operations of a kernel are summed.
pub(crate) fn kind(kernel: &str) -> String {
    format!("kind {kernel}")
}
/// The name under which all operations are summed.
pub(crate) const ANY: &str = "any";
/// The name of what a task costs beside its kernel.
pub(crate) const SCHEDULING: &str = "scheduling";

/// All that is remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Costs {
    /// Runs that were learnt from.
    pub runs: u64,
    /// Keyed by number of threads within an operation.
    operations: BTreeMap<String, BTreeMap<u32, Cost>>,
    /// Bytes a second that so many threads copy together, for each number of threads that was measured.
    #[serde(default)]
    pub copying: BTreeMap<u32, f64>,
    /// Predicted by measured elapsed time of runs whose operations had all been measured before, the latest last.
    pub ratios: Vec<f32>,
}

impl Costs {
    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Learns from one run.
    pub(crate) fn learn(&mut self, run: &[(Key, Sums)], ratio: Option<f32>) {
        self.runs += 1;
        for ((name, threads), sums) in run.iter().filter(|(_, sums)| sums.tasks > 0) {
            let known = self.operations.entry(name.clone()).or_default().entry(*threads).or_default();
            known.learn(&Cost::of(sums, self.runs));
        }
        self.ratios.extend(ratio);
        let old = self.ratios.len().saturating_sub(ERRORS);
        self.ratios.drain(..old);
        if self.operations.len() > MOST {
            let last = |of: &BTreeMap<u32, Cost>| of.values().map(|cost| cost.seen).max().unwrap_or(0);
            let mut seen: Vec<u64> = self.operations.values().map(last).collect();
            seen.sort_unstable();
            let oldest = seen[seen.len() - MOST];
            self.operations.retain(|_, of| last(of) >= oldest);
        }
    }

    /// Drops what no measurement can have given: for files that somebody has written into.
    pub(crate) fn sound(mut self) -> Costs {
        self.operations.values_mut().for_each(|of| of.retain(|_, cost| cost.is_sound()));
        self.operations.retain(|_, of| !of.is_empty());
        self.copying.retain(|_, rate| rate.is_finite() && *rate > 0.0);
        self.ratios.retain(|ratio| ratio.is_finite() && *ratio > 0.0);
        self
    }

    /// The cost of what has this name, on this number of threads or else the one nearest to it.
    pub(crate) fn of(&self, name: &str, threads: u32) -> Option<(Line, bool)> {
        let of = self.operations.get(name)?;
        let (&at, cost) = of.iter().min_by_key(|&(&at, _)| at.abs_diff(threads))?;
        Some((cost.line(), at == threads))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sums(tasks: &[(u64, u64)]) -> Sums {
        let mut sums = Sums::default();
        for &(moved, time) in tasks {
            let (m, t) = (moved as f64, time as f64);
            let one = Sums { tasks: 1, time, bytes: 0, moved: m, moved_squared: m * m, moved_time: m * t };
            sums = sums.and(&one);
        }
        sums
    }

    #[test]
    fn lines_through_what_was_measured() {
        let rounded = |number: f64| (number * 1e9).round() / 1e9;
        let line = |tasks: &[(u64, u64)]| {
            let line = Cost::of(&sums(tasks), 0).line();
            Line { each: rounded(line.each), byte: rounded(line.byte) }
        };
        assert_eq!(line(&[(10, 120), (20, 220), (40, 420)]), Line { each: 20.0, byte: 10.0 });
        assert_eq!(line(&[(0, 7), (0, 9)]), Line { each: 8.0, byte: 0.0 });
        assert_eq!(line(&[(10, 50), (10, 70)]), Line { each: 0.0, byte: 6.0 }, "one size: in proportion");
        assert_eq!(line(&[(10, 50), (20, 30)]), Line { each: 40.0, byte: 0.0 }, "larger ones do not take less");
        assert_eq!(
            line(&[(10, 0), (20, 100)]),
            Line { each: 0.0, byte: 4.0 },
            "smaller ones do not take less than nothing"
        );
    }

    #[test]
    fn newer_runs_count_more_and_few_tasks_do_not_undo_many() {
        let key = |name: &str| (name.to_string(), 2);
        let mut costs = Costs::default();
        costs.learn(&[(key("a"), sums(&[(0, 100); 100]))], None);
        costs.learn(&[(key("a"), sums(&[(0, 300); 100]))], None);
        assert_eq!(costs.of("a", 2), Some((Line { each: 200.0, byte: 0.0 }, true)));
        costs.learn(&[(key("a"), sums(&[(0, 100_000)]))], Some(1.5));
        let (line, exact) = costs.of("a", 8).unwrap();
        assert!((1000.0..1300.0).contains(&line.each) && !exact, "{line:?}");
        assert_eq!(costs.of("b", 2), None);
    }

    #[test]
    fn what_was_not_seen_for_long_is_forgotten() {
        let mut costs = Costs::default();
        for run in 0..MOST + 50 {
            costs.learn(&[((format!("op {run}"), 1), sums(&[(1, 1)]))], Some(1.0));
        }
        assert_eq!((costs.operations.len(), costs.ratios.len()), (MOST, ERRORS));
        assert!(costs.of("op 0", 1).is_none() && costs.of("op 60", 1).is_some());
    }

    proptest! {
        #[test]
        fn no_line_goes_below_zero(tasks in prop::collection::vec((0_u64..1 << 40, 0_u64..1 << 40), 1..20), bytes in 0_u64..1 << 45) {
            let time = Cost::of(&sums(&tasks), 0).line().at(bytes);
            prop_assert!(time.is_finite() && time >= 0.0);
        }
    }
}
