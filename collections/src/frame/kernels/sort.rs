//! Parts put together and sorted.

use polars::prelude::{DataFrame, PlSmallStr};
use serde::{Deserialize, Serialize};
use talatat_graph::{Block, Kernel, KernelError, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use super::order::Order;
use super::split::gathered;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// Puts parts one below the other and sorts them.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SortKernel {
    pub(crate) order: Order,
    /// Columns that are left out of the result: the order is by them alone.
    pub(crate) without: Vec<String>,
    /// The smallest and the largest value that the first key may have, as the rows of a table.
    pub(crate) within: Option<Bytes>,
}

/// A small table in parameters, as the bytes that partitions travel as.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bytes(Vec<u8>);

impl Bytes {
    pub(crate) fn of(table: &DataFrame) -> KernelResult<Bytes> {
        let mut bytes = Vec::new();
        Partition(table.clone()).encode(&mut bytes)?;
        Ok(Bytes(bytes))
    }

    fn table(&self) -> KernelResult<DataFrame> {
        Partition::decode(&self.0)
    }
}

impl SortKernel {
    pub(crate) const NAME: &'static str = "frame.sort";
}

impl SortKernel {
    /// Whether values are where they may be.
    fn check(&self, sorted: &DataFrame) -> KernelResult<()> {
        let (Some(within), Some(key)) = (&self.within, self.order.keys.first()) else { return Ok(()) };
        let values = sorted.column(&key.column).map_err(failed)?.drop_nulls();
        let ends = within.table()?;
        let ends = ends.columns().first().ok_or_else(|| missing("the table of divisions"))?;
        let mut all = ends.slice(0, 1);
        all.append(&values.slice(0, 1)).map_err(failed)?;
        all.append(&values.slice(-1, 1)).map_err(failed)?;
        all.append(&ends.slice(-1, 1)).map_err(failed)?;
        let name = PlSmallStr::from(key.column.as_str());
        let table = DataFrame::new(all.len(), vec![all.with_name(name)]).map_err(failed)?;
        if Order::ascending(&key.column).holds(&table).map_err(failed)? {
            return Ok(());
        }
        Err(KernelError::new(format!(
            "the index `{}` has values that lie outside of the divisions {ends:?}; give divisions from the smallest to the largest value",
            key.column
        )))
    }
}

impl Kernel for SortKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn describe(&self) -> String {
        format!("{}({})", Self::NAME, self.order.describe())
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let parts = inputs.iter_mut().map(Partition::take).collect::<KernelResult<Vec<_>>>()?;
        let sort = || -> KernelResult<DataFrame> {
            let sorted = gathered(parts).and_then(|frame| self.order.sort(&frame)).map_err(failed)?;
            self.check(&sorted)?;
            Ok(sorted.drop_many(self.without.iter().map(String::as_str)))
        };
        Ok(Value::block(Partition(alone(sort)?)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}
