//! Missing values on the line between those around them: for each partition what is nearest before it and behind it, then the values between.

use polars::prelude::{Column, DataFrame, DataType, IntoColumn, NamedFrom, PolarsResult, Series, TimeUnit};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelError, KernelResult, Result, TaskContext, Value};

use super::group::{encode, missing};
use super::{Around, failed};
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// What is filled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Interpolated {
    pub(crate) columns: Vec<String>,
    /// The column that says where rows stand; else they stand at even distances.
    pub(crate) by: Option<String>,
    /// Over how many missing values in a row.
    pub(crate) limit: Option<u64>,
    pub(crate) forward: bool,
    pub(crate) backward: bool,
    /// Only where there are values on both sides.
    pub(crate) inside: bool,
}

/// A value beside the one that is sought.
#[derive(Clone, Copy)]
struct Near {
    value: f64,
    at: i64,
    /// How many rows away.
    rows: u64,
}

impl Interpolated {
    /// Where rows stand.
    fn places(&self, frame: &DataFrame) -> KernelResult<Vec<i64>> {
        let Some(by) = &self.by else { return Ok((0..frame.height() as i64).collect()) };
        let column = frame.column(by).map_err(failed)?;
        if column.null_count() > 0 {
            let reason = format!("column `{by}` has missing values, which stand nowhere; drop those rows first");
            return Err(KernelError::new(reason));
        }
        let places = || -> PolarsResult<Vec<i64>> {
            let column = match column.dtype() {
                DataType::Date => column.cast(&DataType::Datetime(TimeUnit::Microseconds, None))?,
                _ => column.clone(),
            };
            Ok(column.to_physical_repr().cast(&DataType::Int64)?.i64()?.iter().flatten().collect())
        };
        places().map_err(failed)
    }

    /// For each column the last value of a partition, or the first one; if it has none, that of the partitions beyond.
    fn ends(&self, frame: &DataFrame, beyond: Option<&DataFrame>, first: bool) -> KernelResult<DataFrame> {
        let places = self.places(frame)?;
        let height = frame.height();
        let mut ends: Vec<Option<Near>> = Vec::with_capacity(self.columns.len());
        for (number, name) in self.columns.iter().enumerate() {
            let values = values(frame, name).map_err(failed)?;
            let found = match first {
                true => values.iter().position(Option::is_some),
                false => values.iter().rposition(Option::is_some),
            };
            let near = found.and_then(|row| {
                let rows = if first { row + 1 } else { height - row } as u64;
                Some(Near { value: values.get(row).copied().flatten()?, at: *places.get(row)?, rows })
            });
            let far = || near_of(beyond, number).map(|near| Near { rows: near.rows + height as u64, ..near });
            ends.push(near.or_else(far));
        }
        let column = |name: &str, values: Series| values.with_name(name.into()).into_column();
        let columns = vec![
            column(
                "value",
                Series::new("".into(), ends.iter().map(|end| end.map(|end| end.value)).collect::<Vec<_>>()),
            ),
            column("at", Series::new("".into(), ends.iter().map(|end| end.map(|end| end.at)).collect::<Vec<_>>())),
            column("rows", Series::new("".into(), ends.iter().map(|end| end.map(|end| end.rows)).collect::<Vec<_>>())),
        ];
        DataFrame::new(ends.len(), columns).map_err(failed)
    }

    fn fill(
        &self,
        before: Option<&DataFrame>,
        mut frame: DataFrame,
        after: Option<&DataFrame>,
    ) -> KernelResult<DataFrame> {
        let places = self.places(&frame)?;
        let height = frame.height() as u64;
        let limit = self.limit.unwrap_or(u64::MAX);
        for (number, name) in self.columns.iter().enumerate() {
            let values = values(&frame, name).map_err(failed)?;
            // Rows are numbered in their partition, if nothing says where they stand.
            let number_of = |near: Near, at: i64| if self.by.is_some() { near } else { Near { at, ..near } };
            let mut behind = near_of(before, number).map(|near| number_of(near, -(near.rows as i64)));
            let mut next: Vec<Option<Near>> = Vec::with_capacity(values.len());
            let mut ahead = near_of(after, number).map(|near| number_of(near, (height + near.rows) as i64 - 1));
            for (&value, &at) in values.iter().zip(&places).rev() {
                ahead = ahead.map(|near| Near { rows: near.rows + u64::from(!next.is_empty()), ..near });
                if let Some(value) = value {
                    ahead = Some(Near { value, at, rows: 0 });
                }
                next.push(ahead);
            }
            next.reverse();
            let mut made: Vec<Option<f64>> = Vec::with_capacity(values.len());
            for (row, ((value, at), ahead)) in values.into_iter().zip(&places).zip(next).enumerate() {
                behind = behind.map(|near| Near { rows: near.rows + u64::from(row > 0), ..near });
                if let Some(value) = value {
                    behind = Some(Near { value, at: *at, rows: 0 });
                    made.push(Some(value));
                    continue;
                }
                let reached = |near: Option<Near>, way: bool| way && near.is_some_and(|near| near.rows <= limit);
                let (forward, backward) = (reached(behind, self.forward), reached(ahead, self.backward));
                made.push(match (behind, ahead) {
                    (Some(a), Some(b)) if forward || backward => Some(between(a, b, *at)),
                    (Some(a), None) if forward && !self.inside => Some(a.value),
                    (None, Some(b)) if backward && !self.inside => Some(b.value),
                    _ => None,
                });
            }
            frame.with_column(Series::new(name.as_str().into(), made).into_column()).map_err(failed)?;
        }
        Ok(frame)
    }
}

/// The value on the line between two others.
fn between(a: Near, b: Near, at: i64) -> f64 {
    let length = b.at.wrapping_sub(a.at);
    if length == 0 {
        return a.value;
    }
    let slope = (b.value - a.value) / length as f64;
    slope * (at.wrapping_sub(a.at)) as f64 + a.value
}

fn values(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<f64>>> {
    Ok(frame.column(name)?.cast(&DataType::Float64)?.f64()?.iter().collect())
}

fn near_of(ends: Option<&DataFrame>, number: usize) -> Option<Near> {
    let of = |name: &str| -> Option<&Column> { ends?.column(name).ok() };
    let value = of("value")?.f64().ok()?.get(number)?;
    let at = of("at")?.i64().ok()?.get(number)?;
    let rows = of("rows")?.u64().ok()?.get(number)?;
    Some(Near { value, at, rows })
}

/// One stage.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum InterpolateKernel {
    /// What is nearest to the border. Inputs: the partition, and what was found beyond it.
    Ends { what: Interpolated, first: bool },
    /// The values between.
    Fill { what: Interpolated, around: Around },
}

impl InterpolateKernel {
    pub(crate) const NAMES: [&'static str; 2] = ["frame.interpolate.ends", "frame.interpolate"];
}

impl Kernel for InterpolateKernel {
    fn name(&self) -> &str {
        let [ends, fill] = Self::NAMES;
        if matches!(self, InterpolateKernel::Ends { .. }) { ends } else { fill }
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let made = match self {
            InterpolateKernel::Ends { what, first } => {
                let (part, beyond) = inputs.split_first_mut().ok_or_else(|| missing("the partition"))?;
                let beyond = beyond.first_mut().map(Partition::take).transpose()?;
                let part = Partition::take(part)?;
                alone(|| what.ends(&part, beyond.as_ref(), *first))?
            }
            InterpolateKernel::Fill { what, around } => {
                let (before, part, after) = around.take(task.block, inputs)?;
                alone(|| what.fill(before.as_ref(), part, after.as_ref()))?
            }
        };
        Ok(Value::block(Partition(made)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(self.name(), self)
    }
}

/// A type that has a line between two values.
pub(crate) fn interpolates(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric()
}

/// A type that says where rows stand.
pub(crate) fn is_place(dtype: &DataType) -> bool {
    dtype.is_integer() || matches!(dtype, DataType::Date | DataType::Datetime(..) | DataType::Duration(_))
}
