//! Singular values and eigenvalues of matrices in one piece. Signs are chosen so that they do not depend on the way there.

use faer::{MatRef, Side};

use super::{Matrix, MatrixError, Real, Result};

/// `U`, the singular values in descending order, and `V` transposed.
pub type Svd<T> = (Vec<T>, Vec<T>, Vec<T>);

fn flat<T: Real>(matrix: MatRef<'_, T>) -> Vec<T> {
    let mut values = Vec::with_capacity(matrix.nrows() * matrix.ncols());
    for row in 0..matrix.nrows() {
        values.extend((0..matrix.ncols()).map(|column| matrix[(row, column)]));
    }
    values
}

/// For each column whether its element of the largest magnitude (the first one of several) is negative.
fn turned<T: Real>(matrix: MatRef<'_, T>) -> Vec<bool> {
    let column = |column: usize| {
        let mut largest = T::default();
        for row in 0..matrix.nrows() {
            let value = matrix[(row, column)];
            let magnitude = |value: T| if value < T::default() { -value } else { value };
            if magnitude(value) > magnitude(largest) {
                largest = value;
            }
        }
        largest < T::default()
    };
    (0..matrix.ncols()).map(column).collect()
}

/// The thin singular value decomposition: `U` of `rows x k`, `k` values, `V` transposed of `k x columns`, in row-major order. The
/// element of the largest magnitude in each row of `V` transposed is positive. About `rows * columns * k` times 20 operations.
///
/// ```
/// use talatat_linalg::{Matrix, dense::svd};
/// let (u, s, vt) = svd(Matrix::new(&[0.0, -2.0, 1.0, 0.0], 2, 2)?)?;
/// assert!((s[0] - 2.0_f64).abs() < 1e-14 && (s[1] - 1.0_f64).abs() < 1e-14);
/// assert!((vt[1] - 1.0).abs() < 1e-14 && (u[0] + 1.0).abs() < 1e-14);
/// # Ok::<(), talatat_linalg::MatrixError>(())
/// ```
///
/// # Errors
/// [`MatrixError::NoConvergence`].
pub fn svd<T: Real>(matrix: Matrix<'_, T>) -> Result<Svd<T>> {
    let (rows, columns) = matrix.shape();
    if rows == 0 || columns == 0 {
        return Ok((Vec::new(), Vec::new(), Vec::new()));
    }
    let source = finite(matrix, "the singular value decomposition")?;
    let svd = source.thin_svd().map_err(|_| MatrixError::NoConvergence("the singular value decomposition"))?;
    let signs = turned(svd.V());
    let k = rows.min(columns);
    let turn = |values: &mut [T]| {
        for row in values.chunks_exact_mut(k) {
            row.iter_mut().zip(&signs).filter(|(_, turned)| **turned).for_each(|(value, _)| *value = -*value);
        }
    };
    let mut u = flat(svd.U());
    turn(&mut u);
    let mut vt = flat(svd.V().transpose());
    for (row, turned) in vt.chunks_exact_mut(columns).zip(&signs) {
        if *turned {
            row.iter_mut().for_each(|value| *value = -*value);
        }
    }
    let values = svd.S().column_vector();
    Ok((u, (0..k).map(|at| values[at]).collect(), vt))
}

/// Eigenvalues in ascending order, and the eigenvectors as columns in row-major order (none, if they are not asked for), of a symmetric matrix
/// whose lower (or upper) triangle is read. The element of the largest magnitude in each eigenvector is positive.
///
/// # Errors
/// [`MatrixError::Shape`] if the matrix is not square, [`MatrixError::NoConvergence`].
pub fn eigh<T: Real>(matrix: Matrix<'_, T>, upper: bool, vectors: bool) -> Result<(Vec<T>, Vec<T>)> {
    let (rows, columns) = matrix.shape();
    if rows != columns {
        return Err(MatrixError::Shape(format!("eigenvalues of a matrix of {rows} x {columns}: it must be square")));
    }
    if rows == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    let source = finite(matrix, "the eigenvalue decomposition")?;
    let side = if upper { Side::Upper } else { Side::Lower };
    let lost = |_| MatrixError::NoConvergence("the eigenvalue decomposition");
    if !vectors {
        return Ok((source.self_adjoint_eigenvalues(side).map_err(lost)?, Vec::new()));
    }
    let found = source.self_adjoint_eigen(side).map_err(lost)?;
    let signs = turned(found.U());
    let mut vectors = flat(found.U());
    for row in vectors.chunks_exact_mut(columns) {
        row.iter_mut().zip(&signs).filter(|(_, turned)| **turned).for_each(|(value, _)| *value = -*value);
    }
    let values = found.S().column_vector();
    Ok(((0..rows).map(|at| values[at]).collect(), vectors))
}

fn finite<'a, T: Real>(matrix: Matrix<'a, T>, what: &'static str) -> Result<MatRef<'a, T>> {
    if matrix.values.iter().all(|value| faer::traits::math_utils::is_finite(value)) {
        return Ok(matrix.faer());
    }
    Err(MatrixError::NoConvergence(what))
}
