//! Arrays written to Zarr stores.

use std::panic::Location as CallSite;
use std::sync::Arc;

use ndarray::SliceInfoElem;

use super::options::ZarrOptions;
use crate::array::build::{known_shape, rechunked};
use crate::array::dtype::Element;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::Grid;
use crate::array::handle::Array;
use crate::array::store::align::{Store, aligned};
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
        let parts = if written.inside.is_some() { "shards" } else { "chunks" };
        let store = Store { name: url, shape: &written.shape, chunk: &written.chunk, parts };
        let origin = store.origin(TO_REGION, region.as_ref(), &shape, at)?;
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
        let grid = aligned(&expr.grid, &written.chunk);
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
