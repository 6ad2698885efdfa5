//! Systems of linear equations: LU, Cholesky, triangles, least squares, determinants.

use std::panic::Location;
use std::sync::Arc;

use crate::array::build::{elementwise, rechunked, view};
use crate::array::create::constants::eye;
use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::kernels::program::BinaryOp;
use crate::array::linalg::decompose::{At, Floating, floating, matrix, square, svd, with_floating};
use crate::error::{Error, Result};
use crate::lower::array::{Factorization, Order, Solve};

/// Panels of a matrix that is not cut along its columns have at least so many.
const NARROWEST: usize = 128;

/// The matrix in panels: all rows of some columns.
fn in_panels(expr: &ExprRef, at: At) -> ExprRef {
    let [rows, columns] = expr.grid.axes() else { return expr.clone() };
    let (Some(rows), Some(length)) = (rows.length(), columns.length()) else { return expr.clone() };
    let panels = if columns.chunks() > 1 {
        Axis::regular(length, columns.longest().unwrap_or(1).max(NARROWEST.min(length)))
    } else {
        Axis::regular(length, length.div_ceil(8).max(NARROWEST))
    };
    rechunked(expr, Grid::new([Axis::whole(rows), panels]), at)
}

fn factorized(what: Factorization, expr: &ExprRef, at: At) -> ExprRef {
    let input = in_panels(expr, at);
    Expr::new(expr.dtype, input.grid.clone(), Op::Custom(Arc::new(what)), [input], at)
}

/// The order of the rows, or its sign in a type.
fn order(packed: &ExprRef, rows: usize, sign: Option<DType>, at: At) -> ExprRef {
    let grid = if sign.is_some() { Grid::whole(&[]) } else { Grid::whole(&[rows]) };
    let op = Op::Custom(Arc::new(Order { rows, sign }));
    Expr::new(sign.unwrap_or(DType::I64), grid, op, [packed.clone()], at)
}

/// Substitutes right-hand sides, one or a matrix of them.
fn substituted(
    operation: &str,
    solve: Solve,
    matrix: &ExprRef,
    order: Option<ExprRef>,
    b: &ExprRef,
    at: At,
) -> Result<ExprRef> {
    let n = matrix.grid.axes()[0].length();
    let b = floating(operation, b, at)?;
    let dtype = matrix.dtype.promote(b.dtype);
    let (matrix, b) = (crate::array::build::cast(matrix, dtype, at)?, crate::array::build::cast(&b, dtype, at)?);
    let one = b.ndim() == 1;
    if b.ndim() == 0 || b.ndim() > 2 || b.grid.axes()[0].length() != n || b.grid.shape().is_none() {
        let (own, other) = (crate::array::grid::shape_text(&matrix.grid), crate::array::grid::shape_text(&b.grid));
        let reason = format!("right-hand sides of the shape {other} for a matrix of {own}: they have as many rows");
        return Err(Error::invalid_at(operation, reason, at));
    }
    let b = if one { view(operation, &b, &[Some(0), None], at)? } else { b };
    let cut = Grid::new([Axis::whole(n.unwrap_or(0)), b.grid.axes()[1].clone()]);
    let b = rechunked(&b, cut.clone(), at);
    let inputs: Vec<ExprRef> = [b, matrix].into_iter().chain(order).collect();
    let x = Expr::new(dtype, cut, Op::Custom(Arc::new(solve)), inputs, at);
    if one { view(operation, &x, &[Some(0)], at) } else { Ok(x) }
}

/// `a x = b` by LU.
fn solved(operation: &str, a: &ExprRef, b: &ExprRef, at: At) -> Result<ExprRef> {
    let (a, n) = square(operation, a, at)?;
    let packed = factorized(Factorization::Lu, &a, at);
    let order = order(&packed, n, None, at);
    let solve = Solve { lower: Some(true), upper: Some(false) };
    substituted(operation, solve, &packed, Some(order), b, at)
}

impl<T: Element> Array<T> {
    /// SciPy's `lu`: a permutation `P`, unit lower triangular `L` of `rows x k`, upper triangular `U` of `k x columns`, whose product is
    /// the matrix.
    ///
    /// With partial pivoting, as LAPACK has it: the matrix is cut in panels (all rows of some columns), so pivots are looked for in whole columns. `P²`
    /// tasks for `P` panels; a task holds two panels.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::uniform(0.0, 1.0, [5, 5], 1)?.rechunk(2)?;
    /// let (p, l, u) = x.lu()?;
    /// let error = (p.matmul(&l)?.matmul(&u)? - &x).abs().max(..)?.item()?.compute()?;
    /// assert!(error < 1e-14);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array is no matrix of real numbers, or a length is known only when computed.
    #[track_caller]
    #[allow(clippy::type_complexity)]
    pub fn lu(&self) -> Result<(Array<T::Float>, Array<T::Float>, Array<T::Float>)> {
        let at = Location::caller();
        let (expr, rows, columns) = matrix("lu", self.expr()?, at)?;
        let packed = factorized(Factorization::Lu, &expr, at);
        let order = order(&packed, rows, None, at);
        // Row i of the permutation has its one where row i went.
        let places = crate::array::create::constants::arange::<i64>(0, rows as i64, 1)?;
        let places = view("lu", places.expr()?, &[Some(0), None], at)?;
        let order = view("lu", &order, &[None, Some(0)], at)?;
        let ones = elementwise("lu", &[places, order], at, |builder, registers| {
            let same = builder.binary(BinaryOp::Eq, registers[0], registers[1])?;
            builder.cast(same, expr.dtype)
        })?;
        let k = rows.min(columns);
        let part = |expr: &ExprRef, axis: usize| {
            crate::array::shape::arrange::part(
                expr,
                axis,
                crate::array::range::StepRange { start: 0, step: 1, length: k },
                at,
            )
        };
        let (lower, upper) = with_floating!(expr, F => {
            let lower = Array::<F>::from_expr(part(&packed, 1)).tril(-1)? + eye::<F>(rows, k, 0);
            let upper = Array::<F>::from_expr(part(&packed, 0)).triu(0)?;
            (lower.expr()?.clone(), upper.expr()?.clone())
        });
        Ok((Array::from_expr(ones), Array::from_expr(lower), Array::from_expr(upper)))
    }

    /// The Cholesky factor of a symmetric positive definite matrix, whose lower triangle is read: lower triangular `L` with `L @ L.t()`
    /// the matrix.
    ///
    /// By panels, as [`lu`](Array::lu).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[4.0_f64, 2.0], [2.0, 5.0]], 1)?;
    /// assert_eq!(x.cholesky()?.compute()?, ndarray::array![[2.0_f64, 0.0], [1.0, 2.0]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`lu`](Array::lu), and if the matrix is not square. Computing it fails if the matrix is not positive definite.
    #[track_caller]
    pub fn cholesky(&self) -> Result<Array<T::Float>> {
        let at = Location::caller();
        let (expr, _) = square("cholesky", self.expr()?, at)?;
        Ok(Array::from_expr(factorized(Factorization::Cholesky, &expr, at)))
    }

    /// The solution of `self @ x = b`, for one right-hand side or the columns of a matrix of them, by [`lu`](Array::lu).
    ///
    /// A matrix without an inverse gives infinities or NaN (NumPy fails). Columns of `b` in different chunks are solved side by side.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::from_ndarray;
    /// let a = from_ndarray(ndarray::array![[0.0_f64, 2.0], [4.0, 0.0]], 1)?;
    /// let x = a.solve(&from_ndarray(ndarray::array![2.0, 8.0], 1)?)?;
    /// assert_eq!(x.compute()?.into_raw_vec_and_offset().0, [2.0, 1.0]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array is no square matrix, `b` has another number of rows or more than two axes, or a length is known only when computed.
    #[track_caller]
    pub fn solve(&self, b: &Array<T>) -> Result<Array<T::Float>> {
        Ok(Array::from_expr(solved("solve", self.expr()?, b.expr()?, Location::caller())?))
    }

    /// The solution of `self @ x = b` for a lower or upper triangular matrix; the other triangle is not looked at.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::from_ndarray;
    /// let a = from_ndarray(ndarray::array![[2.0_f64, 9.0], [1.0, 4.0]], 1)?;
    /// let x = a.solve_triangular(&from_ndarray(ndarray::array![2.0, 9.0], 1)?, true)?;
    /// assert_eq!(x.compute()?.into_raw_vec_and_offset().0, [1.0, 2.0]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`solve`](Array::solve).
    #[track_caller]
    pub fn solve_triangular(&self, b: &Array<T>, lower: bool) -> Result<Array<T::Float>> {
        let at = Location::caller();
        let (a, _) = square("solve_triangular", self.expr()?, at)?;
        let solve = Solve { lower: lower.then_some(false), upper: (!lower).then_some(false) };
        let x = substituted("solve_triangular", solve, &in_panels(&a, at), None, b.expr()?, at)?;
        Ok(Array::from_expr(x))
    }

    /// The inverse of a square matrix, by [`lu`](Array::lu); infinities or NaN if there is none.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[0.0_f64, 2.0], [4.0, 0.0]], 1)?;
    /// assert_eq!(x.inv()?.compute()?, ndarray::array![[0.0_f64, 0.25], [0.5, 0.0]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array is no square matrix of real numbers, or a length is known only when computed.
    #[track_caller]
    pub fn inv(&self) -> Result<Array<T::Float>> {
        let at = Location::caller();
        let (a, n) = square("inv", self.expr()?, at)?;
        let panels = in_panels(&a, at).grid.clone();
        let ones = with_floating!(a, F => rechunked(eye::<F>(n, n, 0).expr()?, panels, at));
        Ok(Array::from_expr(solved("inv", &a, &ones, at)?))
    }

    /// The sign of the determinant of a square matrix, and the logarithm of its magnitude: no overflow. By [`lu`](Array::lu).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let (sign, log) = (talatat::array::eye::<f64>(3, 3, 0) * -2.0).slogdet()?;
    /// assert_eq!(sign.item()?.compute()?, -1.0);
    /// assert!((log.item()?.compute()? - 8_f64.ln()).abs() < 1e-14);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`inv`](Array::inv).
    #[track_caller]
    #[allow(clippy::type_complexity)]
    pub fn slogdet(&self) -> Result<(Array<T::Float>, Array<T::Float>)> {
        let at = Location::caller();
        let (a, n) = square("slogdet", self.expr()?, at)?;
        let (sign, log) = with_floating!(a, F => {
            let (diagonal, sign) = diagonal::<F>(&a, n, at)?;
            let log = diagonal.abs().log().sum(..)?;
            ((sign * diagonal.sign().prod(..)?).expr()?.clone(), log.expr()?.clone())
        });
        Ok((Array::from_expr(sign), Array::from_expr(log)))
    }

    /// The determinant of a square matrix, by [`lu`](Array::lu).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[0.0_f64, 2.0], [4.0, 0.0]], 1)?;
    /// assert_eq!(x.det()?.item()?.compute()?, -8.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`inv`](Array::inv).
    #[track_caller]
    pub fn det(&self) -> Result<Array<T::Float>> {
        let at = Location::caller();
        let (a, n) = square("det", self.expr()?, at)?;
        let det = with_floating!(a, F => {
            let (diagonal, sign) = diagonal::<F>(&a, n, at)?;
            (sign * diagonal.prod(..)?).expr()?.clone()
        });
        Ok(Array::from_expr(det))
    }

    /// NumPy's `lstsq`: `x` with the smallest `|b - self @ x|` (and of those the one with the smallest norm), the sums of squared residuals, the rank, the
    /// singular values.
    ///
    /// Singular values below `rcond` times the largest one count as zeros; NumPy's default, the precision times the longer side, for none. By
    /// [`svd`](Array::svd), so best for tall matrices. The residuals are always there (NumPy leaves them out where the rank is not
    /// full).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, from_ndarray};
    /// // A line through three points.
    /// let a = from_ndarray(ndarray::array![[0.0_f64, 1.0], [1.0, 1.0], [2.0, 1.0]], 1)?;
    /// let line = a.lstsq(&arange::<f64>(1.0, 7.0, 2.0)?, None)?;
    /// let x = line.x.compute()?;
    /// assert!((x[[0]] - 2.0).abs() < 1e-14 && (x[[1]] - 1.0).abs() < 1e-14);
    /// assert_eq!(line.rank.item()?.compute()?, 2);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`solve`](Array::solve), but for any matrix.
    #[track_caller]
    pub fn lstsq(&self, b: &Array<T>, rcond: Option<f64>) -> Result<LeastSquares<T::Float>> {
        let at = Location::caller();
        let (a, rows, columns) = matrix("lstsq", self.expr()?, at)?;
        let b = floating("lstsq", b.expr()?, at)?;
        if b.ndim() == 0 || b.ndim() > 2 || b.grid.axes()[0].length() != Some(rows) {
            let reason =
                format!("right-hand sides of the shape {} for {rows} rows", crate::array::grid::shape_text(&b.grid));
            return Err(Error::invalid_at("lstsq", reason, at));
        }
        let precision = if a.dtype == DType::F32 { f64::from(f32::EPSILON) } else { f64::EPSILON };
        let rcond = rcond.unwrap_or(precision * rows.max(columns) as f64);
        let [x, residuals, rank, s] = with_floating!(a, F => least_squares::<F>(&a, &b, rcond, at))?;
        Ok(LeastSquares {
            x: Array::from_expr(x),
            residuals: Array::from_expr(residuals),
            rank: Array::from_expr(rank),
            singular_values: Array::from_expr(s),
        })
    }
}

/// What [`Array::lstsq`] finds.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{LeastSquares, ones};
/// let found: LeastSquares<f64> = ones::<f64>([4, 1]).lstsq(&ones::<f64>([4]), None)?;
/// assert!((found.singular_values.compute()?[[0]] - 2.0).abs() < 1e-14);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LeastSquares<T> {
    /// The solution: as many rows as the matrix has columns.
    pub x: Array<T>,
    /// The sum of squared residuals of each right-hand side.
    pub residuals: Array<T>,
    /// How many singular values count.
    pub rank: Array<i64>,
    /// The singular values of the matrix, in descending order.
    pub singular_values: Array<T>,
}

/// The diagonal of U, and the sign of the order of the rows.
fn diagonal<F: Floating>(a: &ExprRef, n: usize, at: At) -> Result<(Array<F>, Array<F>)> {
    let packed = factorized(Factorization::Lu, a, at);
    let sign = Array::from_expr(order(&packed, n, Some(F::DTYPE), at));
    Ok((Array::<F>::from_expr(packed).diagonal(0, 0, 1)?, sign))
}

fn least_squares<F: Floating>(a: &ExprRef, b: &ExprRef, rcond: f64, at: At) -> Result<[ExprRef; 4]> {
    let b = Array::<F>::from_expr(crate::array::build::cast(b, F::DTYPE, at)?);
    let [u, s, vt] = svd("lstsq", a, at)?.map(Array::<F>::from_expr);
    // Zero is not above zero: of a matrix of zeros nothing counts.
    let limit = s.max(..)?.astype::<f64>() * rcond;
    let counts = s.astype::<f64>().greater(limit);
    let inverse =
        crate::array::elementwise::operators::where_(&counts, s.astype::<f64>().reciprocal(), 0.0).astype::<F>();
    let column = |x: Array<F>| -> Result<Array<F>> { if b.ndim() == 1 { Ok(x) } else { x.expand_dims(1) } };
    let projected = u.t().matmul(&b)? * column(inverse)?;
    let x = vt.t().matmul(&projected)?;
    let a = Array::<F>::from_expr(a.clone());
    let rest = &b - a.matmul(&x)?;
    let residuals = (&rest * &rest).sum(0)?;
    let residuals = if b.ndim() == 1 { residuals.expand_dims(0)? } else { residuals };
    let rank = counts.sum(..)?;
    Ok([x.expr()?.clone(), residuals.expr()?.clone(), rank.expr()?.clone(), s.expr()?.clone()])
}
