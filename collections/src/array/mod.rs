//! Blocked arrays over `ndarray`.

pub mod dtype;
pub mod kernels;
