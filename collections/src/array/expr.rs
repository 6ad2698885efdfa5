//! Lazy array expressions: what an array is, before anything is computed.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use talatat_graph::{Key, KeyBuilder, Value};

use super::dtype::DType;
use super::grid::{Dims, Grid};
use super::kernels::Block;
use super::kernels::program::{AxisMap, Program};
use super::kernels::reduce::ReduceOp;
use super::map_blocks::BlockFunction;
use crate::storage::ObjectRef;
use crate::storage::npy::NpyHeader;

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
/// are all [`Op::Blockwise`], and everything that moves elements between blocks is [`Op::Assemble`].
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
    /// Matrix products over the last two axes; the other axes are those of both inputs, cut alike.
    MatMul {
        /// `[.., n, k]`.
        left: ExprRef,
        /// `[.., k, m]`, cut along `k` as `left` is.
        right: ExprRef,
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
        /// The index in the file of the first element.
        offset: Dims,
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

    /// The range of indices `inner` of this range.
    pub fn then(&self, inner: &StepRange) -> StepRange {
        StepRange { start: self.at(inner.start), step: self.step * inner.step, length: inner.length }
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
            Op::Memory { .. } | Op::Persisted { .. } => Some(self.key),
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

    /// Visits this expression and all below it, each once, inputs first.
    pub fn visit<'a>(self: &'a ExprRef, visit: &mut impl FnMut(&'a ExprRef)) {
        let mut seen = hashbrown::HashSet::new();
        let mut stack = vec![(self, false)];
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

impl Op {
    /// The arrays that are read.
    pub fn inputs(&self) -> std::slice::Iter<'_, ExprRef> {
        match self {
            Op::Blockwise { inputs, .. } | Op::Concatenate { inputs, .. } | Op::MapBlocks { inputs, .. } => inputs.iter(),
            Op::Reduce { input, .. } | Op::Slice { input, .. } | Op::Rechunk { input } | Op::Reshape { input } => {
                std::slice::from_ref(input).iter()
            }
            Op::MatMul { .. } | Op::Memory { .. } | Op::Persisted { .. } | Op::Npy { .. } => [].iter(),
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
            Op::MatMul { .. } => "matmul",
            Op::MapBlocks { .. } => "map_blocks",
            Op::Memory { .. } => "memory",
            Op::Persisted { .. } => "persisted",
            Op::Npy { .. } => "npy",
        }
    }
}
