//! Lazy blocked collections: arrays over `ndarray`, frames over `polars`, delayed calls.

#[cfg(feature = "array")]
pub mod array;
