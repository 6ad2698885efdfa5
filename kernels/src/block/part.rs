//! Parts of blocks without copies.

use std::ops::Range;

use ndarray::{ArcArray, Axis, IxDyn, Slice};

use super::super::error::{KernelError, Result};
use super::{Block, Buf, Repr};
use crate::dtype::{Element, with_dtype};

impl Block {
    /// A part of a block; of a shared block it is a view, else a copy.
    ///
    /// # Errors
    /// [`KernelError::ShapeMismatch`] if the ranges are not within the block.
    pub fn part(&self, ranges: &[Range<usize>]) -> Result<Block> {
        let inside = |(range, &length): (&Range<usize>, &usize)| range.start <= range.end && range.end <= length;
        if ranges.len() != self.ndim() || !ranges.iter().zip(self.shape()).all(inside) {
            return Err(KernelError::ShapeMismatch {
                operation: "part of a block".into(),
                expected: self.shape().to_vec(),
                found: ranges.iter().map(|range| range.end).collect(),
            });
        }
        with_dtype!(self.dtype(), T => {
            let mut shared = self.clone().into_shared_array::<T>()?;
            for (axis, range) in ranges.iter().enumerate() {
                shared.slice_axis_inplace(Axis(axis), Slice::from(range.start as isize..range.end as isize));
            }
            Ok(Block::from_shared(shared))
        })
    }

    /// The elements in row-major order under another shape; without a copy if they are in that order.
    ///
    /// # Errors
    /// [`KernelError::ShapeMismatch`] if the shapes have different numbers of elements.
    pub fn reshaped(self, shape: &[usize]) -> Result<Block> {
        if super::elements(shape)? != self.len() {
            return Err(KernelError::ShapeMismatch {
                operation: "another shape of a block".into(),
                expected: shape.to_vec(),
                found: self.shape().to_vec(),
            });
        }
        let block = self.packed().unwrap_or(self);
        with_dtype!(block.dtype(), T => {
            let array = block.into_array::<T>()?;
            // Of the same length and in order, so that it cannot fail.
            let found = array.shape().to_vec();
            let reshaped = array.into_shape_with_order(IxDyn(shape)).map_err(|_| KernelError::ShapeMismatch {
                operation: "another shape of a block".into(),
                expected: shape.to_vec(),
                found,
            })?;
            Ok(Block::from_array(reshaped))
        })
    }

    /// The block as a shared array; without a copy if it is one.
    ///
    /// # Errors
    /// [`KernelError::DTypeMismatch`] if the elements are not `T`.
    pub fn into_shared_array<T: Element>(mut self) -> Result<ArcArray<T, IxDyn>> {
        let found = self.dtype();
        let mismatch = KernelError::DTypeMismatch { operation: "shared array of a block", expected: T::DTYPE, found };
        let buf: &mut Buf<T> = T::buf_mut(&mut self).ok_or(mismatch)?;
        Ok(match buf.take() {
            Repr::Owned(array) => array.into_shared(),
            Repr::Shared(array) => array,
        })
    }
}
