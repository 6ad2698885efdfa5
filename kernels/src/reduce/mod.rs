//! Reductions whose answer does not depend, bit for bit, on how the array was cut.
//!
//! An [`Accumulator`] holds the state of one [`ReduceOp`] over many lanes, a lane being one element of the
//! result. Rectangles of elements ([`Slab`]) go into it in two patterns, whichever way the memory runs:
//!
//! * [`Accumulator::runs`]: the last axis is reduced, row `i` goes to lane `first + i`;
//! * [`Accumulator::columns`]: the last axis is kept, element `j` of every row goes to lane `first + j`.
//!
//! Accumulators of blocks merge in any order. Sums of floats are exact until the one rounding at the end:
//! values are split at fixed powers of two into planes that are added to without rounding (`planes.rs`),
//! and a result is the correctly rounded true value of its sum, mean or variance (`number.rs`).
//! The price is one more pass over a row in cache; sums keep up with memory.
//!
//! ```
//! use talatat_kernels::dtype::DType;
//! use talatat_kernels::reduce::{Accumulator, LaneValues, ReduceOp, Slab};
//!
//! # fn main() -> Result<(), talatat_kernels::reduce::ReduceError> {
//! let mut one = Accumulator::new(ReduceOp::Sum, DType::F64, 1)?;
//! one.runs(0, Slab::row(&[1e100, 1.0]), 0)?;
//! let mut other = Accumulator::new(ReduceOp::Sum, DType::F64, 1)?;
//! other.runs(0, Slab::row(&[-1e100]), 2)?;
//! one.merge(&other)?;
//! assert_eq!(one.finish()?, LaneValues::F64(vec![1.0]));
//! # Ok(())
//! # }
//! ```
//!
//! # Where this differs from NumPy
//! Sums and means of floats are correctly rounded where NumPy's carry rounding errors. A zero result of a sum,
//! minimum or maximum is `0.0`, never `-0.0`. `float32` is summed exactly, not in `float32`. `ddof` is a whole
//! number.

mod accumulator;
mod counts;
mod exact;
mod extremes;
mod folds;
mod group;
mod lanes;
mod moments;
mod number;
mod op;
mod plain;
mod planes;
mod positions;
mod quick;
mod simd;
mod sink;
mod slab;
mod split;
#[cfg(test)]
mod tests;
mod wire;

pub use accumulator::Accumulator;
pub use group::{Grouped, group_into, group_whole};
pub use lanes::{FloatSlab, LaneValues, Reducible};
pub use op::ReduceOp;
pub use sink::{Reduced, reduce};
pub use slab::Slab;

use crate::dtype::DType;

/// What can go wrong in a reduction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReduceError {
    /// Rows of another element type than the accumulator was made for.
    #[error("{op}: the accumulator takes rows of {expected}, not of {found}; cast the block first")]
    Dtype {
        /// The reduction.
        op: ReduceOp,
        /// The accumulator's element type.
        expected: DType,
        /// The row's element type.
        found: DType,
    },
    /// A row that reaches beyond the lanes.
    #[error("{op}: lanes {lane}..{lane}+{count} asked for, there are {lanes}; check the shape of the block")]
    Lane {
        /// The reduction.
        op: ReduceOp,
        /// First lane asked for.
        lane: usize,
        /// Number of lanes asked for.
        count: usize,
        /// Number of lanes there are.
        lanes: usize,
    },
    /// More lanes than fit in any memory.
    #[error("{op}: {lanes} lanes do not fit in memory; reduce more axes or cut the array smaller")]
    TooManyLanes {
        /// The reduction.
        op: ReduceOp,
        /// Number of lanes asked for.
        lanes: usize,
    },
    /// Accumulators of different reductions.
    #[error("cannot merge {right} into {left}; only states of the same reduction of the same array merge")]
    Merge {
        /// The accumulator merged into.
        left: String,
        /// The accumulator merged.
        right: String,
    },
    /// A merge of states whose order matters.
    #[error("{op} of {input} depends on the order of multiplication; feed the blocks to one accumulator in order")]
    Ordered {
        /// The reduction.
        op: ReduceOp,
        /// The element type.
        input: DType,
    },
    /// No elements, and no answer for that.
    #[error(
        "zero-size array to reduction operation {op} which has no identity (lane {lane} of the result); \
             reduce an axis that is not empty, or test the shape first"
    )]
    Empty {
        /// The reduction.
        op: ReduceOp,
        /// First lane without elements.
        lane: usize,
    },
    /// Nothing but NaN, and an index asked for.
    #[error("{op}: All-NaN slice encountered (lane {lane} of the result); fill or drop NaN first")]
    AllNan {
        /// The reduction.
        op: ReduceOp,
        /// First lane without anything but NaN.
        lane: usize,
    },
    /// The state cannot be written.
    #[error("the state of a reduction cannot be encoded")]
    Encode,
    /// The bytes are not a state of this version.
    #[error("not the state of a reduction: {reason}; both sides must run the same version")]
    Decode {
        /// What is wrong.
        reason: &'static str,
    },
}

/// Result of this module.
pub type Result<T, E = ReduceError> = std::result::Result<T, E>;
