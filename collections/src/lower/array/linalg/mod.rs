//! Products of matrices, and what is solved and decomposed.

pub(in crate::lower::array) mod contract;
pub(in crate::lower::array) mod panels;
pub(in crate::lower::array) mod tsqr;
