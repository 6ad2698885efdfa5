//! Slices and takes pass operations that make their own tasks, along the axes that these go along index by index: scans, sorts,
//! quantiles, groups and masks along another axis, points along their own axes, rows and columns of exact products.

use crate::array::build::slice;
use crate::array::expr::{Expr, ExprRef};
use crate::array::gather::{Runs, with_axis};
use crate::array::grid::{Axis, Grid};
use crate::array::range::StepRange;
use crate::lower::Operation;

use super::take::taken;

/// What stands in the place of `ranges` of an operation: the operation on parts of its inputs, and what is left of the slice.
pub(super) fn sliced(part: &Expr, whole: &ExprRef, operation: &dyn Operation, ranges: &[StepRange]) -> Option<ExprRef> {
    if ranges.iter().any(|range| range.length == 0) {
        return None;
    }
    let reads = Follows::of(whole, operation);
    let all = |axis: &Axis| StepRange::all(axis.length().unwrap_or(0));
    let (mut down, mut rest) = (Vec::with_capacity(ranges.len()), Vec::with_capacity(ranges.len()));
    for (number, (axis, range)) in whole.grid.axes().iter().zip(ranges).enumerate() {
        let (first, then) = if reads.any(number) { (*range, None) } else { (all(axis), Some(*range)) };
        rest.push(then.unwrap_or(StepRange { start: 0, step: 1, length: range.length }));
        down.push(first);
    }
    let changes = |(axis, range): (&Axis, &StepRange)| axis.length().is_some_and(|length| !range.is_all(length));
    if !whole.grid.axes().iter().zip(&down).any(changes) {
        return None;
    }
    let inputs = whole.inputs.iter().enumerate().map(|(input, expr)| {
        let own = expr.grid.axes().iter().enumerate();
        let own = own.map(|(axis, cut)| reads.along(input, axis).map_or_else(|| all(cut), |out| down[out]));
        slice(expr, own.collect(), part.location)
    });
    let inputs: Vec<ExprRef> = inputs.collect();
    let cut = whole.grid.axes().iter().zip(&down).map(|(axis, range)| crate::array::build::slice_axis(axis, range));
    let made = whole.with(Grid::new(cut), whole.op.clone(), inputs);
    Some(slice(&made, rest, part.location))
}

/// What stands in the place of a gather along an axis of an operation.
pub(super) fn gathered(
    gather: &Expr,
    whole: &ExprRef,
    operation: &dyn Operation,
    axis: usize,
    runs: &Runs,
) -> Option<ExprRef> {
    let reads = Follows::of(whole, operation);
    let cut = gather.grid.axes().get(axis)?;
    // Some operations want chunks of one index.
    let single = whole.grid.axes().get(axis)?.longest().is_some_and(|longest| longest <= 1);
    if !reads.any(axis) || (single && cut.longest() != Some(1)) {
        return None;
    }
    let inputs = whole.inputs.iter().enumerate().map(|(input, expr)| {
        let own = (0..expr.ndim()).find(|&own| reads.along(input, own) == Some(axis));
        own.map_or_else(|| expr.clone(), |own| taken(expr, own, runs, cut, gather))
    });
    let inputs: Vec<ExprRef> = inputs.collect();
    Some(whole.with(with_axis(&whole.grid, axis, cut.clone()), whole.op.clone(), inputs))
}

/// Which axes of the inputs go along which ones of the result, of those that are cut alike.
pub(super) struct Follows(Vec<Vec<Option<usize>>>);

impl Follows {
    pub(super) fn of(expr: &Expr, operation: &dyn Operation) -> Follows {
        let reads = operation.follows(expr);
        let mut follows: Vec<Vec<Option<usize>>> = (expr.inputs.iter().enumerate())
            .map(|(input, own)| (0..own.ndim()).map(|axis| *reads.get(input)?.get(axis)?).collect())
            .collect();
        // An axis of the result that one input follows in other chunks is followed by none.
        let known = |axis: usize| expr.grid.axes().get(axis).filter(|axis| axis.length().is_some());
        let alike = |out: usize| {
            let mut own =
                expr.inputs.iter().zip(&follows).flat_map(|(input, reads)| input.grid.axes().iter().zip(reads));
            own.all(|(axis, read)| *read != Some(out) || known(out) == Some(axis))
        };
        let kept: Vec<bool> = (0..expr.ndim()).map(alike).collect();
        for read in follows.iter_mut().flatten() {
            *read = read.filter(|&out| kept.get(out).copied().unwrap_or(false));
        }
        Follows(follows)
    }

    /// The axis of the result that an axis of an input goes along.
    pub(super) fn along(&self, input: usize, axis: usize) -> Option<usize> {
        *self.0.get(input)?.get(axis)?
    }

    /// Whether an input goes along an axis of the result.
    fn any(&self, out: usize) -> bool {
        self.0.iter().flatten().any(|read| *read == Some(out))
    }
}
