//! Bins of time.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataType, Duration, PlSmallStr, col, lit};

use crate::error::{Error, Result};
use crate::frame::expr::FrameExpr;
use crate::frame::groupby::agg::{self, Agg};
use crate::frame::step::Step;
use crate::frame::{ConcatColumns, DropNa, Frame, How, MergeOn, Validate, concat};
use crate::lower::frame::Bins;

/// A frame in bins of time, waiting for aggregations: what [`Frame::resample`] gives.
#[derive(Clone)]
pub struct Resample {
    frame: Frame,
    column: PlSmallStr,
    every: String,
    location: &'static Location<'static>,
}

impl Frame {
    /// The rows in bins of time, by a column of dates or times, which need not be sorted. `every` is a length in polars' letters: `"1h"`,
    /// `"15m"` (minutes), `"1d"`, `"1w"`, `"1mo"`, `"1q"`, `"1y"`. Bins are closed and labelled at the left, as pandas does for lengths up
    /// to a day.
    ///
    /// # Errors
    /// If the column does not exist or holds no times, or `every` is no positive length.
    ///
    /// ```
    /// use talatat_collections::frame::polars::prelude::{DataType, TimeUnit};
    /// use talatat_collections::frame::{Frame, agg, df};
    /// let frame = Frame::from_polars(df!("t" => [0_i64, 1, 7_200_000], "x" => [1.0, 2.0, 3.0]).unwrap(), 2)
    ///     .astype([("t", DataType::Datetime(TimeUnit::Milliseconds, None))])?;
    /// let hourly = frame.resample("t", "1h")?.agg([agg::mean("x").alias("x")])?;
    /// assert_eq!(hourly.column_names(), ["t", "x"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn resample(&self, column: &str, every: &str) -> Result<Resample> {
        let location = Location::caller();
        let field = self.field("resample", column, location)?;
        if !matches!(field.dtype, DataType::Date | DataType::Datetime(..)) {
            let reason = format!("column `{column}` is of type {}, and bins of time need dates or times", field.dtype);
            return Err(Error::invalid_at("resample", reason, location));
        }
        match Duration::try_parse(every) {
            Ok(length) if !length.negative() && !length.is_zero() => {}
            _ => {
                let reason =
                    format!("`{every}` is no positive length of time; say \"1h\", \"15m\", \"1d\", \"1mo\" ...");
                return Err(Error::invalid_at("resample", reason, location));
            }
        }
        Ok(Resample { frame: self.clone(), column: field.name, every: every.into(), location })
    }

    /// The rows at even distances of time: from the first time of a column on, one each `every` (as in [`resample`](Frame::resample)) up to the last time, with the values of
    /// the row that has exactly this time, or missing ones. pandas' `asfreq`. Rows need not be sorted; those with a missing time are left out. One partition.
    ///
    /// # Errors
    /// As [`resample`](Frame::resample). A time that is there several times is an error of the run.
    ///
    /// ```
    /// use talatat_collections::frame::polars::prelude::{DataType, TimeUnit};
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("t" => [0_i64, 7_200_000], "x" => [1.0, 3.0]).unwrap(), 2)
    ///     .astype([("t", DataType::Datetime(TimeUnit::Milliseconds, None))])?;
    /// let hourly = frame.asfreq("t", "1h")?.compute()?;
    /// assert!(hourly.column("x").unwrap().f64().unwrap().iter().eq([Some(1.0), None, Some(3.0)]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn asfreq(&self, column: &str, every: &str) -> Result<Frame> {
        let Resample { frame, column, every, location } = self.resample(column, every)?;
        let ends = frame.agg([agg::min(column.as_str()).alias("first"), agg::max(column.as_str()).alias("last")])?;
        let end = |name: &str| ends.step(Step::Select(vec![col(name).alias(column.clone())]), location);
        let ends = concat([&end("first")?, &end("last")?], ConcatColumns::Outer)?.dropna()?.unique(&column)?;
        let bins = Bins { column: column.clone(), every, zeros: Vec::new() };
        let times = Frame { node: FrameExpr::custom(Arc::new(bins), vec![ends.node], location)? };
        let rows = frame.dropna_with(DropNa::Any, [column.as_str()])?;
        let on = MergeOn::keys([column.as_str()]).how(How::Left).validate(Validate::OneToOne);
        let made = times.merge(&rows, on)?;
        made.step(Step::Select(self.node.schema.iter_names().cloned().map(col).collect()), location)
    }
}

impl Resample {
    /// Aggregates: a row for each bin from the first one to the last, sorted; where a bin has no rows, sums and counts are 0 and all else is
    /// missing. One partition.
    ///
    /// # Errors
    /// As [`GroupBy::agg`](crate::frame::GroupBy::agg).
    #[track_caller]
    pub fn agg(&self, aggs: impl IntoIterator<Item = Agg>) -> Result<Frame> {
        let aggs: Vec<Agg> = aggs.into_iter().collect();
        let bin = col(self.column.clone()).dt().truncate(lit(self.every.as_str())).alias(self.column.clone());
        let zeros: Vec<bool> = aggs.iter().map(Agg::is_zero_of_nothing).collect();
        let table = self.frame.groupby([bin])?.agg(aggs)?;
        let names = table.node.schema.iter_names().skip(1);
        let zeros = names.zip(zeros).filter(|(_, zero)| *zero).map(|(name, _)| name.clone()).collect();
        let bins = Bins { column: self.column.clone(), every: self.every.clone(), zeros };
        Ok(Frame { node: FrameExpr::custom(Arc::new(bins), vec![table.node], self.location)? })
    }
}
