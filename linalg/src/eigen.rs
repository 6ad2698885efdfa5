//! Eigenvalues of square matrices of real or complex numbers, in one piece.

use faer::MatRef;
use faer::traits::{ComplexField, Conjugate};
use num_complex::Complex;
use num_traits::Float;

use super::{Matrix, MatrixError, Real, Result};

/// Elements of matrices that have eigenvalues: real and complex numbers.
pub trait Scalar: ComplexField<Real = Self::Part> + Conjugate<Canonical = Self> + Copy + Default + 'static {
    /// What real and imaginary parts are.
    type Part: Real + Float;
}

impl Scalar for f32 {
    type Part = f32;
}

impl Scalar for f64 {
    type Part = f64;
}

impl Scalar for Complex<f32> {
    type Part = f32;
}

impl Scalar for Complex<f64> {
    type Part = f64;
}

/// Eigenvalues, and eigenvectors as columns in row-major order.
pub type Eigen<T> = (Vec<Complex<T>>, Vec<Complex<T>>);

const WHAT: &str = "the eigenvalue decomposition";

fn square<'a, T: Scalar>(matrix: Matrix<'a, T>) -> Result<(MatRef<'a, T>, usize)> {
    let (rows, columns) = matrix.shape();
    if rows != columns {
        return Err(MatrixError::Shape(format!("eigenvalues of a matrix of {rows} x {columns}: it must be square")));
    }
    if !matrix.values.iter().all(|value| faer::traits::math_utils::is_finite(value)) {
        return Err(MatrixError::NoConvergence(WHAT));
    }
    Ok((matrix.faer(), rows))
}

/// The eigenvalues, in the order they are found in. About `10 n³` operations.
///
/// ```
/// use talatat_linalg::{Matrix, eigen::eigenvalues};
/// // A rotation by a right angle.
/// let mut found = eigenvalues(Matrix::new(&[0.0_f64, -1.0, 1.0, 0.0], 2, 2)?)?;
/// found.sort_by(|a, b| a.im.total_cmp(&b.im));
/// assert!(found[0].re.abs() < 1e-15 && (found[0].im + 1.0).abs() < 1e-15 && (found[1].im - 1.0).abs() < 1e-15);
/// # Ok::<(), talatat_linalg::MatrixError>(())
/// ```
///
/// # Errors
/// [`MatrixError::Shape`] if the matrix is not square, [`MatrixError::NoConvergence`].
pub fn eigenvalues<T: Scalar>(matrix: Matrix<'_, T>) -> Result<Vec<Complex<T::Part>>> {
    match square(matrix)? {
        (_, 0) => Ok(Vec::new()),
        (matrix, _) => matrix.eigenvalues().map_err(|_| MatrixError::NoConvergence(WHAT)),
    }
}

/// Eigenvalues, and eigenvectors of length 1 as columns in row-major order. The element of the largest magnitude (the first one of several) of each
/// eigenvector is real and positive. About `25 n³` operations.
///
/// # Errors
/// As [`eigenvalues`].
pub fn eigen<T: Scalar>(matrix: Matrix<'_, T>) -> Result<Eigen<T::Part>> {
    let (matrix, n) = match square(matrix)? {
        (_, 0) => return Ok((Vec::new(), Vec::new())),
        square => square,
    };
    let found = matrix.eigen().map_err(|_| MatrixError::NoConvergence(WHAT))?;
    let (columns, values) = (found.U(), found.S().column_vector());
    let mut vectors = vec![Complex::new(T::Part::default(), T::Part::default()); n * n];
    for column in 0..n {
        let own = || (0..n).map(|row| columns[(row, column)]);
        let mut largest = own().next().unwrap_or_default();
        for value in own() {
            if value.norm() > largest.norm() {
                largest = value;
            }
        }
        let length = Float::sqrt(own().fold(T::Part::default(), |sum, value| sum + value.norm_sqr()));
        // Divided by its direction and by the length.
        let turn =
            if T::Part::default() < largest.norm() { largest.conj().unscale(largest.norm() * length) } else { largest };
        for (value, slot) in own().zip(vectors.iter_mut().skip(column).step_by(n)) {
            *slot = value * turn;
        }
    }
    Ok(((0..n).map(|at| values[at]).collect(), vectors))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest magnitude in `a v - v diag(w)`.
    fn rest(values: &[Complex<f64>], n: usize) -> f64 {
        let (w, v) = eigen(Matrix::new(values, n, n).unwrap()).unwrap();
        let mut largest = 0.0_f64;
        for row in 0..n {
            for column in 0..n {
                let product: Complex<f64> = (0..n).map(|at| values[row * n + at] * v[at * n + column]).sum();
                largest = largest.max((product - v[row * n + column] * w[column]).norm());
            }
        }
        for column in 0..n {
            let length: f64 = (0..n).map(|row| v[row * n + column].norm_sqr()).sum();
            assert!((length - 1.0).abs() < 1e-12);
        }
        largest
    }

    #[test]
    fn vectors_belong_to_values() {
        for n in [1, 2, 3, 7, 20, 40] {
            let number = |at: usize| Complex::new((at * at % 13) as f64 - 6.0, (at * 7 % 11) as f64 - 5.0);
            let complex: Vec<_> = (0..n * n).map(number).collect();
            assert!(rest(&complex, n) < 1e-10, "{n}");
            let real: Vec<f64> = complex.iter().map(|value| value.re).collect();
            let (w, v) = eigen(Matrix::new(&real, n, n).unwrap()).unwrap();
            assert!((w.len(), v.len()) == (n, n * n));
            let trace: f64 = (0..n).map(|at| real[at * n + at]).sum();
            assert!((w.iter().sum::<Complex<f64>>() - trace).norm() < 1e-9, "{n}");
            let alone = eigenvalues(Matrix::new(&real, n, n).unwrap()).unwrap();
            assert!((alone.iter().sum::<Complex<f64>>() - trace).norm() < 1e-9, "{n}");
        }
    }

    #[test]
    fn odd_matrices() {
        assert_eq!(eigenvalues(Matrix::<f64>::new(&[], 0, 0).unwrap()), Ok(Vec::new()));
        assert!(eigen(Matrix::new(&[f64::NAN], 1, 1).unwrap()).is_err());
        assert!(eigen(Matrix::new(&[1.0, 2.0], 1, 2).unwrap()).is_err());
        let (_, vectors) = eigen(Matrix::new(&[0.0_f64; 4], 2, 2).unwrap()).unwrap();
        assert!(vectors.iter().all(|value| value.re.is_finite()));
    }
}
