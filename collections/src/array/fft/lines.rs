//! Transforms along one axis.

use std::panic::Location;
use std::sync::Arc;

use super::FftOptions;
use crate::array::build::{cast, rechunked};
use crate::array::dtype::Element;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::with_axis;
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::kernels::fft::{Fourier, Kind};
use crate::array::kernels::local::LocalOp;
use crate::array::linalg::decompose::At;
use crate::array::shape::arrange::length_of;
use crate::array::statistics::quantile::within;
use crate::config::chunk_target;
use crate::error::{Error, Result};
use crate::lower::array::OnBlocks;

/// A transform's name and kind.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// The array in a type that is transformed.
pub(super) fn transformable(way: Way, expr: &ExprRef, at: At) -> Result<ExprRef> {
    let complex = expr.dtype.complex();
    match way.kind {
        Kind::Half if expr.dtype.is_complex() => {
            let reason = "it is not defined on complex numbers: take the real part, or the transform with all of them";
            Err(Error::invalid_at(way.name, reason, at))
        }
        Kind::Real => cast(expr, complex, at),
        _ if expr.dtype.is_complex() => Ok(expr.clone()),
        _ => cast(expr, complex.real(), at),
    }
}

/// The array with some axes in one chunk each; the others are cut smaller if blocks would become larger than chunks should be.
pub(super) fn whole(expr: &ExprRef, axes: &[usize], at: At) -> ExprRef {
    let cut = expr.grid.axes();
    if axes.iter().all(|&axis| cut[axis].chunks() == 1) {
        return expr.clone();
    }
    let one = |&axis: &usize| cut[axis].length().map(|length| (axis, Axis::whole(length)));
    let grid = axes.iter().filter_map(one).fold(expr.grid.clone(), |grid, (axis, whole)| with_axis(&grid, axis, whole));
    // What is made has complex numbers.
    let fit = chunk_target() / expr.dtype.complex().size() as u64;
    let most = expr.grid.largest_block(1_000_000).max(usize::try_from(fit).unwrap_or(usize::MAX));
    rechunked(expr, within(&grid, axes, most), at)
}

/// The transform along an axis; `length` is that of the transform.
pub(super) fn transform(
    way: Way,
    expr: &ExprRef,
    (axis, length): (usize, Option<usize>),
    norm: super::FftNorm,
    at: At,
) -> Result<ExprRef> {
    let expr = transformable(way, expr, at)?;
    let own = length_of(way.name, &expr, axis, at)?;
    let length = length.unwrap_or_else(|| match way.kind {
        Kind::Real => own.saturating_sub(1) * 2,
        _ => own,
    });
    if length == 0 {
        let reason = format!("a transform of length 0 along axis {axis}: give a length of at least 1");
        return Err(Error::invalid_at(way.name, reason, at));
    }
    let inverse = matches!(way.kind, Kind::Inverse | Kind::Real);
    let fourier = Fourier { kind: way.kind, axis, length, scale: norm.scale(inverse, length) };
    let input = whole(&expr, &[axis], at);
    let grid: Grid = with_axis(&input.grid, axis, Axis::whole(fourier.makes()));
    if let Some(reason) = grid.excess() {
        return Err(Error::invalid_at(way.name, reason, at));
    }
    let reads = vec![(0..input.ndim()).map(Some).collect()];
    let dtype = fourier.dtype(input.dtype);
    let op = Op::Custom(Arc::new(OnBlocks { op: LocalOp::Fourier(fourier), reads }));
    Ok(Expr::new(dtype, grid, op, [input], at))
}

fn line<T: Element>(name: &'static str, kind: Kind, x: &Array<T>, options: &FftOptions, at: At) -> Result<ExprRef> {
    let expr = x.expr()?;
    match options.pairs(name, expr.ndim(), at)?.as_slice() {
        &[pair] => transform(Way { name, kind }, expr, pair, options.norm, at),
        pairs => {
            let reason = format!("{} axes: give one, or call {name}n for several", pairs.len());
            Err(Error::invalid_at(name, reason, at))
        }
    }
}

impl<T: Element> Array<T> {
    /// NumPy's `fft.fft`: the sums of the elements along an axis times `exp(-2 pi i j k / n)`. `n log n` operations a line, by rustfft
    /// (real numbers take half of them).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Complex, from_ndarray};
    /// let x = from_ndarray(ndarray::array![1.0, 0.0, -1.0, 0.0], 2)?;
    /// let found = x.fft(-1)?.compute()?;
    /// assert_eq!(found, ndarray::array![0.0, 2.0, 0.0, 2.0].mapv(|re| Complex::new(re, 0.0)).into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not one axis, it is out of range or of a length that is known only when computed, or the transform has the length 0.
    #[track_caller]
    pub fn fft(&self, options: impl Into<FftOptions>) -> Result<Array<T::Complex>> {
        Ok(Array::from_expr(line("fft", Kind::Forward, self, &options.into(), Location::caller())?))
    }

    /// NumPy's `fft.ifft`: undoes [`fft`](Array::fft). The sums of the elements along an axis times `exp(2 pi i j k / n) / n`.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![1.0, 5.0, -1.0, 0.0], 2)?;
    /// assert_eq!(x.fft(0)?.ifft(0)?.real().compute()?, x.compute()?);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fft`](Array::fft).
    #[track_caller]
    pub fn ifft(&self, options: impl Into<FftOptions>) -> Result<Array<T::Complex>> {
        Ok(Array::from_expr(line("ifft", Kind::Inverse, self, &options.into(), Location::caller())?))
    }

    /// NumPy's `fft.rfft`: the first `n / 2 + 1` numbers of the [`fft`](Array::fft) of real ones; the rest are their conjugates.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Complex, arange};
    /// let found = arange::<f64>(1.0, 5.0, 1.0)?.rfft(0)?.compute()?;
    /// assert_eq!(found, ndarray::array![Complex::new(10.0, 0.0), Complex::new(-2.0, 2.0), Complex::new(-2.0, 0.0)].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fft`](Array::fft), and if the elements are complex.
    #[track_caller]
    pub fn rfft(&self, options: impl Into<FftOptions>) -> Result<Array<T::Complex>> {
        Ok(Array::from_expr(line("rfft", Kind::Half, self, &options.into(), Location::caller())?))
    }

    /// NumPy's `fft.irfft`: undoes [`rfft`](Array::rfft). Without a length, `2 * (m - 1)` numbers are made of `m`; to get an odd number of them, say
    /// so. The imaginary parts of the first number, and of the last one of an even length, count as 0.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{along, from_ndarray};
    /// let x = from_ndarray(ndarray::array![1.0, 5.0, -1.0], 2)?;
    /// let back = x.rfft(0)?.irfft(along(0).lengths([3]))?;
    /// assert!(back.allclose(&x)?.compute()?);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fft`](Array::fft).
    #[track_caller]
    pub fn irfft(&self, options: impl Into<FftOptions>) -> Result<Array<<T::Float as Element>::Real>> {
        let found = line("irfft", Kind::Real, self, &options.into(), Location::caller())?;
        Ok(Array::from_result(Ok(found)))
    }

    /// NumPy's `fft.hfft`: the [`fft`](Array::fft), which is real, of `n` numbers of which the first `n / 2 + 1` are given and the rest are their conjugates.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![1.0, 2.0, 3.0], 2)?;
    /// assert_eq!(x.hfft(0)?.compute()?, ndarray::array![8.0, -2.0, 0.0, -2.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fft`](Array::fft).
    #[track_caller]
    pub fn hfft(&self, options: impl Into<FftOptions>) -> Result<Array<<T::Float as Element>::Real>> {
        let (at, mut options) = (Location::caller(), options.into());
        options.norm = options.norm.swapped();
        Ok(Array::from_result(Ok(line("hfft", Kind::Real, &self.conj(), &options, at)?)))
    }

    /// NumPy's `fft.ihfft`: undoes [`hfft`](Array::hfft): the first `n / 2 + 1` numbers of the [`ifft`](Array::ifft) of real ones.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![8.0, -2.0, 0.0, -2.0], 2)?;
    /// assert_eq!(x.ihfft(0)?.real().compute()?, ndarray::array![1.0, 2.0, 3.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`rfft`](Array::rfft).
    #[track_caller]
    pub fn ihfft(&self, options: impl Into<FftOptions>) -> Result<Array<T::Complex>> {
        let (at, mut options) = (Location::caller(), options.into());
        options.norm = options.norm.swapped();
        let half = Array::<T::Complex>::from_expr(line("ihfft", Kind::Half, self, &options, at)?);
        Ok(half.conj())
    }
}
