//! A rechunk of a rechunk goes there directly; sources make the chunks that are asked for.

use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::Axis;

/// What stands in the place of a rechunk.
pub(super) fn merge(expr: &Expr) -> Option<ExprRef> {
    let (Op::Rechunk, [input]) = (&expr.op, expr.inputs.as_slice()) else { return None };
    if input.grid == expr.grid {
        return Some(input.clone());
    }
    match &input.op {
        Op::Rechunk if let [inner] = input.inputs.as_slice() => match inner.grid == expr.grid {
            true => Some(inner.clone()),
            false => Some(expr.with_inputs([inner.clone()])),
        },
        _ if let Some(source) = source(expr) => Some(source),
        // Inputs that are themselves made anew are cut instead of the result.
        Op::Blockwise(program) => {
            let sources = input.inputs.iter().all(|input| made_anew(input, DEEPEST));
            if !sources {
                return None;
            }
            let inputs = input.inputs.iter().zip(&program.inputs).map(|(input, read)| {
                let mut axes: Vec<Axis> = input.grid.axes().to_vec();
                for (out, axis) in read.axes.iter().enumerate() {
                    if let Some(axis) = axis {
                        axes[usize::from(*axis)] = expr.grid.axes()[out].clone();
                    }
                }
                crate::array::build::rechunked(input, crate::array::grid::Grid::new(axes), expr.location)
            });
            let inputs: Vec<ExprRef> = inputs.collect();
            Some(expr.with(expr.grid.clone(), Op::Blockwise(program.clone()), inputs))
        }
        _ => None,
    }
}

/// What stands in the place of a rechunk of something that makes any block as easily as any other.
pub(super) fn source(expr: &Expr) -> Option<ExprRef> {
    let (Op::Rechunk, [input]) = (&expr.op, expr.inputs.as_slice()) else { return None };
    match &input.op {
        Op::Memory(array) => {
            let op = Op::Memory(array.clone());
            Some(Expr::source(expr.dtype, expr.grid.clone(), op, input.key, expr.location))
        }
        Op::Npy { .. } => Some(expr.with(expr.grid.clone(), input.op.clone(), [])),
        Op::Blockwise(_) if input.inputs.is_empty() => Some(expr.with(expr.grid.clone(), input.op.clone(), [])),
        _ => None,
    }
}

/// How far down sources are looked for: a longer chain is cut where it ends.
const DEEPEST: u32 = 6;

/// Whether an array can be made in other chunks at no cost.
fn made_anew(expr: &Expr, depth: u32) -> bool {
    match &expr.op {
        Op::Memory(_) | Op::Npy { .. } | Op::Rechunk => true,
        Op::Blockwise(_) => depth > 0 && expr.inputs.iter().all(|input| made_anew(input, depth - 1)),
        _ => false,
    }
}
