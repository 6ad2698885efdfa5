//! Covariances and correlations.

use std::panic::Location;

use crate::array::build::{cast, elementwise, view};
use crate::array::dtype::{DType, Element};
use crate::array::expr::ExprRef;
use crate::array::handle::Array;
use crate::array::kernels::program::{BinaryOp, UnaryOp};
use crate::array::kernels::reduce::ReduceOp;
use crate::array::linalg::matmul::product;
use crate::array::shape::arrange::length_of;
use crate::array::shape::window::diagonal;
use crate::array::statistics::reduce::{Axes, reduce};
use crate::error::{Error, Result};

type At = &'static Location<'static>;

/// The covariances of rows, as a matrix.
fn covariance(operation: &str, expr: &ExprRef, ddof: u32, at: At) -> Result<ExprRef> {
    crate::array::build::only_real(operation, expr, at)?;
    let expr = cast(expr, DType::F64, at)?;
    let rows = match expr.ndim() {
        1 => view(operation, &expr, &[None, Some(0)], at)?,
        2 => expr,
        ndim => {
            let reason = format!("an array of {ndim} dimensions: give 1, or 2 with a row for each variable");
            return Err(Error::invalid_at(operation, reason, at));
        }
    };
    let count = length_of(operation, &rows, 1, at)?;
    let mean = reduce(&rows, ReduceOp::Mean, &Axes::from(1).keepdims(), at)?;
    let centred = elementwise(operation, &[rows, mean], at, |builder, x| builder.binary(BinaryOp::Sub, x[0], x[1]))?;
    let turned = view(operation, &centred, &[Some(1), Some(0)], at)?;
    let products = product(operation, centred, turned, at)?;
    elementwise(operation, &[products], at, |builder, x| {
        // As NumPy's, the divisor is never negative: 0 gives NaN or infinity.
        let freedom = builder.constant((count as f64 - f64::from(ddof)).max(0.0))?;
        builder.binary(BinaryOp::Div, x[0], freedom)
    })
}

/// The matrix, or as in NumPy its element if there is but one.
fn squeezed(made: &ExprRef, operation: &str, at: At) -> Result<Array<f64>> {
    match made.grid.axes().iter().all(|axis| axis.length() == Some(1)) {
        true => Ok(Array::from_expr(view(operation, made, &[], at)?)),
        false => Ok(Array::from_expr(made.clone())),
    }
}

impl<T: Element> Array<T> {
    /// The covariances of the rows: NumPy's `cov`, in `float64`; of one row alone its variance, without axes. An array of one axis is a row. Variables in columns are rows of
    /// [`Array::t`]; those of two arrays, rows of [`vstack`](crate::array::vstack). NumPy's default for `ddof` is 1.
    ///
    /// Sums are those of [`Array::matmul`]: the last bits may depend on the chunks of the last axis. The array is read twice, once for its
    /// means.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[0, 1, 2], [2, 1, 0]], 1)?;
    /// assert_eq!(x.cov(1)?.compute()?, ndarray::array![[1.0, -1.0], [-1.0, 1.0]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are more than two dimensions or none, or the length of the last is known only when computed.
    #[track_caller]
    pub fn cov(&self, ddof: u32) -> Result<Array<f64>> {
        let at = Location::caller();
        squeezed(&covariance("cov", self.expr()?, ddof, at)?, "cov", at)
    }

    /// The correlations of the rows: their covariances over the products of their standard deviations, kept within -1 and 1. See
    /// [`Array::cov`].
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[0, 1, 2], [4, 2, 0]], 1)?;
    /// assert_eq!(x.corrcoef()?.compute()?, ndarray::array![[1.0, -1.0], [-1.0, 1.0]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::cov`].
    #[track_caller]
    pub fn corrcoef(&self) -> Result<Array<f64>> {
        const NAME: &str = "corrcoef";
        let at = Location::caller();
        let covariances = covariance(NAME, self.expr()?, 1, at)?;
        if covariances.grid.axes()[0].length() == Some(1) {
            let one = elementwise(NAME, &[covariances], at, |builder, x| builder.binary(BinaryOp::Div, x[0], x[0]))?;
            return squeezed(&one, NAME, at);
        }
        let variances = diagonal(NAME, &covariances, 0, [0, 1], at)?;
        let deviations = elementwise(NAME, &[variances], at, |builder, x| builder.unary(UnaryOp::Sqrt, x[0]))?;
        let (column, row) =
            (view(NAME, &deviations, &[Some(0), None], at)?, view(NAME, &deviations, &[None, Some(0)], at)?);
        let correlations = elementwise(NAME, &[covariances, column, row], at, |builder, x| {
            let part = builder.binary(BinaryOp::Div, x[0], x[1])?;
            let part = builder.binary(BinaryOp::Div, part, x[2])?;
            let (low, high) = (builder.constant(-1.0)?, builder.constant(1.0)?);
            builder.clip(part, Some(low), Some(high))
        })?;
        squeezed(&correlations, NAME, at)
    }
}
