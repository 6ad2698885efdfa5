//! Blocked n-dimensional arrays with NumPy's semantics.
//!
//! ```text
//! handle (Array<T>) -> build -> expr -> rewrite/ -> (crate::lower) -> kernels/
//!
//! create/ random/       arrays out of nothing
//! elementwise/ shape/   functions of elements; the same elements elsewhere
//! index/                elements by their indices, masks, assignment
//! statistics/           reductions, scans, groups, order
//! linalg/               matrices
//! fft/                  Fourier transforms
//! functions/            the user's: on blocks, with neighbours, by signature
//! store/                .npy and stacks of it, Zarr, text, the user's own
//!
//! grid chunks range     what an array is known by before it is computed
//! unify                 the chunks of arrays that are read together
//! gather                how elements get to other places of an axis
//! ```

pub(crate) mod build;
mod chunks;
pub(crate) mod create;
pub(crate) mod elementwise;
pub(crate) mod expr;
pub(crate) mod fft;
pub(crate) mod functions;
pub(crate) mod gather;
pub(crate) mod grid;
mod handle;
mod index;
pub(crate) mod linalg;
mod notebook;
mod random;
pub(crate) mod range;
pub(crate) mod rewrite;
pub(crate) mod shape;
pub(crate) mod statistics;
pub(crate) mod store;
pub(crate) mod unify;
#[cfg(test)]
mod unknown;

pub use chunks::{AxisChunks, Chunks, IntoAxisChunks};
pub use create::constants::{arange, eye, from_ndarray, full, linspace, linspace_open, ones, zeros};
pub use create::delayed::from_delayed;
pub use create::indices::{Indexing, fromfunction, indices, indices_sparse, meshgrid, meshgrid_sparse};
pub use create::space::{
    empty_like, full_like, geomspace, geomspace_open, identity, logspace, logspace_open, ones_like, zeros_like,
};
pub use elementwise::close::Tolerance;
pub use elementwise::operators::{Operand, where_};
pub use elementwise::select::{Piece, piecewise, select};
pub use elementwise::types::{Casting, can_cast};
pub use fft::frequencies::{fftfreq, rfftfreq};
pub use fft::{FftNorm, FftOptions, along};
pub use functions::filter::ConvolveMode;
pub use functions::gufunc::{apply_gufunc, apply_gufunc_all};
pub use functions::index_notation::{Blockwise, blockwise};
pub use functions::map_blocks::{BlockInfo, map_blocks};
pub use functions::overlap::{Borders, Boundary, Depth, map_overlap};
pub use handle::{Array, Item};
pub use index::choose::{ChooseMode, mask_indices};
pub use index::{Index, diag_indices, ravel_multi_index, tril_indices, triu_indices, unravel_index};
pub use linalg::einsum::einsum;
pub use linalg::inverse::multi_dot;
pub use linalg::products::Norm;
pub use linalg::solve::LeastSquares;
pub use random::{Generator, Population, default_rng, integers, normal, uniform};
pub use rewrite::{RULES, Rule};
pub use shape::arrange::Shifts;
pub use shape::edit::Places;
pub use shape::fit::{Trim, broadcast_shapes, unify_chunks};
pub use shape::join::{Nested, block, broadcast_arrays, dstack, hstack, vstack};
pub use shape::pad::{PadMode, Reflection, Sides};
pub use shape::repeat::Repeats;
pub use shape::reshape::{concatenate, stack};
pub use shape::split::Pieces;
pub use shape::triangle::{diag, diagflat, tri, vander};
pub use statistics::difference::Spacing;
pub use statistics::fill::Outside;
pub use statistics::groupby::GroupBy;
pub use statistics::histogram::{Bins, bins, histogramdd};
pub use statistics::masked::{
    Masked, masked_equal, masked_greater, masked_inside, masked_invalid, masked_less, masked_not_equal, masked_outside,
    masked_where,
};
pub use statistics::order::lexsort;
pub use statistics::quantile::Points;
pub use statistics::reduce::{Axes, axis};
pub use statistics::search::Side;
pub use statistics::sets::Unique;
pub use store::npy::{NpyTarget, NpyWrite, open_npy};
pub use store::npy_stack::{NpyStackWrite, open_npy_stack, open_npy_stack_along};
pub use store::target::{StoreFailure, StoreTarget, StoreWrite};
pub use store::text::{LoadText, SaveText, TextWrite, genfromtxt, loadtxt};
#[cfg(feature = "zarr")]
pub use store::zarr::{BloscCodec, ZarrCompressor, ZarrInfo, ZarrOptions, ZarrVersion, ZarrWrite, open_zarr};
pub use talatat_kernels as kernels;
pub use talatat_kernels::dtype::{self, C64, C128, Complex, DType, Element, Kind, Ordered, Promote, f16};
pub use talatat_kernels::quantile::Method;
