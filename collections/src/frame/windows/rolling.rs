//! Windows that roll over the rows.

use std::panic::Location;

use polars::prelude::{
    ClosedWindow, Column, DataType, Expr, PlSmallStr, QuantileMethod, RankMethod, RollingFnParams,
    RollingOptionsFixedWindow, RollingVarParams, col,
};

use super::Span;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::functions::windowed::{Extent, Of, Windowed};
use crate::frame::functions::{Function, closure};
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
    Sem(u8),
    /// What polars has not.
    Windowed(Of),
}

impl Statistic {
    /// The statistic that pandas calls so.
    fn named(name: &str) -> Option<Statistic> {
        Some(match name {
            "sum" => Statistic::Sum,
            "mean" => Statistic::Mean,
            "min" => Statistic::Min,
            "max" => Statistic::Max,
            "count" => Statistic::Count,
            "var" => Statistic::Var(1),
            "std" => Statistic::Std(1),
            "sem" => Statistic::Sem(1),
            "median" => Statistic::Median,
            "skew" => Statistic::Skew,
            "kurt" => Statistic::Kurtosis,
            "first" => Statistic::Windowed(Of::First),
            "last" => Statistic::Windowed(Of::Last),
            "nunique" => Statistic::Windowed(Of::Nunique),
            _ => return None,
        })
    }
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
    skew, Statistic::Skew, "skew": "The skewness of the values in each window, unbiased.";
    kurt, Statistic::Kurtosis, "kurt": "The excess kurtosis of the values in each window, unbiased.";
    sem (ddof: u8), Statistic::Sem(ddof), "sem": "The standard error of the mean of the values in each window.";
    first, Statistic::Windowed(Of::First), "first": "The first value in each window that is not missing.";
    last, Statistic::Windowed(Of::Last), "last": "The last value in each window that is not missing.";
    nunique, Statistic::Windowed(Of::Nunique), "nunique": "How many distinct values are in each window.";
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

    /// The rank of the last value among those of its window, from 1; missing where it is missing. Of the methods
    /// [`RankMethod::Average`], `Min` and `Max`, as in pandas; with `pct` as a part of the number of values. It is appended as a column named after the
    /// column, with `_rank` behind.
    ///
    /// # Errors
    /// If the column does not exist or is not of numbers, or for another method.
    #[track_caller]
    pub fn rank(&self, column: &str, method: RankMethod, ascending: bool, pct: bool) -> Result<Frame> {
        let location = Location::caller();
        if !matches!(method, RankMethod::Average | RankMethod::Min | RankMethod::Max) {
            let reason = "windows know the methods Average, Min and Max; choose one of these";
            return Err(Error::invalid_at("rolling", reason, location));
        }
        let rank = Of::Rank { method, descending: !ascending, pct };
        self.statistic(Statistic::Windowed(rank), column, &format!("{column}_rank"), location)
    }

    /// The covariance of two columns in each window, of the rows in which neither is missing. It is appended as a column named after both, with
    /// `_cov` behind.
    ///
    /// # Errors
    /// If a column does not exist or is not of numbers.
    #[track_caller]
    pub fn cov(&self, column: &str, other: &str, ddof: u8) -> Result<Frame> {
        self.pair(Of::Cov(ddof), column, other, "cov", Location::caller())
    }

    /// The correlation of two columns in each window, of the rows in which neither is missing; missing where one is constant. It is appended as a
    /// column named after both, with `_corr` behind.
    ///
    /// # Errors
    /// If a column does not exist or is not of numbers.
    #[track_caller]
    pub fn corr(&self, column: &str, other: &str) -> Result<Frame> {
        self.pair(Of::Corr, column, other, "corr", Location::caller())
    }

    /// A function of the values of each window, missing ones among them as NaN; pandas' `apply` with `raw=True`. It is appended as a column
    /// of float64 named after the column, with `_apply` behind. A closure cannot leave this process.
    ///
    /// # Errors
    /// If the column does not exist or is not of numbers.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, Span, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [1.0, 2.0, 5.0]).unwrap(), 2);
    /// let ranges = frame.rolling(Span::rows(2))?.apply("x", |x| x[1] - x[0])?.compute()?;
    /// assert!(ranges.column("x_apply").unwrap().f64().unwrap().iter().eq([None, Some(1.0), Some(3.0)]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn apply(&self, column: &str, function: impl Fn(&[f64]) -> f64 + Send + Sync + 'static) -> Result<Frame> {
        let location = Location::caller();
        let value = self.value(column, location)?;
        let windowed = self.windowed(Of::Function, location)?;
        let call = move |columns: &mut [Column]| {
            let mut values = Vec::new();
            windowed.rolled(columns, |x, _| {
                values.clear();
                values.extend(x.iter().map(|x| x.unwrap_or(f64::NAN)));
                Some(function(&values))
            })
        };
        let expr = closure(call, self.with_times(vec![value]));
        self.made(vec![(expr, format!("{column}_apply"))], location)
    }

    /// Several statistics at once: pairs of a column and the name of a statistic of those without parameters (`ddof` is 1), each appended as a column named
    /// after both. Each partition is read with its neighbours once.
    ///
    /// # Errors
    /// If there is no such statistic, a column does not exist or is not of numbers.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, Span, df};
    /// let frame = Frame::from_polars(df!("x" => [1.0, 2.0, 5.0]).unwrap(), 2);
    /// let both = frame.rolling(Span::rows(2))?.agg([("x", "mean"), ("x", "max")])?;
    /// assert_eq!(both.column_names(), ["x", "x_mean", "x_max"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn agg<A: AsRef<str>, B: AsRef<str>>(&self, statistics: impl IntoIterator<Item = (A, B)>) -> Result<Frame> {
        let location = Location::caller();
        let mut exprs = Vec::new();
        for (column, name) in statistics {
            let (column, name) = (column.as_ref(), name.as_ref());
            let statistic = Statistic::named(name).ok_or_else(|| {
                let reason = format!(
                    "there is no statistic `{name}`; there are sum, mean, min, max, count, var, std, sem, median, skew, kurt, first, last and nunique"
                );
                Error::invalid_at("rolling", reason, location)
            })?;
            exprs.push((self.expr(statistic, column, location)?, format!("{column}_{name}")));
        }
        if exprs.is_empty() {
            return Err(Error::invalid_at("rolling", "no statistic is asked for; name at least one", location));
        }
        self.made(exprs, location)
    }

    /// A column of numbers as floats.
    fn value(&self, column: &str, location: &'static Location<'static>) -> Result<Expr> {
        let field = self.frame.field("rolling", column, location)?;
        if !field.dtype.is_primitive_numeric() && !field.dtype.is_bool() {
            let reason = format!("column `{column}` is of type {}; cast it to a number first", field.dtype);
            return Err(Error::invalid_at("rolling", reason, location));
        }
        Ok(col(field.name).cast(DataType::Float64))
    }

    fn pair(
        &self,
        of: Of,
        column: &str,
        other: &str,
        suffix: &str,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let values = vec![self.value(column, location)?, self.value(other, location)?];
        let expr = Function::Windowed(self.windowed(of, location)?).of(self.with_times(values));
        self.made(vec![(expr, format!("{column}_{other}_{suffix}"))], location)
    }

    /// The columns of a function of windows.
    fn with_times(&self, mut values: Vec<Expr>) -> Vec<Expr> {
        if let Reach::Time { column, .. } = &self.window {
            values.push(col(column.as_str()));
        }
        values
    }

    /// What is computed by windows of our own.
    fn windowed(&self, of: Of, at: &'static Location<'static>) -> Result<Windowed> {
        let (extent, most) = match &self.window {
            Reach::Time { nanoseconds, .. } => {
                let left = matches!(self.closed, ClosedWindow::Left | ClosedWindow::Both);
                let right = matches!(self.closed, ClosedWindow::Right | ClosedWindow::Both);
                (Extent::Time { nanoseconds: *nanoseconds, left, right }, 1)
            }
            Reach::Rows(rows) => (Extent::Rows { rows: *rows, center: self.center }, self.rows(*rows, at)?),
            Reach::Nothing => (Extent::Rows { rows: 1, center: false }, 1),
        };
        let least = self.min_periods.unwrap_or(most) as u64;
        Ok(Windowed { of, extent, least })
    }

    /// How many rows a window has, which must be enough.
    fn rows(&self, rows: u64, at: &'static Location<'static>) -> Result<usize> {
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        match self.min_periods.filter(|&least| least > rows) {
            None => Ok(rows),
            Some(least) => {
                let reason = format!("a window of {rows} rows never has {least} values; lower `min_periods`");
                Err(Error::invalid_at("rolling", reason, at))
            }
        }
    }

    fn statistic(
        &self,
        statistic: Statistic,
        column: &str,
        name: &str,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        self.made(vec![(self.expr(statistic, column, location)?, name.into())], location)
    }

    fn expr(&self, statistic: Statistic, column: &str, location: &'static Location<'static>) -> Result<Expr> {
        let value = match statistic {
            Statistic::Count => {
                col(self.frame.field("rolling", column, location)?.name).is_not_null().cast(DataType::Float64)
            }
            _ => self.value(column, location)?,
        };
        let by_time = matches!(self.window, Reach::Time { .. });
        let own = match statistic {
            Statistic::Windowed(of) => Some(of),
            _ if !by_time => None,
            Statistic::Sum | Statistic::Count => Some(Of::Sum),
            Statistic::Mean => Some(Of::Mean),
            Statistic::Min => Some(Of::Min),
            Statistic::Max => Some(Of::Max),
            Statistic::Var(ddof) => Some(Of::Var(ddof)),
            Statistic::Std(ddof) => Some(Of::Std(ddof)),
            Statistic::Median => Some(Of::Quantile(0.5)),
            Statistic::Quantile(q) => Some(Of::Quantile(q)),
            Statistic::Skew => Some(Of::Skew),
            Statistic::Kurtosis => Some(Of::Kurt),
            Statistic::Sem(_) => None,
        };
        if let Some(of) = own {
            let mut windowed = self.windowed(of, location)?;
            if statistic == Statistic::Count && self.min_periods.is_none() {
                windowed.least = 0;
            }
            return Ok(Function::Windowed(windowed).of(self.with_times(vec![value])));
        }
        if let Statistic::Sem(ddof) = statistic {
            let spread = self.expr(Statistic::Std(ddof), column, location)?;
            let count = self.expr(Statistic::Count, column, location)?;
            return Ok(spread / count.sqrt());
        }
        match &self.window {
            Reach::Rows(rows) => self.by_rows(statistic, value, self.rows(*rows, location)?),
            // Windows of time have been seen to.
            Reach::Nothing | Reach::Time { .. } => Ok(value),
        }
    }

    /// Columns made of windows, in groups if there are keys.
    fn made(&self, exprs: Vec<(Expr, String)>, location: &'static Location<'static>) -> Result<Frame> {
        let keys: Vec<Expr> = self.keys.iter().cloned().map(col).collect();
        let grouped = |(expr, name): (Expr, String)| {
            let expr = match keys.is_empty() {
                true => expr,
                false => expr
                    .over(keys.as_slice())
                    .map_err(|error| refused("rolling", &self.frame.node.schema, &error, location))?,
            };
            Ok(expr.alias(name))
        };
        let exprs = exprs.into_iter().map(grouped).collect::<Result<Vec<_>>>()?;
        let after = match (&self.window, self.center) {
            (Reach::Rows(_), true) => self.window.clone(),
            _ => Reach::Nothing,
        };
        let neighbours = Neighbours { before: self.window.clone(), after, keys: self.keys.clone() };
        self.frame.window("rolling", exprs, neighbours, self.location)
    }

    fn by_rows(&self, statistic: Statistic, value: Expr, rows: usize) -> Result<Expr> {
        let least = self.min_periods.unwrap_or(if statistic == Statistic::Count { 0 } else { rows });
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
            // These are made of others.
            Statistic::Sem(_) | Statistic::Windowed(_) => value,
        })
    }
}
