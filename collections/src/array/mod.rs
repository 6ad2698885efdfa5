//! Blocked n-dimensional arrays with NumPy's semantics.
//!
//! ```text
//! handle (Array<T>) -> build -> expr -> rewrite/ -> (crate::lower) -> kernels/
//! create create_index create_space elementwise ufuncs close select find phase reduce scan difference statistics histogram sorted
//! sort sets quantile covariance reduction slice shape arrange repeat pad join split edit triangle window linalg products
//! einsum decompose solve overlap filter groupby masked map_blocks index_notation gufunc io: a file per family of operations
//! random/: distributions, choices, permutations
//! index/: elements by their indices, masks, assignment
//! gather: how elements get to other places of an axis
//! grid chunks dtype: what an array is known by before it is computed
//! ```

pub(crate) mod arrange;
pub(crate) mod build;
mod chunks;
mod close;
mod covariance;
mod create;
mod create_index;
mod create_space;
mod decompose;
mod difference;
mod edit;
mod einsum;
mod elementwise;
pub(crate) mod expr;
mod filter;
mod find;
pub(crate) mod gather;
pub(crate) mod grid;
mod groupby;
mod gufunc;
mod handle;
mod histogram;
mod index;
mod index_notation;
mod io;
mod join;
mod linalg;
pub(crate) mod map_blocks;
mod masked;
mod overlap;
mod pad;
mod phase;
mod products;
mod quantile;
mod random;
pub(crate) mod range;
mod reduce;
mod reduction;
mod repeat;
pub(crate) mod rewrite;
mod scan;
mod select;
mod sets;
pub(crate) mod shape;
mod slice;
mod solve;
mod sort;
mod sorted;
mod split;
mod statistics;
mod triangle;
mod ufuncs;
#[cfg(test)]
mod unknown;
mod window;
mod writing;
#[cfg(feature = "zarr")]
mod zarr;

pub use arrange::Shifts;
pub use chunks::{AxisChunks, Chunks, IntoAxisChunks};
pub use close::Tolerance;
pub use create::{arange, eye, from_ndarray, full, linspace, linspace_open, ones, zeros};
pub use create_index::{Indexing, fromfunction, indices, indices_sparse, meshgrid, meshgrid_sparse};
pub use create_space::{
    empty_like, full_like, geomspace, geomspace_open, identity, logspace, logspace_open, ones_like, zeros_like,
};
pub use difference::Spacing;
pub use edit::Places;
pub use einsum::einsum;
pub use elementwise::{Operand, where_};
pub use filter::ConvolveMode;
pub use groupby::GroupBy;
pub use gufunc::{apply_gufunc, apply_gufunc_all};
pub use handle::{Array, Item};
pub use histogram::{Bins, bins, histogramdd};
pub use index::{Index, diag_indices, ravel_multi_index, tril_indices, triu_indices, unravel_index};
pub use index_notation::{Blockwise, blockwise};
pub use io::{NpyTarget, NpyWrite, open_npy};
pub use join::{Nested, block, broadcast_arrays, dstack, hstack, vstack};
pub use map_blocks::{BlockInfo, map_blocks};
pub use masked::{
    Masked, masked_equal, masked_greater, masked_inside, masked_invalid, masked_less, masked_not_equal, masked_outside,
    masked_where,
};
pub use overlap::{Borders, Boundary, Depth, map_overlap};
pub use pad::{PadMode, Reflection, Sides};
pub use products::Norm;
pub use quantile::Points;
pub use random::{Generator, Population, default_rng, integers, normal, uniform};
pub use reduce::{Axes, axis};
pub use repeat::Repeats;
pub use rewrite::{RULES, Rule};
pub use select::{Piece, piecewise, select};
pub use sets::Unique;
pub use shape::{concatenate, stack};
pub use solve::LeastSquares;
pub use sorted::Side;
pub use split::Pieces;
pub use talatat_kernels as kernels;
pub use talatat_kernels::dtype::{self, C64, C128, Complex, DType, Element, Kind, Ordered, Promote, f16};
pub use talatat_kernels::quantile::Method;
pub use triangle::{diag, diagflat, tri, vander};
#[cfg(feature = "zarr")]
pub use zarr::{BloscCodec, ZarrCompressor, ZarrInfo, ZarrOptions, ZarrVersion, ZarrWrite, open_zarr};
