//! What many elements say together: reductions and scans, groups, histograms, order.

pub(in crate::array) mod covariance;
pub(in crate::array) mod difference;
pub(in crate::array) mod fill;
pub(in crate::array) mod groupby;
pub(in crate::array) mod histogram;
pub(in crate::array) mod masked;
pub(in crate::array) mod moments;
pub(in crate::array) mod order;
pub(in crate::array) mod quantile;
pub(in crate::array) mod reduce;
pub(in crate::array) mod reduction;
pub(in crate::array) mod scan;
pub(in crate::array) mod search;
pub(in crate::array) mod sets;
pub(in crate::array) mod sort;
