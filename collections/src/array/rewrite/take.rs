//! Gathers that leave at most a half move towards the sources: through elementwise operations, reductions along other axes and
//! rechunks, so that what nobody takes is not computed. (Others stay: of several inputs
//! each would be gathered from.)

use crate::array::build::rechunked;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::{Run, Runs, with_axis};
use crate::array::grid::Axis;
use crate::array::kernels::Program;
use crate::array::kernels::program::Instr;

/// What stands in the place of a gather whose input lets it pass.
pub(super) fn push_down(expr: &Expr) -> Option<ExprRef> {
    let (Op::Gather { axis, runs }, [input]) = (&expr.op, expr.inputs.as_slice()) else { return None };
    let filled = runs.list().iter().any(|run| matches!(run, Run::Fill { .. }));
    if filled || input.grid.axes()[*axis].length().is_none_or(|length| runs.length() > length / 2) {
        return None;
    }
    let cut = &expr.grid.axes()[*axis];
    match (&input.op, input.inputs.as_slice()) {
        (Op::Blockwise(program), inputs) if !sees_places(program) && !inputs.is_empty() => {
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
        _ => None,
    }
}

/// Whether elements depend on where they are.
fn sees_places(program: &Program) -> bool {
    program.instrs.iter().any(|instr| matches!(instr, Instr::Index { .. } | Instr::Random { .. }))
}

/// The same gather of an array below.
fn taken(input: &ExprRef, axis: usize, runs: &Runs, cut: &Axis, of: &Expr) -> ExprRef {
    let grid = with_axis(&input.grid, axis, cut.clone());
    Expr::new(input.dtype, grid, Op::Gather { axis, runs: runs.clone() }, [input.clone()], of.location)
}
