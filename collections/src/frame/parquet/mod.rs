//! Parquet files as partitions: row groups, read column by column.
//!
//! | file | what it does |
//! |---|---|
//! | `options` | what the user may say |
//! | `footer` | what a file holds, and where; read in parallel and kept |
//! | `unify` | one schema of many files |
//! | `hive` | columns of `key=value` folders and of paths |
//! | `pieces` | row groups joined and split |
//! | `prune` | row groups that a filter keeps nothing of |
//! | `scan` | all of these, with projection and filter that were pushed down |
//! | `decode` | a partition's rows |
//! | `read` | what users call |

mod decode;
mod footer;
pub(crate) mod hive;
mod options;
mod pieces;
mod prune;
mod read;
mod scan;
mod unify;

pub(crate) use decode::ParquetReader;
pub(crate) use footer::guarded;
pub use options::{ParquetOptions, SchemaDrift};
pub(crate) use read::files_of;
pub use read::{read_parquet, read_parquet_with};
pub(crate) use scan::ParquetScan;
