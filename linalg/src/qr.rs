//! QR factors of tall matrices, piece by piece.
//!
//! A flat tree after Demmel, Grigori, Hoemmen and Langou, *Communication-optimal parallel and sequential QR and LU factorizations*
//! (2012): pieces of rows that fit the second-level cache are put under the R of the pieces before and factored together, so a tall
//! matrix is read once. R has no negative element on its diagonal, which makes it unique for matrices of full rank.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as apply,
};
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch};
use faer::{Conj, Mat, MatMut, MatRef, Par, Spec};

use super::{Matrix, MatrixError, Real, Result, check};

/// Householder vectors are applied so many at a time.
const BLOCK: usize = 16;

/// A piece of rows has about as many bytes, and at least four times as many rows as columns.
const PIECE: usize = 512 << 10;

/// Q in the form that is cheap to keep: as many elements as the matrix has, and a few more.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors<T> {
    /// Householder vectors, piece by piece.
    pub basis: Vec<T>,
    /// What blocks of them need beside, and then the signs of the rows of R, piece by piece.
    pub coefficients: Vec<T>,
}

/// A piece: rows from `start` to `end`, under `above` rows of R.
struct Piece {
    start: usize,
    end: usize,
    above: usize,
}

impl Piece {
    fn rows(&self) -> usize {
        self.above + self.end - self.start
    }

    /// How many rows R has after it.
    fn below(&self, columns: usize) -> usize {
        self.rows().min(columns)
    }
}

/// How a matrix is cut: a function of its shape.
fn pieces<T>(rows: usize, columns: usize) -> Vec<Piece> {
    let height = (PIECE / size_of::<T>() / columns.max(1)).max(4 * columns).max(1);
    let mut pieces: Vec<Piece> = Vec::new();
    let mut start = 0;
    while start < rows || pieces.is_empty() {
        // A last piece that would be less than half as high goes to the one before.
        let end = if rows - start < height + height / 2 { rows } else { start + height };
        let above = pieces.last().map_or(0, |piece| piece.below(columns));
        pieces.push(Piece { start, end, above });
        start = end;
        if rows == 0 {
            break;
        }
    }
    pieces
}

/// Factors a matrix: R, of `min(rows, columns)` rows in row-major order, and what [`apply_q`] needs. About `2 * rows * columns²`
/// operations.
///
/// ```
/// use talatat_linalg::{Matrix, qr::{apply_q, factor}};
/// let values = [3.0, 1.0, 4.0, 2.0];
/// let (factors, r) = factor(Matrix::new(&values, 2, 2)?)?;
/// assert!((r[0] - 5.0_f64).abs() < 1e-14 && r[2] == 0.0);
/// let product = apply_q(&factors, 2, 2, Matrix::new(&r, 2, 2)?)?;
/// assert!(product.iter().zip(values).all(|(found, value)| (found - value).abs() < 1e-14));
/// # Ok::<(), talatat_linalg::MatrixError>(())
/// ```
///
/// # Errors
/// None for matrices in memory.
pub fn factor<T: Real>(matrix: Matrix<'_, T>) -> Result<(Factors<T>, Vec<T>)> {
    let (rows, columns) = matrix.shape();
    let source = matrix.faer();
    let pieces = pieces::<T>(rows, columns);
    let largest = pieces.iter().map(Piece::rows).max().unwrap_or(0);
    let mut basis = Vec::with_capacity(pieces.iter().map(|piece| piece.rows() * columns).sum());
    let mut coefficients = Vec::new();
    let mut work = MemBuffer::new(qr_in_place_scratch::<T>(largest, columns, BLOCK, Par::Seq, Spec::default()));
    let mut r = Mat::<T>::zeros(0, columns);
    for piece in &pieces {
        let (height, size) = (piece.rows(), piece.below(columns));
        let begin = basis.len();
        basis.resize(begin + height * columns, T::default());
        let mut part = MatMut::from_column_major_slice_mut(&mut basis[begin..], height, columns);
        part.as_mut().subrows_mut(0, piece.above).copy_from(&r);
        let own = source.subrows(piece.start, piece.end - piece.start);
        part.as_mut().subrows_mut(piece.above, piece.end - piece.start).copy_from(own);
        let first = coefficients.len();
        coefficients.resize(first + BLOCK * size, T::default());
        if size > 0 {
            let blocks = MatMut::from_column_major_slice_mut(&mut coefficients[first..], BLOCK, size);
            qr_in_place(part.as_mut(), blocks, Par::Seq, MemStack::new(&mut work), Spec::default());
        }
        let signs: Vec<T> =
            (0..size).map(|row| if part[(row, row)] < T::default() { -T::ONE } else { T::ONE }).collect();
        r = Mat::from_fn(
            size,
            columns,
            |row, column| {
                if row <= column { part[(row, column)] * signs[row] } else { T::default() }
            },
        );
        coefficients.extend(signs);
    }
    let mut flat = Vec::with_capacity(r.nrows() * columns);
    for row in 0..r.nrows() {
        flat.extend((0..columns).map(|column| r[(row, column)]));
    }
    Ok((Factors { basis, coefficients }, flat))
}

/// `Q @ top` in row-major order, for the factors of a matrix of `rows x columns`; `top` has `min(rows, columns)` rows. About
/// `4 * rows * columns * top's columns` operations.
///
/// # Errors
/// [`MatrixError::Shape`] if the factors are not those of such a matrix, or `top` does not fit.
pub fn apply_q<T: Real>(factors: &Factors<T>, rows: usize, columns: usize, top: Matrix<'_, T>) -> Result<Vec<T>> {
    let pieces = pieces::<T>(rows, columns);
    let (count, width) = top.shape();
    if count != rows.min(columns) {
        return Err(MatrixError::Shape(format!("Q of {rows} x {} times a matrix of {count} rows", rows.min(columns))));
    }
    let sizes = |piece: &Piece| (piece.rows() * columns, (BLOCK + 1) * piece.below(columns));
    check(factors.basis.len(), 1, pieces.iter().map(|piece| sizes(piece).0).sum())?;
    check(factors.coefficients.len(), 1, pieces.iter().map(|piece| sizes(piece).1).sum())?;
    let mut out = vec![T::default(); rows * width];
    let mut above = top.faer().to_owned();
    let largest = pieces.iter().map(Piece::rows).max().unwrap_or(0);
    let mut work = MemBuffer::new(apply_scratch::<T>(largest, BLOCK, width));
    let mut buffer = vec![T::default(); largest * width];
    let (mut basis, mut coefficients) = (factors.basis.as_slice(), factors.coefficients.as_slice());
    for piece in pieces.iter().rev() {
        let (height, size) = (piece.rows(), piece.below(columns));
        let (elements, numbers) = sizes(piece);
        let (part, signs);
        (basis, part) = basis.split_at(basis.len() - elements);
        (coefficients, signs) = coefficients.split_at(coefficients.len() - numbers);
        let (blocks, signs) = signs.split_at(BLOCK * size);
        let values = &mut buffer[..height * width];
        values.fill(T::default());
        let mut target = MatMut::from_column_major_slice_mut(values, height, width);
        for (row, sign) in signs.iter().enumerate() {
            for column in 0..width {
                target[(row, column)] = above[(row, column)] * *sign;
            }
        }
        if size > 0 && width > 0 {
            let vectors = MatRef::from_column_major_slice(part, height, columns).subcols(0, size);
            let blocks = MatRef::from_column_major_slice(blocks, BLOCK, size);
            apply(vectors, blocks, Conj::No, target.as_mut(), Par::Seq, MemStack::new(&mut work));
        }
        let own = piece.end - piece.start;
        let rows_of = MatMut::from_row_major_slice_mut(&mut out[piece.start * width..piece.end * width], own, width);
        { rows_of }.copy_from(target.as_ref().subrows(piece.above, own));
        above = target.as_ref().subrows(0, piece.above).to_owned();
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::add_product;

    fn values(count: usize) -> Vec<f64> {
        (0..count).map(|k| (k as f64 * 0.618_033_988_749_894_9).fract() - 0.4).collect()
    }

    #[test]
    fn q_times_r_is_the_matrix() {
        for (rows, columns) in [(1, 1), (5, 3), (3, 5), (40, 40), (3000, 30), (20_000, 7), (0, 3), (4, 0)] {
            let a = values(rows * columns);
            let (factors, r) = factor(Matrix::new(&a, rows, columns).unwrap()).unwrap();
            let k = rows.min(columns);
            assert!((0..k).all(|row| r[row * columns + row] >= 0.0));
            assert!((0..k).all(|row| r[row * columns..row * columns + row].iter().all(|x| *x == 0.0)));
            let product = apply_q(&factors, rows, columns, Matrix::new(&r, k, columns).unwrap()).unwrap();
            assert!(product.iter().zip(&a).all(|(p, a)| (p - a).abs() < 1e-13), "{rows} x {columns}");
            let identity: Vec<f64> = (0..k * k).map(|at| f64::from(u8::from(at / k.max(1) == at % k.max(1)))).collect();
            let q = apply_q(&factors, rows, columns, Matrix::new(&identity, k, k).unwrap()).unwrap();
            let mut gram = vec![0.0; k * k];
            let q = Matrix::new(&q, rows, k).unwrap();
            add_product(q.t(), q, 1.0, &mut gram).unwrap();
            assert!(gram.iter().zip(&identity).all(|(a, b)| (a - b).abs() < 1e-13), "{rows} x {columns}");
        }
    }
}
