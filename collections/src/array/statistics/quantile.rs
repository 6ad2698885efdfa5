//! Medians, quantiles and percentiles: exact, or from sketches.

use std::panic::Location;
use std::sync::Arc;

use crate::array::build::{cast, rechunked, view};
use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::with_axis;
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::kernels::local::LocalOp;
use crate::array::kernels::quantile::{Method, Quantile};
use crate::array::kernels::sketch::Sketch;
use crate::array::shape::arrange::length_of;
use crate::array::shape::reshape::reshape;
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};
use crate::lower::array::{OnBlocks, Reads, SketchedQuantiles};

type At = &'static Location<'static>;

/// Which quantiles: one, whose axis is left out of the result, or several, along the result's first axis. Made from a number, or from
/// an array or vector of them.
///
/// ```
/// use talatat::array::{Method, arange};
/// let x = arange::<f64>(0.0, 12.0, 1.0)?.reshape([3, 4])?;
/// assert_eq!(x.quantile(0.5, 0, Method::Linear)?.shape()?, [4]);
/// assert_eq!(x.quantile([0.25, 0.75], 0, Method::Linear)?.shape()?, [2, 4]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    points: Vec<f64>,
    scalar: bool,
}

impl From<f64> for Points {
    fn from(point: f64) -> Self {
        Points { points: vec![point], scalar: true }
    }
}

impl<const N: usize> From<[f64; N]> for Points {
    fn from(points: [f64; N]) -> Self {
        Points { points: points.into(), scalar: false }
    }
}

impl From<Vec<f64>> for Points {
    fn from(points: Vec<f64>) -> Self {
        Points { points, scalar: false }
    }
}

impl Points {
    /// The points as parts of `whole`.
    fn of(mut self, operation: &str, whole: f64, at: At) -> Result<Points> {
        for point in &mut self.points {
            if !(0.0..=whole).contains(point) {
                let reason = format!("{point} is not between 0 and {whole}");
                return Err(Error::invalid_at(operation, reason, at));
            }
            *point /= whole;
        }
        Ok(self)
    }
}

/// The array with some axes as one, which is the last; nothing is moved if there is only one of them.
fn joined(operation: &str, expr: &ExprRef, axes: &[usize], at: At) -> Result<(ExprRef, usize)> {
    if let [axis] = axes {
        return Ok((expr.clone(), *axis));
    }
    let mut order: Vec<usize> = (0..expr.ndim()).filter(|axis| !axes.contains(axis)).collect();
    let kept = order.len();
    order.extend(axes);
    let turned = view(operation, expr, &order.iter().copied().map(Some).collect::<Vec<_>>(), at)?;
    let mut shape: Vec<isize> = Vec::with_capacity(kept + 1);
    for axis in 0..kept {
        shape.push(length_of(operation, &turned, axis, at)? as isize);
    }
    let mut last = 1;
    for axis in kept..turned.ndim() {
        last *= length_of(operation, &turned, axis, at)? as isize;
    }
    shape.push(last);
    Ok((reshape(operation, &turned, &shape, at)?, kept))
}

/// The array with one axis in one chunk; the others are cut so that blocks become no larger than they were, if that can be.
pub(in crate::array) fn whole_along(expr: &ExprRef, axis: usize, length: usize, at: At) -> ExprRef {
    if expr.grid.axes()[axis].chunks() == 1 {
        return expr.clone();
    }
    let elements = expr.grid.largest_block(1_000_000).max(1);
    let grid = with_axis(&expr.grid, axis, Axis::whole(length));
    rechunked(expr, within(&grid, &[axis], elements), at)
}

/// The grid, but for some axes in smaller chunks, so that a block has no more than so many elements, if that can be.
pub(in crate::array) fn within(grid: &Grid, fixed: &[usize], elements: usize) -> Grid {
    let mut axes: Vec<Axis> = grid.axes().to_vec();
    let longest = |axis: &Axis| axis.longest().unwrap_or(1_000_000).max(1);
    for number in (0..axes.len()).filter(|number| !fixed.contains(number)) {
        let block = axes.iter().map(longest).fold(1, usize::saturating_mul);
        let Some(own) = axes[number].length().filter(|_| block > elements) else { continue };
        let fit = longest(&axes[number]) / block.div_ceil(elements);
        axes[number] = Axis::regular(own, fit.max(1));
    }
    Grid::new(axes)
}

/// The result with its first axis, that of the points, and the axes that were reduced, as they were asked for.
fn shaped(operation: &str, made: &ExprRef, points: &Points, axes: &[usize], keep: bool, at: At) -> Result<ExprRef> {
    let kept = made.ndim() - 1 + if keep { axes.len() } else { 0 };
    let mut next = 1..;
    let others = (0..kept).map(|axis| if keep && axes.contains(&axis) { None } else { next.next() });
    let first = (!points.scalar).then_some(Some(0));
    let places: Vec<Option<usize>> = first.into_iter().chain(others).collect();
    if places.iter().copied().eq((0..made.ndim()).map(Some)) {
        return Ok(made.clone());
    }
    view(operation, made, &places, at)
}

/// Exact quantiles; without a method, medians.
pub(in crate::array) fn exact(
    operation: &str,
    expr: &ExprRef,
    points: &Points,
    method: Option<Method>,
    skip_nan: bool,
    axes: &Axes,
    at: At,
) -> Result<ExprRef> {
    crate::array::build::only_real(operation, expr, at)?;
    let numbers = axes.numbers(operation, expr.ndim(), at)?;
    let (joint, axis) = joined(operation, expr, &numbers, at)?;
    let length = length_of(operation, &joint, axis, at)?;
    let input = whole_along(&joint, axis, length, at);
    let others = (0..input.ndim()).filter(|&other| other != axis);
    let along_points = Axis::whole(points.points.len());
    let grid = Grid::new([along_points].into_iter().chain(others.map(|other| input.grid.axes()[other].clone())));
    let mut next = 1..;
    let reads: Reads = (0..input.ndim()).map(|other| if other == axis { None } else { next.next() }).collect();
    let quantile = Quantile { points: points.points.clone(), method, skip_nan };
    let operation_ = OnBlocks { op: LocalOp::Quantile { quantile, axis }, reads: vec![reads] };
    let made = Expr::new(input.dtype.float(), grid, Op::Custom(Arc::new(operation_)), [input], at);
    shaped(operation, &made, points, &numbers, axes.keeps_dims(), at)
}

macro_rules! quantiles {
    ($($name:ident, $whole:literal, $skip:literal, $doc:literal;)*) => {
        /// Quantiles of all elements along axes, exactly.
        ///
        /// The axes must fit in one chunk: the array is cut so that they do, and each line is put in order only as far as
        /// the quantiles need it (selection, linear in the length). Where the axes are too long for that, see
        /// [`Array::quantile_sketch`].
        impl<T: Element> Array<T> {$(
            #[doc = $doc]
            ///
            /// ```
            /// use talatat::prelude::*;
            /// use talatat::array::{Method, from_ndarray};
            /// let x = from_ndarray(ndarray::array![[10.0, 7.0, 4.0], [3.0, 2.0, 1.0]], 1)?;
            #[doc = concat!("let half = x.", stringify!($name), "(0.5 * ", stringify!($whole), ", 0, Method::Linear)?;")]
            /// assert_eq!(half.compute()?, ndarray::array![6.5, 4.5, 2.5].into_dyn());
            /// # Ok::<(), talatat::Error>(())
            /// ```
            ///
            /// # Errors
            /// If a point or an axis is out of range, an axis is named twice, or its length is known only when computed.
            #[track_caller]
            pub fn $name(
                &self,
                points: impl Into<Points>,
                axes: impl Into<Axes>,
                method: Method,
            ) -> Result<Array<T::Float>> {
                let at = Location::caller();
                let points = points.into().of(stringify!($name), $whole, at)?;
                let made = exact(stringify!($name), self.expr()?, &points, Some(method), $skip, &axes.into(), at)?;
                Ok(Array::from_expr(made))
            }
        )*}
    };
}

quantiles! {
    quantile, 1.0, false, "Quantiles, as parts of 1. NaN makes its line NaN, as does a line without elements.";
    percentile, 100.0, false, "Quantiles, as parts of 100. NaN makes its line NaN, as does a line without elements.";
    nanquantile, 1.0, true, "[`Array::quantile`] without NaN; NaN where there is nothing else.";
    nanpercentile, 100.0, true, "[`Array::percentile`] without NaN; NaN where there is nothing else.";
}

impl<T: Element> Array<T> {
    /// The element in the middle along axes, or the mean of the two in the middle, exactly. NaN makes its line NaN, as does a line without
    /// elements. The axes are put in one chunk, as for [`Array::quantile`].
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[10.0, 7.0, 4.0], [3.0, 2.0, 1.0]], 1)?;
    /// assert_eq!(x.median(1)?.compute()?, ndarray::array![7.0, 2.0].into_dyn());
    /// assert_eq!(x.median(..)?.compute()?, ndarray::arr0(3.5).into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice, or its length is known only when computed.
    #[track_caller]
    pub fn median(&self, axes: impl Into<Axes>) -> Result<Array<T::Float>> {
        let made = exact("median", self.expr()?, &0.5.into(), None, false, &axes.into(), Location::caller())?;
        Ok(Array::from_expr(made))
    }

    /// [`Array::median`] without NaN; NaN where there is nothing else.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![10.0, f64::NAN, 4.0], 1)?;
    /// assert_eq!(x.nanmedian(0)?.compute()?, ndarray::arr0(7.0).into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::median`].
    #[track_caller]
    pub fn nanmedian(&self, axes: impl Into<Axes>) -> Result<Array<T::Float>> {
        let made = exact("nanmedian", self.expr()?, &0.5.into(), None, true, &axes.into(), Location::caller())?;
        Ok(Array::from_expr(made))
    }

    /// Quantiles along one axis, or of all elements, to a part `error` of themselves, for axes that are too long to be in one chunk: each block
    /// is read once, and its state is small. `skip_nan` leaves NaN out; else it makes its line NaN.
    ///
    /// Elements are counted by their leading bits (after HdrHistogram), so that those that share a bucket differ by less than a part
    /// `error` of themselves; the least and the greatest of each bucket are known. An element at a place in the order of
    /// all is thus known to `error` of itself, and exactly at both ends; a quantile between two of them to `error` of the
    /// larger one. (Below 1e-307 there are no leading bits: the error is absolute.) The answer depends neither on chunks nor on the order of
    /// merges. A state takes 24 bytes for each bucket that is met: at most as many as there are elements, and about `1 / error` for
    /// each power of two that they span, in each line along the axis.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::uniform(1.0, 2.0, [100_000], 7)?.rechunk(10_000)?;
    /// let near = x.quantile_sketch([0.0, 0.5], .., 0.001, false)?.compute()?;
    /// let exact = x.quantile([0.0, 0.5], 0, Default::default())?.compute()?;
    /// assert_eq!(near[[0]], exact[[0]]);
    /// assert!((near[[1]] - exact[[1]]).abs() <= 0.001 * exact[[1]]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a point or the axis is out of range, several axes but not all are named, or the error is not between 1e-6 and 0.5.
    #[track_caller]
    pub fn quantile_sketch(
        &self,
        points: impl Into<Points>,
        axes: impl Into<Axes>,
        error: f64,
        skip_nan: bool,
    ) -> Result<Array<f64>> {
        const NAME: &str = "quantile_sketch";
        let (at, expr, axes) = (Location::caller(), self.expr()?, axes.into());
        crate::array::build::only_real(NAME, expr, at)?;
        let points = points.into().of(NAME, 1.0, at)?;
        let numbers = axes.numbers(NAME, expr.ndim(), at)?;
        if !(1e-6..=0.5).contains(&error) {
            return Err(Error::invalid_at(NAME, format!("an error of {error}: give 1e-6 to 0.5"), at));
        }
        let axis = match numbers.as_slice() {
            [axis] => Some(*axis),
            all if all.len() == expr.ndim() => None,
            some => {
                let reason = format!("{} of {} axes: give one, or all with `..`", some.len(), expr.ndim());
                return Err(Error::invalid_at(NAME, reason, at));
            }
        };
        let sketch = Sketch { axis, bits: (-error.log2()).ceil() as u32, skip_nan };
        let kept = (0..expr.ndim()).filter(|number| !numbers.contains(number));
        let kept = kept.map(|number| expr.grid.axes()[number].clone());
        let grid = Grid::new([Axis::whole(points.points.len())].into_iter().chain(kept));
        let operation = SketchedQuantiles { sketch, points: points.points.clone() };
        let made = Expr::new(DType::F64, grid, Op::Custom(Arc::new(operation)), [expr.clone()], at);
        let made = shaped(NAME, &made, &points, &numbers, axes.keeps_dims(), at)?;
        Ok(Array::from_expr(cast(&made, DType::F64, at)?))
    }
}
