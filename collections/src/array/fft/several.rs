//! Transforms along several axes, one after the other.

use std::panic::Location;

use super::FftOptions;
use super::lines::{Way, transform, transformable, whole};
use crate::array::dtype::Element;
use crate::array::expr::ExprRef;
use crate::array::handle::Array;
use crate::array::kernels::fft::Kind;
use crate::array::linalg::decompose::At;
use crate::array::shape::arrange::length_of;
use crate::config::chunk_target;
use crate::error::{Error, Result};

/// The transform along all axes; the last one of them is of the kind, and the others are complex.
fn several<T: Element>(name: &'static str, kind: Kind, x: &Array<T>, options: &FftOptions, at: At) -> Result<ExprRef> {
    let expr = x.expr()?;
    let mut pairs = options.pairs(name, expr.ndim(), at)?;
    let Some(last) = pairs.pop() else {
        // Nothing is transformed, and numbers are complex all the same.
        if matches!(kind, Kind::Half | Kind::Real) {
            return Err(Error::invalid_at(name, "no axes: at least one is transformed", at));
        }
        return crate::array::build::cast(expr, expr.dtype.complex(), at);
    };
    let mut expr = transformable(Way { name, kind }, expr, at)?;
    let axes: Vec<usize> = pairs.iter().map(|(axis, _)| *axis).chain([last.0]).collect();
    // Together, if a block of all of them is no larger than a chunk should be.
    let mut bytes = expr.dtype.complex().size() as u64;
    for (axis, length) in pairs.iter().chain([&last]) {
        let own = length_of(name, &expr, *axis, at)?;
        bytes = bytes.saturating_mul(own.max(length.unwrap_or(0)) as u64);
    }
    if bytes <= chunk_target() {
        expr = whole(&expr, &axes, at);
    }
    let one = |expr: &ExprRef, kind: Kind, pair| transform(Way { name, kind }, expr, pair, options.norm, at);
    match kind {
        Kind::Real => {
            let inner = pairs.into_iter().try_fold(expr, |expr, pair| one(&expr, Kind::Inverse, pair))?;
            one(&inner, kind, last)
        }
        _ => {
            let others = if kind == Kind::Half { Kind::Forward } else { kind };
            let first = one(&expr, kind, last)?;
            pairs.into_iter().rev().try_fold(first, |expr, pair| one(&expr, others, pair))
        }
    }
}

/// As [`several`], along two axes.
fn two<T: Element>(name: &'static str, kind: Kind, x: &Array<T>, options: &FftOptions, at: At) -> Result<ExprRef> {
    let ndim = x.expr()?.ndim();
    let count = options.pairs(name, ndim, at)?.len();
    if count != 2 {
        let reason = format!("{count} axes: give two, as [-2, -1], or call {}n", name.trim_end_matches('2'));
        return Err(Error::invalid_at(name, reason, at));
    }
    several(name, kind, x, options, at)
}

macro_rules! transforms {
    ($($name:ident, $function:ident, $kind:ident, $output:ty, $constructor:expr, $what:literal, $example:literal, $more:literal;)*) => {
        impl<T: Element> Array<T> {$(
            #[doc = concat!("NumPy's `fft.", stringify!($name), "`: ", $what)]
            ///
            /// ```
            /// use talatat::prelude::*;
            /// let x = talatat::array::arange::<f64>(0.0, 12.0, 1.0)?.reshape([3, 4])?.rechunk(2)?;
            #[doc = $example]
            /// # Ok::<(), talatat::Error>(())
            /// ```
            ///
            /// # Errors
            #[doc = concat!("As [`fft`](Array::fft), for each of the axes", $more)]
            #[track_caller]
            pub fn $name(&self, options: impl Into<FftOptions>) -> Result<Array<$output>> {
                let found = $function(stringify!($name), Kind::$kind, self, &options.into(), Location::caller())?;
                Ok($constructor(found))
            }
        )*}
    };
}

transforms! {
    fft2, two, Forward, T::Complex, Array::from_expr, "the [`fft`](Array::fft) along two axes (NumPy's default: `[-2, -1]`).",
        "assert_eq!(x.fft2([-2, -1])?.compute()?[[0, 0]].re, 66.0);", ", and if there are not two.";
    ifft2, two, Inverse, T::Complex, Array::from_expr, "undoes [`fft2`](Array::fft2).",
        "assert!(x.fft2([0, 1])?.ifft2([0, 1])?.real().allclose(&x)?.compute()?);", ", and if there are not two.";
    rfft2, two, Half, T::Complex, Array::from_expr, "the [`rfft`](Array::rfft) along the second of two axes, then the [`fft`](Array::fft) along the first.",
        "assert_eq!(x.rfft2([-2, -1])?.shape()?, [3, 3]);", ", and if there are not two, or the elements are complex.";
    irfft2, two, Real, <T::Float as Element>::Real, |expr| Array::from_result(Ok(expr)), "undoes [`rfft2`](Array::rfft2).",
        "assert!(x.rfft2([0, 1])?.irfft2([0, 1])?.allclose(&x)?.compute()?);", ", and if there are not two.";
    fftn, several, Forward, T::Complex, Array::from_expr, "the [`fft`](Array::fft) along several axes, from the last one to the first.",
        "assert_eq!(x.fftn(..)?.compute()?[[0, 0]].re, 66.0);", ".";
    ifftn, several, Inverse, T::Complex, Array::from_expr, "undoes [`fftn`](Array::fftn).",
        "assert!(x.fftn(..)?.ifftn(..)?.real().allclose(&x)?.compute()?);", ".";
    rfftn, several, Half, T::Complex, Array::from_expr, "the [`rfft`](Array::rfft) along the last of several axes, then the [`fft`](Array::fft) along the others.",
        "assert_eq!(x.rfftn(..)?.shape()?, [3, 3]);", ", and if there are none, or the elements are complex.";
    irfftn, several, Real, <T::Float as Element>::Real, |expr| Array::from_result(Ok(expr)), "undoes [`rfftn`](Array::rfftn).",
        "assert!(x.rfftn(..)?.irfftn(..)?.allclose(&x)?.compute()?);", ", and if there are none.";
}
