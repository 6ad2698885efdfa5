//! A user's function on each group.

use std::sync::Arc;

use polars::prelude::{Column, DataFrame, PolarsError, SchemaRef, SortMultipleOptions};
use talatat_graph::{Kernel, KernelError, KernelResult, TaskContext, Value};

use super::failed;
use super::split::{HashKey, cut, hash_parts};
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::step::columns;
use crate::frame::threads::alone;

/// A function from rows to rows.
pub(crate) type RowsFunction = Arc<dyn Fn(DataFrame) -> KernelResult<DataFrame> + Send + Sync>;

/// Puts partitions one below the other and calls a function for each group.
#[derive(Clone)]
pub(crate) struct EachKernel {
    pub(crate) stage: &'static str,
    /// The function's name, for people.
    pub(crate) name: String,
    pub(crate) keys: Vec<String>,
    pub(crate) function: RowsFunction,
    /// Whether the function gives one row, which stands beside the group's keys.
    pub(crate) one_row: bool,
    /// On all groups together, in the end: which columns are the keys then.
    pub(crate) finish: Option<(RowsFunction, Vec<String>)>,
    /// Whether groups are in the order of their keys.
    pub(crate) sort: bool,
    /// Into how many parts the result is cut by its keys.
    pub(crate) parts: Option<u32>,
    /// The columns that are promised.
    pub(crate) schema: Option<SchemaRef>,
}

impl EachKernel {
    pub(crate) fn apply(&self, frames: Vec<DataFrame>) -> KernelResult<DataFrame> {
        let mut frame = join(frames).map_err(failed)?;
        if self.sort {
            frame = sorted(&frame, &self.keys).map_err(failed)?;
        }
        let empty = frame.clear();
        let groups = match frame.height() {
            0 => Vec::new(),
            _ => frame.partition_by_stable(self.keys.as_slice(), true).map_err(failed)?,
        };
        let mut results = Vec::with_capacity(groups.len() + 1);
        for group in groups {
            results.push(self.call(group)?);
        }
        if results.is_empty() {
            results.push(match &self.schema {
                Some(schema) if !self.one_row => DataFrame::empty_with_schema(schema),
                _ => self.call(empty)?.clear(),
            });
        }
        let mut result = join(results).map_err(failed)?;
        result.rechunk_mut();
        if let Some((finish, names)) = &self.finish {
            result = self.finished(result, finish, names)?;
        }
        match &self.schema {
            Some(schema) if **result.schema() != **schema => Err(KernelError::new(format!(
                "the function gave the columns {}, but {} were promised",
                columns(result.schema()),
                columns(schema)
            ))),
            _ => Ok(result),
        }
    }

    fn call(&self, group: DataFrame) -> KernelResult<DataFrame> {
        let keys = group.select(self.keys.as_slice()).map_err(failed)?;
        let result = (self.function)(group.drop_many(self.keys.iter().map(String::as_str)))?;
        if !self.one_row {
            return Ok(result);
        }
        if result.height() != 1 {
            let reason = format!("an aggregation gives one row for a group, but this one gave {}", result.height());
            return Err(KernelError::new(reason));
        }
        let first = match keys.height() {
            0 => DataFrame::new(1, nothing(&keys)).map_err(failed)?,
            _ => keys.head(Some(1)),
        };
        first.hstack(result.columns()).map_err(failed)
    }

    fn finished(&self, states: DataFrame, finish: &RowsFunction, names: &[String]) -> KernelResult<DataFrame> {
        let rows = states.height();
        let mut keys = states.select(self.keys.as_slice()).map_err(failed)?;
        keys.set_column_names(names).map_err(failed)?;
        let result = finish(states.drop_many(self.keys.iter().map(String::as_str)))?;
        if result.height() != rows {
            let reason =
                format!("of {rows} groups the last function gave {} rows; it is to give one for each", result.height());
            return Err(KernelError::new(reason));
        }
        keys.hstack(result.columns()).map_err(failed)
    }

    fn cut(&self, frame: DataFrame, parts: u32) -> std::result::Result<Vec<DataFrame>, PolarsError> {
        let keys: Vec<HashKey> = self.keys.iter().map(HashKey::plain).collect();
        let numbers = hash_parts(&frame, &keys, parts)?;
        cut(frame, &numbers, parts)
    }
}

/// A row of missing values.
fn nothing(frame: &DataFrame) -> Vec<Column> {
    frame.columns().iter().map(|column| Column::full_null(column.name().clone(), 1, column.dtype())).collect()
}

fn sorted(frame: &DataFrame, keys: &[String]) -> std::result::Result<DataFrame, PolarsError> {
    let options =
        SortMultipleOptions::default().with_nulls_last(true).with_maintain_order(true).with_multithreaded(false);
    frame.sort(keys, options)
}

impl Kernel for EachKernel {
    fn name(&self) -> &str {
        self.stage
    }

    fn describe(&self) -> String {
        format!("{}({})", self.stage, self.name)
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frames: Vec<DataFrame> = inputs.iter_mut().map(Partition::take).collect::<KernelResult<_>>()?;
        let Some(parts) = self.parts else {
            return Ok(Value::block(Partition(alone(|| self.apply(frames))?)));
        };
        let parts = alone(|| self.cut(self.apply(frames)?, parts).map_err(failed))?;
        Ok(Value::Parts(parts.into_iter().map(|part| Value::block(Partition(part))).collect()))
    }
}
