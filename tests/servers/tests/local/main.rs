//! Arrays and frames in buckets, on web servers and in databases: real servers that live as long as their test.

mod arrays;
#[cfg(all(feature = "frame", feature = "cluster"))]
#[path = "../../../common/mod.rs"]
mod common;
#[cfg(feature = "frame")]
mod frames;
#[cfg(feature = "frame")]
mod postgres;
mod s3;
#[cfg(feature = "frame")]
mod web;
