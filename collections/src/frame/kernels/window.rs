//! Windows over rows: a partition with the rows before and after it that a window reaches.

use polars::prelude::{Column, DataFrame, DataType, Expr, IntoLazy, PolarsError, Schema, SchemaRef, TimeUnit, col};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelError, KernelResult, Result, TaskContext, Value};

use super::group::{encode, missing};
use super::{ROW_NUMBER, failed};
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::step::columns;
use crate::frame::threads::alone;
use crate::frame::wire::Wire;

/// How far a window reaches beyond a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Reach {
    /// Not at all.
    Nothing,
    /// So many rows; of each group, if there are keys.
    Rows(u64),
    /// All rows that are less than so many nanoseconds away, by a column in which they are sorted.
    Time { column: String, nanoseconds: i64 },
}

/// The rows at one end of a partition that a window in the next one reaches. Inputs: the partition, and what was found beyond it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct EdgeKernel {
    pub(crate) reach: Reach,
    /// The columns that are read of them.
    pub(crate) columns: Vec<String>,
    pub(crate) keys: Vec<String>,
    /// Whether the rows are the first ones, for the partition before.
    pub(crate) first: bool,
}

impl EdgeKernel {
    pub(crate) const NAME: &'static str = "frame.window.edge";

    fn rows(&self, part: &DataFrame, beyond: Option<DataFrame>) -> KernelResult<DataFrame> {
        let part = part.select(self.columns.iter().map(String::as_str)).map_err(failed)?;
        let far = beyond.unwrap_or_else(|| part.clear());
        let near = part.height();
        match &self.reach {
            Reach::Nothing => Ok(part.clear()),
            Reach::Rows(rows) if self.keys.is_empty() => {
                let rows = usize::try_from(*rows).unwrap_or(usize::MAX);
                // Whole partitions in between are not copied to take a few rows.
                let kept = near.min(rows);
                let (inner, outer) = if self.first {
                    (part.head(Some(kept)), far.head(Some(rows - kept)))
                } else {
                    (part.tail(Some(kept)), far.tail(Some(rows - kept)))
                };
                let frames = if self.first { vec![inner, outer] } else { vec![outer, inner] };
                join(frames).map_err(failed)
            }
            Reach::Rows(rows) => {
                let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
                let count = usize::try_from(*rows).unwrap_or(usize::MAX);
                let frames = if self.first { vec![part, far] } else { vec![far, part] };
                let joined = join(frames).map_err(failed)?;
                let groups = joined
                    .lazy()
                    .with_row_index(ROW_NUMBER, None)
                    .group_by_stable(keys.iter().map(|key| col(*key)).collect::<Vec<_>>());
                let kept = if self.first { groups.head(Some(count)) } else { groups.tail(Some(count)) };
                let names: Vec<Expr> = self.columns.iter().map(|name| col(name.as_str())).collect();
                kept.sort([ROW_NUMBER], Default::default()).select(names).collect().map_err(failed)
            }
            Reach::Time { column, nanoseconds } => {
                let frames = if self.first { vec![part, far] } else { vec![far, part] };
                let joined = join(frames).map_err(failed)?;
                let times = sorted_times(&joined, column)?;
                let rows = times.len();
                let end = if self.first { times.first() } else { times.last() };
                let Some(&end) = end else { return Ok(joined) };
                if self.first {
                    let limit = end.saturating_add(*nanoseconds);
                    Ok(joined.head(Some(times.partition_point(|&time| time <= limit))))
                } else {
                    let limit = end.saturating_sub(*nanoseconds);
                    Ok(joined.tail(Some(rows - times.partition_point(|&time| time < limit))))
                }
            }
        }
    }
}

/// The column of times, if none is missing and they are in order.
fn checked<'a>(frame: &'a DataFrame, column: &str) -> KernelResult<&'a Column> {
    let times = frame.column(column).map_err(failed)?;
    if times.null_count() > 0 {
        let reason = format!("column `{column}` has missing times, which are in no window; drop those rows first");
        return Err(KernelError::new(reason));
    }
    // The numbers that times are made of are looked at where they are; only days are of another width.
    let numbers = times.to_physical_repr();
    let numbers =
        if numbers.dtype() == &DataType::Int64 { numbers } else { numbers.cast(&DataType::Int64).map_err(failed)? };
    let mut last = i64::MIN;
    for chunk in numbers.i64().map_err(failed)?.downcast_iter() {
        let values = chunk.values().as_slice();
        let follows = values.first().is_none_or(|first| last <= *first) && values.is_sorted();
        if !follows {
            let reason =
                format!("column `{column}` is not sorted, and windows of time need it: use `sort_values` first");
            return Err(KernelError::new(reason));
        }
        last = values.last().copied().unwrap_or(last);
    }
    Ok(times)
}

/// The times in nanoseconds.
fn sorted_times(frame: &DataFrame, column: &str) -> KernelResult<Vec<i64>> {
    let times = checked(frame, column)?;
    let times = match times.dtype() {
        DataType::Date => times.cast(&DataType::Datetime(TimeUnit::Nanoseconds, None)),
        DataType::Datetime(_, zone) => times.cast(&DataType::Datetime(TimeUnit::Nanoseconds, zone.clone())),
        _ => Ok(times.clone()),
    };
    let times = times.and_then(|times| times.cast(&DataType::Int64)).map_err(failed)?;
    Ok(times.i64().map_err(failed)?.iter().flatten().collect())
}

impl Kernel for EdgeKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let beyond = inputs.get_mut(1).map(Partition::take).transpose()?;
        let part = Partition::take(inputs.first_mut().ok_or_else(|| missing("the partition"))?)?;
        Ok(Value::block(Partition(alone(|| self.rows(&part, beyond))?)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}

/// A partition between the rows before and after it. Inputs: the partition, then those of the two that are there.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Around {
    pub(crate) blocks: u64,
    pub(crate) before: bool,
    pub(crate) after: bool,
}

impl Around {
    /// The rows before, the partition, the rows after.
    pub(super) fn take(
        &self,
        block: u64,
        inputs: &mut [Value],
    ) -> KernelResult<(Option<DataFrame>, DataFrame, Option<DataFrame>)> {
        let mut inputs = inputs.iter_mut();
        let part = Partition::take(inputs.next().ok_or_else(|| missing("the partition"))?)?;
        let mut next = |there: bool| match there {
            true => inputs.next().map(Partition::take).transpose(),
            false => Ok(None),
        };
        let before = next(self.before && block > 0)?;
        let after = next(self.after && block + 1 < self.blocks)?;
        Ok((before, part, after))
    }
}

/// Expressions over a partition and the rows around it; the results replace columns or are appended.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct WindowKernel {
    pub(crate) around: Around,
    /// The columns that the expressions read.
    pub(crate) columns: Vec<String>,
    pub(crate) exprs: Wire<Vec<Expr>>,
    /// The column that is to be sorted.
    pub(crate) time: Option<String>,
}

impl WindowKernel {
    pub(crate) const NAME: &'static str = "frame.window";

    pub(crate) fn apply(
        &self,
        before: Option<DataFrame>,
        mut part: DataFrame,
        after: Option<DataFrame>,
    ) -> KernelResult<DataFrame> {
        let inner = part.select(self.columns.iter().map(String::as_str)).map_err(failed)?;
        let (skip, rows) = (before.as_ref().map_or(0, DataFrame::height), part.height());
        let joined = join(before.into_iter().chain([inner]).chain(after).collect()).map_err(failed)?;
        if let Some(time) = &self.time {
            checked(&joined, time)?;
        }
        let whole = joined.height();
        let made = evaluated(joined, &self.exprs.0).map_err(failed)?;
        if made.height() != whole {
            let reason =
                format!("the expressions made {} rows of {whole}; a window gives one row for each", made.height());
            return Err(KernelError::new(reason));
        }
        for column in made.slice(skip as i64, rows).into_columns() {
            part.with_column(column).map_err(failed)?;
        }
        Ok(part)
    }
}

impl Kernel for WindowKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let (before, part, after) = self.around.take(task.block, inputs)?;
        Ok(Value::block(Partition(alone(|| self.apply(before, part, after))?)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}

/// A user's function on a partition and the rows around it; what it gives for those is cut off.
pub(crate) struct OverlapKernel<F> {
    pub(crate) around: Around,
    pub(crate) name: String,
    pub(crate) function: F,
    pub(crate) schema: Schema,
}

impl<F> Kernel for OverlapKernel<F>
where
    F: Fn(DataFrame) -> KernelResult<DataFrame> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        "frame.map_overlap"
    }

    fn describe(&self) -> String {
        format!("frame.map_overlap({})", self.name)
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let (before, part, after) = self.around.take(task.block, inputs)?;
        let (skip, rows) = (before.as_ref().map_or(0, DataFrame::height), part.height());
        let made = alone(|| {
            let joined = join(before.into_iter().chain([part]).chain(after).collect()).map_err(failed)?;
            let whole = joined.height();
            let made = (self.function)(joined)?;
            if made.height() == whole { Ok(made) } else { Err((whole, made.height())) }.map_err(|(whole, made)| {
                let reason =
                    format!("the function made {made} rows of {whole}, but must give one for each that it gets");
                KernelError::new(reason)
            })
        })?;
        if **made.schema() != self.schema {
            let (found, wanted) = (columns(made.schema()), columns(&self.schema));
            return Err(KernelError::new(format!("the function gave the columns {found}, but {wanted} were promised")));
        }
        Ok(Value::block(Partition(made.slice(skip as i64, rows))))
    }
}

/// Expressions on a frame. Without rows they are not run: some of polars' windows panic there.
fn evaluated(frame: DataFrame, exprs: &[Expr]) -> std::result::Result<DataFrame, PolarsError> {
    let empty = frame.height() == 0;
    let mut query = frame.lazy().select(exprs);
    if empty { Ok(DataFrame::empty_with_schema(&*query.collect_schema()?)) } else { query.collect() }
}

/// The columns that expressions make of such a frame.
pub(crate) fn made_of(schema: &Schema, exprs: &[Expr]) -> std::result::Result<SchemaRef, PolarsError> {
    DataFrame::empty_with_schema(schema).lazy().select(exprs).collect_schema()
}
