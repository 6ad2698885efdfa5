//! f8: rolling means of one hour by id, and daily means.

use talatat::Result;
use talatat::frame::{Frame, ParquetOptions, Span, agg, col, lit, read_parquet};

use super::{data, floats, weighted};
use crate::report::{Options, Report};

pub fn windows(options: &Options, report: &mut Report) -> Result<()> {
    options.session()?;
    let rows = || read_parquet([data("ts/*.parquet")], ParquetOptions::new());
    let rolling = |rows: Frame| {
        let rolled = rows.rolling(Span::time("ts", "1h")?)?.by(["id"])?.mean("v")?;
        let aggs = [agg::size().alias("rows"), agg::sum("v_mean").alias("sum"), agg::max("v_mean").alias("max")];
        options.compute(&rolled.agg(aggs)?)
    };
    let table = report.part("rolling", || rolling(rows()?))?;
    for name in ["rows", "sum", "max"] {
        report.digest(&format!("roll_{name}"), floats(&table, name).iter().sum());
    }
    let daily = |rows: Frame| {
        let day = col("ts").dt().truncate(lit("1d")).alias("day");
        options.compute(&rows.groupby([col("id"), day])?.agg([agg::mean("v").alias("v")])?)
    };
    let table = report.part("daily", || daily(rows()?))?;
    report.digest("day_rows", table.height() as f64);
    report.digest("day_mean", weighted(&floats(&table, "v")));
    Ok(())
}
