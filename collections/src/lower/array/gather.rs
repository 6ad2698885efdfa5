//! Indices along one axis in any order, and axes made of others.

use std::ops::Range;

use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn, Slice as NdSlice};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, TaskContext, Value};

use super::{Lowering, array, blocks, check_dtype, encode, layer, source_error};
use crate::array::dtype::{DType, Element, with_dtype};
use crate::array::expr::{Expr, ExprRef};
use crate::array::gather::{Runs, Stretch};
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::kernels::{Block, pool};
use crate::error::Result;

pub(super) const GATHER: &str = "array.gather";
pub(super) const STRIDED: &str = "array.strided";

/// `array.gather`: a block of indices along one axis, from the chunks that they lie in, in ascending order.
#[derive(Serialize, Deserialize)]
pub(super) struct Gather {
    /// The axis of the input that is gathered from.
    from: Axis,
    output: Grid,
    axis: usize,
    runs: Runs,
    dtype: DType,
}

impl Kernel for Gather {
    fn name(&self) -> &str {
        GATHER
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let unknown = || KernelError::new("a gather of unknown lengths");
        let place = self.output.place(task.block as usize);
        let bounds = self.from.bounds().ok_or_else(unknown)?;
        let positions = self.output.axes().get(self.axis).and_then(Axis::bounds).ok_or_else(unknown)?;
        let positions = positions[place[self.axis]]..positions[place[self.axis] + 1];
        let runs = &self.runs;
        let chunks = runs.chunks(bounds, positions.clone());
        if inputs.len() < chunks.len() {
            return Err(KernelError::new(format!("{} blocks where {} were promised", inputs.len(), chunks.len())));
        }
        let mut shape = self.output.block_shape(&place);
        for (axis, length) in shape.iter_mut().enumerate() {
            if self.output.axes()[axis].length().is_none() {
                let block = array(inputs.first().ok_or_else(unknown)?)?;
                *length = block.shape().get(axis).copied().unwrap_or(0);
            }
        }
        for (&chunk, input) in chunks.iter().zip(inputs.iter()) {
            let block = array(input)?;
            check_dtype(block.dtype(), self.dtype)?;
            let mut expected = shape.clone();
            expected[self.axis] = bounds[chunk + 1] - bounds[chunk];
            if block.shape() != expected.as_slice() {
                let found = block.shape();
                return Err(KernelError::new(format!("a block of shape {found:?} where {expected:?} was promised")));
            }
        }
        with_dtype!(self.dtype, T => {
            let views: Vec<ArrayViewD<'_, T>> = inputs[..chunks.len()]
                .iter()
                .map(|input| array(input)?.view::<T>().map_err(source_error))
                .collect::<KernelResult<_>>()?;
            let flat = copy_runs(&views, &chunks, runs, bounds, positions, &shape, self.axis);
            Ok(Value::block(Block::from_vec(&shape, flat).map_err(source_error)?))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// The elements of the block, in order. The shapes of the sources have been checked.
fn copy_runs<T: Element>(
    views: &[ArrayViewD<'_, T>],
    chunks: &[usize],
    runs: &Runs,
    bounds: &[usize],
    positions: Range<usize>,
    shape: &[usize],
    axis: usize,
) -> Vec<T> {
    let mut flat: Vec<T> = pool::take(shape.iter().product());
    let sources: Vec<_> = views.iter().map(|view| view.as_standard_layout()).collect();
    let sources: Vec<&[T]> = sources.iter().map(|source| source.as_slice().unwrap_or_default()).collect();
    let inner: usize = shape[axis + 1..].iter().product();
    let row = inner * positions.len();
    if row == 0 {
        return flat;
    }
    for (outer, target) in flat.chunks_exact_mut(row).enumerate() {
        runs.walk(bounds, positions.clone(), |stretch| match stretch {
            Stretch::Fill { position, count, value } => {
                target[position * inner..(position + count) * inner].fill(value.get::<T>());
            }
            Stretch::Copy { position, count, chunk, first, step, each, skipped } => {
                let width = (bounds[chunk + 1] - bounds[chunk]) * inner;
                let Ok(source) = chunks.binary_search(&chunk) else { return };
                let source = &sources[source][outer * width..(outer + 1) * width];
                let target = &mut target[position * inner..(position + count) * inner];
                if (step, each) == (1, 1) {
                    target.copy_from_slice(&source[first * inner..(first + count) * inner]);
                    return;
                }
                let (mut index, mut left) = (first, each - skipped);
                let mut advance = || {
                    let now = index;
                    left -= 1;
                    if left == 0 {
                        (index, left) = (index.wrapping_add_signed(step), each);
                    }
                    now
                };
                if inner == 1 {
                    target.iter_mut().for_each(|target| *target = source[advance()]);
                } else {
                    target.chunks_exact_mut(inner).for_each(|target| {
                        let index = advance();
                        target.copy_from_slice(&source[index * inner..(index + 1) * inner]);
                    });
                }
            }
        });
    }
    flat
}

pub(super) fn lower_gather(
    lowering: &mut Lowering,
    expr: &Expr,
    input: &ExprRef,
    axis: usize,
    runs: &Runs,
) -> Result<Vec<Edge>> {
    let sources = blocks(lowering, input)?;
    let from = &input.grid.axes()[axis];
    let lost = || talatat_graph::Error::InvalidGraph("a gather of unknown lengths".into());
    let (bounds, targets) =
        (from.bounds().ok_or_else(lost)?, expr.grid.axes()[axis].bounds().cloned().ok_or_else(lost)?);
    let known = expr.grid.is_known();
    // What each chunk of the result is made of; whether it is a chunk of the source as it is.
    let plan: Vec<(Vec<usize>, bool)> = targets
        .windows(2)
        .map(|pair| {
            let mut chunks = runs.chunks(bounds, pair[0]..pair[1]);
            if chunks.is_empty() && !known {
                // Only a block knows the other lengths.
                chunks.push(0);
            }
            let mut whole = pair[0] < pair[1] && chunks.len() == 1;
            runs.walk(bounds, pair[0]..pair[1], |stretch| match stretch {
                Stretch::Copy { count, chunk, first: 0, step: 1, each: 1, .. } => {
                    whole &= count == bounds[chunk + 1] - bounds[chunk] && count == pair[1] - pair[0];
                }
                _ => whole = false,
            });
            (chunks, whole)
        })
        .collect();
    let kernel = Gather { from: from.clone(), output: expr.grid.clone(), axis, runs: runs.clone(), dtype: expr.dtype };
    let layer = lowering.graph.layer(layer(expr, kernel));
    let mut made = Vec::with_capacity(expr.grid.blocks());
    for block in 0..expr.grid.blocks() {
        let place = expr.grid.place(block);
        let (chunks, whole) = &plan[place[axis]];
        let edges = chunks.iter().map(|&chunk| {
            let mut source = place.clone();
            source[axis] = chunk;
            sources[input.grid.block_at(&source)]
        });
        let edges: SmallVec<[Edge; 4]> = edges.collect();
        made.push(match edges.as_slice() {
            [edge] if *whole => *edge,
            edges => lowering.graph.task(layer, block as u32, expr.block_bytes(&place), edges)?.into(),
        });
    }
    Ok(made)
}

/// `array.strided`: a block whose index goes along several axes of the source at once, or shares one with others.
#[derive(Serialize, Deserialize)]
pub(super) struct Strided {
    input: Grid,
    output: Grid,
    offset: Dims,
    steps: Vec<Dims>,
    dtype: DType,
}

/// The indices of the source that a block is made of, along each axis of the source; nothing if the block is empty.
fn box_of(output: &Grid, place: &[usize], offset: &[usize], steps: &[Dims]) -> Option<SmallVec<[Range<usize>; 4]>> {
    let (origin, shape) = (output.block_origin(place), output.block_shape(place));
    if shape.contains(&0) {
        return None;
    }
    let along = |(axis, &offset): (usize, &usize)| {
        let at = |index: &dyn Fn(usize) -> usize| {
            offset + steps.iter().enumerate().map(|(out, steps)| index(out) * steps[axis]).sum::<usize>()
        };
        at(&|out| origin[out])..at(&|out| origin[out] + shape[out] - 1) + 1
    };
    Some(offset.iter().enumerate().map(along).collect())
}

/// The chunks of an axis that a range of indices lies in.
fn chunks_of(axis: &Axis, range: &Range<usize>) -> Range<usize> {
    let Some(bounds) = axis.bounds() else { return 0..0 };
    let chunk = |index: usize| bounds.partition_point(|&bound| bound <= index).saturating_sub(1);
    chunk(range.start)..chunk(range.end - 1) + 1
}

/// The places of the blocks that a box touches, in row-major order.
fn places(input: &Grid, region: &[Range<usize>]) -> Vec<Dims> {
    let mut places = vec![Dims::new()];
    for (axis, range) in input.axes().iter().zip(region) {
        let chunks = chunks_of(axis, range);
        let longer = places.iter().flat_map(|place| {
            chunks.clone().map(move |chunk| {
                let mut place = place.clone();
                place.push(chunk);
                place
            })
        });
        places = longer.collect();
    }
    places
}

impl Kernel for Strided {
    fn name(&self) -> &str {
        STRIDED
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let place = self.output.place(task.block as usize);
        let shape = self.output.block_shape(&place);
        let region = box_of(&self.output, &place, &self.offset, &self.steps);
        let places = region.as_ref().map_or_else(Vec::new, |region| places(&self.input, region));
        if inputs.len() < places.len() {
            return Err(KernelError::new(format!("{} blocks where {} were promised", inputs.len(), places.len())));
        }
        for (place, input) in places.iter().zip(inputs.iter()) {
            let (block, expected) = (array(input)?, self.input.block_shape(place));
            check_dtype(block.dtype(), self.dtype)?;
            if block.shape() != expected.as_slice() {
                let found = block.shape();
                return Err(KernelError::new(format!("a block of shape {found:?} where {expected:?} was promised")));
            }
        }
        with_dtype!(self.dtype, T => {
            let flat = match &region {
                None => Vec::new(),
                Some(region) => {
                    let views: Vec<ArrayViewD<'_, T>> = inputs[..places.len()]
                        .iter()
                        .map(|input| array(input)?.view::<T>().map_err(source_error))
                        .collect::<KernelResult<_>>()?;
                    self.copy_box(&views, &places, region, &shape)?
                }
            };
            Ok(Value::block(Block::from_vec(&shape, flat).map_err(source_error)?))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

impl Strided {
    /// The elements of the block, in order. The shapes of the sources have been checked.
    fn copy_box<T: Element>(
        &self,
        views: &[ArrayViewD<'_, T>],
        places: &[Dims],
        region: &[Range<usize>],
        shape: &[usize],
    ) -> KernelResult<Vec<T>> {
        let count = shape.iter().product();
        // One block is read where it is; several are put together first.
        if let ([view], [place]) = (views, places)
            && let Some(values) = view.as_slice()
        {
            let origin = self.input.block_origin(place);
            let start: Dims = region.iter().zip(&origin).map(|(range, origin)| range.start - origin).collect();
            return Ok(self.pick(values, view.shape(), &start, shape, count));
        }
        let lengths: Dims = region.iter().map(Range::len).collect();
        let mut buffer: Vec<T> = pool::take(lengths.iter().product());
        let mut target = ArrayViewMutD::from_shape(IxDyn(&lengths), &mut buffer).map_err(source_error)?;
        for (view, place) in views.iter().zip(places) {
            let (origin, block) = (self.input.block_origin(place), self.input.block_shape(place));
            let overlap = |axis: usize| {
                let (start, end) = (origin[axis], origin[axis] + block[axis]);
                region[axis].start.max(start)..region[axis].end.min(end)
            };
            let part = |range: Range<usize>, from: usize| {
                NdSlice::from((range.start - from) as isize..(range.end - from) as isize)
            };
            let source = view.slice_each_axis(|axis| part(overlap(axis.axis.index()), origin[axis.axis.index()]));
            let mut target =
                target.slice_each_axis_mut(|axis| part(overlap(axis.axis.index()), region[axis.axis.index()].start));
            if source.shape() != target.shape() {
                return Err(KernelError::new("blocks that do not meet"));
            }
            target.assign(&source);
        }
        let picked = self.pick(&buffer, &lengths, &Dims::from_elem(0, lengths.len()), shape, count);
        pool::give(buffer);
        Ok(picked)
    }

    /// Elements of a contiguous array of the shape `lengths`, from the index `start` on.
    fn pick<T: Element>(
        &self,
        values: &[T],
        lengths: &[usize],
        start: &[usize],
        shape: &[usize],
        count: usize,
    ) -> Vec<T> {
        let mut distances = Dims::from_elem(1, lengths.len());
        for axis in (0..lengths.len().saturating_sub(1)).rev() {
            distances[axis] = distances[axis + 1] * lengths[axis + 1];
        }
        let distance = |steps: &[usize]| -> usize { steps.iter().zip(&distances).map(|(step, by)| step * by).sum() };
        let base = distance(start);
        let strides: Dims = self.steps.iter().map(|steps| distance(steps)).collect();
        let mut flat: Vec<T> = pool::take(count);
        let (Some((&length, outer)), Some((&stride, outer_strides))) = (shape.split_last(), strides.split_last())
        else {
            flat.iter_mut().zip(values.get(base)).for_each(|(to, from)| *to = *from);
            return flat;
        };
        let mut at = Dims::from_elem(0, outer.len());
        let mut first = base;
        for row in flat.chunks_exact_mut(length.max(1)) {
            if stride == 1 {
                row.copy_from_slice(&values[first..first + length]);
            } else {
                row.iter_mut().enumerate().for_each(|(k, to)| *to = values[first + k * stride]);
            }
            for axis in (0..outer.len()).rev() {
                at[axis] += 1;
                first += outer_strides[axis];
                if at[axis] < outer[axis] {
                    break;
                }
                first -= outer[axis] * outer_strides[axis];
                at[axis] = 0;
            }
        }
        flat
    }
}

pub(super) fn lower_strided(
    lowering: &mut Lowering,
    expr: &Expr,
    input: &ExprRef,
    offset: &Dims,
    steps: &[Dims],
) -> Result<Vec<Edge>> {
    let sources = blocks(lowering, input)?;
    let kernel = Strided {
        input: input.grid.clone(),
        output: expr.grid.clone(),
        offset: offset.clone(),
        steps: steps.to_vec(),
        dtype: expr.dtype,
    };
    let layer = lowering.graph.layer(layer(expr, kernel));
    (0..expr.grid.blocks())
        .map(|block| {
            let place = expr.grid.place(block);
            let region = box_of(&expr.grid, &place, offset, steps);
            let places = region.map_or_else(Vec::new, |region| places(&input.grid, &region));
            let edges: SmallVec<[Edge; 4]> = places.iter().map(|place| sources[input.grid.block_at(place)]).collect();
            Ok(lowering.graph.task(layer, block as u32, expr.block_bytes(&place), &edges)?.into())
        })
        .collect()
}
