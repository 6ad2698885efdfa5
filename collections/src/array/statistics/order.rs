//! Orders that are made of sorting: parts around an element, several keys, complex numbers.

use std::panic::Location;

use crate::array::dtype::Element;
use crate::array::handle::Array;
use crate::array::shape::arrange::{length_of, one_axis};
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};

impl<T: Element> Array<T> {
    /// NumPy's `partition`: along an axis the `kth` element is where sorting would put it (negative numbers count from the end), smaller ones are before it
    /// and larger ones behind. The order within the parts may be any; here all is sorted: see [`sort`](Array::sort).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![5, 1, 4, 2], 2)?;
    /// assert_eq!(x.partition(1, 0)?.compute()?[[1]], 2);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `kth` is out of range, or as [`sort`](Array::sort).
    #[track_caller]
    pub fn partition(&self, kth: isize, axis: impl Into<Axes>) -> Result<Array<T>> {
        let axis = self.has_kth("partition", kth, axis.into())?;
        self.sort(axis)
    }

    /// NumPy's `argpartition`: the indices of what [`partition`](Array::partition) gives.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![5, 1, 4, 2], 2)?;
    /// assert_eq!(x.argpartition(-1, 0)?.compute()?[[3]], 0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`partition`](Array::partition).
    #[track_caller]
    pub fn argpartition(&self, kth: isize, axis: impl Into<Axes>) -> Result<Array<i64>> {
        let axis = self.has_kth("argpartition", kth, axis.into())?;
        self.argsort(axis)
    }

    #[track_caller]
    fn has_kth(&self, operation: &str, kth: isize, axes: Axes) -> Result<Axes> {
        let at = Location::caller();
        let (expr, axis) = one_axis(operation, self.expr()?, &axes, at)?;
        let length = length_of(operation, &expr, axis, at)?;
        let count = length as isize;
        if kth < -count || kth >= count {
            let reason = format!("element {kth} is out of range for axis {axis} of length {length}");
            return Err(Error::invalid_at(operation, reason, at));
        }
        Ok(axes)
    }

    /// NumPy's `sort_complex`: sorted along the last axis, by real parts and then by imaginary ones, as complex numbers.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![5_i64, 1, 4], 2)?;
    /// assert_eq!(x.sort_complex()?.compute()?[[0]].re, 1.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`sort`](Array::sort).
    #[track_caller]
    pub fn sort_complex(&self) -> Result<Array<T::Complex>> {
        Ok(self.sort(-1)?.astype())
    }
}

/// NumPy's `lexsort`: the indices that sort by several keys along an axis: by the last one, equal elements by the one before, and so on. A stable
/// [`argsort`](Array::argsort) for each key; lines are put in one chunk.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{from_ndarray, lexsort};
/// let (first, last) = (from_ndarray(ndarray::array![3, 1, 2], 2)?, from_ndarray(ndarray::array![1, 1, 0], 2)?);
/// assert_eq!(lexsort(&[&first, &last], 0)?.compute()?, ndarray::array![2, 1, 0].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If there are no keys, their shapes differ, or as [`argsort`](Array::argsort).
#[track_caller]
pub fn lexsort<T: Element>(keys: &[&Array<T>], axis: isize) -> Result<Array<i64>> {
    let Some((first, rest)) = keys.split_first() else {
        return Err(Error::invalid("lexsort", "no keys: give at least one"));
    };
    let shape = first.shape()?;
    let mut order = first.argsort(axis)?;
    for key in rest {
        if key.shape()? != shape {
            let reason = format!("keys of the shapes {shape:?} and {:?}: they must be equal", key.shape()?);
            return Err(Error::invalid("lexsort", reason));
        }
        let next = key.take_along_axis(&order, axis)?.argsort(axis)?;
        order = order.take_along_axis(&next, axis)?;
    }
    Ok(order)
}
