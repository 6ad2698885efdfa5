//! Arrays out of nothing: constants and ranges, indices and meshes, spaces.

pub(in crate::array) mod constants;
pub(in crate::array) mod delayed;
pub(in crate::array) mod indices;
pub(in crate::array) mod space;
