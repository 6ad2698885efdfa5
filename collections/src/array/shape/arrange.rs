//! The same elements along other axes, in another direction, or shifted.

use std::panic::Location;

use crate::array::build::{axis_number, known_shape, rechunked, slice, view};
use crate::array::dtype::Element;
use crate::array::expr::ExprRef;
use crate::array::gather::{Run, gather};
use crate::array::handle::Array;
use crate::array::range::StepRange;
use crate::array::shape::reshape::reshape;
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};

type At = &'static Location<'static>;

/// How far [`Array::roll`] shifts: one number, or one for each axis. Made from integers.
///
/// ```
/// use talatat::array::Shifts;
/// assert_eq!(Shifts::from(2), Shifts::from([2]));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shifts(Vec<isize>);

impl From<isize> for Shifts {
    fn from(shift: isize) -> Self {
        Shifts(vec![shift])
    }
}

impl From<Vec<isize>> for Shifts {
    fn from(shifts: Vec<isize>) -> Self {
        Shifts(shifts)
    }
}

impl<const N: usize> From<[isize; N]> for Shifts {
    fn from(shifts: [isize; N]) -> Self {
        Shifts(shifts.to_vec())
    }
}

impl<T: Element> Array<T> {
    /// The elements in reverse order along one axis, several, or all of them (`..`).
    ///
    /// A slice with the step -1: it moves towards the sources. The chunks are the array's, in reverse order.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 6, 1)?.reshape([2, 3])?;
    /// assert_eq!(x.flip(1)?.compute()?, ndarray::array![[2, 1, 0], [5, 4, 3]].into_dyn());
    /// assert_eq!(x.flip(..)?.compute()?, ndarray::array![[5, 4, 3], [2, 1, 0]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range, named twice, or of a length that is known only when computed.
    #[track_caller]
    pub fn flip(&self, axes: impl Into<Axes>) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        Ok(Array::from_expr(flip("flip", expr, &axes.into().numbers("flip", expr.ndim(), at)?, at)?))
    }

    /// [`Array::flip`] along the second axis: left becomes right.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::eye::<i64>(2, 3, 0);
    /// assert_eq!(x.fliplr()?.compute()?, ndarray::array![[0, 0, 1], [0, 1, 0]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn fliplr(&self) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        Ok(Array::from_expr(flip("fliplr", expr, &[axis_number("fliplr", 1, expr.ndim(), at)?], at)?))
    }

    /// [`Array::flip`] along the first axis: what was above is below.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::eye::<i64>(2, 3, 0);
    /// assert_eq!(x.flipud()?.compute()?, ndarray::array![[0, 1, 0], [1, 0, 0]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no axes.
    #[track_caller]
    pub fn flipud(&self) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        Ok(Array::from_expr(flip("flipud", expr, &[axis_number("flipud", 0, expr.ndim(), at)?], at)?))
    }

    /// The array turned by `quarters` times 90 degrees in the plane of two axes, from the first towards the second (NumPy's
    /// default is once, in the plane `[0, 1]`). The chunks turn with it.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 4, 1)?.reshape([2, 2])?;
    /// assert_eq!(x.rot90(1, [0, 1])?.compute()?, ndarray::array![[1, 3], [0, 2]].into_dyn());
    /// assert_eq!(x.rot90(-1, [0, 1])?.compute()?, ndarray::array![[2, 0], [3, 1]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range, or both are the same.
    #[track_caller]
    pub fn rot90(&self, quarters: isize, axes: [isize; 2]) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        let first = axis_number("rot90", axes[0], expr.ndim(), at)?;
        let second = axis_number("rot90", axes[1], expr.ndim(), at)?;
        if first == second {
            let reason = format!("the axes {} and {} are the same: a plane has two", axes[0], axes[1]);
            return Err(Error::invalid_at("rot90", reason, at));
        }
        let swapped = |expr: &ExprRef| {
            let mut order: Vec<Option<usize>> = (0..expr.ndim()).map(Some).collect();
            order.swap(first, second);
            view("rot90", expr, &order, at)
        };
        Ok(Array::from_expr(match quarters.rem_euclid(4) {
            0 => expr.clone(),
            1 => swapped(&flip("rot90", expr, &[second], at)?)?,
            2 => flip("rot90", expr, &[first, second], at)?,
            _ => flip("rot90", &swapped(expr)?, &[second], at)?,
        }))
    }

    /// The elements shifted along axes; those that leave at one end come in at the other. With `..` the array is rolled as if
    /// it had one axis, as with NumPy's `axis=None`. One shift goes for all axes, several shifts for one axis add up.
    ///
    /// The result has the array's chunks; each block is made of the two or three that it overlaps.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 6, 1)?.reshape([2, 3])?;
    /// assert_eq!(x.roll(1, 1)?.compute()?, ndarray::array![[2, 0, 1], [5, 3, 4]].into_dyn());
    /// assert_eq!(x.roll([1, -1], [0, 1])?.compute()?, ndarray::array![[4, 5, 3], [1, 2, 0]].into_dyn());
    /// assert_eq!(x.roll(1, ..)?.compute()?, ndarray::array![[5, 0, 1], [2, 3, 4]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or of a length that is known only when computed, or there are not as many shifts as axes.
    #[track_caller]
    pub fn roll(&self, shift: impl Into<Shifts>, axes: impl Into<Axes>) -> Result<Array<T>> {
        let at = Location::caller();
        let (expr, Shifts(shifts), axes) = (self.expr()?, shift.into(), axes.into());
        let Some(which) = axes.which() else {
            let shape: Vec<isize> = known_shape("roll", expr, at)?.iter().map(|&length| length as isize).collect();
            let flat = reshape("roll", expr, &[-1], at)?;
            let rolled = shifts.iter().try_fold(flat, |flat, &shift| roll(&flat, 0, shift, at))?;
            let back = reshape("roll", &rolled, &shape, at)?;
            return Ok(Array::from_expr(rechunked(&back, expr.grid.clone(), at)));
        };
        let pairs: Vec<(isize, isize)> = match (shifts.as_slice(), which) {
            ([shift], axes) => axes.iter().map(|&axis| (*shift, axis)).collect(),
            (shifts, [axis]) => shifts.iter().map(|&shift| (shift, *axis)).collect(),
            (shifts, axes) if shifts.len() == axes.len() => shifts.iter().copied().zip(axes.iter().copied()).collect(),
            (shifts, axes) => {
                let reason = format!("{} shifts for {} axes: give one for each", shifts.len(), axes.len());
                return Err(Error::invalid_at("roll", reason, at));
            }
        };
        let mut totals = vec![0_isize; expr.ndim()];
        for (shift, axis) in pairs {
            let axis = axis_number("roll", axis, expr.ndim(), at)?;
            let length = length_of("roll", expr, axis, at)?.max(1) as isize;
            totals[axis] = (totals[axis] + shift.rem_euclid(length)).rem_euclid(length);
        }
        let rolled = totals.iter().enumerate().filter(|(_, shift)| **shift != 0);
        let rolled = rolled.map(|(axis, shift)| (axis, *shift));
        Ok(Array::from_expr(
            rolled.into_iter().try_fold(expr.clone(), |expr, (axis, shift)| roll(&expr, axis, shift, at))?,
        ))
    }

    /// The array with two axes exchanged.
    ///
    /// ```
    /// assert_eq!(talatat::array::ones::<f64>([2, 3, 4]).swapaxes(0, -1)?.shape()?, [4, 3, 2]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range.
    #[track_caller]
    pub fn swapaxes(&self, first: isize, second: isize) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        let first = axis_number("swapaxes", first, expr.ndim(), at)?;
        let second = axis_number("swapaxes", second, expr.ndim(), at)?;
        let mut order: Vec<Option<usize>> = (0..expr.ndim()).map(Some).collect();
        order.swap(first, second);
        Ok(Array::from_expr(view("swapaxes", expr, &order, at)?))
    }

    /// The array with axes at other places; those that are not named stay in order.
    ///
    /// ```
    /// let x = talatat::array::ones::<f64>([2, 3, 4]);
    /// assert_eq!(x.moveaxis(0, -1)?.shape()?, [3, 4, 2]);
    /// assert_eq!(x.moveaxis([0, 1], [-1, -2])?.shape()?, [4, 3, 2]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice, or there are not as many sources as destinations.
    #[track_caller]
    pub fn moveaxis(&self, source: impl Into<Axes>, destination: impl Into<Axes>) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        let numbers = |axes: Axes| {
            // For the errors: the numbers come sorted.
            axes.numbers("moveaxis", expr.ndim(), at)?;
            let all = || (0..expr.ndim()).collect();
            axes.which().map_or_else(
                || Ok(all()),
                |axes| axes.iter().map(|&axis| axis_number("moveaxis", axis, expr.ndim(), at)).collect::<Result<_>>(),
            )
        };
        let (source, destination): (Vec<usize>, Vec<usize>) = (numbers(source.into())?, numbers(destination.into())?);
        if source.len() != destination.len() {
            let reason = format!("{} axes to {} places: give one for each", source.len(), destination.len());
            return Err(Error::invalid_at("moveaxis", reason, at));
        }
        let mut order: Vec<usize> = (0..expr.ndim()).filter(|axis| !source.contains(axis)).collect();
        let mut pairs: Vec<(usize, usize)> = destination.into_iter().zip(source).collect();
        pairs.sort_unstable();
        pairs.into_iter().for_each(|(place, axis)| order.insert(place, axis));
        let order: Vec<Option<usize>> = order.into_iter().map(Some).collect();
        Ok(Array::from_expr(view("moveaxis", expr, &order, at)?))
    }

    /// The array without the named axes, which must have length 1; without all axes of length 1 for `..`.
    ///
    /// ```
    /// let x = talatat::array::ones::<f64>([1, 3, 1]);
    /// assert_eq!(x.squeeze(..)?.shape()?, [3]);
    /// assert_eq!(x.squeeze(-1)?.shape()?, [1, 3]);
    /// assert!(x.squeeze(1).is_err());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range, named twice, or not of length 1.
    #[track_caller]
    pub fn squeeze(&self, axes: impl Into<Axes>) -> Result<Array<T>> {
        let at = Location::caller();
        let (expr, axes) = (self.expr()?, axes.into());
        let is_one = |axis: usize| expr.grid.axes()[axis].length() == Some(1);
        let mut lost = axes.numbers("squeeze", expr.ndim(), at)?;
        if axes.which().is_none() {
            lost.retain(|&axis| is_one(axis));
        } else if let Some(axis) = lost.iter().copied().find(|&axis| !is_one(axis)) {
            let length = expr.grid.axes()[axis].length();
            let length = length.map_or_else(|| "that is known only when computed".into(), |length| length.to_string());
            let reason = format!("axis {axis} has a length of {length}: only axes of length 1 can be left out");
            return Err(Error::invalid_at("squeeze", reason, at));
        }
        let kept: Vec<Option<usize>> = (0..expr.ndim()).filter(|axis| !lost.contains(axis)).map(Some).collect();
        Ok(Array::from_expr(view("squeeze", expr, &kept, at)?))
    }
}

/// The known length of an axis.
pub(in crate::array) fn length_of(operation: &str, expr: &ExprRef, axis: usize, at: At) -> Result<usize> {
    expr.grid.axes()[axis].length().ok_or_else(|| {
        let reason = format!("axis {axis} has a length that is known only when computed: call persist first");
        Error::invalid_at(operation, reason, at)
    })
}

/// All of an array, but for one axis.
pub(crate) fn part(expr: &ExprRef, axis: usize, range: StepRange, at: At) -> ExprRef {
    let all = expr.grid.axes().iter().map(|axis| StepRange::all(axis.length().unwrap_or(0)));
    let mut ranges: Vec<StepRange> = all.collect();
    ranges[axis] = if range.length == 0 { StepRange::all(0) } else { range };
    slice(expr, ranges, at)
}

fn flip(operation: &str, expr: &ExprRef, axes: &[usize], at: At) -> Result<ExprRef> {
    axes.iter().try_fold(expr.clone(), |expr, &axis| {
        let length = length_of(operation, &expr, axis, at)?;
        Ok(part(&expr, axis, StepRange { start: length.saturating_sub(1), step: -1, length }, at))
    })
}

fn roll(expr: &ExprRef, axis: usize, shift: isize, at: At) -> Result<ExprRef> {
    let length = length_of("roll", expr, axis, at)?;
    let first = length - shift.rem_euclid(length.max(1) as isize) as usize;
    let runs = [Run::forward(first..length), Run::forward(0..first)];
    let runs = runs.into_iter().filter(|run| run.length() > 0);
    gather("roll", expr, axis, runs, expr.grid.axes()[axis].clone(), at)
}

/// The array and the number of an axis; the flat array and its only axis for `..`.
pub(in crate::array) fn one_axis(operation: &str, expr: &ExprRef, axes: &Axes, at: At) -> Result<(ExprRef, usize)> {
    match axes.which() {
        None => Ok((reshape(operation, expr, &[-1], at)?, 0)),
        Some([axis]) => Ok((expr.clone(), axis_number(operation, *axis, expr.ndim(), at)?)),
        Some(axes) => {
            let reason = format!("{} axes: give one, or `..` for the flat array", axes.len());
            Err(Error::invalid_at(operation, reason, at))
        }
    }
}

/// The array with its axes at the end of `ndim` axes; those before have length 1.
pub(in crate::array) fn at_least(operation: &str, expr: &ExprRef, ndim: usize, at: At) -> Result<ExprRef> {
    let Some(lead) = ndim.checked_sub(expr.ndim()).filter(|&lead| lead > 0) else { return Ok(expr.clone()) };
    let axes: Vec<Option<usize>> = (0..ndim).map(|axis| axis.checked_sub(lead)).collect();
    view(operation, expr, &axes, at)
}
