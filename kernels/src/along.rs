//! Elements of lines along an axis in the place of others.

use super::block::Block;
use super::dtype::{Element, with_dtype};
use super::error::{KernelError, Result};

/// The elements before, along and behind an axis.
fn sides(block: &Block, axis: usize) -> Result<(usize, usize)> {
    let shape = block.shape();
    let length = *shape.get(axis).ok_or(KernelError::Axis { axis, ndim: shape.len() })?;
    Ok((length, shape[axis + 1..].iter().product()))
}

/// NumPy's `put_along_axis`: the block with the elements of `values` along an axis at the indices, which are as many; negative ones count
/// from the end. Of values for one place the last one stays.
///
/// ```
/// use talatat_kernels::{Block, along::put_along};
/// let (block, at) = (Block::from_vec(&[3], vec![1, 2, 3])?, Block::from_vec(&[1], vec![-1_i64])?);
/// assert_eq!(put_along(&block, &at, &Block::from_vec(&[1], vec![9])?, 0)?, Block::from_vec(&[3], vec![1, 2, 9])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If there is no such axis, an index is out of range, the other axes differ, or the elements are of different types.
pub fn put_along(block: &Block, indices: &Block, values: &Block, axis: usize) -> Result<Block> {
    let (length, inner) = sides(block, axis)?;
    let (shape, wanted) = (block.shape(), indices.shape());
    let same = shape.len() == wanted.len() && (0..shape.len()).all(|at| at == axis || shape[at] == wanted[at]);
    if !same || values.shape() != wanted {
        let found = [wanted, values.shape()].concat();
        return Err(KernelError::ShapeMismatch { operation: "put_along_axis".into(), expected: shape.to_vec(), found });
    }
    let sheet = (wanted[axis] * inner).max(1);
    let indices = indices.view::<i64>()?;
    with_dtype!(block.dtype(), T => {
        let mut made = Block::from(block.view::<T>()?);
        let mut view = made.view_mut::<T>()?;
        let slots = view.as_slice_mut().unwrap_or_default();
        for (place, (&index, &value)) in indices.iter().zip(values.view::<T>()?.iter()).enumerate() {
            let row = if index < 0 { index + length as i64 } else { index };
            let slot = (place / sheet * length + row as usize) * inner + place % inner.max(1);
            match slots.get_mut(slot) {
                Some(slot) if (0..length as i64).contains(&row) => *slot = value,
                _ => {
                    let reason = format!("index {index} is out of range for axis {axis} of length {length}");
                    return Err(KernelError::Parameter { operation: "put_along_axis", reason });
                }
            }
        }
        drop(view);
        Ok(made)
    })
}

/// Each NaN is the last number before it along an axis, at most so many places away.
///
/// ```
/// use talatat_kernels::{Block, along::push};
/// let block = Block::from_vec(&[4], vec![1.0, f64::NAN, f64::NAN, 4.0])?;
/// let found = push(&block, 0, Some(1))?.into_array::<f64>()?;
/// assert!(found[[1]] == 1.0 && found[[2]].is_nan());
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If there is no such axis.
pub fn push(block: &Block, axis: usize, most: Option<usize>) -> Result<Block> {
    let (length, _) = sides(block, axis)?;
    with_dtype!(block.dtype(), T => pushed::<T>(block, axis, most.unwrap_or(length)))
}

fn pushed<T: Element>(block: &Block, axis: usize, most: usize) -> Result<Block> {
    let mut made = Block::from(block.view::<T>()?);
    let mut view = made.view_mut::<T>()?;
    for mut line in view.lanes_mut(ndarray::Axis(axis)) {
        let mut last: Option<(usize, T)> = None;
        for (at, value) in line.iter_mut().enumerate() {
            match last {
                _ if value.compare(*value).is_some() => last = Some((at, *value)),
                Some((from, known)) if at - from <= most => *value = known,
                _ => {}
            }
        }
    }
    drop(view);
    Ok(made)
}
