//! Values of the rows a few places above or below.

use std::panic::Location;

use polars::prelude::{DataType, Expr, FillNullStrategy, col, lit};
use polars::series::ops::NullBehavior;

use crate::error::Result;
use crate::frame::Frame;
use crate::frame::kernels::Reach;
use crate::lower::frame::Neighbours;

impl Frame {
    /// Columns moved down by `periods` rows (up, if negative); missing values come in at the end. Each keeps its name and type.
    ///
    /// # Errors
    /// If a column does not exist.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 2);
    /// assert_eq!(frame.shift(["x"], 1)?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn shift<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>, periods: i64) -> Result<Frame> {
        self.moved("shift", columns, periods, |column, periods, _| column.shift(lit(periods)), Location::caller())
    }

    /// The difference of each value to the one `periods` rows above (below, if negative); missing where there is none. Integers stay
    /// integers (unsigned ones become int64).
    ///
    /// # Errors
    /// If a column does not exist, or has no differences.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 4, 9]).unwrap(), 2);
    /// assert_eq!(frame.diff(["x"], 1)?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn diff<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>, periods: i64) -> Result<Frame> {
        let change = |column: Expr, periods: i64, dtype: &DataType| {
            let column = if dtype.is_unsigned_integer() { column.cast(DataType::Int64) } else { column };
            column.diff(lit(periods), NullBehavior::Ignore)
        };
        self.moved("diff", columns, periods, change, Location::caller())
    }

    /// The change of each value relative to the one `periods` rows above: `x / x_above - 1`, float64. Missing values are not filled
    /// first.
    ///
    /// # Errors
    /// If a column does not exist, or is not of numbers.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1.0, 4.0, 9.0]).unwrap(), 2);
    /// assert_eq!(frame.pct_change(["x"], 1)?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn pct_change<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>, periods: i64) -> Result<Frame> {
        let change = |column: Expr, periods: i64, _: &DataType| {
            let column = column.cast(DataType::Float64);
            column.clone() / column.shift(lit(periods)) - lit(1.0)
        };
        self.moved("pct_change", columns, periods, change, Location::caller())
    }

    /// [`ffill`](Frame::ffill) over at most `limit` missing values in a row.
    ///
    /// # Errors
    /// If a column does not exist.
    #[track_caller]
    pub fn ffill_limit<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>, limit: u32) -> Result<Frame> {
        let fill =
            |column: Expr, _: i64, _: &DataType| column.fill_null_with_strategy(FillNullStrategy::Forward(Some(limit)));
        self.moved("ffill", columns, i64::from(limit), fill, Location::caller())
    }

    /// [`bfill`](Frame::bfill) over at most `limit` missing values in a row.
    ///
    /// # Errors
    /// If a column does not exist.
    #[track_caller]
    pub fn bfill_limit<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>, limit: u32) -> Result<Frame> {
        let fill = |column: Expr, _: i64, _: &DataType| {
            column.fill_null_with_strategy(FillNullStrategy::Backward(Some(limit)))
        };
        self.moved("bfill", columns, -i64::from(limit), fill, Location::caller())
    }

    /// Columns replaced by expressions that look `periods` rows up, or down.
    fn moved<S: AsRef<str>>(
        &self,
        operation: &str,
        columns: impl IntoIterator<Item = S>,
        periods: i64,
        change: impl Fn(Expr, i64, &DataType) -> Expr,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let fields = columns.into_iter().map(|name| self.field(operation, name.as_ref(), location));
        let fields = fields.collect::<Result<Vec<_>>>()?;
        let exprs: Vec<Expr> = fields
            .into_iter()
            .map(|field| change(col(field.name.clone()), periods, &field.dtype).alias(field.name))
            .collect();
        if exprs.is_empty() {
            return Ok(self.clone());
        }
        let reach = Reach::Rows(periods.unsigned_abs());
        let (before, after) = if periods < 0 { (Reach::Nothing, reach) } else { (reach, Reach::Nothing) };
        self.window(operation, exprs, Neighbours { before, after, keys: Vec::new() }, location)
    }
}
