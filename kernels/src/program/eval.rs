//! The tile loop.

use std::cell::Cell;

use smallvec::SmallVec;

use super::super::block::{Block, elements_of};
use super::super::error::{KernelError, Result};
use super::super::lane::{Lane, SliceMut};
use super::super::pool;
use super::super::reduce::Slab;
use super::layout::{Dims, Layout, Steps};
use super::machine::{Machine, Source};
use super::{Compiled, Input, Instr, Program, Reg, Scratch};
use crate::dtype::{DType, Element, with_dtype};

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
    /// Takes rows of elements. Those of a row follow each other in row-major order from the element at `position`
    /// (an index in the block) on; the next row begins one element further along `axis` (and, at its end, where
    /// row-major order goes on within the axes that are not parted from it). Every element comes once. Slabs come in
    /// no particular order, and where they are cut depends on the memory of the inputs.
    fn slab<T: Element>(&mut self, position: &[usize], axis: usize, slab: Slab<'_, T>);

    /// Whether no row may go over the border between this axis and the one before, and no walk from row to row either.
    /// Rows go along the axes from the last such border on.
    fn parts(&self, axis: usize) -> bool;
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// Evaluates a program on a block of `shape`, whose first element is the element at `origin` of the
/// whole array. See [`Compiled::eval`], which spares the checks for many blocks.
///
/// # Errors
/// Those of [`Program::dtypes`] and [`Compiled::eval`].
pub fn eval(program: &Program, args: Vec<Arg<'_>>, shape: &[usize], origin: &[usize]) -> Result<Block> {
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
    fn slab<T: Element>(&mut self, _: &[usize], _: usize, _: Slab<'_, T>) {}

    fn parts(&self, _: usize) -> bool {
        false
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
        let overwritten = args.iter_mut().zip(&self.program.inputs).position(|(arg, input)| match arg {
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
        let blocks: SmallVec<[Option<&Block>; 4]> = args.iter().map(|arg| arg.as_ref().map(Arg::block)).collect();
        if let Some(memory) = out.memory_mut() {
            self.run(&blocks, shape, origin, Target::Memory::<NoSink>(memory))?;
        }
        Ok(out)
    }

    /// Evaluates the program as [`Compiled::eval`] does and hands the elements to `sink`, so that
    /// a chain that ends in a reduction never writes its result to memory.
    ///
    /// ```
    /// use talatat_kernels::{Block, TileSink, dtype::{DType, Element}, reduce::Slab};
    /// use talatat_kernels::program::{BinaryOp, Builder, Input};
    ///
    /// struct Count(usize);
    /// impl TileSink for Count {
    ///     fn slab<T: Element>(&mut self, _position: &[usize], _axis: usize, slab: Slab<'_, T>) {
    ///         self.0 += slab.iter().flatten().filter(|&&x| x != T::default()).count();
    ///     }
    ///
    ///     fn parts(&self, _axis: usize) -> bool {
    ///         false
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
    /// # Ok::<(), talatat_kernels::KernelError>(())
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
        let packed: SmallVec<[Option<Block>; 4]> =
            blocks.iter().map(|block| block.filter(|block| block.memory().is_none()).and_then(Block::packed)).collect();

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
            sources.push(Source { memory, offset: block.map_or(0, first_element) });
        }
        let mut indices: SmallVec<[(Reg, i64); 2]> = SmallVec::new();
        for (i, instr) in self.program.instrs.iter().enumerate() {
            if let Instr::Index { offset, strides } = instr {
                let base = strides
                    .iter()
                    .zip(origin)
                    .fold(*offset, |sum, (stride, &i)| sum.wrapping_add(stride.wrapping_mul(i as i64)));
                indices.push(((sources.len() + i) as Reg, base));
                streams.push(strides.clone());
            }
        }
        streams.push(out_steps);
        let layout = Layout::new(shape, &streams, sources.len(), |axis| match &target {
            Target::Memory(_) => false,
            Target::Sink(sink) => sink.parts(axis),
        });
        let target = match (target, sources.first()) {
            // Nothing to compute: rows as they lie in memory.
            (Target::Sink(sink), Some(Source { memory: Some(memory), offset })) if self.program.result == 0 => {
                if layout.deliver(shape, memory, *offset, sink) {
                    return Ok(());
                }
                Target::Sink(sink)
            }
            (target, _) => target,
        };

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

    fn check_args(&self, blocks: &[Option<&Block>], shape: &[usize], origin: &[usize]) -> Result<()> {
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
                operation: format!("elementwise program of {} dimensions at {origin:?}", program.ndim),
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
                    operation: format!("input {k} of an elementwise program, read along its axes {:?}", input.axes),
                    expected: shape.to_vec(),
                    found: block.shape().to_vec(),
                });
            }
        }
        Ok(())
    }

    pub(super) fn instr(&self, reg: Reg) -> Option<&Instr> {
        (reg as usize).checked_sub(self.program.inputs.len()).and_then(|i| self.program.instrs.get(i))
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
    input.axes.len() == ndim && input.axes.iter().enumerate().all(|(i, axis)| axis.map(usize::from) == Some(i))
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
        if stride < 0 && n > 1 { (n as i64 - 1) * -(stride as i64) } else { 0 }
    };
    block.shape().iter().zip(block.strides()).map(back).sum()
}
