//! Windows that roll over the rows: `rolling`, `shift`, `diff`, and a user's function with `map_overlap`.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{
    ClosedWindow, DataFrame, DataType, Duration, Expr, FillNullStrategy, PlSmallStr, QuantileMethod, RollingFnParams,
    RollingOptionsDynamicWindow, RollingOptionsFixedWindow, RollingVarParams, SchemaRef, col, lit,
};
use polars::series::ops::NullBehavior;
use talatat_graph::{KernelError, KernelResult, KeyBuilder};

use super::Frame;
use super::expr::FrameExpr;
use super::kernels::{OverlapKernel, Reach};
use super::step::refused;
use super::wire::unique;
use crate::error::{Error, Result};
use crate::lower::frame::{Neighbours, Overlap, Window};

/// How far a window reaches: rows, or time.
///
/// ```
/// use talatat_collections::frame::Span;
/// assert_ne!(Span::rows(3), Span::time("when", "1h")?);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Span(Reach);

impl Span {
    /// Nothing.
    pub fn none() -> Span {
        Span(Reach::Nothing)
    }

    /// So many rows.
    pub fn rows(rows: u64) -> Span {
        Span(Reach::Rows(rows))
    }

    /// Rows that are up to `duration` away, by a column of dates or times in which the frame is sorted: `"1h"`, `"90s"`, `"2d12h"`, in
    /// polars' letters (`ns us ms s m h d w`).
    ///
    /// # Errors
    /// If the duration is not positive, or has no fixed length (months, years).
    #[track_caller]
    pub fn time(column: &str, duration: &str) -> Result<Span> {
        let location = Location::caller();
        let parsed = Duration::try_parse(duration)
            .map_err(|error| Error::invalid_at("Span::time", error.to_string(), location))?;
        if parsed.months() != 0 || parsed.negative() || parsed.is_zero() {
            let reason =
                format!("`{duration}` is no window of time: give a positive one of fixed length, such as \"1h\"");
            return Err(Error::invalid_at("Span::time", reason, location));
        }
        Ok(Span(Reach::Time { column: column.into(), nanoseconds: parsed.duration_ns() }))
    }
}

/// What is computed of the rows of a window.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Statistic {
    Sum,
    Mean,
    Min,
    Max,
    Count,
    Var(u8),
    Std(u8),
    Median,
    Quantile(f64),
    Skew,
    Kurtosis,
}

/// A frame with windows that roll over its rows: what [`Frame::rolling`] gives. Statistics are appended as columns.
#[derive(Clone)]
pub struct Rolling {
    frame: Frame,
    window: Reach,
    min_periods: Option<usize>,
    center: bool,
    closed: ClosedWindow,
    keys: Vec<PlSmallStr>,
    location: &'static Location<'static>,
}

impl Frame {
    /// Windows that end at each row: the last `window` rows, itself included, or the rows of the last span of time, open at its
    /// start, as in pandas. The rows stay as they are; statistics are appended as columns.
    ///
    /// Each partition is computed with the rows before it that its windows reach; a window may be longer than partitions.
    ///
    /// # Errors
    /// If a window of rows is empty, or the column of time does not exist or is none.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, Span, df};
    /// let frame = Frame::from_polars(df!("x" => [1.0, 2.0, 3.0, 4.0]).unwrap(), 2);
    /// let smooth = frame.rolling(Span::rows(2))?.mean("x")?;
    /// assert_eq!(smooth.column_names(), ["x", "x_mean"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn rolling(&self, window: Span) -> Result<Rolling> {
        let location = Location::caller();
        self.check_span("rolling", &window.0, location)?;
        if matches!(window.0, Reach::Nothing | Reach::Rows(0)) {
            return Err(Error::invalid_at("rolling", "the window has no rows; give at least one", location));
        }
        Ok(Rolling {
            frame: self.clone(),
            window: window.0,
            min_periods: None,
            center: false,
            closed: ClosedWindow::Right,
            keys: Vec::new(),
            location,
        })
    }

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

    fn window(
        &self,
        operation: &str,
        exprs: Vec<Expr>,
        neighbours: Neighbours,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        super::kernels::made_of(&self.node.schema, &exprs)
            .map_err(|error| refused(operation, &self.node.schema, &error, location))?;
        let window = Window { title: operation.into(), exprs, neighbours };
        Ok(Frame { node: FrameExpr::custom(Arc::new(window), vec![self.node.clone()], location)? })
    }

    fn check_span(&self, operation: &str, reach: &Reach, location: &'static Location<'static>) -> Result<()> {
        let Reach::Time { column, .. } = reach else { return Ok(()) };
        let dtype = self.field(operation, column, location)?.dtype;
        if matches!(dtype, DataType::Date | DataType::Datetime(..)) {
            return Ok(());
        }
        let reason = format!("column `{column}` is of type {dtype}, and windows of time need dates or times");
        Err(Error::invalid_at(operation, reason, location))
    }

    /// A function on each partition with the rows before and after it that it asks for; it must give a row for each that it gets, and
    /// what it gives for the rows around is cut off. Its columns are found by calling it once on a frame without rows.
    ///
    /// # Errors
    /// If the function fails on a frame without rows, or a column of time does not exist.
    ///
    /// ```
    /// use talatat_collections::frame::polars::prelude::{IntoLazy, PolarsError, col, lit};
    /// use talatat_collections::frame::{DataFrame, Frame, Span, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 4, 9, 16]).unwrap(), 2);
    /// let next = |part: DataFrame| part.lazy().select([col("x").shift(lit(-1))]).collect();
    /// assert_eq!(frame.map_overlap(next, Span::none(), Span::rows(1))?.partitions(), 2);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn map_overlap<F, E>(&self, function: F, before: Span, after: Span) -> Result<Frame>
    where
        F: Fn(DataFrame) -> std::result::Result<DataFrame, E> + Send + Sync + 'static,
        E: std::fmt::Display,
    {
        let location = Location::caller();
        self.check_span("map_overlap", &before.0, location)?;
        self.check_span("map_overlap", &after.0, location)?;
        let empty = function(DataFrame::empty_with_schema(&self.node.schema)).map_err(|error| {
            let reason = format!("the function failed on a frame without rows: {error}");
            Error::invalid_at("map_overlap", reason, location)
        })?;
        let schema: SchemaRef = empty.schema().clone();
        let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}").to_string();
        let function = Arc::new(move |part| -> KernelResult<DataFrame> {
            function(part).map_err(|error| KernelError::new(error.to_string()))
        });
        let promised = schema.clone();
        let overlap = Overlap {
            kernel: Arc::new(move |around| {
                let (function, schema) = (function.clone(), (*promised).clone());
                Arc::new(OverlapKernel { around, name: name.clone(), function: move |part| function(part), schema })
            }),
            schema,
            // A closure equals only itself.
            identity: KeyBuilder::new("closure").number(unique()).finish(),
            neighbours: Neighbours { before: before.0, after: after.0, keys: Vec::new() },
        };
        Ok(Frame { node: FrameExpr::custom(Arc::new(overlap), vec![self.node.clone()], location)? })
    }
}

macro_rules! statistics {
    ($($name:ident $(($($arg:ident: $type:ty),*))?, $statistic:expr, $suffix:literal: $doc:literal;)*) => {
        impl Rolling {$(
            #[doc = $doc]
            /// It is appended as a column named after the column and the statistic.
            ///
            /// # Errors
            /// If the column does not exist or is not of numbers.
            #[track_caller]
            pub fn $name(&self, column: &str $(, $($arg: $type),*)?) -> Result<Frame> {
                self.statistic($statistic, column, &format!("{column}_{}", $suffix), Location::caller())
            }
        )*}
    };
}

statistics! {
    sum, Statistic::Sum, "sum": "The sum of the values in each window.";
    mean, Statistic::Mean, "mean": "The mean of the values in each window.";
    min, Statistic::Min, "min": "The smallest value in each window.";
    max, Statistic::Max, "max": "The largest value in each window.";
    count, Statistic::Count, "count": "How many values in each window are not missing.";
    var (ddof: u8), Statistic::Var(ddof), "var": "The variance of the values in each window.";
    std (ddof: u8), Statistic::Std(ddof), "std": "The standard deviation of the values in each window.";
    median, Statistic::Median, "median": "The median of the values in each window.";
    quantile (q: f64), Statistic::Quantile(q), "quantile": "A quantile of the values in each window, interpolated.";
    skew, Statistic::Skew, "skew": "The skewness of the values in each window of rows, unbiased.";
    kurt, Statistic::Kurtosis, "kurt": "The excess kurtosis of the values in each window of rows, unbiased.";
}

impl Rolling {
    /// How many values a window must have for a result; by default all of a window of rows, and one of a window of time.
    pub fn min_periods(mut self, values: usize) -> Rolling {
        self.min_periods = Some(values);
        self
    }

    /// Whether the row stands in the middle of its window; by default at its end. For windows of rows.
    pub fn center(mut self, center: bool) -> Rolling {
        self.center = center;
        self
    }

    /// Which ends of a window of time belong to it; by default the right one.
    pub fn closed(mut self, closed: ClosedWindow) -> Rolling {
        self.closed = closed;
        self
    }

    /// Windows within groups of equal keys; pandas' `groupby(keys).rolling(..)`, with the rows in their order.
    ///
    /// # Errors
    /// If a column does not exist.
    #[track_caller]
    pub fn by<S: AsRef<str>>(mut self, keys: impl IntoIterator<Item = S>) -> Result<Rolling> {
        let location = Location::caller();
        self.keys = keys
            .into_iter()
            .map(|name| Ok(self.frame.field("rolling", name.as_ref(), location)?.name))
            .collect::<Result<_>>()?;
        Ok(self)
    }

    fn statistic(
        &self,
        statistic: Statistic,
        column: &str,
        name: &str,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let field = self.frame.field("rolling", column, location)?;
        if !field.dtype.is_primitive_numeric() && !field.dtype.is_bool() && statistic != Statistic::Count {
            let reason = format!("column `{column}` is of type {}; cast it to a number first", field.dtype);
            return Err(Error::invalid_at("rolling", reason, location));
        }
        let value = match statistic {
            Statistic::Count => col(field.name).is_not_null().cast(DataType::Float64),
            _ => col(field.name).cast(DataType::Float64),
        };
        let expr = match &self.window {
            Reach::Time { column, nanoseconds } => self.by_time(statistic, value, column, *nanoseconds, location)?,
            Reach::Rows(rows) => {
                self.by_rows(statistic, value, usize::try_from(*rows).unwrap_or(usize::MAX), location)?
            }
            Reach::Nothing => value,
        };
        let expr = match self.keys.is_empty() {
            true => expr,
            false => expr
                .over(self.keys.iter().cloned().map(col).collect::<Vec<_>>())
                .map_err(|error| refused("rolling", &self.frame.node.schema, &error, location))?,
        };
        let after = match (&self.window, self.center) {
            (Reach::Rows(_), true) => self.window.clone(),
            _ => Reach::Nothing,
        };
        let neighbours = Neighbours { before: self.window.clone(), after, keys: self.keys.clone() };
        self.frame.window("rolling", vec![expr.alias(name)], neighbours, self.location)
    }

    fn by_rows(&self, statistic: Statistic, value: Expr, rows: usize, at: &'static Location<'static>) -> Result<Expr> {
        let least = self.min_periods.unwrap_or(if statistic == Statistic::Count { 0 } else { rows });
        if least > rows {
            let reason = format!("a window of {rows} rows never has {least} values; lower `min_periods`");
            return Err(Error::invalid_at("rolling", reason, at));
        }
        let options = |fn_params| RollingOptionsFixedWindow {
            window_size: rows,
            min_periods: least,
            weights: None,
            center: self.center,
            fn_params,
        };
        Ok(match statistic {
            Statistic::Sum | Statistic::Count => value.rolling_sum(options(None)),
            Statistic::Mean => value.rolling_mean(options(None)),
            Statistic::Min => value.rolling_min(options(None)),
            Statistic::Max => value.rolling_max(options(None)),
            Statistic::Var(ddof) => value.rolling_var(options(Some(RollingFnParams::Var(RollingVarParams { ddof })))),
            Statistic::Std(ddof) => value.rolling_std(options(Some(RollingFnParams::Var(RollingVarParams { ddof })))),
            Statistic::Median => value.rolling_median(options(None)),
            Statistic::Quantile(q) => value.rolling_quantile(QuantileMethod::Linear, q, options(None)),
            Statistic::Skew => value.rolling_skew(options(Some(RollingFnParams::Skew { bias: false }))),
            Statistic::Kurtosis => {
                value.rolling_kurtosis(options(Some(RollingFnParams::Kurtosis { fisher: true, bias: false })))
            }
        })
    }

    fn by_time(
        &self,
        statistic: Statistic,
        value: Expr,
        column: &str,
        nanoseconds: i64,
        at: &'static Location<'static>,
    ) -> Result<Expr> {
        let least = self.min_periods.unwrap_or(usize::from(statistic != Statistic::Count));
        // Polars tells a length of time from a number of rows by the way it is written.
        let window = Duration::try_parse(&format!("{nanoseconds}ns"))
            .map_err(|error| Error::invalid_at("rolling", error.to_string(), at))?;
        let options = |fn_params| RollingOptionsDynamicWindow {
            window_size: window,
            min_periods: least,
            closed_window: self.closed,
            fn_params,
        };
        let by = col(column);
        let spread = |ddof| Some(RollingFnParams::Var(RollingVarParams { ddof }));
        Ok(match statistic {
            Statistic::Sum | Statistic::Count => value.rolling_sum_by(by, options(None)),
            Statistic::Mean => value.rolling_mean_by(by, options(None)),
            Statistic::Min => value.rolling_min_by(by, options(None)),
            Statistic::Max => value.rolling_max_by(by, options(None)),
            Statistic::Var(ddof) => value.rolling_var_by(by, options(spread(ddof))),
            Statistic::Std(ddof) => value.rolling_std_by(by, options(spread(ddof))),
            Statistic::Median => value.rolling_median_by(by, options(None)),
            Statistic::Quantile(prob) => value.rolling_quantile_by(by, QuantileMethod::Linear, prob, options(None)),
            Statistic::Skew | Statistic::Kurtosis => {
                let reason = "skew and kurt are there for windows of rows only; use `map_overlap` for windows of time";
                return Err(Error::invalid_at("rolling", reason, at));
            }
        })
    }
}
