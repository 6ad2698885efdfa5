//! Weighted sums of neighbours: blocks are read where they are, in strips that stay in the cache with their border. Several sweeps, one
//! after the other, go over a strip while it is there.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn, Slice as NdSlice};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, TaskContext, Value};

use super::halo::{Border, Halo, Reach, each_of, views};
use crate::array::dtype::{DType, Element, with_dtype};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::kernels::stencil::Weighed;
use crate::array::kernels::{Block, Scalar, pool};
use crate::array::range::StepRange;
use crate::error::Result;
use crate::lower::array::{Lowering, Operation, array, blocks, check_dtype, encode, layer, source_error};

pub(in crate::lower::array) const NAME: &str = "array.weigh";

/// A strip with its border has about as many bytes: a quarter of a second-level cache, as a chain of sweeps holds two.
const STRIP: usize = 256 << 10;

/// A chain gets no longer than this: what blocks share is computed by each.
const MOST_SWEEPS: usize = 8;

/// `array.weigh`: each element becomes a weighted sum of those around it, added up in the order of the weights; once, or several
/// times in one pass over the array.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Weigh {
    /// What a task reads. With one sweep it makes the border, too; with several it ends where the array does, and the border of
    /// each sweep is made of what the sweep before gave.
    halo: Halo,
    sweeps: Vec<Sweep>,
    dtype: DType,
}

/// Weights, and what stands beyond the array for them.
#[derive(Clone, Serialize, Deserialize)]
struct Sweep {
    /// Indices from the first element that the weights reach, and the weights; those of 0 are left out.
    taps: Vec<(Dims, Scalar)>,
    /// How far the weights reach along each axis.
    depth: Vec<(usize, usize)>,
    borders: Vec<Border>,
}

/// A range of indices of the array along each axis; they may lie beyond its ends.
type Region = SmallVec<[Range<isize>; 4]>;

/// A sweep over a part of the array.
struct Stage<'a> {
    sweep: &'a Sweep,
    /// What it gives.
    given: Region,
    /// What the buffer holds that it reads.
    held: Region,
}

impl Weigh {
    /// One sweep. Indices of `taps` count from the first element that the halo reaches.
    pub(crate) fn new(halo: Halo, taps: Vec<(Dims, Scalar)>, dtype: DType) -> Weigh {
        let (depth, borders) = halo.sides();
        Weigh { halo, sweeps: vec![Sweep { taps, depth, borders }], dtype }
    }

    /// The sweeps of `first` and then these in one pass, unless blocks would compute too much twice, or a border would need what a
    /// block does not see.
    fn after(&self, first: &Weigh, grid: &Grid) -> Option<Weigh> {
        let sweeps: Vec<Sweep> = first.sweeps.iter().chain(&self.sweeps).cloned().collect();
        let depth = depth_of(&sweeps);
        let narrow = grid.axes().iter().zip(&depth).all(|(axis, &(before, after))| {
            let shortest = axis.bounds().and_then(|bounds| bounds.windows(2).map(|pair| pair[1] - pair[0]).min());
            shortest.is_some_and(|shortest| shortest >= 8 * (before + after).max(1))
        });
        let near = sweeps.iter().all(|sweep| !sweep.borders.contains(&Border::Periodic));
        let whole = self.halo.is_whole() && first.halo.is_whole() && grid.ndim() > 0;
        let fits = self.dtype == first.dtype && sweeps.len() <= MOST_SWEEPS;
        (whole && narrow && near && fits).then(|| Weigh {
            halo: Halo::new(grid, &depth, &vec![Border::None; depth.len()]),
            sweeps,
            dtype: self.dtype,
        })
    }

    /// How many rows a strip has, and the most elements of a buffer for it; `core` is the block's shape.
    fn strip(&self, core: &[usize]) -> (usize, usize) {
        let depth = depth_of(&self.sweeps);
        let wide = |(length, depth): (&usize, &(usize, usize))| length + depth.0 + depth.1;
        let row = core.iter().zip(&depth).skip(1).map(wide).product::<usize>().max(1);
        let (rows, border) = core.iter().zip(&depth).next().map_or((1, 0), |(rows, depth)| (*rows, depth.0 + depth.1));
        // What strips share is put together once for each: they are much higher than that.
        let height = (STRIP / self.dtype.size().max(1) / row).max(8 * border).max(1).min(rows.max(1));
        // At an end of the array a strip holds what its border is made of, as far away as the border is wide.
        (height, (height + 2 * border) * row)
    }

    /// What each sweep reads and gives for a part `core` of an array of these lengths.
    fn stages(&self, core: Region, lengths: &[Option<usize>]) -> Vec<Stage<'_>> {
        let alone = self.sweeps.len() == 1;
        let mut given = core;
        let mut stages = Vec::with_capacity(self.sweeps.len());
        for sweep in self.sweeps.iter().rev() {
            let mut held = given.clone();
            let mut inside = given.clone();
            for (axis, &(before, after)) in sweep.depth.iter().enumerate() {
                let (held, inside) = (&mut held[axis], &mut inside[axis]);
                let (before, after) = (before as isize, after as isize);
                *held = held.start - before..held.end + after;
                let Some(length) = lengths[axis].filter(|_| !alone) else { continue };
                let length = length as isize;
                *inside = held.start.max(0)..held.end.min(length);
                if held.start < 0 {
                    inside.end = inside.end.max(before + 1);
                }
                if held.end > length {
                    inside.start = inside.start.min(length - after - 1);
                }
                *held = held.start.min(inside.start)..held.end.max(inside.end);
            }
            stages.push(Stage { sweep, given, held });
            given = inside;
        }
        stages.reverse();
        stages
    }

    fn weigh<T: Weighed>(
        &self,
        reaches: &[Reach],
        sources: &[ArrayViewD<'_, T>],
        origin: &[usize],
        core: &[usize],
    ) -> KernelResult<Vec<T>> {
        let mut out: Vec<T> = pool::take(core.iter().product());
        let taps: Vec<Vec<(Dims, T)>> = self
            .sweeps
            .iter()
            .map(|sweep| sweep.taps.iter().map(|(at, weight)| (at.clone(), weight.get())).collect())
            .collect();
        if out.is_empty() {
            return Ok(out);
        }
        if core.is_empty() {
            // Without axes there is one element and at most one weight.
            let taps: SmallVec<[(usize, T); 1]> = taps.iter().flatten().map(|(_, weight)| (0, *weight)).collect();
            let values: SmallVec<[T; 1]> = sources.iter().filter_map(|source| source.first().copied()).collect();
            T::weigh(&values, &taps, &mut out);
            return Ok(out);
        }
        let lengths: SmallVec<[Option<usize>; 4]> = self.halo.grid().axes().iter().map(Axis::length).collect();
        let (height, most) = self.strip(core);
        let again = if self.sweeps.len() > 1 { most } else { 0 };
        let (mut current, mut next) = (pool::take::<T>(most), pool::take::<T>(again));
        let inner: usize = core[1..].iter().product();
        for (strip, out) in out.chunks_mut(height * inner.max(1)).enumerate() {
            let first = origin[0] + strip * height;
            let rows = first..first + out.len() / inner.max(1);
            let others = origin.iter().zip(core).skip(1).map(|(&origin, &length)| origin..origin + length);
            let part = [rows].into_iter().chain(others).map(|range| range.start as isize..range.end as isize).collect();
            let stages = self.stages(part, &lengths);
            for (number, (stage, taps)) in stages.iter().zip(&taps).enumerate() {
                let layout = Layout::new(&stage.held);
                let values = current.get_mut(..layout.elements()).ok_or_else(too_small)?;
                if number == 0 {
                    self.read(stage, &layout, reaches, sources, origin, values)?;
                }
                if stages.len() > 1 {
                    layout.border(values, &stage.sweep.borders, &lengths);
                }
                let taps: SmallVec<[(usize, T); 16]> =
                    taps.iter().map(|(at, weight)| (layout.distance(at), *weight)).collect();
                // The lines of what the sweep gives: where they begin in this buffer, and in the next one or the result.
                let target = stages.get(number + 1).map(|next| Layout::new(&next.held));
                let into = target.clone().unwrap_or_else(|| Layout::new(&stage.given));
                let from = layout.at(&stage.given, &stage.sweep.depth);
                let target: &mut [T] = if target.is_some() { &mut next } else { &mut *out };
                let columns = stage.given.last().map_or(1, |range| range.len());
                let start = into.at(&stage.given, &vec![(0, 0); core.len()]);
                lines(&stage.given, |place| {
                    let (from, to) = (from + layout.distance(place), start + into.distance(place));
                    if let (Some(values), Some(line)) = (values.get(from..), target.get_mut(to..to + columns)) {
                        T::weigh(values, &taps, line);
                    }
                });
                std::mem::swap(&mut current, &mut next);
            }
            if stages.len() % 2 == 1 {
                // An even number of swaps leaves the buffers as they were.
                std::mem::swap(&mut current, &mut next);
            }
        }
        pool::give(current);
        pool::give(next);
        Ok(out)
    }

    /// Puts what the first sweep reads into its buffer.
    fn read<T: Weighed>(
        &self,
        stage: &Stage<'_>,
        layout: &Layout,
        reaches: &[Reach],
        sources: &[ArrayViewD<'_, T>],
        origin: &[usize],
        values: &mut [T],
    ) -> KernelResult<()> {
        // The halo counts from where it begins.
        let mut within: SmallVec<[Range<usize>; 4]> = SmallVec::new();
        let mut place: SmallVec<[Range<usize>; 4]> = SmallVec::new();
        for ((held, reach), &origin) in stage.held.iter().zip(reaches).zip(origin) {
            let start = origin as isize - reach.before as isize;
            let there = held.start.max(start)..held.end.min(start + reach.length() as isize);
            within.push((there.start - start) as usize..(there.end - start).max(there.start - start) as usize);
            let first = (there.start - held.start) as usize;
            place.push(first..first + (there.end - there.start).max(0) as usize);
        }
        let mut target = ArrayViewMutD::from_shape(IxDyn(&layout.shape), values).map_err(source_error)?;
        let target = target.slice_each_axis_mut(|axis| {
            let range = &place[axis.axis.index()];
            NdSlice::from(range.start as isize..range.end as isize)
        });
        self.halo.fill(reaches, sources, &within, target)
    }
}

fn too_small() -> KernelError {
    KernelError::new("a strip that is larger than its buffer")
}

/// How far all sweeps together reach along each axis.
fn depth_of(sweeps: &[Sweep]) -> Vec<(usize, usize)> {
    let mut depth = sweeps.first().map(|sweep| sweep.depth.clone()).unwrap_or_default();
    for sweep in sweeps.iter().skip(1) {
        depth.iter_mut().zip(&sweep.depth).for_each(|(all, own)| *all = (all.0 + own.0, all.1 + own.1));
    }
    depth
}

/// Visits the lines of a region along its last axis: the place of each, counted from the region's start.
fn lines(region: &Region, mut visit: impl FnMut(&[usize])) {
    let numbers: SmallVec<[Vec<usize>; 4]> = region
        .iter()
        .enumerate()
        .map(|(axis, range)| if axis + 1 == region.len() { vec![0] } else { (0..range.len()).collect() })
        .collect();
    let along: SmallVec<[&[usize]; 4]> = numbers.iter().map(Vec::as_slice).collect();
    each_of(&along, |place| visit(place));
}

/// A buffer that holds a region in row-major order.
#[derive(Clone)]
struct Layout {
    held: Region,
    shape: Dims,
    strides: Dims,
}

impl Layout {
    fn new(held: &Region) -> Layout {
        let shape: Dims = held.iter().map(|range| range.len()).collect();
        let mut strides = Dims::from_elem(1, shape.len());
        for axis in (0..shape.len().saturating_sub(1)).rev() {
            strides[axis] = strides[axis + 1] * shape[axis + 1];
        }
        Layout { held: held.clone(), shape, strides }
    }

    fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// How far apart elements are whose indices differ by so much.
    fn distance(&self, by: &[usize]) -> usize {
        by.iter().zip(&self.strides).map(|(by, stride)| by * stride).sum()
    }

    /// Where the first element is that weights reach from the first element of a region.
    fn at(&self, region: &Region, depth: &[(usize, usize)]) -> usize {
        let axes = region.iter().zip(&self.held).zip(depth).zip(&self.strides);
        axes.map(|(((range, held), depth), stride)| {
            let along = range.start - held.start - depth.0 as isize;
            usize::try_from(along).unwrap_or(0) * stride
        })
        .sum()
    }

    /// Fills what lies beyond the array, axis by axis: the last one decides a corner.
    fn border<T: Element>(&self, values: &mut [T], borders: &[Border], lengths: &[Option<usize>]) {
        for (axis, (range, border)) in self.held.iter().zip(borders).enumerate() {
            let Some(length) = lengths[axis] else { continue };
            let length = length as isize;
            let inner = self.strides[axis];
            let slab = inner * self.shape[axis];
            for beyond in (range.start..0).chain(length..range.end) {
                let from = match border {
                    Border::Constant(_) | Border::None | Border::Periodic => None,
                    Border::Nearest => Some(beyond.clamp(0, length - 1)),
                    Border::Reflect if beyond < 0 => Some(-1 - beyond),
                    Border::Reflect => Some(2 * length - 1 - beyond),
                    Border::Mirror if beyond < 0 => Some(-beyond),
                    Border::Mirror => Some(2 * length - 2 - beyond),
                };
                let to = (beyond - range.start) as usize * inner;
                for slab in values.chunks_exact_mut(slab.max(1)) {
                    match (from, border) {
                        (Some(from), _) => {
                            let from = (from - range.start).max(0) as usize * inner;
                            slab.copy_within(from..from + inner, to);
                        }
                        (None, Border::Constant(value)) => slab[to..to + inner].fill(value.get()),
                        (None, _) => slab[to..to + inner].fill(T::default()),
                    }
                }
            }
        }
    }
}

impl Kernel for Weigh {
    fn name(&self) -> &str {
        NAME
    }

    fn describe(&self) -> String {
        Operation::describe(self)
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let place = self.halo.place(task.block as usize);
        let reaches = self.halo.reaches(&place);
        self.halo.check(&reaches, inputs)?;
        let first = array(inputs.first().ok_or_else(|| KernelError::new("neighbours of nothing"))?)?;
        check_dtype(first.dtype(), self.dtype)?;
        let grid = self.halo.grid();
        let origin = grid.block_origin(&place);
        let mut core = grid.block_shape(&place);
        for ((core, axis), found) in core.iter_mut().zip(grid.axes()).zip(first.shape()) {
            if axis.length().is_none() {
                *core = *found;
            }
        }
        with_dtype!(self.dtype, T => {
            let values = self.weigh::<T>(&reaches, &views::<T>(inputs)?, &origin, &core)?;
            Ok(Value::block(Block::from_vec(&core, values).map_err(source_error)?))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

impl Operation for Weigh {
    fn name(&self) -> &'static str {
        "weigh"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        let key = key.value(&self.halo.grid()).value(&self.halo.parameters()).number(self.sweeps.len() as u64);
        self.sweeps.iter().fold(key, |key, sweep| key.value(&sweep.taps).value(&sweep.depth).value(&sweep.borders))
    }

    fn describe(&self) -> String {
        let counts: Vec<String> = self.sweeps.iter().map(|sweep| sweep.taps.len().to_string()).collect();
        format!("weigh {} neighbours", counts.join(", then "))
    }

    fn sliced(&self, expr: &Expr, _: &Expr, ranges: &[StepRange]) -> Option<ExprRef> {
        let make = |halo, grid: Grid, inputs: Vec<ExprRef>| {
            expr.with(grid, Op::Custom(Arc::new(Weigh { halo, ..self.clone() })), inputs)
        };
        self.halo.sliced(expr, ranges, make)
    }

    /// Sweeps one after the other: the array is read and written once.
    fn joined(&self, expr: &Expr) -> Option<ExprRef> {
        let [input] = expr.inputs.as_slice() else { return None };
        let Op::Custom(operation) = &input.op else { return None };
        let first = (operation.as_ref() as &dyn Any).downcast_ref::<Weigh>()?;
        let both = self.after(first, &expr.grid)?;
        Some(expr.with(expr.grid.clone(), Op::Custom(Arc::new(both)), input.inputs.clone()))
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let Some(input) = expr.inputs.first() else { return Ok(Vec::new()) };
        let sources = blocks(lowering, input)?;
        let longest: Dims = expr.grid.axes().iter().map(|axis| axis.longest().unwrap_or(1_000_000)).collect();
        let buffers = if self.sweeps.len() > 1 { 2 } else { 1 };
        let scratch = (self.strip(&longest).1 as u64).saturating_mul(buffers * expr.dtype.size() as u64);
        let layer = lowering.graph.layer(layer(expr, self.clone()).scratch(scratch));
        let mut made = Vec::with_capacity(expr.grid.blocks());
        for (block, edges) in self.halo.edges(&[(&input.grid, &sources)]).enumerate() {
            let bytes = expr.block_bytes(&expr.grid.place(block));
            made.push(lowering.graph.task(layer, block as u32, bytes, &edges)?.into());
        }
        Ok(made)
    }
}
