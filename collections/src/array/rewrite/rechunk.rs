//! A rechunk of a rechunk goes there directly; sources make the chunks that are asked for.

use std::panic::Location;

use crate::array::build::rechunked;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::with_axis;
use crate::array::grid::{Axis, Grid};
use crate::array::kernels::program::Input;

/// What stands in the place of a rechunk, or of a reduction of one: that does not depend on the chunks, and its result is less to move.
pub(super) fn merge(expr: &Expr) -> Option<ExprRef> {
    if let (Op::Reduce { .. }, [moved]) = (&expr.op, expr.inputs.as_slice())
        && let (Op::Rechunk, [inner]) = (&moved.op, moved.inputs.as_slice())
    {
        return (!made_anew(inner, &moved.grid, DEEPEST)).then(|| reduced(expr, inner.clone()));
    }
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
            if !made_anew(input, &expr.grid, DEEPEST) {
                return None;
            }
            let inputs = input.inputs.iter().zip(&program.inputs);
            let inputs: Vec<ExprRef> =
                inputs.map(|(input, read)| rechunked(input, wanted(input, read, &expr.grid), expr.location)).collect();
            Some(expr.with(expr.grid.clone(), Op::Blockwise(program.clone()), inputs))
        }
        // Along the other axes arrays are cut before they are joined.
        Op::Concatenate { axis } if made_anew(input, &expr.grid, DEEPEST) => {
            let inputs =
                input.inputs.iter().map(|input| rechunked(input, own_grid(input, &expr.grid, *axis), expr.location));
            Some(expr.with(expr.grid.clone(), input.op.clone(), inputs.collect::<Vec<_>>()))
        }
        _ => None,
    }
}

/// The reduction of an input in other chunks, in the chunks it had.
pub(super) fn reduced(expr: &Expr, input: ExprRef) -> ExprRef {
    let Op::Reduce { axes, keepdims, .. } = &expr.op else { return expr.with_inputs([input]) };
    let kept = input.grid.axes().iter().enumerate().filter_map(|(axis, cut)| match axes.contains(&axis) {
        true => keepdims.then(|| Axis::whole(1)),
        false => Some(cut.clone()),
    });
    let made = expr.with(Grid::new(kept), expr.op.clone(), [input]);
    rechunked(&made, expr.grid.clone(), expr.location)
}

/// What stands in the place of a rechunk of something that makes any block as easily as any other.
pub(super) fn source(expr: &Expr) -> Option<ExprRef> {
    match (&expr.op, expr.inputs.as_slice()) {
        (Op::Rechunk, [input]) => recut(input, &expr.grid, expr.location),
        _ => None,
    }
}

/// A source in other chunks, if it makes these as easily as its own.
pub(super) fn recut(source: &Expr, grid: &Grid, at: &'static Location<'static>) -> Option<ExprRef> {
    match &source.op {
        Op::Memory(array) => Some(Expr::source(source.dtype, grid.clone(), Op::Memory(array.clone()), source.key, at)),
        _ if can_recut(source, grid) => Some(Expr::new(source.dtype, grid.clone(), source.op.clone(), [], at)),
        _ => None,
    }
}

/// Whether a source makes other chunks as easily as its own: any of what is in memory or in a `.npy` file or is made of nothing, whole
/// chunks of a store.
fn can_recut(source: &Expr, grid: &Grid) -> bool {
    match &source.op {
        Op::Memory(_) | Op::Npy { .. } => true,
        Op::Blockwise(_) => source.inputs.is_empty(),
        Op::Custom(operation) if source.inputs.is_empty() => operation.cuts(source).is_some_and(|finest| {
            let within = |(wanted, finest): (&Axis, &Axis)| {
                let (Some(wanted), Some(finest)) = (wanted.bounds(), finest.bounds()) else { return false };
                wanted.iter().all(|bound| finest.binary_search(bound).is_ok())
            };
            grid.axes().iter().zip(finest.axes()).all(within)
        }),
        _ => false,
    }
}

/// The chunks of an input of a program whose result is cut as given.
fn wanted(input: &Expr, read: &Input, grid: &Grid) -> Grid {
    let mut axes: Vec<Axis> = input.grid.axes().to_vec();
    for (out, axis) in read.axes.iter().enumerate() {
        if let (Some(axis), Some(cut)) = (axis, grid.axes().get(out)) {
            axes[usize::from(*axis)] = cut.clone();
        }
    }
    Grid::new(axes)
}

/// How far down sources are looked for: a longer chain is cut where it ends.
pub(super) const DEEPEST: u32 = 6;

/// Whether an array can be made in any chunks at no cost: a source, or a few elementwise operations on such.
pub(crate) fn made_of_nothing(expr: &Expr) -> bool {
    fn within(expr: &Expr, depth: u32) -> bool {
        match &expr.op {
            Op::Memory(_) | Op::Npy { .. } => true,
            Op::Blockwise(_) => depth > 0 && expr.inputs.iter().all(|input| within(input, depth - 1)),
            _ => false,
        }
    }
    within(expr, DEEPEST)
}

/// Whether an array can be made in other chunks at no cost.
pub(super) fn made_anew(expr: &Expr, grid: &Grid, depth: u32) -> bool {
    expr.grid == *grid
        || match &expr.op {
            Op::Rechunk => true,
            Op::Blockwise(program) => {
                let mut inputs = expr.inputs.iter().zip(&program.inputs);
                depth > 0 && inputs.all(|(input, read)| made_anew(input, &wanted(input, read, grid), depth - 1))
            }
            Op::Concatenate { axis } => {
                let same = expr.grid.axes().get(*axis) == grid.axes().get(*axis);
                let own = |input: &ExprRef| own_grid(input, grid, *axis);
                depth > 0 && same && expr.inputs.iter().all(|input| made_anew(input, &own(input), depth - 1))
            }
            _ => can_recut(expr, grid),
        }
}

/// The grid of one of several arrays that stand one after the other along an axis.
fn own_grid(input: &Expr, grid: &Grid, axis: usize) -> Grid {
    input.grid.axes().get(axis).map_or_else(|| grid.clone(), |own| with_axis(grid, axis, own.clone()))
}
