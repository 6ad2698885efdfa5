//! f3: the ten group-by questions of the h2o benchmark; f9g: as many groups as rows.

use talatat::Result;
use talatat::frame::{DataFrame, Frame, ParquetOptions, agg, col, lit, read_parquet};

use super::{data, floats};
use crate::report::{Options, Report};

pub fn questions(options: &Options, report: &mut Report) -> Result<()> {
    options.session()?;
    // Each question reads the files again, as for the peers.
    let x = || read_parquet([data("g1/*.parquet")], ParquetOptions::new());
    let by = |keys: &[&str]| x()?.groupby(keys.iter().map(|key| col(*key))).map(|groups| groups.sort(false));
    ask(options, report, "q1", || by(&["id1"])?.sum(["v1"]))?;
    ask(options, report, "q2", || by(&["id1", "id2"])?.sum(["v1"]))?;
    ask(options, report, "q3", || by(&["id3"])?.agg([agg::sum("v1").alias("v1"), agg::mean("v3").alias("v3")]))?;
    ask(options, report, "q4", || by(&["id4"])?.mean(["v1", "v2", "v3"]))?;
    ask(options, report, "q5", || by(&["id6"])?.sum(["v1", "v2", "v3"]))?;
    ask(options, report, "q6", || {
        by(&["id4", "id5"])?.agg([agg::median("v3").alias("median"), agg::std("v3").alias("std")])
    })?;
    ask(options, report, "q7", || by(&["id3"])?.agg([(col("v1").max() - col("v2").min()).alias("range")]))?;
    ask(options, report, "q8", || by(&["id6"])?.agg([agg::nlargest("v3", 2).alias("v3")])?.explode(["v3"]))?;
    ask(options, report, "q9", || {
        let correlation = by(&["id2", "id4"])?.agg([agg::corr("v1", "v2").alias("r")])?;
        correlation.select([col("id2"), col("id4"), (col("r") * col("r")).alias("r2")])
    })?;
    ask(options, report, "q10", || {
        let keys = ["id1", "id2", "id3", "id4", "id5", "id6"];
        by(&keys)?.agg([agg::sum("v3").alias("v3"), agg::size().alias("count")])
    })
}

fn ask(options: &Options, report: &mut Report, name: &str, question: impl FnOnce() -> Result<Frame>) -> Result<()> {
    let table: DataFrame = report.part(name, || options.compute(&question()?))?;
    report.digest(&format!("{name}_rows"), table.height() as f64);
    let values: Vec<String> = table.schema().iter_names().map(ToString::to_string).collect();
    for value in values.iter().filter(|value| !value.starts_with("id")) {
        report.digest(&format!("{name}_{value}"), floats(&table, value).iter().sum());
    }
    Ok(())
}

/// f9g: the sum of `b` for each key, of which no two are equal; only how many there are and the total leave the plan.
pub fn distinct(options: &Options, report: &mut Report) -> Result<()> {
    options.session()?;
    let rows = read_parquet([data("sort/*.parquet")], ParquetOptions::new())?;
    let sums = rows.groupby(["key"])?.sort(false).sum(["b"])?;
    let table = sums
        .with_columns([lit(1_i64).alias("one")])?
        .agg([agg::sum("one").alias("groups"), agg::sum("b").alias("total")])?;
    let table = options.compute(&table)?;
    for name in ["groups", "total"] {
        report.digest(name, floats(&table, name).iter().sum());
    }
    Ok(())
}
