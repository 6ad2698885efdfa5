//! Parts of arrays.

use std::panic::Location;

use ndarray::SliceInfoElem;

use crate::array::build::{known_shape, slice, view};
use crate::array::dtype::Element;
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::range::StepRange;
use crate::error::{Error, Result};

impl<T: Element> Array<T> {
    /// A part of the array, with `ndarray`'s `s![]`: ranges, steps, single indices (which drop their axis), new axes.
    ///
    /// As in `ndarray`, a negative step walks the chosen range backwards: `s![2..5;-1]` is elements 4, 3, 2. As in NumPy, a range
    /// that reaches beyond the end is cut there, and axes that are not named are taken whole.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use ndarray::s;
    /// let x = talatat::array::arange::<i64>(0, 12, 1)?.reshape([3, 4])?;
    /// assert_eq!(x.slice(s![1, ..;-2])?.compute()?.into_raw_vec_and_offset().0, [7, 5]);
    /// assert_eq!(x.slice(s![-1.., 1..100])?.shape()?, [1, 3]);
    /// assert!(x.slice(s![3, ..]).is_err());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are more indices than axes, an index is out of range, or an axis of unknown length is cut.
    #[track_caller]
    pub fn slice(&self, info: impl AsRef<[SliceInfoElem]>) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        let (ranges, axes) = parse("slice", &expr.grid, info.as_ref(), at)?;
        let part = slice(expr, ranges, at);
        if axes.iter().copied().eq((0..part.ndim()).map(Some)) {
            return Ok(Array::from_expr(part));
        }
        Ok(Array::from_expr(view("slice", &part, &axes, at)?))
    }

    /// A part of the array by start and length along each axis.
    ///
    /// ```
    /// let x = talatat::array::ones::<f64>([10, 10]);
    /// assert_eq!(x.region(&[2..5, 0..10])?.shape()?, [3, 10]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not one range for each axis, or one reaches beyond the array.
    #[track_caller]
    pub fn region(&self, ranges: &[std::ops::Range<usize>]) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        let shape = known_shape("region", expr, at)?;
        let inside =
            |(range, &length): (&std::ops::Range<usize>, &usize)| range.start <= range.end && range.end <= length;
        if ranges.len() != shape.len() || !ranges.iter().zip(&shape).all(inside) {
            return Err(Error::invalid_at(
                "region",
                format!("{ranges:?} is no part of an array of shape {shape:?}"),
                at,
            ));
        }
        let range = |range: &std::ops::Range<usize>| match range.len() {
            0 => StepRange::all(0),
            length => StepRange { start: range.start, step: 1, length },
        };
        let ranges = ranges.iter().map(range).collect();
        Ok(Array::from_expr(slice(expr, ranges, at)))
    }
}

/// What a slice takes of each axis, and which axis of the array each axis of the result is, if it is one.
pub(in crate::array) fn parse(
    operation: &str,
    grid: &Grid,
    info: &[SliceInfoElem],
    at: &'static Location<'static>,
) -> Result<(Vec<StepRange>, Vec<Option<usize>>)> {
    let mut ranges = Vec::with_capacity(grid.ndim());
    // Which axis of the cut array each axis of the result is.
    let mut axes: Vec<Option<usize>> = Vec::new();
    let wrong = |reason: String| Error::invalid_at(operation, reason, at);
    for elem in info {
        if matches!(elem, SliceInfoElem::NewAxis) {
            axes.push(None);
            continue;
        }
        let number = ranges.len();
        let axis = grid
            .axes()
            .get(number)
            .ok_or_else(|| wrong(format!("more indices than the {} axes of the array", grid.ndim())))?;
        match *elem {
            SliceInfoElem::Index(index) => {
                let length = known(axis, number).map_err(&wrong)?;
                let start = if index < 0 { index + length as isize } else { index };
                let start = usize::try_from(start).ok().filter(|&start| start < length).ok_or_else(|| {
                    wrong(format!("index {index} is out of range for axis {number} of length {length}"))
                })?;
                ranges.push(StepRange { start, step: 1, length: 1 });
            }
            SliceInfoElem::Slice { start: 0, end: None, step: 1 } => {
                ranges.push(StepRange::all(axis.length().unwrap_or(0)));
                axes.push(Some(number));
            }
            SliceInfoElem::Slice { start, end, step } => {
                let length = known(axis, number).map_err(&wrong)?;
                if step == 0 {
                    return Err(wrong("a step of 0: give another one".into()));
                }
                ranges.push(step_range(start, end, step, length));
                axes.push(Some(number));
            }
            SliceInfoElem::NewAxis => {}
        }
    }
    for number in ranges.len()..grid.ndim() {
        ranges.push(StepRange::all(grid.axes()[number].length().unwrap_or(0)));
        axes.push(Some(number));
    }
    Ok((ranges, axes))
}

fn known(axis: &Axis, number: usize) -> std::result::Result<usize, String> {
    axis.length()
        .ok_or_else(|| format!("axis {number} has a length that is known only when computed: call persist first"))
}

/// A range of `s![]` on an axis: bounds from the end are counted, those beyond are cut.
pub(in crate::array) fn step_range(start: isize, end: Option<isize>, step: isize, length: usize) -> StepRange {
    let clamp = |bound: isize| {
        let bound = if bound < 0 { bound.saturating_add(length as isize) } else { bound };
        bound.clamp(0, length as isize) as usize
    };
    let (low, high) = (clamp(start), end.map_or(length, clamp));
    if low >= high {
        return StepRange::all(0);
    }
    let start = if step > 0 { low } else { high - 1 };
    StepRange { start, step, length: (high - low).div_ceil(step.unsigned_abs()) }
}
