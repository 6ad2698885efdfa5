//! Arrays through the public API, on every executor, against NumPy's answers and eager `ndarray`.

mod bad_input;
#[path = "../common/mod.rs"]
mod common;
mod custom;
mod dtypes;
mod durable;
mod fft;
mod fixtures;
mod functions;
mod graphs;
mod groups;
mod indices;
mod linear;
mod masked;
mod npy;
mod oracle;
mod overlap;
mod peaks;
mod properties;
mod random;
mod rewrites;
mod shapes;
mod statistics;
mod together;
mod wind;
#[cfg(feature = "zarr")]
mod zarr;
