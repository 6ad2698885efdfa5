//! Blocks and regions that hold whole chunks of a store.

use std::ops::Range;
use std::panic::Location as CallSite;

use ndarray::SliceInfoElem;

use crate::array::grid::{Axis, Grid};
use crate::array::shape::slice::parse;
use crate::error::{Error, Result};

/// The grid if its chunks are whole numbers of those of the store, else cut into such, about as long as they are.
pub(super) fn aligned(grid: &Grid, chunk: &[usize]) -> Grid {
    Grid::new(grid.axes().iter().zip(chunk).map(|(axis, &chunk)| aligned_axis(axis, chunk.max(1))))
}

fn aligned_axis(axis: &Axis, chunk: usize) -> Axis {
    let (Some(bounds), Some(length)) = (axis.bounds(), axis.length()) else { return axis.clone() };
    if bounds.iter().all(|&bound| bound == length || bound.is_multiple_of(chunk)) {
        return axis.clone();
    }
    let longest = axis.longest().unwrap_or(0);
    let count = ((longest + chunk / 2) / chunk).max(1);
    Axis::regular(length, count.saturating_mul(chunk))
}

/// A store that regions of arrays are written to.
pub(super) struct Store<'a> {
    pub(super) name: &'a str,
    pub(super) shape: &'a [usize],
    pub(super) chunk: &'a [usize],
    /// What its chunks are called.
    pub(super) parts: &'a str,
}

impl Store<'_> {
    /// Where a region begins that an array of `shape` is to be written to: ranges that hold whole chunks.
    ///
    /// # Errors
    /// If it has steps, another shape, or cuts chunks; the error says which ranges do not.
    pub(super) fn origin(
        &self,
        operation: &str,
        region: &[SliceInfoElem],
        shape: &[usize],
        at: &'static CallSite<'static>,
    ) -> Result<Vec<usize>> {
        let invalid = |reason: String| Error::invalid_at(operation, reason, at);
        let (ranges, axes) = parse(operation, &Grid::whole(self.shape), region, at)?;
        if !axes.iter().copied().eq((0..ranges.len()).map(Some)) || ranges.iter().any(|range| range.step != 1) {
            return Err(invalid("a region is a range of each axis, without steps: write 3..4 for 3".into()));
        }
        if !ranges.iter().map(|range| range.length).eq(shape.iter().copied()) {
            let lengths: Vec<usize> = ranges.iter().map(|range| range.length).collect();
            return Err(invalid(format!("the region has the shape {lengths:?}, the array {shape:?}")));
        }
        for (axis, range) in ranges.iter().enumerate().filter(|_| !shape.contains(&0)) {
            let (start, end) = (range.start, range.start + range.length);
            if let Some(misfit) = misfit(start..end, self.chunk[axis], self.shape[axis]) {
                let Store { name, parts, chunk, .. } = self;
                return Err(invalid(format!(
                    "{start}..{end} of axis {axis} cuts the {parts} of {name}, which are {} long there: {misfit}; two writers of one of \
                     the {parts} would undo each other's work",
                    chunk[axis]
                )));
            }
        }
        Ok(ranges.iter().map(|range| range.start).collect())
    }
}

/// Which ranges near this one hold whole chunks; `None` if it does.
fn misfit(range: Range<usize>, chunk: usize, length: usize) -> Option<String> {
    let chunk = chunk.max(1);
    let fits = |bound: usize| bound.is_multiple_of(chunk) || bound == length;
    if fits(range.start) && fits(range.end) {
        return None;
    }
    let outer = range.start / chunk * chunk..range.end.div_ceil(chunk).saturating_mul(chunk).min(length);
    let end = if range.end == length { length } else { range.end / chunk * chunk };
    let inner = range.start.div_ceil(chunk).saturating_mul(chunk)..end;
    let mend = format!("{}..{} would fit", outer.start, outer.end);
    Some(if inner.is_empty() { mend } else { format!("{mend}, and so would {}..{}", inner.start, inner.end) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_whole_chunks() {
        let lengths = |axis: &Axis, chunk| aligned_axis(axis, chunk).lengths().unwrap();
        assert_eq!(lengths(&Axis::regular(10, 4), 2), [4, 4, 2]);
        assert_eq!(lengths(&Axis::regular(10, 4), 3), [3, 3, 3, 1]);
        assert_eq!(lengths(&Axis::from_lengths([6, 2, 2]), 2), [6, 2, 2]);
        assert_eq!(lengths(&Axis::from_lengths([6, 1, 3]), 2), [6, 4]);
        assert_eq!(lengths(&Axis::regular(10, 2), 100), [10]);
        assert_eq!(lengths(&Axis::whole(0), 5), [0]);
    }

    #[test]
    fn regions_that_would_fit_are_named() {
        let text = |range, chunk, length| misfit(range, chunk, length).unwrap_or_default();
        assert_eq!(text(4..8, 4, 10), "");
        assert_eq!(text(8..10, 4, 10), "");
        assert_eq!(text(3..10, 4, 10), "0..10 would fit, and so would 4..10");
        assert_eq!(text(3..9, 4, 12), "0..12 would fit, and so would 4..8");
        assert_eq!(text(5..6, 4, 12), "4..8 would fit");
    }
}
