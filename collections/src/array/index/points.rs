//! One element, or one row of the other axes, for each tuple of indices.

use std::panic::Location;

use super::Index;
use super::take::pick;
use crate::array::build::rechunked;
use crate::array::create::constants::from_ndarray;
use crate::array::dtype::Element;
use crate::array::handle::Array;
use crate::array::shape::arrange::length_of;
use crate::array::shape::join::broadcast_arrays;
use crate::error::{Error, Result};

impl<T: Element> Array<T> {
    /// The points at tuples of indices (NumPy's `x[i, j]` with arrays): the first list of indices for the first axis, and so on, repeated to
    /// one shape. The axes of the lists come first, then those of the array without one.
    ///
    /// Of indices that are known only the blocks in which points lie are made.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 9, 1)?.reshape([3, 3])?;
    /// assert_eq!(x.vindex([vec![0, 2, -1], vec![1, 1, 0]])?.compute()?, ndarray::array![1, 7, 6].into_dyn());
    /// assert_eq!(x.vindex([vec![2, 0]])?.compute()?, ndarray::array![[6, 7, 8], [0, 1, 2]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no lists or more than axes, they cannot be repeated to one shape, or an index is out of range (of a lazy array: when
    /// it is computed).
    #[track_caller]
    pub fn vindex<I: Into<Index>>(&self, indices: impl IntoIterator<Item = I>) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        let mut lists: Vec<Array<i64>> = Vec::new();
        for (axis, index) in indices.into_iter().enumerate() {
            if axis >= expr.ndim() {
                let reason = format!("more lists of indices than the {} axes of the array", expr.ndim());
                return Err(Error::invalid_at("vindex", reason, at));
            }
            lists.push(match index.into() {
                Index::Array(array) => array,
                Index::Places(places) => {
                    let length = length_of("vindex", expr, axis, at)?;
                    let known = places.indices("vindex", length, false, at)?.into_iter().map(|index| index as i64);
                    from_ndarray(ndarray::ArcArray1::from_vec(known.collect()), "auto")?
                }
            });
        }
        let same = lists.windows(2).all(|pair| matches!(pair, [a, b] if a.shape().ok() == b.shape().ok()));
        let lists = if same { lists } else { broadcast_arrays(&lists)? };
        let Some(first) = lists.first() else {
            return Err(Error::invalid_at("vindex", "no indices: give a list for one axis at least", at));
        };
        let grid = &first.expr()?.grid;
        let inputs = lists.iter().map(|list| {
            let list = list.expr()?;
            if list.grid != *grid && !(list.grid.is_known() && grid.is_known()) {
                let reason =
                    "indices whose lengths are known only when computed come from different places: persist them first";
                return Err(Error::invalid_at("vindex", reason, at));
            }
            Ok(rechunked(list, grid.clone(), at))
        });
        Ok(Array::from_expr(pick("vindex", expr, 0, inputs.collect::<Result<_>>()?, at)?))
    }
}
