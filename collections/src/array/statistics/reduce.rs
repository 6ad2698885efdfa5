//! Reductions along axes.
//!
//! Sums, means and variances of floats are exact until one rounding at the end, so they do not depend on the chunks, the
//! threads or the executor; see [`ReduceOp`] for the rule of each.

use std::ops::RangeFull;
use std::panic::Location;

use crate::array::build::{axis_number, rechunked};
use crate::array::dtype::Element;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::kernels::reduce::ReduceOp;
use crate::array::shape::reshape::run_grid;
use crate::error::{Error, Result};

/// Which axes to reduce: one, several, or all, and whether they stay with length 1.
///
/// Made from an integer (negative ones count from the end), an array of integers, or `..` for all axes.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{axis, ones};
/// let x = ones::<f64>([2, 3, 4]);
/// assert_eq!(x.sum(-1)?.shape()?, [2, 3]);
/// assert_eq!(x.sum([0, 2])?.shape()?, [3]);
/// assert_eq!(x.sum(..)?.ndim(), 0);
/// assert_eq!(x.sum(axis(1).keepdims())?.shape()?, [2, 1, 4]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axes {
    which: Option<Vec<isize>>,
    keepdims: bool,
}

/// One axis, several or all (`axis(..)`), for [`Axes::keepdims`].
///
/// ```
/// use talatat::array::{axis, ones};
/// assert_eq!(ones::<f64>([2, 3]).sum(axis(..).keepdims())?.shape()?, [1, 1]);
/// # Ok::<(), talatat::Error>(())
/// ```
pub fn axis(axes: impl Into<Axes>) -> Axes {
    axes.into()
}

impl Axes {
    /// The reduced axes stay in the result, with length 1, so that it matches what was reduced.
    ///
    /// ```
    /// use talatat::array::{arange, axis};
    /// let x = arange::<f64>(0.0, 6.0, 1.0)?.reshape([2, 3])?;
    /// let centred = &x - x.mean(axis(1).keepdims())?;
    /// assert_eq!(centred.shape()?, [2, 3]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn keepdims(mut self) -> Axes {
        self.keepdims = true;
        self
    }

    /// The axes as they were given; none for all.
    pub(in crate::array) fn which(&self) -> Option<&[isize]> {
        self.which.as_deref()
    }

    /// Whether the reduced axes stay.
    pub(in crate::array) fn keeps_dims(&self) -> bool {
        self.keepdims
    }

    /// The axes as ascending numbers.
    pub(in crate::array) fn numbers(
        &self,
        operation: &str,
        ndim: usize,
        at: &'static Location<'static>,
    ) -> Result<Vec<usize>> {
        let Some(which) = &self.which else { return Ok((0..ndim).collect()) };
        let mut numbers =
            which.iter().map(|&axis| axis_number(operation, axis, ndim, at)).collect::<Result<Vec<usize>>>()?;
        numbers.sort_unstable();
        match numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Error::invalid_at(operation, format!("axis {} is named twice", pair[0]), at)),
            None => Ok(numbers),
        }
    }
}

impl From<RangeFull> for Axes {
    fn from(_: RangeFull) -> Self {
        Axes { which: None, keepdims: false }
    }
}

impl From<isize> for Axes {
    fn from(axis: isize) -> Self {
        Axes { which: Some(vec![axis]), keepdims: false }
    }
}

impl From<i32> for Axes {
    fn from(axis: i32) -> Self {
        (axis as isize).into()
    }
}

impl From<usize> for Axes {
    fn from(axis: usize) -> Self {
        isize::try_from(axis).unwrap_or(isize::MAX).into()
    }
}

impl<const N: usize> From<[i32; N]> for Axes {
    fn from(axes: [i32; N]) -> Self {
        Axes { which: Some(axes.into_iter().map(|axis| axis as isize).collect()), keepdims: false }
    }
}

impl From<Vec<isize>> for Axes {
    fn from(axes: Vec<isize>) -> Self {
        Axes { which: Some(axes), keepdims: false }
    }
}

/// A reduction of an expression.
pub(in crate::array) fn reduce(
    expr: &ExprRef,
    op: ReduceOp,
    axes: &Axes,
    at: &'static Location<'static>,
) -> Result<ExprRef> {
    let numbers = axes.numbers(op.name(), expr.ndim(), at)?;
    let ordered = if op.is_ordered(expr.dtype) { in_order(expr, &numbers, at) } else { None };
    let expr = ordered.as_ref().unwrap_or(expr);
    let reduced = |axis: usize| numbers.binary_search(&axis).is_ok();
    let old = expr.grid.axes();
    let lost = numbers.iter().any(|&axis| old[axis].length().is_none());
    if lost && matches!(op, ReduceOp::ArgMin | ReduceOp::ArgMax | ReduceOp::NanArgMin | ReduceOp::NanArgMax) {
        let reason = "the length of the axis is known only when computed: call persist first, then indices are known";
        return Err(Error::invalid_at(op.name(), reason, at));
    }
    let kept_empty = (0..old.len()).any(|axis| !reduced(axis) && old[axis].length() == Some(0));
    if op.needs_values() && !kept_empty && numbers.iter().any(|&axis| old[axis].length() == Some(0)) {
        let reason = "zero-size array to a reduction that has no identity: test the shape first";
        return Err(Error::invalid_at(op.name(), reason, at));
    }
    let grid = reduced_grid(expr, &numbers, axes.keepdims);
    let op_node = Op::Reduce { op, axes: numbers, keepdims: axes.keepdims };
    Ok(Expr::new(op.output_dtype(expr.dtype), grid, op_node, [expr.clone()], at))
}

/// The grid without some axes, ascending, or with length 1 along them.
pub(in crate::array) fn reduced_grid(expr: &ExprRef, numbers: &[usize], keepdims: bool) -> Grid {
    let reduced = |axis: usize| numbers.binary_search(&axis).is_ok();
    let kept = |(axis, own): (usize, &Axis)| match (reduced(axis), keepdims) {
        (false, _) => Some(own.clone()),
        (true, true) => Some(Axis::whole(1)),
        (true, false) => None,
    };
    Grid::new(expr.grid.axes().iter().enumerate().filter_map(kept))
}

/// The array cut so that its blocks, one after the other, are in the order of the index along the reduced axes: single indices
/// of the first axes, any chunks of one, the whole of those behind. None if it is cut like that.
fn in_order(expr: &ExprRef, reduced: &[usize], at: &'static Location<'static>) -> Option<ExprRef> {
    let axes = expr.grid.axes();
    let lengths: Vec<usize> = reduced.iter().map(|&axis| axes[axis].length()).collect::<Option<_>>()?;
    let single = |axis: &usize| axes[*axis].longest().is_some_and(|longest| longest <= 1);
    let behind = reduced.iter().skip_while(|axis| single(axis)).skip(1);
    if behind.into_iter().all(|&axis| axes[axis].chunks() == 1) {
        return None;
    }
    let elements = reduced.iter().filter_map(|&axis| axes[axis].longest()).product::<usize>().max(1);
    let runs = run_grid(&lengths, elements);
    let mut wanted = axes.to_vec();
    for (&axis, run) in reduced.iter().zip(runs.axes()) {
        wanted[axis] = run.clone();
    }
    Some(rechunked(expr, Grid::new(wanted), at))
}

macro_rules! reductions {
    ($($name:ident, $op:expr, $output:ty, $doc:literal, $input:literal => $check:literal;)*) => {
        /// Reductions along axes: `x.mean(0)?`, `x.sum([0, 1])?`, `x.max(..)?`.
        ///
        /// # Errors
        /// All of them: if an axis is out of range or named twice, or the array carries an error.
        impl<T: Element> Array<T> {$(
            #[doc = $doc]
            ///
            /// ```
            /// use talatat::prelude::*;
            #[doc = concat!("let x = talatat::array::from_ndarray(ndarray::array!", $input, ", 1)?;")]
            #[doc = concat!("let y = x.", stringify!($name), "(..)?.item()?.compute()?;")]
            #[doc = concat!("assert!(", $check, ");")]
            /// # Ok::<(), talatat::Error>(())
            /// ```
            ///
            /// # Errors
            /// If an axis is out of range or named twice, or the array carries an error.
            #[track_caller]
            pub fn $name(&self, axes: impl Into<Axes>) -> Result<Array<$output>> {
                Ok(Array::from_expr(reduce(self.expr()?, $op, &axes.into(), Location::caller())?))
            }
        )*}
    };
}

reductions! {
    sum, ReduceOp::Sum, T::Sum, "The sum. Floats are added exactly and rounded once; integers are added modulo 2^64; `bool` is counted.", "[[1.0_f64, 4.0], [3.0, 2.0]]" => "y == 10.0";
    prod, ReduceOp::Prod, T::Sum, "The product, multiplied in the order of the index; integers modulo 2^64.", "[[1.0_f64, 4.0], [3.0, 2.0]]" => "y == 24.0";
    mean, ReduceOp::Mean, T::Float, "The mean: the exact sum divided by the count. NaN for no elements.", "[[1.0_f64, 4.0], [3.0, 2.0]]" => "y == 2.5";
    var, ReduceOp::Var { ddof: 0 }, <T::Float as Element>::Real, "The variance, divided by the count; of complex numbers it is real ([`Array::var_ddof`] takes degrees of freedom off).", "[[1.0_f64, 4.0], [3.0, 2.0]]" => "y == 1.25";
    std, ReduceOp::Std { ddof: 0 }, <T::Float as Element>::Real, "The standard deviation, divided by the count ([`Array::std_ddof`] takes degrees of freedom off).", "[[1.0_f64, 4.0], [3.0, 2.0]]" => "y == 1.25_f64.sqrt()";
    min, ReduceOp::Min, T, "The smallest element; NaN wins; complex numbers are ordered by their real, then by their imaginary parts. An empty axis is an error.", "[[1.0_f64, 4.0], [3.0, 2.0]]" => "y == 1.0";
    max, ReduceOp::Max, T, "The largest element; NaN wins; complex numbers are ordered by their real, then by their imaginary parts. An empty axis is an error.", "[[1.0_f64, 4.0], [3.0, 2.0]]" => "y == 4.0";
    any, ReduceOp::Any, bool, "Whether any element is not zero; false for no elements.", "[[false, true]]" => "y";
    all, ReduceOp::All, bool, "Whether all elements are not zero; true for no elements.", "[[false, true]]" => "!y";
    argmin, ReduceOp::ArgMin, i64, "The index of the smallest element along the axis (in the flat array for all axes); the first of equal ones; NaN wins.", "[[1.0_f64, 4.0], [3.0, 2.0]]" => "y == 0";
    argmax, ReduceOp::ArgMax, i64, "The index of the largest element along the axis (in the flat array for all axes); the first of equal ones; NaN wins.", "[[1.0_f64, 4.0], [3.0, 2.0]]" => "y == 1";
    count_nonzero, ReduceOp::CountNonzero, i64, "How many elements are not zero.", "[[0_i64, 5, 7]]" => "y == 2";
    nansum, ReduceOp::NanSum, T::Sum, "[`Array::sum`] without NaN.", "[[1.0_f64, f64::NAN], [3.0, 2.0]]" => "y == 6.0";
    nanprod, ReduceOp::NanProd, T::Sum, "[`Array::prod`] without NaN.", "[[1.0_f64, f64::NAN], [3.0, 2.0]]" => "y == 6.0";
    nanmean, ReduceOp::NanMean, T::Float, "[`Array::mean`] without NaN; NaN where there is nothing else.", "[[1.0_f64, f64::NAN], [3.0, 2.0]]" => "y == 2.0";
    nanvar, ReduceOp::NanVar { ddof: 0 }, <T::Float as Element>::Real, "[`Array::var`] without NaN.", "[[1.0_f64, f64::NAN], [3.0, 2.0]]" => "(y - 2.0 / 3.0_f64).abs() < 1e-12";
    nanstd, ReduceOp::NanStd { ddof: 0 }, <T::Float as Element>::Real, "[`Array::std`] without NaN.", "[[1.0_f64, f64::NAN], [3.0, 2.0]]" => "(y - (2.0 / 3.0_f64).sqrt()).abs() < 1e-12";
    nanmin, ReduceOp::NanMin, T, "[`Array::min`] without NaN; NaN where there is nothing else.", "[[1.0_f64, f64::NAN], [3.0, 2.0]]" => "y == 1.0";
    nanmax, ReduceOp::NanMax, T, "[`Array::max`] without NaN; NaN where there is nothing else.", "[[1.0_f64, f64::NAN], [3.0, 2.0]]" => "y == 3.0";
    nanargmin, ReduceOp::NanArgMin, i64, "[`Array::argmin`] without NaN; an error when computed where there is nothing else.", "[[1.0_f64, f64::NAN], [3.0, 2.0]]" => "y == 0";
    nanargmax, ReduceOp::NanArgMax, i64, "[`Array::argmax`] without NaN; an error when computed where there is nothing else.", "[[1.0_f64, f64::NAN], [3.0, 2.0]]" => "y == 2";
}

macro_rules! ddof_reductions {
    ($($name:ident, $op:ident, $doc:literal, $input:literal => $check:literal;)*) => {
        /// Variances with degrees of freedom taken off.
        impl<T: Element> Array<T> {$(
            #[doc = $doc]
            ///
            /// ```
            /// use talatat::prelude::*;
            #[doc = concat!("let x = talatat::array::from_ndarray(ndarray::array!", $input, ", 1)?;")]
            #[doc = concat!("let y = x.", stringify!($name), "(.., 1)?.item()?.compute()?;")]
            #[doc = concat!("assert!(", $check, ");")]
            /// # Ok::<(), talatat::Error>(())
            /// ```
            ///
            /// # Errors
            /// If an axis is out of range or named twice, or the array carries an error.
            #[track_caller]
            pub fn $name(&self, axes: impl Into<Axes>, ddof: u32) -> Result<Array<<T::Float as Element>::Real>> {
                Ok(Array::from_expr(reduce(self.expr()?, ReduceOp::$op { ddof }, &axes.into(), Location::caller())?))
            }
        )*}
    };
}

ddof_reductions! {
    var_ddof, Var, "The variance, divided by the count less `ddof`; NaN if nothing is left.", "[[1.0_f64, 4.0], [3.0, 2.0]]" => "(y - 5.0 / 3.0_f64).abs() < 1e-12";
    std_ddof, Std, "The standard deviation, divided by the count less `ddof`; NaN if nothing is left.", "[[1.0_f64, 4.0], [3.0, 2.0]]" => "(y - (5.0 / 3.0_f64).sqrt()).abs() < 1e-12";
    nanvar_ddof, NanVar, "[`Array::var_ddof`] without NaN.", "[[1.0_f64, f64::NAN], [3.0, 2.0]]" => "y == 1.0";
    nanstd_ddof, NanStd, "[`Array::std_ddof`] without NaN.", "[[1.0_f64, f64::NAN], [3.0, 2.0]]" => "y == 1.0";
}
