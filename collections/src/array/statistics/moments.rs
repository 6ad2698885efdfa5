//! Statistics that are made of reductions.

use std::panic::Location;

use crate::array::build::{cast, elementwise, view};
use crate::array::dtype::{DType, Element, Promote};
use crate::array::expr::ExprRef;
use crate::array::handle::Array;
use crate::array::kernels::Scalar;
use crate::array::kernels::program::BinaryOp;
use crate::array::kernels::reduce::ReduceOp;
use crate::array::statistics::reduce::{Axes, reduce};
use crate::error::{Error, Result};

type At = &'static Location<'static>;

fn combined(operation: &str, op: BinaryOp, a: &ExprRef, b: &ExprRef, at: At) -> Result<ExprRef> {
    elementwise(operation, &[a.clone(), b.clone()], at, |builder, x| builder.binary(op, x[0], x[1]))
}

/// Averages of elements of `T` with weights of `W`: floats that hold both.
type Averages<T, W> = Array<<<T as Element>::Float as Promote<W>>::Output>;

impl<T: Element> Array<T> {
    /// The range of the elements along axes: the largest less the smallest; NaN wins. Integers wrap.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[4, 9, 2], [3, 0, 1]], 1)?;
    /// assert_eq!(x.ptp(1)?.compute()?, ndarray::array![7, 3].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range, named twice or empty.
    #[track_caller]
    pub fn ptp(&self, axes: impl Into<Axes>) -> Result<Array<T>> {
        let (at, axes, expr) = (Location::caller(), axes.into(), self.expr()?);
        let (largest, smallest) = (reduce(expr, ReduceOp::Max, &axes, at)?, reduce(expr, ReduceOp::Min, &axes, at)?);
        if T::DTYPE == DType::Bool {
            return Err(Error::invalid_at("ptp", "bool has no difference: use astype first", at));
        }
        Ok(Array::from_expr(combined("ptp", BinaryOp::Sub, &largest, &smallest, at)?))
    }

    /// The central moment of some order along axes: the mean of the powers of the distances from the mean, as Dask's `moment` and
    /// SciPy's. The order 2 is the variance, rounded a few times more than [`Array::var`].
    ///
    /// The array is read twice, once for its mean.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![1.0_f64, 2.0, 3.0, 6.0], 2)?;
    /// assert_eq!(x.moment(2, ..)?.item()?.compute()?, 3.5);
    /// assert_eq!(x.moment(3, ..)?.item()?.compute()?, 4.5);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn moment(&self, order: u32, axes: impl Into<Axes>) -> Result<Array<T::Float>> {
        let (at, axes) = (Location::caller(), axes.into());
        let expr = cast(self.expr()?, T::Float::DTYPE, at)?;
        let mean = reduce(&expr, ReduceOp::Mean, &axes.clone().keepdims(), at)?;
        let powers = elementwise("moment", &[expr, mean], at, |builder, x| {
            let distance = builder.binary(BinaryOp::Sub, x[0], x[1])?;
            let order = builder.constant(Scalar::from(f64::from(order)).cast(T::Float::DTYPE))?;
            builder.binary(BinaryOp::Power, distance, order)
        })?;
        Ok(Array::from_expr(reduce(&powers, ReduceOp::Mean, &axes, at)?))
    }

    /// The mean of the elements along axes, each as often as its weight says. Weights have the array's shape, or one axis if they go
    /// along the only axis that is reduced. The sums are exact; each product is rounded, as is the quotient of the sums.
    ///
    /// Where the weights add up to 0 the result is NaN or infinite (NumPy refuses that; it is known too late here).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, from_ndarray};
    /// let x = arange::<i64>(0, 6, 1)?.reshape([3, 2])?;
    /// let weights = from_ndarray(ndarray::array![0.25, 0.75], 1)?;
    /// assert_eq!(x.average(&weights, 1)?.compute()?, ndarray::array![0.75, 2.75, 4.75].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice, or the weights do not fit.
    #[track_caller]
    pub fn average<W: Element>(&self, weights: &Array<W>, axes: impl Into<Axes>) -> Result<Averages<T, W>>
    where
        T::Float: Promote<W>,
    {
        let [mean, _] = self.average_and_weights(weights, axes)?;
        Ok(mean)
    }

    /// [`Array::average`], and the sums of the weights that it was divided by, as NumPy's `returned=True`.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, from_ndarray};
    /// let weights = from_ndarray(ndarray::array![3, 1], 1)?;
    /// let [mean, sum] = arange::<i64>(0, 2, 1)?.average_and_weights(&weights, 0)?;
    /// assert_eq!((mean.item()?.compute()?, sum.item()?.compute()?), (0.25, 4.0));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::average`].
    #[track_caller]
    pub fn average_and_weights<W: Element>(
        &self,
        weights: &Array<W>,
        axes: impl Into<Axes>,
    ) -> Result<[Averages<T, W>; 2]>
    where
        T::Float: Promote<W>,
    {
        let (at, axes) = (Location::caller(), axes.into());
        let dtype = <T::Float as Promote<W>>::Output::DTYPE;
        let (expr, mut weights) = (cast(self.expr()?, dtype, at)?, cast(weights.expr()?, dtype, at)?);
        let numbers = axes.numbers("average", expr.ndim(), at)?;
        if weights.ndim() != expr.ndim() {
            let [axis] = numbers.as_slice() else {
                let reason = format!(
                    "weights of {} dimensions for an array of {}: give as many, or one axis with weights for it",
                    weights.ndim(),
                    expr.ndim()
                );
                return Err(Error::invalid_at("average", reason, at));
            };
            if weights.ndim() != 1 {
                let reason = format!(
                    "weights of {} dimensions for an array of {}: give 1 or as many",
                    weights.ndim(),
                    expr.ndim()
                );
                return Err(Error::invalid_at("average", reason, at));
            }
            let places: Vec<Option<usize>> = (0..expr.ndim()).map(|other| (other == *axis).then_some(0)).collect();
            weights = view("average", &weights, &places, at)?;
        }
        for (axis, (own, given)) in expr.grid.axes().iter().zip(weights.grid.axes()).enumerate() {
            let needed = numbers.contains(&axis) || given.length() != Some(1);
            if needed && own.length() != given.length() {
                return Err(crate::array::build::misfit("average", &[expr.clone(), weights.clone()], own, given, at));
            }
        }
        let products = combined("average", BinaryOp::Mul, &expr, &weights, at)?;
        let sum = reduce(&products, ReduceOp::Sum, &axes, at)?;
        let total = reduce(&weights, ReduceOp::Sum, &axes, at)?;
        let mean = combined("average", BinaryOp::Div, &sum, &total, at)?;
        // Weights of one axis are the same for all other indices.
        let total = elementwise("average", &[mean.clone(), total], at, |_, x| Ok(x[1]))?;
        Ok([Array::from_expr(mean), Array::from_expr(total)])
    }
}
