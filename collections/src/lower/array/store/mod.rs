//! Blocks out of files and stores, and into them.

pub(in crate::lower::array) mod each;
pub(in crate::lower::array) mod npy_stack;
pub(in crate::lower::array) mod source;
pub(in crate::lower::array) mod target;
pub(in crate::lower::array) mod text;
pub(in crate::lower::array) mod write;
#[cfg(feature = "zarr")]
pub(in crate::lower::array) mod zarr;
