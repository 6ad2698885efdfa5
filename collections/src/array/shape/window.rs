//! Views of neighbouring elements: sliding windows, and windows side by side that are reduced.

use std::panic::Location;

use crate::array::build::{axis_number, known_shape};
use crate::array::dtype::Element;
use crate::array::expr::ExprRef;
use crate::array::gather::strided;
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::handle::Array;
use crate::array::range::StepRange;
use crate::array::statistics::reduce::Axes;
use crate::config::chunk_target;
use crate::error::{Error, Result};

type At = &'static Location<'static>;

impl<T: Element> Array<T> {
    /// All windows of the given lengths: the axes of the positions, then one axis for each window. With `..` there is a window for
    /// each axis; an axis may be named twice.
    ///
    /// Element `[i, .., j]` is element `[i + j, ..]` of the array; axis `i` has `length - window + 1` positions. A block is
    /// made of the blocks that its windows reach. The window axes are in one chunk; the others have the array's chunks, cut where a block
    /// would be larger than the chunk target.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 5, 1)?;
    /// let windows = x.sliding_window_view([3], 0)?;
    /// assert_eq!(windows.compute()?, ndarray::array![[0, 1, 2], [1, 2, 3], [2, 3, 4]].into_dyn());
    /// let moving_mean = windows.mean(-1)?;
    /// assert_eq!(moving_mean.compute()?, ndarray::array![1.0, 2.0, 3.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not one window for each axis, a window is longer than its axis, or a length is known only when computed.
    #[track_caller]
    pub fn sliding_window_view(&self, windows: impl AsRef<[usize]>, axes: impl Into<Axes>) -> Result<Array<T>> {
        const NAME: &str = "sliding_window_view";
        let at = Location::caller();
        let (expr, windows, axes) = (self.expr()?, windows.as_ref(), axes.into());
        let shape = known_shape(NAME, expr, at)?;
        let axes: Vec<usize> = match axes.which() {
            None => (0..expr.ndim()).collect(),
            Some(axes) => axes.iter().map(|&axis| axis_number(NAME, axis, expr.ndim(), at)).collect::<Result<_>>()?,
        };
        if windows.len() != axes.len() {
            let reason = format!("{} windows for {} axes: give one for each", windows.len(), axes.len());
            return Err(Error::invalid_at(NAME, reason, at));
        }
        let mut positions = shape.clone();
        for (&axis, &window) in axes.iter().zip(windows) {
            if window > positions[axis] {
                let reason = format!("a window of {window} along axis {axis} of length {}", shape[axis]);
                return Err(Error::invalid_at(NAME, format!("{reason}: it may not be longer"), at));
            }
            positions[axis] = positions[axis] + 1 - window;
        }
        let inner = windows.iter().fold(T::DTYPE.size() as u64, |bytes, &window| bytes.saturating_mul(window as u64));
        let outer = (0..expr.ndim()).map(|axis| cut_to(&expr.grid.axes()[axis], positions[axis]));
        let outer = smaller(outer.collect(), inner);
        let grid = Grid::new(outer.into_iter().chain(windows.iter().map(|&window| Axis::whole(window))));
        let steps = (0..expr.ndim()).chain(axes).map(|axis| along(expr.ndim(), axis, 1)).collect();
        let offset = Dims::from_elem(0, expr.ndim());
        Ok(Array::from_expr(strided(NAME, expr, offset, steps, grid, at)?))
    }

    /// Windows side by side, reduced: each axis in `factors` becomes that many times shorter. `reduce` gets the array with the windows as
    /// additional axes at its end, and those axes. With `trim` what is left over at the end of an axis is left out; else it is an
    /// error.
    ///
    /// The chunks are the array's, divided: a chunk's last window reaches into the next one.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 12, 1)?.reshape([2, 6])?;
    /// let sums = x.coarsen(|windows, axes| windows.sum(axes), &[(0, 2), (1, 3)], false)?;
    /// assert_eq!(sums.compute()?, ndarray::array![[24, 42]].into_dyn());
    /// let means = x.coarsen(|windows, axes| windows.mean(axes), &[(1, 4)], true)?;
    /// assert_eq!(means.compute()?, ndarray::array![[1.5], [7.5]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice, a factor is 0 or, without `trim`, does not divide its axis, a length is known only
    /// when computed, or `reduce` fails.
    #[track_caller]
    pub fn coarsen<U: Element>(
        &self,
        reduce: impl FnOnce(Array<T>, Axes) -> Result<Array<U>>,
        factors: &[(isize, usize)],
        trim: bool,
    ) -> Result<Array<U>> {
        let at = Location::caller();
        let expr = self.expr()?;
        let shape = known_shape("coarsen", expr, at)?;
        let mut by = vec![None; expr.ndim()];
        for &(axis, factor) in factors {
            let number = axis_number("coarsen", axis, expr.ndim(), at)?;
            let wrong = |reason: String| Err(Error::invalid_at("coarsen", reason, at));
            if by[number].is_some() {
                return wrong(format!("axis {number} is named twice"));
            }
            if factor == 0 {
                return wrong(format!("a factor of 0 for axis {number}: give at least 1"));
            }
            if !trim && !shape[number].is_multiple_of(factor) {
                let length = shape[number];
                return wrong(format!("{factor} does not divide axis {number} of length {length}: trim the rest"));
            }
            by[number] = Some(factor);
        }
        let coarse = |axis: usize| {
            let old = &expr.grid.axes()[axis];
            let Some(factor) = by[axis] else { return old.clone() };
            let count = shape[axis] / factor;
            let bounds = old.bounds().map(|bounds| bounds.iter().map(|&bound| bound.div_ceil(factor).min(count)));
            let bounds: Vec<usize> = bounds.into_iter().flatten().collect();
            Axis::from_lengths(bounds.windows(2).map(|pair| pair[1] - pair[0]).filter(|&length| length > 0))
        };
        let named: Vec<usize> = (0..expr.ndim()).filter(|&axis| by[axis].is_some()).collect();
        let windows = named.iter().filter_map(|&axis| by[axis]);
        let grid = Grid::new((0..expr.ndim()).map(coarse).chain(windows.map(Axis::whole)));
        let outer = (0..expr.ndim()).map(|axis| along(expr.ndim(), axis, by[axis].unwrap_or(1)));
        let steps = outer.chain(named.iter().map(|&axis| along(expr.ndim(), axis, 1))).collect();
        let windows = strided("coarsen", expr, Dims::from_elem(0, expr.ndim()), steps, grid, at)?;
        let axes: Vec<isize> = (expr.ndim()..windows.ndim()).map(|axis| axis as isize).collect();
        reduce(Array::from_expr(windows), axes.into())
    }

    /// The diagonal of the plane of two axes, as the last axis of the result: elements `[.., i, .., i + offset, ..]`. Below the main
    /// diagonal for negative offsets.
    ///
    /// The diagonal is cut where it goes from block to block; a block of the result reads one block.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 6, 1)?.reshape([2, 3])?;
    /// assert_eq!(x.diagonal(1, 0, 1)?.compute()?, ndarray::array![1, 5].into_dyn());
    /// assert_eq!(x.diagonal(-1, 0, 1)?.compute()?, ndarray::array![3].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range, both are the same, or a length is known only when computed.
    #[track_caller]
    pub fn diagonal(&self, offset: isize, first: isize, second: isize) -> Result<Array<T>> {
        let at = Location::caller();
        Ok(Array::from_expr(diagonal("diagonal", self.expr()?, offset, [first, second], at)?))
    }
}

pub(in crate::array) fn diagonal(
    operation: &str,
    expr: &ExprRef,
    k: isize,
    axes: [isize; 2],
    at: At,
) -> Result<ExprRef> {
    let first = axis_number(operation, axes[0], expr.ndim(), at)?;
    let second = axis_number(operation, axes[1], expr.ndim(), at)?;
    if first == second {
        let reason = format!("the axes {} and {} are the same: a diagonal goes along two", axes[0], axes[1]);
        return Err(Error::invalid_at(operation, reason, at));
    }
    let shape = known_shape(operation, expr, at)?;
    let starts = [if k < 0 { k.unsigned_abs() } else { 0 }, if k > 0 { k.unsigned_abs() } else { 0 }];
    let left = |axis: usize, start: usize| shape[axis].saturating_sub(start);
    let length = left(first, starts[0]).min(left(second, starts[1]));
    let mut bounds: Vec<usize> = vec![0, length];
    for (axis, start) in [(first, starts[0]), (second, starts[1])] {
        let own = expr.grid.axes()[axis].bounds().into_iter().flat_map(|bounds| bounds.iter());
        bounds.extend(own.map(|&bound| bound.saturating_sub(start).min(length)));
    }
    bounds.sort_unstable();
    bounds.dedup();
    let kept: Vec<usize> = (0..expr.ndim()).filter(|&axis| axis != first && axis != second).collect();
    let cut = Axis::from_lengths(bounds.windows(2).map(|pair| pair[1] - pair[0]));
    let grid = Grid::new(kept.iter().map(|&axis| expr.grid.axes()[axis].clone()).chain([cut]));
    let mut offset = Dims::from_elem(0, expr.ndim());
    (offset[first], offset[second]) = (starts[0], starts[1]);
    let mut both = along(expr.ndim(), first, 1);
    both[second] = 1;
    let steps = kept.iter().map(|&axis| along(expr.ndim(), axis, 1)).chain([both]).collect();
    strided(operation, expr, offset, steps, grid, at)
}

/// A step along one axis.
fn along(ndim: usize, axis: usize, step: usize) -> Dims {
    let mut steps = Dims::from_elem(0, ndim);
    steps[axis] = step;
    steps
}

/// An axis without what is beyond a length; its chunks stay where they are.
fn cut_to(axis: &Axis, length: usize) -> Axis {
    let all = axis.length().unwrap_or(0);
    if length >= all {
        // A window of length 0 has one position more than the axis has indices.
        let lengths = axis.lengths().unwrap_or_default();
        let last = lengths.len().saturating_sub(1);
        return Axis::from_lengths(
            lengths.iter().enumerate().map(|(at, &own)| if at == last { own + (length - all) } else { own }),
        );
    }
    crate::array::build::slice_axis(axis, &StepRange { start: 0, step: 1, length })
}

/// The axes with long chunks cut until a block of `itemsize` bytes an element is within the chunk target.
fn smaller(mut axes: Vec<Axis>, itemsize: u64) -> Vec<Axis> {
    let size = |axes: &[Axis]| {
        axes.iter().map(|axis| axis.longest().unwrap_or(1).max(1) as u64).fold(itemsize.max(1), u64::saturating_mul)
    };
    let target = chunk_target();
    loop {
        let excess = size(&axes).div_ceil(target.max(1)) as usize;
        let longest = axes.iter_mut().max_by_key(|axis| axis.longest().unwrap_or(0));
        let Some((axis, chunk)) = longest.and_then(|axis| axis.longest().map(|chunk| (axis, chunk))) else { break };
        if excess <= 1 || chunk <= 1 {
            break;
        }
        let most = (chunk / excess).max(1);
        let lengths = axis.lengths().unwrap_or_default();
        let pieces = lengths.into_iter().flat_map(|length| {
            let pieces = length.div_ceil(most).max(1);
            (0..pieces).map(move |piece| (piece + 1) * length / pieces - piece * length / pieces)
        });
        *axis = Axis::from_lengths(pieces);
    }
    axes
}
