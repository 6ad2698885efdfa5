//! Gathers that leave at most a half move towards the sources: through elementwise operations, reductions along other axes,
//! concatenations, rechunks and what goes along an axis index by index, so that what nobody takes is not computed. (Others stay: of several inputs
//! each would be gathered from.)

use super::{along, narrow};
use crate::array::build::rechunked;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::{Run, Runs, Stretch, with_axis};
use crate::array::grid::Axis;
use crate::array::kernels::Program;
use crate::array::kernels::program::Instr;
use crate::array::range::StepRange;

/// What stands in the place of a gather whose input lets it pass.
pub(super) fn push_down(expr: &Expr) -> Option<ExprRef> {
    let (Op::Gather { axis, runs }, [input]) = (&expr.op, expr.inputs.as_slice()) else { return None };
    let filled = runs.list().iter().any(|run| matches!(run, Run::Fill { .. }));
    if filled || input.grid.axes()[*axis].length().is_none_or(|length| runs.length() > length / 2) {
        return None;
    }
    let cut = &expr.grid.axes()[*axis];
    match (&input.op, input.inputs.as_slice()) {
        (_, []) => {
            if let Some(slice) = super::slice::even(expr, input, *axis, runs) {
                return Some(slice);
            }
            let source = narrow::around(input, *axis, runs)?;
            Some(expr.with_inputs([source]))
        }
        (Op::Blockwise(program), inputs) if !sees_places(program) => {
            let taken = inputs.iter().zip(&program.inputs).map(|(input, read)| match read.axes.get(*axis) {
                Some(Some(own)) => taken(input, usize::from(*own), runs, cut, expr),
                _ => input.clone(),
            });
            Some(expr.with(expr.grid.clone(), input.op.clone(), taken.collect::<Vec<_>>()))
        }
        (Op::Reduce { axes, keepdims, .. }, [inner]) => {
            let own = if *keepdims {
                Some(*axis).filter(|axis| axes.binary_search(axis).is_err())
            } else {
                (0..inner.ndim()).filter(|axis| axes.binary_search(axis).is_err()).nth(*axis)
            };
            let inner = taken(inner, own?, runs, cut, expr);
            Some(expr.with(expr.grid.clone(), input.op.clone(), [inner]))
        }
        (Op::Rechunk, [inner]) if inner.grid.axes()[*axis].length().is_some() => {
            Some(rechunked(&taken(inner, *axis, runs, cut, expr), expr.grid.clone(), expr.location))
        }
        (Op::Reshape, [inner]) if *axis == 0 => reshaped(expr, input, inner, runs),
        (Op::Custom(operation), _) => along::gathered(expr, input, &**operation, *axis, runs),
        (Op::Concatenate { axis: other }, inputs) => joined(expr, inputs, (*axis, *other), runs),
        _ => None,
    }
}

/// A gather of the first axis, that of rows which are not cut, of another shape with as many.
fn reshaped(expr: &Expr, made: &ExprRef, inner: &ExprRef, runs: &Runs) -> Option<ExprRef> {
    let rows = |expr: &Expr| -> Option<usize> {
        let (first, others) = expr.grid.axes().split_first()?;
        others.iter().all(|axis| axis.chunks() == 1).then(|| first.length())?
    };
    if rows(made)? != rows(inner)? {
        return None;
    }
    let cut = expr.grid.axes().first()?;
    Some(expr.with(expr.grid.clone(), made.op.clone(), [taken(inner, 0, runs, cut, expr)]))
}

/// A gather of arrays that stand one after the other: of each what is taken of it, where that comes in their order.
fn joined(expr: &Expr, inputs: &[ExprRef], (axis, other): (usize, usize), runs: &Runs) -> Option<ExprRef> {
    let cut = expr.grid.axes().get(axis)?;
    if axis != other {
        let taken: Vec<ExprRef> = inputs.iter().map(|input| taken(input, axis, runs, cut, expr)).collect();
        return Some(expr.with(expr.grid.clone(), Op::Concatenate { axis: other }, taken));
    }
    let lengths: Option<Vec<usize>> = inputs.iter().map(|input| input.grid.axes().get(axis)?.length()).collect();
    let ends = Axis::from_lengths(lengths?);
    // What is taken of each input.
    let mut parts: Vec<(usize, Vec<Run>)> = Vec::new();
    let mut whole = true;
    runs.walk(ends.bounds()?, 0..runs.length(), |stretch| match stretch {
        Stretch::Copy { count, chunk, first, step, each, skipped: 0, .. } if count.is_multiple_of(each) => {
            let range = StepRange { start: first, step, length: count / each };
            let run = Run::Take { range, each, times: 1 };
            match parts.last_mut() {
                Some((last, runs)) if *last == chunk => runs.push(run),
                Some((last, _)) if *last > chunk => whole = false,
                _ => parts.push((chunk, vec![run])),
            }
        }
        _ => whole = false,
    });
    if !whole || parts.is_empty() {
        return None;
    }
    let longest = cut.longest()?;
    let parts = parts.into_iter().map(|(input, runs)| {
        let (input, runs) = (inputs.get(input)?, Runs::from(runs));
        Some(taken(input, axis, &runs, &Axis::regular(runs.length(), longest), expr))
    });
    let parts: Vec<ExprRef> = parts.collect::<Option<_>>()?;
    // Several gathers instead of one: only where they can go on.
    if !parts.iter().flat_map(|part| &part.inputs).any(|input| lets_pass(input)) {
        return None;
    }
    if let [only] = parts.as_slice() {
        return Some(rechunked(only, expr.grid.clone(), expr.location));
    }
    let lengths = parts.iter().flat_map(|part| part.grid.axes()[axis].lengths().unwrap_or_default());
    let grid = with_axis(&expr.grid, axis, Axis::from_lengths(lengths));
    let joined = Expr::new(expr.dtype, grid, Op::Concatenate { axis }, parts, expr.location);
    Some(rechunked(&joined, expr.grid.clone(), expr.location))
}

/// Whether a gather is likely to go on below.
fn lets_pass(input: &Expr) -> bool {
    match &input.op {
        Op::Blockwise(program) => !sees_places(program),
        Op::Reduce { .. } | Op::Rechunk | Op::Concatenate { .. } | Op::Npy { .. } => true,
        _ => false,
    }
}

/// Whether elements depend on where they are.
pub(super) fn sees_places(program: &Program) -> bool {
    program.instrs.iter().any(|instr| matches!(instr, Instr::Index { .. } | Instr::Random { .. }))
}

/// The same gather of an array below.
pub(super) fn taken(input: &ExprRef, axis: usize, runs: &Runs, cut: &Axis, of: &Expr) -> ExprRef {
    let grid = with_axis(&input.grid, axis, cut.clone());
    Expr::new(input.dtype, grid, Op::Gather { axis, runs: runs.clone() }, [input.clone()], of.location)
}
