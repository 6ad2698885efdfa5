//! f1, f2: bad rows dropped, the mean tip fraction by hour and weekday.

use talatat::Result;
use talatat::frame::polars::prelude::DataType;
use talatat::frame::{CsvOptions, Frame, ParquetOptions, agg, col, lit, read_csv, read_parquet};

use super::{data, floats, weighted};
use crate::report::{Options, Report};

/// f1: from CSV, with the format of the dates given, as the fastest peers are.
pub fn csv(options: &Options, report: &mut Report) -> Result<()> {
    options.session()?;
    let csv = CsvOptions::new().parse_dates(["pickup_datetime", "dropoff_datetime"], Some("%Y-%m-%d %H:%M:%S"));
    table(read_csv([data("taxi_csv/*.csv")], csv)?, options, report)
}

/// f2: from Parquet.
pub fn parquet(options: &Options, report: &mut Report) -> Result<()> {
    options.session()?;
    table(read_parquet([data("taxi_pq/*.parquet")], ParquetOptions::new())?, options, report)
}

fn table(trips: Frame, options: &Options, report: &mut Report) -> Result<()> {
    let positive = |name: &str| col(name).gt(lit(0));
    let good = trips.filter(
        positive("fare_amount")
            .and(positive("trip_distance"))
            .and(positive("passenger_count"))
            .and(col("dropoff_datetime").gt_eq(col("pickup_datetime"))),
    )?;
    let pickup = || col("pickup_datetime").dt();
    let fraction = col("tip_amount").cast(DataType::Float64) / col("fare_amount");
    let groups = good.with_columns([
        fraction.alias("fraction"),
        pickup().hour().alias("hour"),
        (pickup().weekday() - lit(1)).alias("weekday"),
    ])?;
    let means =
        groups.groupby(["hour", "weekday"])?.agg([agg::mean("fraction").alias("mean"), agg::size().alias("n")])?;
    let table = options.compute(&means)?;
    let counts = floats(&table, "n");
    report.digest("groups", table.height() as f64);
    report.digest("rows", counts.iter().sum());
    report.digest("mean", weighted(&floats(&table, "mean")));
    report.digest("counts", weighted(&counts));
    Ok(())
}
