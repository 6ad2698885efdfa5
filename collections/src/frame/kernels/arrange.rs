//! A small table put together from cells of others.

use polars::prelude::{Column, DataFrame, DataType, PolarsError};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::encode;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// Makes a table of texts and float64 numbers from cells of its inputs.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ArrangeKernel {
    /// The name of the column of texts, and the texts.
    pub(crate) labels: (String, Vec<String>),
    /// Columns of numbers, a cell for each row.
    pub(crate) columns: Vec<(String, Vec<Cell>)>,
}

/// Where a number stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) input: u32,
    pub(crate) column: String,
    pub(crate) row: u32,
}

impl ArrangeKernel {
    pub(crate) const NAME: &'static str = "frame.arrange";

    pub(crate) fn apply(&self, inputs: &[DataFrame]) -> std::result::Result<DataFrame, PolarsError> {
        let cell = |cell: &Cell| -> std::result::Result<Option<f64>, PolarsError> {
            let Some(input) = inputs.get(cell.input as usize) else { return Ok(None) };
            let column = input.column(&cell.column)?.cast(&DataType::Float64)?;
            Ok(column.f64()?.get(cell.row as usize))
        };
        let mut columns = vec![Column::new(self.labels.0.as_str().into(), self.labels.1.as_slice())];
        for (name, cells) in &self.columns {
            let values: Vec<Option<f64>> = cells.iter().map(cell).collect::<std::result::Result<_, _>>()?;
            columns.push(Column::new(name.as_str().into(), values));
        }
        DataFrame::new(self.labels.1.len(), columns)
    }
}

impl Kernel for ArrangeKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frames: Vec<DataFrame> = inputs.iter_mut().map(Partition::take).collect::<KernelResult<_>>()?;
        Ok(Value::block(Partition(alone(|| self.apply(&frames)).map_err(failed)?)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}
