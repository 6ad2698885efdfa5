//! Frames against pandas' answers, against eager polars, on every executor.

#[path = "frame/common.rs"]
mod common;
#[path = "frame/fixtures.rs"]
mod fixtures;
