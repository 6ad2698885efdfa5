//! Elements chosen and put by index; indices of triangles and diagonals of an array.

use std::panic::Location;
use std::sync::Arc;

use crate::array::build::{axis_number, cast, misfit, rechunked};
use crate::array::create::constants::{arange, ones};
use crate::array::dtype::{DType, Element, Kind};
use crate::array::elementwise::operators::where_;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::with_axis;
use crate::array::grid::Axis;
use crate::array::handle::Array;
use crate::array::kernels::local::LocalOp;
use crate::array::shape::arrange::length_of;
use crate::array::shape::join::broadcast_arrays;
use crate::array::shape::reshape::{broadcast, stack};
use crate::error::{Error, Result};
use crate::lower::array::OnBlocks;

/// What becomes of an index that is out of range, in NumPy's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChooseMode {
    /// An error, when it is computed. NumPy's default.
    #[default]
    Raise,
    /// It counts around.
    Wrap,
    /// The nearest index that is there.
    Clip,
}

fn integers(operation: &str, dtype: DType, at: &'static Location<'static>) -> Result<()> {
    if matches!(dtype.kind(), Kind::Signed | Kind::Unsigned | Kind::Bool) {
        return Ok(());
    }
    Err(Error::invalid_at(operation, format!("indices of {dtype}: give integers"), at))
}

impl<T: Element> Array<T> {
    /// NumPy's `choose`: at each place the element of that array among `choices` that the integer there names. All are repeated to one shape. A block
    /// of the result reads one block of each of the choices.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{ChooseMode, from_ndarray, full};
    /// let x = from_ndarray(ndarray::array![0, 2, 1], 2)?;
    /// let choices = [full([3], 10.0), full([3], 20.0), full([1], 30.0)];
    /// assert_eq!(x.choose(&choices, ChooseMode::Raise)?.compute()?, ndarray::array![10.0, 30.0, 20.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no choices, the shapes do not match, the indices are no integers, or a length is known only when computed. When computed: if an index is out
    /// of range, and [`ChooseMode::Raise`].
    #[track_caller]
    pub fn choose<U: Element>(&self, choices: &[Array<U>], mode: ChooseMode) -> Result<Array<U>> {
        let at = Location::caller();
        integers("choose", T::DTYPE, at)?;
        self.check()?;
        let count = choices.len() as i64;
        if count == 0 {
            return Err(Error::invalid_at("choose", "no arrays to choose from: give at least one", at));
        }
        let own = self.astype::<i64>();
        let own = match mode {
            ChooseMode::Wrap => own.remainder(count),
            ChooseMode::Clip => own.clip(0_i64, count - 1),
            // Negative numbers do not count from the end here.
            ChooseMode::Raise => where_(&own.less(0_i64), count, &own),
        };
        let stacked = stack(&broadcast_arrays(choices)?, 0)?;
        let ndim = stacked.ndim().max(own.ndim() + 1);
        let lead = |from: usize, missing: usize| (from..from + missing).map(|axis| axis as isize).collect::<Vec<_>>();
        let indices = own.expand_dims(lead(0, ndim - own.ndim()))?;
        let stacked = match ndim - stacked.ndim() {
            0 => stacked,
            missing => stacked.expand_dims(lead(1, missing))?,
        };
        stacked.take_along_axis(&indices, 0)?.squeeze(0)
    }

    /// NumPy's `put_along_axis`, as a new array: the elements along an axis at the indices of another array, line by line, are `values`. Indices and
    /// values are repeated to match the other axes; negative indices count from the end; of values for one place the last one stays. The
    /// array is put in one chunk along the axis.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{from_ndarray, full};
    /// let x = from_ndarray(ndarray::array![[10, 30, 20], [60, 40, 50]], 1)?;
    /// let places = from_ndarray(ndarray::array![[1_i64], [0]], 1)?;
    /// let found = x.put_along_axis(&places, &full([1, 1], 99), 1)?;
    /// assert_eq!(found.compute()?, ndarray::array![[10, 99, 20], [99, 40, 50]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, the indices are no integers, the shapes do not match, or a length is known only when computed. When computed: if an
    /// index is out of range.
    #[track_caller]
    pub fn put_along_axis<I: Element>(&self, indices: &Array<I>, values: &Array<T>, axis: isize) -> Result<Array<T>> {
        const NAME: &str = "put_along_axis";
        let (at, expr) = (Location::caller(), self.expr()?);
        integers(NAME, I::DTYPE, at)?;
        let indices = cast(indices.expr()?, DType::I64, at)?;
        let axis = axis_number(NAME, axis, expr.ndim(), at)?;
        let length = length_of(NAME, expr, axis, at)?;
        if indices.ndim() != expr.ndim() || values.ndim() > expr.ndim() {
            let reason = format!(
                "indices of {} and values of {} dimensions for an array of {}",
                indices.ndim(),
                values.ndim(),
                expr.ndim()
            );
            return Err(Error::invalid_at(NAME, reason, at));
        }
        let count = length_of(NAME, &indices, axis, at)?;
        let whole = with_axis(&expr.grid, axis, Axis::whole(length));
        let target = with_axis(&whole, axis, Axis::whole(count));
        let fitted = |input: &ExprRef| -> Result<ExprRef> {
            let lead = target.ndim() - input.ndim();
            for (own, wanted) in input.grid.axes().iter().zip(&target.axes()[lead..]) {
                if own.length() != Some(1) && !own.as_long_as(wanted) {
                    return Err(misfit(NAME, &[expr.clone(), input.clone()], own, wanted, at));
                }
            }
            Ok(rechunked(&broadcast(NAME, input, target.axes(), at)?, target.clone(), at))
        };
        let inputs = [rechunked(expr, whole.clone(), at), fitted(&indices)?, fitted(values.expr()?)?];
        let all = || (0..expr.ndim()).map(Some).collect();
        let op = Op::Custom(Arc::new(OnBlocks { op: LocalOp::PutAlong { axis }, reads: vec![all(), all(), all()] }));
        Ok(Array::from_expr(Expr::new(T::DTYPE, whole, op, inputs, at)))
    }

    /// NumPy's `fill_diagonal`, as a new array: `value` on the main diagonal of a matrix, or where all indices of an array of more axes are equal.
    /// With `wrap` the diagonal of a tall matrix begins again below a row that is left out.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::zeros::<i64>([2, 3]).fill_diagonal(5, false)?;
    /// assert_eq!(x.compute()?, ndarray::array![[5, 0, 0], [0, 5, 0]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer than two axes, more than two of different lengths, or a length is known only when computed.
    #[track_caller]
    pub fn fill_diagonal(&self, value: T, wrap: bool) -> Result<Array<T>> {
        let shape = self.shape()?;
        let ndim = shape.len();
        if ndim < 2 || ndim > 2 && shape.iter().any(|&length| length != shape[0]) {
            let reason = format!("an array of the shape {shape:?}: give a matrix, or axes of one length");
            return Err(Error::invalid("fill_diagonal", reason));
        }
        let along = |axis: usize| -> Result<Array<i64>> {
            let index = arange::<i64>(0, shape[axis] as i64, 1)?;
            match axis + 1 == ndim {
                true => Ok(index),
                false => index.expand_dims((1..ndim - axis).map(|axis| axis as isize).collect::<Vec<_>>()),
            }
        };
        let first = along(0)?;
        let on = if wrap && ndim == 2 {
            let columns = shape[1] as i64;
            (&first * columns + along(1)?).remainder(columns + 1).equal(0_i64)
        } else {
            let mut on = first.equal(along(1)?);
            for axis in 2..ndim {
                on = on.logical_and(first.equal(along(axis)?));
            }
            on
        };
        let scalar: crate::array::kernels::Scalar = value.into();
        let inputs = [self.expr()?.clone(), on.expr()?.clone()];
        let filled =
            crate::array::build::elementwise("fill_diagonal", &inputs, Location::caller(), |builder, registers| {
                let value = builder.constant(scalar)?;
                builder.select(registers[1], value, registers[0])
            })?;
        Ok(Array::from_expr(filled))
    }

    /// NumPy's `diag_indices_from`: the [`diag_indices`](crate::array::diag_indices) of an array of axes of one length.
    ///
    /// ```
    /// assert_eq!(talatat::array::ones::<f64>([4, 4]).diag_indices_from()?[0].shape()?, [4]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer than two axes, or their lengths differ or are known only when computed.
    #[track_caller]
    pub fn diag_indices_from(&self) -> Result<Vec<Array<i64>>> {
        let shape = self.shape()?;
        if shape.len() < 2 || shape.iter().any(|&length| length != shape[0]) {
            let reason = format!("an array of the shape {shape:?}: give two or more axes of one length");
            return Err(Error::invalid("diag_indices_from", reason));
        }
        super::diag_indices(shape[0], shape.len())
    }

    /// NumPy's `tril_indices_from`: the [`tril_indices`](crate::array::tril_indices) of a matrix.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let [rows, _] = talatat::array::ones::<f64>([2, 2]).tril_indices_from(0)?;
    /// assert_eq!(rows.compute()?, ndarray::array![0, 1, 1].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array is no matrix, or a length is known only when computed.
    #[track_caller]
    pub fn tril_indices_from(&self, k: isize) -> Result<[Array<i64>; 2]> {
        let [rows, columns] = self.sides("tril_indices_from")?;
        super::tril_indices(rows, columns, k)
    }

    /// NumPy's `triu_indices_from`: the [`triu_indices`](crate::array::triu_indices) of a matrix.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let [rows, _] = talatat::array::ones::<f64>([2, 2]).triu_indices_from(0)?;
    /// assert_eq!(rows.compute()?, ndarray::array![0, 0, 1].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`tril_indices_from`](Array::tril_indices_from).
    #[track_caller]
    pub fn triu_indices_from(&self, k: isize) -> Result<[Array<i64>; 2]> {
        let [rows, columns] = self.sides("triu_indices_from")?;
        super::triu_indices(rows, columns, k)
    }

    fn sides(&self, operation: &str) -> Result<[usize; 2]> {
        let shape = self.shape()?;
        <[usize; 2]>::try_from(shape.as_slice())
            .map_err(|_| Error::invalid(operation, format!("an array of the shape {shape:?} is no matrix")))
    }
}

/// NumPy's `mask_indices`: the indices of what a function, such as `|x| x.triu(1)`, leaves of a matrix of `n * n` ones.
///
/// ```
/// use talatat::prelude::*;
/// let found = talatat::array::mask_indices(3, |x| x.triu(1))?;
/// assert_eq!(found[0].compute()?, ndarray::array![0, 0, 1].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// Those of the function.
#[track_caller]
pub fn mask_indices(n: usize, mask: impl FnOnce(&Array<i64>) -> Result<Array<i64>>) -> Result<Vec<Array<i64>>> {
    mask(&ones::<i64>([n, n]))?.nonzero()
}
