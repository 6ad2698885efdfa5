//! Slices move towards the sources: through elementwise operations, reductions, rechunks and concatenations, into readers. Gathers of
//! indices at even steps are slices.

use std::sync::Arc;

use super::{along, places, rechunk};
use crate::array::build::{rechunked, slice};
use crate::array::dtype::with_dtype;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::{Run, Runs};
use crate::array::grid::{Axis, Grid};
use crate::array::kernels::Block;
use crate::array::range::StepRange;

/// What stands in the place of a slice whose input lets it pass.
pub(super) fn push_down(expr: &Expr) -> Option<ExprRef> {
    let [input] = expr.inputs.as_slice() else { return None };
    let ranges = match &expr.op {
        Op::Slice(ranges) => ranges,
        Op::Gather { axis, runs } => return even(expr, input, *axis, runs),
        _ => return None,
    };
    match (&input.op, input.inputs.as_slice()) {
        (Op::Slice(first), [inner]) => {
            let both = first.iter().zip(ranges).zip(inner.grid.axes());
            let both =
                both.map(|((first, then), axis)| if axis.length().is_some() { first.then(then) } else { *first });
            with_grid(slice(inner, both.collect(), expr.location), expr)
        }
        (Op::Blockwise(program), inputs) => {
            let map: Vec<_> = ranges.iter().enumerate().map(|(axis, range)| range.map(axis)).collect();
            let moved = program.remap_axes(program.ndim, &map).ok()?;
            let inputs = inputs.iter().zip(&program.inputs).map(|(input, read)| {
                let mut own: Vec<StepRange> = whole(&input.grid);
                for (range, axis) in ranges.iter().zip(&read.axes) {
                    if let Some(axis) = axis {
                        own[usize::from(*axis)] = *range;
                    }
                }
                slice(input, own, expr.location)
            });
            let inputs: Vec<ExprRef> = inputs.collect();
            Some(expr.with(expr.grid.clone(), Op::Blockwise(Arc::new(moved)), inputs))
        }
        (Op::Reduce { axes, keepdims, .. }, [inner]) => {
            let mut kept = ranges.iter();
            let mut own = Vec::with_capacity(inner.ndim());
            for (axis, range) in whole(&inner.grid).into_iter().enumerate() {
                let reduced = axes.binary_search(&axis).is_ok();
                own.push(match (reduced, *keepdims) {
                    (true, false) => range,
                    // The one index that is there stays, or the result is empty.
                    (true, true) if kept.next()?.length == 1 => range,
                    (true, true) => return None,
                    (false, _) => *kept.next()?,
                });
            }
            Some(expr.with(expr.grid.clone(), input.op.clone(), [slice(inner, own, expr.location)]))
        }
        // What is made as it is asked for is made in the chunks of the slice; of anything else a part is cut anew.
        (Op::Rechunk, _) if let Some(source) = rechunk::source(input) => Some(expr.with_inputs([source])),
        (Op::Rechunk, [inner]) => with_grid(slice(inner, ranges.clone(), expr.location), expr),
        (Op::Concatenate { axis }, inputs) => concatenate(expr, inputs, *axis, ranges),
        (Op::Gather { axis, runs }, [inner]) => {
            let range = ranges[*axis];
            let runs = match range.length {
                0 => Runs::from(Vec::new()),
                _ if range.step == 1 => runs.part(range.start..range.start + range.length),
                _ => return None,
            };
            let mut own = ranges.clone();
            own[*axis] = StepRange::all(inner.grid.axes()[*axis].length().unwrap_or(0));
            let op = Op::Gather { axis: *axis, runs };
            Some(expr.with(expr.grid.clone(), op, [slice(inner, own, expr.location)]))
        }
        (Op::Memory(array), _) => {
            let part = Op::Memory(Arc::new(part_of(array, ranges)?));
            Some(expr.with(expr.grid.clone(), part, []))
        }
        (Op::Npy { object, header, ranges: first }, _) => {
            let ranges = first.iter().zip(ranges).map(|(first, then)| first.then(then)).collect();
            Some(expr.with(expr.grid.clone(), Op::Npy { object: object.clone(), header: header.clone(), ranges }, []))
        }
        (Op::Reshape, [inner]) => places::reshaped(expr, input, inner, ranges),
        (Op::Strided { offset, steps }, [inner]) => places::strided(expr, inner, offset, steps, ranges),
        (Op::Custom(operation), _) => operation
            .sliced(input, expr, ranges)
            .or_else(|| along::sliced(expr, input, &**operation, ranges))
            .and_then(|part| with_grid(part, expr)),
        _ => None,
    }
}

/// A gather of indices at even steps is a slice where that can go on and need not be cut anew.
pub(super) fn even(expr: &Expr, input: &ExprRef, axis: usize, runs: &Runs) -> Option<ExprRef> {
    let [Run::Take { range, each: 1, times: 1 }] = runs.list() else { return None };
    let mut ranges = whole(&input.grid);
    *ranges.get_mut(axis)? = *range;
    let part = slice(input, ranges, expr.location);
    // A source makes any chunks.
    if part.grid != expr.grid && !input.inputs.is_empty() {
        return None;
    }
    push_down(&part).and_then(|part| with_grid(part, expr))
}

/// Cutting first may leave other chunks than cutting last: then they are restored.
pub(super) fn with_grid(expr: ExprRef, wanted: &Expr) -> Option<ExprRef> {
    Some(rechunked(&expr, wanted.grid.clone(), wanted.location))
}

pub(super) fn whole(grid: &Grid) -> Vec<StepRange> {
    grid.axes().iter().map(|axis| StepRange::all(axis.length().unwrap_or(0))).collect()
}

/// The arrays that a slice touches, each cut; only for slices that go forwards along the axis.
fn concatenate(expr: &Expr, inputs: &[ExprRef], axis: usize, ranges: &[StepRange]) -> Option<ExprRef> {
    let range = ranges[axis];
    if range.step < 1 || range.length == 0 {
        return None;
    }
    let mut parts = Vec::new();
    let mut start = 0;
    let mut position = 0;
    for input in inputs {
        let length = input.grid.axes()[axis].length()?;
        if position < range.length && range.at(position) < start + length {
            let first = range.at(position) - start;
            let count = ((length - 1 - first) / range.step.unsigned_abs() + 1).min(range.length - position);
            let mut own = ranges.to_vec();
            own[axis] = StepRange { start: first, step: range.step, length: count };
            parts.push(slice(input, own, expr.location));
            position += count;
        }
        start += length;
    }
    if let [only] = parts.as_slice() {
        return with_grid(only.clone(), expr);
    }
    let cut = |number: usize| {
        if number == axis {
            Axis::from_lengths(parts.iter().flat_map(|part| part.grid.axes()[axis].lengths().unwrap_or_default()))
        } else {
            parts[0].grid.axes()[number].clone()
        }
    };
    let grid = Grid::new((0..expr.ndim()).map(cut));
    let joined = Expr::new(expr.dtype, grid, Op::Concatenate { axis }, parts, expr.location);
    with_grid(joined, expr)
}

/// A view of an array in memory.
fn part_of(array: &Block, ranges: &[StepRange]) -> Option<Block> {
    with_dtype!(array.dtype(), T => {
        let shared = array.clone().into_shared_array::<T>().ok()?;
        let mut shared = shared;
        for (axis, range) in ranges.iter().enumerate() {
            let slice = match range.length.checked_sub(1).map(|last| range.at(last)) {
                None => ndarray::Slice::from(0..0),
                Some(last) => {
                    let (low, high) = (range.start.min(last), range.start.max(last) + 1);
                    ndarray::Slice::new(low as isize, Some(high as isize), range.step)
                }
            };
            shared.slice_axis_inplace(ndarray::Axis(axis), slice);
        }
        Some(Block::from_shared(shared))
    })
}
