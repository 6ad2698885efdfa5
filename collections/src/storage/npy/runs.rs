//! Where the bytes of a region lie.

use std::ops::Range;

use super::header::{NpyHeader, fits};
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
    let runs = Runs::new(header, region, "array")?;
    let joined = Joined::new(runs.parts(u64::MAX), gap, u64::MAX);
    Ok(joined.map(|piece| piece.span).collect())
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
    pub(super) fn new(header: &NpyHeader, region: &[Range<usize>], url: &str) -> Result<Self> {
        let bad = |reason: String| bad_region(url, region, reason);
        if region.len() != header.shape.len() {
            return Err(bad(format!("it has {} axes, the array has {}", region.len(), header.shape.len())));
        }
        let outside = |(range, &n): (&Range<usize>, &usize)| range.start > range.end || range.end > n;
        if let Some(axis) = region.iter().zip(&header.shape).position(outside) {
            return Err(bad(format!("axis {axis} has length {}", header.shape.get(axis).unwrap_or(&0))));
        }
        // Headers made by hand may promise anything; parsed ones are within these bounds.
        if !fits(header.dtype, &header.shape) || i64::try_from(header.offset).is_err() {
            return Err(bad("the array is too large for memory addresses".into()));
        }
        let mut runs = Runs { start: header.offset, length: header.dtype.size() as u64, outer: Vec::new(), count: 1 };
        if region.iter().any(Range::is_empty) {
            runs.count = 0;
            return Ok(runs);
        }
        // Fastest axis first; while axes are taken in full, runs grow, the first that is not ends them.
        let axes: Vec<(&Range<usize>, usize)> = region.iter().zip(header.shape.iter().copied()).collect();
        let fastest_first: Vec<_> = if header.fortran { axes } else { axes.into_iter().rev().collect() };
        let mut stride = runs.length;
        let mut whole = true;
        for (range, n) in fastest_first {
            runs.start += stride * range.start as u64;
            if whole {
                runs.length = stride * range.len() as u64;
                whole = range.len() == n;
            } else {
                runs.outer.insert(0, (range.len() as u64, stride));
                runs.count *= range.len() as u64;
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

    /// The runs in the order of the file, cut into parts of at most `size` bytes.
    pub(super) fn parts(self, size: u64) -> impl Iterator<Item = Range<u64>> {
        (0..self.count).flat_map(move |index| {
            let (start, end) = (self.at(index), self.at(index) + self.length);
            let next =
                move |part: &Range<u64>| (part.end < end).then(|| part.end..end.min(part.end.saturating_add(size)));
            std::iter::successors(Some(start..end.min(start.saturating_add(size))), next)
        })
    }
}

/// One request, and the wanted parts of it.
pub(super) struct Piece {
    pub(super) span: Range<u64>,
    pub(super) parts: Vec<Range<u64>>,
}

/// Joins neighbouring parts into pieces.
pub(super) struct Joined<I> {
    parts: I,
    waiting: Option<Range<u64>>,
    gap: u64,
    size: u64,
}

impl<I: Iterator<Item = Range<u64>>> Joined<I> {
    /// Pieces of at most `size` bytes over gaps of at most `gap`; no part may be longer than `size`.
    pub(super) fn new(parts: I, gap: u64, size: u64) -> Self {
        Joined { parts, waiting: None, gap, size }
    }
}

impl<I: Iterator<Item = Range<u64>>> Iterator for Joined<I> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let first = self.waiting.take().or_else(|| self.parts.next())?;
        let mut piece = Piece { span: first.clone(), parts: vec![first] };
        for part in self.parts.by_ref() {
            let fits = part.start - piece.span.end <= self.gap && part.end - piece.span.start <= self.size;
            if !fits {
                self.waiting = Some(part);
                break;
            }
            piece.span.end = part.end;
            match piece.parts.last_mut() {
                Some(last) if last.end == part.start => last.end = part.end,
                _ => piece.parts.push(part),
            }
        }
        Some(piece)
    }
}

pub(super) fn bad_region(url: &str, region: &[Range<usize>], reason: String) -> StorageError {
    StorageError::BadRegion { url: url.into(), region: format!("{region:?}"), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::dtype::DType;

    #[test]
    fn small_pieces_give_the_same() {
        let header = NpyHeader::new(DType::I32, &[7, 5, 3], false);
        let region = [1..6, 2..4, 0..3];
        let whole: Vec<u64> = region_ranges(&header, &region, 0).unwrap().into_iter().flatten().collect();
        for size in [4, 8, 12, 24, 1000] {
            for gap in [0, 4, 36, 1000] {
                let parts = Runs::new(&header, &region, "x").unwrap().parts(size);
                let pieces: Vec<Piece> = Joined::new(parts, gap, size).collect();
                assert!(pieces.iter().all(|p| p.span.end - p.span.start <= size));
                let parts: Vec<u64> = pieces.into_iter().flat_map(|p| p.parts).flatten().collect();
                assert_eq!(parts, whole, "{size} {gap}");
            }
        }
    }

    #[test]
    fn enormous_empty_arrays() {
        let header = NpyHeader::new(DType::F64, &[0, 1 << 50], false);
        assert_eq!(region_ranges(&header, &[0..0, 0..1 << 50], 0).unwrap(), Vec::<Range<u64>>::new());
        let header = NpyHeader::new(DType::F64, &[1 << 60, 1 << 60, 0], false);
        assert!(region_ranges(&header, &[0..1, 0..1, 0..0], 0).is_err());
    }
}
