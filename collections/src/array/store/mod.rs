//! Arrays in files and stores.

mod align;
pub(in crate::array) mod npy;
pub(in crate::array) mod npy_stack;
pub(crate) mod target;
pub(in crate::array) mod text;
pub(in crate::array) mod writing;
#[cfg(feature = "zarr")]
pub(in crate::array) mod zarr;
