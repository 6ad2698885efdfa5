//! Products of vectors along an axis, and of them with matrices.

use std::panic::Location;

use crate::array::build::elementwise;
use crate::array::dtype::{Element, Promote};
use crate::array::handle::Array;
use crate::array::kernels::program::BinaryOp;
use crate::array::shape::reshape::stack;
use crate::error::{Error, Result};

/// The complex conjugates, where that is something else.
fn conjugate<T: Element>(x: &Array<T>) -> Array<T> {
    if T::DTYPE.is_complex() { x.conj() } else { x.clone() }
}

fn last<T: Element>(x: &Array<T>, axis: isize) -> Result<Array<T>> {
    if axis == -1 { Ok(x.clone()) } else { x.moveaxis(axis, -1) }
}

impl<T: Element> Array<T> {
    /// NumPy's `vecdot`: the sums of products of vectors along an axis of both arrays, whose other axes are repeated to match; complex elements of
    /// `self` are conjugated. The products are rounded, their sum is exact and rounded once: it depends on no chunks.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, ones};
    /// let x = arange::<i64>(0, 6, 1)?.reshape([2, 3])?;
    /// assert_eq!(x.vecdot(&ones::<i64>([3]), -1)?.compute()?, ndarray::array![3, 12].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, or the arrays do not match.
    #[track_caller]
    pub fn vecdot<U: Element>(&self, other: &Array<U>, axis: isize) -> Result<Array<<T as Promote<U>>::Output>>
    where
        T: Promote<U>,
    {
        let (left, right) = (last(&conjugate(self), axis)?, last(other, axis)?);
        let (own, theirs) = (left.expr()?.grid.axes().last(), right.expr()?.grid.axes().last());
        let Some((own, theirs)) = own.zip(theirs) else {
            return Err(Error::invalid("vecdot", "a scalar is no vector: both arrays need an axis"));
        };
        if !own.as_long_as(theirs) {
            let lengths = (own.length(), theirs.length());
            return Err(Error::invalid("vecdot", format!("vectors of the lengths {lengths:?}: they must be equal")));
        }
        let product = left * right;
        Ok(product.sum(-1)?.astype())
    }

    /// NumPy's `matvec`: matrices along the last two axes times vectors along the last one of `other`.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, ones};
    /// let x = arange::<i64>(0, 6, 1)?.reshape([2, 3])?;
    /// assert_eq!(x.matvec(&ones::<i64>([4, 3]))?.shape()?, [4, 2]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`matmul`](Array::matmul).
    #[track_caller]
    pub fn matvec<U: Element>(&self, other: &Array<U>) -> Result<Array<<T as Promote<U>>::Output>>
    where
        T: Promote<U>,
    {
        if self.ndim() < 2 {
            self.check()?;
            return Err(Error::invalid("matvec", format!("an array of {} axes has no matrices", self.ndim())));
        }
        self.matmul(&other.expand_dims(-1)?)?.squeeze(-1)
    }

    /// NumPy's `vecmat`: vectors along the last axis, complex ones conjugated, times matrices along the last two axes of `other`.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, ones};
    /// let x = arange::<i64>(0, 6, 1)?.reshape([2, 3])?;
    /// assert_eq!(ones::<i64>([2]).vecmat(&x)?.compute()?, ndarray::array![3, 5, 7].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`matmul`](Array::matmul).
    #[track_caller]
    pub fn vecmat<U: Element>(&self, other: &Array<U>) -> Result<Array<<T as Promote<U>>::Output>>
    where
        T: Promote<U>,
    {
        if self.ndim() < 1 || other.ndim() < 2 {
            self.check()?;
            other.check()?;
            let reason = format!("arrays of {} and {} axes: give vectors and matrices", self.ndim(), other.ndim());
            return Err(Error::invalid("vecmat", reason));
        }
        conjugate(self).expand_dims(-2)?.matmul(other)?.squeeze(-2)
    }

    /// NumPy's `cross`: the cross products of vectors of three elements along an axis of both arrays, whose other axes are repeated to match.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::from_ndarray;
    /// let (x, y) = (from_ndarray(ndarray::array![1, 0, 0], 1)?, from_ndarray(ndarray::array![0, 1, 0], 1)?);
    /// assert_eq!(x.cross(&y, -1)?.compute()?, ndarray::array![0, 0, 1].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, vectors have not three elements (NumPy still takes two, which is deprecated), or the arrays do not match.
    #[track_caller]
    pub fn cross<U: Element>(&self, other: &Array<U>, axis: isize) -> Result<Array<<T as Promote<U>>::Output>>
    where
        T: Promote<U>,
    {
        let (left, right) = (last(self, axis)?, last(other, axis)?);
        for grid in [&left.expr()?.grid, &right.expr()?.grid] {
            let length = grid.axes().last().and_then(|axis| axis.length());
            if length != Some(3) {
                let length =
                    length.map_or_else(|| "an unknown length".to_string(), |length| format!("length {length}"));
                return Err(Error::invalid("cross", format!("vectors of {length}: they must have three elements")));
            }
        }
        let at = Location::caller();
        let mut parts = Vec::with_capacity(3);
        for (first, second) in [(1, 2), (2, 0), (0, 1)] {
            let own = [left.take(first, -1)?, left.take(second, -1)?];
            let others = [right.take(second, -1)?, right.take(first, -1)?];
            let inputs = [own[0].expr()?, others[0].expr()?, own[1].expr()?, others[1].expr()?].map(Clone::clone);
            let part = elementwise("cross", &inputs, at, |builder, registers| {
                let mut cast = |number: usize| builder.cast(registers[number], <T as Promote<U>>::Output::DTYPE);
                let (a, b, c, d) = (cast(0)?, cast(1)?, cast(2)?, cast(3)?);
                let (plus, minus) = (builder.binary(BinaryOp::Mul, a, b)?, builder.binary(BinaryOp::Mul, c, d)?);
                builder.binary(BinaryOp::Sub, plus, minus)
            })?;
            parts.push(Array::from_expr(part));
        }
        let found = stack(&parts, -1)?;
        if axis == -1 { Ok(found) } else { found.moveaxis(-1, axis) }
    }
}
