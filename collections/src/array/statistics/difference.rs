//! Differences of neighbours, and what is made of them.

use std::panic::Location;

use ndarray::{Array1, ArrayD};

use crate::array::build::{axis_number, cast, elementwise, view};
use crate::array::create::constants::from_ndarray;
use crate::array::dtype::{DType, Element};
use crate::array::expr::ExprRef;
use crate::array::gather::{Run, gather};
use crate::array::grid::Axis;
use crate::array::handle::Array;
use crate::array::kernels::program::{BinaryOp, Builder, Reg, UnaryOp};
use crate::array::kernels::reduce::ReduceOp;
use crate::array::kernels::{KernelError, Scalar};
use crate::array::shape::arrange::length_of;
use crate::array::statistics::reduce::{Axes, reduce};
use crate::error::{Error, Result};

type At = &'static Location<'static>;
type Made = std::result::Result<Reg, KernelError>;

/// How far neighbours are from each other: the same everywhere, or given by where they are.
///
/// ```
/// use talatat::array::{Spacing, arange};
/// let uniform = Spacing::from(0.5);
/// let given = Spacing::from(vec![0.0, 0.1, 0.4]);
/// let lazy = Spacing::from(arange::<f64>(0.0, 3.0, 1.0)?);
/// assert!(matches!((uniform, given, lazy), (Spacing::Uniform(_), Spacing::At(_), Spacing::At(_))));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Spacing {
    /// The distance.
    Uniform(f64),
    /// The coordinates.
    At(Array<f64>),
}

impl From<f64> for Spacing {
    fn from(distance: f64) -> Self {
        Spacing::Uniform(distance)
    }
}

impl From<Array<f64>> for Spacing {
    fn from(at: Array<f64>) -> Self {
        Spacing::At(at)
    }
}

impl From<&Array<f64>> for Spacing {
    fn from(at: &Array<f64>) -> Self {
        Spacing::At(at.clone())
    }
}

impl From<Vec<f64>> for Spacing {
    fn from(at: Vec<f64>) -> Self {
        let at: ArrayD<f64> = Array1::from(at).into_dyn();
        // One chunk always fits.
        from_ndarray(at, -1).map_or(Spacing::Uniform(f64::NAN), Spacing::At)
    }
}

/// The axis without its last index.
fn shorter(axis: &Axis) -> Axis {
    let bounds = axis.bounds().map(|bounds| bounds.to_vec()).unwrap_or_default();
    let last = bounds.last().map_or(0, |length| length.saturating_sub(1));
    Axis::from_lengths(bounds.windows(2).map(|pair| pair[1].min(last) - pair[0].min(last)))
}

/// All elements but the first, and all but the last, along an axis, cut alike.
fn neighbours(operation: &str, expr: &ExprRef, axis: usize, at: At) -> Result<[ExprRef; 2]> {
    let length = length_of(operation, expr, axis, at)?;
    let cut = shorter(&expr.grid.axes()[axis]);
    let part = |range| gather(operation, expr, axis, vec![Run::forward(range)], cut.clone(), at);
    Ok([part(length.min(1)..length)?, part(0..length.saturating_sub(1))?])
}

/// Each element less the one before it.
pub(in crate::array) fn differences(operation: &str, expr: &ExprRef, axis: usize, at: At) -> Result<ExprRef> {
    let [after, before] = neighbours(operation, expr, axis, at)?;
    let op = if expr.dtype == DType::Bool { BinaryOp::Ne } else { BinaryOp::Sub };
    elementwise(operation, &[after, before], at, |builder, x| builder.binary(op, x[0], x[1]))
}

/// An array of one axis as one that goes along an axis of `ndim`; one of `ndim` axes as it is.
fn along(operation: &str, expr: &ExprRef, axis: usize, ndim: usize, at: At) -> Result<ExprRef> {
    if expr.ndim() != 1 || ndim == 1 {
        return Ok(expr.clone());
    }
    let axes: Vec<Option<usize>> = (0..ndim).map(|other| (other == axis).then_some(0)).collect();
    view(operation, expr, &axes, at)
}

impl<T: Element> Array<T> {
    /// Each element less the one before it along an axis, `n` times over; for `bool` whether the two differ. The result is `n`
    /// shorter than the array.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![1, 2, 4, 7, 0], 2)?;
    /// assert_eq!(x.diff(1, -1)?.compute()?, ndarray::array![1, 2, 3, -7].into_dyn());
    /// assert_eq!(x.diff(2, -1)?.compute()?, ndarray::array![1, 1, -10].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, or its length is known only when computed.
    #[track_caller]
    pub fn diff(&self, n: usize, axis: isize) -> Result<Array<T>> {
        let at = Location::caller();
        let mut expr = self.expr()?.clone();
        let axis = axis_number("diff", axis, expr.ndim(), at)?;
        let length = length_of("diff", &expr, axis, at)?;
        // After as many differences as there are elements, nothing is left.
        for _ in 0..n.min(length) {
            expr = differences("diff", &expr, axis, at)?;
        }
        Ok(Array::from_expr(expr))
    }

    /// The slope along each of some axes: central differences inside, one-sided ones of the first or second order at both ends,
    /// as NumPy computes them (after Fornberg, 1988, for coordinates that are not uniform). One array for each axis, in the
    /// order in which they are given.
    ///
    /// `spacing` holds for all axes; coordinates are an array of one axis. NumPy takes uniform coordinates for a distance, which may
    /// change the last bits; here coordinates are not looked at before they are computed.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![1.0, 2.0, 4.0, 7.0], 2)?;
    /// let slope = x.gradient(1.0, 0, 1)?.remove(0);
    /// assert_eq!(slope.compute()?, ndarray::array![1.0, 1.5, 2.5, 3.0].into_dyn());
    /// let places = vec![0.0, 1.0, 3.0, 6.0];
    /// assert_eq!(x.gradient(places, 0, 1)?[0].compute()?, ndarray::array![1.0, 1.0, 1.0, 1.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range, shorter than the order needs or of a length that is known only when computed, `edge_order` is
    /// neither 1 nor 2, or there is not one coordinate for each index.
    #[track_caller]
    pub fn gradient(
        &self,
        spacing: impl Into<Spacing>,
        axes: impl Into<Axes>,
        edge_order: usize,
    ) -> Result<Vec<Array<T::Float>>> {
        let at = Location::caller();
        let (expr, spacing, axes) = (self.expr()?, spacing.into(), axes.into());
        let expr = cast(expr, T::Float::DTYPE, at)?;
        let wrong = |reason: String| Error::invalid_at("gradient", reason, at);
        if edge_order != 1 && edge_order != 2 {
            return Err(wrong(format!("an edge order of {edge_order}: give 1 or 2")));
        }
        axes.numbers("gradient", expr.ndim(), at)?;
        let numbers: Vec<usize> = match axes.which() {
            None => (0..expr.ndim()).collect(),
            Some(which) => {
                which.iter().map(|&axis| axis_number("gradient", axis, expr.ndim(), at)).collect::<Result<_>>()?
            }
        };
        let of_axis = |axis: usize| {
            let length = length_of("gradient", &expr, axis, at)?;
            if length <= edge_order {
                let needed = edge_order + 1;
                return Err(wrong(format!("axis {axis} of length {length}: at least {needed} elements are needed")));
            }
            let slope = slope(&expr, &spacing, axis, length, edge_order, at)?;
            Ok(Array::from_expr(cast(&slope, T::Float::DTYPE, at)?))
        };
        numbers.into_iter().map(of_axis).collect()
    }

    /// The area under the elements along an axis by the trapezoidal rule: the exact sum of the trapezoids, each of which is rounded as
    /// NumPy's.
    ///
    /// Coordinates are an array of one axis, or of as many as the array.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![1_i64, 2, 3], 2)?;
    /// assert_eq!(x.trapezoid(1.0, -1)?.item()?.compute()?, 4.0);
    /// assert_eq!(x.trapezoid(vec![4.0, 6.0, 8.0], -1)?.item()?.compute()?, 8.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, a length along it is known only when computed, or the coordinates do not fit.
    #[track_caller]
    pub fn trapezoid(&self, spacing: impl Into<Spacing>, axis: isize) -> Result<Array<T::Float>> {
        let at = Location::caller();
        let (expr, spacing) = (cast(self.expr()?, T::Float::DTYPE, at)?, spacing.into());
        let axis = axis_number("trapezoid", axis, expr.ndim(), at)?;
        let [after, before] = neighbours("trapezoid", &expr, axis, at)?;
        let areas = match spacing {
            Spacing::Uniform(distance) => elementwise("trapezoid", &[after, before], at, |builder, x| {
                let distance = builder.constant(Scalar::from(distance).cast(T::Float::DTYPE))?;
                half_of(builder, distance, x[0], x[1])
            })?,
            Spacing::At(places) => {
                let places = along("trapezoid", places.expr()?, axis, expr.ndim(), at)?;
                if places.ndim() != expr.ndim() {
                    let (found, ndim) = (places.ndim(), expr.ndim());
                    let reason = format!("coordinates of {found} dimensions for an array of {ndim}: give 1 or {ndim}");
                    return Err(Error::invalid_at("trapezoid", reason, at));
                }
                let distances = differences("trapezoid", &places, axis, at)?;
                elementwise("trapezoid", &[distances, after, before], at, |builder, x| {
                    half_of(builder, x[0], x[1], x[2])
                })?
            }
        };
        let sum = reduce(&areas, ReduceOp::Sum, &Axes::from(axis), at)?;
        Ok(Array::from_expr(cast(&sum, T::Float::DTYPE, at)?))
    }
}

/// `distance * (a + b) / 2`
fn half_of(builder: &mut Builder, distance: Reg, a: Reg, b: Reg) -> Made {
    let sum = builder.binary(BinaryOp::Add, a, b)?;
    let area = builder.binary(BinaryOp::Mul, distance, sum)?;
    let dtype = builder.dtype(area)?;
    let two = builder.constant(Scalar::from(2.0).cast(dtype))?;
    builder.binary(BinaryOp::Div, area, two)
}

/// The three elements that each slope is made of: before, at and behind an index; at the ends the three that are nearest.
fn three(expr: &ExprRef, axis: usize, length: usize, at: At) -> Result<[ExprRef; 3]> {
    let cut = &expr.grid.axes()[axis];
    let from = |first: usize| {
        let runs = match length {
            2 => vec![Run::same(first.min(1), 2)],
            _ => vec![Run::same(first, 1), Run::forward(first..length - 2 + first), Run::same(length - 3 + first, 1)],
        };
        gather("gradient", expr, axis, runs, cut.clone(), at)
    };
    Ok([from(0)?, from(1)?, from(2)?])
}

fn slope(expr: &ExprRef, spacing: &Spacing, axis: usize, length: usize, order: usize, at: At) -> Result<ExprRef> {
    let ndim = expr.ndim();
    let mut inputs = three(expr, axis, length, at)?.to_vec();
    if let Spacing::At(places) = spacing {
        let places = places.expr()?;
        if places.ndim() != 1 || length_of("gradient", places, 0, at)? != length {
            let reason =
                format!("axis {axis} has {length} indices: give an array of one axis with as many coordinates");
            return Err(Error::invalid_at("gradient", reason, at));
        }
        for places in three(places, 0, length, at)? {
            inputs.push(along("gradient", &places, axis, ndim, at)?);
        }
    }
    elementwise("gradient", &inputs, at, |builder, x| {
        let [f0, f1, f2] = [x[0], x[1], x[2]];
        let dtype = builder.dtype(f0)?;
        let mut steps: Vec<i64> = vec![0; ndim];
        steps[axis] = 1;
        let index = builder.index(0, &steps)?;
        let ends = [0, length as i64 - 1].map(|end| {
            let end = builder.constant(end)?;
            builder.binary(BinaryOp::Eq, index, end)
        });
        let [is_first, is_last] = ends;
        let (is_first, is_last) = (is_first?, is_last?);
        let (steps, inner) = match spacing {
            Spacing::Uniform(h) => {
                let step = builder.constant(Scalar::from(*h).cast(dtype))?;
                let both = builder.constant(Scalar::from(2.0 * h).cast(dtype))?;
                ([step, step], Formula(builder).quotient(f2, f0, both)?)
            }
            Spacing::At(_) => {
                let [left, right] = [(x[4], x[3]), (x[5], x[4])].map(|(b, a)| builder.binary(BinaryOp::Sub, b, a));
                let (left, right) = (left?, right?);
                // With two elements there is no inner one, and both ends are made of the first two.
                let right = if length == 2 { left } else { right };
                ([left, right], Formula(builder).inner([left, right], [f0, f1, f2])?)
            }
        };
        let mut formula = Formula(builder);
        let (first, last) = match order {
            1 => {
                let (a, b) = if length == 2 { (f0, f1) } else { (f1, f2) };
                (formula.quotient(f1, f0, steps[0])?, formula.quotient(b, a, steps[1])?)
            }
            _ => (formula.end(steps, [f0, f1, f2], false)?, formula.end(steps, [f0, f1, f2], true)?),
        };
        let rest = builder.select(is_last, last, inner)?;
        builder.select(is_first, first, rest)
    })
}

/// The finite differences of second order for three points at any distances.
struct Formula<'a>(&'a mut Builder);

impl Formula<'_> {
    fn op(&mut self, op: BinaryOp, a: Reg, b: Reg) -> Made {
        self.0.binary(op, a, b)
    }

    /// `(b - a) / step`
    fn quotient(&mut self, b: Reg, a: Reg, step: Reg) -> Made {
        let difference = self.op(BinaryOp::Sub, b, a)?;
        self.op(BinaryOp::Div, difference, step)
    }

    /// `numerator / (p * q)`, with the sign changed if `minus`.
    fn weight(&mut self, numerator: Reg, p: Reg, q: Reg, minus: bool) -> Made {
        let product = self.op(BinaryOp::Mul, p, q)?;
        let weight = self.op(BinaryOp::Div, numerator, product)?;
        if minus { self.0.unary(UnaryOp::Neg, weight) } else { Ok(weight) }
    }

    /// `2 * x + y`
    fn twice(&mut self, x: Reg, y: Reg) -> Made {
        let double = self.op(BinaryOp::Add, x, x)?;
        self.op(BinaryOp::Add, double, y)
    }

    fn weighted(&mut self, weights: [Reg; 3], f: [Reg; 3]) -> Made {
        let [a, b, c] = [0, 1, 2].map(|k| self.op(BinaryOp::Mul, weights[k], f[k]));
        let sum = self.op(BinaryOp::Add, a?, b?)?;
        self.op(BinaryOp::Add, sum, c?)
    }

    /// The slope at the point in the middle.
    fn inner(&mut self, [left, right]: [Reg; 2], f: [Reg; 3]) -> Made {
        let both = self.op(BinaryOp::Add, left, right)?;
        let difference = self.op(BinaryOp::Sub, right, left)?;
        let a = self.weight(right, left, both, true)?;
        let b = self.weight(difference, left, right, false)?;
        let c = self.weight(left, right, both, false)?;
        self.weighted([a, b, c], f)
    }

    /// The slope at the first or the last of the points.
    fn end(&mut self, [left, right]: [Reg; 2], f: [Reg; 3], last: bool) -> Made {
        let both = self.op(BinaryOp::Add, left, right)?;
        let near = if last { self.twice(right, left)? } else { self.twice(left, right)? };
        let (a, c) = match last {
            true => (self.weight(right, left, both, false)?, self.weight(near, right, both, false)?),
            false => (self.weight(near, left, both, true)?, self.weight(left, right, both, true)?),
        };
        let b = self.weight(both, left, right, last)?;
        self.weighted([a, b, c], f)
    }
}
