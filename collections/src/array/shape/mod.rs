//! The same elements in other places, shapes and numbers.

pub(crate) mod arrange;
pub(in crate::array) mod edit;
pub(in crate::array) mod fit;
pub(in crate::array) mod join;
pub(in crate::array) mod pad;
pub(in crate::array) mod repeat;
pub(crate) mod reshape;
pub(in crate::array) mod slice;
pub(in crate::array) mod split;
pub(in crate::array) mod triangle;
pub(in crate::array) mod window;
