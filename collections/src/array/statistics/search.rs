//! Places in sorted arrays, and the largest elements.

use std::panic::Location;
use std::sync::Arc;

use smallvec::smallvec;

use crate::array::build::{axis_number, cast, rechunked};
use crate::array::dtype::{DType, Element, Promote};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::{indices_in_target, with_axis};
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::kernels::local::LocalOp;
use crate::array::kernels::reduce::ReduceOp;
use crate::array::kernels::top::Top;
use crate::array::shape::arrange::length_of;
use crate::array::statistics::reduce::{Axes, reduce};
use crate::error::{Error, Result};
use crate::lower::array::{OnBlocks, Reads, StateKind, States};

type At = &'static Location<'static>;

/// On which side of its equals a value is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// Before the first of them.
    #[default]
    Left,
    /// Behind the last of them.
    Right,
}

impl<T: Element> Array<T> {
    /// Where each value would be put into the array, which has one axis and is sorted ascending (NaN last), so that it stays sorted. Both are
    /// compared in the type that holds both.
    ///
    /// Each block of values is searched for in each chunk of the array, and the places are added: the array may be longer than
    /// memory. In one chunk it is read by every task.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Side, from_ndarray};
    /// let sorted = from_ndarray(ndarray::array![1, 2, 2, 5], 2)?;
    /// let values = from_ndarray(ndarray::array![0, 2, 9], 2)?;
    /// assert_eq!(sorted.searchsorted(&values, Side::Left)?.compute()?, ndarray::array![0, 1, 4].into_dyn());
    /// assert_eq!(sorted.searchsorted(&values, Side::Right)?.compute()?, ndarray::array![0, 3, 4].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array does not have one axis.
    #[track_caller]
    pub fn searchsorted<U: Element>(&self, values: &Array<U>, side: Side) -> Result<Array<i64>>
    where
        T: Promote<U>,
    {
        let at = Location::caller();
        let dtype = <T as Promote<U>>::Output::DTYPE;
        let (sorted, values) = (cast(self.expr()?, dtype, at)?, cast(values.expr()?, dtype, at)?);
        Ok(Array::from_expr(search("searchsorted", sorted, &values, side, at)?))
    }

    /// The `|k|` largest elements along an axis, the largest first; the smallest, the smallest first, if `k` is negative: Dask's
    /// `topk`. NaN is greater than everything. All of them, sorted, if there are fewer.
    ///
    /// Each block gives its best, which are merged as a tree.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![5, 1, 3, 6], 2)?;
    /// assert_eq!(x.topk(2, -1)?.compute()?, ndarray::array![6, 5].into_dyn());
    /// assert_eq!(x.topk(-2, -1)?.compute()?, ndarray::array![1, 3].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, or its length is known only when computed.
    #[track_caller]
    pub fn topk(&self, k: isize, axis: isize) -> Result<Array<T>> {
        Ok(Array::from_expr(top("topk", self.expr()?, k, axis, 0, Location::caller())?))
    }

    /// The indices along the axis of what [`Array::topk`] gives; of equal elements those with the smallest index, in that order.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![5, 1, 5, 6], 2)?;
    /// assert_eq!(x.argtopk(3, -1)?.compute()?, ndarray::array![3, 0, 2].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::topk`].
    #[track_caller]
    pub fn argtopk(&self, k: isize, axis: isize) -> Result<Array<i64>> {
        Ok(Array::from_expr(top("argtopk", self.expr()?, k, axis, 1, Location::caller())?))
    }
}

/// The places of values in a sorted array of the same type.
pub(in crate::array) fn search(
    operation: &str,
    sorted: ExprRef,
    values: &ExprRef,
    side: Side,
    at: At,
) -> Result<ExprRef> {
    if sorted.ndim() != 1 {
        let reason = format!("a sorted array of {} dimensions: give one axis", sorted.ndim());
        return Err(Error::invalid_at(operation, reason, at));
    }
    // Chunks shorter than need be cost tasks.
    let sorted = match sorted.grid.axes()[0].length() {
        Some(length) if sorted.grid.blocks() > 1 => {
            let wanted = Axis::regular(length, indices_in_target(&sorted, 0));
            if wanted.chunks() < sorted.grid.blocks() { rechunked(&sorted, Grid::new([wanted]), at) } else { sorted }
        }
        _ => sorted,
    };
    let chunks = sorted.grid.blocks();
    let op = LocalOp::Search { right: side == Side::Right, stacked: chunks > 1 };
    let made = |grid: Grid, reads: Vec<Reads>| {
        let operation = OnBlocks { op: op.clone(), reads };
        Expr::new(DType::I64, grid, Op::Custom(Arc::new(operation)), [sorted.clone(), values.clone()], at)
    };
    if chunks == 1 {
        return Ok(made(values.grid.clone(), vec![smallvec![None], (0..values.ndim()).map(Some).collect()]));
    }
    let axes = [Axis::regular(chunks, 1)].into_iter().chain(values.grid.axes().iter().cloned());
    let places = made(Grid::new(axes), vec![smallvec![Some(0)], (1..values.ndim() + 1).map(Some).collect()]);
    reduce(&places, ReduceOp::Sum, &Axes::from(0), at)
}

fn top(operation: &str, expr: &ExprRef, k: isize, axis: isize, part: u32, at: At) -> Result<ExprRef> {
    let axis = axis_number(operation, axis, expr.ndim(), at)?;
    let length = length_of(operation, expr, axis, at)?;
    let top = Top { axis, count: k.unsigned_abs().min(length), largest: k > 0 };
    let grid = with_axis(&expr.grid, axis, Axis::whole(top.count));
    let dtype = if part == 0 { expr.dtype } else { DType::I64 };
    let states = States { kind: StateKind::Top(top), part };
    Ok(Expr::new(dtype, grid, Op::Custom(Arc::new(states)), [expr.clone()], at))
}
