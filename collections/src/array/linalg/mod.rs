//! Matrices.

pub(in crate::array) mod decompose;
pub(in crate::array) mod einsum;
pub(in crate::array) mod matmul;
pub(in crate::array) mod products;
pub(in crate::array) mod solve;
