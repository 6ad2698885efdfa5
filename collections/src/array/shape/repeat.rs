//! Elements and whole arrays several times.

use std::panic::Location;

use crate::array::dtype::{DType, Element};
use crate::array::expr::ExprRef;
use crate::array::gather::{Run, gather, grown, indices_in_target};
use crate::array::grid::Axis;
use crate::array::handle::Array;
use crate::array::range::StepRange;
use crate::array::shape::arrange::{at_least, length_of, one_axis, part};
use crate::array::shape::reshape::concatenate_exprs;
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};

type At = &'static Location<'static>;

/// How often [`Array::repeat`] repeats: all elements equally, or each index of the axis in its own way.
///
/// ```
/// use talatat::array::Repeats;
/// assert_eq!(Repeats::from([1, 2]), Repeats::Each(vec![1, 2]));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// All of them as often.
    All(usize),
    /// For each index of the axis.
    Each(Vec<usize>),
}

impl From<usize> for Repeats {
    fn from(times: usize) -> Self {
        Repeats::All(times)
    }
}

impl From<Vec<usize>> for Repeats {
    fn from(times: Vec<usize>) -> Self {
        Repeats::Each(times)
    }
}

impl<const N: usize> From<[usize; N]> for Repeats {
    fn from(times: [usize; N]) -> Self {
        Repeats::Each(times.to_vec())
    }
}

impl<T: Element> Array<T> {
    /// Each element several times in a row, along an axis; along the flat array for `..`, as with NumPy's `axis=None`.
    ///
    /// The result's chunks are as long along the axis as the array's longest; an array in one chunk along it is cut where a
    /// block would be larger than the chunk target.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 4, 1)?.reshape([2, 2])?;
    /// assert_eq!(x.repeat(2, 1)?.compute()?, ndarray::array![[0, 0, 1, 1], [2, 2, 3, 3]].into_dyn());
    /// assert_eq!(x.repeat([0, 3], 0)?.compute()?, ndarray::array![[2, 3], [2, 3], [2, 3]].into_dyn());
    /// assert_eq!(x.repeat(2, ..)?.shape()?, [8]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or of a length that is known only when computed, or there is not one number for each index.
    #[track_caller]
    pub fn repeat(&self, times: impl Into<Repeats>, axis: impl Into<Axes>) -> Result<Array<T>> {
        let at = Location::caller();
        let (expr, axis) = one_axis("repeat", self.expr()?, &axis.into(), at)?;
        let length = length_of("repeat", &expr, axis, at)?;
        let runs = match times.into() {
            Repeats::All(each) => vec![take(0..length, each, 1)],
            Repeats::Each(times) if times.len() == 1 => vec![take(0..length, times[0], 1)],
            Repeats::Each(times) if times.len() == length => {
                let mut start = 0;
                let equal = times.chunk_by(|a, b| a == b).map(|times| {
                    start += times.len();
                    take(start - times.len()..start, times[0], 1)
                });
                equal.collect()
            }
            Repeats::Each(times) => {
                let reason =
                    format!("{} numbers for axis {axis} of length {length}: give one for each index", times.len());
                return Err(Error::invalid_at("repeat", reason, at));
            }
        };
        let total = total("repeat", &runs, at)?;
        let cut = grown(&expr, axis, total);
        Ok(Array::from_expr(gather("repeat", &expr, axis, runs, cut, at)?))
    }

    /// The array several times along each axis. Axes and numbers are aligned at the end: what is missing before is 1.
    ///
    /// Copies along an axis that is cut are the array's blocks again, without a copy; along an axis in one chunk as many copies go
    /// to a chunk of the result as the chunk target allows.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 2, 1)?;
    /// assert_eq!(x.tile([2])?.compute()?, ndarray::array![0, 1, 0, 1].into_dyn());
    /// assert_eq!(x.tile([2, 1])?.compute()?, ndarray::array![[0, 1], [0, 1]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a length of an axis that is repeated is known only when computed, or the result is too large to be counted.
    #[track_caller]
    pub fn tile(&self, times: impl AsRef<[usize]>) -> Result<Array<T>> {
        let at = Location::caller();
        let times = times.as_ref();
        let expr = at_least("tile", self.expr()?, times.len(), at)?;
        let lead = expr.ndim() - times.len();
        let repeated = times.iter().enumerate().filter(|(_, times)| **times != 1);
        let repeated = repeated.map(|(axis, &times)| (axis + lead, times));
        let tiled =
            repeated.into_iter().try_fold(expr, |expr, (axis, times)| tile(&expr, axis, times, T::DTYPE, at))?;
        Ok(Array::from_expr(tiled))
    }
}

fn take(range: std::ops::Range<usize>, each: usize, times: usize) -> Run {
    Run::Take { range: StepRange { start: range.start, step: 1, length: range.len() }, each, times }
}

/// How many positions some runs have, if they can be counted.
fn total(operation: &str, runs: &[Run], at: At) -> Result<usize> {
    let total = runs.iter().map(Run::length).fold(0, usize::saturating_add);
    if isize::try_from(total).is_ok() {
        return Ok(total);
    }
    Err(Error::invalid_at(operation, "the result has more elements than can be counted", at))
}

fn tile(expr: &ExprRef, axis: usize, times: usize, dtype: DType, at: At) -> Result<ExprRef> {
    let length = length_of("tile", expr, axis, at)?;
    if times == 0 || length == 0 {
        return Ok(part(expr, axis, StepRange::all(0), at));
    }
    let copies = indices_in_target(expr, axis) / length;
    if expr.grid.axes()[axis].chunks() > 1 || copies < 2 {
        return concatenate_exprs("tile", vec![expr.clone(); times], axis as isize, dtype, at);
    }
    let runs = [take(0..length, 1, times)];
    let cut = Axis::regular(total("tile", &runs, at)?, copies * length);
    gather("tile", expr, axis, runs, cut, at)
}
