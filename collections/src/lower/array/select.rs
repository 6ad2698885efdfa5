//! Elements chosen by masks, by arrays of indices, and elements put in the place of others: operations that make their own tasks.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};
use talatat_graph::{Edge, Kernel, KernelResult, KeyBuilder, TaskContext, Value};

use super::operation::all_but;
use super::{
    Lowering, Operation, Reads, array, blocks, encode, layer, missing, only_input, owned, source_error, step,
    two_inputs, wrong_inputs,
};
use crate::array::build::{slice, touched};
use crate::array::dtype::{DType, with_dtype};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::kernels::select::{self, Source, Steps};
use crate::array::kernels::{Block, pool};
use crate::array::range::StepRange;
use crate::error::{Error, Result};

pub(super) const COMPRESS: &str = "array.compress";
pub(super) const EMPTY: &str = "array.compress.empty";
pub(super) const NONZERO: &str = "array.nonzero";
pub(super) const PICK: &str = "array.pick";
pub(super) const ASSIGN: &str = "array.assign";

/// The indices of an axis at which a mask, the second input, is true. Both are cut alike along the axis; the result's length there is
/// known when it is computed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Compress {
    pub(crate) axis: usize,
}

impl Kernel for Compress {
    fn name(&self) -> &str {
        COMPRESS
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let [block, mask] = inputs else { return Err(missing()) };
        Ok(Value::block(select::compress(array(block)?, array(mask)?, self.axis).map_err(source_error)?))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

impl Operation for Compress {
    fn name(&self) -> &'static str {
        "compress"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.axis)
    }

    fn follows(&self, expr: &Expr) -> Vec<Reads> {
        vec![all_but(self.axis, expr.ndim()), smallvec![None]]
    }

    fn masked(&self) -> Option<usize> {
        Some(self.axis)
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let [input, mask] = two_inputs(expr)?;
        let (sources, masks) = (blocks(lowering, input)?, blocks(lowering, mask)?);
        let empty = Empty { grid: input.grid.clone(), axis: self.axis, dtype: expr.dtype };
        let empty = lowering.graph.layer(step(expr, EMPTY, empty, 0));
        let layer = lowering.graph.layer(layer(expr, self.clone()));
        let counts = counts(mask);
        let others = input.grid.axes().iter().enumerate().filter(|(axis, _)| *axis != self.axis);
        let known = others.into_iter().all(|(_, axis)| axis.length().is_some());
        let tasks = sources.iter().enumerate().map(|(block, source)| {
            let place = input.grid.place(block);
            let count = counts.as_ref().and_then(|counts| counts.get(place[self.axis]).copied());
            // Of what a mask in memory drops nothing is read.
            if known && count == Some(0) {
                return Ok(lowering.graph.task(empty, block as u32, 0, &[])?.into());
            }
            let edges = [*source, masks[place[self.axis]]];
            // At most all of it is kept.
            let all = input.block_bytes(&place);
            let length = input.grid.block_shape(&place)[self.axis].max(1) as u64;
            let bytes = count.map_or(all, |count| all / length * count as u64);
            Ok(lowering.graph.task(layer, block as u32, bytes, &edges)?.into())
        });
        tasks.collect()
    }
}

/// How many indices of each chunk a mask in memory keeps.
fn counts(mask: &Expr) -> Option<Vec<usize>> {
    let (Op::Memory(block), [axis]) = (&mask.op, mask.grid.axes()) else { return None };
    let view = block.view::<bool>().ok()?;
    let mut flags = view.iter();
    Some(axis.lengths()?.into_iter().map(|length| flags.by_ref().take(length).filter(|keep| **keep).count()).collect())
}

/// `array.compress.empty`: a block of which nothing is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct Empty {
    grid: Grid,
    axis: usize,
    dtype: DType,
}

impl Kernel for Empty {
    fn name(&self) -> &str {
        EMPTY
    }

    fn describe(&self) -> String {
        "compress to nothing".into()
    }

    fn run(&self, task: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        let mut shape = self.grid.block_shape(&self.grid.place(task.block as usize));
        *shape.get_mut(self.axis).ok_or_else(missing)? = 0;
        with_dtype!(self.dtype, T => {
            Ok(Value::block(Block::from_vec(&shape, Vec::<T>::new()).map_err(source_error)?))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// The positions of what is not zero in an array of one axis.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Nonzero {
    pub(crate) input: Axis,
}

impl Kernel for Nonzero {
    fn name(&self) -> &str {
        NONZERO
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let block = array(inputs.first().ok_or_else(missing)?)?;
        let first = self.input.bounds().and_then(|bounds| bounds.get(task.block as usize)).ok_or_else(missing)?;
        Ok(Value::block(select::nonzero(block, *first as u64).map_err(source_error)?))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

impl Operation for Nonzero {
    fn name(&self) -> &'static str {
        "nonzero"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let input = only_input(expr)?;
        let sources = blocks(lowering, input)?;
        let layer = lowering.graph.layer(layer(expr, self.clone()));
        let lengths = self.input.lengths().unwrap_or_default();
        let tasks = sources.iter().zip(lengths).enumerate().map(|(block, (source, length))| {
            let bytes = length as u64 * expr.dtype.size() as u64;
            Ok(lowering.graph.task(layer, block as u32, bytes, &[*source])?.into())
        });
        tasks.collect()
    }
}

/// Elements of the first input at the indices that the others hold: one array of them for each of some neighbouring axes, which
/// the axes of the indices replace.
///
/// A block of the result goes through the blocks of the source that it may need, one task each, which fills in what it finds: a task
/// holds one block of each. Of indices in memory it is known which blocks that are.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Pick {
    /// The first axis that is picked from.
    pub(crate) axis: usize,
    /// How the source is cut along the axes that are picked from.
    pub(crate) picked: Grid,
}

impl Kernel for Pick {
    fn name(&self) -> &str {
        PICK
    }

    /// The inputs are the source's block, those of the indices, and what was filled in before, if there is such.
    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let place = self.picked.place(task.block as usize % self.picked.blocks());
        let (origin, lengths) = (self.picked.block_origin(&place), self.picked.shape().ok_or_else(missing)?);
        let (block, rest) = inputs.split_first_mut().ok_or_else(missing)?;
        if rest.len() < lengths.len() {
            return Err(missing());
        }
        let (indices, before) = rest.split_at_mut(lengths.len());
        let indices = indices.iter().map(array).collect::<KernelResult<SmallVec<[&Block; 4]>>>()?;
        let source = Source { block: array(block)?, axis: self.axis, origin: &origin, lengths: &lengths };
        let mut into = match before.first_mut() {
            Some(before) => owned(before)?,
            None => {
                let shape = select::picked_shape(source, &indices).map_err(source_error)?;
                with_dtype!(source.block.dtype(), T => {
                    Block::from_vec(&shape, pool::take::<T>(shape.iter().product())).map_err(source_error)?
                })
            }
        };
        select::pick(&mut into, source, &indices).map_err(source_error)?;
        Ok(Value::block(into))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

impl Pick {
    /// The blocks, along the axes that are picked from, that the indices of a block may point into.
    fn needed(&self, indices: &[ExprRef], place: &[usize]) -> Vec<usize> {
        let known = indices.iter().zip(self.picked.axes()).map(|(index, axis)| {
            let Op::Memory(all) = &index.op else { return None };
            let (origin, shape) = (index.grid.block_origin(place), index.grid.block_shape(place));
            let view = all.view::<i64>().ok()?;
            let part = view.slice_each_axis(|axis| {
                let axis = axis.axis.index();
                ndarray::Slice::from(origin[axis] as isize..(origin[axis] + shape[axis]) as isize)
            });
            let (bounds, length) = (axis.bounds()?, axis.length()? as i64);
            let chunk = |&at: &i64| {
                let at = usize::try_from(if at < 0 { at + length } else { at }).unwrap_or(0);
                bounds.partition_point(|&bound| bound <= at).clamp(1, axis.chunks()) - 1
            };
            Some(part.iter().map(chunk).collect::<Vec<usize>>())
        });
        let Some(known) = known.collect::<Option<Vec<Vec<usize>>>>() else {
            return (0..self.picked.blocks()).collect();
        };
        let points = known.first().map_or(0, Vec::len);
        let block = |point: usize| {
            let place: Dims = known.iter().map(|chunks| chunks[point]).collect();
            self.picked.block_at(&place)
        };
        // An empty block is made of any.
        let needed: BTreeSet<usize> = (0..points).map(block).collect();
        if needed.is_empty() { vec![0] } else { needed.into_iter().collect() }
    }
}

impl Operation for Pick {
    fn name(&self) -> &'static str {
        "pick"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&(self.axis, &self.picked))
    }

    fn describe(&self) -> String {
        match self.picked.ndim() {
            1 => format!("take along {}", self.axis),
            axes => format!("take points of {axes} axes from {}", self.axis),
        }
    }

    /// The source along the axes that stay, the indices along their own.
    fn follows(&self, expr: &Expr) -> Vec<Reads> {
        let points = expr.inputs.get(1).map_or(0, |index| index.ndim());
        let ends = self.axis..self.axis + self.picked.ndim();
        let along = |axis: usize| match axis {
            axis if axis < ends.start => Some(axis),
            axis if axis >= ends.end => Some(axis - ends.len() + points),
            _ => None,
        };
        let source = expr.inputs.first().map_or(0, |source| source.ndim());
        let index: Reads = (self.axis..self.axis + points).map(Some).collect();
        let indices = std::iter::repeat_n(index, self.picked.ndim());
        std::iter::once((0..source).map(along).collect()).chain(indices).collect()
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let [input, indices @ ..] = expr.inputs.as_slice() else { return Err(wrong_inputs(expr)) };
        let first = indices.first().ok_or_else(|| wrong_inputs(expr))?;
        let sources = blocks(lowering, input)?;
        let points = indices.iter().map(|index| blocks(lowering, index)).collect::<Result<Vec<_>>>()?;
        let layer = lowering.graph.layer(layer(expr, self.clone()));
        let steps = self.picked.blocks();
        let ends = self.axis..self.axis + first.ndim();
        // What a block of indices needs is the same for all the blocks along the other axes.
        let needed: Vec<Vec<usize>> =
            (0..first.grid.blocks()).map(|block| self.needed(indices, &first.grid.place(block))).collect();
        let mut made = Vec::with_capacity(expr.grid.blocks());
        for block in 0..expr.grid.blocks() {
            let place = expr.grid.place(block);
            let at = first.grid.block_at(&place[ends.clone()]);
            let mut filled: Option<Edge> = None;
            for &step in &needed[at] {
                let mut source: Dims = place[..ends.start].into();
                source.extend(self.picked.place(step));
                source.extend_from_slice(&place[ends.end..]);
                let mut edges: SmallVec<[Edge; 4]> = SmallVec::new();
                edges.push(sources[input.grid.block_at(&source)]);
                edges.extend(points.iter().map(|points| points[at]));
                edges.extend(filled);
                let number = u32::try_from(block * steps + step).map_err(|_| {
                    let reason = "too many blocks of the array for each block of indices: use larger chunks";
                    Error::invalid_at("take", reason, expr.location)
                })?;
                filled = Some(lowering.graph.task(layer, number, expr.block_bytes(&place), &edges)?.into());
            }
            made.extend(filled);
        }
        Ok(made)
    }
}

/// The first input with a part of it replaced by the second, which is cut as a slice of the first is. Blocks that the part does not
/// touch are the first input's own.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Assign {
    /// The part, along each axis.
    pub(crate) ranges: Vec<StepRange>,
    /// How the array is cut.
    pub(crate) grid: Grid,
}

impl Assign {
    /// For each chunk of an axis what the part takes of it, and which chunk of the values that is.
    fn pieces(&self, number: usize) -> Vec<Option<(usize, Steps)>> {
        let (axis, range) = (&self.grid.axes()[number], &self.ranges[number]);
        let mut pieces = vec![None; axis.chunks()];
        let Some(bounds) = axis.bounds() else {
            // Taken whole: the block knows how long it is.
            let all = |chunk| Some((chunk, Steps { start: 0, step: 1, count: usize::MAX }));
            return (0..axis.chunks()).map(all).collect();
        };
        if axis.length().is_some_and(|length| range.is_all(length)) {
            let all =
                |(chunk, pair): (usize, &[usize])| Some((chunk, Steps { start: 0, step: 1, count: pair[1] - pair[0] }));
            return bounds.windows(2).enumerate().map(all).collect();
        }
        for (value, piece) in touched(bounds, range).enumerate() {
            let start = range.at(piece.position) - bounds[piece.chunk];
            pieces[piece.chunk] = Some((value, Steps { start, step: range.step, count: piece.count }));
        }
        pieces
    }
}

impl Kernel for Assign {
    fn name(&self) -> &str {
        ASSIGN
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let [block, values] = inputs else { return Err(missing()) };
        let place = self.grid.place(task.block as usize);
        let mut block = owned(block)?;
        let mut part: SmallVec<[Steps; 4]> = SmallVec::new();
        for (axis, at) in place.iter().enumerate() {
            let (_, mut steps) = self.pieces(axis).get(*at).copied().flatten().ok_or_else(missing)?;
            steps.count = steps.count.min(block.shape().get(axis).copied().ok_or_else(missing)?);
            part.push(steps);
        }
        select::assign(&mut block, array(values)?, &part).map_err(source_error)?;
        Ok(Value::block(block))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

impl Operation for Assign {
    fn name(&self) -> &'static str {
        "assign"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.ranges)
    }

    /// A part that meets no assigned element is one of the array; the assigned part is the values.
    fn sliced(&self, expr: &Expr, part: &Expr, ranges: &[StepRange]) -> Option<ExprRef> {
        let [input, values] = two_inputs(expr).ok()?;
        if ranges == self.ranges && values.grid == part.grid {
            return Some(values.clone());
        }
        let apart = |(one, other): (&StepRange, &StepRange)| {
            let ends = |range: &StepRange| Some((range.start.min(range.last()?), range.start.max(range.last()?)));
            ends(one).zip(ends(other)).is_some_and(|(one, other)| one.1 < other.0 || other.1 < one.0)
        };
        let missed = self.grid.is_known() && ranges.iter().zip(&self.ranges).any(apart);
        missed.then(|| slice(input, ranges.to_vec(), part.location))
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let [input, values] = two_inputs(expr)?;
        let (sources, parts) = (blocks(lowering, input)?, blocks(lowering, values)?);
        let pieces: Vec<_> = (0..expr.ndim()).map(|axis| self.pieces(axis)).collect();
        let layer = lowering.graph.layer(layer(expr, self.clone()));
        let mut made = Vec::with_capacity(sources.len());
        for (block, source) in sources.iter().enumerate() {
            let place = expr.grid.place(block);
            let at: Option<Dims> = place.iter().zip(&pieces).map(|(&at, pieces)| Some(pieces[at]?.0)).collect();
            made.push(match at {
                None => *source,
                Some(at) => {
                    let edges = [*source, parts[values.grid.block_at(&at)]];
                    lowering.graph.task(layer, block as u32, expr.block_bytes(&place), &edges)?.into()
                }
            });
        }
        Ok(made)
    }
}
