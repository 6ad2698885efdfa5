//! A user's reader.

use polars::prelude::{DataFrame, Schema};
use talatat_graph::{Kernel, KernelError, KernelResult, TaskContext, Value};

use crate::frame::partition::Partition;
use crate::frame::step::columns;
use crate::frame::threads::alone;

/// A user's function of the partition's number, with the columns that it promises.
pub(crate) struct FromMapKernel<F> {
    pub(crate) name: String,
    pub(crate) read: F,
    pub(crate) schema: Schema,
}

impl<F> Kernel for FromMapKernel<F>
where
    F: Fn(usize) -> KernelResult<DataFrame> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        "frame.from_map"
    }

    fn describe(&self) -> String {
        format!("frame.from_map({})", self.name)
    }

    fn run(&self, task: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        let frame = alone(|| (self.read)(usize::try_from(task.block).unwrap_or(usize::MAX)))?;
        if **frame.schema() == self.schema {
            return Ok(Value::block(Partition(frame)));
        }
        Err(KernelError::new(format!(
            "item {}: the function gave the columns {}, but {} were promised",
            task.block,
            columns(frame.schema()),
            columns(&self.schema)
        )))
    }
}
