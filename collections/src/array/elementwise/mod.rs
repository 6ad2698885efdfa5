//! Functions of elements, with NumPy's broadcasting and promotion: they are programs, and fuse.

pub(in crate::array) mod close;
pub(in crate::array) mod find;
pub(in crate::array) mod operators;
pub(in crate::array) mod phase;
pub(in crate::array) mod select;
pub(in crate::array) mod types;
pub(in crate::array) mod ufuncs;
