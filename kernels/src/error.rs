//! What can go wrong in a kernel.

use crate::dtype::DType;

/// An error of a kernel, by cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// A block or a register holds another element type than was asked for.
    #[error("{operation}: expected elements of {expected}, found {found}; cast one of them")]
    DTypeMismatch {
        /// The operation that asked.
        operation: &'static str,
        /// The element type it needs.
        expected: DType,
        /// The element type it was given.
        found: DType,
    },
    /// The operation has no meaning on this element type.
    #[error("{operation} is not defined on {dtype}; {help}")]
    DTypeUnsupported {
        /// The operation.
        operation: &'static str,
        /// The element type it was given.
        dtype: DType,
        /// How to mend it.
        help: &'static str,
    },
    /// Shapes do not agree.
    #[error("{operation}: expected shape {expected:?}, found {found:?}")]
    ShapeMismatch {
        /// The operation, or the argument whose shape is wrong.
        operation: String,
        /// The shape that was promised or is needed.
        expected: Vec<usize>,
        /// The shape that was found.
        found: Vec<usize>,
    },
    /// A reduction failed.
    #[error(transparent)]
    Reduce(#[from] crate::reduce::ReduceError),
    /// A shape has more elements or bytes than memory can address.
    #[error("a block of shape {shape:?} has more bytes than memory can address; use smaller chunks")]
    TooLarge {
        /// The shape.
        shape: Vec<usize>,
    },
    /// An axis that the array does not have.
    #[error("axis {axis} is out of range for {ndim} dimensions")]
    Axis {
        /// The axis.
        axis: usize,
        /// The number of dimensions there are.
        ndim: usize,
    },
    /// The wrong number of blocks was given to a kernel.
    #[error("{operation} takes {expected} blocks, {found} were given")]
    Arguments {
        /// The operation.
        operation: &'static str,
        /// How many blocks it takes.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// An elementwise program breaks a rule; it was built by hand or damaged on its way here.
    #[error("invalid elementwise program: {reason}")]
    InvalidProgram {
        /// Which rule, and where.
        reason: String,
    },
    /// A parameter is outside of its domain.
    #[error("{operation}: {reason}")]
    Parameter {
        /// The operation.
        operation: &'static str,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// Bytes that are not an encoded block.
    #[error("cannot decode a block: {reason}")]
    Decode {
        /// What is wrong, and at which byte where that is known.
        reason: String,
    },
}

/// The result of a kernel.
pub type Result<T, E = KernelError> = std::result::Result<T, E>;
