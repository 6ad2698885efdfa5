//! Running results along the partitions: what a partition ends with is what the next one begins with.

use polars::prelude::{Column, DataFrame, DataType, FillNullStrategy, IntoColumn, PolarsError, Series};
use polars_ops::series::{cum_max_with_init, cum_min_with_init, cum_prod_with_init, cum_sum_with_init};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use crate::frame::functions::along::Along;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// What runs along the rows.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Running {
    Sum,
    Prod,
    Min,
    Max,
    /// The last value that is not missing.
    Forward,
    /// The next value that is not missing: from the last row to the first.
    Backward,
    /// A statistic of all values so far.
    Along(Along),
}

/// One column that is made of others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) inputs: Vec<String>,
    pub(crate) output: String,
}

impl Run {
    /// A column that is replaced.
    pub(crate) fn of(column: &str) -> Run {
        Run { inputs: vec![column.into()], output: column.into() }
    }
}

impl Running {
    pub(crate) fn name(self) -> String {
        let name = match self {
            Running::Sum => "cumsum",
            Running::Prod => "cumprod",
            Running::Min => "cummin",
            Running::Max => "cummax",
            Running::Forward => "ffill",
            Running::Backward => "bfill",
            Running::Along(along) => return along.name(),
        };
        name.into()
    }

    /// The type of the result; `None` if it makes no sense.
    pub(crate) fn dtype(self, dtype: &DataType) -> Option<DataType> {
        use DataType as D;
        match self {
            Running::Forward | Running::Backward => Some(dtype.clone()),
            Running::Along(along) => along.dtype(dtype),
            Running::Min | Running::Max => dtype.is_primitive_numeric().then(|| dtype.clone()),
            Running::Sum | Running::Prod => match dtype {
                D::Boolean | D::Int8 | D::Int16 | D::Int32 | D::Int64 => Some(D::Int64),
                D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64 => Some(D::UInt64),
                D::Float32 | D::Float64 => Some(dtype.clone()),
                _ => None,
            },
        }
    }

    /// Sums and products of float32 are carried in float64, so that a border between partitions rounds nothing.
    fn carried(self, dtype: &DataType) -> DataType {
        match (self, self.dtype(dtype)) {
            (Running::Sum | Running::Prod, Some(DataType::Float32)) => DataType::Float64,
            (_, Some(dtype)) => dtype,
            (_, None) => dtype.clone(),
        }
    }

    /// The result, and what the next partition begins with: one row.
    fn run(self, columns: &[Series], before: Option<&Series>) -> std::result::Result<(Series, Series), PolarsError> {
        if let Running::Along(along) = self {
            return along.run(columns, before);
        }
        let one = columns.first().ok_or_else(|| PolarsError::ComputeError("no column runs".into()));
        let series = one?;
        let dtype = series.dtype().clone();
        let series = series.cast(&self.carried(&dtype))?;
        let init = match before {
            Some(before) => before.get(0)?.into_static(),
            None => polars::prelude::AnyValue::Null,
        };
        let back = self == Running::Backward;
        let done = match self {
            Running::Sum => cum_sum_with_init(&series, false, &init)?,
            Running::Prod => cum_prod_with_init(&series, false, &init)?,
            Running::Min => cum_min_with_init(&series, false, &init)?,
            Running::Max => cum_max_with_init(&series, false, &init)?,
            Running::Forward | Running::Backward | Running::Along(_) => filled(series, before, back)?,
        };
        let values = done.drop_nulls();
        let at = if back { 0 } else { values.len().saturating_sub(1) };
        let carried = match (values.is_empty(), before) {
            (false, _) => values.slice(at as i64, 1),
            (true, Some(before)) => before.clone(),
            (true, None) => Series::full_null(done.name().clone(), 1, done.dtype()),
        };
        let done = match self.dtype(&dtype) {
            Some(dtype) if dtype != *done.dtype() => done.cast(&dtype)?,
            _ => done,
        };
        Ok((done, carried))
    }
}

/// Missing values take the value before (or after) them; `edge` stands beyond the border.
fn filled(series: Series, edge: Option<&Series>, back: bool) -> std::result::Result<Series, PolarsError> {
    let strategy = if back { FillNullStrategy::Backward(None) } else { FillNullStrategy::Forward(None) };
    let rows = series.len();
    if series.null_count() == 0 {
        return Ok(series);
    }
    let Some(edge) = edge else { return series.fill_null(strategy) };
    let name = series.name().clone();
    let (mut joined, after) = if back { (series, edge.clone()) } else { (edge.clone(), series) };
    joined.append(&after)?;
    let filled = joined.fill_null(strategy)?.slice(i64::from(!back), rows);
    Ok(filled.with_name(name))
}

/// Runs along one partition. The first input is the partition, the second what the one before ended with. Two parts: the partition, and what the
/// next one begins with.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CarryKernel {
    pub(crate) running: Running,
    pub(crate) runs: Vec<Run>,
}

impl CarryKernel {
    pub(crate) const NAME: &'static str = "frame.running";

    fn apply(
        &self,
        mut frame: DataFrame,
        before: Option<&DataFrame>,
    ) -> std::result::Result<(DataFrame, DataFrame), PolarsError> {
        let mut made: Vec<Column> = Vec::with_capacity(self.runs.len());
        let mut carried: Vec<Column> = Vec::with_capacity(self.runs.len());
        for Run { inputs, output } in &self.runs {
            let series = inputs.iter().map(|name| Ok(frame.column(name)?.as_materialized_series().clone()));
            let series = series.collect::<std::result::Result<Vec<_>, PolarsError>>()?;
            let before = before.map(|before| before.column(output)).transpose()?;
            let (done, last) = self.running.run(&series, before.map(Column::as_materialized_series))?;
            made.push(done.with_name(output.as_str().into()).into_column());
            carried.push(last.with_name(output.as_str().into()).into_column());
        }
        for column in made {
            frame.with_column(column)?;
        }
        Ok((frame, DataFrame::new(1, carried)?))
    }
}

impl Kernel for CarryKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn describe(&self) -> String {
        format!("{}({})", Self::NAME, self.running.name())
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let before = match inputs.get_mut(1) {
            Some(value) => Some(Partition::take(value)?),
            None => None,
        };
        let frame = Partition::take(inputs.first_mut().ok_or_else(|| missing("the partition"))?)?;
        let (frame, carried) = alone(|| self.apply(frame, before.as_ref())).map_err(failed)?;
        Ok(Value::Parts([Value::block(Partition(frame)), Value::block(Partition(carried))].into()))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}
