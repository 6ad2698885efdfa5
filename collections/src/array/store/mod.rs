//! Arrays in files and stores.

pub(in crate::array) mod npy;
pub(in crate::array) mod writing;
#[cfg(feature = "zarr")]
pub(in crate::array) mod zarr;
