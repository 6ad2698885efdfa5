//! The different elements of arrays.

use std::panic::Location;
use std::sync::Arc;

use smallvec::smallvec;
use talatat_graph::KeyBuilder;

use crate::array::build::{cast, known_shape};
use crate::array::dtype::{DType, Element, Promote};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::kernels::distinct::SetOp;
use crate::array::kernels::local::LocalOp;
use crate::array::statistics::search::{Side, search};
use crate::error::Result;
use crate::lower::array::{OnBlocks, StateKind, States};

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

/// A set made of the different elements of two arrays.
fn combined(op: SetOp, a: &ExprRef, b: &ExprRef, dtype: DType, at: At) -> Result<ExprRef> {
    let inputs = [part(&cast(a, dtype, at)?, false, 0, at), part(&cast(b, dtype, at)?, false, 0, at)];
    let origin = KeyBuilder::new(op.name()).key(inputs[0].key).key(inputs[1].key).finish();
    let grid = Grid::new([Axis::Unknown { origin, chunks: 1 }]);
    let operation = OnBlocks { op: LocalOp::Set(op), reads: vec![smallvec![Some(0)], smallvec![Some(0)]] };
    Ok(Expr::new(dtype, grid, Op::Custom(Arc::new(operation)), inputs, at))
}

macro_rules! sets {
    ($($name:ident, $op:ident, $output:ty, $doc:literal, $result:literal;)*) => {
        /// Sets made of the different elements of two arrays of any shape, in the type that holds both (what is left of one array keeps its type): ascending, in one chunk, of a length that
        /// is known when computed. Each array gives its different elements as [`Array::unique`] does. NaN is not equal to NaN, but
        /// for the union, as in NumPy.
        impl<T: Element> Array<T> {$(
            #[doc = $doc]
            ///
            /// ```
            /// use talatat::prelude::*;
            /// use talatat::array::from_ndarray;
            /// let (a, b) = (from_ndarray(ndarray::array![3, 1, 3, 2], 2)?, from_ndarray(ndarray::array![2, 5, 3], 2)?);
            #[doc = concat!("assert_eq!(a.", stringify!($name), "(&b)?.compute()?, ndarray::array!", $result, ".into_dyn());")]
            /// # Ok::<(), talatat::Error>(())
            /// ```
            ///
            /// # Errors
            /// If an array carries an error.
            #[track_caller]
            pub fn $name<U: Element>(&self, other: &Array<U>) -> Result<Array<$output>>
            where
                T: Promote<U>,
            {
                let dtype = <T as Promote<U>>::Output::DTYPE;
                let at = Location::caller();
                let set = combined(SetOp::$op, self.expr()?, other.expr()?, dtype, at)?;
                Ok(Array::from_expr(cast(&set, <$output>::DTYPE, at)?))
            }
        )*}
    };
}

sets! {
    intersect1d, Intersect, <T as Promote<U>>::Output, "What both arrays have.", "[2, 3]";
    union1d, Union, <T as Promote<U>>::Output, "What one of the arrays has.", "[1, 2, 3, 5]";
    setdiff1d, Difference, T, "What the array has and the other has not.", "[1]";
    setxor1d, Xor, <T as Promote<U>>::Output, "What only one of the arrays has.", "[1, 5]";
}

impl<T: Element> Array<T> {
    /// Whether each element of the flat array is in another: [`Array::isin`] of [`Array::ravel`].
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::from_ndarray;
    /// let (a, b) = (from_ndarray(ndarray::array![[3, 1], [4, 2]], 1)?, from_ndarray(ndarray::array![2, 3], 2)?);
    /// assert_eq!(a.in1d(&b)?.compute()?, ndarray::array![true, false, false, true].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a length is known only when computed.
    #[track_caller]
    pub fn in1d<U: Element>(&self, other: &Array<U>) -> Result<Array<bool>>
    where
        T: Promote<U>,
    {
        Ok(self.ravel()?.isin(other))
    }
}
