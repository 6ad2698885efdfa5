//! Indices as numbers: positions in the flat array and back, triangles, diagonals, traces.

use std::panic::Location;

use crate::array::build::elementwise;
use crate::array::create::constants::arange;
use crate::array::create::indices::{Indexing, meshgrid};
use crate::array::dtype::Element;
use crate::array::handle::Array;
use crate::array::kernels::program::BinaryOp;
use crate::error::{Error, Result};

/// The indices along each axis of an array of a shape, from positions in the flat array.
///
/// Positions outside of the shape are not looked for: they give indices that are outside, too.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{from_ndarray, unravel_index};
/// let positions = from_ndarray(ndarray::array![22_i64, 41, 37], -1)?;
/// let [rows, columns] = unravel_index(&positions, [7, 6])?.try_into().unwrap();
/// assert_eq!(rows.compute()?, ndarray::array![3, 6, 6].into_dyn());
/// assert_eq!(columns.compute()?, ndarray::array![4, 5, 1].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the array carries an error.
#[track_caller]
pub fn unravel_index(positions: &Array<i64>, shape: impl AsRef<[usize]>) -> Result<Vec<Array<i64>>> {
    let (at, flat) = (Location::caller(), positions.expr()?);
    let mut inner: i64 = 1;
    let mut axes = Vec::with_capacity(shape.as_ref().len());
    for (axis, &length) in shape.as_ref().iter().enumerate().rev() {
        let index = elementwise("unravel_index", std::slice::from_ref(flat), at, |builder, registers| {
            let inner = builder.constant(inner.max(1))?;
            let rows = builder.binary(BinaryOp::FloorDiv, registers[0], inner)?;
            if axis == 0 {
                return Ok(rows);
            }
            let length = builder.constant(length.max(1) as i64)?;
            builder.binary(BinaryOp::Mod, rows, length)
        })?;
        axes.push(Array::from_expr(index));
        inner = inner.saturating_mul(length as i64);
    }
    axes.reverse();
    Ok(axes)
}

/// The positions in the flat array, from the indices along each axis of an array of a shape.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{from_ndarray, ravel_multi_index};
/// let rows = from_ndarray(ndarray::array![3_i64, 6, 6], -1)?;
/// let columns = from_ndarray(ndarray::array![4_i64, 5, 1], -1)?;
/// assert_eq!(ravel_multi_index(&[rows, columns], [7, 6])?.compute()?, ndarray::array![22, 41, 37].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If there is not one array of indices for each axis, or their shapes do not match.
#[track_caller]
pub fn ravel_multi_index(indices: &[Array<i64>], shape: impl AsRef<[usize]>) -> Result<Array<i64>> {
    let shape = shape.as_ref();
    let [first, others @ ..] = indices else {
        return Err(Error::invalid_at("ravel_multi_index", "no indices: give one array an axis", Location::caller()));
    };
    if indices.len() != shape.len() {
        let reason = format!("{} arrays of indices for {} axes: give one each", indices.len(), shape.len());
        return Err(Error::invalid_at("ravel_multi_index", reason, Location::caller()));
    }
    let lengths = shape.iter().skip(1).map(|&length| length as i64);
    let flat = others.iter().zip(lengths).fold(first.clone(), |flat, (index, length)| flat * length + index);
    flat.check()?;
    Ok(flat)
}

/// The rows and columns of a matrix below a diagonal, and on it: `k` is 0 for the main one, positive above it.
///
/// ```
/// use talatat::prelude::*;
/// let [rows, columns] = talatat::array::tril_indices(2, 2, 0)?;
/// assert_eq!(rows.compute()?, ndarray::array![0, 1, 1].into_dyn());
/// assert_eq!(columns.compute()?, ndarray::array![0, 0, 1].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the matrix has more elements than can be counted.
#[track_caller]
pub fn tril_indices(rows: usize, columns: usize, k: isize) -> Result<[Array<i64>; 2]> {
    let [row, column] = places(rows, columns)?;
    both((&column - &row).less_equal(k as i64))
}

/// The rows and columns of a matrix above a diagonal, and on it: see [`tril_indices`].
///
/// ```
/// use talatat::prelude::*;
/// let [rows, columns] = talatat::array::triu_indices(2, 2, 0)?;
/// assert_eq!(rows.compute()?, ndarray::array![0, 0, 1].into_dyn());
/// assert_eq!(columns.compute()?, ndarray::array![0, 1, 1].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the matrix has more elements than can be counted.
#[track_caller]
pub fn triu_indices(rows: usize, columns: usize, k: isize) -> Result<[Array<i64>; 2]> {
    let [row, column] = places(rows, columns)?;
    both((&column - &row).greater_equal(k as i64))
}

/// The indices of the main diagonal of an array of `ndim` axes of one length.
///
/// ```
/// use talatat::prelude::*;
/// let [rows, columns] = talatat::array::diag_indices(3, 2)?.try_into().unwrap();
/// assert_eq!(rows.compute()?, columns.compute()?);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the length is more than can be counted.
#[track_caller]
pub fn diag_indices(length: usize, ndim: usize) -> Result<Vec<Array<i64>>> {
    Ok(vec![arange::<i64>(0, length as i64, 1)?; ndim])
}

/// The row and the column of each element of a matrix.
fn places(rows: usize, columns: usize) -> Result<[Array<i64>; 2]> {
    let axes = [arange::<i64>(0, rows as i64, 1)?, arange::<i64>(0, columns as i64, 1)?];
    let [row, column] = axes;
    let mesh = meshgrid(&[row, column], Indexing::Ij)?;
    mesh.try_into().map_err(|_| talatat_graph::Error::InvalidGraph("a mesh of two axes".into()).into())
}

fn both(mask: Array<bool>) -> Result<[Array<i64>; 2]> {
    mask.nonzero()?.try_into().map_err(|_| talatat_graph::Error::InvalidGraph("a mask of two axes".into()).into())
}

impl<T: Element> Array<T> {
    /// The sum of a diagonal, with the other axes kept: see [`Array::diagonal`] for `offset` and the axes.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 9, 1)?.reshape([3, 3])?;
    /// assert_eq!(x.trace(0, 0, 1)?.item()?.compute()?, 12);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axes are out of range or the same.
    #[track_caller]
    pub fn trace(&self, offset: isize, first: isize, second: isize) -> Result<Array<T::Sum>> {
        self.diagonal(offset, first, second)?.sum(-1)
    }
}
