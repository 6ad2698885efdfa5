//! Tables of several statistics of groups, and the groups themselves.

use std::panic::Location;

use polars::prelude::{DataType, Expr, col, lit};

use super::{GroupBy, agg};
use crate::error::{Error, Result};
use crate::frame::sort::SortOrder;
use crate::frame::step::Step;
use crate::frame::{Frame, FrameLen, ValueCounts};

impl GroupBy {
    /// A summary of one column for each group: columns `count`, `mean`, `std`, `min`, `25%`, `50%`, `75%` and `max` behind the keys.
    ///
    /// Quarters need all values of a group together: rows are shuffled by their keys.
    ///
    /// # Errors
    /// If the column does not exist or is not of numbers.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1.0, 2.0, 4.0]).unwrap(), 2);
    /// let summary = frame.groupby(["k"])?.describe("x")?;
    /// assert_eq!(summary.column_names(), ["k", "count", "mean", "std", "min", "25%", "50%", "75%", "max"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn describe(&self, column: &str) -> Result<Frame> {
        let quarter = |q: f64, name: &str| agg::quantile(column, q).alias(name);
        let aggs = vec![
            agg::count(column).alias("count"),
            agg::mean(column).alias("mean"),
            agg::std(column).alias("std"),
            agg::min(column).alias("min"),
            quarter(0.25, "25%"),
            quarter(0.5, "50%"),
            quarter(0.75, "75%"),
            agg::max(column).alias("max"),
        ];
        self.agg_at(aggs, Location::caller())
    }

    /// The first, the largest, the smallest and the last value of a column in each group: columns `open`, `high`, `low` and `close` behind the keys.
    ///
    /// # Errors
    /// If the column does not exist or its values have no order.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1.0, 2.0, 4.0]).unwrap(), 2);
    /// assert_eq!(frame.groupby(["k"])?.ohlc("x")?.column_names(), ["k", "open", "high", "low", "close"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn ohlc(&self, column: &str) -> Result<Frame> {
        let aggs = vec![
            agg::first(column).alias("open"),
            agg::max(column).alias("high"),
            agg::min(column).alias("low"),
            agg::last(column).alias("close"),
        ];
        self.agg_at(aggs, Location::caller())
    }

    /// How often each combination of values of `columns` is there in each group: the keys, the columns, and a column `count`; the groups by
    /// their keys, in each the most frequent first, equal counts in the order of the values (pandas: in which they appear first).
    ///
    /// # Errors
    /// If a column does not exist, or one is named `count`.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 4]).unwrap(), 2);
    /// assert_eq!(frame.groupby(["k"])?.value_counts(["x"])?.column_names(), ["k", "x", "count"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn value_counts<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
        self.counted(columns, &ValueCounts::new(), Location::caller())
    }

    /// [`value_counts`](GroupBy::value_counts) with other options than pandas' defaults; with `normalize`, a column `proportion` of shares of the
    /// group's counted rows.
    ///
    /// # Errors
    /// As [`value_counts`](GroupBy::value_counts).
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, ValueCounts, df};
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 4]).unwrap(), 2);
    /// let shares = frame.groupby(["k"])?.value_counts_with(["x"], &ValueCounts::new().normalize(true))?;
    /// assert_eq!(shares.column_names(), ["k", "x", "proportion"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn value_counts_with<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
        options: &ValueCounts,
    ) -> Result<Frame> {
        self.counted(columns, options, Location::caller())
    }

    fn counted<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
        options: &ValueCounts,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let count = if options.normalize { "proportion" } else { "count" };
        let mut all = self.clone();
        for name in columns {
            self.frame.field("value_counts", name.as_ref(), location)?;
            all.keys.push(col(name.as_ref()));
        }
        all.dropna = self.dropna && options.dropna;
        let counts = all.agg_at(vec![agg::size().alias(count)], location)?;
        let names: Vec<String> = counts.column_names().into_iter().map(String::from).collect();
        let keys: Vec<String> = names.iter().take(self.keys.len()).cloned().collect();
        let mut counts = counts;
        if options.normalize {
            let share = col(count).cast(DataType::Float64) / col(count).sum().cast(DataType::Float64);
            let by = keys.iter().map(|key| col(key.as_str())).collect();
            let groups = GroupBy::new(counts, by, location).dropna(false);
            counts = groups.columns_within("value_counts", vec![share.alias(count)], true, location)?;
        }
        if !options.sort {
            return Ok(counts);
        }
        let ascending: Vec<bool> = keys.iter().map(|_| true).chain([options.ascending]).collect();
        counts.sort_values(keys.into_iter().chain([count.to_string()]), SortOrder::from(ascending))
    }

    /// How many groups there are.
    ///
    /// # Errors
    /// If two keys have the same name.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"]).unwrap(), 2);
    /// assert_eq!(frame.groupby(["k"])?.ngroups()?.compute()?, 2);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn ngroups(&self) -> Result<FrameLen> {
        let location = Location::caller();
        Ok(self.clone().sort(false).grouped_by(&[], location)?.frame(Ok)?.len())
    }

    /// The rows of one group, in their order and partitions: a value for each key. No rows, if there is no such group (pandas: an error).
    ///
    /// # Errors
    /// If there are not as many values as keys, or they do not compare.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df, lit};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 4]).unwrap(), 2);
    /// let group = frame.groupby(["k"])?.get_group([lit("a")])?;
    /// assert!(group.compute()?.equals(&df!("k" => ["a", "a"], "x" => [1, 4]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn get_group(&self, values: impl IntoIterator<Item = Expr>) -> Result<Frame> {
        let location = Location::caller();
        let values: Vec<Expr> = values.into_iter().collect();
        if values.len() != self.keys.len() {
            let reason = format!("{} keys have {} values; give one for each", self.keys.len(), values.len());
            return Err(Error::invalid_at("get_group", reason, location));
        }
        let same = self.keys.iter().zip(values).map(|(key, value)| key.clone().eq_missing(value));
        let all = same.reduce(Expr::and).unwrap_or_else(|| lit(true));
        self.frame.step(Step::Filter(all), location)
    }
}
