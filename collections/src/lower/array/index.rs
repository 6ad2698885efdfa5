//! A function of the user's on the blocks that belong together: the axes of the result and of the inputs have labels, and
//! a block of the result reads the blocks of the inputs at the same chunks of the same labels.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{ArrayD, IxDyn, Slice as NdSlice};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, TaskContext, Value};

use super::neighbours::halo::each_of;
use super::{Lowering, Operation, array, blocks, check_dtype, layer, source_error};
use crate::array::build::{slice, touched};
use crate::array::dtype::{DType, with_dtype};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::functions::map_blocks::{BlockFunction, BlockInfo};
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::kernels::{Block, pool};
use crate::array::range::StepRange;
use crate::error::Result;

/// Where an input's chunks come from, for each of its axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// The chunk of this axis of the result.
    Out(usize),
    /// All chunks: an axis that the result has not. The function sees it whole.
    All,
    /// The only chunk.
    Only,
}

/// The operation, and the kernel of its tasks; it cannot leave the process.
#[derive(Clone)]
pub(crate) struct IndexFunction {
    pub(crate) name: &'static str,
    pub(crate) function: BlockFunction,
    /// The labels of each input's axes.
    pub(crate) labels: Vec<Vec<Label>>,
    /// The result, of which `window` is made.
    pub(crate) whole: Grid,
    /// The chunks of each axis that are made.
    pub(crate) window: Vec<Range<usize>>,
    /// What the function gives: one block for one entry, else parts. Axes beyond those of the result are in one chunk.
    pub(crate) outputs: Vec<(Grid, DType)>,
    /// How many chunks of each axis of each input a task reads.
    pub(crate) counts: Vec<Dims>,
}

impl IndexFunction {
    /// An operation that makes all of `whole`.
    pub(crate) fn new(
        name: &'static str,
        function: BlockFunction,
        inputs: &[ExprRef],
        labels: Vec<Vec<Label>>,
        whole: Grid,
        outputs: Vec<(Grid, DType)>,
    ) -> IndexFunction {
        let counts = inputs.iter().zip(&labels).map(|(input, labels)| {
            let count = |(axis, label): (&Axis, &Label)| if *label == Label::All { axis.chunks() } else { 1 };
            input.grid.axes().iter().zip(labels).map(count).collect()
        });
        let counts = counts.collect();
        let window = whole.axes().iter().map(|axis| 0..axis.chunks()).collect();
        IndexFunction { name, function, labels, whole, window, outputs, counts }
    }

    /// The chunks of a block of the result, counted in the whole one.
    fn place(&self, mut block: usize) -> Dims {
        let mut place = Dims::from_elem(0, self.window.len());
        for (at, window) in place.iter_mut().zip(&self.window).rev() {
            *at = window.start + block % window.len().max(1);
            block /= window.len().max(1);
        }
        place
    }

    /// The place of the block of an output.
    fn place_in(&self, output: &Grid, place: &[usize]) -> Dims {
        let chunks = |(number, axis): (usize, &Axis)| match axis.chunks() {
            1 => 0,
            _ => place.get(number).copied().unwrap_or(0),
        };
        output.axes().iter().enumerate().map(chunks).collect()
    }

    fn check(&self, output: &Grid, dtype: DType, place: &[usize], block: &Block) -> KernelResult<()> {
        check_dtype(block.dtype(), dtype)?;
        let place = self.place_in(output, place);
        if !output.has_block(&place, block.shape()) {
            let shape = output.block_shape(&place);
            return Err(KernelError::new(format!(
                "the function gave a block of shape {:?} where {shape:?} was promised: declare the chunks it gives",
                block.shape(),
            )));
        }
        Ok(())
    }
}

/// The blocks of one input as one, in row-major order of `counts`.
fn joined(inputs: &[Value], counts: &[usize]) -> KernelResult<Block> {
    let blocks: Vec<&Block> = inputs.iter().map(array).collect::<KernelResult<_>>()?;
    let first = blocks.first().ok_or_else(|| KernelError::new("no blocks to join"))?;
    let mut strides = Dims::from_elem(1, counts.len());
    for axis in (0..counts.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * counts[axis + 1];
    }
    // Where the chunks of each axis begin, from the blocks in its line.
    let mut bounds: Vec<Vec<usize>> = Vec::with_capacity(counts.len());
    for (axis, &count) in counts.iter().enumerate() {
        let mut ends = vec![0];
        for chunk in 0..count {
            let block = blocks.get(chunk * strides[axis]).ok_or_else(|| KernelError::new("blocks are missing"))?;
            let length = block.shape().get(axis).ok_or_else(|| KernelError::new("a block has lost an axis"))?;
            ends.push(ends[chunk] + length);
        }
        bounds.push(ends);
    }
    let shape: Dims = bounds.iter().map(|ends| ends[ends.len() - 1]).collect();
    with_dtype!(first.dtype(), T => {
        let buffer = pool::take::<T>(shape.iter().product());
        let mut whole = ArrayD::from_shape_vec(IxDyn(&shape), buffer).map_err(source_error)?;
        for (number, block) in blocks.iter().enumerate() {
            let mut target = whole.slice_each_axis_mut(|axis| {
                let axis = axis.axis.index();
                let chunk = number / strides[axis] % counts[axis];
                NdSlice::from(bounds[axis][chunk] as isize..bounds[axis][chunk + 1] as isize)
            });
            let view = block.view::<T>().map_err(source_error)?;
            if view.shape() != target.shape() {
                let (found, expected) = (view.shape(), target.shape());
                return Err(KernelError::new(format!("a block of shape {found:?} where {expected:?} was promised")));
            }
            target.assign(&view);
        }
        Ok(Block::from_array(whole))
    })
}

impl Kernel for IndexFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn describe(&self) -> String {
        format!("{} {}", self.name, self.function.name())
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let place = self.place(task.block as usize);
        let info = BlockInfo { origin: self.whole.block_origin(&place), shape: self.whole.block_shape(&place), place };
        let mut rest = &*inputs;
        let mut parts: SmallVec<[std::result::Result<&Block, Block>; 4]> = SmallVec::new();
        for counts in &self.counts {
            let count = counts.iter().product();
            let (own, others) =
                rest.split_at_checked(count).ok_or_else(|| KernelError::new("fewer blocks than were promised"))?;
            rest = others;
            parts.push(match own {
                [one] => Ok(array(one)?),
                several => Err(joined(several, counts)?),
            });
        }
        let views: SmallVec<[&Block; 4]> = parts
            .iter()
            .map(|part| match part {
                Ok(block) => *block,
                Err(block) => block,
            })
            .collect();
        let found = self.function.call_all(&info, &views)?;
        if found.len() != self.outputs.len() {
            let (found, expected) = (found.len(), self.outputs.len());
            return Err(KernelError::new(format!("the function gave {found} blocks where {expected} were promised")));
        }
        for ((grid, dtype), block) in self.outputs.iter().zip(&found) {
            self.check(grid, *dtype, &info.place, block)?;
        }
        let mut values = found.into_iter().map(Value::block);
        match (self.outputs.len(), values.next()) {
            (1, Some(only)) => Ok(only),
            (_, first) => Ok(Value::Parts(first.into_iter().chain(values).collect())),
        }
    }
}

impl Operation for IndexFunction {
    fn name(&self) -> &'static str {
        self.name
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        let labels: Vec<Vec<Option<usize>>> = self
            .labels
            .iter()
            .map(|labels| {
                let number = |label: &Label| match label {
                    Label::Out(axis) => Some(axis + 1),
                    Label::All => Some(0),
                    Label::Only => None,
                };
                labels.iter().map(number).collect()
            })
            .collect();
        key.key(self.function.key()).value(&labels).value(&self.whole).value(&self.window)
    }

    fn describe(&self) -> String {
        format!("{} {}", self.name, self.function.name())
    }

    fn sliced(&self, expr: &Expr, _: &Expr, ranges: &[StepRange]) -> Option<ExprRef> {
        if self.outputs.len() != 1 {
            return None;
        }
        let mut window = self.window.clone();
        let mut own = ranges.to_vec();
        for (number, (axis, range)) in self.whole.axes().iter().zip(&mut own).enumerate() {
            let Some(bounds) = axis.bounds().filter(|_| range.length > 0) else { continue };
            // Slices leave empty chunks out, and the inputs must have as many chunks as the result.
            let mut cut = expr.inputs.iter().zip(&self.labels).flat_map(|(input, labels)| {
                let axes = input.grid.axes().iter().zip(labels);
                axes.filter(|(_, label)| **label == Label::Out(number)).map(|(axis, _)| axis)
            });
            if bounds.windows(2).any(|pair| pair[0] == pair[1]) || !cut.all(can_be_cut) {
                continue;
            }
            let offset = bounds[self.window[number].start];
            let shifted = StepRange { start: range.start + offset, ..*range };
            let (low, high) = touched(bounds, &shifted)
                .fold((usize::MAX, 0), |(low, high), piece| (low.min(piece.chunk), high.max(piece.chunk)));
            if low <= high {
                window[number] = low..high + 1;
                range.start -= bounds[low] - offset;
            }
        }
        if window == self.window {
            return None;
        }
        let inputs = expr.inputs.iter().zip(&self.labels).map(|(input, labels)| {
            let range = |(axis, label): (&Axis, &Label)| match (label, axis.bounds()) {
                (Label::Out(out), Some(bounds)) if window[*out] != self.window[*out] => {
                    let (from, to) = (&self.window[*out], &window[*out]);
                    let start = bounds[to.start - from.start];
                    StepRange { start, step: 1, length: bounds[to.end - from.start] - start }
                }
                _ => StepRange::all(axis.length().unwrap_or(0)),
            };
            let ranges = input.grid.axes().iter().zip(labels).map(range).collect();
            slice(input, ranges, expr.location)
        });
        let inputs: Vec<ExprRef> = inputs.collect();
        let grid = Grid::new(self.whole.axes().iter().zip(&window).map(|(axis, window)| match axis.bounds() {
            Some(bounds) => Axis::from_lengths(window.clone().map(|chunk| bounds[chunk + 1] - bounds[chunk])),
            None => axis.clone(),
        }));
        let operation = IndexFunction { window, ..self.clone() };
        Some(slice(&expr.with(grid, Op::Custom(Arc::new(operation)), inputs), own, expr.location))
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let sources = expr.inputs.iter().map(|input| blocks(lowering, input)).collect::<Result<Vec<_>>>()?;
        // Blocks that are joined are copied.
        let mut scratch = 0_u64;
        for (input, counts) in expr.inputs.iter().zip(&self.counts) {
            if counts.iter().any(|&count| count > 1) {
                let length = |(axis, &count): (&Axis, &usize)| match count {
                    1 => axis.longest().unwrap_or(1_000_000) as u64,
                    _ => axis.length().unwrap_or(1_000_000) as u64,
                };
                let elements = input.grid.axes().iter().zip(counts).map(length).fold(1, u64::saturating_mul);
                scratch = scratch.saturating_add(elements.saturating_mul(input.dtype.size() as u64));
            }
        }
        // A user's function may take any time, however small its blocks.
        let layer = lowering.graph.layer(layer(expr, self.clone()).scratch(scratch).tiny(false));
        let mut made = Vec::with_capacity(expr.grid.blocks());
        for block in 0..expr.grid.blocks() {
            let place = self.place(block);
            let mut edges: SmallVec<[Edge; 8]> = SmallVec::new();
            for ((input, labels), source) in expr.inputs.iter().zip(&self.labels).zip(&sources) {
                let along: SmallVec<[SmallVec<[usize; 4]>; 4]> = input
                    .grid
                    .axes()
                    .iter()
                    .zip(labels)
                    .map(|(axis, label)| match label {
                        Label::Out(out) => SmallVec::from_slice(&[place[*out] - self.window[*out].start]),
                        Label::All => (0..axis.chunks()).collect(),
                        Label::Only => SmallVec::from_slice(&[0]),
                    })
                    .collect();
                let along: SmallVec<[&[usize]; 4]> = along.iter().map(|chunks| chunks.as_slice()).collect();
                each_of(&along, |at| edges.extend(source.get(input.grid.block_at(at)).copied()));
            }
            let bytes = self.outputs.iter().map(|(grid, dtype)| {
                let place = self.place_in(grid, &place);
                let lengths = grid.axes().iter().zip(grid.block_shape(&place));
                let length = |(axis, length): (&Axis, usize)| axis.length().map_or(1_000_000, |_| length) as u64;
                lengths.map(length).fold(dtype.size() as u64, u64::saturating_mul)
            });
            let bytes = bytes.fold(0, u64::saturating_add);
            made.push(lowering.graph.task(layer, block as u32, bytes, &edges)?.into());
        }
        Ok(made)
    }
}

/// Whether slices of whole chunks of an axis have as many chunks.
fn can_be_cut(axis: &Axis) -> bool {
    axis.bounds().is_some_and(|bounds| bounds.windows(2).all(|pair| pair[0] < pair[1]))
}

/// One of the parts that the blocks of another operation are made of: no tasks.
pub(crate) struct Part {
    pub(crate) number: u32,
}

impl Operation for Part {
    fn name(&self) -> &'static str {
        "part"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.number)
    }

    fn describe(&self) -> String {
        format!("part {}", self.number)
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let Some(input) = expr.inputs.first() else { return Ok(Vec::new()) };
        let whole = blocks(lowering, input)?;
        Ok(whole.iter().map(|edge| Edge::part_of(edge.task, self.number)).collect())
    }
}
