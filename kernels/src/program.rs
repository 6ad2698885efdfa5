//! Elementwise programs: a chain of operations as one pass over memory.
//!
//! A [`Program`] is a list of instructions in single assignment: register `i` below the number of
//! inputs is input `i`, the others are the results of the instructions in order. Evaluation cuts
//! the block into tiles that fit the first-level cache and runs all instructions on a tile before
//! it goes to the next, each as a vectorised loop over slices (the scheme of MonetDB/X100: Boncz,
//! Zukowski & Nes, *Hyper-pipelining query execution*, CIDR 2005). Transposes and broadcasts of
//! inputs are steps in memory, never copies.
//!
//! - [`ops`]: the table of operations; [`Builder`]: how programs are made.
//! - `check`: which programs are valid; `compose`: substitution of programs and axes.
//! - `compile`: order and places of the registers; `layout`: axes and tiles; `eval`: arguments
//!   and results; `machine`: one tile through the registers.

mod build;
mod check;
mod compile;
mod compose;
mod eval;
mod find;
mod layout;
mod machine;
pub mod ops;
pub mod random;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

pub use build::Builder;
pub use compile::Compiled;
pub use compose::AxisMap;
pub use eval::{Arg, TileSink, eval, eval_tiles};
pub use find::{Find, Table};
pub use ops::{BinaryOp, UnaryOp};
pub use random::{Distribution, Family, shuffled};

use super::scalar::Scalar;
use crate::dtype::{DType, for_each_dtype};

/// A register: an input, or the result of an instruction.
pub type Reg = u32;

/// One step per axis.
pub type Strides = SmallVec<[i64; 4]>;

/// Dimensions a program may have.
pub const MAX_NDIM: usize = 64;

/// Elementwise operations on the blocks of `inputs`, which give one block.
///
/// Made by a [`Builder`]. A program of other origin (the wire) is checked by [`Program::dtypes`]
/// before it runs.
///
/// ```
/// use talatat_kernels::{Arg, Block, dtype::DType};
/// use talatat_kernels::program::{BinaryOp, Builder, Input, UnaryOp, eval};
///
/// // sqrt(x + y), where y is a row that is broadcast.
/// let mut b = Builder::new(2);
/// let x = b.input(Input::identity(DType::F64, 2));
/// let y = b.input(Input { dtype: DType::F64, axes: [None, Some(0)].into_iter().collect() });
/// let sum = b.binary(BinaryOp::Add, x, y)?;
/// let root = b.unary(UnaryOp::Sqrt, sum)?;
/// let program = b.finish(root)?;
///
/// let x = Block::full(&[2, 3], 7.0)?;
/// let y = Block::full(&[3], 2.0)?;
/// let root = eval(&program, vec![Arg::Borrowed(&x), Arg::Borrowed(&y)], &[2, 3], &[0, 0])?;
/// assert_eq!(root, Block::full(&[2, 3], 3.0)?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Program {
    /// The number of dimensions of the result.
    pub ndim: usize,
    /// What the inputs are; they are the first registers.
    pub inputs: Vec<Input>,
    /// The instructions; instruction `i` writes register `inputs.len() + i`.
    pub instrs: Vec<Instr>,
    /// The register that is the result.
    pub result: Reg,
}

/// How a program reads a block.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Input {
    /// The element type of the block.
    pub dtype: DType,
    /// For each axis of the result the axis of the block that goes with it; `None` if the block
    /// is broadcast along it. Axes of the block that none reads must have length 1.
    pub axes: SmallVec<[Option<u8>; 4]>,
}

impl Input {
    /// A block of the result's shape.
    pub fn identity(dtype: DType, ndim: usize) -> Input {
        Input { dtype, axes: (0..ndim).map(|axis| u8::try_from(axis).ok()).collect() }
    }

    /// A block of `ndim` dimensions that is broadcast to `result_ndim` by NumPy's rule: axes are
    /// aligned at the end; `ones[axis]` says that the block has length 1 along `axis` where the result has not.
    pub fn broadcast(dtype: DType, ndim: usize, result_ndim: usize, ones: impl Fn(usize) -> bool) -> Input {
        let axes = (0..result_ndim)
            .map(|axis| (axis + ndim).checked_sub(result_ndim).filter(|&axis| !ones(axis)))
            .map(|axis| axis.and_then(|axis| u8::try_from(axis).ok()))
            .collect();
        Input { dtype, axes }
    }
}

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Instr {
    /// The same element everywhere.
    Const(Scalar),
    /// `offset + sum(strides[k] * i[k])` as `int64` (wrapping), where `i` is the element's index in the
    /// whole array, not in the block.
    Index {
        /// The value at the origin of the array.
        offset: i64,
        /// The step along each axis.
        strides: Strides,
    },
    /// A random number, a function of `seed` and of the `int64` in `index` alone.
    Random {
        /// Which numbers.
        distribution: Distribution,
        /// Chooses the sequence.
        seed: u64,
        /// The register with the place in the sequence.
        index: Reg,
    },
    /// An operation of one operand.
    Unary {
        /// The operation.
        op: UnaryOp,
        /// Its operand.
        x: Reg,
    },
    /// An operation of two operands of the same type.
    Binary {
        /// The operation.
        op: BinaryOp,
        /// Its first operand.
        a: Reg,
        /// Its second operand.
        b: Reg,
    },
    /// The element of `a` where `condition` (`bool`) is true, else of `b`.
    Where {
        /// The register of the condition.
        condition: Reg,
        /// Taken where it is true.
        a: Reg,
        /// Taken where it is false.
        b: Reg,
    },
    /// Where an element stands in a table of its type.
    Find {
        /// The table.
        table: Arc<Table>,
        /// What is asked.
        how: Find,
        /// The elements.
        x: Reg,
    },
    /// A conversion, as [`CastFrom`](super::number::CastFrom) says.
    Cast {
        /// The type of the result.
        to: DType,
        /// What is converted.
        x: Reg,
    },
}

impl Instr {
    /// The registers it reads.
    pub fn operands(&self) -> SmallVec<[Reg; 3]> {
        match *self {
            Instr::Const(_) | Instr::Index { .. } => SmallVec::new(),
            Instr::Random { index, .. } => SmallVec::from_slice(&[index]),
            Instr::Unary { x, .. } | Instr::Find { x, .. } | Instr::Cast { x, .. } => SmallVec::from_slice(&[x]),
            Instr::Binary { a, b, .. } => SmallVec::from_slice(&[a, b]),
            Instr::Where { condition, a, b } => SmallVec::from_slice(&[condition, a, b]),
        }
    }

    /// The same instruction with other registers.
    pub(super) fn with_operands(mut self, mut f: impl FnMut(Reg) -> Reg) -> Instr {
        match &mut self {
            Instr::Const(_) | Instr::Index { .. } => {}
            Instr::Random { index: x, .. } | Instr::Unary { x, .. } | Instr::Find { x, .. } | Instr::Cast { x, .. } => {
                *x = f(*x)
            }
            Instr::Binary { a, b, .. } => {
                *a = f(*a);
                *b = f(*b);
            }
            Instr::Where { condition, a, b } => {
                *condition = f(*condition);
                *a = f(*a);
                *b = f(*b);
            }
        }
        self
    }
}

macro_rules! define_scratch {
    ($($variant:ident, $rust:ty, $name:literal;)*) => {
        /// The registers of one thread: buffers of a tile each, by type.
        #[doc(hidden)]
        #[allow(non_snake_case)]
        #[derive(Debug, Default)]
        pub struct Scratch { $(pub(super) $variant: Vec<Vec<$rust>>),* }
    };
}

for_each_dtype!(define_scratch);
