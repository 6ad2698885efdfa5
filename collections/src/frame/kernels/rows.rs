//! Rows counted along the partitions.

use polars::prelude::{Column, IntoColumn, NamedFrom, Series};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use crate::frame::partition::Partition;

/// A name that no user's column has.
pub(crate) const ROW_NUMBER: &str = "\u{1}row number";

/// Puts the rows' numbers before a partition; the second input says how many rows there are before it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct RowIndexKernel {
    pub(crate) column: String,
    pub(crate) offset: i64,
}

impl RowIndexKernel {
    pub(crate) const NAME: &'static str = "frame.row_index";
}

impl Kernel for RowIndexKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let before = match inputs.get(1) {
            Some(Value::U64(rows)) => *rows as i64,
            _ => 0,
        };
        let mut frame = Partition::take(inputs.first_mut().ok_or_else(|| missing("the partition"))?)?;
        let start = self.offset.saturating_add(before);
        let numbers: Vec<i64> = (0..frame.height() as i64).map(|row| start.saturating_add(row)).collect();
        // Where rows alone are wanted, a column may still be there that nobody reads.
        if frame.schema().contains(&self.column) {
            frame = frame.drop(&self.column).map_err(failed)?;
        }
        let column: Column = Series::new(self.column.as_str().into(), numbers).into_column();
        frame.insert_column(0, column).map_err(failed)?;
        Ok(Value::block(Partition(frame)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}
