//! Elements added around an array, in all of NumPy's ways but one, a function of the user's.
//!
//! Axes are padded one after the other: what an axis gets goes over what those before it got, so the corners are NumPy's.

use std::ops::Range;
use std::panic::Location;

use crate::array::build::{blockwise, invalid, known_shape, rechunked};
use crate::array::dtype::{DType, Element, Kind};
use crate::array::expr::ExprRef;
use crate::array::gather::{Run, gather, indices_in_target, repeated_runs, tidy, with_axis};
use crate::array::grid::Axis;
use crate::array::handle::Array;
use crate::array::kernels::KernelError;
use crate::array::kernels::program::{BinaryOp, Builder, Input, Reg, UnaryOp};
use crate::array::kernels::{Scalar, program};
use crate::array::range::StepRange;
use crate::array::shape::arrange::part;
use crate::array::shape::reshape::concatenate_exprs;
use crate::array::statistics::reduce::{Axes, axis};
use crate::error::{Error, Result};

type At = &'static Location<'static>;

/// Something for the two ends of each axis: widths, values, lengths. Made from one for all, a pair of (before, after) for all axes, or
/// a list of a pair for each axis.
///
/// ```
/// use talatat::array::Sides;
/// let (one, pair, list): (Sides<usize>, Sides<usize>, Sides<usize>) = (2.into(), (2, 2).into(), [(2, 2)].into());
/// assert!(one == pair && pair == list);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sides<V>(Vec<(V, V)>);

impl<V: Copy> From<V> for Sides<V> {
    fn from(both: V) -> Self {
        Sides(vec![(both, both)])
    }
}

impl<V> From<(V, V)> for Sides<V> {
    fn from(sides: (V, V)) -> Self {
        Sides(vec![sides])
    }
}

impl<V, const N: usize> From<[(V, V); N]> for Sides<V> {
    fn from(axes: [(V, V); N]) -> Self {
        Sides(axes.into())
    }
}

impl<V> From<Vec<(V, V)>> for Sides<V> {
    fn from(axes: Vec<(V, V)>) -> Self {
        Sides(axes)
    }
}

impl<V: Copy> Sides<V> {
    /// One pair for each axis.
    fn per_axis(&self, ndim: usize, what: &str, at: At) -> Result<Vec<(V, V)>> {
        match self.0.as_slice() {
            [all] => Ok(vec![*all; ndim]),
            axes if axes.len() == ndim => Ok(axes.to_vec()),
            axes => {
                let reason = format!(
                    "{} pairs of {what} for an array of {ndim} dimensions: give one, or one for each",
                    axes.len()
                );
                Err(Error::invalid_at("pad", reason, at))
            }
        }
    }
}

/// What a reflection makes of a value.
///
/// ```
/// use talatat::array::Reflection;
/// assert_eq!(Reflection::default(), Reflection::Even);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reflection {
    /// The same value. NumPy's default.
    #[default]
    Even,
    /// As much beyond the value at the edge as the reflected one is before it: `2 * edge - value`.
    Odd,
}

/// What [`Array::pad`] puts around an array.
///
/// ```
/// use talatat::array::PadMode;
/// assert_eq!(PadMode::constant(0.0), PadMode::Constant(0.0.into()));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum PadMode<T> {
    /// These values.
    Constant(Sides<T>),
    /// The values at the edge.
    Edge,
    /// Values in equal steps from the edge to these values, which are the outermost ones. Integers are rounded down.
    LinearRamp(Sides<T>),
    /// The largest of so many values at the edge, of all for none.
    Maximum(Option<Sides<usize>>),
    /// The mean of so many values at the edge, of all for none; integers are rounded.
    Mean(Option<Sides<usize>>),
    /// The median of so many values at the edge, of all for none; integers are rounded. The values are put in one chunk.
    Median(Option<Sides<usize>>),
    /// The smallest of so many values at the edge, of all for none.
    Minimum(Option<Sides<usize>>),
    /// The array mirrored at the value at the edge, which is not repeated.
    Reflect(Reflection),
    /// The array mirrored beyond the value at the edge, which is repeated.
    Symmetric(Reflection),
    /// The array from its other end.
    Wrap,
    /// Values without a meaning: here they are zeros.
    Empty,
}

impl<T> PadMode<T> {
    /// [`PadMode::Constant`] of one value, a pair for before and after, or a list of a pair for each axis.
    pub fn constant(values: impl Into<Sides<T>>) -> PadMode<T> {
        PadMode::Constant(values.into())
    }

    /// [`PadMode::LinearRamp`] to one value, a pair for before and after, or a list of a pair for each axis.
    pub fn linear_ramp(ends: impl Into<Sides<T>>) -> PadMode<T> {
        PadMode::LinearRamp(ends.into())
    }
}

impl<T: Element> Array<T> {
    /// The array with elements added before and after it along each axis. `widths` is one number for all ends, a pair for before and
    /// after, or a list of a pair for each axis.
    ///
    /// Blocks that are not at an end are the array's own. What is added is joined to the chunk at the end if it is shorter than
    /// a quarter of the array's longest chunk, or if both fit in it (for an axis in one chunk: in the chunk target); else it gets chunks of
    /// its own that are no longer than that.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{PadMode, Reflection, arange};
    /// let x = arange::<i64>(1, 4, 1)?;
    /// assert_eq!(x.pad(1, PadMode::constant(0))?.compute()?, ndarray::array![0, 1, 2, 3, 0].into_dyn());
    /// assert_eq!(x.pad((2, 0), PadMode::Edge)?.compute()?, ndarray::array![1, 1, 1, 2, 3].into_dyn());
    /// assert_eq!(x.pad(2, PadMode::Reflect(Reflection::Even))?.compute()?, ndarray::array![3, 2, 1, 2, 3, 2, 1].into_dyn());
    /// assert_eq!(x.pad([(0, 2)], PadMode::Wrap)?.compute()?, ndarray::array![1, 2, 3, 1, 2].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not one pair for each axis, an empty axis is to be padded in another mode than constant or empty, a number of values is 0,
    /// or a length is known only when computed.
    #[track_caller]
    pub fn pad(&self, widths: impl Into<Sides<usize>>, mode: PadMode<T>) -> Result<Array<T>> {
        let at = Location::caller();
        let mut expr = self.expr()?.clone();
        let shape = known_shape("pad", &expr, at)?;
        let widths = widths.into().per_axis(shape.len(), "widths", at)?;
        let values = match &mode {
            PadMode::Constant(values) => values.per_axis(shape.len(), "values", at)?,
            PadMode::LinearRamp(ends) => ends.per_axis(shape.len(), "end values", at)?,
            _ => vec![(T::default(), T::default()); shape.len()],
        };
        let counts: Vec<(Option<usize>, Option<usize>)> = match &mode {
            PadMode::Maximum(Some(counts))
            | PadMode::Mean(Some(counts))
            | PadMode::Median(Some(counts))
            | PadMode::Minimum(Some(counts)) => {
                let counts = counts.per_axis(shape.len(), "numbers of values", at)?;
                counts.into_iter().map(|(before, after)| (Some(before), Some(after))).collect()
            }
            _ => vec![(None, None); shape.len()],
        };
        for (axis, &width) in widths.iter().enumerate() {
            let length = shape[axis];
            if width == (0, 0) {
                continue;
            }
            if length == 0 && !matches!(mode, PadMode::Constant(_) | PadMode::Empty) {
                let reason = format!("axis {axis} is empty: it can be padded only with constants");
                return Err(Error::invalid_at("pad", reason, at));
            }
            let total = length.checked_add(width.0).and_then(|total| total.checked_add(width.1));
            if total.is_none_or(|total| isize::try_from(total).is_err()) {
                return Err(Error::invalid_at("pad", format!("axis {axis} has more elements than can be counted"), at));
            }
            let side = Side { axis, length, width, at };
            expr = match mode {
                PadMode::Constant(_) | PadMode::Empty => side.fill(&expr, values[axis])?,
                PadMode::Edge => side.edge(&expr)?,
                PadMode::LinearRamp(_) => side.ramp(&expr, values[axis])?,
                PadMode::Maximum(_) => side.statistic::<T>(&expr, counts[axis], |x, axes| x.max(axes))?,
                PadMode::Minimum(_) => side.statistic::<T>(&expr, counts[axis], |x, axes| x.min(axes))?,
                PadMode::Mean(_) => side.statistic::<T>(&expr, counts[axis], |x, axes| Ok(rounded(&x.mean(axes)?)))?,
                PadMode::Median(_) => {
                    side.statistic::<T>(&expr, counts[axis], |x, axes| Ok(rounded(&x.median(axes)?)))?
                }
                // NumPy repeats an only value, whatever the reflection.
                PadMode::Reflect(_) | PadMode::Symmetric(_) if length == 1 => side.edge(&expr)?,
                PadMode::Reflect(Reflection::Even) => {
                    side.periodic(&expr, &[Run::forward(0..length), Run::backward(1..length - 1)])?
                }
                PadMode::Symmetric(Reflection::Even) => {
                    side.periodic(&expr, &[Run::forward(0..length), Run::backward(0..length)])?
                }
                PadMode::Reflect(Reflection::Odd) => {
                    side.odd(&expr, &[Run::forward(0..length), Run::backward(1..length - 1)])?
                }
                PadMode::Symmetric(Reflection::Odd) => {
                    side.odd(&expr, &[Run::forward(0..length), Run::backward(0..length)])?
                }
                PadMode::Wrap => side.periodic(&expr, &[Run::forward(0..length)])?,
            };
        }
        Ok(Array::from_expr(expr))
    }
}

/// A statistic in the type of the array: rounded to a whole number for integers.
fn rounded<T: Element, F: Element>(statistic: &Array<F>) -> Array<T> {
    let whole = matches!(T::DTYPE.kind(), Kind::Signed | Kind::Unsigned);
    if whole { statistic.rint().astype() } else { statistic.astype() }
}

/// One axis, and how much it gets before and after.
struct Side {
    axis: usize,
    length: usize,
    width: (usize, usize),
    at: At,
}

impl Side {
    /// The chunks of the axis with what it gets.
    fn cut(&self, expr: &ExprRef) -> Axis {
        let old = &expr.grid.axes()[self.axis];
        let lengths = old.lengths().unwrap_or_default();
        tidy([self.width.0].into_iter().chain(lengths).chain([self.width.1]), self.longest(expr))
    }

    fn longest(&self, expr: &ExprRef) -> usize {
        let old = &expr.grid.axes()[self.axis];
        let longest = old.longest().unwrap_or(0).max(1);
        if old.chunks() > 1 { longest } else { longest.max(indices_in_target(expr, self.axis)) }
    }

    fn gather(&self, expr: &ExprRef, runs: impl IntoIterator<Item = Run>, cut: Axis) -> Result<ExprRef> {
        gather("pad", expr, self.axis, runs, cut, self.at)
    }

    fn fill<T: Element>(&self, expr: &ExprRef, values: (T, T)) -> Result<ExprRef> {
        let fill = |value: T, length| Run::Fill { value: value.into(), length };
        let runs = [fill(values.0, self.width.0), Run::forward(0..self.length), fill(values.1, self.width.1)];
        self.gather(expr, runs, self.cut(expr))
    }

    fn edge(&self, expr: &ExprRef) -> Result<ExprRef> {
        let runs = [Run::same(0, self.width.0), Run::forward(0..self.length), Run::same(self.length - 1, self.width.1)];
        self.gather(expr, runs, self.cut(expr))
    }

    /// The indices of `period` again and again, in both directions from the array, which is its begin.
    fn periodic(&self, expr: &ExprRef, period: &[Run]) -> Result<ExprRef> {
        let positions = -(self.width.0 as isize)..(self.length + self.width.1) as isize;
        self.gather(expr, repeated_runs(period, positions), self.cut(expr))
    }

    /// As [`Side::periodic`], but each reflection also turns the values around that at the edge.
    fn odd(&self, expr: &ExprRef, period: &[Run]) -> Result<ExprRef> {
        let (before, after) = self.width;
        let [first, last] = [0, self.length - 1].map(|index| self.piece(expr, index..index + 1));
        let end = self.length as isize;
        let strip = |positions: Range<isize>, edge: &ExprRef, other: &ExprRef, index: (i64, i64)| {
            let values = repeated_runs(period, positions.clone());
            let cut = tidy([positions.len()], self.longest(expr));
            let values = self.gather(expr, values, cut)?;
            let period: usize = period.iter().map(Run::length).sum();
            self.turned(&values, edge, other, index, period)
        };
        // From the left the array is seen from its other end.
        let left = strip(-(before as isize)..0, &first, &last, (end as i64 - 1 + before as i64, -1));
        let right = strip(end..end + after as isize, &last, &first, (end as i64, 1));
        self.around(expr, left?, right?)
    }

    /// Values that were reflected around `edge` and, from the second period on, around `other`, too. `index` is how far the first one
    /// and the next ones are from the array's other end.
    fn turned(
        &self,
        values: &ExprRef,
        edge: &ExprRef,
        other: &ExprRef,
        (start, step): (i64, i64),
        period: usize,
    ) -> Result<ExprRef> {
        let ndim = values.ndim();
        let mut builder = Builder::new(ndim);
        let value = builder.input(Input::identity(values.dtype, ndim));
        let edges =
            [edge, other].map(|expr| builder.input(Input::broadcast(expr.dtype, ndim, ndim, |axis| axis == self.axis)));
        let mut steps = vec![0_i64; ndim];
        steps[self.axis] = step;
        let program = turn(&mut builder, value, edges, (start, &steps), (self.length, period), values.dtype)
            .and_then(|register| builder.finish(register))
            .map_err(|error| invalid("pad", &error, self.at))?;
        blockwise("pad", program, vec![values.clone(), edge.clone(), other.clone()], &[], self.at)
    }

    fn piece(&self, expr: &ExprRef, range: Range<usize>) -> ExprRef {
        part(expr, self.axis, StepRange { start: range.start, step: 1, length: range.len() }, self.at)
    }

    /// Strips before and after the array.
    fn around(&self, expr: &ExprRef, before: ExprRef, after: ExprRef) -> Result<ExprRef> {
        let cut = with_axis(&expr.grid, self.axis, self.cut(expr));
        let parts = vec![before, expr.clone(), after];
        let joined = concatenate_exprs("pad", parts, self.axis as isize, expr.dtype, self.at)?;
        Ok(rechunked(&joined, cut, self.at))
    }

    /// Equal steps from the edges to `ends`.
    fn ramp<T: Element>(&self, expr: &ExprRef, ends: (T, T)) -> Result<ExprRef> {
        let left = self.slope(expr, 0, ends.0, self.width.0, (0, 1));
        let last = (self.width.1 as i64 - 1, -1);
        let right = self.slope(expr, self.length - 1, ends.1, self.width.1, last);
        self.around(expr, left?, right?)
    }

    /// `width` steps from `end` to the value at an index, as NumPy's `linspace` makes them; `index` says how the steps are counted.
    fn slope<T: Element>(
        &self,
        expr: &ExprRef,
        place: usize,
        end: T,
        width: usize,
        (start, step): (i64, i64),
    ) -> Result<ExprRef> {
        let edge = self.piece(expr, place..place + 1);
        let ndim = expr.ndim();
        let mut builder = Builder::new(ndim);
        let input = builder.input(Input::broadcast(expr.dtype, ndim, ndim, |axis| axis == self.axis));
        let mut steps = vec![0_i64; ndim];
        steps[self.axis] = step;
        let slope = |builder: &mut Builder| {
            let wide = T::DTYPE.wide();
            let stop = builder.cast(input, wide)?;
            let end = builder.constant(end.into().cast(wide))?;
            let count = builder.constant(width.max(1) as f64)?;
            let distance = builder.binary(BinaryOp::Sub, stop, end)?;
            let step = builder.binary(BinaryOp::Div, distance, count)?;
            let index = builder.index(start, &steps)?;
            let index = builder.cast(index, DType::F64)?;
            let offset = builder.binary(BinaryOp::Mul, index, step)?;
            let value = builder.binary(BinaryOp::Add, offset, end)?;
            let whole = matches!(T::DTYPE.kind(), Kind::Signed | Kind::Unsigned);
            let value = if whole { builder.unary(UnaryOp::Floor, value)? } else { value };
            builder.cast(value, T::DTYPE)
        };
        let program = slope(&mut builder).and_then(|register| builder.finish(register));
        let program: program::Program = program.map_err(|error| invalid("pad", &error, self.at))?;
        let cut = tidy([width], self.longest(expr));
        blockwise("pad", program, vec![edge], &[(self.axis, cut)], self.at)
    }

    /// A statistic of the values at the edges.
    fn statistic<T: Element>(
        &self,
        expr: &ExprRef,
        counts: (Option<usize>, Option<usize>),
        statistic: impl Fn(Array<T>, Axes) -> Result<Array<T>>,
    ) -> Result<ExprRef> {
        let counts = [counts.0, counts.1].map(|count| count.unwrap_or(self.length).min(self.length));
        if counts.contains(&0) {
            return Err(Error::invalid_at("pad", "a statistic of 0 values has no value: give at least 1", self.at));
        }
        let of = |range| -> Result<ExprRef> {
            let values = Array::from_expr(self.piece(expr, range));
            Ok(statistic(values, axis(self.axis).keepdims())?.expr()?.clone())
        };
        let parts = vec![of(0..counts[0])?, expr.clone(), of(self.length - counts[1]..self.length)?];
        let joined = concatenate_exprs("pad", parts, self.axis as isize, T::DTYPE, self.at)?;
        let runs =
            [Run::same(0, self.width.0), Run::forward(1..self.length + 1), Run::same(self.length + 1, self.width.1)];
        self.gather(&joined, runs, self.cut(expr))
    }
}

/// What [`Side::turned`] makes of a value.
fn turn(
    builder: &mut Builder,
    value: Reg,
    edges: [Reg; 2],
    (start, steps): (i64, &[i64]),
    (length, period): (usize, usize),
    dtype: DType,
) -> std::result::Result<Reg, KernelError> {
    // NumPy computes with whole numbers where the array has truth values.
    let wide = if dtype == DType::Bool { DType::I64 } else { dtype };
    let value = builder.cast(value, wide)?;
    let [edge, other] = [builder.cast(edges[0], wide)?, builder.cast(edges[1], wide)?];
    let two = builder.constant(Scalar::from(2_i64).cast(wide))?;
    let place = builder.index(start, steps)?;
    let period = builder.constant(period as i64)?;
    let round = builder.binary(BinaryOp::FloorDiv, place, period)?;
    let within = builder.binary(BinaryOp::Mod, place, period)?;
    let length = builder.constant(length as i64)?;
    let mirrored = builder.binary(BinaryOp::Ge, within, length)?;
    let twice = builder.binary(BinaryOp::Mul, edge, two)?;
    let turned = builder.binary(BinaryOp::Sub, twice, value)?;
    let near = builder.select(mirrored, turned, value)?;
    let distance = builder.binary(BinaryOp::Sub, edge, other)?;
    let distance = builder.binary(BinaryOp::Mul, distance, two)?;
    let rounds = builder.cast(round, wide)?;
    let climb = builder.binary(BinaryOp::Mul, distance, rounds)?;
    let far = builder.binary(BinaryOp::Add, near, climb)?;
    let zero = builder.constant(0_i64)?;
    let first = builder.binary(BinaryOp::Eq, round, zero)?;
    let result = builder.select(first, near, far)?;
    builder.cast(result, dtype)
}
