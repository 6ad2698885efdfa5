//! Elements by their indices: arrays of indices, points, masks, and assignment, which gives a new array.
//!
//! - `take`: indices along an axis; `points`: one element, or one row of the other axes, for each tuple of indices;
//! - `mask`: what a mask keeps, and where it is true;
//! - `numbers`: positions in the flat array and back, triangles and diagonals;
//! - `assign`: other values in the place of a slice, of indices, of what a mask names.
//!
//! Indices that are known when the expression is built are checked then and only reach for the blocks they name; those of a lazy array
//! are checked when they are computed.

mod assign;
pub(in crate::array) mod choose;
mod mask;
mod numbers;
mod points;
mod take;

pub use numbers::{diag_indices, ravel_multi_index, tril_indices, triu_indices, unravel_index};

use crate::array::Array;
use crate::array::shape::edit::Places;

/// Indices along an axis: known ones, or a lazy array of them. Negative ones count from the end.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{Index, Places, arange};
/// let x = arange::<i64>(10, 20, 1)?;
/// assert_eq!(x.take([0, -1], 0)?.compute()?, ndarray::array![10, 19].into_dyn());
/// let lazy: Index = arange::<i64>(0, 3, 1)?.into();
/// assert_eq!(x.take(lazy, 0)?.compute()?, ndarray::array![10, 11, 12].into_dyn());
/// assert!(matches!(Index::from([true, false]), Index::Places(Places::Mask(_))));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Index {
    /// Known ones.
    Places(Places),
    /// Those in an array of any shape.
    Array(Array<i64>),
}

/// Whatever [`Places`] are made of.
macro_rules! known {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$(
        impl<$($generics)*> From<$type> for Index {
            fn from(places: $type) -> Self {
                Index::Places(places.into())
            }
        }
    )*};
}

known!([] Places, [] isize, [] Vec<isize>, [const N: usize] [isize; N], [] Vec<bool>, [const N: usize] [bool; N], [] ndarray::Slice);

impl From<Array<i64>> for Index {
    fn from(array: Array<i64>) -> Self {
        Index::Array(array)
    }
}

impl From<&Array<i64>> for Index {
    fn from(array: &Array<i64>) -> Self {
        Index::Array(array.clone())
    }
}
