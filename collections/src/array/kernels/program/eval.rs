//! The tile loop.

use std::cell::Cell;
use std::ops::Range;

use smallvec::SmallVec;

use super::super::block::{Block, elements_of};
use super::super::error::{KernelError, Result};
use super::super::lane::{Lane, Slice, SliceMut};
use super::super::{loops, pool};
use super::layout::{Dims, Layout, Steps, for_each_index};
use super::ops::{run_binary, run_unary, run_where};
use super::random::run_random;
use super::{Compiled, Input, Instr, Program, Reg, Scratch};
use crate::array::dtype::{DType, Element, with_dtype};

/// A block that is given to a program.
#[derive(Debug)]
pub enum Arg<'a> {
    /// It is read.
    Borrowed(&'a Block),
    /// It is not needed any more: the result may be written over it.
    Dying(Block),
}

impl Arg<'_> {
    /// The block.
    pub fn block(&self) -> &Block {
        match self {
            Arg::Borrowed(block) => block,
            Arg::Dying(block) => block,
        }
    }
}

/// What takes the elements of a program's result as they are made, in place of a block:
/// reductions are sinks.
pub trait TileSink {
    /// Takes a run of elements, which follow each other in row-major order from the element at
    /// `position` (an index in the block) on. Every element comes once. Runs come in no
    /// particular order, and where they are cut depends on the memory of the inputs.
    fn row<T: Element>(&mut self, position: &[usize], values: &[T]);

    /// The first axis of those that a run may go over; a run is along the last axis unless this
    /// is less. With 0, runs go over all axes; with `ndim`, they are single elements.
    fn flat_from(&self, ndim: usize) -> usize {
        ndim.saturating_sub(1)
    }
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// Evaluates a program on a block of `shape`, whose first element is the element at `origin` of the
/// whole array. See [`Compiled::eval`], which spares the checks for many blocks.
///
/// # Errors
/// Those of [`Program::dtypes`] and [`Compiled::eval`].
pub fn eval(
    program: &Program,
    args: Vec<Arg<'_>>,
    shape: &[usize],
    origin: &[usize],
) -> Result<Block> {
    program.compile()?.eval(args, shape, origin)
}

/// Evaluates a program and hands the elements to `sink`. See [`Compiled::eval_tiles`].
///
/// # Errors
/// Those of [`Program::dtypes`] and [`Compiled::eval_tiles`].
pub fn eval_tiles(
    program: &Program,
    blocks: &[&Block],
    shape: &[usize],
    origin: &[usize],
    sink: &mut impl TileSink,
) -> Result<()> {
    program.compile()?.eval_tiles(blocks, shape, origin, sink)
}

/// Where the result goes.
enum Target<'a, S> {
    Memory(SliceMut<'a>),
    Sink(&'a mut S),
}

/// Stands for a sink where there is none.
struct NoSink;

impl TileSink for NoSink {
    fn row<T: Element>(&mut self, _: &[usize], _: &[T]) {}

    fn flat_from(&self, _: usize) -> usize {
        0
    }
}

impl Compiled {
    /// Evaluates the program on a block of `shape`, whose first element is the element at
    /// `origin` of the whole array. One pass over memory; the result is in row-major order, in a
    /// buffer of the pool or in that of a dying argument of its type and shape.
    ///
    /// # Errors
    /// [`KernelError::Arguments`], [`KernelError::DTypeMismatch`], [`KernelError::ShapeMismatch`]
    /// if the arguments do not fit the program's inputs and `shape`, [`KernelError::TooLarge`].
    pub fn eval(&self, args: Vec<Arg<'_>>, shape: &[usize], origin: &[usize]) -> Result<Block> {
        let dtype = self.dtype();
        let mut args: SmallVec<[Option<Arg<'_>>; 4]> = args.into_iter().map(Some).collect();
        let overwritten = args
            .iter_mut()
            .zip(&self.program.inputs)
            .position(|(arg, input)| match arg {
                Some(Arg::Dying(block)) => {
                    block.dtype() == dtype
                        && block.shape() == shape
                        && is_identity(input, shape.len())
                        && block.memory_mut().is_some()
                }
                _ => false,
            });
        let mut out = match overwritten.and_then(|k| args[k].take()) {
            Some(Arg::Dying(block)) => block,
            _ => {
                with_dtype!(dtype, T => Block::from_vec(shape, pool::take::<T>(elements_of::<T>(shape)?))?)
            }
        };
        let blocks: SmallVec<[Option<&Block>; 4]> = args
            .iter()
            .map(|arg| arg.as_ref().map(Arg::block))
            .collect();
        if let Some(memory) = out.memory_mut() {
            self.run(&blocks, shape, origin, Target::Memory::<NoSink>(memory))?;
        }
        Ok(out)
    }

    /// Evaluates the program as [`Compiled::eval`] does and hands the elements to `sink`, so that
    /// a chain that ends in a reduction never writes its result to memory.
    ///
    /// ```
    /// use talatat_collections::array::{dtype::{DType, Element}, kernels::{Block, TileSink}};
    /// use talatat_collections::array::kernels::program::{BinaryOp, Builder, Input};
    ///
    /// struct Count(usize);
    /// impl TileSink for Count {
    ///     fn row<T: Element>(&mut self, _position: &[usize], values: &[T]) {
    ///         self.0 += values.iter().filter(|&&x| x != T::default()).count();
    ///     }
    /// }
    /// let mut b = Builder::new(1);
    /// let x = b.input(Input::identity(DType::F64, 1));
    /// let two = b.constant(2.0)?;
    /// let large = b.binary(BinaryOp::Gt, x, two)?;
    /// let program = b.finish(large)?.compile()?;
    /// let mut count = Count(0);
    /// let x = Block::from_vec(&[4], vec![1.0, 2.0, 3.0, 4.0])?;
    /// program.eval_tiles(&[&x], &[4], &[0], &mut count)?;
    /// assert_eq!(count.0, 2);
    /// # Ok::<(), talatat_collections::array::kernels::KernelError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Compiled::eval`].
    pub fn eval_tiles(
        &self,
        blocks: &[&Block],
        shape: &[usize],
        origin: &[usize],
        sink: &mut impl TileSink,
    ) -> Result<()> {
        let blocks: SmallVec<[Option<&Block>; 4]> = blocks.iter().copied().map(Some).collect();
        self.run(&blocks, shape, origin, Target::Sink(sink))
    }

    /// `None` among the blocks is the one whose memory is the target.
    fn run<S: TileSink>(
        &self,
        blocks: &[Option<&Block>],
        shape: &[usize],
        origin: &[usize],
        target: Target<'_, S>,
    ) -> Result<()> {
        self.check_args(blocks, shape, origin)?;
        if shape.contains(&0) {
            return Ok(());
        }
        let packed: SmallVec<[Option<Block>; 4]> = blocks
            .iter()
            .map(|block| {
                block
                    .filter(|block| block.memory().is_none())
                    .and_then(Block::packed)
            })
            .collect();

        // The streams: inputs, then indices, then the result.
        let out_steps = row_major(shape);
        let mut streams: SmallVec<[Steps; 4]> = SmallVec::new();
        let mut sources: SmallVec<[Source<'_>; 4]> = SmallVec::new();
        for ((block, packed), input) in blocks.iter().zip(&packed).zip(&self.program.inputs) {
            let block = packed.as_ref().or(*block);
            streams.push(match block {
                Some(block) => input
                    .axes
                    .iter()
                    .map(|axis| axis.map_or(0, |axis| block.strides()[usize::from(axis)] as i64))
                    .collect(),
                None => out_steps.clone(),
            });
            let memory = block.and_then(Block::memory);
            sources.push(Source {
                memory,
                offset: block.map_or(0, first_element),
            });
        }
        let mut indices: SmallVec<[(Reg, i64); 2]> = SmallVec::new();
        for &reg in &self.steps {
            if let Some(Instr::Index { offset, strides }) = self.instr(reg) {
                let base = strides
                    .iter()
                    .zip(origin)
                    .fold(*offset, |sum, (stride, &i)| {
                        sum.wrapping_add(stride.wrapping_mul(i as i64))
                    });
                indices.push((reg, base));
                streams.push(strides.clone());
            }
        }
        streams.push(out_steps);
        let flat_from = match &target {
            Target::Memory(_) => 0,
            Target::Sink(sink) => sink.flat_from(shape.len()),
        };
        let layout = Layout::new(shape, &streams, sources.len(), flat_from);

        let mut scratch = SCRATCH.take().unwrap_or_default();
        self.prepare(&mut scratch, layout.tile_len());
        let (memory, mut sink) = match target {
            Target::Memory(memory) => (Some(memory), None),
            Target::Sink(sink) => (None, Some(sink)),
        };
        let zeros = Dims::from_elem(0, layout.dims.len());
        let mut machine = Machine {
            compiled: self,
            sources,
            indices,
            scratch,
            memory,
            start: zeros.clone(),
            size: zeros,
            len: 0,
            borrowed: SmallVec::from_elem(None, blocks.len()),
            layout,
        };
        loop {
            machine.run_tile();
            if let Some(sink) = sink.as_deref_mut() {
                machine.deliver(shape, sink);
            }
            if !machine.next_tile() {
                break;
            }
        }
        SCRATCH.set(Some(machine.scratch));
        Ok(())
    }

    fn check_args(
        &self,
        blocks: &[Option<&Block>],
        shape: &[usize],
        origin: &[usize],
    ) -> Result<()> {
        let program = &self.program;
        if blocks.len() != program.inputs.len() {
            return Err(KernelError::Arguments {
                operation: "elementwise program",
                expected: program.inputs.len(),
                found: blocks.len(),
            });
        }
        if shape.len() != program.ndim || origin.len() != program.ndim {
            return Err(KernelError::ShapeMismatch {
                operation: format!(
                    "elementwise program of {} dimensions at {origin:?}",
                    program.ndim
                ),
                expected: vec![program.ndim],
                found: vec![shape.len(), origin.len()],
            });
        }
        elements_of::<u64>(shape)?;
        for (k, (block, input)) in blocks.iter().zip(&program.inputs).enumerate() {
            let Some(block) = block else { continue };
            if block.dtype() != input.dtype {
                return Err(KernelError::DTypeMismatch {
                    operation: "elementwise program",
                    expected: input.dtype,
                    found: block.dtype(),
                });
            }
            let mut elements = 1;
            let mut fits = true;
            for (&n, axis) in shape.iter().zip(&input.axes) {
                if let Some(axis) = axis {
                    fits &= block.shape().get(usize::from(*axis)) == Some(&n);
                    elements *= n;
                }
            }
            // Axes that are not read have length 1.
            if !fits || elements != block.len() {
                return Err(KernelError::ShapeMismatch {
                    operation: format!(
                        "input {k} of an elementwise program, read along its axes {:?}",
                        input.axes
                    ),
                    expected: shape.to_vec(),
                    found: block.shape().to_vec(),
                });
            }
        }
        Ok(())
    }

    fn instr(&self, reg: Reg) -> Option<&Instr> {
        (reg as usize)
            .checked_sub(self.program.inputs.len())
            .and_then(|i| self.program.instrs.get(i))
    }

    /// Makes room for tiles of `len` elements and fills in the constants.
    fn prepare(&self, scratch: &mut Scratch, len: usize) {
        for (&dtype, &count) in DType::ALL.iter().zip(&self.slot_counts) {
            if count == 0 {
                continue;
            }
            with_dtype!(dtype, T => {
                let slots = <T as Lane>::slots_mut(scratch);
                let count = count as usize;
                if slots.len() < count {
                    slots.resize_with(count, Vec::new);
                }
                for slot in &mut slots[..count] {
                    if slot.len() < len {
                        slot.resize(len, T::default());
                    }
                }
            });
        }
        for &reg in &self.constants {
            if let Some(Instr::Const(scalar)) = self.instr(reg) {
                let slot = self.slots[reg as usize] as usize;
                with_dtype!(scalar.dtype(), T => <T as Lane>::slots_mut(scratch)[slot][..len].fill(scalar.get::<T>()));
            }
        }
    }
}

fn is_identity(input: &Input, ndim: usize) -> bool {
    input.axes.len() == ndim
        && input
            .axes
            .iter()
            .enumerate()
            .all(|(i, axis)| axis.map(usize::from) == Some(i))
}

/// The steps of a block in row-major order.
fn row_major(shape: &[usize]) -> Steps {
    let mut steps = Steps::from_elem(0, shape.len());
    let mut step = 1_i64;
    for (to, &n) in steps.iter_mut().zip(shape).rev() {
        *to = step;
        step *= n as i64;
    }
    steps
}

/// Where the element at index 0 is in the memory: behind the others along axes that run backwards.
fn first_element(block: &Block) -> i64 {
    let back = |(&n, &stride): (&usize, &isize)| {
        if stride < 0 && n > 1 {
            (n as i64 - 1) * -(stride as i64)
        } else {
            0
        }
    };
    block.shape().iter().zip(block.strides()).map(back).sum()
}

/// The memory of an input; none if it is that of the result.
struct Source<'a> {
    memory: Option<Slice<'a>>,
    offset: i64,
}

/// The state of an evaluation.
struct Machine<'a> {
    compiled: &'a Compiled,
    sources: SmallVec<[Source<'a>; 4]>,
    /// The registers that are indices, in the order of their streams, with their values at the block's first element.
    indices: SmallVec<[(Reg, i64); 2]>,
    layout: Layout,
    scratch: Box<Scratch>,
    /// The memory of the result.
    memory: Option<SliceMut<'a>>,
    /// The merged index of the tile's first element.
    start: Dims,
    /// The extents of the tile.
    size: Dims,
    /// The elements of the tile.
    len: usize,
    /// Where the tile starts in the memory of each input, if it is read there without a copy.
    borrowed: SmallVec<[Option<usize>; 4]>,
}

impl Machine<'_> {
    /// Moves to the next tile; false after the last.
    fn next_tile(&mut self) -> bool {
        for axis in (0..self.start.len()).rev() {
            self.start[axis] += self.layout.tile[axis];
            if self.start[axis] < self.layout.dims[axis] {
                return true;
            }
            self.start[axis] = 0;
        }
        false
    }

    fn run_tile(&mut self) {
        self.len = 1;
        for axis in 0..self.size.len() {
            self.size[axis] = self.layout.tile[axis].min(self.layout.dims[axis] - self.start[axis]);
            self.len *= self.size[axis];
        }
        for k in 0..self.sources.len() {
            let steps = self.layout.steps(k);
            let direct = self.sources[k].memory.is_some() && self.is_run(steps);
            self.borrowed[k] = direct.then(|| self.at(self.sources[k].offset, steps) as usize);
        }
        let compiled = self.compiled;
        let result = compiled.program.result;
        let out_stream = self.sources.len() + self.indices.len();
        let out_steps = self.layout.steps(out_stream);
        let out_start = self.at(0, out_steps) as usize;
        let direct = self.memory.is_some() && self.is_run(out_steps);
        let mut written = self.memory.is_none();
        for &reg in &compiled.steps {
            let input = self.borrowed.get(reg as usize);
            if let Some(Some(_)) = input {
                continue;
            }
            if reg == result && direct {
                written = true;
                let overwritten = input.is_some() && self.sources[reg as usize].memory.is_none();
                if !overwritten && let Some(mut memory) = self.memory.take() {
                    self.compute(reg, memory.sub_mut(out_start..out_start + self.len));
                    self.memory = Some(memory);
                }
                continue;
            }
            let slot = compiled.slots[reg as usize] as usize;
            with_dtype!(compiled.dtypes[reg as usize], T => {
                let mut buffer = std::mem::take(&mut <T as Lane>::slots_mut(&mut self.scratch)[slot]);
                self.compute(reg, <T as Lane>::tag_mut(&mut buffer[..self.len]));
                <T as Lane>::slots_mut(&mut self.scratch)[slot] = buffer;
            });
        }
        if !written && let Some(mut memory) = self.memory.take() {
            let steps = self.layout.steps(out_stream);
            scatter(
                self.fetch(result),
                &mut memory,
                out_start,
                steps,
                &self.size,
            );
            self.memory = Some(memory);
        }
    }

    /// Where the tile starts in a stream.
    fn at(&self, offset: i64, steps: &[i64]) -> i64 {
        let step =
            |sum: i64, (&i, step): (&usize, &i64)| sum.wrapping_add(step.wrapping_mul(i as i64));
        self.start.iter().zip(steps).fold(offset, step)
    }

    /// Whether the tile is one run in memory, in its order.
    fn is_run(&self, steps: &[i64]) -> bool {
        let mut run = 1;
        for (&n, &step) in self.size.iter().zip(steps).rev() {
            if n > 1 && step != run {
                return false;
            }
            run *= n as i64;
        }
        true
    }

    /// The tile of a register that is computed.
    fn fetch(&self, reg: Reg) -> Slice<'_> {
        if let Some(&Some(start)) = self.borrowed.get(reg as usize)
            && let Some(memory) = &self.sources[reg as usize].memory
        {
            return memory.sub(start..start + self.len);
        }
        let slot = self.compiled.slots[reg as usize] as usize;
        with_dtype!(self.compiled.dtypes[reg as usize], T => {
            <T as Lane>::tag(&<T as Lane>::slots(&self.scratch)[slot][..self.len])
        })
    }

    /// Computes the tile of a register.
    fn compute(&self, reg: Reg, mut out: SliceMut<'_>) {
        let out = &mut out;
        match self.compiled.instr(reg) {
            None => self.load(reg as usize, out),
            Some(&Instr::Const(_)) => scatter(self.fetch(reg), out, 0, &[1], &[self.len]),
            Some(Instr::Index { .. }) => self.index(reg, out),
            Some(&Instr::Random {
                distribution,
                seed,
                index,
            }) => run_random(distribution, seed, self.fetch(index), out),
            Some(&Instr::Unary { op, x }) => run_unary(op, [self.fetch(x)], out),
            Some(&Instr::Binary { op, a, b }) => {
                run_binary(op, [self.fetch(a), self.fetch(b)], out)
            }
            Some(&Instr::Where { condition, a, b }) => {
                run_where(self.fetch(condition), self.fetch(a), self.fetch(b), out);
            }
            Some(&Instr::Cast { x, .. }) => loops::cast(self.fetch(x), out),
        }
    }

    /// Copies the tile of an input.
    fn load(&self, k: usize, out: &mut SliceMut<'_>) {
        let source = &self.sources[k];
        let memory = source
            .memory
            .or_else(|| self.memory.as_ref().map(SliceMut::as_slice));
        let Some(memory) = memory else { return };
        let steps = self.layout.steps(k);
        let start = self.at(source.offset, steps);
        with_dtype!(memory.dtype(), T => {
            if let (Some(memory), Some(out)) = (<T as Lane>::slice(&memory), <T as Lane>::slice_mut(out)) {
                gather(memory, start, steps, &self.size, out);
            }
        });
    }

    /// Computes the tile of an index.
    fn index(&self, reg: Reg, out: &mut SliceMut<'_>) {
        let Some(i) = self.indices.iter().position(|&(index, _)| index == reg) else {
            return;
        };
        let Some(out) = i64::slice_mut(out) else {
            return;
        };
        let steps = self.layout.steps(self.sources.len() + i);
        let start = self.at(self.indices[i].1, steps);
        for_each_row(&self.size, steps, start, |row, first, step| {
            loops::arithmetic_progression(first, step, &mut out[row]);
        });
    }

    /// Hands the tile of the result to a sink.
    fn deliver(&self, shape: &[usize], sink: &mut impl TileSink) {
        let layout = &self.layout;
        // The axes from here on are one run: all but the first of them are complete.
        let mut axis = self.size.len() - 1;
        while axis > layout.run_axis && self.size[axis] == layout.dims[axis] {
            axis -= 1;
        }
        let first = if layout.run_axis > axis {
            layout.run_axis
        } else {
            axis
        };
        let run: usize = self.size[first..].iter().product();
        let mut position = Dims::from_elem(0, shape.len());
        let mut index = self.start.clone();
        let values = self.fetch(self.compiled.program.result);
        with_dtype!(values.dtype(), T => {
            let Some(values) = <T as Lane>::slice(&values) else { return };
            let mut rows = values.chunks_exact(run);
            for_each_index(&self.size[..first], |i| {
                for (axis, i) in i.iter().enumerate() {
                    index[axis] = self.start[axis] + i;
                }
                layout.position(shape, &index, &mut position);
                if let Some(row) = rows.next() {
                    sink.row(&position, row);
                }
            });
        });
    }
}

/// Calls `f` for every row of a tile: its place in the tile, and the first value and the step of
/// a stream that has the value `start` at the tile's first element.
fn for_each_row(
    size: &[usize],
    steps: &[i64],
    start: i64,
    mut f: impl FnMut(Range<usize>, i64, i64),
) {
    let Some((&n, outer)) = size.split_last() else {
        return;
    };
    let step = steps[outer.len()];
    let mut at = 0;
    for_each_index(outer, |index| {
        let first = index.iter().zip(steps).fold(start, |sum, (&i, step)| {
            sum.wrapping_add(step.wrapping_mul(i as i64))
        });
        f(at..at + n, first, step);
        at += n;
    });
}

/// Copies a tile out of strided memory.
fn gather<T: Copy>(memory: &[T], start: i64, steps: &[i64], size: &[usize], out: &mut [T]) {
    for_each_row(size, steps, start, |row, first, step| {
        let out = &mut out[row];
        let first = first as usize;
        match step {
            1 => out.copy_from_slice(&memory[first..first + out.len()]),
            0 => out.fill(memory[first]),
            2.. => {
                for (to, &from) in out
                    .iter_mut()
                    .zip(memory[first..].iter().step_by(step as usize))
                {
                    *to = from;
                }
            }
            _ => {
                for (to, &from) in out.iter_mut().zip(
                    memory[..=first]
                        .iter()
                        .rev()
                        .step_by(step.unsigned_abs() as usize),
                ) {
                    *to = from;
                }
            }
        }
    });
}

/// Copies a tile into memory whose rows are runs.
fn scatter(
    values: Slice<'_>,
    memory: &mut SliceMut<'_>,
    start: usize,
    steps: &[i64],
    size: &[usize],
) {
    with_dtype!(values.dtype(), T => {
        if let (Some(values), Some(memory)) = (<T as Lane>::slice(&values), <T as Lane>::slice_mut(memory)) {
            for_each_row(size, steps, start as i64, |row, first, _| {
                let first = first as usize;
                memory[first..first + row.len()].copy_from_slice(&values[row]);
            });
        }
    });
}
