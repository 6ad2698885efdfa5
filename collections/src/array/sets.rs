//! The different elements of arrays.

use std::panic::Location;
use std::sync::Arc;

use talatat_graph::KeyBuilder;

use super::build::known_shape;
use super::dtype::{DType, Element};
use super::expr::{Expr, ExprRef, Op};
use super::grid::{Axis, Grid};
use super::handle::Array;
use super::sorted::{Side, search};
use crate::error::Result;
use crate::lower::array::{StateKind, States};

type At = &'static Location<'static>;

/// What [`Array::unique_all`] gives. The first three have one length, which is known when computed.
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::from_ndarray(ndarray::array![7, 2, 7], 2)?;
/// let unique = x.unique_all()?;
/// let (values, counts) = compute_all((&unique.values, &unique.counts))?;
/// assert_eq!((values, counts), (ndarray::array![2, 7].into_dyn(), ndarray::array![1, 2].into_dyn()));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Unique<T> {
    /// The different elements, ascending.
    pub values: Array<T>,
    /// The index in the flat array of the first of each.
    pub indices: Array<i64>,
    /// How often each comes.
    pub counts: Array<i64>,
    /// For each element of the array its place among the values; of the array's shape.
    pub inverse: Array<i64>,
}

/// One part of the states of different elements.
fn part(expr: &ExprRef, indexed: bool, part: u32, at: At) -> ExprRef {
    let origin = KeyBuilder::new("unique").key(expr.key).finish();
    let grid = Grid::new([Axis::Unknown { origin, chunks: 1 }]);
    let dtype = if part == 0 { expr.dtype } else { DType::I64 };
    let states = States { kind: StateKind::Unique { indexed }, part };
    Expr::new(dtype, grid, Op::Custom(Arc::new(states)), [expr.clone()], at)
}

impl<T: Element> Array<T> {
    /// The different elements of the whole array, ascending, in one chunk. NaN is one element, and last; both zeros are one. How many there
    /// are is known when computed; `persist` makes it known.
    ///
    /// Each block gives its own, which are merged as a tree: memory is needed for the different elements, not for all.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![[7, 2], [7, 1]], 1)?;
    /// assert_eq!(x.unique()?.compute()?, ndarray::array![1, 2, 7].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array carries an error.
    #[track_caller]
    pub fn unique(&self) -> Result<Array<T>> {
        Ok(Array::from_expr(part(self.expr()?, false, 0, Location::caller())))
    }

    /// The different elements and how often each comes; see [`Array::unique`].
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![7, 2, 7], 2)?;
    /// let (_, counts) = x.unique_counts()?;
    /// assert_eq!(counts.compute()?, ndarray::array![1, 2].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array carries an error.
    #[track_caller]
    pub fn unique_counts(&self) -> Result<(Array<T>, Array<i64>)> {
        let (at, expr) = (Location::caller(), self.expr()?);
        Ok((Array::from_expr(part(expr, false, 0, at)), Array::from_expr(part(expr, false, 1, at))))
    }

    /// The different elements with all that NumPy's `unique` can say of them; see [`Unique`]. Computed together, the elements are sorted once.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let unique = talatat::array::from_ndarray(ndarray::array![7, 2, 7], 2)?.unique_all()?;
    /// assert_eq!(unique.indices.compute()?, ndarray::array![1, 0].into_dyn());
    /// assert_eq!(unique.inverse.compute()?, ndarray::array![1, 0, 1].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a length is known only when computed.
    #[track_caller]
    pub fn unique_all(&self) -> Result<Unique<T>> {
        let (at, expr) = (Location::caller(), self.expr()?);
        known_shape("unique_all", expr, at)?;
        let values = part(expr, true, 0, at);
        let inverse = search("unique_all", values.clone(), expr, Side::Left, at)?;
        Ok(Unique {
            values: Array::from_expr(values),
            counts: Array::from_expr(part(expr, true, 1, at)),
            indices: Array::from_expr(part(expr, true, 2, at)),
            inverse: Array::from_expr(inverse),
        })
    }
}
