//! Stacks of `.npy` files.

use std::panic::Location as CallSite;
use std::sync::Arc;

use crate::array::build::{axis_number, known_shape, rechunked};
use crate::array::dtype::Element;
use crate::array::expr::{Expr, Op};
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::range::StepRange;
use crate::array::shape::reshape::concatenate;
use crate::array::store::writing::{Begun, Writing, writing_collection};
use crate::error::{Error, Result};
use crate::lower::StackWriting;
use crate::storage::npy::{self, StackGuard, StackInfo, StackOutput, stack_files};
use crate::storage::{Location, ObjectRef};

/// A stack of `.npy` files as a lazy array: a folder of `0.npy`, `1.npy`, .. and `info.json`, as [`NpyStackWrite`] makes it. Each file is a
/// block; slices are read from the files they touch. The headers of all files are read now.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{NpyStackWrite, arange, open_npy_stack};
/// let x = arange::<i64>(0, 10, 1)?.rechunk(4)?;
/// NpyStackWrite::new(&x, "memory://docs/stack", 0)?.compute()?;
/// let y = open_npy_stack::<i64>("memory://docs/stack")?;
/// assert_eq!((y.numblocks(), y.sum(..)?.item()?.compute()?), (vec![3], 45));
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If there is no stack, or one that is not complete, a file is not what `info.json` says, or elements are of another type than `T`.
#[track_caller]
pub fn open_npy_stack<T: Element>(url: &str) -> Result<Array<T>> {
    let at = CallSite::caller();
    let location = Location::parse(url)?;
    let info = StackInfo::open(&location)?;
    let files = stack_files(&location, Some(info.chunks.len()))?;
    let array = pile::<T>("open_npy_stack", url, &files, info.axis, at)?;
    let expr = array.expr()?;
    let promised = info.shape.iter().enumerate().map(|(axis, &length)| match axis == info.axis {
        true => Axis::from_lengths(info.chunks.iter().copied()),
        false => Axis::whole(length),
    });
    if expr.grid != Grid::new(promised) {
        let reason = format!("the files of {url} are {}, its info.json says another shape", expr.grid);
        return Err(Error::invalid_at("open_npy_stack", reason, at));
    }
    Ok(array)
}

/// A folder of `0.npy`, `1.npy`, .., pieces of an array along an axis, without `info.json`: what Dask's `to_npy_stack` writes, whose own
/// description only Python understands. Whether all files are there cannot be known.
///
/// # Errors
/// If there are no files, one before the last is missing, they do not fit each other, or elements are of another type than `T`.
#[track_caller]
pub fn open_npy_stack_along<T: Element>(url: &str, axis: isize) -> Result<Array<T>> {
    let at = CallSite::caller();
    let files = stack_files(&Location::parse(url)?, None)?;
    let ndim = match files.first() {
        Some(first) => npy::open(first)?.shape.len(),
        None => 0,
    };
    let axis = axis_number("open_npy_stack_along", axis, ndim, at)?;
    pile("open_npy_stack_along", url, &files, axis, at)
}

/// The arrays of some files one after the other, each a block.
fn pile<T: Element>(
    operation: &str,
    url: &str,
    files: &[ObjectRef],
    axis: usize,
    at: &'static CallSite<'static>,
) -> Result<Array<T>> {
    let open = |object: &ObjectRef| {
        let header = npy::open(object)?;
        if header.dtype != T::DTYPE {
            let reason = format!("{url} holds {}, not {}: open it as that and use astype", header.dtype, T::DTYPE);
            return Err(Error::invalid_at(operation, reason, at));
        }
        let grid = Grid::whole(&header.shape);
        let ranges = header.shape.iter().map(|&length| StepRange::all(length)).collect();
        let op = Op::Npy { object: object.clone(), header: Arc::new(header), ranges };
        Ok(Array::from_expr(Expr::new(T::DTYPE, grid, op, [], at)))
    };
    let pieces = files.iter().map(open).collect::<Result<Vec<Array<T>>>>()?;
    match pieces.as_slice() {
        [one] => Ok(one.clone()),
        pieces => concatenate(pieces, axis as isize),
    }
}

/// An array that is written as a stack of `.npy` files when it is computed: `0.npy`, `1.npy`, .. are its blocks along one axis (along the others it
/// is not cut), and `info.json`, written last, says what the whole is. Dask's `to_npy_stack` writes the same, but for `info.json`.
///
/// There must be nothing at that place. A local folder gets its name when all is in it; what was begun is removed with the handle if it was not
/// finished.
#[derive(Clone)]
pub struct NpyStackWrite(Writing);

writing_collection!(NpyStackWrite);

impl Begun for StackGuard {
    fn finished(&self) {
        StackGuard::finished(self);
    }
}

impl NpyStackWrite {
    /// Begins a stack along an axis: finds out whether it can be written.
    ///
    /// # Errors
    /// If something is there or it cannot be written, the array has no such axis, a length is known only when computed, or the array carries an
    /// error.
    #[track_caller]
    pub fn new<T: Element>(array: &Array<T>, url: &str, axis: isize) -> Result<NpyStackWrite> {
        const TO: &str = "to_npy_stack";
        let at = CallSite::caller();
        let expr = array.expr()?;
        let shape = known_shape(TO, expr, at)?;
        let axis = axis_number(TO, axis, shape.len(), at)?;
        let uncut = |(number, own): (usize, &Axis)| match number == axis {
            true => own.clone(),
            false => Axis::whole(shape[number]),
        };
        let grid = Grid::new(expr.grid.axes().iter().enumerate().map(uncut));
        let chunks = grid.axes()[axis].lengths().unwrap_or_default();
        let info = StackInfo::new(T::DTYPE.name(), &shape, axis, chunks);
        let (output, guard) = StackOutput::begin(&Location::parse(url)?, info)?;
        let op = Op::Custom(Arc::new(StackWriting { output }));
        let expr = Expr::new(T::DTYPE, Grid::default(), op, [rechunked(expr, grid, at)], at);
        Ok(NpyStackWrite(Writing::new(expr, Some(Arc::new(guard)))))
    }
}
