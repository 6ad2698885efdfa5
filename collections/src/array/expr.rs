//! Lazy array expressions: what an array is, before anything is computed.

use std::fmt::Write;
use std::panic::Location;
use std::sync::Arc;

use talatat_graph::{Key, KeyBuilder, Value};

use crate::array::dtype::DType;
use crate::array::gather::Runs;
use crate::array::grid::{Dims, Grid};
use crate::array::kernels::Block;
use crate::array::kernels::program::Program;
use crate::array::kernels::reduce::ReduceOp;
use crate::array::range::{StepRange, ranges_text};
use crate::lower::{Foreign, Operation};
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
    /// What it is made of.
    pub inputs: Vec<ExprRef>,
    /// Where the user asked for it.
    pub location: &'static Location<'static>,
}

/// The operations that expressions are made of: few, because elementwise operations, creation, broadcasting and transposes
/// are all [`Op::Blockwise`], and what moves elements between blocks has an operation of its own. Each says of the
/// expression's inputs what they must be; rewrites look into all of them but [`Op::Custom`].
#[derive(Clone)]
pub enum Op {
    /// A program on aligned blocks: along axes that it reads, an input is cut like the result. Without inputs it is a
    /// creation.
    Blockwise(Arc<Program>),
    /// A reduction of the input along axes.
    Reduce {
        /// Which one.
        op: ReduceOp,
        /// The input's axes, ascending.
        axes: Vec<usize>,
        /// Whether the axes stay with length 1.
        keepdims: bool,
    },
    /// A part of the input, along each axis; each of its blocks that is touched gives one block.
    Slice(Vec<StepRange>),
    /// The input in other blocks.
    Rechunk,
    /// The elements of the input in row-major order under another shape.
    Reshape,
    /// The inputs one after the other along an axis; cut alike along the others.
    Concatenate {
        /// The axis.
        axis: usize,
    },
    /// Indices of one axis of the input in any order, any number of times, with constants in between.
    Gather {
        /// The axis.
        axis: usize,
        /// What the result has along the axis.
        runs: Runs,
    },
    /// The input seen along other axes: windows, diagonals, one axis as two.
    Strided {
        /// The index of the input that the first element of the result has.
        offset: Dims,
        /// For each axis of the result how far it goes along each axis of the input.
        steps: Vec<Dims>,
    },
    /// The input is written to a file or object, cut as that wants it: no elements, one value that says nothing.
    Write(Arc<NpyOutput>),
    /// An operation that makes its own tasks.
    Custom(Arc<dyn Operation>),
    /// An array in memory, whole.
    Memory(Arc<Block>),
    /// Blocks that have been computed, one value each.
    Persisted(Arc<[Value]>),
    /// A `.npy` file or object, or a part of it.
    Npy {
        /// The file.
        object: ObjectRef,
        /// What it says of itself.
        header: Arc<NpyHeader>,
        /// The indices in the file, for each axis.
        ranges: Vec<StepRange>,
    },
    /// Blocks that a collection of another kind makes.
    #[cfg_attr(not(feature = "frame"), allow(dead_code))]
    Foreign(Arc<dyn Foreign>),
}

impl Expr {
    /// An expression; its key is made of all the rest.
    pub fn new(
        dtype: DType,
        grid: Grid,
        op: Op,
        inputs: impl Into<Vec<ExprRef>>,
        location: &'static Location<'static>,
    ) -> ExprRef {
        Expr::build(dtype, grid, op, inputs.into(), None, location)
    }

    /// A source, whose content the operation's parameters do not tell: `content` is a hash of it.
    pub fn source(dtype: DType, grid: Grid, op: Op, content: Key, location: &'static Location<'static>) -> ExprRef {
        Expr::build(dtype, grid, op, Vec::new(), Some(content), location)
    }

    fn build(
        dtype: DType,
        grid: Grid,
        op: Op,
        inputs: Vec<ExprRef>,
        content: Option<Key>,
        location: &'static Location<'static>,
    ) -> ExprRef {
        let mut key = KeyBuilder::new(op.name()).number(dtype as u64).value(&grid);
        for input in &inputs {
            key = key.key(input.key);
        }
        if let Some(content) = content {
            key = key.key(content);
        }
        let key = op.parameters(key).finish();
        Arc::new(Expr { key, dtype, grid, op, inputs, location })
    }

    /// An array of the same shape and dtype, cut as given, made by another operation.
    pub fn with(&self, grid: Grid, op: Op, inputs: impl Into<Vec<ExprRef>>) -> ExprRef {
        let content = matches!(op, Op::Memory(_) | Op::Persisted(_) | Op::Foreign(_)).then_some(self.key);
        Expr::build(self.dtype, grid, op, inputs.into(), content, self.location)
    }

    /// The same operation on inputs that stand for the ones it had.
    pub fn with_inputs(&self, inputs: impl Into<Vec<ExprRef>>) -> ExprRef {
        self.with(self.grid.clone(), self.op.clone(), inputs)
    }

    /// How many dimensions there are.
    pub fn ndim(&self) -> usize {
        self.grid.ndim()
    }

    /// The most bytes of a block, as far as they are known.
    pub fn block_bytes(&self, place: &[usize]) -> u64 {
        self.grid.block_elements(place) as u64 * self.dtype.size() as u64
    }

    /// The expression as an indented tree, one operation a line; what stands in it twice is written out once.
    pub fn describe(self: &ExprRef) -> String {
        let mut text = String::new();
        let mut seen = hashbrown::HashSet::new();
        let mut stack = vec![(self, 0)];
        while let Some((expr, depth)) = stack.pop() {
            let first = seen.insert(expr.key);
            let again = if first || expr.inputs.is_empty() { "" } else { " (as above)" };
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
                stack.extend(expr.inputs.iter().rev().map(|input| (input, depth + 1)));
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
                stack.extend(expr.inputs.iter().rev().map(|input| (input, false)));
            }
        }
    }
}

impl Drop for Expr {
    /// A chain of operations is dropped link by link: its depth is no limit.
    fn drop(&mut self) {
        let mut pending = std::mem::take(&mut self.inputs);
        while let Some(mut expr) = pending.pop() {
            // Whoever holds the last handle goes on with the inputs.
            if let Some(last) = Arc::get_mut(&mut expr) {
                pending.append(&mut last.inputs);
            }
        }
    }
}

impl Op {
    /// Mixes what the key cannot see in inputs and grid.
    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        match self {
            Op::Blockwise(program) => key.value(&**program),
            Op::Reduce { op, axes, keepdims } => key.value(&(op, axes, keepdims)),
            Op::Slice(ranges) => key.value(ranges),
            Op::Concatenate { axis } => key.value(axis),
            Op::Gather { axis, runs } => key.value(&(axis, runs)),
            Op::Strided { offset, steps } => key.value(&(offset, steps)),
            Op::Write(output) => key.value(&**output),
            Op::Custom(operation) => operation.parameters(key),
            Op::Npy { object, ranges, .. } => {
                key.bytes(object.location().to_string().as_bytes()).bytes(object.version().as_bytes()).value(ranges)
            }
            Op::Rechunk | Op::Reshape => key,
            Op::Memory(_) | Op::Persisted(_) | Op::Foreign(_) => key,
        }
    }

    /// The operation with what matters of its parameters.
    pub fn describe(&self) -> String {
        match self {
            Op::Blockwise(program) => format!("{} {program}", self.name()),
            Op::Reduce { op, axes, keepdims } => {
                format!("{op} over {axes:?}{}", if *keepdims { ", keepdims" } else { "" })
            }
            Op::Slice(ranges) => format!("slice {}", ranges_text(ranges)),
            Op::Concatenate { axis } => format!("concatenate along {axis}"),
            Op::Gather { axis, runs } => format!("gather {} runs along {axis}", runs.list().len()),
            Op::Npy { object, header, ranges } => {
                let whole = ranges.iter().zip(&header.shape).all(|(range, &length)| range.is_all(length));
                let part = if whole { String::new() } else { format!(" {}", ranges_text(ranges)) };
                format!("npy {}{part}", object.location())
            }
            Op::Write(output) => format!("write to {}", output.location()),
            Op::Custom(operation) => operation.describe(),
            Op::Foreign(blocks) => blocks.describe(),
            _ => self.name().into(),
        }
    }

    /// The operation's name in plans.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Blockwise(program) if program.inputs.is_empty() => "create",
            Op::Blockwise(_) => "blockwise",
            Op::Reduce { .. } => "reduce",
            Op::Slice(_) => "slice",
            Op::Rechunk => "rechunk",
            Op::Reshape => "reshape",
            Op::Concatenate { .. } => "concatenate",
            Op::Gather { .. } => "gather",
            Op::Strided { .. } => "strided",
            Op::Write(_) => "to_npy",
            Op::Custom(operation) => operation.name(),
            Op::Memory(_) => "memory",
            Op::Persisted(_) => "persisted",
            Op::Npy { .. } => "npy",
            Op::Foreign(_) => "foreign",
        }
    }
}
