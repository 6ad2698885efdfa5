//! Which frequencies a transform has, and in which order.

use std::panic::Location;

use crate::array::create::constants::arange;
use crate::array::dtype::Element;
use crate::array::handle::Array;
use crate::array::shape::arrange::length_of;
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};

/// `0, 1, ..` and perhaps from the middle on negative numbers, times what a frequency is apart from the next.
fn frequencies(operation: &str, length: usize, spacing: f64, end: usize, half: usize) -> Result<Array<f64>> {
    if length == 0 || spacing == 0.0 {
        let reason = format!("{length} samples {spacing} apart have no frequencies: both must not be 0");
        return Err(Error::invalid_at(operation, reason, Location::caller()));
    }
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let index = arange::<i64>(0, number(end), 1)?;
    let signed = crate::array::where_(&index.less(number(half)), &index, &index - number(length));
    let found: Array<f64> = signed.astype::<f64>() * (1.0 / (length as f64 * spacing));
    found.check()?;
    Ok(found)
}

/// NumPy's `fft.fftfreq`: the frequencies of the [`fft`](Array::fft) of `length` samples that are `spacing` apart, negative ones behind.
///
/// ```
/// use talatat::prelude::*;
/// let found = talatat::array::fftfreq(5, 0.5)?.compute()?;
/// assert_eq!(found, ndarray::array![0.0, 0.4, 0.8, -0.8, -0.4].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the length or the spacing is 0.
#[track_caller]
pub fn fftfreq(length: usize, spacing: f64) -> Result<Array<f64>> {
    frequencies("fftfreq", length, spacing, length, length.div_ceil(2))
}

/// NumPy's `fft.rfftfreq`: the frequencies of the [`rfft`](Array::rfft) of `length` samples that are `spacing` apart.
///
/// ```
/// use talatat::prelude::*;
/// let found = talatat::array::rfftfreq(5, 0.5)?.compute()?;
/// assert_eq!(found, ndarray::array![0.0, 0.4, 0.8].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the length or the spacing is 0.
#[track_caller]
pub fn rfftfreq(length: usize, spacing: f64) -> Result<Array<f64>> {
    frequencies("rfftfreq", length, spacing, length / 2 + 1, usize::MAX)
}

impl<T: Element> Array<T> {
    /// NumPy's `fft.fftshift`: rolled by half along axes, so that frequency 0 is in the middle.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let found = talatat::array::arange::<i64>(0, 5, 1)?.fftshift(..)?.compute()?;
    /// assert_eq!(found, ndarray::array![3, 4, 0, 1, 2].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range, named twice or of a length that is known only when computed.
    #[track_caller]
    pub fn fftshift(&self, axes: impl Into<Axes>) -> Result<Array<T>> {
        self.shifted("fftshift", &axes.into(), |length| (length / 2) as isize)
    }

    /// NumPy's `fft.ifftshift`: undoes [`fftshift`](Array::fftshift).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let found = talatat::array::arange::<i64>(0, 5, 1)?.ifftshift(0)?.compute()?;
    /// assert_eq!(found, ndarray::array![2, 3, 4, 0, 1].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fftshift`](Array::fftshift).
    #[track_caller]
    pub fn ifftshift(&self, axes: impl Into<Axes>) -> Result<Array<T>> {
        self.shifted("ifftshift", &axes.into(), |length| -((length / 2) as isize))
    }

    #[track_caller]
    fn shifted(&self, operation: &str, axes: &Axes, shift: impl Fn(usize) -> isize) -> Result<Array<T>> {
        let (at, expr) = (Location::caller(), self.expr()?);
        let numbers = axes.numbers(operation, expr.ndim(), at)?;
        let shifts = numbers.iter().map(|&axis| Ok(shift(length_of(operation, expr, axis, at)?)));
        let shifts = shifts.collect::<Result<Vec<isize>>>()?;
        self.roll(shifts, numbers.into_iter().map(|axis| axis as isize).collect::<Vec<isize>>())
    }
}
