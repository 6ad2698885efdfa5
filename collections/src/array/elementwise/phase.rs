//! Angles without jumps: NumPy's `unwrap`.

use std::panic::Location;

use crate::array::build::{axis_number, cast, elementwise, known_shape, slice};
use crate::array::dtype::Element;
use crate::array::expr::ExprRef;
use crate::array::handle::Array;
use crate::array::kernels::Scalar;
use crate::array::kernels::program::{BinaryOp, UnaryOp};
use crate::array::range::StepRange;
use crate::array::shape::reshape::concatenate;
use crate::error::{Error, Result};

type At = &'static Location<'static>;

impl<T: Element> Array<T> {
    /// NumPy's `unwrap`: whole periods are added so that along an axis no element is more than half a period from the one before
    /// it. Of angles in radians the period is 2 pi. The result is a float (NumPy keeps integers if the period is one); rounding errors
    /// are those of [`cumsum`](Array::cumsum).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![350.0, 355.0, 5.0, 10.0, 340.0], 2)?;
    /// assert_eq!(x.unwrap_phase(360.0, 0)?.compute()?, ndarray::array![350.0, 355.0, 365.0, 370.0, 340.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or its length is known only when computed, the period is not positive, or the numbers are complex.
    #[doc(alias = "unwrap")]
    #[track_caller]
    pub fn unwrap_phase(&self, period: f64, axis: isize) -> Result<Array<T::Float>> {
        let at = Location::caller();
        if !(period > 0.0 && period.is_finite()) {
            return Err(Error::invalid_at("unwrap", format!("a period of {period} is none: it must be positive"), at));
        }
        let angles = Array::<T::Float>::from_expr(cast(self.expr()?, T::Float::DTYPE, at)?);
        let axis = axis_number("unwrap", axis, angles.ndim(), at)?;
        let shape = known_shape("unwrap", angles.expr()?, at)?;
        if shape[axis] < 2 {
            return Ok(angles);
        }
        let steps = angles.diff(1, axis as isize)?;
        let missing: Array<T::Float> = Array::from_expr(missing_periods(steps.expr()?, period, at)?);
        let total = missing.cumsum(axis)?;
        let part = |start: usize, length: usize| -> Result<Array<T::Float>> {
            let mut ranges: Vec<StepRange> = shape.iter().map(|&length| StepRange::all(length)).collect();
            ranges[axis] = StepRange { start, step: 1, length };
            Ok(Array::from_expr(slice(angles.expr()?, ranges, at)))
        };
        let add = [part(1, shape[axis] - 1)?.expr()?.clone(), total.expr()?.clone()];
        let rest = elementwise("unwrap", &add, at, |builder, x| builder.binary(BinaryOp::Add, x[0], x[1]))?;
        concatenate(&[part(0, 1)?, Array::from_expr(rest)], axis as isize)
    }
}

/// What brings each step to within half a period; half a period itself keeps its sign.
fn missing_periods(steps: &ExprRef, period: f64, at: At) -> Result<ExprRef> {
    let dtype = steps.dtype;
    let constant = |value: f64| Scalar::from(value).cast(dtype);
    elementwise("unwrap", std::slice::from_ref(steps), at, |builder, registers| {
        let step = registers[0];
        let [whole, high, low, zero] = [
            builder.constant(constant(period))?,
            builder.constant(constant(period / 2.0))?,
            builder.constant(constant(-period / 2.0))?,
            builder.constant(constant(0.0))?,
        ];
        let from_low = builder.binary(BinaryOp::Sub, step, low)?;
        let within = builder.binary(BinaryOp::Mod, from_low, whole)?;
        let within = builder.binary(BinaryOp::Add, within, low)?;
        let (at_low, rises) = (builder.binary(BinaryOp::Eq, within, low)?, builder.binary(BinaryOp::Gt, step, zero)?);
        let ambiguous = builder.binary(BinaryOp::And, at_low, rises)?;
        let within = builder.select(ambiguous, high, within)?;
        let missing = builder.binary(BinaryOp::Sub, within, step)?;
        let size = builder.unary(UnaryOp::Abs, step)?;
        let small = builder.binary(BinaryOp::Lt, size, high)?;
        builder.select(small, zero, missing)
    })
}
