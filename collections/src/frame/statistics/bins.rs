//! Values by which quantile they lie in, and columns that are in order.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, DataType, Expr, NULL, QuantileMethod, col, lit, when};

use super::numeric;
use crate::error::{Error, Result};
use crate::frame::expr::FrameExpr;
use crate::frame::kernels::{ArrangeKernel, Cell, ROW_NUMBER};
use crate::frame::step::Step;
use crate::frame::{Frame, MergeOn};
use crate::lower::frame::{Arranged, RowIndex};

/// What edges are called while they stand beside the rows.
const EDGE: &str = "\u{1}edge";

impl Frame {
    /// In which of `parts` parts of equal numbers each value of a column lies, from 0, appended as a column `name` of int64: pandas' `qcut` with
    /// `labels=False`. A part is closed at its right end, the first one at both. Edges that are equal are one, as with `duplicates="drop"`, so there may be fewer
    /// parts; pandas' default is an error there. Missing stays missing.
    ///
    /// Edges are exact [quantiles](Frame::quantile), which are sent to all partitions. For labels, [`replace`](Frame::replace) the numbers.
    ///
    /// # Errors
    /// If the column does not exist or is not of numbers, there is no part, or a column is named so.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [10.0, 1.0, 2.0, 30.0]).unwrap(), 2);
    /// let halves = frame.qcut("x", 2, "half")?;
    /// assert!(halves.compute()?.equals(&df!("x" => [10.0, 1.0, 2.0, 30.0], "half" => [1_i64, 0, 0, 1]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn qcut(&self, column: &str, parts: u32, name: &str) -> Result<Frame> {
        let location = Location::caller();
        numeric("qcut", &self.node.schema, [column], location)?;
        if parts == 0 || self.node.schema.contains(name) {
            let reason = match parts {
                0 => "no part is asked for; ask for at least one".to_string(),
                _ => format!("there is a column `{name}` already; choose another name"),
            };
            return Err(Error::invalid_at("qcut", reason, location));
        }
        let edges: Vec<f64> = (0..parts).map(|part| f64::from(part) / f64::from(parts)).collect();
        let count = edges.len() as u32;
        let edges = self.quantiles(vec![column.into()], edges, QuantileMethod::Linear, false, location)?;
        let edge = |row: u32| format!("{EDGE} {row}");
        let cell = |row| (edge(row), vec![Cell { input: 0, column: column.into(), row }]);
        let kernel = ArrangeKernel {
            labels: (format!("{EDGE} label"), vec![String::new()]),
            columns: (0..count).map(cell).collect(),
        };
        let table = FrameExpr::custom(Arc::new(Arranged { kernel, shown: "edges" }), vec![edges], location)?;
        let table = FrameExpr::step(table, Step::Select((0..count).map(|row| col(edge(row))).collect()), location)?;
        let value = || col(column).cast(DataType::Float64);
        let above = (1..count).map(|row| {
            let distinct = col(edge(row)).gt(col(edge(row - 1)));
            value().gt(col(edge(row))).and(distinct).fill_null(lit(false)).cast(DataType::Int64)
        });
        let number = above.reduce(|a, b| a + b).unwrap_or_else(|| lit(0_i64));
        let number = when(value().is_not_null()).then(number).otherwise(lit(NULL).cast(DataType::Int64));
        let beside = self.merge(&Frame { node: table }, MergeOn::cross().broadcast(true))?;
        let kept = self.node.schema.iter_names().cloned().map(col);
        beside.step(Step::Select(kept.chain([number.alias(name)]).collect()), location)
    }

    /// Whether no value of a column is smaller than the one before: one row with a column of that name. False where a value is missing, as in pandas;
    /// true without rows.
    ///
    /// # Errors
    /// If the column does not exist or its values have no order.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 2]).unwrap(), 2);
    /// assert!(frame.is_monotonic_increasing("x")?.compute()?.equals(&df!("x" => [true]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn is_monotonic_increasing(&self, column: &str) -> Result<Frame> {
        self.monotonic("is_monotonic_increasing", column, Expr::gt_eq, Location::caller())
    }

    /// Whether no value of a column is larger than the one before; otherwise [`is_monotonic_increasing`](Frame::is_monotonic_increasing).
    ///
    /// # Errors
    /// If the column does not exist or its values have no order.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 2]).unwrap(), 2);
    /// assert!(frame.is_monotonic_decreasing("x")?.compute()?.equals(&df!("x" => [false]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn is_monotonic_decreasing(&self, column: &str) -> Result<Frame> {
        self.monotonic("is_monotonic_decreasing", column, Expr::lt_eq, Location::caller())
    }

    fn monotonic(
        &self,
        operation: &str,
        column: &str,
        follows: fn(Expr, Expr) -> Expr,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        self.keys_are(operation, &[column.to_string()], location)?;
        let (value, before) = ("value", "value before");
        let values = vec![col(column).alias(value), col(column).alias(before)];
        let values = self.step(Step::Select(values), location)?;
        let index = RowIndex { column: ROW_NUMBER.into(), offset: 0 };
        let numbered = Frame { node: FrameExpr::custom(Arc::new(index), vec![values.node], location)? };
        let first = col(ROW_NUMBER).eq(lit(0_i64));
        let fits = first.or(follows(col(value), col(before)).fill_null(lit(false))).and(col(value).is_not_null());
        numbered.shift([before], 1)?.step(Step::Select(vec![fits.alias(column)]), location)?.all([column])
    }

    /// Columns of numbers times a matrix, which has a row for each of them, in their order: pandas' `dot`, with a column of float64 for each column of the
    /// matrix. Missing where a value is.
    ///
    /// # Errors
    /// If there is no column, one does not exist or is not of numbers, or the matrix has other rows or holds what is no number.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [1.0, 2.0], "y" => [3.0, 4.0]).unwrap(), 2);
    /// let sums = frame.dot(["x", "y"], &df!("sum" => [1.0, 1.0]).unwrap())?;
    /// assert!(sums.compute()?.equals(&df!("sum" => [4.0, 6.0]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn dot<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>, matrix: &DataFrame) -> Result<Frame> {
        let location = Location::caller();
        let columns = numeric("dot", &self.node.schema, columns, location)?;
        let invalid = |reason: String| Error::invalid_at("dot", reason, location);
        if matrix.height() != columns.len() || matrix.width() == 0 {
            let (rows, width) = matrix.shape();
            return Err(invalid(format!("the matrix is {rows} x {width}, but there are {} columns", columns.len())));
        }
        let mut made = Vec::with_capacity(matrix.width());
        for weights in matrix.columns() {
            let floats = weights.strict_cast(&DataType::Float64).map_err(|error| invalid(error.to_string()))?;
            let floats = floats.f64().map_err(|error| invalid(error.to_string()))?;
            let terms = columns.iter().zip(floats.iter()).map(|(name, weight)| {
                col(name.as_str()).cast(DataType::Float64)
                    * weight.map_or_else(|| lit(NULL).cast(DataType::Float64), lit)
            });
            made.extend(terms.reduce(|a, b| a + b).map(|sum| sum.alias(weights.name().clone())));
        }
        self.step(Step::Select(made), location)
    }
}
