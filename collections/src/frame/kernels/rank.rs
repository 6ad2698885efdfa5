//! Ranks over all partitions: values are cut into ranges, ranked in each, and the ranks go back to the rows.
//!
//! Equal values are in one range; how many values there are in the ranges before says where its ranks begin.

use polars::prelude::{
    Column, DataFrame, DataType, IdxSize, IntoColumn, NamedFrom, PlSmallStr, PolarsError, PolarsResult, RankMethod,
    RankOptions, Series, SeriesRank,
};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::order::Order;
use super::split::cut;
use super::{ROW, failed};
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// The column that values are ranked in.
const VALUE: &str = "value";

/// One stage.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum RankKernel {
    /// Cuts the values of a partition that are not missing, with their rows. Inputs: the partition, and the table of splitters if there are several
    /// parts.
    Scatter { order: Order, parts: u32 },
    /// Ranks the values of one range. Gives the ranks of the rows of each partition, and how many values (or distinct ones) there are.
    Compute { method: RankMethod, descending: bool },
    /// Puts the ranks of columns into a partition. Inputs: the partition, then for each column the ranks of each range and the numbers
    /// of values in them.
    Restore { columns: Vec<String>, parts: u32, pct: bool },
}

impl RankKernel {
    pub(crate) const NAMES: [&'static str; 3] = ["frame.rank.scatter", "frame.rank", "frame.rank.restore"];

    fn scatter(
        order: &Order,
        parts: u32,
        block: u64,
        frame: &DataFrame,
        cuts: Option<&DataFrame>,
    ) -> PolarsResult<Vec<DataFrame>> {
        let none = || PolarsError::ComputeError("ranks have no order".into());
        let name = &order.keys.first().ok_or_else(none)?.column;
        let frame = frame.select([name.as_str()])?.with_row_index(ROW.into(), None)?;
        let present = frame.column(name)?.is_not_null();
        let frame = frame.filter(&present)?;
        let numbers = match cuts {
            Some(cuts) => order.parts(&frame, block, cuts)?,
            None => vec![0; frame.height()],
        };
        let mut frame = frame;
        frame.rename(name, VALUE.into())?;
        cut(frame, &numbers, parts)
    }

    fn compute(method: RankMethod, descending: bool, frames: Vec<DataFrame>) -> PolarsResult<(Vec<DataFrame>, u64)> {
        let heights: Vec<usize> = frames.iter().map(DataFrame::height).collect();
        let frame = join(frames)?;
        let values = frame.column(VALUE)?.as_materialized_series().clone();
        let ranks = match values.is_empty() {
            true => Series::new_empty(VALUE.into(), &DataType::Float64),
            false => values.rank(RankOptions { method, descending }, None).cast(&DataType::Float64)?,
        };
        let count = match method {
            RankMethod::Dense => ranks.max::<f64>()?.unwrap_or(0.0) as u64,
            _ => ranks.len() as u64,
        };
        let ranked = DataFrame::new(
            frame.height(),
            vec![frame.column(ROW)?.clone(), ranks.with_name(VALUE.into()).into_column()],
        )?;
        let mut start = 0;
        let parts = heights.into_iter().map(|height| {
            let part = ranked.slice(start, height);
            start += height as i64;
            part
        });
        Ok((parts.collect(), count))
    }

    fn restored(rows: usize, ranks: &[DataFrame], counts: &[u64], pct: bool) -> PolarsResult<Series> {
        let mut made: Vec<Option<f64>> = vec![None; rows];
        let total: u64 = counts.iter().sum();
        let mut before = 0;
        for (part, count) in ranks.iter().zip(counts) {
            let (at, values) = (part.column(ROW)?.idx()?, part.column(VALUE)?.f64()?);
            for (row, rank) in at.iter().zip(values.iter()) {
                let slot = row.and_then(|row: IdxSize| made.get_mut(row as usize));
                if let (Some(slot), Some(rank)) = (slot, rank) {
                    let rank = before as f64 + rank;
                    *slot = Some(if pct { rank / total as f64 } else { rank });
                }
            }
            before += count;
        }
        Ok(Series::new(PlSmallStr::EMPTY, made))
    }
}

impl Kernel for RankKernel {
    fn name(&self) -> &str {
        let [scatter, rank, restore] = Self::NAMES;
        match self {
            RankKernel::Scatter { .. } => scatter,
            RankKernel::Compute { .. } => rank,
            RankKernel::Restore { .. } => restore,
        }
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        match self {
            RankKernel::Scatter { order, parts } => {
                let mut frames = inputs.iter_mut().map(Partition::take).collect::<KernelResult<Vec<_>>>()?.into_iter();
                let (frame, cuts) = (frames.next().unwrap_or_default(), frames.next());
                let made = alone(|| Self::scatter(order, *parts, task.block, &frame, cuts.as_ref())).map_err(failed)?;
                Ok(Value::Parts(made.into_iter().map(|part| Value::block(Partition(part))).collect()))
            }
            RankKernel::Compute { method, descending } => {
                let frames = inputs.iter_mut().map(Partition::take).collect::<KernelResult<Vec<_>>>()?;
                let (made, count) = alone(|| Self::compute(*method, *descending, frames)).map_err(failed)?;
                let parts = made.into_iter().map(|part| Value::block(Partition(part)));
                Ok(Value::Parts(parts.chain([Value::U64(count)]).collect()))
            }
            RankKernel::Restore { columns, parts, pct } => {
                let (first, rest) = inputs.split_first_mut().ok_or_else(|| super::group::missing("the partition"))?;
                let mut frame = Partition::take(first)?;
                let parts = *parts as usize;
                for (name, values) in columns.iter().zip(rest.chunks_mut((2 * parts).max(1))) {
                    let (ranks, counts) = values.split_at_mut(parts.min(values.len()));
                    let ranks = ranks.iter_mut().map(Partition::take).collect::<KernelResult<Vec<_>>>()?;
                    let counts: Vec<u64> =
                        counts.iter().map(|count| if let Value::U64(count) = count { *count } else { 0 }).collect();
                    let made = Self::restored(frame.height(), &ranks, &counts, *pct).map_err(failed)?;
                    let column: Column = made.with_name(name.as_str().into()).into_column();
                    frame.with_column(column).map_err(failed)?;
                }
                Ok(Value::block(Partition(frame)))
            }
        }
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        super::group::encode(self.name(), self)
    }
}
