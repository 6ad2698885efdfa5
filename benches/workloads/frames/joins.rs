//! f4: the five joins of the h2o benchmark, of which only the count and two sums are wanted; f4m: the joined tables themselves.

use talatat::Result;
use talatat::frame::{Frame, How, MergeOn, ParquetOptions, agg, read_parquet};

use super::{data, floats};
use crate::report::{Options, Report};

const JOINS: [(&str, &str, &str, How); 5] = [
    ("q1", "small.parquet", "id1", How::Inner),
    ("q2", "medium.parquet", "id2", How::Inner),
    ("q3", "medium.parquet", "id2", How::Left),
    ("q4", "medium.parquet", "id5", How::Inner),
    ("q5", "big/*.parquet", "id3", How::Inner),
];

pub fn sums(options: &Options, report: &mut Report) -> Result<()> {
    options.session()?;
    join(report, |joined| {
        let total = joined.agg([agg::size().alias("rows"), agg::sum("v1").alias("v1"), agg::sum("v2").alias("v2")])?;
        let total = options.compute(&total)?;
        Ok([floats(&total, "rows"), floats(&total, "v1"), floats(&total, "v2")].map(|values| values.iter().sum()))
    })
}

pub fn tables(options: &Options, report: &mut Report) -> Result<()> {
    options.session()?;
    join(report, |joined| {
        let table = options.compute(&joined)?;
        let sum = |name| floats(&table, name).iter().sum();
        Ok([table.height() as f64, sum("v1"), sum("v2")])
    })
}

fn join(report: &mut Report, total: impl Fn(Frame) -> Result<[f64; 3]>) -> Result<()> {
    let read = |path: &str| read_parquet([data(&format!("join/{path}"))], ParquetOptions::new());
    for (name, right, key, how) in JOINS {
        let run = || {
            let on = MergeOn::from(key).how(how).suffixes("", "_right").keep_order(false);
            total(read("x/*.parquet")?.merge(&read(right)?, on)?)
        };
        let [rows, v1, v2] = report.part(name, run)?;
        report.digest(&format!("{name}_rows"), rows);
        report.digest(&format!("{name}_v1"), v1);
        report.digest(&format!("{name}_v2"), v2);
    }
    Ok(())
}
