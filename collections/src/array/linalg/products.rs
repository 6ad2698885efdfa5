//! Products and norms that are made of other operations.

use std::panic::Location;

use crate::array::build::view;
use crate::array::dtype::{Element, Kind, Promote};
use crate::array::expr::ExprRef;
use crate::array::handle::Array;
use crate::array::linalg::decompose::{At, Floating, floating, svd, with_floating};
use crate::array::statistics::reduce::{Axes, axis};
use crate::error::{Error, Result};

/// Which norm, in NumPy's words.
///
/// ```
/// use talatat::array::Norm;
/// assert_eq!(Norm::from(2.0), Norm::P(2.0));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Norm {
    /// The root of the sum of squares of all elements. NumPy's default.
    #[default]
    Frobenius,
    /// Of vectors: the sum of the magnitudes' powers, to the power of `1 / p`; 0 counts what is not zero, an infinity is the largest or smallest
    /// magnitude. Of matrices: 1 and an infinity are the largest sum of a column or row (negative ones: the smallest), 2 and
    /// -2 the largest and smallest singular value.
    P(f64),
    /// The sum of the singular values of a matrix.
    Nuclear,
}

impl From<f64> for Norm {
    fn from(p: f64) -> Self {
        Norm::P(p)
    }
}

impl<T: Element> Array<T> {
    /// NumPy's `outer`: each element of one flat array times each of the other, `[n, m]`. Fused with what comes next.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::arange;
    /// let x = arange::<i64>(1, 3, 1)?.outer(&arange::<i64>(0, 3, 1)?)?;
    /// assert_eq!(x.compute()?, ndarray::array![[0, 1, 2], [0, 2, 4]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a length of an array of several axes is known only when computed.
    #[track_caller]
    pub fn outer<U: Element>(&self, other: &Array<U>) -> Result<Array<<T as Promote<U>>::Output>>
    where
        T: Promote<U>,
    {
        let at = Location::caller();
        let left = if self.ndim() == 1 { self.clone() } else { self.ravel()? };
        let right = if other.ndim() == 1 { other.clone() } else { other.ravel()? };
        let left = Array::<T>::from_expr(view("outer", left.expr()?, &[Some(0), None], at)?);
        let product = left * right;
        product.check()?;
        Ok(product)
    }

    /// NumPy's `vdot`: the sum of the products of the elements of two arrays of one size, in flat order; complex elements of `self` are conjugated. The products are rounded, their sum is
    /// exact and rounded once: it depends on no chunks.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::arange;
    /// let x = arange::<f64>(0.0, 4.0, 1.0)?;
    /// assert_eq!(x.vdot(&x)?.item()?.compute()?, 14.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the sizes differ.
    #[track_caller]
    pub fn vdot(&self, other: &Array<T>) -> Result<Array<T>>
    where
        T: Promote<T, Output = T>,
    {
        let flat = |x: &Array<T>| if x.ndim() == 1 { Ok(x.clone()) } else { x.ravel() };
        let same = self.ndim() == other.ndim() && self.chunks() == other.chunks();
        let first = if matches!(T::DTYPE.kind(), Kind::Complex) { self.conj() } else { self.clone() };
        let product = if same { &first * other } else { flat(&first)? * flat(other)? };
        Ok(product.sum(..)?.astype())
    }

    /// NumPy's `kron`: blocks of `other`, each times an element of `self`.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::arange;
    /// let x = arange::<i64>(1, 3, 1)?.kron(&arange::<i64>(1, 4, 1)?)?;
    /// assert_eq!(x.compute()?.into_raw_vec_and_offset().0, [1, 2, 3, 2, 4, 6]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a length is known only when computed.
    #[track_caller]
    pub fn kron<U: Element>(&self, other: &Array<U>) -> Result<Array<<T as Promote<U>>::Output>>
    where
        T: Promote<U>,
    {
        let at = Location::caller();
        let ndim = self.ndim().max(other.ndim());
        let longer = |expr: &ExprRef| {
            let lead = ndim - expr.ndim();
            let axes: Vec<Option<usize>> = (0..ndim).map(|axis| axis.checked_sub(lead)).collect();
            view("kron", expr, &axes, at)
        };
        let (left, right) =
            (Array::<T>::from_expr(longer(self.expr()?)?), Array::<U>::from_expr(longer(other.expr()?)?));
        let (own, others) = (left.shape()?, right.shape()?);
        let repeated = (0..ndim).try_fold(left, |left, number| left.repeat(others[number], axis(number)))?;
        let product = repeated * right.tile(own)?;
        product.check()?;
        Ok(product)
    }

    /// NumPy's `norm`: of the array as one vector (`..`; of a matrix, if `which` is not [`Norm::Frobenius`]), of the vectors along one axis, of
    /// the matrices along two.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Norm, from_ndarray};
    /// let x = from_ndarray(ndarray::array![[3.0_f64, -4.0], [0.0, 5.0]], 1)?;
    /// assert_eq!(x.norm(Norm::Frobenius, 1)?.compute()?.into_raw_vec_and_offset().0, [5.0, 5.0]);
    /// assert_eq!(x.norm(1.0, ..)?.item()?.compute()?, 9.0);
    /// assert_eq!(x.norm(f64::INFINITY, 0)?.compute()?.into_raw_vec_and_offset().0, [3.0, 5.0]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range, there are more than two axes or a norm that these have not, or singular values are asked for of something else than a whole
    /// matrix.
    #[track_caller]
    pub fn norm(&self, which: impl Into<Norm>, axes: impl Into<Axes>) -> Result<Array<T::Float>> {
        let at = Location::caller();
        let (which, axes) = (which.into(), axes.into());
        let expr = floating("norm", self.expr()?, at)?;
        let mut numbers = match axes.which() {
            Some(list) => list
                .iter()
                .map(|&axis| crate::array::build::axis_number("norm", axis, expr.ndim(), at))
                .collect::<Result<_>>()?,
            None => (0..expr.ndim()).collect::<Vec<_>>(),
        };
        if axes.which().is_none() && which == Norm::Frobenius {
            let norm =
                with_floating!(expr, F => root_of_squares(&Array::<F>::from_expr(expr.clone()), axes)?.expr()?.clone());
            return Ok(Array::from_expr(norm));
        }
        let keep = axes.keeps_dims();
        let norm = with_floating!(expr, F => {
            let x = Array::<F>::from_expr(expr.clone());
            let norm = match numbers.as_mut_slice() {
                [number] => of_vectors(&x, which, along(&[*number], keep), at)?,
                [row, column] => of_matrices(&x, which, [*row, *column], keep, at)?,
                _ => {
                    let reason = format!("{} axes: a norm is of vectors (one axis) or of matrices (two)", numbers.len());
                    return Err(Error::invalid_at("norm", reason, at));
                }
            };
            norm.expr()?.clone()
        });
        Ok(Array::from_expr(norm))
    }

    /// NumPy's `linalg.vector_norm`: the norm of all elements as one vector (`..`), or along one or several axes.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[3.0_f64, -4.0], [0.0, 12.0]], 1)?;
    /// assert_eq!(x.vector_norm(2.0, ..)?.item()?.compute()?, 13.0);
    /// assert_eq!(x.vector_norm(1.0, 1)?.compute()?.into_raw_vec_and_offset().0, [7.0, 12.0]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice, or the norm is one of matrices.
    #[track_caller]
    pub fn vector_norm(&self, which: impl Into<Norm>, axes: impl Into<Axes>) -> Result<Array<T::Float>> {
        let (at, which, axes) = (Location::caller(), which.into(), axes.into());
        let expr = floating("vector_norm", self.expr()?, at)?;
        axes.numbers("vector_norm", expr.ndim(), at)?;
        let norm = with_floating!(expr, F => {
            of_vectors(&Array::<F>::from_expr(expr.clone()), which, axes, at)?.expr()?.clone()
        });
        Ok(Array::from_expr(norm))
    }

    /// NumPy's `linalg.matrix_norm`: the norm of the matrices along the last two axes, which stay with length 1 if `keepdims`. See
    /// [`norm`](Array::norm).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Norm, ones};
    /// assert_eq!(ones::<f64>([5, 2, 2]).matrix_norm(Norm::Frobenius, false)?.compute()?[[4]], 2.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`norm`](Array::norm), and if there are fewer than two axes.
    #[track_caller]
    pub fn matrix_norm(&self, which: impl Into<Norm>, keepdims: bool) -> Result<Array<T::Float>> {
        let axes = axis([-2, -1]);
        self.norm(which, if keepdims { axes.keepdims() } else { axes })
    }
}

fn along(numbers: &[usize], keep: bool) -> Axes {
    let axes = Axes::from(numbers.iter().map(|&number| number as isize).collect::<Vec<_>>());
    if keep { axes.keepdims() } else { axes }
}

fn root_of_squares<F: Floating>(x: &Array<F>, axes: Axes) -> Result<Array<F>> {
    Ok((x * x).sum(axes)?.sqrt())
}

fn of_vectors<F: Floating>(x: &Array<F>, which: Norm, axes: Axes, at: At) -> Result<Array<F>> {
    let magnitudes = x.abs();
    match which {
        Norm::Frobenius => root_of_squares(x, axes),
        Norm::P(2.0) => root_of_squares(x, axes),
        Norm::P(1.0) => magnitudes.sum(axes),
        // The largest of none is 0.
        Norm::P(f64::INFINITY) if x.shape().is_ok_and(|shape| shape.contains(&0)) => magnitudes.sum(axes),
        Norm::P(f64::INFINITY) => magnitudes.max(axes),
        Norm::P(f64::NEG_INFINITY) => magnitudes.min(axes),
        Norm::P(0.0) => Ok(magnitudes.astype::<bool>().sum(axes)?.astype()),
        Norm::P(p) => Ok(magnitudes.astype::<f64>().power(p).sum(axes)?.power(1.0 / p).astype()),
        Norm::Nuclear => Err(Error::invalid_at("norm", "the nuclear norm is one of matrices: name two axes", at)),
    }
}

fn of_matrices<F: Floating>(
    x: &Array<F>,
    which: Norm,
    [row, column]: [usize; 2],
    keep: bool,
    at: At,
) -> Result<Array<F>> {
    if row == column {
        return Err(Error::invalid_at("norm", format!("axis {row} is named twice"), at));
    }
    // The sum goes first, with its axis kept, so that the other one stays where it is.
    let largest = |sums: usize, other: usize, most: bool| -> Result<Array<F>> {
        let sums = x.abs().sum(along(&[sums], true))?;
        let found = if most { sums.max(along(&[other], true))? } else { sums.min(along(&[other], true))? };
        if keep { Ok(found) } else { found.squeeze(along(&[row, column], false)) }
    };
    let values = || -> Result<Array<F>> {
        if x.ndim() != 2 {
            let reason =
                format!("singular values of an array of {} dimensions: of a matrix they are defined", x.ndim());
            return Err(Error::invalid_at("norm", reason, at));
        }
        let [_, s, _] = svd("norm", x.expr()?, at)?;
        Ok(Array::from_expr(s))
    };
    let kept = |norm: Array<F>| if keep { norm.expand_dims([0, 1]) } else { Ok(norm) };
    match which {
        Norm::Frobenius => root_of_squares(x, along(&[row, column], keep)),
        Norm::P(1.0) => largest(row, column, true),
        Norm::P(-1.0) => largest(row, column, false),
        Norm::P(f64::INFINITY) => largest(column, row, true),
        Norm::P(f64::NEG_INFINITY) => largest(column, row, false),
        Norm::P(2.0) => kept(values()?.max(..)?),
        Norm::P(-2.0) => kept(values()?.min(..)?),
        Norm::Nuclear => kept(values()?.sum(..)?),
        Norm::P(p) => {
            let reason = format!("matrices have no norm of {p}: 1, 2, infinity, or negative ones");
            Err(Error::invalid_at("norm", reason, at))
        }
    }
}
