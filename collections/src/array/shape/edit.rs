//! Elements put into an array, taken out of it, put behind it.

use std::panic::Location;

use ndarray::Slice;

use crate::array::build::{axis_number, known_shape, rechunked, view};
use crate::array::dtype::Element;
use crate::array::elementwise::operators::Operand;
use crate::array::expr::ExprRef;
use crate::array::gather::{Run, gather, grown, tidy, with_axis};
use crate::array::grid::Axis;
use crate::array::handle::Array;
use crate::array::shape::arrange::{length_of, one_axis};
use crate::array::shape::reshape::{broadcast, concatenate_exprs};
use crate::array::shape::slice::step_range;
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};

type At = &'static Location<'static>;

/// Indices of an axis, for [`Array::take`], [`Array::insert`] and [`Array::delete`]: one, several, a range, or a mask. Negative ones count from the
/// end.
///
/// ```
/// use talatat::array::Places;
/// use ndarray::Slice;
/// assert_eq!(Places::from([0, -1]), Places::List(vec![0, -1]));
/// assert_eq!(Places::from([true, false]), Places::Mask(vec![true, false]));
/// assert_eq!(Places::from(Slice::from(1..3)), Places::Range(Slice::from(1..3)));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Places {
    /// One index.
    One(isize),
    /// Several.
    List(Vec<isize>),
    /// Those of a range, with `ndarray`'s rules for it (see [`Array::slice`]).
    Range(Slice),
    /// Those where it is true; it must be as long as the axis.
    Mask(Vec<bool>),
}

impl From<isize> for Places {
    fn from(index: isize) -> Self {
        Places::One(index)
    }
}

impl From<Vec<isize>> for Places {
    fn from(indices: Vec<isize>) -> Self {
        Places::List(indices)
    }
}

impl<const N: usize> From<[isize; N]> for Places {
    fn from(indices: [isize; N]) -> Self {
        Places::List(indices.to_vec())
    }
}

impl From<Vec<bool>> for Places {
    fn from(mask: Vec<bool>) -> Self {
        Places::Mask(mask)
    }
}

impl<const N: usize> From<[bool; N]> for Places {
    fn from(mask: [bool; N]) -> Self {
        Places::Mask(mask.to_vec())
    }
}

impl From<Slice> for Places {
    fn from(range: Slice) -> Self {
        Places::Range(range)
    }
}

impl Places {
    /// The indices of an axis, from the front; `beyond` allows the one after the last.
    pub(in crate::array) fn indices(&self, operation: &str, length: usize, beyond: bool, at: At) -> Result<Vec<usize>> {
        let most = length + usize::from(beyond);
        let one = |&index: &isize| {
            let number = if index < 0 { index.saturating_add_unsigned(length) } else { index };
            usize::try_from(number).ok().filter(|&number| number < most).ok_or_else(|| {
                let reason = format!("index {index} is out of range for an axis of length {length}");
                Error::invalid_at(operation, reason, at)
            })
        };
        match self {
            Places::One(index) => Ok(vec![one(index)?]),
            Places::List(indices) => indices.iter().map(one).collect(),
            Places::Range(Slice { step: 0, .. }) => {
                Err(Error::invalid_at(operation, "a step of 0: give another one", at))
            }
            Places::Range(range) => {
                let range = step_range(range.start, range.end, range.step, length);
                Ok((0..range.length).map(|position| range.at(position)).collect())
            }
            Places::Mask(mask) if mask.len() != length => {
                let reason = format!("a mask of {} for an axis of length {length}: they must be as long", mask.len());
                Err(Error::invalid_at(operation, reason, at))
            }
            Places::Mask(mask) => {
                Ok(mask.iter().enumerate().filter(|(_, chosen)| **chosen).map(|(index, _)| index).collect())
            }
        }
    }
}

impl<T: Element> Array<T> {
    /// The array without some indices of an axis; of the flat array for `..`, as with NumPy's `axis=None`.
    ///
    /// Chunks that lose nothing are the array's own blocks; what is left of the others is joined where two fit in one chunk.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 6, 1)?.reshape([2, 3])?;
    /// assert_eq!(x.delete(1, 1)?.compute()?, ndarray::array![[0, 2], [3, 5]].into_dyn());
    /// assert_eq!(x.delete([0, -1], ..)?.compute()?, ndarray::array![1, 2, 3, 4].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an index or the axis is out of range, a mask is not as long as the axis, or its length is known only when computed.
    #[track_caller]
    pub fn delete(&self, places: impl Into<Places>, axis: impl Into<Axes>) -> Result<Array<T>> {
        let at = Location::caller();
        let (expr, axis) = one_axis("delete", self.expr()?, &axis.into(), at)?;
        let length = length_of("delete", &expr, axis, at)?;
        let mut lost = places.into().indices("delete", length, false, at)?;
        lost.sort_unstable();
        lost.dedup();
        let (mut runs, mut start) = (Vec::new(), 0);
        for &index in lost.iter().chain([&length]) {
            runs.push(Run::forward(start..index));
            start = index + 1;
        }
        let cut = changed(&expr, axis, |from, to| {
            let count = |bound: usize| lost.partition_point(|&index| index < bound);
            (to - from) - (count(to) - count(from))
        });
        Ok(Array::from_expr(gather("delete", &expr, axis, runs, cut, at)?))
    }

    /// The array with values put before indices of an axis; into the flat array for `..`, as with NumPy's `axis=None`.
    ///
    /// `values` are repeated to the shape of what is inserted. Before one index that is any number along the axis: the axis of an
    /// array of fewer dimensions is its first then, as NumPy has it. Before several indices it is one value each, or one for all.
    /// Indices are those of the array as it was; values for the same index keep their order.
    ///
    /// Chunks that get nothing are the array's own blocks.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::arange;
    /// let x = arange::<i64>(0, 4, 1)?.reshape([2, 2])?;
    /// assert_eq!(x.insert(1, 9, 1)?.compute()?, ndarray::array![[0, 9, 1], [2, 9, 3]].into_dyn());
    /// assert_eq!(x.insert([0, 2], &arange(7, 9, 1)?, ..)?.compute()?, ndarray::array![7, 0, 1, 8, 2, 3].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an index or the axis is out of range, the values do not fit, or a length is known only when computed.
    #[track_caller]
    pub fn insert(
        &self,
        places: impl Into<Places>,
        values: impl Into<Operand<T>>,
        axis: impl Into<Axes>,
    ) -> Result<Array<T>> {
        let at = Location::caller();
        let (expr, axis) = one_axis("insert", self.expr()?, &axis.into(), at)?;
        let shape = known_shape("insert", &expr, at)?;
        let length = shape[axis];
        let (places, values) = (places.into(), values.into().array());
        let mut before = places.indices("insert", length, true, at)?;
        let mut values = values.expr()?.clone();
        if values.ndim() > expr.ndim() {
            let reason = format!("values of {} dimensions into an array of {}", values.ndim(), expr.ndim());
            return Err(Error::invalid_at("insert", reason, at));
        }
        values = crate::array::shape::arrange::at_least("insert", &values, expr.ndim(), at)?;
        if matches!(places, Places::One(_)) {
            let mut order: Vec<Option<usize>> = (1..expr.ndim()).map(Some).collect();
            order.insert(axis, Some(0));
            values = view("insert", &values, &order, at)?;
        }
        if let [index] = before.as_slice() {
            before = vec![*index; known_shape("insert", &values, at)?[axis]];
        }
        let wanted = with_axis(&expr.grid, axis, Axis::whole(before.len()));
        let given = known_shape("insert", &values, at)?;
        let fits = (0..expr.ndim()).all(|number| {
            let length = if number == axis { before.len() } else { shape[number] };
            given[number] == length || given[number] == 1
        });
        if !fits {
            let mut target = shape.clone();
            target[axis] = before.len();
            let reason = format!("values of shape {given:?} cannot be repeated to {target:?}");
            return Err(Error::invalid_at("insert", reason, at));
        }
        let values = rechunked(&broadcast("insert", &values, wanted.axes(), at)?, wanted, at);
        // Both in a row, then each index where it belongs.
        let both = concatenate_exprs("insert", vec![expr.clone(), values], axis as isize, T::DTYPE, at)?;
        let mut order: Vec<(usize, usize)> = before.iter().copied().zip(length..).collect();
        order.sort_unstable();
        let (mut runs, mut start) = (Vec::new(), 0);
        for group in order.chunk_by(|a, b| a.0 == b.0 && a.1 + 1 == b.1) {
            runs.push(Run::forward(start..group[0].0));
            runs.push(Run::forward(group[0].1..group[0].1 + group.len()));
            start = group[0].0;
        }
        runs.push(Run::forward(start..length));
        let cut = changed(&expr, axis, |from, to| {
            // What comes before the first index of a chunk belongs to it, what comes at the end to the last chunk.
            let count = |bound: usize| order.partition_point(|&(index, _)| index < bound);
            let last = if to == length { order.len() } else { count(to) };
            let first = if from == length && from > 0 { order.len() } else { count(from) };
            (to - from) + last.saturating_sub(first)
        });
        let cut =
            if cut.length() == Some(length + order.len()) { cut } else { grown(&expr, axis, length + order.len()) };
        Ok(Array::from_expr(gather("insert", &both, axis, runs, cut, at)?))
    }

    /// The array and another one after it along an axis; both flat for `..`, as with NumPy's `axis=None`. Blocks are not copied; the
    /// chunks are those of [`concatenate`](crate::array::concatenate).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{ones, zeros};
    /// assert_eq!(ones::<f64>([2, 3]).append(&zeros([1, 3]), 0)?.shape()?, [3, 3]);
    /// assert_eq!(ones::<f64>([2, 3]).append(&zeros([2]), ..)?.shape()?, [8]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or the other axes differ.
    #[track_caller]
    pub fn append(&self, values: &Array<T>, axis: impl Into<Axes>) -> Result<Array<T>> {
        let at = Location::caller();
        let axes = axis.into();
        let (first, axis) = one_axis("append", self.expr()?, &axes, at)?;
        let second = match axes.which() {
            None => one_axis("append", values.expr()?, &axes, at)?.0,
            Some(_) => {
                axis_number("append", axis as isize, values.expr()?.ndim(), at)?;
                values.expr()?.clone()
            }
        };
        Ok(Array::from_expr(concatenate_exprs("append", vec![first, second], axis as isize, T::DTYPE, at)?))
    }
}

/// The chunks of an axis after a change of the length of each, given by where the chunk began and ended.
fn changed(expr: &ExprRef, axis: usize, length: impl Fn(usize, usize) -> usize) -> Axis {
    let old = &expr.grid.axes()[axis];
    let lengths: Vec<usize> =
        old.bounds().map_or_else(Vec::new, |bounds| bounds.windows(2).map(|pair| length(pair[0], pair[1])).collect());
    let longest = old.longest().unwrap_or(0).max(1);
    let most =
        if old.chunks() > 1 { longest } else { longest.max(crate::array::gather::indices_in_target(expr, axis)) };
    tidy(lengths, most)
}
