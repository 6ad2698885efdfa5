//! What moves elements between blocks: slices, other shapes, several arrays as one.

use ndarray::Slice as NdSlice;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, TaskContext, Value};

use super::rechunk::overlaps;
use super::{Lowering, array, blocks, encode, layer, source_error};
use crate::array::build::{Piece, touched};
use crate::array::dtype::{DType, with_dtype};
use crate::array::expr::{Expr, ExprRef};
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::kernels::{Block, pool};
use crate::array::range::StepRange;
use crate::error::Result;

pub(super) const SLICE: &str = "array.slice";
pub(super) const RESHAPE: &str = "array.reshape";

/// `array.slice`: the part of a block that a slice takes.
#[derive(Serialize, Deserialize)]
pub(super) struct Slice {
    input: Grid,
    output: Grid,
    ranges: Vec<StepRange>,
}

/// The pieces of a range along an axis, one for each chunk of the cut axis (see [`crate::array::build::slice_axis`]).
fn pieces(axis: &Axis, range: &StepRange) -> SmallVec<[Piece; 4]> {
    let whole = |chunk: usize, bounds: &[usize]| Piece {
        chunk,
        position: bounds[chunk],
        count: bounds[chunk + 1] - bounds[chunk],
    };
    match axis.bounds() {
        None => (0..axis.chunks()).map(|chunk| Piece { chunk, position: 0, count: 0 }).collect(),
        Some(bounds) if axis.length().is_some_and(|length| range.is_all(length)) => {
            (0..axis.chunks()).map(|chunk| whole(chunk, bounds)).collect()
        }
        Some(_) if range.length == 0 => SmallVec::from_slice(&[Piece { chunk: 0, position: 0, count: 0 }]),
        Some(bounds) => touched(bounds, range).collect(),
    }
}

impl Kernel for Slice {
    fn name(&self) -> &str {
        SLICE
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let input = inputs.first().ok_or_else(|| KernelError::new("a slice of nothing"))?;
        let block = array(input)?;
        let place = self.output.place(task.block as usize);
        let mut slices: SmallVec<[NdSlice; 4]> = SmallVec::new();
        for ((axis, range), &at) in self.input.axes().iter().zip(&self.ranges).zip(&place) {
            let Some(bounds) = axis.bounds() else {
                slices.push(NdSlice::from(..));
                continue;
            };
            let piece = *pieces(axis, range).get(at).ok_or_else(|| KernelError::new("a slice beyond its grid"))?;
            if piece.count == 0 {
                slices.push(NdSlice::from(0..0));
                continue;
            }
            let ends = [range.at(piece.position), range.at(piece.position + piece.count - 1)];
            let start = bounds[piece.chunk];
            let (low, high) = (ends[0].min(ends[1]) - start, ends[0].max(ends[1]) - start + 1);
            slices.push(NdSlice::new(low as isize, Some(high as isize), range.step));
        }
        with_dtype!(block.dtype(), T => {
            let view = block.view::<T>().map_err(source_error)?;
            let part = view.slice_each_axis(|axis| slices[axis.axis.index()]);
            Ok(Value::block(Block::from(part)))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

pub(super) fn lower_slice(
    lowering: &mut Lowering,
    expr: &Expr,
    input: &ExprRef,
    ranges: &[StepRange],
) -> Result<Vec<Edge>> {
    let sources = blocks(lowering, input)?;
    let kernel = Slice { input: input.grid.clone(), output: expr.grid.clone(), ranges: ranges.to_vec() };
    let layer = lowering.graph.layer(layer(expr, kernel));
    let per_axis: Vec<SmallVec<[Piece; 4]>> =
        input.grid.axes().iter().zip(ranges).map(|(axis, range)| pieces(axis, range)).collect();
    let mut made = Vec::with_capacity(expr.grid.blocks());
    for block in 0..expr.grid.blocks() {
        let place = expr.grid.place(block);
        let source: Dims = place.iter().zip(&per_axis).map(|(&at, pieces)| pieces[at].chunk).collect();
        let edge = sources[input.grid.block_at(&source)];
        made.push(lowering.graph.task(layer, block as u32, expr.block_bytes(&place), &[edge])?.into());
    }
    Ok(made)
}

/// `array.reshape`: blocks that are runs of the flat array, from blocks that are runs of it.
#[derive(Serialize, Deserialize)]
pub(super) struct Reshape {
    /// The flat array as the input cuts it.
    from: Axis,
    /// The flat array as the result cuts it.
    to: Axis,
    grid: Grid,
    dtype: DType,
}

impl Kernel for Reshape {
    fn name(&self) -> &str {
        RESHAPE
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let shape = self.grid.block_shape(&self.grid.place(task.block as usize));
        let (Some(from), Some(to)) = (self.from.bounds(), self.to.bounds()) else {
            return Err(KernelError::new("a reshape of unknown lengths"));
        };
        with_dtype!(self.dtype, T => {
            let mut flat: Vec<T> = pool::take(shape.iter().product());
            let sources = overlaps(&self.to, task.block as usize, &self.from);
            for ((source, range), input) in sources.iter().zip(inputs.iter()) {
                let view = array(input)?.view::<T>().map_err(source_error)?;
                let start = (to[task.block as usize] + range.start) - from[*source];
                let target = flat.get_mut(range.clone()).ok_or_else(|| KernelError::new("a run beyond its block"))?;
                match view.as_slice() {
                    Some(values) if start + target.len() <= values.len() => {
                        target.copy_from_slice(&values[start..start + target.len()]);
                    }
                    _ => target.iter_mut().zip(view.iter().skip(start)).for_each(|(to, from)| *to = *from),
                }
            }
            Ok(Value::block(Block::from_vec(&shape, flat).map_err(source_error)?))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// The flat array, cut where the blocks of a grid begin, if each of them is a run of it.
fn runs(grid: &Grid) -> Axis {
    Axis::from_lengths((0..grid.blocks()).map(|block| grid.block_shape(&grid.place(block)).iter().product()))
}

/// The input is cut so that its blocks are runs of the flat array (see [`crate::array::shape`]).
pub(super) fn lower_reshape(lowering: &mut Lowering, expr: &Expr, input: &ExprRef) -> Result<Vec<Edge>> {
    let sources = blocks(lowering, input)?;
    let (from, to) = (runs(&input.grid), runs(&expr.grid));
    let axes = (from.clone(), to.clone());
    let kernel = Reshape { from, to, grid: expr.grid.clone(), dtype: expr.dtype };
    let layer = lowering.graph.layer(layer(expr, kernel));
    (0..expr.grid.blocks())
        .map(|block| {
            let edges: SmallVec<[Edge; 4]> =
                overlaps(&axes.1, block, &axes.0).iter().map(|(source, _)| sources[*source]).collect();
            let bytes = expr.block_bytes(&expr.grid.place(block));
            Ok(lowering.graph.task(layer, block as u32, bytes, &edges)?.into())
        })
        .collect()
}

/// Blocks of several arrays are blocks of one: no tasks.
pub(super) fn lower_concatenate(
    lowering: &mut Lowering,
    expr: &Expr,
    inputs: &[ExprRef],
    axis: usize,
) -> Result<Vec<Edge>> {
    let sources = inputs.iter().map(|input| blocks(lowering, input)).collect::<Result<Vec<_>>>()?;
    let mut made = Vec::with_capacity(expr.grid.blocks());
    for block in 0..expr.grid.blocks() {
        let mut place = expr.grid.place(block);
        for (input, source) in inputs.iter().zip(&sources) {
            let chunks = input.grid.axes()[axis].chunks();
            if place[axis] < chunks {
                made.push(source[input.grid.block_at(&place)]);
                break;
            }
            place[axis] -= chunks;
        }
    }
    Ok(made)
}
