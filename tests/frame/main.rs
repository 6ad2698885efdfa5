//! Frames against pandas' answers, against eager polars, on every executor. (With `TALATAT_TEST_CLUSTER=1`, on a cluster beside the plainest one.)

mod aggregations;
mod along;
mod bad_input;
#[cfg(feature = "array")]
mod bridge;
mod common;
mod csv_blocks;
mod dialects;
mod durable;
#[path = "../common/mod.rs"]
mod executors;
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
