//! Operations that see elements around each one, across the borders of blocks.

pub(in crate::lower::array) mod halo;
pub(in crate::lower::array) mod overlap;
pub(in crate::lower::array) mod weigh;
