//! Steps of elimination on panels: all rows of some columns, in row-major order. A panel of width `w` whose diagonal begins at row
//! `offset` eliminates rows `offset..offset + w`.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltRegularization, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::lu::partial_pivoting::factor::{lu_in_place, lu_in_place_scratch};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_unit_lower_triangular_in_place, solve_unit_upper_triangular_in_place,
    solve_upper_triangular_in_place,
};
use faer::{Accum, MatMut, MatRef, Par, Spec};

use super::{MatrixError, Real, Result};

/// A panel: `rows` rows of `width` columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panel {
    /// How many rows there are.
    pub rows: usize,
    /// How many columns there are.
    pub width: usize,
}

impl Panel {
    fn check(&self, length: usize, offset: usize, eliminated: usize) -> Result<()> {
        super::check(length, self.rows, self.width)?;
        if offset.checked_add(eliminated).is_none_or(|end| end > self.rows) {
            let rows = self.rows;
            return Err(MatrixError::Shape(format!("{eliminated} rows from {offset} on of {rows}")));
        }
        Ok(())
    }

    fn read<'a, T: Real>(&self, values: &'a [T]) -> MatRef<'a, T> {
        MatRef::from_row_major_slice(values, self.rows, self.width)
    }

    fn write<'a, T: Real>(&self, values: &'a mut [T]) -> MatMut<'a, T> {
        MatMut::from_row_major_slice_mut(values, self.rows, self.width)
    }
}

/// LU of the rows from `offset` on, with partial pivoting, in place; gives for each of these rows which one (counted from `offset`) it was.
///
/// # Errors
/// [`MatrixError::Shape`].
pub fn lu<T: Real>(values: &mut [T], panel: Panel, offset: usize) -> Result<Vec<i64>> {
    panel.check(values.len(), offset, panel.width.min(panel.rows.saturating_sub(offset)))?;
    let rows = panel.rows - offset;
    let (mut forward, mut backward) = (vec![0_usize; rows], vec![0_usize; rows]);
    let mut work = MemBuffer::new(lu_in_place_scratch::<usize, T>(rows, panel.width, Par::Seq, Spec::default()));
    let part = panel.write(values).subrows_mut(offset, rows);
    lu_in_place(part, &mut forward, &mut backward, Par::Seq, MemStack::new(&mut work), Spec::default());
    Ok(forward.into_iter().map(|row| row as i64).collect())
}

/// Puts the rows from `offset` on in another order: row `k` becomes what row `order[k]` (both counted from `offset`) was.
///
/// # Errors
/// [`MatrixError::Shape`] if the order does not fit.
pub fn permute<T: Real>(values: &mut [T], panel: Panel, offset: usize, order: &[i64]) -> Result<()> {
    panel.check(values.len(), offset, order.len())?;
    let part = &mut values[offset * panel.width..(offset + order.len()) * panel.width];
    let before = part.to_vec();
    for (&row, target) in order.iter().zip(part.chunks_exact_mut(panel.width.max(1))) {
        let row = usize::try_from(row).ok().filter(|&row| row < order.len());
        let row = row.ok_or_else(|| MatrixError::Shape("an order of rows that are not there".into()))?;
        target.copy_from_slice(&before[row * panel.width..(row + 1) * panel.width]);
    }
    Ok(())
}

/// Whose triangle a step of [`substitute`] solves with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triangle {
    /// The upper one: the rows above are next.
    pub upper: bool,
    /// Its diagonal counts as ones.
    pub unit: bool,
}

/// One step of a substitution: solves the rows `offset..offset + w` of `values` with the triangle of a panel `by` of width `w`, and takes what they
/// give from the rows that are next.
///
/// # Errors
/// [`MatrixError::Shape`].
pub fn substitute<T: Real>(
    values: &mut [T],
    panel: Panel,
    (by, shape): (&[T], Panel),
    offset: usize,
    triangle: Triangle,
) -> Result<()> {
    let size = shape.width.min(shape.rows.saturating_sub(offset));
    panel.check(values.len(), offset, size)?;
    shape.check(by.len(), offset, size)?;
    if panel.rows != shape.rows {
        return Err(MatrixError::Shape(format!("{} rows for a matrix of {}", panel.rows, shape.rows)));
    }
    let by = shape.read(by).subcols(0, size);
    let whole = panel.write(values);
    let (above, rest) = whole.split_at_row_mut(offset);
    let (mut own, below) = rest.split_at_row_mut(size);
    let diagonal = by.subrows(offset, size);
    match triangle {
        Triangle { upper: false, unit: true } => solve_unit_lower_triangular_in_place(diagonal, own.as_mut(), Par::Seq),
        Triangle { upper: false, unit: false } => solve_lower_triangular_in_place(diagonal, own.as_mut(), Par::Seq),
        Triangle { upper: true, unit: true } => solve_unit_upper_triangular_in_place(diagonal, own.as_mut(), Par::Seq),
        Triangle { upper: true, unit: false } => solve_upper_triangular_in_place(diagonal, own.as_mut(), Par::Seq),
    }
    let (next, factors) = if triangle.upper {
        (above, by.subrows(0, offset))
    } else {
        (below, by.subrows(offset + size, shape.rows - offset - size))
    };
    if next.nrows() > 0 && size > 0 {
        faer::linalg::matmul::matmul(next, Accum::Add, factors, own.as_ref(), -T::ONE, Par::Seq);
    }
    Ok(())
}

/// The Cholesky factor of the rows from `offset` on, in place; the rows above and the upper triangle become zeros.
///
/// # Errors
/// [`MatrixError::NotPositiveDefinite`], [`MatrixError::Shape`].
pub fn cholesky<T: Real>(values: &mut [T], panel: Panel, offset: usize) -> Result<()> {
    let width = panel.width;
    panel.check(values.len(), offset, width)?;
    values[..offset * width].fill(T::default());
    for (row, values) in values[offset * width..].chunks_exact_mut(width.max(1)).take(width).enumerate() {
        values[row + 1..].fill(T::default());
    }
    let (_, rest) = panel.write(values).split_at_row_mut(offset);
    let (mut diagonal, below) = rest.split_at_row_mut(width);
    let mut work = MemBuffer::new(cholesky_in_place_scratch::<T>(width, Par::Seq, Spec::default()));
    let nothing = LltRegularization::default();
    cholesky_in_place(diagonal.as_mut(), nothing, Par::Seq, MemStack::new(&mut work), Spec::default())
        .map_err(|_| MatrixError::NotPositiveDefinite)?;
    solve_lower_triangular_in_place(diagonal.as_ref(), below.transpose_mut(), Par::Seq);
    Ok(())
}

/// Takes from the rows from `offset` on of a panel what a Cholesky factor's panel `by` gives them; `offset` is where the diagonal of `values` begins.
///
/// # Errors
/// [`MatrixError::Shape`].
pub fn cholesky_update<T: Real>(
    values: &mut [T],
    panel: Panel,
    (by, shape): (&[T], Panel),
    offset: usize,
) -> Result<()> {
    panel.check(values.len(), offset, panel.width)?;
    shape.check(by.len(), offset, panel.width)?;
    if panel.rows != shape.rows {
        return Err(MatrixError::Shape(format!("{} rows for a matrix of {}", panel.rows, shape.rows)));
    }
    let by = shape.read(by);
    let (left, right) = (by.subrows(offset, panel.rows - offset), by.subrows(offset, panel.width));
    let target = panel.write(values).subrows_mut(offset, panel.rows - offset);
    faer::linalg::matmul::matmul(target, Accum::Add, left, right.transpose(), -T::ONE, Par::Seq);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_change_places_as_told() {
        let mut values = [0.1, 1.0, 4.0, 2.0, 2.0, 3.0];
        let panel = Panel { rows: 3, width: 2 };
        let order = lu(&mut values, panel, 0).unwrap();
        assert_eq!(order[0], 1, "the largest one first");
        // L @ U are the rows in their new order.
        let (u00, u01, u11) = (values[0], values[1], values[3]);
        let (l10, l20, l21) = (values[2], values[4], values[5]);
        let rows = [[u00, u01], [l10 * u00, l10 * u01 + u11], [l20 * u00, l20 * u01 + l21 * u11]];
        let before = [[0.1, 1.0], [4.0, 2.0], [2.0, 3.0]];
        for (row, &was) in rows.iter().zip(&order) {
            assert!(row.iter().zip(before[was as usize]).all(|(a, b): (&f64, f64)| (a - b).abs() < 1e-14));
        }
        let mut again = [0.1, 1.0, 4.0, 2.0, 2.0, 3.0];
        permute(&mut again, panel, 0, &order).unwrap();
        assert_eq!(again[..2], [4.0, 2.0]);
        assert!(permute(&mut again, panel, 1, &order).is_err());
    }
}
