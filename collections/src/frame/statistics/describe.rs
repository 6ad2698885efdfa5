//! Tables of statistics: summaries of columns, correlations of pairs of them.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::QuantileMethod;

use super::numeric;
use crate::error::{Error, Result};
use crate::frame::expr::{FrameExpr, Node};
use crate::frame::groupby::agg::{self, Agg};
use crate::frame::groupby::number;
use crate::frame::kernels::{ArrangeKernel, Cell};
use crate::frame::{Frame, GroupBy};
use crate::lower::frame::Arranged;

/// The rows of a summary before and after its quantiles.
const BEFORE: [&str; 4] = ["count", "mean", "std", "min"];
const QUARTERS: [(f64, &str); 3] = [(0.25, "25%"), (0.5, "50%"), (0.75, "75%")];

type Make = fn(&str) -> Agg;

impl Frame {
    /// A summary of the columns of numbers: count, mean, standard deviation, least, quarters and greatest, a row each, which the column
    /// `statistic` names; all float64. Quarters are exact. pandas' `describe` of columns of other types is left out.
    ///
    /// # Errors
    /// If no column is a number, or one is named `statistic` or `quantile`.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1.0, 2.0, 4.0], "s" => ["a", "b", "c"]).unwrap(), 2);
    /// assert_eq!(frame.describe()?.column_names(), ["statistic", "x"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn describe(&self) -> Result<Frame> {
        let location = Location::caller();
        let numbers = self.node.schema.iter().filter(|(_, dtype)| number(dtype));
        let columns: Vec<String> = numbers.map(|(name, _)| name.to_string()).collect();
        if columns.is_empty() {
            return Err(Error::invalid_at("describe", "no column is a number; cast one first", location));
        }
        let aggs = columns.iter().flat_map(|name| {
            let made: [(Make, &str); 5] = [
                (|x| agg::count(x), "count"),
                (|x| agg::mean(x), "mean"),
                (|x| agg::std(x), "std"),
                (|x| agg::min(x), "min"),
                (|x| agg::max(x), "max"),
            ];
            made.map(|(make, label)| make(name).alias(format!("{label} {name}")))
        });
        let plain = self.all_rows(aggs.collect(), location)?;
        let quarters = QUARTERS.iter().map(|quarter| quarter.0).collect();
        let quantiles = self.quantiles(columns.clone(), quarters, QuantileMethod::Linear, false, location)?;
        let cells = |name: &String| {
            let of = |label: &str| Cell { input: 0, column: format!("{label} {name}"), row: 0 };
            let mut cells: Vec<Cell> = BEFORE.iter().map(|label| of(label)).collect();
            cells.extend((0..QUARTERS.len()).map(|row| Cell { input: 1, column: name.clone(), row: row as u32 }));
            cells.push(of("max"));
            (name.clone(), cells)
        };
        let quarters = QUARTERS.iter().map(|quarter| quarter.1);
        let labels = BEFORE.into_iter().chain(quarters).chain(["max"]).map(str::to_string).collect();
        let columns = columns.iter().map(cells).collect();
        arranged("describe", "statistic", labels, columns, vec![plain, quantiles], location)
    }

    /// The correlations of all pairs of columns, each of the rows in which neither is missing: a row for each column, which the column
    /// `column` names. Missing where a column is constant.
    ///
    /// # Errors
    /// If a column does not exist or is no number, or is named `column`.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1.0, 2.0, 4.0], "y" => [3, 2, 1]).unwrap(), 2);
    /// assert_eq!(frame.corr(["x", "y"])?.column_names(), ["column", "x", "y"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn corr<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
        self.pairs("corr", columns, agg::corr, Location::caller())
    }

    /// The covariances of all pairs of columns, `ddof = 1`; otherwise [`corr`](Frame::corr).
    ///
    /// # Errors
    /// As [`corr`](Frame::corr).
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1.0, 2.0, 4.0], "y" => [3, 2, 1]).unwrap(), 2);
    /// assert_eq!(frame.cov(["x", "y"])?.column_names(), ["column", "x", "y"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn cov<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
        self.pairs("cov", columns, agg::cov, Location::caller())
    }

    fn pairs<S: AsRef<str>>(
        &self,
        operation: &'static str,
        columns: impl IntoIterator<Item = S>,
        make: fn(polars::prelude::Expr, polars::prelude::Expr) -> Agg,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let columns = numeric(operation, &self.node.schema, columns, location)?;
        let pair = |a: usize, b: usize| format!("{} {}", a.min(b), a.max(b));
        let column = |at: usize| polars::prelude::col(columns[at].as_str());
        let all = (0..columns.len()).flat_map(|a| (a..columns.len()).map(move |b| (a, b)));
        let aggs = all.map(|(a, b)| make(column(a), column(b)).alias(pair(a, b)));
        let plain = self.all_rows(aggs.collect(), location)?;
        let cells = |b: usize| (0..columns.len()).map(|a| Cell { input: 0, column: pair(a, b), row: 0 }).collect();
        let cells = columns.iter().enumerate().map(|(b, name)| (name.clone(), cells(b))).collect();
        arranged(operation, "column", columns.clone(), cells, vec![plain], location)
    }

    fn all_rows(&self, aggs: Vec<Agg>, location: &'static Location<'static>) -> Result<Node> {
        Ok(GroupBy::new(self.clone(), Vec::new(), location).agg_at(aggs, location)?.node)
    }
}

fn arranged(
    operation: &'static str,
    label: &str,
    labels: Vec<String>,
    columns: Vec<(String, Vec<Cell>)>,
    inputs: Vec<Node>,
    location: &'static Location<'static>,
) -> Result<Frame> {
    if columns.iter().any(|(name, _)| name == label) {
        let reason = format!("a column is named `{label}`, as the result's first one; rename it");
        return Err(Error::invalid_at(operation, reason, location));
    }
    let kernel = ArrangeKernel { labels: (label.into(), labels), columns };
    let arranged = Arranged { kernel, shown: operation };
    Ok(Frame { node: FrameExpr::custom(Arc::new(arranged), inputs, location)? })
}
