//! What a mask keeps, and where it is true.

use std::panic::Location;
use std::sync::Arc;

use talatat_graph::KeyBuilder;

use super::numbers::unravel_index;
use crate::array::build::{known_shape, rechunked};
use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::with_axis;
use crate::array::grid::{Axis, Grid, shape_text};
use crate::array::handle::Array;
use crate::array::shape::arrange::one_axis;
use crate::array::shape::reshape::{reshape, stack};
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};
use crate::lower::array::{Compress, Nonzero};

type At = &'static Location<'static>;

impl<T: Element> Array<T> {
    /// The indices of an axis at which a mask is true; of the flat array for `..`, as with NumPy's `axis=None`. How many there are is
    /// known when it is computed; of a mask that is known now, [`Array::take`] tells it now.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 6, 1)?.reshape([2, 3])?;
    /// let even = x.sum(0)?.greater(4);
    /// assert_eq!(x.compress(&even, 1)?.compute()?, ndarray::array![[1, 2], [4, 5]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, or the mask has not one axis of its length.
    #[track_caller]
    pub fn compress(&self, mask: &Array<bool>, axis: impl Into<Axes>) -> Result<Array<T>> {
        let at = Location::caller();
        let (expr, axis) = one_axis("compress", self.expr()?, &axis.into(), at)?;
        Ok(Array::from_expr(compress("compress", &expr, mask.expr()?, axis, at)?))
    }

    /// The elements at which a mask is true (NumPy's `x[mask]`), in row-major order. A mask of fewer axes chooses among the first
    /// axes, and the others follow. How many there are is known when it is computed.
    ///
    /// A mask of several axes is read in runs of the flat array, as for [`Array::reshape`].
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 6, 1)?.reshape([2, 3])?;
    /// assert_eq!(x.filter(&x.greater(3))?.compute()?, ndarray::array![4, 5].into_dyn());
    /// assert_eq!(x.filter(&x.sum(1)?.greater(3))?.compute()?, ndarray::array![[3, 4, 5]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the mask's shape is not that of the first axes, or lengths are known only when computed and come from different places.
    #[doc(alias = "extract")]
    #[track_caller]
    pub fn filter(&self, mask: &Array<bool>) -> Result<Array<T>> {
        let at = Location::caller();
        let (expr, mask) = (self.expr()?, mask.expr()?);
        if mask.ndim() == 1 && expr.ndim() >= 1 {
            return Ok(Array::from_expr(compress("filter", expr, mask, 0, at)?));
        }
        let (shape, own) = (known_shape("filter", expr, at)?, known_shape("filter", mask, at)?);
        if !shape.starts_with(&own) {
            let reason =
                format!("a mask of shape {own:?} for an array of shape {shape:?}: the first axes must be equal");
            return Err(Error::invalid_at("filter", reason, at));
        }
        let flat: Vec<isize> =
            [own.iter().product::<usize>()].iter().chain(&shape[own.len()..]).map(|&length| length as isize).collect();
        let (expr, mask) = (reshape("filter", expr, &flat, at)?, reshape("filter", mask, &flat[..1], at)?);
        Ok(Array::from_expr(compress("filter", &expr, &mask, 0, at)?))
    }

    /// The elements at which a mask of the same shape is true: NumPy's `extract`.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 6, 1)?;
    /// assert_eq!(x.extract(&x.greater(3))?.compute()?, ndarray::array![4, 5].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes differ, or a length is known only when computed.
    #[track_caller]
    pub fn extract(&self, mask: &Array<bool>) -> Result<Array<T>> {
        let at = Location::caller();
        let (own, other) = (&self.expr()?.grid, &mask.expr()?.grid);
        if own.ndim() != other.ndim() {
            let reason = format!("a mask of shape {} for an array of shape {}", shape_text(other), shape_text(own));
            return Err(Error::invalid_at("extract", reason, at));
        }
        self.filter(mask)
    }

    /// The positions in the flat array of the elements that are not zero.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[0.0, 2.0], [3.0, 0.0]], 1)?;
    /// assert_eq!(x.flatnonzero()?.compute()?, ndarray::array![1, 2].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a length is known only when computed.
    #[track_caller]
    pub fn flatnonzero(&self) -> Result<Array<i64>> {
        Ok(Array::from_expr(flatnonzero("flatnonzero", self.expr()?, Location::caller())?))
    }

    /// The indices of the elements that are not zero, one array an axis, in row-major order.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[0.0, 2.0], [3.0, 0.0]], 1)?;
    /// let [rows, columns] = x.nonzero()?.try_into().unwrap();
    /// assert_eq!(rows.compute()?, ndarray::array![0, 1].into_dyn());
    /// assert_eq!(columns.compute()?, ndarray::array![1, 0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array has no axes, or a length is known only when computed.
    #[track_caller]
    pub fn nonzero(&self) -> Result<Vec<Array<i64>>> {
        let at = Location::caller();
        let expr = self.expr()?;
        let shape = known_shape("nonzero", expr, at)?;
        if shape.is_empty() {
            return Err(Error::invalid_at("nonzero", "an array without axes: give it one, with expand_dims", at));
        }
        unravel_index(&Array::from_expr(flatnonzero("nonzero", expr, at)?), shape)
    }

    /// The indices of the elements that are not zero, a row each.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[0.0, 2.0], [3.0, 0.0]], 1)?;
    /// assert_eq!(x.argwhere()?.compute()?, ndarray::array![[0, 1], [1, 0]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::nonzero`].
    #[track_caller]
    pub fn argwhere(&self) -> Result<Array<i64>> {
        stack(&self.nonzero()?, 1)
    }
}

fn compress(operation: &str, expr: &ExprRef, mask: &ExprRef, axis: usize, at: At) -> Result<ExprRef> {
    let own = &expr.grid.axes()[axis];
    let [length] = mask.grid.axes() else {
        let reason = format!("a mask of {} axes: one is needed", mask.ndim());
        return Err(Error::invalid_at(operation, reason, at));
    };
    if !own.as_long_as(length) {
        let (mask, shape) = (shape_text(&mask.grid), shape_text(&expr.grid));
        let reason =
            format!("a mask of shape {mask} for axis {axis} of an array of shape {shape}: they must be as long");
        return Err(Error::invalid_at(operation, reason, at));
    }
    let mask = rechunked(mask, Grid::new([own.clone()]), at);
    // What the same mask leaves is equally long.
    let origin = KeyBuilder::new("compress").key(mask.key).finish();
    let grid = with_axis(&expr.grid, axis, Axis::Unknown { origin, chunks: own.chunks() });
    Ok(Expr::new(expr.dtype, grid, Op::Custom(Arc::new(Compress { axis })), [expr.clone(), mask], at))
}

fn flatnonzero(operation: &str, expr: &ExprRef, at: At) -> Result<ExprRef> {
    let flat = reshape(operation, expr, &[-1], at)?;
    let Some(input) = flat.grid.axes().first().cloned() else { return Ok(flat) };
    let origin = KeyBuilder::new("nonzero").key(flat.key).finish();
    let grid = Grid::new([Axis::Unknown { origin, chunks: input.chunks() }]);
    Ok(Expr::new(DType::I64, grid, Op::Custom(Arc::new(Nonzero { input })), [flat], at))
}
