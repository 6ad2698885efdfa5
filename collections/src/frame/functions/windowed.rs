//! Statistics of windows that polars' rolling functions have not, or of times that are there several times. Each such window is computed by itself: in rows times the length of windows, and with the same
//! bits in any partitions.

use hashbrown::HashSet;
use polars::prelude::{
    ClosedWindow, Column, DataFrame, DataType, Duration, IntoColumn, IntoLazy, NamedFrom, PolarsError, PolarsResult,
    QuantileMethod, RankMethod, RollingFnParams, RollingOptionsDynamicWindow, RollingVarParams, Series, TimeUnit, col,
};
use serde::{Deserialize, Serialize};

/// A statistic of windows, and how many values they have at least.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Windowed {
    pub(crate) of: Of,
    pub(crate) extent: Extent,
    pub(crate) least: u64,
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Of {
    Sum,
    Mean,
    Min,
    Max,
    Var(u8),
    Std(u8),
    Quantile(f64),
    First,
    Last,
    Nunique,
    Rank {
        method: RankMethod,
        descending: bool,
        pct: bool,
    },
    Skew,
    Kurt,
    Cov(u8),
    Corr,
    /// A function that a user gives.
    Function,
}

/// How far a window reaches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Extent {
    Rows {
        rows: u64,
        center: bool,
    },
    /// By the last of the columns. An open right end leaves out the row itself.
    Time {
        nanoseconds: i64,
        left: bool,
        right: bool,
    },
}

type Values = [Option<f64>];

impl Extent {
    /// The rows of each window.
    fn bounds(self, rows: usize, times: Option<&Column>) -> PolarsResult<Vec<(usize, usize)>> {
        match self {
            Extent::Rows { rows: window, center } => {
                let window = usize::try_from(window).unwrap_or(usize::MAX).max(1);
                let ahead = if center { (window - 1) / 2 } else { 0 };
                let of = |row: usize| {
                    let end = (row + 1).saturating_add(ahead);
                    (end.saturating_sub(window).min(rows), end.min(rows))
                };
                Ok((0..rows).map(of).collect())
            }
            Extent::Time { nanoseconds, left, right } => {
                let times = times.ok_or_else(|| PolarsError::ComputeError("windows of time without times".into()))?;
                let zone = match times.dtype() {
                    DataType::Datetime(_, zone) => zone.clone(),
                    _ => None,
                };
                let times = times.cast(&DataType::Datetime(TimeUnit::Nanoseconds, zone))?.cast(&DataType::Int64)?;
                let times: Vec<i64> = times.i64()?.iter().flatten().collect();
                let mut start = 0;
                let of = |(row, &time): (usize, &i64)| {
                    let limit = time.saturating_sub(nanoseconds);
                    let before = |other: i64| if left { other < limit } else { other <= limit };
                    while start < row && times.get(start).is_some_and(|&other| before(other)) {
                        start += 1;
                    }
                    (start, row + usize::from(right))
                };
                Ok(times.iter().enumerate().map(of).collect())
            }
        }
    }
}

impl Windowed {
    pub(crate) fn name(self) -> &'static str {
        match self.of {
            Of::Sum => "sum",
            Of::Mean => "mean",
            Of::Min => "min",
            Of::Max => "max",
            Of::Var(_) => "var",
            Of::Std(_) => "std",
            Of::Quantile(_) => "quantile",
            Of::First => "first",
            Of::Last => "last",
            Of::Nunique => "nunique",
            Of::Rank { .. } => "rank",
            Of::Skew => "skew",
            Of::Kurt => "kurt",
            Of::Cov(_) => "cov",
            Of::Corr => "corr",
            Of::Function => "apply",
        }
    }

    pub(super) fn apply(self, columns: &[Column]) -> PolarsResult<Column> {
        match self.by_polars(columns)? {
            Some(made) => Ok(made),
            None => self.rolled(columns, |x, y| self.of.window(x, y)),
        }
    }

    /// What polars computes of windows of time, faster than window by window. Of rows of the same time, its windows hold those behind, too, which may be in another
    /// partition, and which pandas' windows do not: then it is not asked.
    fn by_polars(self, columns: &[Column]) -> PolarsResult<Option<Column>> {
        let (Extent::Time { nanoseconds, left, right }, [value, times]) = (self.extent, columns) else {
            return Ok(None);
        };
        let physical = times.to_physical_repr().cast(&DataType::Int64)?;
        let physical: Vec<Option<i64>> = physical.i64()?.iter().collect();
        if physical.is_empty() || !physical.is_sorted_by(|a, b| a < b) {
            return Ok(None);
        }
        let options = |fn_params| -> PolarsResult<RollingOptionsDynamicWindow> {
            Ok(RollingOptionsDynamicWindow {
                // Polars tells a length of time from a number of rows by the way it is written.
                window_size: Duration::try_parse(&format!("{nanoseconds}ns"))?,
                min_periods: usize::try_from(self.least).unwrap_or(usize::MAX),
                closed_window: match (left, right) {
                    (true, true) => ClosedWindow::Both,
                    (true, false) => ClosedWindow::Left,
                    (false, true) => ClosedWindow::Right,
                    (false, false) => ClosedWindow::None,
                },
                fn_params,
            })
        };
        let spread = |ddof| Some(RollingFnParams::Var(RollingVarParams { ddof }));
        let (x, by) = (col("value"), col("time"));
        let expr = match self.of {
            Of::Sum => x.rolling_sum_by(by, options(None)?),
            Of::Mean => x.rolling_mean_by(by, options(None)?),
            Of::Min => x.rolling_min_by(by, options(None)?),
            Of::Max => x.rolling_max_by(by, options(None)?),
            Of::Var(ddof) => x.rolling_var_by(by, options(spread(ddof))?),
            Of::Std(ddof) => x.rolling_std_by(by, options(spread(ddof))?),
            Of::Quantile(q) => x.rolling_quantile_by(by, QuantileMethod::Linear, q, options(None)?),
            _ => return Ok(None),
        };
        let table =
            vec![value.cast(&DataType::Float64)?.with_name("value".into()), times.clone().with_name("time".into())];
        let made = DataFrame::new(value.len(), table)?.lazy().select([expr]).collect()?;
        Ok(made.columns().first().map(|made| made.clone().with_name(value.name().clone())))
    }

    /// A function of the values of each window that has enough of them.
    pub(crate) fn rolled(
        self,
        columns: &[Column],
        mut function: impl FnMut(&Values, &Values) -> Option<f64>,
    ) -> PolarsResult<Column> {
        let (values, times) = match (self.extent, columns) {
            (Extent::Rows { .. }, values) => (values, None),
            (Extent::Time { .. }, [values @ .., times]) => (values, Some(times)),
            (Extent::Time { .. }, []) => (columns, None),
        };
        let floats = |column: &Column| -> PolarsResult<Vec<Option<f64>>> {
            Ok(column.cast(&DataType::Float64)?.f64()?.iter().collect())
        };
        let first = values.first().ok_or_else(|| PolarsError::ComputeError("windows without values".into()))?;
        let mut x = floats(first)?;
        let mut y = values.get(1).map(floats).transpose()?;
        // Of pairs both are there.
        if let Some(y) = &mut y {
            for (x, y) in x.iter_mut().zip(y) {
                if x.is_none() || y.is_none() {
                    (*x, *y) = (None, None);
                }
            }
        }
        let bounds = self.extent.bounds(x.len(), times)?;
        let of = |(start, end): (usize, usize)| {
            let window = x.get(start..end).unwrap_or_default();
            let other = y.as_ref().and_then(|y| y.get(start..end)).unwrap_or_default();
            let there = window.iter().flatten().count() as u64;
            if there < self.least { None } else { function(window, other) }
        };
        let made: Vec<Option<f64>> = bounds.into_iter().map(of).collect();
        Ok(Series::new(first.name().clone(), made).into_column())
    }
}

/// The sums of powers of distances from the mean.
fn moments(values: &[f64]) -> [f64; 3] {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let add = |[second, third, fourth]: [f64; 3], x: &f64| {
        let d = x - mean;
        let square = d * d;
        [second + square, third + square * d, fourth + square * square]
    };
    values.iter().fold([0.0; 3], add)
}

impl Of {
    fn window(self, x: &Values, y: &Values) -> Option<f64> {
        let values = || x.iter().flatten().copied();
        let spread = |ddof: u8| {
            let values: Vec<f64> = values().collect();
            let [second, _, _] = moments(&values);
            let free = values.len() as f64 - f64::from(ddof);
            (free > 0.0).then(|| second / free)
        };
        // NaN stands in the result, as it does in polars'.
        let extreme = |better: fn(f64, f64) -> f64| {
            values().reduce(|a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { better(a, b) })
        };
        match self {
            Of::Sum => Some(values().sum::<f64>() + 0.0),
            Of::Mean => Some(values().sum::<f64>() / values().count() as f64).filter(|_| values().next().is_some()),
            Of::Min => extreme(f64::min),
            Of::Max => extreme(f64::max),
            Of::Var(ddof) => spread(ddof),
            Of::Std(ddof) => spread(ddof).map(f64::sqrt),
            Of::Quantile(q) => {
                let mut values: Vec<f64> = values().collect();
                values.sort_unstable_by(f64::total_cmp);
                let place = q * values.len().saturating_sub(1) as f64;
                let (low, high) = (values.get(place.floor() as usize)?, values.get(place.ceil() as usize)?);
                let part = place - place.floor();
                Some(if part == 0.0 { *low } else { low + (high - low) * part })
            }
            Of::First => values().next(),
            Of::Last => values().next_back(),
            Of::Nunique => {
                let bits = |x: f64| if x.is_nan() { f64::NAN.to_bits() } else { (x + 0.0).to_bits() };
                Some(values().map(bits).collect::<HashSet<u64>>().len() as f64)
            }
            Of::Rank { method, descending, pct } => {
                let last = (*x.last()?)?;
                let order = |x: f64| if descending { last.total_cmp(&x) } else { x.total_cmp(&last) };
                let below = values().filter(|&x| order(x).is_lt()).count() as f64;
                let equal = values().filter(|&x| order(x).is_eq()).count() as f64;
                let rank = match method {
                    RankMethod::Min => below + 1.0,
                    RankMethod::Max => below + equal,
                    _ => below + (equal + 1.0) / 2.0,
                };
                Some(if pct { rank / values().count() as f64 } else { rank })
            }
            Of::Skew | Of::Kurt => {
                let values: Vec<f64> = values().collect();
                let n = values.len() as f64;
                let [second, third, fourth] = moments(&values);
                let same = values.iter().all(|x| Some(x) == values.first());
                match self {
                    Of::Skew if n < 3.0 => None,
                    Of::Skew if same => Some(0.0),
                    Of::Skew => {
                        let spread = second / n;
                        Some((n * (n - 1.0)).sqrt() / (n - 2.0) * (third / n) / (spread * spread.sqrt()))
                    }
                    _ if n < 4.0 => None,
                    _ if same => Some(-3.0),
                    _ => {
                        let spread = second / n;
                        let plain = (n * n - 1.0) * (fourth / n) / (spread * spread) - 3.0 * (n - 1.0) * (n - 1.0);
                        Some(plain / ((n - 2.0) * (n - 3.0)))
                    }
                }
            }
            Of::Cov(_) | Of::Corr => {
                let pairs: Vec<(f64, f64)> = x.iter().zip(y).filter_map(|(x, y)| (*x).zip(*y)).collect();
                let n = pairs.len() as f64;
                let (mean_x, mean_y) = pairs.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
                let add = |[xy, xx, yy]: [f64; 3], (x, y): &(f64, f64)| {
                    let (dx, dy) = (x - mean_x, y - mean_y);
                    [xy + dx * dy, xx + dx * dx, yy + dy * dy]
                };
                let [xy, xx, yy] = pairs.iter().fold([0.0; 3], add);
                match self {
                    Of::Cov(ddof) => Some(xy / (n - f64::from(ddof))).filter(|_| n > f64::from(ddof)),
                    _ => Some(xy / (xx * yy).sqrt()).filter(|_| xx > 0.0 && yy > 0.0),
                }
            }
            Of::Function => None,
        }
    }
}
