//! Bins of time without rows.

use polars::prelude::{
    DataFrame, DataType, Duration, IntoLazy, PolarsError, PolarsUpsample, SortMultipleOptions, col, lit,
};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::encode;
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// Puts partitions together and adds rows for the bins that have none.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct BinsKernel {
    pub(crate) column: String,
    pub(crate) every: String,
    pub(crate) zeros: Vec<String>,
}

impl BinsKernel {
    pub(crate) const NAME: &'static str = "frame.bins";

    fn apply(&self, frames: Vec<DataFrame>) -> std::result::Result<DataFrame, PolarsError> {
        let options = SortMultipleOptions::default().with_multithreaded(false);
        let table = join(frames)?.sort([self.column.as_str()], options)?;
        if table.height() < 2 {
            return Ok(table);
        }
        let order: Vec<_> = table.get_column_names_owned();
        let schema = table.schema().clone();
        let none: [&str; 0] = [];
        let full = table.upsample_stable(none, &self.column, Duration::try_parse(&self.every)?)?;
        let exprs: Vec<_> = order
            .into_iter()
            .map(|name| match self.zeros.iter().any(|zero| *zero == name.as_str()) {
                true => {
                    let dtype = schema.get(&name).cloned().unwrap_or(DataType::Int64);
                    col(name).fill_null(lit(0).cast(dtype))
                }
                false => col(name),
            })
            .collect();
        full.lazy().select(exprs).collect()
    }
}

impl Kernel for BinsKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frames: Vec<DataFrame> = inputs.iter_mut().map(Partition::take).collect::<KernelResult<_>>()?;
        Ok(Value::block(Partition(alone(|| self.apply(frames)).map_err(failed)?)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}
