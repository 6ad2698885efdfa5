//! Two ways to put elements elsewhere that slices and concatenations do not have: indices along one axis in any order
//! ([`gather`]), and several axes out of one or one out of several ([`strided`]). Rolls, pads, tiles, windows and diagonals are made
//! of them: one task for each block of the result that is not a block of the source as it is.

use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::kernels::Scalar;
use crate::array::range::StepRange;
use crate::config::chunk_target;
use crate::error::{Error, Result};

type At = &'static Location<'static>;

/// Some positions of the result of a gather.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Run {
    /// The indices of a range, each one `each` times, and all that `times` times.
    Take {
        /// Indices of the input.
        range: StepRange,
        /// How often each of them comes in a row.
        each: usize,
        /// How often the whole comes.
        times: usize,
    },
    /// One value.
    Fill {
        /// The value, of the array's type.
        value: Scalar,
        /// How many positions there are.
        length: usize,
    },
}

impl Run {
    /// Indices from `range.start` up to `range.end`.
    pub fn forward(range: Range<usize>) -> Run {
        Run::of(StepRange { start: range.start, step: 1, length: range.len() })
    }

    /// Indices from `range.end - 1` down to `range.start`.
    pub fn backward(range: Range<usize>) -> Run {
        Run::of(StepRange { start: range.end.saturating_sub(1), step: -1, length: range.len() })
    }

    /// One index, `times` times.
    pub fn same(index: usize, times: usize) -> Run {
        Run::Take { range: StepRange { start: index, step: 1, length: 1 }, each: times, times: 1 }
    }

    /// The indices of a range.
    pub fn of(range: StepRange) -> Run {
        Run::Take { range, each: 1, times: 1 }
    }

    /// Adds the runs that some of the positions are.
    fn part(&self, positions: Range<usize>, part: &mut Vec<Run>) {
        let (range, each) = match *self {
            _ if positions == (0..self.length()) => return part.push(*self),
            Run::Fill { value, .. } => return part.push(Run::Fill { value, length: positions.len() }),
            Run::Take { range, each, .. } => (range, each),
        };
        let entries = |from: usize, to: usize| StepRange { start: range.at(from), step: range.step, length: to - from };
        let cycle = range.length * each;
        let mut at = positions.start;
        while at < positions.end {
            // To the end of the cycle: the rest of an index' times, whole indices, some times of the last one.
            let within = at % cycle;
            let end = (at - within + cycle).min(positions.end) - (at - within);
            let (head, tail) = (within.next_multiple_of(each).min(end), end / each * each);
            if within < head {
                part.push(Run::same(range.at(within / each), head - within));
            }
            if head < tail {
                part.push(Run::Take { range: entries(head / each, tail / each), each, times: 1 });
            }
            if tail.max(head) < end {
                part.push(Run::same(range.at(end / each), end - tail.max(head)));
            }
            at += end - within;
        }
    }

    /// How many positions there are.
    pub fn length(&self) -> usize {
        match self {
            Run::Take { range, each, times } => range.length.saturating_mul(*each).saturating_mul(*times),
            Run::Fill { length, .. } => *length,
        }
    }
}

/// Neighbouring positions of a block of the result that come from one chunk of the source, or from none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stretch {
    /// Position `k` of `count` takes the index `first + step * ((skipped + k) / each)` of the chunk.
    Copy {
        /// The first position, counted from the block's start.
        position: usize,
        /// How many there are.
        count: usize,
        /// Which chunk of the source.
        chunk: usize,
        /// An index in that chunk.
        first: usize,
        /// From one index to the next.
        step: isize,
        /// How often an index comes in a row.
        each: usize,
        /// How many of the first one's times lie before.
        skipped: usize,
    },
    /// One value.
    Fill {
        /// The first position, counted from the block's start.
        position: usize,
        /// How many there are.
        count: usize,
        /// The value.
        value: Scalar,
    },
}

/// Runs with the position where each ends. Cloning is cheap.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Vec<Run>", into = "Vec<Run>")]
pub struct Runs {
    runs: Arc<[Run]>,
    ends: Arc<[usize]>,
}

impl From<Vec<Run>> for Runs {
    /// Adds up the lengths.
    fn from(runs: Vec<Run>) -> Runs {
        let mut end = 0_usize;
        let ends = runs.iter().map(|run| {
            end = end.saturating_add(run.length());
            end
        });
        Runs { ends: ends.collect(), runs: runs.into() }
    }
}

impl From<Runs> for Vec<Run> {
    fn from(runs: Runs) -> Vec<Run> {
        runs.runs.to_vec()
    }
}

impl Runs {
    /// The runs, one after the other.
    pub fn list(&self) -> &[Run] {
        &self.runs
    }

    /// How many positions there are.
    pub fn length(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The runs of some positions.
    pub fn part(&self, positions: Range<usize>) -> Runs {
        let mut part = Vec::new();
        let first = self.ends.partition_point(|&end| end <= positions.start);
        for (number, run) in self.runs.iter().enumerate().skip(first) {
            let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
            let (from, to) = (positions.start.max(start), positions.end.min(self.ends[number]));
            if from >= to {
                break;
            }
            run.part(from - start..to - start, &mut part);
        }
        Runs::from(part)
    }

    /// The stretches of some positions, in order; `bounds` are those of the source's chunks.
    pub fn walk(&self, bounds: &[usize], positions: Range<usize>, mut visit: impl FnMut(Stretch)) {
        let mut at = positions.start;
        let mut number = self.ends.partition_point(|&end| end <= at);
        while at < positions.end && number < self.runs.len() {
            let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
            let end = self.ends[number].min(positions.end);
            match self.runs[number] {
                Run::Fill { value, .. } => {
                    visit(Stretch::Fill { position: at - positions.start, count: end - at, value });
                }
                Run::Take { range, each, .. } => {
                    let cycle = range.length * each;
                    while at < end {
                        let within = (at - start) % cycle;
                        let (entry, skipped) = (within / each, within % each);
                        let index = range.at(entry);
                        let chunk = bounds.partition_point(|&bound| bound <= index).saturating_sub(1);
                        let chunk = chunk.min(bounds.len().saturating_sub(2));
                        let step = range.step.unsigned_abs().max(1);
                        let ahead = if range.step > 0 {
                            bounds[chunk + 1].saturating_sub(1).saturating_sub(index) / step
                        } else {
                            index.saturating_sub(bounds[chunk]) / step
                        };
                        let count = (ahead + 1).saturating_mul(each) - skipped;
                        let count = count.min(cycle - within).min(end - at);
                        visit(Stretch::Copy {
                            position: at - positions.start,
                            count,
                            chunk,
                            first: index - bounds[chunk],
                            step: range.step,
                            each,
                            skipped,
                        });
                        at += count;
                    }
                }
            }
            at = end;
            number += 1;
        }
    }

    /// The chunks that some positions come from, ascending.
    pub fn chunks(&self, bounds: &[usize], positions: Range<usize>) -> Vec<usize> {
        let mut chunks = Vec::new();
        self.walk(bounds, positions, |stretch| {
            if let Stretch::Copy { chunk, .. } = stretch
                && chunks.last() != Some(&chunk)
            {
                chunks.push(chunk);
            }
        });
        chunks.sort_unstable();
        chunks.dedup();
        chunks
    }
}

/// Some positions of an endless repetition of runs, which begins at 0 in both directions.
pub(crate) fn repeated_runs(period: &[Run], positions: Range<isize>) -> Vec<Run> {
    let length: usize = period.iter().map(Run::length).sum::<usize>().max(1);
    let mut runs = Vec::new();
    let mut at = positions.start;
    while at < positions.end {
        let mut within = at.rem_euclid(length as isize) as usize;
        for run in period {
            let Run::Take { range, .. } = run else { continue };
            if within >= range.length {
                within -= range.length;
                continue;
            }
            let left = (positions.end - at).max(0) as usize;
            let count = (range.length - within).min(left);
            if count > 0 {
                runs.push(Run::of(StepRange { start: range.at(within), step: range.step, length: count }));
            }
            at += count as isize;
            within = 0;
        }
    }
    runs
}

/// The indices of `runs` along an axis, cut as `cut` says.
pub(crate) fn gather(
    operation: &str,
    expr: &ExprRef,
    axis: usize,
    runs: impl IntoIterator<Item = Run>,
    cut: Axis,
    at: At,
) -> Result<ExprRef> {
    let runs: Vec<Run> = runs.into_iter().filter(|run| run.length() > 0).collect();
    let length = expr.grid.axes()[axis].length();
    if let ([Run::Take { range, each: 1, times: 1 }], Some(length)) = (runs.as_slice(), length)
        && range.is_all(length)
    {
        return Ok(crate::array::build::rechunked(expr, with_axis(&expr.grid, axis, cut), at));
    }
    let runs = Runs::from(runs);
    debug_assert_eq!(Some(runs.length()), cut.length());
    let grid = checked(operation, with_axis(&expr.grid, axis, cut), at)?;
    Ok(Expr::new(expr.dtype, grid, Op::Gather { axis, runs }, [expr.clone()], at))
}

/// The array seen along other axes: index `i` of the result is index `offset + sum(i[k] * steps[k])` of the input.
pub(crate) fn strided(
    operation: &str,
    expr: &ExprRef,
    offset: Dims,
    steps: Vec<Dims>,
    grid: Grid,
    at: At,
) -> Result<ExprRef> {
    let grid = checked(operation, grid, at)?;
    Ok(Expr::new(expr.dtype, grid, Op::Strided { offset, steps }, [expr.clone()], at))
}

fn checked(operation: &str, grid: Grid, at: At) -> Result<Grid> {
    grid.excess().map_or(Ok(grid), |reason| Err(Error::invalid_at(operation, reason, at)))
}

/// The grid with another axis in one place.
pub(crate) fn with_axis(grid: &Grid, number: usize, cut: Axis) -> Grid {
    let mut cut = Some(cut);
    Grid::new(grid.axes().iter().enumerate().map(|(other, axis)| match cut.take_if(|_| other == number) {
        Some(cut) => cut,
        None => axis.clone(),
    }))
}

/// Chunks for an axis that became `length` long: as long as the longest one was. If the array was not cut along the axis, chunks as
/// long as the chunk target allows.
pub(crate) fn grown(expr: &Expr, axis: usize, length: usize) -> Axis {
    let old = &expr.grid.axes()[axis];
    let longest = old.longest().unwrap_or(0).max(1);
    if old.chunks() > 1 {
        return Axis::regular(length, longest);
    }
    Axis::regular(length, longest.max(indices_in_target(expr, axis)))
}

/// How many indices of an axis have as many bytes, in a block that is cut along the other axes as it is, as the chunk target.
pub(crate) fn indices_in_target(expr: &Expr, axis: usize) -> usize {
    let others = expr.grid.axes().iter().enumerate().filter(|(other, _)| *other != axis);
    let others = others.map(|(_, other)| other.longest().unwrap_or(1).max(1) as u64);
    let bytes = others.fold(expr.dtype.size() as u64, u64::saturating_mul);
    usize::try_from(chunk_target() / bytes).unwrap_or(usize::MAX).max(1)
}

/// Chunks of the given lengths with slivers joined to their neighbours and long ones cut: none is longer than `chunk` and a
/// quarter, and two neighbours are together longer than `chunk`.
pub(crate) fn tidy(lengths: impl IntoIterator<Item = usize>, chunk: usize) -> Axis {
    let chunk = chunk.max(1);
    let sliver = chunk / 4;
    let cut = |length: usize| {
        let pieces = if length > chunk + sliver { length.div_ceil(chunk) } else { 1 };
        (0..pieces).map(move |piece| (piece + 1) * length / pieces - piece * length / pieces)
    };
    let mut tidy: Vec<usize> = Vec::new();
    for length in lengths.into_iter().flat_map(cut) {
        match tidy.last_mut() {
            Some(last) if *last + length <= chunk || (length.min(*last) <= sliver && length.max(*last) <= chunk) => {
                *last += length;
            }
            _ => tidy.push(length),
        }
    }
    Axis::from_lengths(tidy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run() -> impl Strategy<Value = Run> {
        prop_oneof![
            (0_usize..20, prop::sample::select(vec![-3_isize, -1, 1, 2]), 1_usize..20, 1_usize..4, 1_usize..4)
                .prop_map(|(start, step, length, each, times)| {
                    let most = if step > 0 { (19 - start) / step as usize } else { start / step.unsigned_abs() } + 1;
                    Run::Take { range: StepRange { start, step, length: length.min(most) }, each, times }
                }),
            (1_usize..5).prop_map(|length| Run::Fill { value: 7_i64.into(), length }),
        ]
    }

    proptest! {
        #[test]
        fn stretches_are_the_runs(runs in prop::collection::vec(run(), 0..5), cuts in prop::collection::vec(0_usize..=20, 0..5), from in 0_usize..60, count in 0_usize..60) {
            let mut bounds = cuts;
            bounds.extend([0, 20]);
            bounds.sort_unstable();
            let mut all: Vec<Option<usize>> = Vec::new();
            for run in &runs {
                match *run {
                    Run::Fill { length, .. } => all.extend(std::iter::repeat_n(None, length)),
                    Run::Take { range, each, times } => {
                        for position in 0..range.length * each * times {
                            all.push(Some(range.at(position / each % range.length)));
                        }
                    }
                }
            }
            let index = Runs::from(runs.clone());
            prop_assert_eq!(index.length(), all.len());
            let (from, to) = (from.min(all.len()), (from + count).min(all.len()));
            let mut found: Vec<Option<usize>> = Vec::new();
            index.walk(&bounds, from..to, |stretch| match stretch {
                Stretch::Fill { position, count, .. } => {
                    assert_eq!(position, found.len());
                    found.extend(std::iter::repeat_n(None, count));
                }
                Stretch::Copy { position, count, chunk, first, step, each, skipped } => {
                    assert_eq!(position, found.len());
                    for k in 0..count {
                        let index = bounds[chunk].wrapping_add(first).wrapping_add_signed(step * ((skipped + k) / each) as isize);
                        assert!(bounds[chunk] <= index && index < bounds[chunk + 1]);
                        found.push(Some(index));
                    }
                }
            });
            prop_assert_eq!(&found, &all[from..to]);
            let mut parts: Vec<Option<usize>> = Vec::new();
            let part = index.part(from..to);
            part.walk(&bounds, 0..part.length(), |stretch| match stretch {
                Stretch::Fill { count, .. } => parts.extend(std::iter::repeat_n(None, count)),
                Stretch::Copy { count, chunk, first, step, each, skipped, .. } => {
                    parts.extend((0..count).map(|k| Some(bounds[chunk].wrapping_add(first).wrapping_add_signed(step * ((skipped + k) / each) as isize))));
                }
            });
            prop_assert_eq!(&parts, &all[from..to]);
        }

        #[test]
        fn tidy_chunks(lengths in prop::collection::vec(0_usize..30, 0..12), chunk in 1_usize..20) {
            let axis = tidy(lengths.iter().copied(), chunk);
            prop_assert_eq!(axis.length(), Some(lengths.iter().sum::<usize>()));
            let found = axis.lengths().unwrap();
            prop_assert!(found.iter().all(|&length| length <= chunk + chunk / 4), "{:?} of {}", found, chunk);
            prop_assert!(found.windows(2).all(|pair| pair[0] + pair[1] > chunk), "{:?} of {}", found, chunk);
        }
    }
}
