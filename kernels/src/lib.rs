//! Kernels on blocks: `ndarray` and slices only. Of the graph they know that a block is a result of tasks.
//!
//! The arrow goes `program -> math` and `program -> reduce`; nothing here knows of chunks, layers or tasks.
//!
//! - [`dtype`]: element types and NumPy's promotion: one table row a type.
//!
//! - [`block`]: a block of an array, tagged with its element type; [`pool`] recycles its buffers.
//! - [`program`]: chains of elementwise operations as one pass over cache-sized tiles.
//! - [`reduce`](mod@reduce): exact reductions, and programs that end in one.
//! - [`scan`]: running sums and products, in parts.
//! - [`along`], [`interp`]: elements put and pushed along an axis, and lines through points.
//! - [`quantile`], [`sketch`], [`sorted`], [`top`], [`distinct`]: what depends on the order of elements; [`bins`]: histograms. [`local`] is the
//!   table of what gives a block for a block.
//! - [`math`]: elementary functions over slices, vectorised by the compiler.
//! - [`select`]: elements chosen by masks and indices, and put in the place of others.
//! - [`linalg`]: products of matrices; [`fft`]: Fourier transforms; [`stencil`]: weighted sums of neighbours.
//! - [`loops`]: the few loops behind them, compiled for several instruction sets.

pub mod along;
pub mod bins;
pub mod block;
pub mod distinct;
pub mod dtype;
pub mod error;
pub mod fft;
pub mod interp;
mod lane;
pub mod linalg;
pub mod local;
pub mod loops;
pub mod math;
pub mod number;
pub mod pool;
pub mod program;
pub mod quantile;
pub mod reduce;
mod scalar;
pub mod scan;
pub mod select;
pub mod sketch;
pub mod sort;
pub mod sorted;
pub mod stencil;
pub mod top;

pub use block::Block;
pub use error::KernelError;
pub use lane::{Lane, Slice, SliceMut};
pub use program::{Arg, Program, TileSink};
pub use scalar::Scalar;
