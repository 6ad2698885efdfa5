//! Blocked n-dimensional arrays with NumPy's semantics.
//!
//! ```text
//! handle (Array<T>) -> build -> expr -> rewrite/ -> (crate::lower) -> kernels/
//! create create_index create_space elementwise ufuncs close select find reduce scan difference statistics histogram sorted sort sets quantile covariance reduction
//! slice shape arrange repeat pad join split edit triangle window linalg map_blocks io: a file per family of operations
//! index/: elements by their indices, masks, assignment
//! gather: how elements get to other places of an axis
//! grid chunks dtype: what an array is known by before it is computed
//! ```

mod arrange;
pub(crate) mod build;
mod chunks;
mod close;
mod covariance;
mod create;
mod create_index;
mod create_space;
mod difference;
mod edit;
mod elementwise;
pub(crate) mod expr;
mod find;
pub(crate) mod gather;
pub(crate) mod grid;
mod handle;
mod histogram;
mod index;
mod io;
mod join;
mod linalg;
pub(crate) mod map_blocks;
mod pad;
mod quantile;
pub(crate) mod range;
mod reduce;
mod reduction;
mod repeat;
pub(crate) mod rewrite;
mod scan;
mod select;
mod sets;
mod shape;
mod slice;
mod sort;
mod sorted;
mod split;
mod statistics;
mod triangle;
mod ufuncs;
#[cfg(test)]
mod unknown;
mod window;

pub use arrange::Shifts;
pub use chunks::{AxisChunks, Chunks, IntoAxisChunks};
pub use close::Tolerance;
pub use create::{arange, eye, from_ndarray, full, integers, linspace, linspace_open, normal, ones, uniform, zeros};
pub use create_index::{Indexing, fromfunction, indices, indices_sparse, meshgrid, meshgrid_sparse};
pub use create_space::{
    empty_like, full_like, geomspace, geomspace_open, identity, logspace, logspace_open, ones_like, zeros_like,
};
pub use difference::Spacing;
pub use edit::Places;
pub use elementwise::{Operand, where_};
pub use handle::{Array, Item};
pub use histogram::{Bins, bins, histogramdd};
pub use index::Index;
pub use io::{NpyTarget, NpyWrite, open_npy};
pub use join::{Nested, block, broadcast_arrays, dstack, hstack, vstack};
pub use map_blocks::{BlockInfo, map_blocks};
pub use pad::{PadMode, Reflection, Sides};
pub use quantile::Points;
pub use reduce::{Axes, axis};
pub use repeat::Repeats;
pub use rewrite::{RULES, Rule};
pub use select::{Piece, piecewise, select};
pub use sets::Unique;
pub use shape::{concatenate, stack};
pub use sorted::Side;
pub use split::Pieces;
pub use talatat_kernels as kernels;
pub use talatat_kernels::dtype::{self, DType, Element, Kind, Promote};
pub use talatat_kernels::quantile::Method;
pub use triangle::{diag, diagflat, tri, vander};
