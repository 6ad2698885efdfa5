//! Diagonals and triangles.

use std::panic::Location;

use crate::array::build::{blockwise, invalid, known_shape};
use crate::array::create::constants::{create, infallible};
use crate::array::dtype::{DType, Element, Promote};
use crate::array::expr::ExprRef;
use crate::array::gather::{Run, gather, tidy};
use crate::array::grid::Axis;
use crate::array::handle::Array;
use crate::array::kernels::program::{BinaryOp, Builder, Input};
use crate::array::kernels::{KernelError, Scalar};
use crate::array::shape::reshape::{broadcast, reshape};
use crate::array::shape::window::diagonal;
use crate::error::{Error, Result};

type At = &'static Location<'static>;

/// `rows` x `columns` with ones on and below the diagonal `k` (0 is the main one, positive ones are above) and zeros elsewhere. The chunks
/// are automatic.
///
/// ```
/// use talatat::prelude::*;
/// assert_eq!(talatat::array::tri::<i64>(2, 3, 0).compute()?, ndarray::array![[1, 0, 0], [1, 1, 0]].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn tri<T: Element>(rows: usize, columns: usize, k: isize) -> Array<T> {
    infallible(create("tri", &[rows, columns], Location::caller(), |builder| {
        let distance = builder.index(0, &[-1, 1])?;
        let k = builder.constant(k as i64)?;
        builder.binary(BinaryOp::Le, distance, k)
    }))
}

impl<T: Element> Array<T> {
    /// The array with zeros above the diagonal `k` of its last two axes. An array with one axis is repeated to a square first, as
    /// NumPy does. The chunks stay.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::ones::<i64>([2, 3]).tril(0)?;
    /// assert_eq!(x.compute()?, ndarray::array![[1, 0, 0], [1, 1, 0]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array has no axes, or one whose length is known only when computed.
    #[track_caller]
    pub fn tril(&self, k: isize) -> Result<Array<T>> {
        Ok(Array::from_expr(masked("tril", self.expr()?, BinaryOp::Le, k, Location::caller())?))
    }

    /// The array with zeros below the diagonal `k` of its last two axes. An array with one axis is repeated to a square first, as
    /// NumPy does. The chunks stay.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::ones::<i64>([2, 3]).triu(1)?;
    /// assert_eq!(x.compute()?, ndarray::array![[0, 1, 1], [0, 0, 1]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array has no axes, or one whose length is known only when computed.
    #[track_caller]
    pub fn triu(&self, k: isize) -> Result<Array<T>> {
        Ok(Array::from_expr(masked("triu", self.expr()?, BinaryOp::Ge, k, Location::caller())?))
    }
}

/// The elements whose distance from the main diagonal compares with `k` as asked, zeros elsewhere.
fn masked(operation: &str, expr: &ExprRef, keep: BinaryOp, k: isize, at: At) -> Result<ExprRef> {
    known_shape(operation, expr, at)?;
    let square;
    let expr = match expr.ndim() {
        0 => {
            let reason = "an array without axes has no triangle: give it one axis or more";
            return Err(Error::invalid_at(operation, reason, at));
        }
        1 => {
            let axis = expr.grid.axes()[0].clone();
            square = broadcast(operation, expr, &[axis.clone(), axis], at)?;
            &square
        }
        _ => expr,
    };
    let ndim = expr.ndim();
    let mut steps = vec![0_i64; ndim];
    (steps[ndim - 2], steps[ndim - 1]) = (-1, 1);
    let mut builder = Builder::new(ndim);
    let input = builder.input(Input::identity(expr.dtype, ndim));
    let register = select_by_distance(&mut builder, &steps, keep, k, input, expr.dtype);
    let program = register.and_then(|register| builder.finish(register));
    let program = program.map_err(|error| invalid(operation, &error, at))?;
    blockwise(operation, program, vec![expr.clone()], &[], at)
}

fn select_by_distance(
    builder: &mut Builder,
    steps: &[i64],
    keep: BinaryOp,
    k: isize,
    value: u32,
    dtype: DType,
) -> std::result::Result<u32, KernelError> {
    let distance = builder.index(0, steps)?;
    let k = builder.constant(k as i64)?;
    let kept = builder.binary(keep, distance, k)?;
    let zero = builder.constant(Scalar::from(false).cast(dtype))?;
    builder.select(kept, value, zero)
}

/// A square array with `array` on its diagonal `k` and zeros elsewhere, if `array` has one axis; its diagonal `k`, if it has two.
///
/// A square array is cut along both axes as `array` is. For the diagonal see [`Array::diagonal`].
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, diag};
/// let x = diag(&arange::<i64>(1, 3, 1)?, 1)?;
/// assert_eq!(x.compute()?, ndarray::array![[0, 1, 0], [0, 0, 2], [0, 0, 0]].into_dyn());
/// assert_eq!(diag(&x, 1)?.compute()?, ndarray::array![1, 2].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the array has neither one nor two axes, or a length is known only when computed.
#[track_caller]
pub fn diag<T: Element>(array: &Array<T>, k: isize) -> Result<Array<T>> {
    let at = Location::caller();
    let expr = array.expr()?;
    match expr.ndim() {
        1 => Ok(Array::from_expr(on_diagonal("diag", expr, k, at)?)),
        2 => Ok(Array::from_expr(diagonal("diag", expr, k, [0, 1], at)?)),
        ndim => {
            let reason = format!("an array of {ndim} dimensions: it must have one or two (see diagflat and diagonal)");
            Err(Error::invalid_at("diag", reason, at))
        }
    }
}

/// A square array with all elements of `array` on its diagonal `k` and zeros elsewhere.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, diagflat};
/// let x = diagflat(&arange::<i64>(1, 3, 1)?.reshape([2, 1])?, 0)?;
/// assert_eq!(x.compute()?, ndarray::array![[1, 0], [0, 2]].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a length is known only when computed.
#[track_caller]
pub fn diagflat<T: Element>(array: &Array<T>, k: isize) -> Result<Array<T>> {
    let at = Location::caller();
    let flat = reshape("diagflat", array.expr()?, &[-1], at)?;
    Ok(Array::from_expr(on_diagonal("diagflat", &flat, k, at)?))
}

fn on_diagonal(operation: &str, expr: &ExprRef, k: isize, at: At) -> Result<ExprRef> {
    let length = known_shape(operation, expr, at)?[0];
    let shift = k.unsigned_abs();
    let side = length.checked_add(shift).filter(|&side| isize::try_from(side).is_ok());
    let side = side.ok_or_else(|| {
        Error::invalid_at(operation, format!("the diagonal {k} makes more elements than can be counted"), at)
    })?;
    // Element i stands in the row i + shift below the main diagonal, in the column i + shift above it.
    let fill = Run::Fill { value: Scalar::from(false).cast(expr.dtype), length: shift };
    let old = &expr.grid.axes()[0];
    let lengths: Vec<usize> = [shift].into_iter().chain(old.lengths().unwrap_or_default()).collect();
    let cut = if shift == 0 { old.clone() } else { tidy(lengths, old.longest().unwrap_or(1).max(1)) };
    debug_assert_eq!(cut.length(), Some(side));
    let shifted = gather(operation, expr, 0, [fill, Run::forward(0..length)], cut.clone(), at)?;
    let mut builder = Builder::new(2);
    let (read, other) = if k > 0 { (1, 0) } else { (0, 1) };
    let mut axes: smallvec::SmallVec<[Option<u8>; 4]> = smallvec::smallvec![None, None];
    axes[read] = Some(0);
    let input = builder.input(Input { dtype: expr.dtype, axes });
    let register = select_by_distance(&mut builder, &[-1, 1], BinaryOp::Eq, k, input, expr.dtype);
    let program = register.and_then(|register| builder.finish(register));
    let program = program.map_err(|error| invalid(operation, &error, at))?;
    blockwise(operation, program, vec![shifted], &[(other, cut)], at)
}

/// The powers of the elements of an array with one axis, as columns: from `columns - 1` down to 0, or up to it if `increasing`.
/// Integers wrap. The rows are cut as the array is, the columns are in one chunk.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, vander};
/// let x = vander(&arange::<i64>(2, 4, 1)?, 3, false)?;
/// assert_eq!(x.compute()?, ndarray::array![[4, 2, 1], [9, 3, 1]].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the array has not one axis.
#[track_caller]
pub fn vander<T: Promote<i64>>(
    array: &Array<T>,
    columns: usize,
    increasing: bool,
) -> Result<Array<<T as Promote<i64>>::Output>> {
    let at = Location::caller();
    let expr = array.expr()?;
    if expr.ndim() != 1 {
        let reason = format!("an array of {} dimensions: it must have one", expr.ndim());
        return Err(Error::invalid_at("vander", reason, at));
    }
    let dtype = <T as Promote<i64>>::Output::DTYPE;
    let mut builder = Builder::new(2);
    let input = builder.input(Input { dtype: expr.dtype, axes: smallvec::smallvec![Some(0), None] });
    let last = columns.saturating_sub(1) as i64;
    let power = |builder: &mut Builder| {
        let base = builder.cast(input, dtype)?;
        let exponent = if increasing { builder.index(0, &[0, 1]) } else { builder.index(last, &[0, -1]) }?;
        let exponent = builder.cast(exponent, dtype)?;
        builder.binary(BinaryOp::Power, base, exponent)
    };
    let program = power(&mut builder).and_then(|register| builder.finish(register));
    let program = program.map_err(|error| invalid("vander", &error, at))?;
    Ok(Array::from_expr(blockwise("vander", program, vec![expr.clone()], &[(1, Axis::whole(columns))], at)?))
}
