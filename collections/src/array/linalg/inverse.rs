//! What is known of a matrix by its singular values and its inverse; powers, chains, and tensors as matrices.

use std::panic::Location;

use crate::array::build::axis_number;
use crate::array::create::constants::eye;
use crate::array::dtype::{DType, Element, Promote};
use crate::array::elementwise::operators::where_;
use crate::array::expr::ExprRef;
use crate::array::handle::Array;
use crate::array::linalg::decompose::{At, Floating, matrix, svd, with_floating};
use crate::array::linalg::einsum::einsum;
use crate::array::linalg::products::Norm;
use crate::error::{Error, Result};

/// What singular values are relative to the largest one by rounding alone.
fn precision(dtype: DType) -> f64 {
    if dtype == DType::F32 { f64::from(f32::EPSILON) } else { f64::EPSILON }
}

fn pseudo_inverse<F: Floating>(expr: &ExprRef, rcond: f64, at: At) -> Result<ExprRef> {
    let [u, s, vt] = svd("pinv", expr, at)?.map(Array::<F>::from_expr);
    let wide = s.astype::<f64>();
    let inverse = where_(&wide.greater(wide.max(..)? * rcond), wide.reciprocal(), 0.0).astype::<F>();
    Ok((vt.t() * inverse).matmul(&u.t())?.expr()?.clone())
}

fn condition<F: Floating>(expr: &ExprRef, which: Norm, at: At) -> Result<ExprRef> {
    let x = Array::<F>::from_expr(expr.clone());
    let found = match which {
        Norm::P(2.0 | -2.0) => {
            let [_, s, _] = svd("cond", expr, at)?;
            let s = Array::<F>::from_expr(s);
            let (first, last) = (s.take(0, 0)?, s.take(-1, 0)?);
            if which == Norm::P(2.0) { first / last } else { last / first }
        }
        _ => x.norm(which, [0, 1])? * x.inv()?.norm(which, [0, 1])?,
    };
    // Nothing that is not a number in the matrix, and none in its condition: there is no inverse.
    let broken = found.isnan();
    Ok(where_(&broken, f64::INFINITY, found.astype::<f64>()).astype::<F>().expr()?.clone())
}

impl<T: Element> Array<T> {
    /// NumPy's `linalg.pinv`: the inverse, or what is nearest to it, of any matrix. Singular values up to `rcond` (1e-15 for none) times the largest one
    /// count as zeros. By [`svd`](Array::svd).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[2.0_f64, 0.0], [0.0, 4.0], [0.0, 0.0]], 1)?;
    /// let expected = talatat::array::from_ndarray(ndarray::array![[0.5_f64, 0.0, 0.0], [0.0, 0.25, 0.0]], 1)?;
    /// assert!(x.pinv(None)?.allclose(&expected)?.compute()?);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`svd`](Array::svd), and if the matrix has no elements.
    #[track_caller]
    pub fn pinv(&self, rcond: Option<f64>) -> Result<Array<T::Float>> {
        let at = Location::caller();
        let (expr, ..) = matrix("pinv", self.expr()?, at)?;
        let found = with_floating!(expr, F => pseudo_inverse::<F>(&expr, rcond.unwrap_or(1e-15), at))?;
        Ok(Array::from_expr(found))
    }

    /// NumPy's `linalg.matrix_rank`: how many singular values are above `rtol` times the largest one; the precision times the longer side for none.
    /// Of an array of fewer than two axes 1, if an element is not 0.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[1.0, 2.0], [2.0, 4.0]], 1)?;
    /// assert_eq!(x.matrix_rank(None)?.item()?.compute()?, 1);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`svd`](Array::svd), and if the matrix has no elements.
    #[track_caller]
    pub fn matrix_rank(&self, rtol: Option<f64>) -> Result<Array<i64>> {
        let at = Location::caller();
        if self.ndim() < 2 {
            self.check()?;
            return Ok(self.astype::<bool>().any(..)?.astype());
        }
        let (expr, rows, columns) = matrix("matrix_rank", self.expr()?, at)?;
        let rtol = rtol.unwrap_or(precision(expr.dtype) * rows.max(columns) as f64);
        let [_, s, _] = svd("matrix_rank", &expr, at)?;
        let s = with_floating!(expr, F => Array::<F>::from_expr(s).astype::<f64>());
        s.greater(s.max(..)? * rtol).sum(..)
    }

    /// NumPy's `linalg.cond`: how much larger an error can become when a system is solved: the norm of the matrix times that of its inverse. `2.0` (NumPy's
    /// default) is the ratio of the largest and the smallest singular value, of any matrix; the others are of square ones. Infinite if there is
    /// no inverse.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[2.0_f64, 0.0], [0.0, 8.0]], 1)?;
    /// assert!((x.cond(2.0)?.item()?.compute()? - 4.0).abs() < 1e-14);
    /// assert_eq!(x.cond(1.0)?.item()?.compute()?, 4.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`svd`](Array::svd) or [`inv`](Array::inv), and if the matrix has no elements or the norm is none of matrices.
    #[track_caller]
    pub fn cond(&self, which: impl Into<Norm>) -> Result<Array<T::Float>> {
        let at = Location::caller();
        let (expr, rows, columns) = matrix("cond", self.expr()?, at)?;
        if rows == 0 || columns == 0 {
            return Err(Error::invalid_at("cond", format!("a matrix of {rows} x {columns} has no elements"), at));
        }
        let found = with_floating!(expr, F => condition::<F>(&expr, which.into(), at))?;
        Ok(Array::from_expr(found))
    }

    /// NumPy's `linalg.matrix_power` of a square matrix, by squaring: about `2 log n` products. For negative powers take that of the
    /// [`inv`](Array::inv).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[1_i64, 1], [1, 0]], 1)?;
    /// assert_eq!(x.matrix_power(10)?.compute()?, ndarray::array![[89_i64, 55], [55, 34]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array is no square matrix, or a length is known only when computed.
    #[track_caller]
    pub fn matrix_power(&self, n: u32) -> Result<Array<T>>
    where
        T: Promote<T, Output = T>,
    {
        let shape = self.shape()?;
        let &[rows, columns] = shape.as_slice() else {
            return Err(Error::invalid("matrix_power", format!("an array of the shape {shape:?} is no square matrix")));
        };
        if rows != columns {
            return Err(Error::invalid("matrix_power", format!("a matrix of {rows} x {columns}: it must be square")));
        }
        let mut power: Option<Array<T>> = None;
        let (mut square, mut rest) = (self.clone(), n);
        while rest > 0 {
            if rest % 2 == 1 {
                power = Some(power.map_or(Ok(square.clone()), |power| power.matmul(&square))?);
            }
            rest /= 2;
            if rest > 0 {
                square = square.matmul(&square)?;
            }
        }
        Ok(power.unwrap_or_else(|| eye(rows, rows, 0)))
    }

    /// NumPy's `linalg.tensorinv`: the inverse of the matrix that the first `ind` axes make with the others, as a tensor: `tensordot` of both over `ind`
    /// axes is the identity.
    ///
    /// ```
    /// let x = talatat::array::eye::<f64>(6, 6, 0).reshape([6, 2, 3])?;
    /// assert_eq!(x.tensorinv(1)?.shape()?, [2, 3, 6]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `ind` is 0 or leaves no axes, or as [`inv`](Array::inv) of the matrix.
    #[track_caller]
    pub fn tensorinv(&self, ind: usize) -> Result<Array<T::Float>> {
        let shape = self.shape()?;
        if ind == 0 || ind > shape.len() {
            let reason = format!("the first {ind} of {} axes: give at least 1", shape.len());
            return Err(Error::invalid("tensorinv", reason));
        }
        let (first, rest) = shape.split_at(ind);
        let rows: usize = first.iter().product();
        let columns: usize = rest.iter().product();
        let inverse = self.reshape([rows as isize, columns as isize])?.inv()?;
        inverse.reshape(rest.iter().chain(first).map(|&length| length as isize).collect::<Vec<_>>())
    }

    /// NumPy's `linalg.tensorsolve`: `x` whose [`tensordot`](Array::tensordot) with `self`, over its last axes, is `b`. The axes `moved` are taken to the end
    /// first.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{eye, ones};
    /// let x = (eye::<f64>(6, 6, 0) * 2.0).reshape([2, 3, 6])?.tensorsolve(&ones([2, 3]), &[])?;
    /// assert_eq!(x.compute()?, ndarray::Array1::from_elem(6, 0.5).into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range, or as [`solve`](Array::solve) of the matrix.
    #[track_caller]
    pub fn tensorsolve(&self, b: &Array<T>, moved: &[isize]) -> Result<Array<T::Float>> {
        let at = Location::caller();
        let ndim = self.ndim();
        let mut order: Vec<usize> = (0..ndim).collect();
        for &axis in moved {
            let axis = axis_number("tensorsolve", axis, ndim, at)?;
            order.retain(|&other| other != axis);
            order.push(axis);
        }
        let a = self.transpose(order.iter().map(|&axis| axis as isize).collect::<Vec<_>>())?;
        let shape = a.shape()?;
        let unknowns: &[usize] = shape.get(b.ndim()..).unwrap_or(&[]);
        let columns: usize = unknowns.iter().product();
        let rows: usize = shape.iter().take(b.ndim()).product();
        let x = a.reshape([rows as isize, columns as isize])?.solve(&b.ravel()?)?;
        x.reshape(unknowns.iter().map(|&length| length as isize).collect::<Vec<_>>())
    }
}

/// NumPy's `linalg.multi_dot`: the product of a chain of matrices in the cheapest order; the first and the last may have one axis.
///
/// ```
/// use talatat::array::{multi_dot, ones};
/// let product = multi_dot(&[&ones::<f64>([100, 2]), &ones([2, 100]), &ones([100])])?;
/// assert_eq!(product.shape()?, [100]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If there are fewer than two matrices, or more than 50, or they do not fit.
#[track_caller]
pub fn multi_dot<T: Element>(arrays: &[&Array<T>]) -> Result<Array<T>> {
    let letters: Vec<char> = ('a'..='z').chain('A'..='Z').collect();
    if arrays.len() < 2 || arrays.len() >= letters.len() {
        let reason = format!("a chain of {} matrices: give 2 to {}", arrays.len(), letters.len() - 1);
        return Err(Error::invalid("multi_dot", reason));
    }
    let (mut inputs, mut output) = (Vec::new(), String::new());
    for (number, array) in arrays.iter().enumerate() {
        array.check()?;
        let (first, last) = (number == 0, number + 1 == arrays.len());
        let (row, column) = (letters[number], letters[number + 1]);
        match array.ndim() {
            2 => {
                inputs.push(format!("{row}{column}"));
                output.extend(first.then_some(row).into_iter().chain(last.then_some(column)));
            }
            1 if first => inputs.push(column.to_string()),
            1 if last => inputs.push(row.to_string()),
            ndim => {
                let reason =
                    format!("array {number} has {ndim} axes: a matrix has two, the first and the last may have one");
                return Err(Error::invalid("multi_dot", reason));
            }
        }
    }
    einsum(&format!("{}->{output}", inputs.join(",")), arrays)
}
