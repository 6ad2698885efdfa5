//! Arrays stored into targets of users' own, region by region.

use std::error::Error as StdError;
use std::ops::Range;
use std::panic::Location as CallSite;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::{ArrayD, ArrayViewD, Axis as NdAxis, Slice, SliceInfoElem};

use crate::array::build::{known_shape, rechunked};
use crate::array::dtype::Element;
use crate::array::expr::{Expr, Op};
use crate::array::grid::Grid;
use crate::array::handle::Array;
use crate::array::store::align::{Store, aligned};
use crate::array::store::writing::{Begun, Writing, writing_collection};
use crate::error::{Error, Result};
use crate::lower::{StoreGuard, Storing};

/// Why a target could not take a region.
pub type StoreFailure = Box<dyn StdError + Send + Sync>;

/// Something that an array can be stored into, region by region: a file format, a database, memory.
///
/// [`StoreTarget::write`] is called from several threads at once, for regions that have no element in common and are together
/// the whole array (or the region that was asked for). If the target has [`chunks`](StoreTarget::chunks), every region holds whole ones of them,
/// so that no two calls touch the same chunk.
///
/// ```
/// use std::ops::Range;
/// use std::sync::{Arc, Mutex};
/// use talatat::prelude::*;
/// use talatat::array::{StoreFailure, StoreTarget, StoreWrite, arange};
///
/// /// Notes the sum of each region.
/// struct Sums(Mutex<Vec<(usize, i64)>>);
///
/// impl StoreTarget<i64> for Sums {
///     fn write(&self, region: &[Range<usize>], block: ndarray::ArrayViewD<'_, i64>) -> Result<(), StoreFailure> {
///         self.0.lock().map_err(|_| "a writer panicked")?.push((region[0].start, block.sum()));
///         Ok(())
///     }
///     fn chunks(&self) -> Option<Vec<usize>> {
///         Some(vec![2])
///     }
/// }
///
/// let target = Arc::new(Sums(Mutex::default()));
/// StoreWrite::new(&arange::<i64>(0, 10, 1)?.rechunk(5)?, &target)?.compute()?;
/// let mut sums = target.0.lock().unwrap().clone();
/// sums.sort();
/// assert_eq!(sums, [(0, 15), (6, 30)]);
/// # Ok::<(), talatat::Error>(())
/// ```
pub trait StoreTarget<T: Element>: Send + Sync + 'static {
    /// Takes a block; `region` says where it belongs.
    ///
    /// # Errors
    /// If it cannot be taken: the computation fails with this error, and says how many regions had been stored.
    fn write(&self, region: &[Range<usize>], block: ArrayViewD<'_, T>) -> std::result::Result<(), StoreFailure>;

    /// The shape, if it is fixed; then an array must have it, or be stored into a region of it.
    fn shape(&self) -> Option<Vec<usize>> {
        None
    }

    /// The lengths of the chunks that have to be written as a whole, if there are such.
    fn chunks(&self) -> Option<Vec<usize>> {
        None
    }

    /// Bytes that a call of [`StoreTarget::write`] needs beside the block.
    fn scratch(&self) -> u64 {
        0
    }

    /// All regions have been written.
    ///
    /// # Errors
    /// If that cannot be finished.
    fn finish(&self) -> std::result::Result<(), StoreFailure> {
        Ok(())
    }

    /// The array was not stored: a task failed, the run was cancelled, or the handle was dropped before it was computed. Some regions may have been
    /// written, and stay unless the target takes them back here.
    fn abandon(&self) {}
}

/// An array in memory, one writer at a time.
impl<T: Element> StoreTarget<T> for Mutex<ArrayD<T>> {
    fn write(&self, region: &[Range<usize>], block: ArrayViewD<'_, T>) -> std::result::Result<(), StoreFailure> {
        let mut array = self.lock().unwrap_or_else(PoisonError::into_inner);
        let mut part = array.view_mut();
        for (axis, range) in region.iter().enumerate() {
            if axis >= part.ndim() || range.end > part.len_of(NdAxis(axis)) {
                return Err(format!("{range:?} of axis {axis} is not in an array of shape {:?}", part.shape()).into());
            }
            part.slice_axis_inplace(NdAxis(axis), Slice::from(range.clone()));
        }
        if part.shape() != block.shape() {
            return Err(format!("a block of shape {:?} for a region of {:?}", block.shape(), part.shape()).into());
        }
        part.assign(&block);
        Ok(())
    }

    fn shape(&self) -> Option<Vec<usize>> {
        Some(self.lock().unwrap_or_else(PoisonError::into_inner).shape().to_vec())
    }
}

/// An array that is stored into a [`StoreTarget`] when it is computed: each block by a task, so that the array need not fit in memory.
///
/// Where the blocks of the array would cut the target's chunks it is rechunked first. Targets stay in this process: an executor that sends its tasks to
/// others refuses them.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use talatat::prelude::*;
/// use talatat::array::{StoreWrite, ones};
/// use ndarray::{Array, IxDyn, s};
/// let target = Arc::new(Mutex::new(Array::<f64, _>::zeros(IxDyn(&[4, 6]))));
/// StoreWrite::region(&ones::<f64>([2, 6]).rechunk(1)?, &target, s![2.., ..])?.compute()?;
/// assert_eq!(target.lock().unwrap().sum(), 12.0);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone)]
pub struct StoreWrite(Writing);

writing_collection!(StoreWrite);

impl<T: Element, S: StoreTarget<T>> Begun for StoreGuard<T, S> {
    fn finished(&self) {
        StoreGuard::finished(self);
    }
}

const STORE: &str = "store";

/// Numbers for targets, which have nothing else to be told by.
static TARGETS: AtomicU64 = AtomicU64::new(0);

impl StoreWrite {
    /// Prepares to store the whole array.
    ///
    /// # Errors
    /// If the target has another shape, its chunks are of another number of axes, a length is known only when computed, or the array carries an
    /// error.
    #[track_caller]
    pub fn new<T: Element, S: StoreTarget<T>>(array: &Array<T>, target: &Arc<S>) -> Result<StoreWrite> {
        let at = CallSite::caller();
        let shape = known_shape(STORE, array.expr()?, at)?;
        if let Some(wanted) = target.shape().filter(|wanted| wanted.as_slice() != shape.as_slice()) {
            let reason = format!(
                "the array has the shape {:?}, the target {wanted:?}: store it into a region of it",
                shape.as_slice()
            );
            return Err(Error::invalid_at(STORE, reason, at));
        }
        StoreWrite::at(array, target, vec![0; shape.len()], at)
    }

    /// Prepares to store the array into a region (`s![10..20, ..]`) of a target that has a shape.
    ///
    /// # Errors
    /// As [`StoreWrite::new`]; if the target does not say its shape, the region has another shape than the array, or it does not hold whole
    /// chunks of the target (the error says which regions do).
    #[track_caller]
    pub fn region<T: Element, S: StoreTarget<T>>(
        array: &Array<T>,
        target: &Arc<S>,
        region: impl AsRef<[SliceInfoElem]>,
    ) -> Result<StoreWrite> {
        let at = CallSite::caller();
        let shape = known_shape(STORE, array.expr()?, at)?;
        let Some(whole) = target.shape() else {
            let reason = "a region of a target without a shape: let its `shape` say it";
            return Err(Error::invalid_at(STORE, reason, at));
        };
        let chunk = chunk_of(&**target, whole.len(), at)?;
        let store = Store { name: std::any::type_name::<S>(), shape: &whole, chunk: &chunk, parts: "chunks" };
        let origin = store.origin(STORE, region.as_ref(), &shape, at)?;
        StoreWrite::at(array, target, origin, at)
    }

    fn at<T: Element, S: StoreTarget<T>>(
        array: &Array<T>,
        target: &Arc<S>,
        origin: Vec<usize>,
        at: &'static CallSite<'static>,
    ) -> Result<StoreWrite> {
        let expr = array.expr()?;
        let grid = aligned(&expr.grid, &chunk_of(&**target, expr.ndim(), at)?);
        let number = TARGETS.fetch_add(1, Ordering::Relaxed);
        let (storing, guard) = Storing::<T, S>::new(target.clone(), origin, number);
        let op = Op::Custom(Arc::new(storing));
        let expr = Expr::new(T::DTYPE, Grid::default(), op, [rechunked(expr, grid, at)], at);
        Ok(StoreWrite(Writing::new(expr, Some(Arc::new(guard)))))
    }
}

/// The target's chunks; without such, any region will do.
fn chunk_of<T: Element>(
    target: &impl StoreTarget<T>,
    ndim: usize,
    at: &'static CallSite<'static>,
) -> Result<Vec<usize>> {
    let chunk = target.chunks().unwrap_or_else(|| vec![1; ndim]);
    if chunk.len() != ndim || chunk.contains(&0) {
        let reason = format!("the target has chunks of {chunk:?}, the array {ndim} axes");
        return Err(Error::invalid_at(STORE, reason, at));
    }
    Ok(chunk)
}
