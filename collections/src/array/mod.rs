//! Blocked n-dimensional arrays with NumPy's semantics.
//!
//! ```text
//! handle (Array<T>) -> build -> expr -> rewrite/ -> (crate::lower) -> kernels/
//! create elementwise reduce slice shape linalg map_blocks io: a file per family of operations
//! grid chunks dtype: what an array is known by before it is computed
//! ```

pub(crate) mod build;
mod chunks;
mod create;
pub mod dtype;
mod elementwise;
pub(crate) mod expr;
pub(crate) mod grid;
mod handle;
mod io;
pub mod kernels;
mod linalg;
pub(crate) mod map_blocks;
mod reduce;
pub(crate) mod rewrite;
mod shape;
mod slice;
#[cfg(test)]
mod unknown;

pub use chunks::{AxisChunks, Chunks, IntoAxisChunks};
pub use create::{arange, eye, from_ndarray, full, integers, linspace, linspace_open, normal, ones, uniform, zeros};
pub use dtype::{DType, Element, Kind, Promote};
pub use elementwise::{Operand, where_};
pub use handle::{Array, Item};
pub use io::{NpyTarget, NpyWrite, open_npy};
pub use map_blocks::{BlockInfo, map_blocks};
pub use reduce::{Axes, axis};
pub use rewrite::{RULES, Rule};
pub use shape::{concatenate, stack};
