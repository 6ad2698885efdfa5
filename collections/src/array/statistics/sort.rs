//! Sorting, and elements in the order of others.

use std::panic::Location;
use std::sync::Arc;

use crate::array::build::{axis_number, cast, rechunked};
use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::with_axis;
use crate::array::grid::{Axis, Grid, shape_text};
use crate::array::handle::Array;
use crate::array::kernels::local::LocalOp;
use crate::array::shape::arrange::{length_of, one_axis};
use crate::array::shape::reshape::broadcast;
use crate::array::statistics::quantile::whole_along;
use crate::array::statistics::reduce::Axes;
use crate::config::chunk_target;
use crate::error::{Error, Result};
use crate::lower::array::{OnBlocks, Sort};

type At = &'static Location<'static>;

fn sort(operation: &str, expr: &ExprRef, axes: &Axes, places: bool, at: At) -> Result<ExprRef> {
    let (expr, axis) = one_axis(operation, expr, axes, at)?;
    let length = length_of(operation, &expr, axis, at)?;
    let dtype = if places { DType::I64 } else { expr.dtype };
    let fits = expr.ndim() > 1 && (length as u64).saturating_mul(8 + dtype.size() as u64) <= chunk_target();
    if fits || expr.grid.axes()[axis].chunks() == 1 {
        let input = whole_along(&expr, axis, length, at);
        let reads = vec![(0..input.ndim()).map(Some).collect()];
        let operation = OnBlocks { op: LocalOp::Sort { axis, places }, reads };
        return Ok(Expr::new(dtype, input.grid.clone(), Op::Custom(Arc::new(operation)), [input], at));
    }
    // One line of blocks at a time. Cutting P runs takes P times P comparisons: there should not be too many short ones.
    let along = &expr.grid.axes()[axis];
    let (runs, longest) = (along.chunks(), along.longest().unwrap_or(1));
    let along = match runs > 64 && longest < 2 * runs * runs {
        true => Axis::regular(length, longest.max((2.0 * (length as f64).powi(2)).cbrt() as usize)),
        false => along.clone(),
    };
    let single = |axis: &Axis| axis.length().map_or_else(|| axis.clone(), |length| Axis::regular(length, 1));
    let grid = with_axis(&Grid::new(expr.grid.axes().iter().map(single)), axis, along);
    if grid.axes().iter().any(|axis| axis.length().is_none()) {
        let reason = format!("the shape {} is known only when computed: call persist first", shape_text(&grid));
        return Err(Error::invalid_at(operation, reason, at));
    }
    let input = rechunked(&expr, grid.clone(), at);
    Ok(Expr::new(dtype, grid, Op::Custom(Arc::new(Sort { axis, places })), [input], at))
}

impl<T: Element> Array<T> {
    /// The elements in ascending order along an axis, or all of them flat for `..`. NaN comes last.
    ///
    /// Where lines along the axis fit in a chunk, the array is cut so that they do, and each block is sorted. Else each block becomes a
    /// sorted run; samples of the runs, and then the few elements between samples, say exactly where each run is to be cut for each block
    /// of the result, which is merged from one part of each run. No task reads more than about two blocks. The result does not
    /// depend on the chunks.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![3.0, f64::NAN, 1.0, 2.0], 2)?;
    /// let sorted = x.sort(0)?.compute()?;
    /// assert_eq!(sorted.iter().copied().take(3).collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
    /// assert!(sorted[[3]].is_nan());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or of a length that is known only when computed, or more than one is named.
    #[track_caller]
    pub fn sort(&self, axis: impl Into<Axes>) -> Result<Array<T>> {
        Ok(Array::from_expr(sort("sort", self.expr()?, &axis.into(), false, Location::caller())?))
    }

    /// The indices that would sort the array along an axis; of equal elements in their order (NumPy's `kind="stable"`). See [`Array::sort`].
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![3, 1, 3, 2], 2)?;
    /// assert_eq!(x.argsort(0)?.compute()?, ndarray::array![1, 3, 0, 2].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::sort`].
    #[track_caller]
    pub fn argsort(&self, axis: impl Into<Axes>) -> Result<Array<i64>> {
        Ok(Array::from_expr(sort("argsort", self.expr()?, &axis.into(), true, Location::caller())?))
    }

    /// The elements along an axis at the indices of another array, line by line: what [`Array::argsort`] gives puts the array in
    /// order. The other axes of both are repeated to match; negative indices count from the end. The array is put in one chunk along the
    /// axis.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::from_ndarray;
    /// let x = from_ndarray(ndarray::array![[30, 10, 20], [1, 3, 2]], 1)?;
    /// let order = x.argsort(1)?;
    /// assert_eq!(x.take_along_axis(&order, 1)?.compute()?, ndarray::array![[10, 20, 30], [1, 2, 3]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, the indices are not integers or have other axes, or a length is known only when computed. When
    /// computed: if an index is out of range.
    #[track_caller]
    pub fn take_along_axis<I: Element>(&self, indices: &Array<I>, axis: isize) -> Result<Array<T>> {
        const NAME: &str = "take_along_axis";
        let (at, expr) = (Location::caller(), self.expr()?);
        let wrong = |reason: String| Error::invalid_at(NAME, reason, at);
        if !matches!(I::DTYPE.kind(), crate::array::dtype::Kind::Signed | crate::array::dtype::Kind::Unsigned) {
            return Err(wrong(format!("indices of {}: give integers", I::DTYPE)));
        }
        let indices = cast(indices.expr()?, DType::I64, at)?;
        let axis = axis_number(NAME, axis, expr.ndim(), at)?;
        if indices.ndim() != expr.ndim() {
            return Err(wrong(format!("indices of {} dimensions for an array of {}", indices.ndim(), expr.ndim())));
        }
        let length = length_of(NAME, expr, axis, at)?;
        length_of(NAME, &indices, axis, at)?;
        // Along the other axes both are cut as the array is, or as the indices where the array is repeated.
        let mut wanted: Vec<Axis> = Vec::with_capacity(expr.ndim());
        for (number, (own, given)) in expr.grid.axes().iter().zip(indices.grid.axes()).enumerate() {
            wanted.push(match (own.length(), given.length()) {
                _ if number == axis => own.clone(),
                (Some(a), Some(b)) if a == b || b == 1 => own.clone(),
                (Some(1), Some(_)) => given.clone(),
                (None, None) if own == given => own.clone(),
                _ => return Err(crate::array::build::misfit(NAME, &[expr.clone(), indices.clone()], own, given, at)),
            });
        }
        let source = with_axis(&Grid::new(wanted), axis, Axis::whole(length));
        let target = with_axis(&source, axis, indices.grid.axes()[axis].clone());
        let stretched = |expr: &ExprRef, grid: &Grid| {
            Ok::<_, Error>(rechunked(&broadcast(NAME, expr, grid.axes(), at)?, grid.clone(), at))
        };
        let inputs = [stretched(expr, &source)?, stretched(&indices, &target)?];
        let across = |own: usize| if own == axis { None } else { Some(own) };
        let reads = vec![(0..expr.ndim()).map(across).collect(), (0..expr.ndim()).map(Some).collect()];
        let operation = OnBlocks { op: LocalOp::TakeAlong { axis }, reads };
        Ok(Array::from_expr(Expr::new(T::DTYPE, target, Op::Custom(Arc::new(operation)), inputs, at)))
    }
}
