//! Arrays written to Zarr stores.

use std::panic::Location as CallSite;
use std::sync::Arc;

use ndarray::SliceInfoElem;

use super::options::ZarrOptions;
use crate::array::build::{known_shape, rechunked};
use crate::array::dtype::Element;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::shape::slice::parse;
use crate::array::store::writing::{Begun, Writing, writing_collection};
use crate::error::{Error, Result};
use crate::lower::ZarrWriting;
use crate::storage::Location;
use crate::storage::zarr::{ZarrArray, ZarrGuard, ZarrOutput};

/// An array that is written to a Zarr store when it is computed: each block by a task, so that the array need not fit in memory.
///
/// Every task writes whole chunks (whole shards, if there are any), and no chunk is written by two tasks: where the blocks of the array
/// would cut chunks, it is rechunked first. A region of an array that is there is written in the same way and must hold
/// whole chunks, so that tasks, threads and programs that write other regions cannot be in the way.
///
/// **A new array is there completely or not at all.** A local one is written into a hidden folder beside its place and gets its
/// name at the end. In a store the metadata are written last; what was begun is removed with the handle if it was not finished. If an array
/// is replaced in a store, its metadata are removed first, so that an interrupted write leaves no array and never half of the old and half of the new. If a
/// region is written, each chunk is replaced as a whole; an interrupted write leaves some of them new.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{ZarrOptions, ZarrWrite, open_zarr, zeros};
/// let x = zeros::<f32>([100, 100]).rechunk(10)? + 1.0;
/// let write = ZarrWrite::new(&x, "memory://docs/write.zarr", &ZarrOptions::new())?;
/// assert!(write.explain()?.to_string().contains("write to"));
/// assert!(open_zarr::<f32>("memory://docs/write.zarr").is_err());
/// write.compute()?;
/// assert_eq!(open_zarr::<f32>("memory://docs/write.zarr")?.sum(..)?.item()?.compute()?, 10_000.0);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone)]
pub struct ZarrWrite(Writing);

writing_collection!(ZarrWrite);

impl Begun for ZarrGuard {
    fn finished(&self) {
        ZarrGuard::finished(self);
    }
}

const TO: &str = "to_zarr";
const TO_REGION: &str = "to_zarr_region";

impl ZarrWrite {
    /// Begins a new array: finds out whether it can be written and writes nothing that can be seen under its name.
    ///
    /// # Errors
    /// If it cannot be written or something is there, options do not fit, the array is read from the very place in a store that it
    /// replaces, a length is known only when computed, or the array carries an error.
    #[track_caller]
    pub fn new<T: Element>(array: &Array<T>, url: &str, options: &ZarrOptions) -> Result<ZarrWrite> {
        let at = CallSite::caller();
        let invalid = |reason: String| Error::invalid_at(TO, reason, at);
        let expr = array.expr()?;
        let shape = known_shape(TO, expr, at)?;
        let layout = options.layout(T::DTYPE, &shape, expr.grid.axes())?.map_err(invalid)?;
        let metadata = layout.metadata().map_err(invalid)?;
        let location = Location::parse(url)?;
        let (output, written, guard) = ZarrOutput::begin(&location, &metadata, options.overwrite)?;
        if matches!(output, ZarrOutput::Objects { .. }) {
            check_not_read(TO, expr, &location, at)?;
        }
        Ok(ZarrWrite::writing(expr, output, written, Some(guard), at))
    }

    /// Prepares a region of an array that is there, with `ndarray`'s `s![]`: ranges without steps.
    ///
    /// # Errors
    /// If there is no array, it has other elements, the region has another shape than the array or **does not hold whole chunks** (the
    /// error says which regions do), or the array is read from the very place that it is written to.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{ZarrOptions, ZarrWrite, ones, zeros};
    /// use ndarray::s;
    /// let url = "memory://docs/region.zarr";
    /// ZarrWrite::new(&zeros::<f64>([10, 10]), url, &ZarrOptions::new().chunks([4, 10]))?.compute()?;
    /// ZarrWrite::region(&ones::<f64>([6, 10]), url, s![4.., ..])?.compute()?;
    /// let error = ZarrWrite::region(&ones::<f64>([6, 10]), url, s![2..8, ..]).unwrap_err().to_string();
    /// assert!(error.contains("0..8"), "{error}");
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn region<T: Element>(array: &Array<T>, url: &str, region: impl AsRef<[SliceInfoElem]>) -> Result<ZarrWrite> {
        let at = CallSite::caller();
        let invalid = |reason: String| Error::invalid_at(TO_REGION, reason, at);
        let expr = array.expr()?;
        let shape = known_shape(TO_REGION, expr, at)?;
        let location = Location::parse(url)?;
        let written = ZarrArray::open(&location)?;
        if written.dtype != T::DTYPE {
            return Err(invalid(format!("{url} holds {}, not {}: use astype", written.dtype, T::DTYPE)));
        }
        check_not_read(TO_REGION, expr, &location, at)?;
        let (ranges, axes) = parse(TO_REGION, &Grid::whole(&written.shape), region.as_ref(), at)?;
        if !axes.iter().copied().eq((0..ranges.len()).map(Some)) || ranges.iter().any(|range| range.step != 1) {
            return Err(invalid("a region is a range of each axis, without steps: write 3..4 for 3".into()));
        }
        if !ranges.iter().map(|range| range.length).eq(shape.iter().copied()) {
            let lengths: Vec<usize> = ranges.iter().map(|range| range.length).collect();
            return Err(invalid(format!("the region has the shape {lengths:?}, the array {:?}", shape.as_slice())));
        }
        let parts = if written.inside.is_some() { "shards" } else { "chunks" };
        for (axis, range) in ranges.iter().enumerate() {
            let misfit = misfit(range.start..range.start + range.length, written.chunk[axis], written.shape[axis]);
            if let Some(misfit) = misfit.filter(|_| !shape.contains(&0)) {
                let part = format!("{}..{}", range.start, range.start + range.length);
                return Err(invalid(format!(
                    "{part} of axis {axis} cuts the {parts} of {url}, which are {} long there: {misfit}; two writers of one of the {parts} \
                     would undo each other's work",
                    written.chunk[axis]
                )));
            }
        }
        let origin = ranges.iter().map(|range| range.start).collect();
        let output = ZarrOutput::Region { written: written.reference(), origin };
        Ok(ZarrWrite::writing(expr, output, written, None, at))
    }

    /// The array, cut into whole chunks of the store, and the tasks that write it.
    fn writing(
        expr: &ExprRef,
        output: ZarrOutput,
        written: ZarrArray,
        guard: Option<ZarrGuard>,
        at: &'static CallSite<'static>,
    ) -> ZarrWrite {
        let grid = Grid::new(expr.grid.axes().iter().zip(&written.chunk).map(|(axis, &chunk)| aligned(axis, chunk)));
        let op = Op::Custom(Arc::new(ZarrWriting { output, array: Arc::new(written) }));
        let expr = Expr::new(expr.dtype, Grid::default(), op, [rechunked(expr, grid, at)], at);
        ZarrWrite(Writing::new(expr, guard.map(|guard| Arc::new(guard) as Arc<dyn Begun>)))
    }
}

/// What is read while it is written would be a mixture of old and new.
fn check_not_read(operation: &str, expr: &ExprRef, location: &Location, at: &'static CallSite<'static>) -> Result<()> {
    let mut read = false;
    let place = |location: &Location| location.local_path().and_then(|path| path.canonicalize().ok());
    let same = |other: &Location| {
        let local = place(location);
        (location.scheme(), location.bucket(), location.key()) == (other.scheme(), other.bucket(), other.key())
            || (local.is_some() && local == place(other))
    };
    Expr::visit(std::slice::from_ref(expr), &mut |expr| {
        if let Op::Custom(operation) = &expr.op {
            read |= operation.reads().is_some_and(&same);
        }
    });
    if read {
        let reason = format!(
            "the array is read from {location}, where it is to be written: write it elsewhere, or persist it first"
        );
        return Err(Error::invalid_at(operation, reason, at));
    }
    Ok(())
}

/// The axis if its chunks are whole numbers of those of the store, else cut into such, about as long as they are.
fn aligned(axis: &Axis, chunk: usize) -> Axis {
    let (Some(bounds), Some(length)) = (axis.bounds(), axis.length()) else { return axis.clone() };
    if bounds.iter().all(|&bound| bound == length || bound.is_multiple_of(chunk)) {
        return axis.clone();
    }
    let longest = axis.longest().unwrap_or(0);
    let count = ((longest + chunk / 2) / chunk).max(1);
    Axis::regular(length, count.saturating_mul(chunk))
}

/// Which ranges near this one hold whole chunks; `None` if it does.
fn misfit(range: std::ops::Range<usize>, chunk: usize, length: usize) -> Option<String> {
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
        let lengths = |axis: &Axis, chunk| aligned(axis, chunk).lengths().unwrap();
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
