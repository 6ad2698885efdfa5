//! Where the bytes of a region lie.

use std::ops::Range;

use super::header::{NpyHeader, fits};
use crate::array::range::StepRange;
use crate::storage::error::{Result, StorageError};

/// The byte ranges that hold a region, in ascending order; ranges less than or exactly `gap` bytes apart are joined.
/// For estimates and for readers with requests of their own.
///
/// # Errors
/// [`StorageError::BadRegion`] outside of the shape.
///
/// ```
/// use talatat_collections::array::dtype::DType;
/// use talatat_collections::storage::npy::{NpyHeader, region_ranges};
/// let header = NpyHeader::new(DType::F64, &[4, 10], false); // rows of 80 bytes, after a header of 128
/// assert_eq!(region_ranges(&header, &[1..3, 0..10], 0)?, [208..368]);
/// assert_eq!(region_ranges(&header, &[1..3, 2..4], 0)?, [224..240, 304..320]);
/// assert_eq!(region_ranges(&header, &[1..3, 2..4], 64)?, [224..320]);
/// # Ok::<(), talatat_collections::storage::StorageError>(())
/// ```
pub fn region_ranges(header: &NpyHeader, region: &[Range<usize>], gap: u64) -> Result<Vec<Range<u64>>> {
    let runs = Runs::new(header, &steps_of(header, region, "array")?, "array")?;
    let joined = Joined::new(runs.parts(u64::MAX, gap), gap, u64::MAX);
    Ok(joined.map(|piece| piece.span).collect())
}

/// A region as steps of 1, if it lies inside of the shape.
pub(super) fn steps_of(header: &NpyHeader, region: &[Range<usize>], url: &str) -> Result<Vec<StepRange>> {
    let bad = |reason: String| bad_region(url, &region, reason);
    if region.len() != header.shape.len() {
        return Err(bad(format!("it has {} axes, the array has {}", region.len(), header.shape.len())));
    }
    let outside = |(range, &n): (&Range<usize>, &usize)| range.start > range.end || range.end > n;
    if let Some(axis) = region.iter().zip(&header.shape).position(outside) {
        return Err(bad(format!("axis {axis} has length {}", header.shape.get(axis).unwrap_or(&0))));
    }
    Ok(region.iter().map(|range| StepRange { start: range.start, step: 1, length: range.len() }).collect())
}

/// The runs of a region: `count` of them, each `length` bytes.
#[derive(Clone)]
pub(super) struct Runs {
    /// Where the first one begins.
    start: u64,
    length: u64,
    /// Axes above the runs, slowest first: how many steps, and how many bytes a step is.
    outer: Vec<(u64, u64)>,
    count: u64,
}

impl Runs {
    /// The elements that lie in the ranges of all axes. Which way a range goes makes no difference to where its elements lie.
    pub(super) fn new(header: &NpyHeader, ranges: &[StepRange], url: &str) -> Result<Self> {
        let bad = |reason: String| bad_region(url, &ranges, reason);
        if ranges.len() != header.shape.len() {
            return Err(bad(format!("it has {} axes, the array has {}", ranges.len(), header.shape.len())));
        }
        // Headers made by hand may promise anything; parsed ones are within these bounds.
        if !fits(header.dtype, &header.shape) || i64::try_from(header.offset).is_err() {
            return Err(bad("the array is too large for memory addresses".into()));
        }
        let mut runs = Runs { start: header.offset, length: header.dtype.size() as u64, outer: Vec::new(), count: 1 };
        if ranges.iter().any(|range| range.length == 0) {
            runs.count = 0;
            return Ok(runs);
        }
        // Fastest axis first; while axes are taken in full, runs grow, the first that is not ends them.
        let axes: Vec<(&StepRange, usize)> = ranges.iter().zip(header.shape.iter().copied()).collect();
        let fastest_first: Vec<_> = if header.fortran { axes } else { axes.into_iter().rev().collect() };
        let mut stride = runs.length;
        let mut whole = true;
        for (range, n) in fastest_first {
            let last = range.last().filter(|&last| last < n && range.start < n);
            let last = last.ok_or_else(|| bad(format!("{range:?} reaches beyond an axis of length {n}")))?;
            runs.start += stride * range.start.min(last) as u64;
            let (steps, step) = (range.length as u64, range.step.unsigned_abs() as u64);
            if whole && (step == 1 || steps == 1) {
                runs.length = stride * steps;
                whole = range.length == n;
            } else {
                whole = false;
                runs.outer.insert(0, (steps, stride * step));
                runs.count *= steps;
            }
            stride *= n as u64;
        }
        Ok(runs)
    }

    /// Where run `index` begins.
    fn at(&self, index: u64) -> u64 {
        let (start, _) =
            self.outer.iter().rev().fold((self.start, index), |(start, rest), &(steps, stride)| {
                (start + rest % steps * stride, rest / steps)
            });
        start
    }

    /// The runs in the order of the file, in parts of at most `size` bytes: neighbouring runs along the fastest axis above them that are
    /// at most `gap` bytes apart are one part.
    pub(super) fn parts(mut self, size: u64, gap: u64) -> impl Iterator<Item = Part> {
        let near = |&(_, stride): &(u64, u64)| stride - self.length <= gap && self.length <= size;
        let (steps, stride) = self.outer.pop_if(|axis| near(axis)).unwrap_or((1, self.length));
        self.count /= steps;
        let length = self.length;
        let at_once = (size.saturating_sub(length) / stride.max(1)).saturating_add(1).min(steps);
        (0..self.count).flat_map(move |index| {
            let start = self.at(index);
            let groups = (0..steps).step_by(at_once as usize).map(move |first| {
                let count = at_once.min(steps - first);
                let begin = start + first * stride;
                Part { span: begin..begin + (count - 1) * stride + length, run: length, stride }
            });
            groups.flat_map(move |part| part.cut(size))
        })
    }
}

/// Neighbouring runs of one length at one distance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// From the first byte of the first run to the last one of the last.
    pub(super) span: Range<u64>,
    /// Bytes of a run.
    pub(super) run: u64,
    /// From the beginning of a run to that of the next.
    pub(super) stride: u64,
}

impl Part {
    /// A part longer than `size` is one run; it is cut.
    fn cut(self, size: u64) -> impl Iterator<Item = Part> {
        let Part { span, run, stride } = self;
        let size = if span.end - span.start > size { size } else { u64::MAX };
        let mut next = span.start;
        std::iter::from_fn(move || {
            let start = next;
            next = span.end.min(start.saturating_add(size));
            (start < next).then(|| Part { span: start..next, run: run.min(next - start), stride })
        })
    }

    /// Whether all bytes of the span are wanted.
    pub(super) fn is_one(&self) -> bool {
        self.span.end - self.span.start == self.run
    }
}

/// One request, and the wanted parts of it.
pub(super) struct Piece {
    pub(super) span: Range<u64>,
    pub(super) parts: Vec<Part>,
}

/// Joins neighbouring parts into pieces.
pub(super) struct Joined<I> {
    parts: I,
    waiting: Option<Part>,
    gap: u64,
    size: u64,
}

impl<I: Iterator<Item = Part>> Joined<I> {
    /// Pieces of at most `size` bytes over gaps of at most `gap`; no part may be longer than `size`.
    pub(super) fn new(parts: I, gap: u64, size: u64) -> Self {
        Joined { parts, waiting: None, gap, size }
    }
}

impl<I: Iterator<Item = Part>> Iterator for Joined<I> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let first = self.waiting.take().or_else(|| self.parts.next())?;
        let mut piece = Piece { span: first.span.clone(), parts: vec![first] };
        for part in self.parts.by_ref() {
            let fits = part.span.start - piece.span.end <= self.gap && part.span.end - piece.span.start <= self.size;
            if !fits {
                self.waiting = Some(part);
                break;
            }
            piece.span.end = part.span.end;
            match piece.parts.last_mut() {
                Some(last) if last.is_one() && part.is_one() && last.span.end == part.span.start => {
                    last.span.end = part.span.end;
                    last.run += part.run;
                }
                _ => piece.parts.push(part),
            }
        }
        Some(piece)
    }
}

pub(super) fn bad_region(url: &str, region: &impl std::fmt::Debug, reason: String) -> StorageError {
    StorageError::BadRegion { url: url.into(), region: format!("{region:?}"), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::dtype::DType;

    fn bytes(parts: &[Part]) -> Vec<u64> {
        let stride = |part: &Part| if part.is_one() { part.run } else { part.stride };
        let starts =
            parts.iter().flat_map(|part| part.span.clone().step_by(stride(part) as usize).map(|at| (at, part.run)));
        starts.flat_map(|(at, run)| at..at + run).collect()
    }

    #[test]
    fn small_pieces_give_the_same() {
        let header = NpyHeader::new(DType::I32, &[7, 5, 3], false);
        let region = [1..6, 2..4, 0..3];
        let steps = [(1, 2, 3), (4, -2, 2), (0, 1, 3)].map(|(start, step, length)| StepRange { start, step, length });
        for ranges in [steps_of(&header, &region, "x").unwrap(), steps.to_vec()] {
            let runs = Runs::new(&header, &ranges, "x").unwrap();
            let whole: Vec<u64> = bytes(&runs.clone().parts(u64::MAX, 0).collect::<Vec<_>>());
            assert_eq!(whole.len(), 4 * ranges.iter().map(|range| range.length).product::<usize>());
            for size in [4, 8, 12, 24, 1000] {
                for gap in [0, 4, 36, 1000] {
                    let pieces: Vec<Piece> = Joined::new(runs.clone().parts(size, gap), gap, size).collect();
                    assert!(pieces.iter().all(|p| p.span.end - p.span.start <= size));
                    let parts: Vec<Part> = pieces.into_iter().flat_map(|p| p.parts).collect();
                    assert_eq!(bytes(&parts), whole, "{size} {gap}");
                }
            }
        }
    }

    #[test]
    fn steps_read_what_lies_near() {
        let spans = |header: &NpyHeader, ranges: [StepRange; 2], gap| {
            let runs = Runs::new(header, &ranges, "x").unwrap();
            Joined::new(runs.parts(1 << 20, gap), gap, 1 << 20).map(|piece| piece.span).collect::<Vec<_>>()
        };
        let header = NpyHeader::new(DType::F64, &[1000, 100], false); // rows of 800 bytes, after a header of 128
        let (all, third) = (StepRange::all(100), StepRange { start: 99, step: -3, length: 34 });
        // Every tenth row: the rows and nothing between them, unless it is near.
        let rows = StepRange { start: 5, step: 10, length: 3 };
        assert_eq!(spans(&header, [rows, all], 64), [4128..4928, 12128..12928, 20128..20928]);
        assert_eq!(spans(&header, [rows, all], 7200), vec![4128..20928; 1]);
        // Every third element of those rows, backwards: what lies between elements is read, the other rows are not.
        assert_eq!(spans(&header, [rows, third], 64), [4128..4928, 12128..12928, 20128..20928]);
        assert_eq!(spans(&header, [StepRange { length: 1, ..rows }, third], 8).len(), 34);
        // In Fortran order columns are together.
        let header = NpyHeader::new(DType::F64, &[100, 1000], true);
        assert_eq!(spans(&header, [all, rows], 64), [4128..4928, 12128..12928, 20128..20928]);
    }

    #[test]
    fn a_long_axis_in_steps_is_read_in_pieces() {
        let header = NpyHeader::new(DType::U8, &[1 << 24], false);
        let ranges = [StepRange { start: 0, step: 4, length: 1 << 22 }];
        let pieces: Vec<Piece> =
            Joined::new(Runs::new(&header, &ranges, "x").unwrap().parts(1 << 20, 16), 16, 1 << 20).collect();
        assert_eq!(pieces.len(), 16);
        assert!(pieces.iter().all(|piece| piece.parts.len() == 1 && piece.span.end - piece.span.start <= 1 << 20));
    }

    #[test]
    fn enormous_empty_arrays() {
        let header = NpyHeader::new(DType::F64, &[0, 1 << 50], false);
        assert_eq!(region_ranges(&header, &[0..0, 0..1 << 50], 0).unwrap(), Vec::<Range<u64>>::new());
        let header = NpyHeader::new(DType::F64, &[1 << 60, 1 << 60, 0], false);
        assert!(region_ranges(&header, &[0..1, 0..1, 0..0], 0).is_err());
    }
}
