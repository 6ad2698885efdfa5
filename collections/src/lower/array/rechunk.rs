//! Other chunks: each block is cut into the parts that other blocks need, and those put them together. P blocks that become Q are at most
//! P + Q tasks; where the parts would be too small to be worth their handling, the way leads over grids in between ([`steps`]). Blocks that
//! somebody keeps are not cut: Q tasks read what they want of them.

mod steps;

use std::ops::Range;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD, IxDyn, Slice as NdSlice};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, Key, Layer, TaskContext, Value};

use super::{Lowering, TINY, array, blocks, encode, source_error};
use crate::array::dtype::{DType, with_dtype};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::kernels::{Block, pool};
use crate::error::Result;

pub(super) const SPLIT: &str = "array.rechunk.split";
pub(super) const MERGE: &str = "array.rechunk.merge";

/// The chunks of another axis that a chunk overlaps, with the overlap counted from the chunk's start.
type Along = SmallVec<[(usize, Range<usize>); 4]>;

/// The chunks of `other` that the chunk `at` of `axis` overlaps, with the overlap counted from the chunk's start.
pub(super) fn overlaps(axis: &Axis, at: usize, other: &Axis) -> Along {
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
    if grid.has_block(place, found) {
        return Ok(());
    }
    let expected = grid.block_shape(place);
    Err(KernelError::new(format!("a block of shape {found:?} where {expected:?} was promised")))
}

/// `array.rechunk.merge`: puts parts together to a block.
#[derive(Serialize, Deserialize)]
pub(super) struct Merge {
    from: Grid,
    to: Grid,
    dtype: DType,
    /// Whether the inputs are blocks as they are, of which the task takes its part itself.
    whole: bool,
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
            let buffer = pool::take::<T>(shape.iter().product());
            let mut merged = ArrayD::from_shape_vec(IxDyn(&shape), buffer).map_err(source_error)?;
            let empty = shape.contains(&0);
            for ((source, region), input) in parts.iter().zip(inputs.iter()) {
                if empty {
                    // An empty block still names a source, for the lengths that only a block knows.
                    continue;
                }
                let block = array(input)?.view::<T>().map_err(source_error)?;
                let part = match self.whole {
                    true => {
                        check_region(block.shape(), &self.from, source)?;
                        let origins = self.to.block_origin(&place);
                        let starts = self.from.block_origin(source);
                        let axes = region.iter().zip(&origins).zip(&starts);
                        let own = axes.map(|((range, to), from)| range.start + to - from..range.end + to - from);
                        region_of(&block, &self.from, &own.collect::<SmallVec<[Range<usize>; 4]>>())
                    }
                    false => block.view(),
                };
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

/// The overlaps of every chunk of every axis of a grid with another grid.
struct Overlaps(SmallVec<[Vec<Along>; 4]>);

impl Overlaps {
    fn of(from: &Grid, to: &Grid) -> Overlaps {
        let axes = from.axes().iter().zip(to.axes());
        Overlaps(axes.map(|(axis, other)| (0..axis.chunks()).map(|at| overlaps(axis, at, other)).collect()).collect())
    }

    /// How many blocks of the other grid a block overlaps.
    fn count(&self, place: &[usize]) -> usize {
        self.0.iter().zip(place).map(|(along, &at)| along[at].len()).product()
    }

    /// Which of the parts of a block, in row-major order, is that of a block of the other grid.
    fn part(&self, place: &[usize], other: &[usize]) -> usize {
        self.0.iter().zip(place).zip(other).fold(0, |part, ((along, &at), other)| {
            let along = &along[at];
            // An empty chunk of the other grid reads a block that does not know of it.
            let number = along.partition_point(|(chunk, _)| chunk < other).min(along.len() - 1);
            part * along.len() + number
        })
    }

    /// The places of the blocks of the other grid that a block overlaps, in row-major order.
    fn places(&self, place: &[usize]) -> impl Iterator<Item = Dims> {
        let along: SmallVec<[&Along; 4]> = self.0.iter().zip(place).map(|(along, &at)| &along[at]).collect();
        (0..self.count(place)).map(move |mut number| {
            let mut other = Dims::from_elem(0, along.len());
            for (at, along) in other.iter_mut().zip(&along).rev() {
                *at = along[number % along.len()].0;
                number /= along.len();
            }
            other
        })
    }
}

/// The blocks of `expr`, which is `input` in other chunks.
pub(super) fn lower_rechunk(lowering: &mut Lowering, expr: &Expr, input: &ExprRef) -> Result<Vec<Edge>> {
    let mut made = blocks(lowering, input)?;
    let steps = steps::between(&input.grid, &expr.grid, expr.dtype.size() as u64);
    // What is kept anyhow needs no parts: each task reads what it wants of it.
    let kept = steps.is_empty() && matches!(input.op, Op::Persisted(_));
    let mut from = input.grid.clone();
    let mut key = expr.key;
    for grid in steps {
        key = key.combine(Key::of(MERGE, &[]).bits());
        made = once(lowering, expr, (key, false), (&from, &grid), &made)?.into();
        from = grid;
    }
    once(lowering, expr, (expr.key, kept), (&from, &expr.grid), &made)
}

/// Blocks of one grid made of those of another: of parts that are cut for them, or of whole blocks if these are kept.
fn once(
    lowering: &mut Lowering,
    expr: &Expr,
    (key, kept): (Key, bool),
    (from, to): (&Grid, &Grid),
    sources: &[Edge],
) -> Result<Vec<Edge>> {
    let size = expr.dtype.size() as u64;
    let bytes = |grid: &Grid, place: &[usize]| size.saturating_mul(grid.block_elements(place) as u64);
    let tiny = [from, to].iter().all(|grid| size.saturating_mul(grid.largest_block(1_000_000) as u64) <= TINY);
    let layer = |key: Key, kernel: Arc<dyn Kernel>| Layer::new(key, kernel).at(expr.location).tiny(tiny);
    let split = Split { from: from.clone(), to: to.clone() };
    let split_layer = lowering.graph.layer(layer(key.combine(Key::of(SPLIT, &[]).bits()), Arc::new(split)));
    let merge = Merge { from: from.clone(), to: to.clone(), dtype: expr.dtype, whole: kept };
    let merge_layer = lowering.graph.layer(layer(key, Arc::new(merge)));
    let (given, taken) = (Overlaps::of(from, to), Overlaps::of(to, from));
    // What each source block gives to whom; a block that one target takes whole needs no cutting.
    let mut split: Vec<Option<Edge>> = vec![None; sources.len()];
    let mut made = Vec::with_capacity(to.blocks());
    let mut edges: Vec<Edge> = Vec::new();
    for block in 0..to.blocks() {
        let place = to.place(block);
        let mut passes = taken.count(&place) == 1;
        edges.clear();
        for source_place in taken.places(&place) {
            let source = from.block_at(&source_place);
            passes = passes && from.block_shape(&source_place) == to.block_shape(&place);
            if kept || given.count(&source_place) == 1 {
                edges.push(sources[source]);
                continue;
            }
            let whole = match split[source] {
                Some(edge) => edge,
                None => {
                    let bytes = bytes(from, &source_place);
                    let edge = lowering.graph.task(split_layer, source as u32, bytes, &[sources[source]])?.into();
                    split[source] = Some(edge);
                    edge
                }
            };
            edges.push(Edge::part_of(whole.task, given.part(&source_place, &place) as u32));
        }
        made.push(match edges.as_slice() {
            [edge] if passes => *edge,
            edges => lowering.graph.task(merge_layer, block as u32, bytes(to, &place), edges)?.into(),
        });
    }
    Ok(made)
}
