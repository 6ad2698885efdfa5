//! Eigenvalues and singular values.

use std::panic::Location;

use crate::array::build::cast;
use crate::array::dtype::{DType, Element};
use crate::array::expr::ExprRef;
use crate::array::grid::Grid;
use crate::array::handle::Array;
use crate::array::linalg::decompose::{At, dense, square, square_of, svd};
use crate::error::{Error, Result};
use crate::lower::array::Whole;

/// A square matrix of real or complex numbers, and its length.
fn any_square(operation: &str, expr: &ExprRef, at: At) -> Result<(ExprRef, usize)> {
    let expr = cast(expr, expr.dtype.float(), at)?;
    if expr.dtype == DType::F16 {
        let reason = "it is not defined on float16: cast it to float32 or float64";
        return Err(Error::invalid_at(operation, reason, at));
    }
    square_of(operation, expr, at)
}

fn lost(operation: &str, at: At) -> Error {
    Error::invalid_at(operation, "a decomposition without its parts", at)
}

impl<T: Element> Array<T> {
    /// NumPy's `linalg.eig`: eigenvalues, in no order, and eigenvectors of length 1 as columns, of a square matrix.
    ///
    /// Both are always complex (NumPy's are real if all of them happen to be, which is known only when computed). The element of the
    /// largest magnitude of each eigenvector is real and positive. The matrix is put in one block: one task, of about `25 n³` operations, whose
    /// memory is about nine times the matrix. For symmetric matrices [`eigh`](Array::eigh) is better.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[0.0_f64, -1.0], [1.0, 0.0]], 1)?;
    /// let (values, vectors) = x.eig()?;
    /// let error = (x.astype::<talatat::array::C128>().matmul(&vectors)? - &vectors * &values).abs().max(..)?.item()?;
    /// assert!(error.compute()? < 1e-15);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array is no square matrix, has elements of `float16`, or a length is known only when computed. Computing it fails for elements
    /// that are not finite.
    #[track_caller]
    #[allow(clippy::type_complexity)]
    pub fn eig(&self) -> Result<(Array<T::Complex>, Array<T::Complex>)> {
        let at = Location::caller();
        let (expr, n) = any_square("eig", self.expr()?, at)?;
        let grids = vec![Grid::whole(&[n]), Grid::whole(&[n, n])];
        let mut found = dense(&expr, Whole::Eig, T::DTYPE.complex(), grids, at).into_iter();
        match (found.next(), found.next()) {
            (Some(values), Some(vectors)) => Ok((Array::from_expr(values), Array::from_expr(vectors))),
            _ => Err(lost("eig", at)),
        }
    }

    /// NumPy's `linalg.eigvals`: the eigenvalues of a square matrix, in no order, and always complex: see [`eig`](Array::eig). About `10 n³`
    /// operations.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[0.0_f64, -1.0], [1.0, 0.0]], 1)?;
    /// let values = x.eigvals()?.sort(0)?.compute()?;
    /// assert!((values[[0]].im + 1.0).abs() < 1e-15 && (values[[1]].im - 1.0).abs() < 1e-15);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`eig`](Array::eig).
    #[track_caller]
    pub fn eigvals(&self) -> Result<Array<T::Complex>> {
        let at = Location::caller();
        let (expr, n) = any_square("eigvals", self.expr()?, at)?;
        let found = dense(&expr, Whole::Eigvals, T::DTYPE.complex(), vec![Grid::whole(&[n])], at).into_iter().next();
        found.map(Array::from_expr).ok_or_else(|| lost("eigvals", at))
    }

    /// NumPy's `linalg.eigvalsh`: the eigenvalues of a symmetric matrix in ascending order, from its lower triangle (`upper`: the upper one). As
    /// [`eigh`](Array::eigh), with less work.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[2.0_f64, 1.0], [1.0, 2.0]], 1)?;
    /// let values = x.eigvalsh(false)?.compute()?;
    /// assert!((values[[0]] - 1.0).abs() < 1e-14 && (values[[1]] - 3.0).abs() < 1e-14);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`eigh`](Array::eigh).
    #[track_caller]
    pub fn eigvalsh(&self, upper: bool) -> Result<Array<T::Float>> {
        let at = Location::caller();
        let (expr, n) = square("eigvalsh", self.expr()?, at)?;
        let what = Whole::Eigvalsh { upper };
        let found = dense(&expr, what, expr.dtype, vec![Grid::whole(&[n])], at).into_iter().next();
        found.map(Array::from_expr).ok_or_else(|| lost("eigvalsh", at))
    }

    /// NumPy's `linalg.svdvals`: the singular values of a matrix in descending order. As [`svd`](Array::svd), of which nothing else is computed but
    /// a small factor.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[0.0_f64, 3.0], [4.0, 0.0]], 1)?;
    /// let values = x.svdvals()?.compute()?;
    /// assert!((values[[0]] - 4.0).abs() < 1e-14 && (values[[1]] - 3.0).abs() < 1e-14);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`svd`](Array::svd).
    #[track_caller]
    pub fn svdvals(&self) -> Result<Array<T::Float>> {
        let [_, s, _] = svd("svdvals", self.expr()?, Location::caller())?;
        Ok(Array::from_expr(s))
    }
}
