//! Rows by their number over all partitions.

use polars::prelude::{Column, DataFrame, IdxCa, IdxSize, IntoColumn, NamedFrom, PlSmallStr, Series};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelError, KernelResult, Result, TaskContext, Value};

use super::group::{encode, missing};
use super::{ROW_NUMBER, failed};
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// A range of rows; a negative number counts from the end, as in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowRange {
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
}

impl RowRange {
    /// Whether it takes the number of all rows to know which they are.
    pub(crate) fn counts_back(&self) -> bool {
        self.start < 0 || self.end.is_some_and(|end| end < 0)
    }

    /// The first row and the one behind the last, of `total` rows.
    pub(crate) fn of(&self, total: u64) -> (u64, u64) {
        let place = |at: i64| match u64::try_from(at) {
            Ok(at) => at.min(total),
            Err(_) => total.saturating_sub(at.unsigned_abs()),
        };
        let start = place(self.start);
        (start, self.end.map_or(total, place).max(start))
    }

    /// The rows of it in a partition that begins with row `first`: where they begin there, and how many.
    pub(crate) fn within(&self, total: u64, first: u64, rows: u64) -> (u64, u64) {
        let (start, end) = self.of(total);
        let (start, end) = (start.clamp(first, first + rows), end.clamp(first, first + rows));
        (start - first, end.saturating_sub(start))
    }
}

/// Rows of a partition.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum PositionKernel {
    /// Where they begin and how many they are, for each block.
    Known(Vec<(u64, u64)>),
    /// A range of all rows. Inputs: the partition, how many rows there are before it unless it is the first, and how many in all if
    /// it counts from the end.
    Range(RowRange),
    /// Those of these numbers, with their place in the list. Inputs: the partition, how many rows there are before it unless it is the first, and how many
    /// in all.
    List(Vec<i64>),
}

impl PositionKernel {
    pub(crate) const NAMES: [&'static str; 3] = ["frame.rows.known", "frame.rows.range", "frame.rows.list"];
}

fn picked(frame: &DataFrame, list: &[i64], first: u64, total: u64) -> KernelResult<DataFrame> {
    let (mut rows, mut places): (Vec<IdxSize>, Vec<u64>) = (Vec::new(), Vec::new());
    for (place, &number) in (0..).zip(list) {
        let row = match u64::try_from(number) {
            Ok(row) => Some(row),
            Err(_) => total.checked_sub(number.unsigned_abs()),
        };
        let Some(row) = row.filter(|&row| row < total) else {
            return Err(KernelError::new(format!("there is no row {number}: there are {total} rows")));
        };
        if let Some(row) = row.checked_sub(first).filter(|&row| row < frame.height() as u64) {
            rows.push(row as IdxSize);
            places.push(place);
        }
    }
    let mut frame = frame.take(&IdxCa::from_vec(PlSmallStr::EMPTY, rows)).map_err(failed)?;
    let places: Column = Series::new(ROW_NUMBER.into(), places).into_column();
    frame.with_column(places).map_err(failed)?;
    Ok(frame)
}

impl Kernel for PositionKernel {
    fn name(&self) -> &str {
        let [known, range, list] = Self::NAMES;
        match self {
            PositionKernel::Known(_) => known,
            PositionKernel::Range(_) => range,
            PositionKernel::List(_) => list,
        }
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let (part, counts) = inputs.split_first_mut().ok_or_else(|| missing("the partition"))?;
        let frame = Partition::take(part)?;
        let mut counts = counts.iter().map(|count| if let Value::U64(count) = count { *count } else { 0 });
        let first = if task.block > 0 && !matches!(self, PositionKernel::Known(_)) { counts.next() } else { None };
        let (first, total) = (first.unwrap_or(0), counts.next());
        let slice = |(start, rows): (u64, u64)| frame.slice(start as i64, rows as usize);
        let made = match self {
            PositionKernel::Known(slices) => {
                let found = usize::try_from(task.block).ok().and_then(|block| slices.get(block));
                slice(*found.ok_or_else(|| missing("the rows of the partition"))?)
            }
            PositionKernel::Range(range) => {
                let rows = frame.height() as u64;
                slice(range.within(total.unwrap_or(u64::MAX), first, rows))
            }
            PositionKernel::List(list) => {
                let total = total.ok_or_else(|| missing("the number of rows"))?;
                alone(|| picked(&frame, list, first, total))?
            }
        };
        Ok(Value::block(Partition(made)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(self.name(), self)
    }
}
