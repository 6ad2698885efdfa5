//! The order of elements, and places in a sorted array.
//!
//! NaN is greater than everything else and equal to itself, as NumPy sorts.

use std::cmp::Ordering;

use super::block::Block;
use super::dtype::{Element, with_dtype};
use super::error::{KernelError, Result};
use super::pool;

/// The order of elements: NaN last.
#[inline(always)]
pub(super) fn order<T: Element>(a: &T, b: &T) -> Ordering {
    let nan = |x: &T| x.compare(*x).is_none();
    a.compare(*b).unwrap_or_else(|| nan(a).cmp(&nan(b)))
}

pub(super) fn wrong_shape(operation: &str, expected: &[usize], found: &[usize]) -> KernelError {
    KernelError::ShapeMismatch { operation: operation.into(), expected: expected.to_vec(), found: found.to_vec() }
}

/// Where each value would be put into a sorted block of one axis so that it stays sorted: before its equals, or (`right`)
/// behind them.
///
/// ```
/// use talatat_kernels::Block;
/// use talatat_kernels::sorted::search;
/// let (sorted, x) = (Block::from_vec(&[3], vec![1, 2, 4])?, Block::from_vec(&[2], vec![2, 3])?);
/// assert_eq!(search(&sorted, &x, false)?, Block::from_vec(&[2], vec![1_i64, 2])?);
/// assert_eq!(search(&sorted, &x, true)?, Block::from_vec(&[2], vec![2_i64, 2])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If the element types differ.
pub fn search(sorted: &Block, values: &Block, right: bool) -> Result<Block> {
    let shape = values.shape();
    with_dtype!(values.dtype(), T => {
        let sorted = sorted.view::<T>()?;
        let sorted: Vec<T> = sorted.iter().copied().collect();
        let limit = if right { Ordering::Greater } else { Ordering::Equal };
        let mut found = pool::take::<i64>(values.len());
        for (slot, x) in found.iter_mut().zip(values.view::<T>()?.iter()) {
            *slot = sorted.partition_point(|y| order(y, x) < limit) as i64;
        }
        Block::from_vec(shape, found)
    })
}
