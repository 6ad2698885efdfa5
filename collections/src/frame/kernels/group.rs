//! The stages of an aggregation.

use polars::prelude::{
    DataFrame, Expr, IdxCa, IdxSize, IntoLazy, LazyFrame, PlSmallStr, PolarsError, PolarsResult, SortMultipleOptions,
    col,
};
use polars_plan::plans::AExprSorted;
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelError, KernelResult, Result, TaskContext, Value};

use super::dense::{Fold, folded};
use super::failed;
use super::split::{HashKey, cut, hash_parts};
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;
use crate::frame::wire::{Arrives, Wire};

/// Puts partitions one below the other and aggregates them by keys, in one or more passes.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct GroupKernel {
    /// The kernel's name: one of [`GroupKernel::NAMES`].
    pub(crate) stage: String,
    pub(crate) keys: Vec<String>,
    pub(crate) passes: Wire<Vec<Pass>>,
    /// The columns to sort by at the end, and whether descending.
    pub(crate) sorted: Vec<(String, bool)>,
    /// How many of the sorted rows are kept, if not all.
    pub(crate) limit: Option<u64>,
    /// Into how many parts the result is cut by its keys, if into any.
    pub(crate) parts: Option<u32>,
    /// The states of rows, each a group of its own: for partitions whose keys hardly repeat.
    pub(crate) rows: Option<Wire<Vec<Expr>>>,
    /// Whether no rows give no rows. Aggregating them to one would give states of nothing, and the first of two values would be missing.
    pub(crate) skip_empty: bool,
}

/// One pass over the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Pass {
    /// A row for each group. The folds make the same columns, if types are those that they are for.
    Group(Vec<Expr>, Option<Vec<Fold>>),
    /// A row for each row.
    Select(Vec<Expr>),
    /// The rows for which it is true.
    Filter(Expr),
}

impl Arrives for Pass {
    fn arrived(self) -> PolarsResult<Pass> {
        Ok(match self {
            Pass::Group(exprs, folds) => Pass::Group(exprs.arrived()?, folds),
            Pass::Select(exprs) => Pass::Select(exprs.arrived()?),
            Pass::Filter(predicate) => Pass::Filter(predicate.arrived()?),
        })
    }
}

/// How many rows are looked at to see whether keys repeat.
const SAMPLE: usize = 1 << 13;

impl GroupKernel {
    pub(crate) const NAMES: [&'static str; 7] = [
        "frame.top",
        "frame.groupby.split",
        "frame.groupby.partial",
        "frame.groupby.combine",
        "frame.groupby.finish",
        "frame.groupby.rows",
        "frame.groupby.order",
    ];

    /// A kernel without passes: it puts frames one below the other.
    pub(crate) fn new(stage: &str) -> GroupKernel {
        GroupKernel {
            stage: stage.into(),
            keys: Vec::new(),
            passes: Wire(Vec::new()),
            sorted: Vec::new(),
            limit: None,
            parts: None,
            rows: None,
            skip_empty: true,
        }
    }

    pub(crate) fn apply(&self, frames: Vec<DataFrame>) -> std::result::Result<DataFrame, PolarsError> {
        let mut frame = join(frames)?;
        if let Some(states) = &self.rows
            && self.hardly_repeats(&frame)?
        {
            let keys = self.keys.iter().map(|key| col(key.as_str()));
            return frame.lazy().select(keys.chain(states.0.iter().cloned()).collect::<Vec<_>>()).collect();
        }
        for pass in &self.passes.0 {
            frame = self.pass(frame, pass)?;
        }
        if self.sorted.is_empty() {
            return Ok(frame);
        }
        let (by, descending): (Vec<&str>, Vec<bool>) =
            self.sorted.iter().map(|(name, descending)| (name.as_str(), *descending)).unzip();
        let options = SortMultipleOptions::default()
            .with_order_descending_multi(descending)
            .with_nulls_last(true)
            .with_maintain_order(true)
            .with_multithreaded(false);
        let sorted = frame.sort(by, options)?;
        Ok(match self.limit {
            // A slice would keep all rows in memory.
            Some(limit) if limit < sorted.height() as u64 => {
                sorted.take(&IdxCa::from_vec(PlSmallStr::EMPTY, (0..limit as IdxSize).collect()))?
            }
            _ => sorted,
        })
    }

    fn pass(&self, frame: DataFrame, pass: &Pass) -> std::result::Result<DataFrame, PolarsError> {
        if let Pass::Group(_, Some(folds)) = pass
            && !self.keys.is_empty()
            && let Some(groups) = folded(&frame, &self.keys, folds)?
        {
            return Ok(groups);
        }
        let empty = frame.height() == 0;
        let query: LazyFrame = frame.lazy();
        match pass {
            Pass::Select(exprs) => query.select(exprs.as_slice()).collect(),
            Pass::Filter(condition) => query.filter(condition.clone()).collect(),
            Pass::Group(exprs, _) if self.keys.is_empty() => {
                let row = query.select(exprs.as_slice()).collect()?;
                Ok(if empty && self.skip_empty { row.clear() } else { row })
            }
            Pass::Group(exprs, _) => {
                // Polars' planner hands some aggregations by plain columns to its streaming engine, whose threads are its own and cut the
                // rows as they come: sums of floats then differ from run to run. A key that is more than a column stays with the engine
                // that runs on this thread. Forgetting whether a key is sorted is such a one; it costs nothing and changes no value.
                let keys: Vec<Expr> =
                    self.keys.iter().map(|key| col(key.as_str()).set_sorted_flag(AExprSorted::default())).collect();
                query.group_by_stable(keys).agg(exprs.as_slice()).collect()
            }
        }
    }

    /// Whether more than 70 of 100 rows have a key of their own, as the first ones let expect: grouping them would cost more than it saves.
    fn hardly_repeats(&self, frame: &DataFrame) -> std::result::Result<bool, PolarsError> {
        if frame.height() < 2 * SAMPLE || self.keys.is_empty() {
            return Ok(false);
        }
        let sample = frame.head(Some(SAMPLE)).select(self.keys.iter().map(String::as_str))?;
        let distinct = sample.lazy().unique(None, polars::prelude::UniqueKeepStrategy::Any).collect()?.height();
        let rows = frame.height() as f64;
        Ok(expected_groups(SAMPLE as f64, distinct as f64, rows) > 0.7 * rows)
    }

    fn cut(&self, frame: DataFrame, parts: u32) -> std::result::Result<Vec<DataFrame>, PolarsError> {
        let keys: Vec<HashKey> = self.keys.iter().map(HashKey::plain).collect();
        let numbers = hash_parts(&frame, &keys, parts)?;
        cut(frame, &numbers, parts)
    }
}

/// How many groups rows have, if so many of a sample are distinct: of `groups` as likely ones `n` rows meet `groups * (1 - exp(-n / groups))`.
fn expected_groups(sample: f64, distinct: f64, rows: f64) -> f64 {
    let met = |groups: f64, rows: f64| -groups * (-rows / groups).exp_m1();
    let (mut few, mut many) = (distinct.max(1.0), rows * rows);
    for _ in 0..64 {
        let middle = (few * many).sqrt();
        if met(middle, sample) < distinct { few = middle } else { many = middle }
    }
    met(few, rows)
}

impl Kernel for GroupKernel {
    fn name(&self) -> &str {
        &self.stage
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frames: Vec<DataFrame> = inputs.iter_mut().map(Partition::take).collect::<KernelResult<_>>()?;
        let Some(parts) = self.parts else {
            return Ok(Value::block(Partition(alone(|| self.apply(frames)).map_err(failed)?)));
        };
        let parts = alone(|| self.cut(self.apply(frames)?, parts)).map_err(failed)?;
        Ok(Value::Parts(parts.into_iter().map(|part| Value::block(Partition(part))).collect()))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(self.name(), self)
    }
}

/// Parameters as bytes; what holds a closure says so.
pub(crate) fn encode<K: Serialize>(operation: &str, kernel: &K) -> Result<Vec<u8>> {
    postcard::to_stdvec(kernel).map_err(|_| talatat_graph::Error::NotPortable {
        operation: operation.into(),
        reason: "an expression in it holds a closure of this process; say it with polars' expressions alone, or register a kernel and \
                 use `map_partitions_with`"
            .into(),
    })
}

/// A result that never fits: for inputs that are missing.
pub(crate) fn missing(what: &str) -> KernelError {
    KernelError::new(format!("{what} is missing"))
}

#[cfg(test)]
mod tests {
    use super::expected_groups;

    #[test]
    fn a_sample_tells_how_many_groups_there_are() {
        // 8192 rows of 100,000 groups are nearly all distinct, a million rows are not.
        let met = 1e5 * (1.0 - (-8192.0_f64 / 1e5).exp());
        assert!((expected_groups(8192.0, met.round(), 1e6) / 1e5 - 1.0).abs() < 0.01);
        assert!(expected_groups(8192.0, 8192.0, 1e6) > 0.99e6);
        assert!((expected_groups(8192.0, 100.0, 1e6) - 100.0).abs() < 1.0);
    }
}
