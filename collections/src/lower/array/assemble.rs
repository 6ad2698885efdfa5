//! What moves elements between blocks: slices, other chunks, other shapes.

use std::ops::Range;

use ndarray::{ArrayD, ArrayViewD, IxDyn, Slice as NdSlice};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, TaskContext, Value};

use super::{Lowering, array, blocks, encode, layer, source_error};
use crate::array::build::{Piece, touched};
use crate::array::dtype::{DType, Element, with_dtype};
use crate::array::expr::{Expr, ExprRef};
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::kernels::{Block, pool};
use crate::array::range::StepRange;
use crate::error::Result;

pub(super) const SLICE: &str = "array.slice";
pub(super) const SPLIT: &str = "array.rechunk.split";
pub(super) const MERGE: &str = "array.rechunk.merge";
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

/// The chunks of `other` that the chunk `at` of `axis` overlaps, with the overlap counted from the chunk's start.
fn overlaps(axis: &Axis, at: usize, other: &Axis) -> SmallVec<[(usize, Range<usize>); 4]> {
    let (Some(own), Some(bounds)) = (axis.bounds(), other.bounds()) else {
        // Axes of unknown length are never cut anew.
        return SmallVec::from_iter([(at, 0..0)]);
    };
    let (start, end) = (own[at], own[at + 1]);
    if start == end {
        return SmallVec::from_iter([(bounds.partition_point(|&b| b <= start).clamp(1, bounds.len() - 1) - 1, 0..0)]);
    }
    let mut chunk = bounds.partition_point(|&bound| bound <= start).saturating_sub(1);
    let mut found = SmallVec::new();
    let mut from = start;
    while from < end {
        let to = bounds[chunk + 1].min(end);
        if to > from {
            found.push((chunk, from - start..to - start));
            from = to;
        }
        chunk += 1;
    }
    found
}

/// One block of a grid against another grid: the blocks it overlaps, in row-major order, and the region of each overlap.
fn overlapping(from: &Grid, place: &[usize], to: &Grid) -> Vec<(Dims, SmallVec<[Range<usize>; 4]>)> {
    let mut found: Vec<(Dims, SmallVec<[Range<usize>; 4]>)> = vec![(Dims::new(), SmallVec::new())];
    for ((axis, &at), other) in from.axes().iter().zip(place).zip(to.axes()) {
        let along = overlaps(axis, at, other);
        found = found
            .into_iter()
            .flat_map(|(place, region)| {
                along.iter().map(move |(chunk, range)| {
                    let (mut place, mut region) = (place.clone(), region.clone());
                    place.push(*chunk);
                    region.push(range.clone());
                    (place, region)
                })
            })
            .collect();
    }
    found
}

/// The part of a view, along axes of known length.
fn region_of<'a, T>(view: &'a ArrayViewD<'_, T>, grid: &Grid, region: &[Range<usize>]) -> ArrayViewD<'a, T> {
    view.slice_each_axis(|axis| {
        let axis = axis.axis.index();
        if grid.axes()[axis].length().is_none() {
            return NdSlice::from(..);
        }
        let range = &region[axis];
        NdSlice::from(range.start as isize..range.end as isize)
    })
}

/// `array.rechunk.split`: cuts a block into the parts that blocks of another grid need, in row-major order.
#[derive(Serialize, Deserialize)]
pub(super) struct Split {
    from: Grid,
    to: Grid,
}

impl Kernel for Split {
    fn name(&self) -> &str {
        SPLIT
    }

    fn describe(&self) -> String {
        "rechunk split".into()
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let input = inputs.first().ok_or_else(|| KernelError::new("nothing to split"))?;
        let block = array(input)?;
        let place = self.from.place(task.block as usize);
        let parts = overlapping(&self.from, &place, &self.to);
        with_dtype!(block.dtype(), T => {
            let view = block.view::<T>().map_err(source_error)?;
            check_region(view.shape(), &self.from, &place)?;
            let part = |(_, region): &(Dims, SmallVec<[Range<usize>; 4]>)| Value::block(Block::from(region_of(&view, &self.from, region)));
            Ok(Value::Parts(parts.iter().map(part).collect()))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

fn check_region(found: &[usize], grid: &Grid, place: &[usize]) -> KernelResult<()> {
    let expected = grid.block_shape(place);
    let same = grid.axes().iter().zip(found).zip(&expected).all(|((axis, a), b)| axis.length().is_none() || a == b);
    if found.len() == expected.len() && same {
        return Ok(());
    }
    Err(KernelError::new(format!("a block of shape {found:?} where {expected:?} was promised")))
}

/// `array.rechunk.merge`: puts parts together to a block.
#[derive(Serialize, Deserialize)]
pub(super) struct Merge {
    from: Grid,
    to: Grid,
    dtype: DType,
}

impl Kernel for Merge {
    fn name(&self) -> &str {
        MERGE
    }

    fn describe(&self) -> String {
        "rechunk merge".into()
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let place = self.to.place(task.block as usize);
        let parts = overlapping(&self.to, &place, &self.from);
        if parts.len() != inputs.len() {
            return Err(KernelError::new(format!("{} parts where {} were promised", inputs.len(), parts.len())));
        }
        let mut shape = self.to.block_shape(&place);
        for (axis, length) in shape.iter_mut().enumerate() {
            if self.to.axes()[axis].length().is_none() {
                *length = array(&inputs[0])?.shape().get(axis).copied().unwrap_or(0);
            }
        }
        with_dtype!(self.dtype, T => {
            let mut merged = fresh::<T>(&shape)?;
            let empty = shape.contains(&0);
            for ((_, region), input) in parts.iter().zip(inputs.iter()) {
                if empty {
                    // An empty block still names a source, for the lengths that only a block knows.
                    continue;
                }
                let part = array(input)?.view::<T>().map_err(source_error)?;
                let mut target = merged.slice_each_axis_mut(|axis| {
                    let axis = axis.axis.index();
                    if self.to.axes()[axis].length().is_none() {
                        return NdSlice::from(..);
                    }
                    NdSlice::from(region[axis].start as isize..region[axis].end as isize)
                });
                if target.shape() != part.shape() {
                    let (found, expected) = (part.shape(), target.shape());
                    return Err(KernelError::new(format!("a part of shape {found:?} where {expected:?} was promised")));
                }
                target.assign(&part);
            }
            Ok(Value::block(Block::from_array(merged)))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// An array with a buffer from the pool, to be written over.
fn fresh<T: Element>(shape: &[usize]) -> KernelResult<ArrayD<T>> {
    ArrayD::from_shape_vec(IxDyn(shape), pool::take::<T>(shape.iter().product())).map_err(source_error)
}

pub(super) fn lower_rechunk(lowering: &mut Lowering, expr: &Expr, input: &ExprRef) -> Result<Vec<Edge>> {
    let sources = blocks(lowering, input)?;
    let (from, to) = (&input.grid, &expr.grid);
    let split_key = expr.key.combine(talatat_graph::Key::of(SPLIT, &[]).bits());
    let mut split_layer = layer(input, Split { from: from.clone(), to: to.clone() });
    split_layer.key = split_key;
    split_layer.location = Some(expr.location);
    let split_layer = lowering.graph.layer(split_layer);
    let merge = Merge { from: from.clone(), to: to.clone(), dtype: expr.dtype };
    let merge_layer = lowering.graph.layer(layer(expr, merge));
    // What each source block gives to whom; a block that one target takes whole needs no cutting.
    let mut split: Vec<Option<Edge>> = vec![None; sources.len()];
    let mut made = Vec::with_capacity(to.blocks());
    for block in 0..to.blocks() {
        let place = to.place(block);
        let mut edges: SmallVec<[Edge; 8]> = SmallVec::new();
        let overlaps = overlapping(to, &place, from);
        for (source_place, _) in &overlaps {
            let source = from.block_at(source_place);
            let parts = overlapping(from, source_place, to);
            if parts.len() == 1 {
                edges.push(sources[source]);
                continue;
            }
            let whole = match split[source] {
                Some(edge) => edge,
                None => {
                    let bytes = input.block_bytes(source_place);
                    let edge = lowering.graph.task(split_layer, source as u32, bytes, &[sources[source]])?.into();
                    split[source] = Some(edge);
                    edge
                }
            };
            let part = parts.iter().position(|(target, _)| *target == place).unwrap_or(0);
            edges.push(Edge::part_of(whole.task, part as u32));
        }
        let passes = overlaps.len() == 1 && from.block_shape(&overlaps[0].0) == to.block_shape(&place);
        made.push(match edges.as_slice() {
            [edge] if passes => *edge,
            edges => lowering.graph.task(merge_layer, block as u32, expr.block_bytes(&place), edges)?.into(),
        });
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
