//! Slices pass what puts elements elsewhere: reshapes along the axes that they leave as they are and where runs stay runs, windows and
//! diagonals as another offset and other steps.

use super::slice::{whole, with_grid};
use crate::array::build::slice;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::range::StepRange;
use crate::array::shape::reshape::run_grid;

/// What stands in the place of `ranges` of the reshape `made` of `input`.
pub(super) fn reshaped(part: &Expr, made: &Expr, input: &ExprRef, ranges: &[StepRange]) -> Option<ExprRef> {
    let (from, to) = (input.grid.shape()?, made.grid.shape()?);
    if ranges.iter().any(|range| range.length == 0) || from.contains(&0) {
        return None;
    }
    let same = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    let cut = |axis: usize| !ranges[axis].is_all(to[axis]);
    if (0..same).any(cut) {
        // The axes in front are the same in both.
        let own: Vec<StepRange> = from
            .iter()
            .enumerate()
            .map(|(axis, &n)| if axis < same { ranges[axis] } else { StepRange::all(n) })
            .collect();
        let rest = ranges.iter().zip(&to).enumerate();
        let rest = rest.map(|(axis, (range, _))| if axis < same { StepRange::all(range.length) } else { *range });
        let rest: Vec<StepRange> = rest.collect();
        let first: Vec<StepRange> =
            (0..to.len()).map(|axis| if axis < same { ranges[axis] } else { StepRange::all(to[axis]) }).collect();
        let axes =
            made.grid.axes().iter().zip(&first).map(|(axis, range)| crate::array::build::slice_axis(axis, range));
        let input = slice(input, own, part.location);
        let made = made.with(Grid::new(axes), Op::Reshape, [input]);
        return with_grid(slice(&made, rest, part.location), part);
    }
    run(part, made, input, ranges, (&from, &to))
}

/// A slice that is a run of the flat array is cut from the rows that hold it.
fn run(
    part: &Expr,
    made: &Expr,
    input: &ExprRef,
    ranges: &[StepRange],
    shapes: (&[usize], &[usize]),
) -> Option<ExprRef> {
    let (from, to) = shapes;
    let (first, last) = (ranges.first()?, *from.first()?);
    let whole = ranges.iter().zip(to).skip(1).all(|(range, &length)| range.is_all(length));
    if !whole || first.step != 1 {
        return None;
    }
    let row: usize = to.iter().skip(1).product();
    let inner: usize = from.iter().skip(1).product();
    let (start, end) = (first.start * row, (first.start + first.length) * row);
    let rows = start / inner..end.div_ceil(inner);
    let exact = start == rows.start * inner && end == rows.end * inner;
    if rows.len() == last || !(exact || to.len() == 1) {
        return None;
    }
    let mut own: Vec<StepRange> = from.iter().map(|&length| StepRange::all(length)).collect();
    own[0] = StepRange { start: rows.start, step: 1, length: rows.len() };
    let input = slice(input, own, part.location);
    if exact {
        return Some(made.with(part.grid.clone(), Op::Reshape, [input]));
    }
    let chunk = made.grid.axes().first().and_then(Axis::longest)?;
    let flat = made.with(run_grid(&[rows.len() * inner], chunk.max(1)), Op::Reshape, [input]);
    let within = StepRange { start: start - rows.start * inner, ..*first };
    with_grid(slice(&flat, vec![within], part.location), part)
}

/// What stands in the place of `ranges` of an array seen along other axes.
pub(super) fn strided(
    part: &Expr,
    input: &ExprRef,
    offset: &Dims,
    steps: &[Dims],
    ranges: &[StepRange],
) -> Option<ExprRef> {
    if !input.grid.is_known() || ranges.iter().any(|range| range.length == 0 || range.step < 1) {
        return None;
    }
    let (mut first, mut last) = (offset.clone(), offset.clone());
    let mut moved: Vec<Dims> = Vec::with_capacity(steps.len());
    for (range, step) in ranges.iter().zip(steps) {
        for (axis, by) in step.iter().enumerate() {
            first[axis] += range.start * by;
            last[axis] += range.last()? * by;
        }
        moved.push(step.iter().map(|by| by * range.step.unsigned_abs()).collect());
    }
    // Of the input what the elements lie in.
    let mut own = whole(&input.grid);
    for (range, (first, last)) in own.iter_mut().zip(first.iter_mut().zip(&last)) {
        *range = StepRange { start: *first, step: 1, length: last + 1 - *first };
        *first = 0;
    }
    let input = slice(input, own, part.location);
    Some(part.with(part.grid.clone(), Op::Strided { offset: first, steps: moved }, [input]))
}
