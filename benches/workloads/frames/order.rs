//! f5, f9s: rows sorted by a random key and written to Parquet.

use talatat::frame::{ParquetOptions, WriteOptions, agg, col, read_parquet};
use talatat::{Compute, Result};

use super::{data, floats};
use crate::report::{Options, Report};

pub fn sort(options: &Options, report: &mut Report) -> Result<()> {
    options.session()?;
    let folder = data(&format!("out_f5_talatat_{}", std::process::id()));
    let written = report.part("sort_write", || {
        let rows = read_parquet([data("sort/*.parquet")], ParquetOptions::new())?;
        options.compute(&rows.sort_values(["key"], true)?.to_parquet(&folder, WriteOptions::new())?)
    });
    let checked = written.and_then(|_| check(&folder, report));
    let _ = std::fs::remove_dir_all(&folder);
    checked
}

/// First and last key, how many rows there are, and whether they are in order.
fn check(folder: &str, report: &mut Report) -> Result<()> {
    let rows = read_parquet([format!("{folder}/*.parquet")], ParquetOptions::new())?;
    let keys = rows.select([col("key")])?;
    let pairs = keys.with_columns([col("key").alias("before")])?.shift(["before"], 1)?;
    let falls = pairs.filter(col("key").lt(col("before")))?.len().compute()?;
    let table =
        keys.agg([agg::first("key").alias("first"), agg::last("key").alias("last"), agg::size().alias("rows")])?;
    let table = table.compute()?;
    for name in ["first", "last", "rows"] {
        report.digest(name, floats(&table, name).iter().sum());
    }
    report.digest("in_order", f64::from(u8::from(falls == 0)));
    Ok(())
}
