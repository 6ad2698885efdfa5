//! Other values in the place of some elements. The array stays as it is; the result is a new one.

use std::panic::Location;
use std::sync::Arc;

use ndarray::SliceInfoElem;

use super::take::take_known;
use crate::array::build::{rechunked, slice_axis, view};
use crate::array::dtype::Element;
use crate::array::elementwise::operators::{Operand, where_};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::with_axis;
use crate::array::grid::{Axis, Grid, shape_text};
use crate::array::handle::Array;
use crate::array::shape::arrange::{at_least, length_of, one_axis};
use crate::array::shape::edit::Places;
use crate::array::shape::reshape::{broadcast, concatenate_exprs};
use crate::array::shape::slice::parse;
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};
use crate::lower::array::Assign;

type At = &'static Location<'static>;

impl<T: Element> Array<T> {
    /// The array with other values in a slice (NumPy's `x[1:3] = values`, as a new array). The slice is written as for [`Array::slice`],
    /// the values are repeated to its shape.
    ///
    /// Blocks that the slice does not touch stay as they are, each of the others takes one task.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use ndarray::s;
    /// let x = talatat::array::zeros::<i64>([2, 3]);
    /// let y = x.assign(s![.., 1..], 7)?.assign(s![0, ..;2], &talatat::array::arange(1, 3, 1)?)?;
    /// assert_eq!(y.compute()?, ndarray::array![[1, 7, 2], [0, 7, 7]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the slice does not fit the array, or the values cannot be repeated to its shape.
    #[track_caller]
    pub fn assign(&self, info: impl AsRef<[SliceInfoElem]>, values: impl Into<Operand<T>>) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        let (ranges, axes) = parse("assign", &expr.grid, info.as_ref(), at)?;
        let cut: Vec<Axis> =
            expr.grid.axes().iter().zip(&ranges).map(|(axis, range)| slice_axis(axis, range)).collect();
        let wanted: Vec<Axis> =
            axes.iter().map(|axis| axis.map_or_else(|| Axis::whole(1), |axis| cut[axis].clone())).collect();
        let values = values.into().array();
        let values = repeated("assign", values.expr()?, wanted, at)?;
        // The axes that a single index dropped come back with length 1.
        let back: Vec<Option<usize>> =
            (0..expr.ndim()).map(|axis| axes.iter().position(|other| *other == Some(axis))).collect();
        let values = rechunked(&view("assign", &values, &back, at)?, Grid::new(cut), at);
        if ranges.iter().any(|range| range.length == 0) && expr.grid.is_known() {
            return Ok(self.clone());
        }
        let op = Op::Custom(Arc::new(Assign { ranges, grid: expr.grid.clone() }));
        Ok(Array::from_expr(Expr::new(expr.dtype, expr.grid.clone(), op, [expr.clone(), values], at)))
    }

    /// The array with other values at some indices of an axis (NumPy's `x[[3, 0]] = values`, as a new array); of an index that comes
    /// several times the last one counts. The values are repeated to the shape that [`Array::take`] gives.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::zeros::<i64>([4]);
    /// let y = x.assign_at([3, 0], 0, &talatat::array::arange(7, 9, 1)?)?;
    /// assert_eq!(y.compute()?, ndarray::array![8, 0, 0, 7].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an index or the axis is out of range, the values do not fit, or a length is known only when computed.
    #[track_caller]
    pub fn assign_at(&self, places: impl Into<Places>, axis: isize, values: impl Into<Operand<T>>) -> Result<Array<T>> {
        let at = Location::caller();
        let (expr, axis) = one_axis("assign_at", self.expr()?, &Axes::from(axis), at)?;
        let length = length_of("assign_at", &expr, axis, at)?;
        let (places, values) = (places.into(), values.into().array());
        let chosen = places.indices("assign_at", length, false, at)?;
        let mut wanted = with_axis(&expr.grid, axis, Axis::whole(chosen.len())).axes().to_vec();
        let mut values = values.expr()?.clone();
        if matches!(places, Places::One(_)) {
            wanted.remove(axis);
            values = repeated("assign_at", &values, wanted, at)?;
            let back = (0..expr.ndim()).map(|other| match other.cmp(&axis) {
                std::cmp::Ordering::Less => Some(other),
                std::cmp::Ordering::Equal => None,
                std::cmp::Ordering::Greater => Some(other - 1),
            });
            values = view("assign_at", &values, &back.collect::<Vec<_>>(), at)?;
        } else {
            values = repeated("assign_at", &values, wanted, at)?;
        }
        // Both in a row, then for each index where its value stands.
        let both = concatenate_exprs("assign_at", vec![expr.clone(), values], axis as isize, T::DTYPE, at)?;
        let mut from: Vec<usize> = (0..length).collect();
        chosen.iter().zip(length..).for_each(|(&index, value)| from[index] = value);
        let taken = take_known("assign_at", &both, axis, &from, at)?;
        Ok(Array::from_expr(rechunked(&taken, expr.grid.clone(), at)))
    }

    /// The array with other values where a mask is true (NumPy's `x[mask] = values`, as a new array); mask and values are repeated to
    /// the array's shape.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 4, 1)?;
    /// assert_eq!(x.assign_where(&x.greater(1), -1)?.compute()?, ndarray::array![0, 1, -1, -1].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If mask or values cannot be repeated to the array's shape.
    #[doc(alias = "putmask")]
    #[doc(alias = "place")]
    #[track_caller]
    pub fn assign_where(&self, mask: &Array<bool>, values: impl Into<Operand<T>>) -> Result<Array<T>>
    where
        T: super::super::Promote<T, Output = T>,
    {
        let at = Location::caller();
        let expr = self.expr()?;
        let (mask, values) = (mask.expr()?, values.into().array());
        for (what, other) in [("mask", mask), ("values", values.expr()?)] {
            check("assign_where", what, other, expr.grid.axes(), at)?;
        }
        Ok(where_(&Array::from_expr(mask.clone()), values, self))
    }
}

/// Whether an array can be repeated to some axes.
fn check(operation: &str, what: &str, expr: &ExprRef, axes: &[Axis], at: At) -> Result<()> {
    let own = expr.grid.axes();
    let fits = own.len() <= axes.len()
        && own.iter().rev().zip(axes.iter().rev()).all(|(own, axis)| own.length() == Some(1) || own.as_long_as(axis));
    if fits {
        return Ok(());
    }
    let (found, wanted) = (shape_text(&expr.grid), shape_text(&Grid::new(axes.iter().cloned())));
    Err(Error::invalid_at(operation, format!("{what} of shape {found} cannot be repeated to {wanted}"), at))
}

/// Values repeated to some axes; as in NumPy's assignments, more axes of length 1 may come first.
fn repeated(operation: &str, values: &ExprRef, axes: Vec<Axis>, at: At) -> Result<ExprRef> {
    let ones = values.grid.axes().iter().take_while(|axis| axis.length() == Some(1)).count();
    let kept: Vec<Option<usize>> =
        (ones.min(values.ndim().saturating_sub(axes.len()))..values.ndim()).map(Some).collect();
    let values = if kept.len() < values.ndim() { &view(operation, values, &kept, at)? } else { values };
    check(operation, "values", values, &axes, at)?;
    let values = at_least(operation, values, axes.len(), at)?;
    Ok(rechunked(&broadcast(operation, &values, &axes, at)?, Grid::new(axes), at))
}
