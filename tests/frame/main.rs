//! Frames against pandas' answers, against eager polars, on every executor.

mod aggregations;
mod along;
mod bad_input;
#[cfg(feature = "array")]
mod bridge;
mod common;
mod csv_blocks;
mod dialects;
mod durable;
mod fixtures;
mod group_fixtures;
mod groupby;
mod groups;
mod join_order;
mod joins;
mod lazy;
mod order;
mod parquet;
mod pipelines;
mod readers;
mod rewrites;
#[cfg(feature = "sql")]
mod sql;
mod stages;
mod verbs;
mod writers;
