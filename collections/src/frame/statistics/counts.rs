//! Distinct values, and how often they are there.

use std::panic::Location;

use polars::prelude::{DataType, col};

use super::named;
use crate::error::{Error, Result};
use crate::frame::groupby::agg;
use crate::frame::kernels::Pass;
use crate::frame::{Frame, GroupBy};

/// How values are counted: what [`Frame::value_counts_with`] is told.
///
/// ```
/// use talatat_collections::frame::ValueCounts;
/// let shares = ValueCounts::new().normalize(true).dropna(false);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueCounts {
    pub(in crate::frame) normalize: bool,
    pub(in crate::frame) sort: bool,
    pub(in crate::frame) ascending: bool,
    pub(in crate::frame) dropna: bool,
}

impl Default for ValueCounts {
    fn default() -> ValueCounts {
        ValueCounts { normalize: false, sort: true, ascending: false, dropna: true }
    }
}

impl ValueCounts {
    /// pandas' defaults: counts, the largest first, without missing values.
    pub fn new() -> ValueCounts {
        ValueCounts::default()
    }

    /// Shares of all counted rows, a column `proportion` of float64, in place of counts.
    pub fn normalize(mut self, normalize: bool) -> ValueCounts {
        self.normalize = normalize;
        self
    }

    /// Whether the result is sorted by the counts; else values come in the order in which they appear first.
    pub fn sort(mut self, sort: bool) -> ValueCounts {
        self.sort = sort;
        self
    }

    /// Whether the smallest counts come first.
    pub fn ascending(mut self, ascending: bool) -> ValueCounts {
        self.ascending = ascending;
        self
    }

    /// Whether rows with a missing value are left out.
    pub fn dropna(mut self, dropna: bool) -> ValueCounts {
        self.dropna = dropna;
        self
    }
}

impl Frame {
    /// How often each value, or combination of values of several columns, is there: the columns, and a column `count` of int64; the most
    /// frequent first.
    ///
    /// Equal counts come in the order in which their values appear first, as in pandas; of more than 64 MiB of rows, whose values are
    /// counted in several parts, part by part.
    ///
    /// # Errors
    /// If a column does not exist, or is named `count`.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("town" => ["Lyon", "Oslo", "Lyon"]).unwrap(), 2);
    /// assert_eq!(frame.value_counts(["town"])?.column_names(), ["town", "count"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn value_counts<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
        self.counted(columns, &ValueCounts::default(), Location::caller())
    }

    /// [`value_counts`](Frame::value_counts) with other options than pandas' defaults.
    ///
    /// # Errors
    /// If a column does not exist, or has the name of the counts.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, ValueCounts, df};
    /// let frame = Frame::from_polars(df!("town" => ["Lyon", "Oslo", "Lyon"]).unwrap(), 2);
    /// let shares = frame.value_counts_with(["town"], &ValueCounts::new().normalize(true))?;
    /// assert_eq!(shares.column_names(), ["town", "proportion"]);
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
        let columns = named("value_counts", &self.node.schema, columns, location)?;
        let count = if options.normalize { "proportion" } else { "count" };
        if columns.iter().any(|name| name == count) {
            let reason = format!("a column is named `{count}`, as the result's; rename it");
            return Err(Error::invalid_at("value_counts", reason, location));
        }
        let keys = columns.iter().map(|name| col(name.as_str())).collect();
        let group = GroupBy::new(self.clone(), keys, location).sort(false).dropna(options.dropna);
        let grouped = group.grouped(&[agg::size().alias(count)], location)?;
        let mut end = Vec::new();
        if options.normalize {
            let share = col(count).cast(DataType::Float64) / col(count).sum().cast(DataType::Float64);
            let values = columns.iter().map(|name| col(name.as_str()));
            end.push(Pass::Select(values.chain([share.alias(count)]).collect()));
        }
        let sorted = if options.sort { vec![(count.to_string(), !options.ascending)] } else { Vec::new() };
        grouped.frame(|grouping| grouping.ended(end, sorted, location))
    }

    /// The distinct values of a column, missing among them, in the order in which they appear first; of more than 64 MiB of rows in several
    /// partitions, and each in that order.
    ///
    /// # Errors
    /// If there is no such column.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("town" => ["Lyon", "Oslo", "Lyon"]).unwrap(), 2);
    /// assert_eq!(frame.unique("town")?.column_names(), ["town"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn unique(&self, column: &str) -> Result<Frame> {
        let location = Location::caller();
        named("unique", &self.node.schema, [column], location)?;
        let group = GroupBy::new(self.clone(), vec![col(column)], location).sort(false).dropna(false);
        group.grouped_by(&[], location)?.frame(Ok)
    }

    /// The values of a column that are there most often, several if they are as frequent, in ascending order. One column at a time (pandas:
    /// all, filled up with missing values).
    ///
    /// # Errors
    /// If there is no such column.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("town" => ["Lyon", "Oslo", "Lyon"]).unwrap(), 2);
    /// assert_eq!(frame.mode("town")?.column_names(), ["town"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn mode(&self, column: &str) -> Result<Frame> {
        let location = Location::caller();
        named("mode", &self.node.schema, [column], location)?;
        // Only the count's name must differ from the column's.
        let count = format!("count of {column}");
        let group = GroupBy::new(self.clone(), vec![col(column)], location).sort(false);
        let grouped = group.grouped(&[agg::size().alias(count.as_str())], location)?;
        let most = Pass::Filter(col(count.as_str()).eq(col(count.as_str()).max()));
        let end = vec![most, Pass::Select(vec![col(column)])];
        grouped.frame(|grouping| grouping.ended(end, vec![(column.to_string(), false)], location))
    }
}
