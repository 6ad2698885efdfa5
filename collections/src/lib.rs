//! Lazy blocked arrays, partitioned frames and delayed calls for Talatat.

#[cfg(feature = "array")]
pub mod array;
