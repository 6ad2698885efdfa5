//! Matrices.

pub(in crate::array) mod decompose;
mod eigen;
pub(in crate::array) mod einsum;
pub(in crate::array) mod inverse;
pub(in crate::array) mod matmul;
pub(in crate::array) mod products;
pub(in crate::array) mod solve;
mod vectors;
