//! Kernels on blocks: `ndarray` and slices only, no graph types.
//!
//! The arrow goes `program -> math` and `program -> reduce`; nothing here knows of chunks, layers or tasks.

pub mod reduce;

/// What kernels need to know of an element type (casts, arithmetic, its buffer pool).
pub trait Lane: reduce::Reducible {}

impl<T: reduce::Reducible> Lane for T {}
