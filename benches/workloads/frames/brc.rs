//! f6: the smallest, mean and largest temperature of each station, from 1e8 lines of text.

use talatat::Result;
use talatat::frame::{CsvOptions, DataType, agg, read_csv};

use super::{data, floats, weighted};
use crate::report::{Options, Report};

pub fn stations(options: &Options, report: &mut Report) -> Result<()> {
    options.session()?;
    let csv = CsvOptions::new()
        .separator(b';')
        .has_header(false)
        .column_names(["station", "t"])
        .with_dtypes([("station", DataType::String), ("t", DataType::Float64)]);
    let rows = read_csv([data("brc/measurements.txt")], csv.quote_char(None))?;
    let aggs = [agg::min("t").alias("min"), agg::mean("t").alias("mean"), agg::max("t").alias("max")];
    let table = options.compute(&rows.groupby(["station"])?.agg(aggs)?)?;
    report.digest("groups", table.height() as f64);
    for name in ["min", "mean", "max"] {
        report.digest(name, weighted(&floats(&table, name)));
    }
    Ok(())
}
