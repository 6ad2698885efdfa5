//! Decompositions of matrices: QR, singular values, eigenvalues.

use std::panic::Location;
use std::sync::Arc;

use crate::array::build::{cast, known_shape, rechunked, view};
use crate::array::dtype::{DType, Element, Promote};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::functions::gufunc::parts;
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::error::{Error, Result};
use crate::lower::array::{Dense, Factor, TallProduct, Whole};

pub(in crate::array) type At = &'static Location<'static>;

/// The types that matrices are decomposed in.
pub(in crate::array) trait Floating:
    Element<Float = Self, Sum = Self, Real = Self> + Promote<Self, Output = Self>
{
}

impl Floating for f32 {}
impl Floating for f64 {}

/// Runs `$body` with `$F` bound to `f32` or `f64`.
macro_rules! with_floating {
    ($expr:expr, $F:ident => $body:expr) => {
        if $expr.dtype == crate::array::dtype::DType::F32 {
            type $F = f32;
            $body
        } else {
            type $F = f64;
            $body
        }
    };
}
pub(in crate::array) use with_floating;

/// A matrix of floats, and its rows and columns.
pub(in crate::array) fn matrix(operation: &str, expr: &ExprRef, at: At) -> Result<(ExprRef, usize, usize)> {
    let expr = floating(operation, expr, at)?;
    match known_shape(operation, &expr, at)?.as_slice() {
        &[rows, columns] => Ok((expr, rows, columns)),
        shape => {
            let reason = format!("an array of {} dimensions: a matrix has two", shape.len());
            Err(Error::invalid_at(operation, reason, at))
        }
    }
}

/// The array in `float32` or `float64`.
pub(in crate::array) fn floating(operation: &str, expr: &ExprRef, at: At) -> Result<ExprRef> {
    let expr = cast(expr, expr.dtype.float(), at)?;
    if matches!(expr.dtype, DType::F32 | DType::F64) {
        return Ok(expr);
    }
    let reason = format!("it is not defined on {}: on float32 and float64 it is", expr.dtype);
    Err(Error::invalid_at(operation, reason, at))
}

/// A transposed matrix.
pub(in crate::array) fn turned(operation: &str, expr: &ExprRef, at: At) -> Result<ExprRef> {
    view(operation, expr, &[Some(1), Some(0)], at)
}

/// The matrix in chunks of whole rows, and its factor R.
fn factored(expr: &ExprRef, rows: usize, columns: usize, at: At) -> (ExprRef, ExprRef) {
    let cut = Grid::new([expr.grid.axes()[0].clone(), Axis::whole(columns)]);
    let input = rechunked(expr, cut, at);
    let op = Op::Custom(Arc::new(Factor { dtype: expr.dtype }));
    let r = Expr::new(expr.dtype, Grid::whole(&[rows.min(columns), columns]), op, [input.clone()], at);
    (input, r)
}

/// Q times a matrix in one block, or Q itself.
fn tall_product(input: &ExprRef, r: &ExprRef, top: Option<&ExprRef>, width: usize, at: At) -> ExprRef {
    let grid = Grid::new([input.grid.axes()[0].clone(), Axis::whole(width)]);
    let inputs: Vec<ExprRef> = [input, r].into_iter().chain(top).cloned().collect();
    Expr::new(input.dtype, grid, Op::Custom(Arc::new(TallProduct)), inputs, at)
}

/// The parts of a decomposition of a matrix in one block, in a type.
pub(in crate::array) fn dense(input: &ExprRef, what: Whole, dtype: DType, grids: Vec<Grid>, at: At) -> Vec<ExprRef> {
    let shape = input.grid.shape().unwrap_or_default();
    let input = rechunked(input, Grid::whole(&shape), at);
    let op = Op::Custom(Arc::new(Dense { what, dtype: input.dtype }));
    let whole = Expr::new(dtype, grids[0].clone(), op, [input], at);
    parts(&whole, grids.into_iter()).collect()
}

/// Q and R.
pub(in crate::array) fn qr(operation: &str, expr: &ExprRef, at: At) -> Result<(ExprRef, ExprRef)> {
    let (expr, rows, columns) = matrix(operation, expr, at)?;
    let (input, r) = factored(&expr, rows, columns, at);
    Ok((tall_product(&input, &r, None, rows.min(columns), at), r))
}

/// U, the singular values, V transposed.
pub(in crate::array) fn svd(operation: &str, expr: &ExprRef, at: At) -> Result<[ExprRef; 3]> {
    let (expr, rows, columns) = matrix(operation, expr, at)?;
    if rows < columns {
        let [u, s, vt] = svd(operation, &turned(operation, &expr, at)?, at)?;
        return Ok([turned(operation, &vt, at)?, s, turned(operation, &u, at)?]);
    }
    let k = columns;
    let grids = vec![Grid::whole(&[k, k]), Grid::whole(&[k]), Grid::whole(&[k, columns])];
    let (input, r) = factored(&expr, rows, columns, at);
    match dense(&r, Whole::Svd, r.dtype, grids, at).as_slice() {
        [u, s, vt] => Ok([tall_product(&input, &r, Some(u), k, at), s.clone(), vt.clone()]),
        _ => Err(Error::invalid_at(operation, "a decomposition without its parts", at)),
    }
}

impl<T: Element> Array<T> {
    /// The reduced QR decomposition: `Q` of `rows x k` with orthonormal columns and upper triangular `R` of `k x columns`, `k` the
    /// smaller of the two.
    ///
    /// The matrix is cut in chunks of whole rows; each is factored by itself, and their R again, eight at a time: a tree of fixed shape.
    /// `R` has no negative element on its diagonal (NumPy has either sign), so both are unique for a matrix of full rank, and depend on
    /// the chunks by rounding alone. Best for tall matrices: a task holds a chunk of rows and, at the top, `8 * columns` rows.
    /// `R` alone is about half of the work.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::uniform(0.0, 1.0, [100, 3], 1)?.rechunk([20, 2])?;
    /// let (q, r) = x.qr()?;
    /// assert_eq!((q.shape()?, r.shape()?), (vec![100, 3], vec![3, 3]));
    /// let error = (q.matmul(&r)? - &x).abs().max(..)?.item()?.compute()?;
    /// assert!(error < 1e-14);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array is no matrix of real numbers, or a length is known only when computed.
    #[track_caller]
    #[allow(clippy::type_complexity)]
    pub fn qr(&self) -> Result<(Array<T::Float>, Array<T::Float>)> {
        let (q, r) = qr("qr", self.expr()?, Location::caller())?;
        Ok((Array::from_expr(q), Array::from_expr(r)))
    }

    /// The thin singular value decomposition: `U` of `rows x k`, `k` singular values in descending order, `V` transposed of `k x columns`.
    ///
    /// By [`qr`](Array::qr) of the matrix (of its transpose, if it is wide) and the decomposition of R, so best for matrices that
    /// are much longer one way. The element of the largest magnitude of each singular vector on the shorter side is positive.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::uniform(0.0, 1.0, [100, 3], 1)?.rechunk([20, 2])?;
    /// let (u, s, vt) = x.svd()?;
    /// let error = ((u * s).matmul(&vt)? - &x).abs().max(..)?.item()?.compute()?;
    /// assert!(error < 1e-13);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`qr`](Array::qr). Computing it fails for elements that are not finite.
    #[track_caller]
    #[allow(clippy::type_complexity)]
    pub fn svd(&self) -> Result<(Array<T::Float>, Array<T::Float>, Array<T::Float>)> {
        let [u, s, vt] = svd("svd", self.expr()?, Location::caller())?;
        Ok((Array::from_expr(u), Array::from_expr(s), Array::from_expr(vt)))
    }

    /// The `k` largest singular values and their vectors, about: the randomised method of Halko, Martinsson and Tropp, *Finding structure
    /// with randomness* (2011).
    ///
    /// The matrix is read `2 + 2 * iterations` times, and only its products with `k + oversamples` vectors are kept. More `iterations` (0 to
    /// 4) help where singular values fall slowly. Chunks may be of any form. Signs are those of [`svd`](Array::svd).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::arange;
    /// // A matrix of rank 2.
    /// let x = arange::<f64>(0.0, 600.0, 1.0)?.reshape([30, 20])?.rechunk(8)?;
    /// let (u, s, vt) = x.svd_compressed(2, 10, 0, 1)?;
    /// let error = ((u * s).matmul(&vt)? - &x).abs().max(..)?.item()?.compute()?;
    /// assert!(error < 1e-10);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`svd`](Array::svd).
    #[track_caller]
    #[allow(clippy::type_complexity)]
    pub fn svd_compressed(
        &self,
        k: usize,
        oversamples: usize,
        iterations: usize,
        seed: u64,
    ) -> Result<(Array<T::Float>, Array<T::Float>, Array<T::Float>)> {
        const NAME: &str = "svd_compressed";
        let at = Location::caller();
        let (expr, rows, columns) = matrix(NAME, self.expr()?, at)?;
        let count = k.saturating_add(oversamples).min(rows).min(columns);
        let k = k.min(count);
        let results = with_floating!(expr, F => compressed::<F>(&expr, [k, count, iterations], seed, columns, at))?;
        let [u, s, vt] = results;
        Ok((Array::from_expr(u), Array::from_expr(s), Array::from_expr(vt)))
    }

    /// Eigenvalues in ascending order and eigenvectors (as columns) of a symmetric matrix, whose lower triangle (`upper`: the upper one) is
    /// read.
    ///
    /// The matrix is put in one block: one task, whose memory is about four times the matrix. The element of the largest magnitude
    /// in each eigenvector is positive.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[2.0_f64, 1.0], [1.0, 2.0]], 1)?;
    /// let (values, _) = x.eigh(false)?;
    /// let values = values.compute()?;
    /// assert!((values[[0]] - 1.0).abs() < 1e-14 && (values[[1]] - 3.0).abs() < 1e-14);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`svd`](Array::svd), and if the matrix is not square.
    #[track_caller]
    #[allow(clippy::type_complexity)]
    pub fn eigh(&self, upper: bool) -> Result<(Array<T::Float>, Array<T::Float>)> {
        let at = Location::caller();
        let (expr, n) = square("eigh", self.expr()?, at)?;
        let mut found =
            dense(&expr, Whole::Eigh { upper }, expr.dtype, vec![Grid::whole(&[n]), Grid::whole(&[n, n])], at)
                .into_iter();
        match (found.next(), found.next()) {
            (Some(values), Some(vectors)) => Ok((Array::from_expr(values), Array::from_expr(vectors))),
            _ => Err(Error::invalid_at("eigh", "a decomposition without its parts", at)),
        }
    }
}

/// A square matrix of floats, and its length.
pub(in crate::array) fn square(operation: &str, expr: &ExprRef, at: At) -> Result<(ExprRef, usize)> {
    square_of(operation, floating(operation, expr, at)?, at)
}

/// A square matrix, and its length.
pub(in crate::array) fn square_of(operation: &str, expr: ExprRef, at: At) -> Result<(ExprRef, usize)> {
    let reason = match known_shape(operation, &expr, at)?.as_slice() {
        &[rows, columns] if rows == columns => return Ok((expr, rows)),
        &[rows, columns] => format!("a matrix of {rows} x {columns}: it must be square"),
        shape => format!("an array of {} dimensions: a matrix has two", shape.len()),
    };
    Err(Error::invalid_at(operation, reason, at))
}

/// The randomised decomposition: `k` of `count` directions.
fn compressed<F: Floating>(
    expr: &ExprRef,
    [k, count, iterations]: [usize; 3],
    seed: u64,
    columns: usize,
    at: At,
) -> Result<[ExprRef; 3]> {
    const NAME: &str = "svd_compressed";
    let x = Array::<F>::from_expr(expr.clone());
    let directions = crate::array::random::normal(0.0, 1.0, [columns, count], seed)?.astype::<F>();
    let orthonormal =
        |product: Array<F>| -> Result<Array<F>> { Ok(Array::from_expr(qr(NAME, product.expr()?, at)?.0)) };
    let mut basis = orthonormal(x.matmul(&directions)?)?;
    for _ in 0..iterations {
        let back = orthonormal(x.t().matmul(&basis)?)?;
        basis = orthonormal(x.matmul(&back)?)?;
    }
    let small = basis.t().matmul(&x)?;
    let [u, s, vt] = svd(NAME, small.expr()?, at)?;
    let u = basis.matmul(&Array::<F>::from_expr(u))?;
    let first = |expr: &ExprRef, axis: usize| {
        let range = crate::array::range::StepRange { start: 0, step: 1, length: k };
        crate::array::shape::arrange::part(expr, axis, range, at)
    };
    Ok([first(u.expr()?, 1), first(&s, 0), first(&vt, 0)])
}
