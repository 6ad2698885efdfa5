//! Functions of the user's: on blocks, on blocks with their neighbours, on axes.

pub(in crate::array) mod filter;
pub(in crate::array) mod gufunc;
pub(in crate::array) mod index_notation;
pub(crate) mod map_blocks;
pub(in crate::array) mod overlap;
