//! Quantiles of a whole frame: exact, without bringing its values together.
//!
//! Each partition sorts a column and hands on every so many of its values. From these it is known between which two values a quantile
//! must be, and that little lies between them. In a second pass partitions hand on what does, and how many values are below.

use polars::prelude::{Column, DataFrame, DataType, ListChunked, NamedFrom, PolarsError, QuantileMethod, Series, df};
use polars::prelude::{IntoColumn, IntoSeries};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::encode;
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;
use crate::frame::wire::Wire;

/// How many values of a partition's column are handed on.
const SAMPLES: usize = 1024;

type Frame = std::result::Result<DataFrame, PolarsError>;

/// The columns and quantiles that are asked for. All columns are float64.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) columns: Vec<String>,
    pub(crate) quantiles: Vec<f64>,
    pub(crate) method: Wire<QuantileMethod>,
}

/// One stage.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum QuantileKernel {
    /// A sample of each column of a partition.
    Sample(Quantiles),
    /// The samples of all partitions: between which values each quantile is.
    Bounds(Quantiles),
    /// A partition and the bounds: how many values are below, and those between.
    Pick(Quantiles),
    /// What was picked in all partitions, and the bounds: the quantiles.
    Result(Quantiles),
    /// The samples of all partitions: quantiles that are nearly right.
    Guess(Quantiles),
}

/// What is known of a quantile.
#[derive(Clone, Copy)]
struct Bound {
    /// How many values there are.
    count: u64,
    /// No value of the quantile is below.
    low: f64,
    /// None is above.
    high: f64,
}

/// The values that are not missing, in ascending order; NaN is the largest. One zero, one NaN.
fn sorted(column: &Column) -> std::result::Result<Vec<f64>, PolarsError> {
    let mut values: Vec<f64> = values(column)?;
    values.sort_unstable_by(f64::total_cmp);
    Ok(values)
}

fn values(column: &Column) -> std::result::Result<Vec<f64>, PolarsError> {
    let plain = |x: f64| if x.is_nan() { f64::NAN } else { x + 0.0 };
    Ok(column.f64()?.iter().flatten().map(plain).collect())
}

/// Which two of `count` values in order a quantile is made of, and the part of the second one.
fn ranks(count: u64, quantile: f64) -> (u64, u64, f64) {
    let last = count.saturating_sub(1);
    let place = quantile * last as f64;
    let low = (place.floor() as u64).min(last);
    (low, (place.ceil() as u64).min(last), place - place.floor())
}

impl Quantiles {
    fn sample(&self, frame: &DataFrame) -> Frame {
        let (mut of, mut value, mut weight, mut step) =
            (Vec::<u64>::new(), Vec::<f64>::new(), Vec::<u64>::new(), Vec::<u64>::new());
        for (at, name) in self.columns.iter().enumerate() {
            let values = sorted(frame.column(name)?)?;
            let every = values.len().div_ceil(SAMPLES).max(1);
            for chunk in values.chunks(every) {
                of.push(at as u64);
                value.extend(chunk.last());
                weight.push(chunk.len() as u64);
                step.push(every as u64);
            }
        }
        df!("of" => of, "value" => value, "weight" => weight, "step" => step)
    }

    /// The samples of a column, in order, and by how many values a rank may be off: `(value, weight)`.
    fn samples(
        frame: &DataFrame,
        at: usize,
        last: &[usize],
    ) -> std::result::Result<(Vec<(f64, u64)>, u64), PolarsError> {
        let of = frame.column("of")?.u64()?.clone();
        let (value, weight) = (frame.column("value")?.f64()?.clone(), frame.column("weight")?.u64()?.clone());
        let step = frame.column("step")?.u64()?;
        let mut samples = Vec::new();
        let mut slack = 0;
        let mut row = 0;
        for &rows in last {
            let mut largest = 0;
            for row in row..row + rows {
                if of.get(row) == Some(at as u64) {
                    samples.extend(value.get(row).zip(weight.get(row)));
                    largest = largest.max(step.get(row).unwrap_or(1));
                }
            }
            // Of the values between two samples all but the second one may be below.
            slack += u64::max(largest, 1) - 1;
            row += rows;
        }
        samples.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        Ok((samples, slack))
    }

    fn each(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        (0..self.columns.len()).flat_map(|at| self.quantiles.iter().map(move |&quantile| (at, quantile)))
    }

    fn bounds(&self, frames: Vec<DataFrame>) -> Frame {
        let rows: Vec<usize> = frames.iter().map(DataFrame::height).collect();
        let frame = join(frames)?;
        let (mut count, mut low, mut high) = (Vec::new(), Vec::new(), Vec::new());
        for (at, quantile) in self.each() {
            let (samples, slack) = Self::samples(&frame, at, &rows)?;
            let total: u64 = samples.iter().map(|sample| sample.1).sum();
            let (first, second, _) = ranks(total, quantile);
            let (mut below, mut least, mut most) = (0, None, None);
            for &(value, weight) in &samples {
                // At most this many values are less than this one.
                if below + slack <= first {
                    least = Some(value);
                }
                below += weight;
                // At least this many are not greater.
                if most.is_none() && below > second {
                    most = Some(value);
                }
            }
            count.push(total);
            low.push(least.unwrap_or(f64::NEG_INFINITY));
            high.push(most.unwrap_or(f64::NAN));
        }
        df!("count" => count, "low" => low, "high" => high)
    }

    fn known(bounds: &DataFrame) -> std::result::Result<Vec<Bound>, PolarsError> {
        let count = bounds.column("count")?.u64()?;
        let (low, high) = (bounds.column("low")?.f64()?, bounds.column("high")?.f64()?);
        let rows = count.iter().zip(low.iter()).zip(high.iter());
        Ok(rows
            .map(|((count, low), high)| Bound {
                count: count.unwrap_or(0),
                low: low.unwrap_or(f64::NEG_INFINITY),
                high: high.unwrap_or(f64::NAN),
            })
            .collect())
    }

    fn pick(&self, frame: &DataFrame, bounds: &DataFrame) -> Frame {
        let bounds = Self::known(bounds)?;
        let (mut below, mut at_low) = (Vec::new(), Vec::new());
        let mut between: Vec<Series> = Vec::new();
        for (at, name) in self.columns.iter().enumerate() {
            let values = values(frame.column(name)?)?;
            for bound in bounds.iter().skip(at * self.quantiles.len()).take(self.quantiles.len()) {
                let order = |x: &f64| (x.total_cmp(&bound.low), x.total_cmp(&bound.high));
                below.push(values.iter().filter(|x| order(x).0.is_lt()).count() as u64);
                at_low.push(values.iter().filter(|x| order(x).0.is_eq()).count() as u64);
                let inside: Vec<f64> =
                    values.iter().copied().filter(|x| order(x).0.is_gt() && order(x).1.is_lt()).collect();
                between.push(Series::new("".into(), inside));
            }
        }
        let between: ListChunked = between.into_iter().map(Some).collect();
        let between = match between.dtype() {
            DataType::List(inner) if **inner == DataType::Float64 => between.into_series(),
            _ => between.into_series().cast(&DataType::List(Box::new(DataType::Float64)))?,
        };
        let mut picked = df!("below" => below, "low" => at_low)?;
        picked.with_column(between.with_name("between".into()).into_column())?;
        Ok(picked)
    }

    fn result(&self, mut frames: Vec<DataFrame>) -> Frame {
        let Some(bounds) = frames.pop() else { return Ok(DataFrame::default()) };
        let bounds = Self::known(&bounds)?;
        let mut results = Vec::with_capacity(bounds.len());
        for (number, ((_, quantile), bound)) in self.each().zip(&bounds).enumerate() {
            let (mut below, mut at_low, mut inside) = (0, 0, Vec::new());
            for frame in &frames {
                below += frame.column("below")?.u64()?.get(number).unwrap_or(0);
                at_low += frame.column("low")?.u64()?.get(number).unwrap_or(0);
                if let Some(list) = frame.column("between")?.list()?.get_as_series(number) {
                    inside.extend(list.f64()?.iter().flatten());
                }
            }
            inside.sort_unstable_by(f64::total_cmp);
            let value = |rank: u64| match rank.saturating_sub(below) {
                rank if rank < at_low => bound.low,
                rank => inside.get((rank - at_low) as usize).copied().unwrap_or(bound.high),
            };
            results.push(self.between(bound.count, quantile, value));
        }
        self.table(results)
    }

    fn guess(&self, frames: Vec<DataFrame>) -> Frame {
        let rows: Vec<usize> = frames.iter().map(DataFrame::height).collect();
        let frame = join(frames)?;
        let mut results = Vec::new();
        for (at, quantile) in self.each() {
            let (samples, slack) = Self::samples(&frame, at, &rows)?;
            let total: u64 = samples.iter().map(|sample| sample.1).sum();
            let value = |rank: u64| {
                // The middle of what it may be.
                let mut below = 0;
                let found = samples.iter().find(|(_, weight)| {
                    below += weight;
                    below + slack / 2 > rank
                });
                found.or(samples.last()).map_or(f64::NAN, |sample| sample.0)
            };
            results.push(self.between(total, quantile, value));
        }
        self.table(results)
    }

    fn between(&self, count: u64, quantile: f64, value: impl Fn(u64) -> f64) -> Option<f64> {
        if count == 0 {
            return None;
        }
        let (low, high, part) = ranks(count, quantile);
        Some(match self.method.0 {
            QuantileMethod::Lower => value(low),
            QuantileMethod::Higher => value(high),
            QuantileMethod::Midpoint => midpoint(value(low), value(high), 0.5),
            QuantileMethod::Linear => midpoint(value(low), value(high), part),
            QuantileMethod::Nearest if part < 0.5 || (part == 0.5 && low % 2 == 0) => value(low),
            QuantileMethod::Nearest => value(high),
            QuantileMethod::Equiprobable => {
                let rank = (quantile * count as f64).ceil() as u64;
                value(rank.max(1) - 1)
            }
        })
    }

    /// A row for each quantile, a column for each column.
    fn table(&self, results: Vec<Option<f64>>) -> Frame {
        let mut frame = df!("quantile" => self.quantiles.clone())?;
        let chunks = results.chunks(self.quantiles.len().max(1));
        for (name, values) in self.columns.iter().zip(chunks) {
            frame.with_column(Column::new(name.as_str().into(), values))?;
        }
        Ok(frame)
    }
}

fn midpoint(low: f64, high: f64, part: f64) -> f64 {
    if low == high { low } else { low + (high - low) * part }
}

impl QuantileKernel {
    pub(crate) const NAMES: [&'static str; 5] = [
        "frame.quantile.sample",
        "frame.quantile.bounds",
        "frame.quantile.pick",
        "frame.quantile",
        "frame.quantile.guess",
    ];

    pub(crate) fn apply(&self, frames: Vec<DataFrame>) -> Frame {
        match (self, frames.as_slice()) {
            (QuantileKernel::Sample(asked), [frame, ..]) => asked.sample(frame),
            (QuantileKernel::Pick(asked), [frame, bounds, ..]) => asked.pick(frame, bounds),
            (QuantileKernel::Bounds(asked), _) => asked.bounds(frames),
            (QuantileKernel::Result(asked), _) => asked.result(frames),
            (QuantileKernel::Guess(asked), _) => asked.guess(frames),
            _ => Err(PolarsError::ComputeError("an input of the quantiles is missing".into())),
        }
    }
}

impl Kernel for QuantileKernel {
    fn name(&self) -> &str {
        let [sample, bounds, pick, result, guess] = Self::NAMES;
        match self {
            QuantileKernel::Sample(_) => sample,
            QuantileKernel::Bounds(_) => bounds,
            QuantileKernel::Pick(_) => pick,
            QuantileKernel::Result(_) => result,
            QuantileKernel::Guess(_) => guess,
        }
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frames: Vec<DataFrame> = inputs.iter_mut().map(Partition::take).collect::<KernelResult<_>>()?;
        Ok(Value::block(Partition(alone(|| self.apply(frames)).map_err(failed)?)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(self.name(), self)
    }
}
