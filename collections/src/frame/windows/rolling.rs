//! Windows that roll over the rows.

use std::panic::Location;

use polars::prelude::{
    ClosedWindow, DataType, Duration, Expr, PlSmallStr, QuantileMethod, RollingFnParams, RollingOptionsDynamicWindow,
    RollingOptionsFixedWindow, RollingVarParams, col,
};

use super::Span;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::kernels::Reach;
use crate::frame::step::refused;
use crate::lower::frame::Neighbours;

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
