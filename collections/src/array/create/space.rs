//! Arrays like others, and numbers in geometric sequence.

use std::panic::Location;

use crate::array::build::known_shape;
use crate::array::create::constants::{create, create_on, eye};
use crate::array::dtype::{DType, Element};
use crate::array::handle::Array;
use crate::array::kernels::program::{BinaryOp, Builder};
use crate::error::{Error, Result};

type At = &'static Location<'static>;

fn like<T: Element>(operation: &str, array: &Array<T>, value: T, at: At) -> Result<Array<T>> {
    let expr = array.expr()?;
    known_shape(operation, expr, at)?;
    create_on(operation, &expr.grid, at, |builder| builder.constant(value))
}

/// An array of one value with the shape, type and chunks of another one, which is not computed.
///
/// ```
/// use talatat::array::{full_like, ones};
/// let x = full_like(&ones::<f64>([4, 6]).rechunk(2)?, 7.0)?;
/// assert_eq!((x.shape()?, x.numblocks()), (vec![4, 6], vec![2, 3]));
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a length is known only when computed, or the array carries an error.
#[track_caller]
pub fn full_like<T: Element>(array: &Array<T>, value: T) -> Result<Array<T>> {
    like("full_like", array, value, Location::caller())
}

/// [`full_like`] with zeros (`false` for `bool`).
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::zeros_like(&talatat::array::ones::<f64>([2, 3]))?;
/// assert_eq!(x.compute()?.sum(), 0.0);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// Those of [`full_like`].
#[track_caller]
pub fn zeros_like<T: Element>(array: &Array<T>) -> Result<Array<T>> {
    like("zeros_like", array, T::default(), Location::caller())
}

/// [`full_like`] with ones (`true` for `bool`).
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::ones_like(&talatat::array::zeros::<f64>([2, 3]))?;
/// assert_eq!(x.compute()?.sum(), 6.0);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// Those of [`full_like`].
#[track_caller]
pub fn ones_like<T: Element>(array: &Array<T>) -> Result<Array<T>> {
    like("ones_like", array, crate::array::kernels::Scalar::from(true).get(), Location::caller())
}

/// An array with the shape, type and chunks of another one, whose elements have no meaning. Here they are zeros: nothing is made before
/// it is computed, so there is no time to be saved.
///
/// ```
/// let x = talatat::array::empty_like(&talatat::array::ones::<f64>([2, 3]))?;
/// assert_eq!(x.shape()?, [2, 3]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// Those of [`full_like`].
#[track_caller]
pub fn empty_like<T: Element>(array: &Array<T>) -> Result<Array<T>> {
    like("empty_like", array, T::default(), Location::caller())
}

/// A square array with ones on its diagonal and zeros elsewhere: [`eye`] of `n` rows and columns.
///
/// ```
/// use talatat::prelude::*;
/// assert_eq!(talatat::array::identity::<i64>(2).compute()?, ndarray::array![[1, 0], [0, 1]].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn identity<T: Element>(n: usize) -> Array<T> {
    eye(n, n, 0)
}

/// `count` powers of `base` (NumPy's default is 10), whose exponents go from `start` to `stop` in equal steps.
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::logspace(0.0, 3.0, 4, 2.0)?.compute()?;
/// assert_eq!(x, ndarray::array![1.0, 2.0, 4.0, 8.0].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a bound is not finite.
#[track_caller]
pub fn logspace(start: f64, stop: f64, count: usize, base: f64) -> Result<Array<f64>> {
    powers("logspace", [start, stop], base, count, count.saturating_sub(1), None, Location::caller())
}

/// [`logspace`] without the last number.
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::logspace_open(0.0, 3.0, 3, 2.0)?.compute()?;
/// assert_eq!(x, ndarray::array![1.0, 2.0, 4.0].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a bound is not finite.
#[track_caller]
pub fn logspace_open(start: f64, stop: f64, count: usize, base: f64) -> Result<Array<f64>> {
    powers("logspace", [start, stop], base, count, count, None, Location::caller())
}

/// `count` numbers from `start` to `stop`, each the same multiple of the one before. The first and the last are exact.
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::geomspace(1.0, 1000.0, 4)?.compute()?;
/// assert!((x[[1]] - 10.0).abs() < 1e-12 && x[[3]] == 1000.0);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a bound is 0 or not finite, or their signs differ (NumPy goes through complex numbers then).
#[track_caller]
pub fn geomspace(start: f64, stop: f64, count: usize) -> Result<Array<f64>> {
    geometric(start, stop, count, count.saturating_sub(1), Location::caller())
}

/// [`geomspace`] without the last number.
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::geomspace_open(-1.0, -8.0, 3)?.compute()?;
/// assert!((x[[2]] + 4.0).abs() < 1e-12 && x[[0]] == -1.0);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a bound is 0 or not finite, or their signs differ (NumPy goes through complex numbers then).
#[track_caller]
pub fn geomspace_open(start: f64, stop: f64, count: usize) -> Result<Array<f64>> {
    geometric(start, stop, count, count, Location::caller())
}

fn geometric(start: f64, stop: f64, count: usize, intervals: usize, at: At) -> Result<Array<f64>> {
    if !(start.is_finite() && stop.is_finite() && start * stop.signum() > 0.0) {
        let reason = format!("from {start} to {stop}: the bounds must be finite, of one sign, and not 0");
        return Err(Error::invalid_at("geomspace", reason, at));
    }
    let exponents = [start.abs().log10(), stop.abs().log10()];
    powers("geomspace", exponents, 10.0, count, intervals, Some([start, stop]), at)
}

/// Powers with exponents in equal steps. `ends` are the first and the last number and give the sign.
fn powers(
    operation: &'static str,
    [start, stop]: [f64; 2],
    base: f64,
    count: usize,
    intervals: usize,
    ends: Option<[f64; 2]>,
    at: At,
) -> Result<Array<f64>> {
    if !start.is_finite() || !stop.is_finite() {
        let reason = format!("exponents from {start} to {stop}: the bounds must be finite");
        return Err(Error::invalid_at(operation, reason, at));
    }
    let step = (stop - start) / intervals.max(1) as f64;
    let is = |builder: &mut Builder, index, place: usize| {
        let place = builder.constant(place as i64)?;
        builder.binary(BinaryOp::Eq, index, place)
    };
    create(operation, &[count], at, |builder| {
        let index = builder.index(0, &[1])?;
        let float = builder.cast(index, DType::F64)?;
        let (step, first) = (builder.constant(step)?, builder.constant(start)?);
        let offset = builder.binary(BinaryOp::Mul, float, step)?;
        let mut exponent = builder.binary(BinaryOp::Add, offset, first)?;
        let closed = intervals != count && count > 1;
        if closed {
            let (last, stop) = (is(builder, index, intervals)?, builder.constant(stop)?);
            exponent = builder.select(last, stop, exponent)?;
        }
        let base = builder.constant(base)?;
        let power = builder.binary(BinaryOp::Power, base, exponent)?;
        let Some([start, stop]) = ends else { return Ok(power) };
        let sign = builder.constant(start.signum())?;
        let mut value = builder.binary(BinaryOp::Mul, power, sign)?;
        let (first, start) = (is(builder, index, 0)?, builder.constant(start)?);
        value = builder.select(first, start, value)?;
        if closed {
            let (last, stop) = (is(builder, index, intervals)?, builder.constant(stop)?);
            value = builder.select(last, stop, value)?;
        }
        Ok(value)
    })
}
