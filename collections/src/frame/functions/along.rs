//! Statistics of all values so far: of equal weight (`expanding`) or of weights that fade (`ewm`). A state goes along the rows, and from one
//! partition to the next: the result has the same bits for any partitions.

use polars::prelude::{Column, DataType, IntoColumn, NamedFrom, PolarsError, PolarsResult, Series};
use serde::{Deserialize, Serialize};

/// A statistic, and how many values it takes at least.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Along {
    pub(crate) statistic: Statistic,
    pub(crate) least: u64,
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Statistic {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    First,
    Last,
    Var(u8),
    Std(u8),
    Sem(u8),
    Skew,
    Kurt,
    Cov(u8),
    Corr,
    Fading(Fading, Weights),
}

/// What is computed with weights that fade.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Fading {
    Mean,
    Sum,
    Var { bias: bool },
    Std { bias: bool },
    Cov { bias: bool },
    Corr,
}

/// How weights fade.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Weights {
    pub(crate) alpha: f64,
    pub(crate) adjust: bool,
    pub(crate) ignore_na: bool,
}

/// What goes along the rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    rows: u64,
    count: u64,
    /// A sum with what was rounded off, or the value itself.
    sum: f64,
    rest: f64,
    /// Central moments, or co-moments: of x and y, x alone, y alone.
    mean: f64,
    mean_y: f64,
    second: f64,
    third: f64,
    fourth: f64,
    /// Weights, their sum and that of their squares, where they fade.
    weight: f64,
    weights: f64,
    squares: f64,
}

impl Statistic {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Statistic::Count => "count",
            Statistic::Sum | Statistic::Fading(Fading::Sum, _) => "sum",
            Statistic::Mean | Statistic::Fading(Fading::Mean, _) => "mean",
            Statistic::Min => "min",
            Statistic::Max => "max",
            Statistic::First => "first",
            Statistic::Last => "last",
            Statistic::Var(_) | Statistic::Fading(Fading::Var { .. }, _) => "var",
            Statistic::Std(_) | Statistic::Fading(Fading::Std { .. }, _) => "std",
            Statistic::Sem(_) => "sem",
            Statistic::Skew => "skew",
            Statistic::Kurt => "kurt",
            Statistic::Cov(_) | Statistic::Fading(Fading::Cov { .. }, _) => "cov",
            Statistic::Corr | Statistic::Fading(Fading::Corr, _) => "corr",
        }
    }

    fn fades(self) -> bool {
        matches!(self, Statistic::Fading(..))
    }
}

/// A square root; what is below zero by rounding alone is zero.
fn root(x: f64) -> f64 {
    if x < 0.0 { 0.0 } else { x.sqrt() }
}

fn shared(sum: f64, count: u64, ddof: u8) -> Option<f64> {
    let free = count.checked_sub(u64::from(ddof)).filter(|&free| free > 0)?;
    Some(sum / free as f64)
}

impl State {
    /// One more value, or pair of them.
    fn push(&mut self, statistic: Statistic, x: f64, y: f64) {
        self.count += 1;
        let n = self.count as f64;
        match statistic {
            Statistic::Count => {}
            Statistic::Sum | Statistic::Mean => {
                // As Kahan has it; what is infinite has no rest.
                let term = x - self.rest;
                let sum = self.sum + term;
                let rest = (sum - self.sum) - term;
                self.rest = if rest.is_finite() { rest } else { 0.0 };
                self.sum = sum;
            }
            Statistic::Min => self.sum = if self.count == 1 { x } else { self.sum.min(x) },
            Statistic::Max => self.sum = if self.count == 1 { x } else { self.sum.max(x) },
            Statistic::First if self.count > 1 => {}
            Statistic::First | Statistic::Last => self.sum = x,
            Statistic::Cov(_) | Statistic::Corr => {
                let (dx, dy) = (x - self.mean, y - self.mean_y);
                self.mean += dx / n;
                self.mean_y += dy / n;
                self.second += dx * (y - self.mean_y);
                self.third += dx * (x - self.mean);
                self.fourth += dy * (y - self.mean_y);
            }
            Statistic::Var(_) | Statistic::Std(_) | Statistic::Sem(_) | Statistic::Skew | Statistic::Kurt => {
                let delta = x - self.mean;
                let step = delta / n;
                let square = step * step;
                let term = delta * step * (n - 1.0);
                self.mean += step;
                self.fourth +=
                    term * square * (n * n - 3.0 * n + 3.0) + 6.0 * square * self.second - 4.0 * step * self.third;
                self.third += term * step * (n - 2.0) - 3.0 * step * self.second;
                self.second += term;
            }
            Statistic::Fading(..) => {}
        }
    }

    /// One row where weights fade: `None` if its value is missing.
    fn fade(&mut self, what: Fading, weights: Weights, value: Option<(f64, f64)>) {
        let Weights { alpha, adjust, ignore_na } = weights;
        let (kept, new) = (1.0 - alpha, if adjust { 1.0 } else { alpha });
        let first = self.count == 0;
        self.count += u64::from(value.is_some());
        if first {
            if let Some((x, y)) = value {
                (self.sum, self.mean, self.mean_y) = (x, x, y);
                (self.weight, self.weights, self.squares) = (1.0, 1.0, 1.0);
            }
            return;
        }
        if value.is_none() && ignore_na {
            return;
        }
        match what {
            Fading::Sum => {
                self.sum *= kept;
                self.sum += value.map_or(0.0, |(x, _)| x);
            }
            Fading::Mean => {
                self.weight *= kept;
                let Some((x, _)) = value else { return };
                if self.sum != x {
                    self.sum = (self.weight * self.sum + new * x) / (self.weight + new);
                }
                self.weight = if adjust { self.weight + new } else { 1.0 };
            }
            Fading::Var { .. } | Fading::Std { .. } | Fading::Cov { .. } | Fading::Corr => {
                self.weights *= kept;
                self.squares *= kept * kept;
                self.weight *= kept;
                let Some((x, y)) = value else { return };
                let (old, all) = (self.weight, self.weight + new);
                let mean = |before: f64, x: f64| if before == x { x } else { (old * before + new * x) / all };
                let (before, before_y) = (self.mean, self.mean_y);
                let (now, now_y) = (mean(before, x), mean(before_y, y));
                let moved = |moment: f64, from: (f64, f64), to: (f64, f64), at: (f64, f64)| {
                    (old * (moment + (from.0 - to.0) * (from.1 - to.1)) + new * (at.0 - to.0) * (at.1 - to.1)) / all
                };
                self.second = moved(self.second, (before, before_y), (now, now_y), (x, y));
                self.third = moved(self.third, (before, before), (now, now), (x, x));
                self.fourth = moved(self.fourth, (before_y, before_y), (now_y, now_y), (y, y));
                (self.mean, self.mean_y) = (now, now_y);
                self.weights += new;
                self.squares += new * new;
                self.weight += new;
                if !adjust {
                    self.weights /= self.weight;
                    self.squares /= self.weight * self.weight;
                    self.weight = 1.0;
                }
            }
        }
    }

    /// The statistic of what has come so far.
    fn value(&self, along: Along) -> Option<f64> {
        let seen = if along.statistic == Statistic::Count { self.rows } else { self.count };
        if seen < along.least {
            return None;
        }
        let n = self.count as f64;
        let unbiased = |bias: bool| {
            let square = self.weights * self.weights;
            match bias {
                true => Some(1.0),
                false => (square > self.squares).then(|| square / (square - self.squares)),
            }
        };
        match along.statistic {
            Statistic::Count => Some(n),
            _ if self.count == 0 => (along.statistic == Statistic::Sum).then_some(0.0),
            Statistic::Sum => Some(self.sum),
            Statistic::Mean => Some(self.sum / n),
            Statistic::Min | Statistic::Max | Statistic::First | Statistic::Last => Some(self.sum),
            Statistic::Var(ddof) | Statistic::Cov(ddof) => shared(self.second, self.count, ddof),
            Statistic::Std(ddof) => shared(self.second, self.count, ddof).map(root),
            Statistic::Sem(ddof) => shared(self.second, self.count, ddof).map(|var| root(var) / n.sqrt()),
            Statistic::Corr => Some(self.second / (self.third * self.fourth).sqrt()).filter(|corr| !corr.is_nan()),
            Statistic::Skew if self.count < 3 => None,
            Statistic::Skew if self.second == 0.0 => Some(0.0),
            Statistic::Skew => {
                let (spread, third) = (self.second / n, self.third / n);
                Some((n * (n - 1.0)).sqrt() / (n - 2.0) * third / (spread * spread.sqrt()))
            }
            Statistic::Kurt if self.count < 4 => None,
            Statistic::Kurt if self.second == 0.0 => Some(-3.0),
            Statistic::Kurt => {
                let (spread, fourth) = (self.second / n, self.fourth / n);
                let plain = (n * n - 1.0) * fourth / (spread * spread) - 3.0 * (n - 1.0) * (n - 1.0);
                Some(plain / ((n - 2.0) * (n - 3.0)))
            }
            Statistic::Fading(Fading::Mean | Fading::Sum, _) => Some(self.sum),
            Statistic::Fading(Fading::Var { bias } | Fading::Cov { bias }, _) => {
                unbiased(bias).map(|factor| factor * self.second)
            }
            Statistic::Fading(Fading::Std { bias }, _) => unbiased(bias).map(|factor| root(factor * self.second)),
            Statistic::Fading(Fading::Corr, _) => {
                Some(self.second / (self.third * self.fourth).sqrt()).filter(|corr| !corr.is_nan())
            }
        }
    }
}

impl Along {
    /// The type of the result; `None` if it makes no sense.
    pub(crate) fn dtype(self, dtype: &DataType) -> Option<DataType> {
        let fits = dtype.is_primitive_numeric() || dtype.is_bool() || self.statistic == Statistic::Count;
        fits.then_some(DataType::Float64)
    }

    /// The results of all rows of a group.
    pub(super) fn apply(self, columns: &[Column]) -> PolarsResult<Column> {
        let series: Vec<Series> = columns.iter().map(|column| column.as_materialized_series().clone()).collect();
        Ok(self.run(&series, None)?.0.into_column())
    }

    /// The results, and what the rows behind begin with: one row of bytes.
    pub(crate) fn run(self, columns: &[Series], before: Option<&Series>) -> PolarsResult<(Series, Series)> {
        let lost = |_| PolarsError::ComputeError("the state of the rows before cannot be read".into());
        let mut state = match before.map(|before| before.binary()).transpose()?.and_then(|bytes| bytes.get(0)) {
            Some(bytes) => postcard::from_bytes(bytes).map_err(lost)?,
            None => State::default(),
        };
        let floats = |series: &Series| match self.statistic {
            Statistic::Count => Ok(series.is_not_null().iter().map(|is| (is == Some(true)).then_some(1.0)).collect()),
            _ => Ok::<Vec<Option<f64>>, PolarsError>(series.cast(&DataType::Float64)?.f64()?.iter().collect()),
        };
        let (x, y) = match columns {
            [x] => (x, None),
            [x, y] => (x, Some(floats(y)?)),
            _ => return Err(PolarsError::ComputeError("a statistic of one or two columns".into())),
        };
        // Least and greatest pass over NaN, as running ones do.
        let extreme = matches!(self.statistic, Statistic::Min | Statistic::Max);
        let step = |(row, x): (usize, Option<f64>)| {
            let y = y.as_ref().map_or(x, |y| y.get(row).copied().flatten());
            let value = x.zip(y).filter(|(x, _)| !(extreme && x.is_nan()));
            state.rows += 1;
            match (self.statistic, value) {
                (Statistic::Fading(what, weights), value) => state.fade(what, weights, value),
                (statistic, Some((x, y))) => state.push(statistic, x, y),
                (_, None) => {}
            }
            state.value(self)
        };
        let made: Vec<Option<f64>> = floats(x)?.into_iter().enumerate().map(step).collect();
        let bytes = postcard::to_stdvec(&state).map_err(lost)?;
        let carried = Series::new(x.name().clone(), [bytes.as_slice()]);
        Ok((Series::new(x.name().clone(), made), carried))
    }

    pub(crate) fn name(self) -> String {
        let way = if self.statistic.fades() { "ewm" } else { "expanding" };
        format!("{way} {}", self.statistic.name())
    }
}
