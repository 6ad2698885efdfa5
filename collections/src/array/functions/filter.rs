//! Weighted sums of neighbours: NumPy's `convolve` and `correlate`, and those of SciPy's `ndimage` in any number of dimensions.

use std::panic::Location;
use std::sync::Arc;

use ndarray::{ArrayD, Axis as NdAxis, Dimension, IxDyn};

use crate::array::build::{known_shape, slice};
use crate::array::dtype::Element;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::functions::overlap::{Borders, Boundary, Depth, halo};
use crate::array::handle::Array;
use crate::array::kernels::Scalar;
use crate::array::range::StepRange;
use crate::array::shape::pad::PadMode;
use crate::error::{Error, Result};
use crate::lower::array::Weigh;

type At = &'static Location<'static>;

/// Which part of a convolution is given; `n` and `m` are the lengths.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{ConvolveMode, arange};
/// let x = arange::<i64>(1, 4, 1)?;
/// assert_eq!(x.convolve(&[0, 1], ConvolveMode::Full)?.shape()?, [4]);
/// assert_eq!(x.convolve(&[0, 1], ConvolveMode::Same)?.shape()?, [3]);
/// assert_eq!(x.convolve(&[0, 1], ConvolveMode::Valid)?.shape()?, [2]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvolveMode {
    /// Wherever they overlap: `n + m - 1` elements. NumPy's default for `convolve`.
    Full,
    /// As long as the longer one, from the middle of the full one.
    Same,
    /// Where the shorter one lies within the longer one: `max(n, m) - min(n, m) + 1` elements. NumPy's default for `correlate`.
    Valid,
}

impl<T: Element> Array<T> {
    /// NumPy's `convolve`: element `k` is `sum(self[k - j] * weights[j])`. Integers wrap; `bool` is "or of ands".
    ///
    /// One task a block, which reads the blocks that the weights reach. Each element is added up in the order of the array, whatever the
    /// chunks.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{ConvolveMode, arange};
    /// let x = arange::<f64>(1.0, 4.0, 1.0)?.convolve(&[0.0, 1.0, 0.5], ConvolveMode::Full)?;
    /// assert_eq!(x.compute()?.into_raw_vec_and_offset().0, [0.0, 1.0, 2.5, 4.0, 1.5]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array has not one axis, one of the two is empty, or the length is known only when computed.
    #[track_caller]
    pub fn convolve(&self, weights: &[T], mode: ConvolveMode) -> Result<Array<T>> {
        let at = Location::caller();
        let mut reversed = weights.to_vec();
        reversed.reverse();
        along_the_line("convolve", self, reversed, mode, false, at)
    }

    /// NumPy's `correlate`: element `k` is `sum(self[k + j] * weights[j])`, with the conjugates of complex weights. See [`convolve`](Array::convolve).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{ConvolveMode, arange};
    /// let x = arange::<f64>(1.0, 4.0, 1.0)?.correlate(&[0.0, 1.0, 0.5], ConvolveMode::Same)?;
    /// assert_eq!(x.compute()?.into_raw_vec_and_offset().0, [2.0, 3.5, 3.0]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`convolve`](Array::convolve).
    #[track_caller]
    pub fn correlate(&self, weights: &[T], mode: ConvolveMode) -> Result<Array<T>> {
        let weights = weights.iter().map(|&weight| conjugate(weight)).collect();
        along_the_line("correlate", self, weights, mode, true, Location::caller())
    }

    /// `scipy.ndimage.correlate`: each element becomes the sum of those around it, times the weights. The weights have as many axes
    /// as the array; the one in the middle (index `length / 2`) is that of the element itself; of complex ones the conjugates count.
    ///
    /// `boundary` says what stands beyond the ends; [`Boundary::None`] counts as zeros. Elements of weight 0 are not looked at. One
    /// task a block, which reads its neighbours' blocks as they are; each element is added up in the order of the weights, whatever
    /// the chunks. Sums are of the array's type: integers wrap (SciPy computes in `float64`).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Boundary, eye};
    /// // The mean of each element and its neighbours along both axes.
    /// let cross = ndarray::array![[0.0, 0.2, 0.0], [0.2, 0.2, 0.2], [0.0, 0.2, 0.0]].into_dyn();
    /// let x = eye::<f64>(4, 4, 0).rechunk(2)?.correlate_nd(&cross, Boundary::Reflect)?;
    /// assert_eq!(x.slice(ndarray::s![0, ..])?.compute()?.into_raw_vec_and_offset().0, [0.6000000000000001, 0.4, 0.0, 0.0]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the weights have other axes than the array or are empty, or go along an axis whose length is known only when computed.
    #[track_caller]
    pub fn correlate_nd(&self, weights: &ArrayD<T>, boundary: impl Into<Borders<T>>) -> Result<Array<T>> {
        let at = Location::caller();
        let before: Vec<usize> = weights.shape().iter().map(|length| length / 2).collect();
        Ok(Array::from_expr(weighed(
            "correlate_nd",
            self.expr()?,
            &weights.mapv(conjugate),
            &before,
            &boundary.into(),
            at,
        )?))
    }

    /// `scipy.ndimage.convolve`: as [`correlate_nd`](Array::correlate_nd) with the weights turned around along each axis.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Boundary, arange};
    /// let x = arange::<i64>(0, 4, 1)?.convolve_nd(&ndarray::array![1, 10, 100].into_dyn(), Boundary::Constant(0))?;
    /// assert_eq!(x.compute()?.into_raw_vec_and_offset().0, [1, 12, 123, 230]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`correlate_nd`](Array::correlate_nd).
    #[track_caller]
    pub fn convolve_nd(&self, weights: &ArrayD<T>, boundary: impl Into<Borders<T>>) -> Result<Array<T>> {
        let at = Location::caller();
        let mut turned = weights.view();
        (0..weights.ndim()).for_each(|axis| turned.invert_axis(NdAxis(axis)));
        let before: Vec<usize> = weights.shape().iter().map(|length| length.saturating_sub(1) / 2).collect();
        let expr = weighed("convolve_nd", self.expr()?, &turned.to_owned(), &before, &boundary.into(), at)?;
        Ok(Array::from_expr(expr))
    }
}

/// The complex conjugate; a real number itself.
fn conjugate<T: Element>(value: T) -> T {
    let scalar: Scalar = value.into();
    scalar.conj().get()
}

/// Sums of the elements from `before` places before each one on, times the weights.
fn weighed<T: Element>(
    operation: &str,
    expr: &ExprRef,
    weights: &ArrayD<T>,
    before: &[usize],
    boundary: &Borders<T>,
    at: At,
) -> Result<ExprRef> {
    if weights.ndim() != expr.ndim() {
        let reason = format!("weights of {} dimensions for an array of {}", weights.ndim(), expr.ndim());
        return Err(Error::invalid_at(operation, format!("{reason}: insert axes of length 1"), at));
    }
    if weights.is_empty() {
        return Err(Error::invalid_at(operation, format!("weights of the shape {:?}: give some", weights.shape()), at));
    }
    let depth: Vec<(usize, usize)> =
        weights.shape().iter().zip(before).map(|(length, &before)| (before, length - 1 - before)).collect();
    let halo = halo(operation, expr, &Depth::from(depth), &boundary.clone().or_zeros(), at)?;
    let taps = weights.indexed_iter().filter(|(_, weight)| **weight != T::default());
    let taps = taps.map(|(index, weight)| (index.as_array_view().iter().copied().collect(), (*weight).into()));
    let operation = Weigh::new(halo, taps.collect(), T::DTYPE);
    Ok(Expr::new(T::DTYPE, expr.grid.clone(), Op::Custom(Arc::new(operation)), [expr.clone()], at))
}

/// A part of the full correlation with `weights`.
fn along_the_line<T: Element>(
    operation: &str,
    x: &Array<T>,
    weights: Vec<T>,
    mode: ConvolveMode,
    late: bool,
    at: At,
) -> Result<Array<T>> {
    let expr = x.expr()?;
    let shape = known_shape(operation, expr, at)?;
    let (&[n], m) = (shape.as_slice(), weights.len()) else {
        let reason = format!("an array of {} dimensions: one is needed", shape.len());
        return Err(Error::invalid_at(operation, reason, at));
    };
    if n == 0 || m == 0 {
        return Err(Error::invalid_at(operation, "the array and the weights may not be empty", at));
    }
    let short = n.min(m) - 1;
    // Where an even number of elements has no middle, NumPy takes the earlier one; a correlation with the longer one it turns around.
    let middle = if late && m > n { short.div_ceil(2) } else { short / 2 };
    let (start, length) = match mode {
        ConvolveMode::Full => (0, n + m - 1),
        ConvolveMode::Same => (middle, n.max(m)),
        ConvolveMode::Valid => (short, n.max(m) - short),
    };
    let input = if length > n { x.pad((0, length - n), PadMode::constant(T::default()))? } else { x.clone() };
    let weights = ArrayD::from_shape_vec(IxDyn(&[m]), weights)
        .map_err(|error| Error::invalid_at(operation, error.to_string(), at))?;
    let zeros = Boundary::Constant(T::default()).into();
    let sums = weighed(operation, input.expr()?, &weights, &[m - 1 - start], &zeros, at)?;
    Ok(Array::from_expr(slice(&sums, vec![StepRange { start: 0, step: 1, length }], at)))
}
