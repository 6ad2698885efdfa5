//! Makes expressions: broadcasting, promotion, alignment of chunks. What cannot work is refused here, before anything runs.

use std::panic::Location;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::array::dtype::DType;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Dims, Grid, shape_text};
use crate::array::kernels::KernelError;
use crate::array::kernels::program::{Builder, Input, Program, Reg};
use crate::array::range::StepRange;
use crate::array::unify::{Operand, unify};
use crate::error::{Error, Result};

type At = &'static Location<'static>;

/// An error of a kernel that was found while building.
pub(crate) fn invalid(operation: &str, error: &KernelError, at: At) -> Error {
    Error::invalid_at(operation, error.to_string(), at)
}

/// An elementwise operation with NumPy's broadcasting.
pub(crate) fn elementwise(
    operation: &str,
    inputs: &[ExprRef],
    at: At,
    build: impl FnOnce(&mut Builder, &[Reg]) -> std::result::Result<Reg, KernelError>,
) -> Result<ExprRef> {
    let ndim = inputs.iter().map(|input| input.ndim()).max().unwrap_or(0);
    let is_one = |axis: &Axis| axis.length() == Some(1);
    let mut builder = Builder::new(ndim);
    let mut regs: SmallVec<[Reg; 3]> = SmallVec::new();
    for input in inputs {
        let lead = ndim - input.ndim();
        // Along an axis of length 1 an input is broadcast if any other one is longer there.
        let stretched = |axis: usize| {
            inputs.iter().any(|other| {
                let position = (axis + lead + other.ndim()).checked_sub(ndim);
                position.is_some_and(|position| !is_one(&other.grid.axes()[position]))
            })
        };
        let axes = input.grid.axes();
        regs.push(
            builder
                .input(Input::broadcast(input.dtype, axes.len(), ndim, |axis| is_one(&axes[axis]) && stretched(axis))),
        );
    }
    let result = build(&mut builder, &regs).map_err(|error| invalid(operation, &error, at))?;
    let program = builder.finish(result).map_err(|error| invalid(operation, &error, at))?;
    blockwise(operation, program, inputs.to_vec(), &[], at)
}

/// A program on inputs, which are cut alike first. `extra` gives the axes that no input is read along.
pub(crate) fn blockwise(
    operation: &str,
    program: Program,
    mut inputs: Vec<ExprRef>,
    extra: &[(usize, Axis)],
    at: At,
) -> Result<ExprRef> {
    let mut axes: SmallVec<[Axis; 4]> = SmallVec::with_capacity(program.ndim);
    let operands: SmallVec<[Operand<'_>; 3]> = inputs
        .iter()
        .zip(&program.inputs)
        .map(|(expr, read)| Operand { expr, reads: read.axes.iter().map(|axis| axis.map(usize::from)).collect() })
        .collect();
    for out in 0..program.ndim {
        let mut read = operands.iter().filter_map(|operand| operand.axis(out));
        let first = read.next();
        if let Some(other) = first.and_then(|first| read.find(|axis| !axis.as_long_as(first)))
            && let Some(first) = first
        {
            return Err(misfit(operation, &inputs, other, first, at));
        }
    }
    let dtype = program.dtype().map_err(|error| invalid(operation, &error, at))?;
    for (out, axis) in unify(&operands, program.ndim, dtype.size()).into_iter().enumerate() {
        let given = || extra.iter().find(|(axis, _)| *axis == out).map(|(_, axis)| axis.clone());
        axes.push(axis.or_else(given).unwrap_or_else(|| Axis::whole(1)));
    }
    drop(operands);
    for (input, read) in inputs.iter_mut().zip(&program.inputs) {
        // An axis that is not read has one index; were it cut, its empty chunks would be in the way.
        let uncut = |axis: &Axis| axis.length().map_or_else(|| axis.clone(), Axis::whole);
        let mut wanted: SmallVec<[Axis; 4]> = input.grid.axes().iter().map(uncut).collect();
        for (out, axis) in read.axes.iter().enumerate() {
            if let Some(axis) = axis {
                wanted[usize::from(*axis)] = axes[out].clone();
            }
        }
        *input = rechunked(input, Grid::new(wanted), at);
    }
    let grid = Grid::new(axes);
    if let Some(reason) = grid.excess() {
        return Err(Error::invalid_at(operation, reason, at));
    }
    Ok(Expr::new(dtype, grid, Op::Blockwise(Arc::new(program)), inputs, at))
}

/// The error for inputs whose axes `a` and `b` should be equally long.
pub(crate) fn misfit(operation: &str, inputs: &[ExprRef], a: &Axis, b: &Axis, at: At) -> Error {
    let shapes: Vec<String> = inputs.iter().map(|input| shape_text(&input.grid)).collect();
    let shapes = shapes.join(" and ");
    let reason = if a.length().is_some() && b.length().is_some() {
        format!("shapes {shapes} do not match: axes must be equal, or 1 to be repeated")
    } else {
        format!(
            "shapes {shapes} have lengths that are known only when computed and come from different places: persist both first"
        )
    };
    Error::invalid_at(operation, reason, at)
}

/// The array in other chunks; itself if it is cut like that.
pub(crate) fn rechunked(expr: &ExprRef, grid: Grid, at: At) -> ExprRef {
    if expr.grid == grid {
        return expr.clone();
    }
    Expr::new(expr.dtype, grid, Op::Rechunk, [expr.clone()], at)
}

/// The array in another element type; itself if it has it.
pub(crate) fn cast(expr: &ExprRef, dtype: DType, at: At) -> Result<ExprRef> {
    if expr.dtype == dtype {
        return Ok(expr.clone());
    }
    elementwise("astype", std::slice::from_ref(expr), at, |builder, regs| builder.cast(regs[0], dtype))
}

/// Refuses complex numbers where an operation would take only their real parts.
pub(crate) fn only_real(operation: &str, expr: &Expr, at: At) -> Result<()> {
    if expr.dtype.is_complex() {
        let reason = format!("not defined on {}: give the real and the imaginary part apart", expr.dtype);
        return Err(Error::invalid_at(operation, reason, at));
    }
    Ok(())
}

/// The array read along other axes: entry `i` says which axis becomes axis `i`, or that a new axis of length 1 stands there.
/// Axes that are left out must have length 1.
pub(crate) fn view(operation: &str, expr: &ExprRef, axes: &[Option<usize>], at: At) -> Result<ExprRef> {
    let mut builder = Builder::new(axes.len());
    let axes = axes.iter().map(|axis| axis.and_then(|axis| u8::try_from(axis).ok())).collect();
    let input = builder.input(Input { dtype: expr.dtype, axes });
    let program = builder.finish(input).map_err(|error| invalid(operation, &error, at))?;
    blockwise(operation, program, vec![expr.clone()], &[], at)
}

/// The axis as a number from 0, with negative ones counted from the end.
pub(crate) fn axis_number(operation: &str, axis: isize, ndim: usize, at: At) -> Result<usize> {
    let number = if axis < 0 { axis + ndim as isize } else { axis };
    usize::try_from(number).ok().filter(|&number| number < ndim).ok_or_else(|| {
        let reason = format!("axis {axis} is out of range for an array of {ndim} dimensions");
        Error::invalid_at(operation, reason, at)
    })
}

/// A part of an array.
pub(crate) fn slice(expr: &ExprRef, ranges: Vec<StepRange>, at: At) -> ExprRef {
    let whole = |(axis, range): (&Axis, &StepRange)| axis.length().is_none_or(|length| range.is_all(length));
    if expr.grid.axes().iter().zip(&ranges).all(whole) {
        return expr.clone();
    }
    let grid = Grid::new(expr.grid.axes().iter().zip(&ranges).map(|(axis, range)| slice_axis(axis, range)));
    Expr::new(expr.dtype, grid, Op::Slice(ranges), [expr.clone()], at)
}

/// The chunks of an axis that a range touches, each cut to the range; in the range's direction.
/// An axis of unknown length can only be taken whole.
pub(crate) fn slice_axis(axis: &Axis, range: &StepRange) -> Axis {
    match axis {
        // Taken whole, an axis keeps its chunks, the empty ones too: an array that is not cut at all does.
        Axis::Known(bounds) if axis.length().is_none_or(|length| !range.is_all(length)) => {
            Axis::from_lengths(touched(bounds, range).map(|piece| piece.count))
        }
        whole => whole.clone(),
    }
}

/// What a range takes of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The chunk.
    pub chunk: usize,
    /// The first position of the range that lies in it.
    pub position: usize,
    /// How many positions lie in it.
    pub count: usize,
}

/// The pieces of a range, in its direction; chunks that it does not touch are left out. Source chunks are found by bisection.
pub(crate) fn touched<'a>(bounds: &'a [usize], range: &'a StepRange) -> impl Iterator<Item = Piece> + 'a {
    let mut position = 0;
    std::iter::from_fn(move || {
        if position >= range.length {
            return None;
        }
        let index = range.at(position);
        let chunk = bounds.partition_point(|&bound| bound <= index).saturating_sub(1);
        let chunk = chunk.min(bounds.len().saturating_sub(2));
        let steps_left = if range.step > 0 {
            (bounds[chunk + 1].saturating_sub(1).saturating_sub(index)) / range.step.unsigned_abs()
        } else {
            index.saturating_sub(bounds[chunk]) / range.step.unsigned_abs().max(1)
        };
        let count = (steps_left + 1).min(range.length - position);
        let piece = Piece { chunk, position, count };
        position += count;
        Some(piece)
    })
}

/// The known shape, or an error that says what to do.
pub(crate) fn known_shape(operation: &str, expr: &Expr, at: At) -> Result<Dims> {
    expr.grid.shape().ok_or_else(|| {
        let reason = format!(
            "the shape {} is known only when computed: call persist first, then the lengths are known",
            shape_text(&expr.grid)
        );
        Error::invalid_at(operation, reason, at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_are_the_range(lengths in prop::collection::vec(0_usize..5, 1..6), start in 0_usize..20, step in -4_isize..5, length in 0_usize..20) {
            let axis = Axis::from_lengths(lengths);
            let bounds = axis.bounds().unwrap();
            let total = axis.length().unwrap();
            prop_assume!(step != 0 && total > 0);
            let start = start % total;
            let most = if step > 0 { (total - 1 - start) / step as usize } else { start / step.unsigned_abs() } + 1;
            let range = StepRange { start, step, length: length.min(most) };
            let mut seen = 0;
            for piece in touched(bounds, &range) {
                prop_assert_eq!(piece.position, seen);
                for position in piece.position..piece.position + piece.count {
                    let index = range.at(position);
                    prop_assert!(bounds[piece.chunk] <= index && index < bounds[piece.chunk + 1]);
                }
                seen += piece.count;
            }
            prop_assert_eq!(seen, range.length);
        }
    }
}
