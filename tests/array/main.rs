//! Arrays through the public API, on every executor, against NumPy's answers and eager `ndarray`.

mod bad_input;
#[path = "../common/mod.rs"]
mod common;
mod fixtures;
mod graphs;
mod indices;
mod npy;
mod oracle;
mod properties;
mod shapes;
mod statistics;
mod together;
mod wind;
#[cfg(feature = "zarr")]
mod zarr;
