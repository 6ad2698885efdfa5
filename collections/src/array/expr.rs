//! Lazy array expressions: what an array is, before anything is computed.

use std::fmt::Write;
use std::panic::Location;
use std::sync::Arc;

use talatat_graph::{Key, KeyBuilder, Value};

use super::dtype::DType;
use super::gather::Runs;
use super::grid::{Dims, Grid};
use super::kernels::Block;
use super::kernels::program::{AxisMap, Program};
use super::kernels::reduce::ReduceOp;
use super::map_blocks::BlockFunction;
use crate::lower::Foreign;
use crate::storage::ObjectRef;
use crate::storage::npy::{NpyHeader, NpyOutput};

/// An expression, shared by those that use it.
pub type ExprRef = Arc<Expr>;

/// An array that has not been computed: what it will be, and how.
#[derive(Clone)]
pub struct Expr {
    /// The hash of all that the elements depend on, and of the grid.
    pub key: Key,
    /// The element type.
    pub dtype: DType,
    /// Shape and chunks.
    pub grid: Grid,
    /// How it is made.
    pub op: Op,
    /// Where the user asked for it.
    pub location: &'static Location<'static>,
}

/// The operations that expressions are made of: few, because elementwise operations, creation, broadcasting and transposes
/// are all [`Op::Blockwise`], and what moves elements between blocks has an operation of its own.
#[derive(Clone)]
pub enum Op {
    /// A program on aligned blocks. Without inputs it is a creation.
    Blockwise {
        /// What is computed, and along which axes the inputs are read.
        program: Arc<Program>,
        /// The inputs; along axes that the program reads they are cut like the result.
        inputs: Vec<ExprRef>,
    },
    /// A reduction along axes.
    Reduce {
        /// Which one.
        op: ReduceOp,
        /// The input's axes, ascending.
        axes: Vec<usize>,
        /// Whether the axes stay with length 1.
        keepdims: bool,
        /// What is reduced.
        input: ExprRef,
    },
    /// A part of another array; each of its blocks that is touched gives one block.
    Slice {
        /// What is cut.
        input: ExprRef,
        /// For each axis.
        ranges: Vec<StepRange>,
    },
    /// The same array in other blocks.
    Rechunk {
        /// The array.
        input: ExprRef,
    },
    /// The same elements in row-major order under another shape.
    Reshape {
        /// The array.
        input: ExprRef,
    },
    /// Arrays one after the other along an axis; cut alike along the others.
    Concatenate {
        /// The arrays.
        inputs: Vec<ExprRef>,
        /// The axis.
        axis: usize,
    },
    /// Indices of one axis in any order, any number of times, with constants in between.
    Gather {
        /// The array.
        input: ExprRef,
        /// The axis.
        axis: usize,
        /// What the result has along the axis.
        runs: Runs,
    },
    /// The array seen along other axes: windows, diagonals, one axis as two.
    Strided {
        /// The array.
        input: ExprRef,
        /// The index of the input that the first element of the result has.
        offset: Dims,
        /// For each axis of the result how far it goes along each axis of the input.
        steps: Vec<Dims>,
    },
    /// Medians along an axis in one chunk, which stays with length 1.
    Median {
        /// The array.
        input: ExprRef,
        /// The axis.
        axis: usize,
    },
    /// Matrix products over the last two axes; the other axes are those of both inputs, cut alike.
    MatMul {
        /// `[.., n, k]` and `[.., k, m]`, cut alike along `k`.
        inputs: [ExprRef; 2],
    },
    /// A function of the user's on each block.
    MapBlocks {
        /// The function.
        function: BlockFunction,
        /// The arrays it reads, with as many blocks along each axis as the result.
        inputs: Vec<ExprRef>,
    },
    /// An array in memory.
    Memory {
        /// The whole array.
        array: Arc<Block>,
    },
    /// Blocks that have been computed.
    Persisted {
        /// One value a block.
        blocks: Arc<[Value]>,
    },
    /// A `.npy` file or object, or a part of it.
    Npy {
        /// The file.
        object: ObjectRef,
        /// What it says of itself.
        header: Arc<NpyHeader>,
        /// The indices in the file, for each axis.
        ranges: Vec<StepRange>,
    },
    /// An array that is written to a file or object: no elements, one value that says nothing.
    Write {
        /// What is written, cut as the output wants it.
        input: ExprRef,
        /// What has been begun.
        output: Arc<NpyOutput>,
    },
    /// Blocks that a collection of another kind makes.
    #[cfg_attr(not(feature = "frame"), allow(dead_code))]
    Foreign {
        /// Who makes them.
        blocks: Arc<dyn Foreign>,
    },
}

/// `start, start + step, ..`: `length` indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct StepRange {
    /// The first index.
    pub start: usize,
    /// From one index to the next; negative ones go backwards; never 0.
    pub step: isize,
    /// How many there are.
    pub length: usize,
}

impl StepRange {
    /// All indices of an axis.
    pub fn all(length: usize) -> StepRange {
        StepRange { start: 0, step: 1, length }
    }

    /// The index at a position.
    pub fn at(&self, position: usize) -> usize {
        self.start.wrapping_add_signed(self.step.wrapping_mul(position as isize))
    }

    /// The index at the last position, if there is one and it can be counted.
    pub fn last(&self) -> Option<usize> {
        let steps = isize::try_from(self.length.checked_sub(1)?).ok()?;
        self.start.checked_add_signed(self.step.checked_mul(steps)?)
    }

    /// The range of indices `inner` of this range.
    pub fn then(&self, inner: &StepRange) -> StepRange {
        match inner.length {
            0 => StepRange::all(0),
            // One index is the same whichever way it goes.
            1 => StepRange { start: self.at(inner.start), step: 1, length: 1 },
            length => StepRange { start: self.at(inner.start), step: self.step * inner.step, length },
        }
    }

    /// Whether these are all indices of an axis, in order.
    pub fn is_all(&self, length: usize) -> bool {
        self.length == length && (length == 0 || (self.start == 0 && (self.step == 1 || length == 1)))
    }

    /// How a program sees the axis: its new index to its old one.
    pub fn map(&self, axis: usize) -> AxisMap {
        AxisMap::To { axis, offset: self.start as i64, step: self.step as i64 }
    }
}

impl Expr {
    /// An expression; its key is made of all the rest. `content` adds what the key cannot see: a hash of data.
    pub fn new(
        dtype: DType,
        grid: Grid,
        op: Op,
        content: Option<Key>,
        location: &'static Location<'static>,
    ) -> ExprRef {
        let mut key = KeyBuilder::new(op.name()).number(dtype as u64).value(&grid);
        for input in op.inputs() {
            key = key.key(input.key);
        }
        if let Some(content) = content {
            key = key.key(content);
        }
        let key = op.parameters(key).finish();
        Arc::new(Expr { key, dtype, grid, op, location })
    }

    /// The same operation on other inputs, cut in another way.
    pub fn with(&self, grid: Grid, op: Op) -> ExprRef {
        let content = match &op {
            Op::Memory { .. } | Op::Persisted { .. } | Op::Foreign { .. } => Some(self.key),
            _ => None,
        };
        Expr::new(self.dtype, grid, op, content, self.location)
    }

    /// How many dimensions there are.
    pub fn ndim(&self) -> usize {
        self.grid.ndim()
    }

    /// The most bytes of a block, as far as they are known.
    pub fn block_bytes(&self, place: &[usize]) -> u64 {
        // A chunk of unknown length is taken to be a million elements long: better a guess than nothing.
        const GUESS: usize = 1_000_000;
        let lengths = self.grid.axes().iter().zip(self.grid.block_shape(place));
        let elements = lengths.map(|(axis, length)| if axis.length().is_some() { length } else { GUESS });
        elements.product::<usize>() as u64 * self.dtype.size() as u64
    }

    /// The expression as an indented tree, one operation a line; what stands in it twice is written out once.
    pub fn describe(self: &ExprRef) -> String {
        let mut text = String::new();
        let mut seen = hashbrown::HashSet::new();
        let mut stack = vec![(self, 0)];
        while let Some((expr, depth)) = stack.pop() {
            let first = seen.insert(expr.key);
            let again = if first || expr.op.inputs().len() == 0 { "" } else { " (as above)" };
            let _ = writeln!(
                text,
                "{:indent$}{}: {} {}{again}",
                "",
                expr.op.describe(),
                expr.dtype,
                expr.grid,
                indent = 2 * depth
            );
            if first {
                stack.extend(expr.op.inputs().rev().map(|input| (input, depth + 1)));
            }
        }
        text
    }

    /// Visits some expressions and all below them, each once, inputs first.
    pub fn visit<'a>(roots: &'a [ExprRef], visit: &mut impl FnMut(&'a ExprRef)) {
        let mut seen = hashbrown::HashSet::new();
        let mut stack: Vec<(&ExprRef, bool)> = roots.iter().rev().map(|root| (root, false)).collect();
        while let Some((expr, expanded)) = stack.pop() {
            if expanded {
                visit(expr);
            } else if seen.insert(expr.key) {
                stack.push((expr, true));
                stack.extend(expr.op.inputs().rev().map(|input| (input, false)));
            }
        }
    }
}

impl Drop for Expr {
    /// A chain of operations is dropped link by link: its depth is no limit.
    fn drop(&mut self) {
        fn take(op: &mut Op) -> Vec<ExprRef> {
            std::mem::replace(op, Op::Concatenate { inputs: Vec::new(), axis: 0 }).into_inputs()
        }
        if self.op.inputs().len() == 0 {
            return;
        }
        let mut pending = take(&mut self.op);
        while let Some(mut expr) = pending.pop() {
            // Whoever holds the last handle goes on with the inputs.
            if let Some(last) = Arc::get_mut(&mut expr) {
                pending.append(&mut take(&mut last.op));
            }
        }
    }
}

impl Op {
    /// The arrays that are read, given up.
    fn into_inputs(self) -> Vec<ExprRef> {
        match self {
            Op::Blockwise { inputs, .. } | Op::Concatenate { inputs, .. } | Op::MapBlocks { inputs, .. } => inputs,
            Op::Reduce { input, .. }
            | Op::Slice { input, .. }
            | Op::Rechunk { input }
            | Op::Reshape { input }
            | Op::Gather { input, .. }
            | Op::Strided { input, .. }
            | Op::Write { input, .. }
            | Op::Median { input, .. } => vec![input],
            Op::MatMul { inputs } => inputs.into(),
            Op::Memory { .. } | Op::Persisted { .. } | Op::Npy { .. } | Op::Foreign { .. } => Vec::new(),
        }
    }

    /// The arrays that are read.
    pub fn inputs(&self) -> std::slice::Iter<'_, ExprRef> {
        match self {
            Op::Blockwise { inputs, .. } | Op::Concatenate { inputs, .. } | Op::MapBlocks { inputs, .. } => {
                inputs.iter()
            }
            Op::Reduce { input, .. }
            | Op::Slice { input, .. }
            | Op::Rechunk { input }
            | Op::Reshape { input }
            | Op::Gather { input, .. }
            | Op::Strided { input, .. }
            | Op::Write { input, .. }
            | Op::Median { input, .. } => std::slice::from_ref(input).iter(),
            Op::MatMul { inputs } => inputs.iter(),
            Op::Memory { .. } | Op::Persisted { .. } | Op::Npy { .. } | Op::Foreign { .. } => [].iter(),
        }
    }

    /// The same operation on other inputs.
    pub fn with_inputs(&self, new: Vec<ExprRef>) -> Op {
        let mut op = self.clone();
        let mut new = new.into_iter();
        let slots: &mut [ExprRef] = match &mut op {
            Op::Blockwise { inputs, .. } | Op::Concatenate { inputs, .. } | Op::MapBlocks { inputs, .. } => inputs,
            Op::MatMul { inputs } => inputs,
            Op::Reduce { input, .. }
            | Op::Slice { input, .. }
            | Op::Rechunk { input }
            | Op::Reshape { input }
            | Op::Gather { input, .. }
            | Op::Strided { input, .. }
            | Op::Write { input, .. }
            | Op::Median { input, .. } => std::slice::from_mut(input),
            Op::Memory { .. } | Op::Persisted { .. } | Op::Npy { .. } | Op::Foreign { .. } => &mut [],
        };
        for slot in slots {
            if let Some(input) = new.next() {
                *slot = input;
            }
        }
        op
    }

    /// Mixes what the key cannot see in inputs and grid.
    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        match self {
            Op::Blockwise { program, .. } => key.value(&**program),
            Op::Reduce { op, axes, keepdims, .. } => key.value(&(op, axes, keepdims)),
            Op::Slice { ranges, .. } => key.value(ranges),
            Op::Concatenate { axis, .. } => key.value(axis),
            Op::Median { axis, .. } => key.value(axis),
            Op::Gather { axis, runs, .. } => key.value(&(axis, runs)),
            Op::Strided { offset, steps, .. } => key.value(&(offset, steps)),
            Op::MapBlocks { function, .. } => key.key(function.key()),
            Op::Npy { object, ranges, .. } => {
                key.bytes(object.location().to_string().as_bytes()).bytes(object.version().as_bytes()).value(ranges)
            }
            Op::Write { output, .. } => key.value(&**output),
            Op::Rechunk { .. } | Op::Reshape { .. } | Op::MatMul { .. } => key,
            Op::Memory { .. } | Op::Persisted { .. } | Op::Foreign { .. } => key,
        }
    }

    /// The operation with what matters of its parameters.
    pub fn describe(&self) -> String {
        match self {
            Op::Blockwise { program, .. } => format!("{} {}", self.name(), program_text(program)),
            Op::Reduce { op, axes, keepdims, .. } => {
                format!("{op} over {axes:?}{}", if *keepdims { ", keepdims" } else { "" })
            }
            Op::Slice { ranges, .. } => {
                format!("slice {}", ranges_text(ranges))
            }
            Op::Concatenate { axis, .. } => format!("concatenate along {axis}"),
            Op::Gather { axis, runs, .. } => format!("gather {} runs along {axis}", runs.list().len()),
            Op::MapBlocks { function, .. } => format!("map_blocks {}", function.name()),
            Op::Npy { object, header, ranges } => {
                let whole = ranges.iter().zip(&header.shape).all(|(range, &length)| range.is_all(length));
                let part = if whole { String::new() } else { format!(" {}", ranges_text(ranges)) };
                format!("npy {}{part}", object.location())
            }
            Op::Write { output, .. } => format!("write to {}", output.location()),
            Op::Foreign { blocks } => blocks.describe(),
            _ => self.name().into(),
        }
    }

    /// The operation's name in plans.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Blockwise { inputs, .. } if inputs.is_empty() => "create",
            Op::Blockwise { .. } => "blockwise",
            Op::Reduce { .. } => "reduce",
            Op::Slice { .. } => "slice",
            Op::Rechunk { .. } => "rechunk",
            Op::Reshape { .. } => "reshape",
            Op::Concatenate { .. } => "concatenate",
            Op::Gather { .. } => "gather",
            Op::Strided { .. } => "strided",
            Op::Median { .. } => "median",
            Op::MatMul { .. } => "matmul",
            Op::MapBlocks { .. } => "map_blocks",
            Op::Memory { .. } => "memory",
            Op::Persisted { .. } => "persisted",
            Op::Npy { .. } => "npy",
            Op::Write { .. } => "to_npy",
            Op::Foreign { .. } => "foreign",
        }
    }
}

/// The ranges of a slice: `[1..4, 3 from 0 by 2]`.
fn ranges_text(ranges: &[StepRange]) -> String {
    let text = |range: &StepRange| match range.step {
        1 => format!("{}..{}", range.start, range.start + range.length),
        step => format!("{} from {} by {step}", range.length, range.start),
    };
    format!("[{}]", ranges.iter().map(text).collect::<Vec<_>>().join(", "))
}

/// The operations of a program: `sqrt(add(square(x0), square(x1)))`; a long one is only named and counted.
pub(crate) fn program_text(program: &Program) -> String {
    use super::kernels::program::Instr;
    const LONGEST: usize = 60;
    let mut texts: Vec<String> = (0..program.inputs.len()).map(|input| format!("x{input}")).collect();
    for instr in &program.instrs {
        let operands: Vec<&str> =
            instr.operands().iter().map(|&reg| texts.get(reg as usize).map_or("?", String::as_str)).collect();
        let name = match instr {
            Instr::Const(scalar) => scalar.to_string(),
            Instr::Index { .. } => "index".into(),
            Instr::Random { .. } => "random".into(),
            Instr::Unary { op, .. } => op.name().into(),
            Instr::Binary { op, .. } => op.name().into(),
            Instr::Where { .. } => "where".into(),
            Instr::Cast { to, .. } => to.name().into(),
        };
        let text = if operands.is_empty() { name } else { format!("{name}({})", operands.join(", ")) };
        if text.len() > LONGEST {
            let inputs = program.inputs.len();
            return format!("{} operations of {inputs} inputs", program.instrs.len());
        }
        texts.push(text);
    }
    texts.get(program.result as usize).cloned().unwrap_or_default()
}
