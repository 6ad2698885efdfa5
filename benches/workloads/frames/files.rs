//! 10,000 small files of each kind: found by a glob, looked at and planned, without computing anything. The peers have no such workload.

use talatat::frame::polars::prelude::IntoLazy;
use talatat::frame::{
    CsvOptions, DataFrame, Frame, ParquetOptions, WriteOptions, col, df, lit, read_csv, read_parquet,
};
use talatat::{Compute, Result};

use crate::report::{Options, Report};

pub fn small(options: &Options, report: &mut Report) -> Result<()> {
    options.session()?;
    let count = options.scaled(10_000.0, 1);
    let folder = std::env::temp_dir().join(format!("talatat-small-files-{count}"));
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    if !folder.exists() {
        let rows: Vec<i64> = (0..count as i64 * 10).collect();
        let table = df!("id" => &rows, "x" => rows.iter().map(|n| *n as f64 / 7.0).collect::<Vec<_>>());
        let table: DataFrame = table.unwrap_or_default().lazy().collect().unwrap_or_default();
        let frame = Frame::from_polars(table, count);
        frame.to_csv(&path("csv"), WriteOptions::new())?.compute()?;
        frame.to_parquet(&path("parquet"), WriteOptions::new())?.compute()?;
    }
    let planned = |frame: Frame| -> Result<usize> {
        let some = frame.filter(col("id").gt(lit(100)))?.groupby(["id"])?.sum(["x"])?;
        Ok(some.plan()?.graph().len())
    };
    for pass in ["first", "again"] {
        let csv = report.part(&format!("csv {pass}: read"), || read_csv([path("csv/*.csv")], CsvOptions::new()))?;
        let tasks = report.part(&format!("csv {pass}: plan"), || planned(csv))?;
        report.digest("csv tasks", tasks as f64);
        let parquet = report.part(&format!("parquet {pass}: read"), || {
            read_parquet([path("parquet/*.parquet")], ParquetOptions::new())
        })?;
        let tasks = report.part(&format!("parquet {pass}: plan"), || planned(parquet))?;
        report.digest("parquet tasks", tasks as f64);
    }
    Ok(())
}
