//! Frames against pandas' answers, against eager polars, on every executor.

#[path = "frame/aggregations.rs"]
mod aggregations;
#[path = "frame/along.rs"]
mod along;
#[path = "frame/bad_input.rs"]
mod bad_input;
#[path = "frame/common.rs"]
mod common;
#[path = "frame/csv_blocks.rs"]
mod csv_blocks;
#[path = "frame/dialects.rs"]
mod dialects;
#[path = "frame/fixtures.rs"]
mod fixtures;
#[path = "frame/group_fixtures.rs"]
mod group_fixtures;
#[path = "frame/groupby.rs"]
mod groupby;
#[path = "frame/groups.rs"]
mod groups;
#[path = "frame/join_order.rs"]
mod join_order;
#[path = "frame/joins.rs"]
mod joins;
#[path = "frame/lazy.rs"]
mod lazy;
#[path = "frame/order.rs"]
mod order;
#[path = "frame/parquet.rs"]
mod parquet;
#[path = "frame/pipelines.rs"]
mod pipelines;
#[path = "frame/readers.rs"]
mod readers;
#[path = "frame/rewrites.rs"]
mod rewrites;
#[cfg(feature = "sql")]
#[path = "frame/sql.rs"]
mod sql;
#[path = "frame/stages.rs"]
mod stages;
#[path = "frame/verbs.rs"]
mod verbs;
#[path = "frame/writers.rs"]
mod writers;
