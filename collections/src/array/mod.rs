//! Blocked n-dimensional arrays.

pub mod dtype;
pub mod kernels;
