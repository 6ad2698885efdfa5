//! Kernels on matrices in slices, by [faer](https://docs.rs/faer), one thread each: the scheduler makes them parallel.
//!
//! A crate of its own, which knows nothing of arrays, blocks and tasks: its functions are generic inside and take long to compile.
//! All matrices are in row-major order; a [`Matrix`] that is read may be a transposed one.
//!
//! - Products: [`add_product`].
//! - [`qr`]: factors of tall matrices, piece by piece.
//! - [`panel`]: steps of elimination on whole columns: LU, Cholesky, substitution.
//! - [`dense`]: singular values and eigenvalues of a symmetric matrix in one piece; [`eigen`]: eigenvalues of any square matrix.

pub mod dense;
pub mod eigen;
pub mod panel;
pub mod qr;

use faer::{Accum, MatMut, MatRef, Par};

/// What can go wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatrixError {
    /// Matrices that do not fit, or a slice that is not as long as its matrix.
    #[error("{0}")]
    Shape(String),
    /// A matrix without a Cholesky factor.
    #[error("the matrix is not positive definite")]
    NotPositiveDefinite,
    /// An iteration that did not end; elements that are not finite are one reason.
    #[error("{0} did not converge: are all elements finite?")]
    NoConvergence(&'static str),
}

/// The result of a kernel.
pub type Result<T> = std::result::Result<T, MatrixError>;

/// Elements of matrices: `f32` and `f64`.
pub trait Real:
    faer::traits::RealField
    + Copy
    + Default
    + PartialOrd
    + std::ops::Neg<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::fmt::Debug
    + Send
    + Sync
    + 'static
{
    /// 1.
    const ONE: Self;
}

impl Real for f32 {
    const ONE: f32 = 1.0;
}

impl Real for f64 {
    const ONE: f64 = 1.0;
}

/// A matrix that is read.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a, T> Matrix<'a, T> {
    /// Elements in row-major order.
    ///
    /// # Errors
    /// [`MatrixError::Shape`] if there are not `rows * columns` of them.
    pub fn new(values: &'a [T], rows: usize, columns: usize) -> Result<Matrix<'a, T>> {
        check(values.len(), rows, columns)?;
        Ok(Matrix { values, rows, columns, transposed: false })
    }

    /// The same elements with rows as columns.
    #[must_use]
    pub fn t(self) -> Matrix<'a, T> {
        Matrix { rows: self.columns, columns: self.rows, transposed: !self.transposed, ..self }
    }

    /// How many rows and columns there are.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    fn faer(&self) -> MatRef<'a, T> {
        if self.transposed {
            MatRef::from_column_major_slice(self.values, self.rows, self.columns)
        } else {
            MatRef::from_row_major_slice(self.values, self.rows, self.columns)
        }
    }
}

fn check(length: usize, rows: usize, columns: usize) -> Result<()> {
    if rows.checked_mul(columns) == Some(length) {
        return Ok(());
    }
    Err(MatrixError::Shape(format!("{length} elements for a matrix of {rows} x {columns}")))
}

fn faer_mut<T: Real>(values: &mut [T], rows: usize, columns: usize) -> Result<MatMut<'_, T>> {
    check(values.len(), rows, columns)?;
    Ok(MatMut::from_row_major_slice_mut(values, rows, columns))
}

/// `sum += factor * left @ right`.
///
/// ```
/// use talatat_linalg::{Matrix, add_product};
/// let mut sum = [1.0, 0.0, 0.0, 1.0];
/// let x = Matrix::new(&[1.0, 2.0, 3.0, 4.0], 2, 2)?;
/// add_product(x, x.t(), 1.0, &mut sum)?;
/// assert_eq!(sum, [6.0, 11.0, 11.0, 26.0]);
/// # Ok::<(), talatat_linalg::MatrixError>(())
/// ```
///
/// # Errors
/// [`MatrixError::Shape`] if the matrices do not fit.
pub fn add_product<T: Real>(left: Matrix<'_, T>, right: Matrix<'_, T>, factor: T, sum: &mut [T]) -> Result<()> {
    if left.columns != right.rows {
        let ((a, b), (c, d)) = (left.shape(), right.shape());
        return Err(MatrixError::Shape(format!("a product of {a} x {b} and {c} x {d}")));
    }
    let sum = faer_mut(sum, left.rows, right.columns)?;
    if left.columns > 0 {
        faer::linalg::matmul::matmul(sum, Accum::Add, left.faer(), right.faer(), factor, Par::Seq);
    }
    Ok(())
}
