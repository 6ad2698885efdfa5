//! The stages of an aggregation.

use polars::prelude::{DataFrame, Expr, IntoLazy, PolarsError, SortMultipleOptions, col};
use polars_plan::plans::AExprSorted;
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelError, KernelResult, Result, TaskContext, Value};

use super::failed;
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;
use crate::frame::wire::Wire;

/// Puts partitions one below the other and aggregates them by keys, or makes the results of merged states.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct GroupKernel {
    /// The kernel's name: `frame.groupby.partial`, `.combine` or `.finish`.
    pub(crate) stage: String,
    pub(crate) keys: Vec<String>,
    pub(crate) exprs: Wire<Vec<Expr>>,
    /// Whether to group; if not, the expressions make a row of each row.
    pub(crate) grouped: bool,
    /// The columns to sort by at the end.
    pub(crate) sorted: Vec<String>,
}

impl GroupKernel {
    pub(crate) const NAMES: [&'static str; 3] =
        ["frame.groupby.partial", "frame.groupby.combine", "frame.groupby.finish"];

    pub(crate) fn apply(&self, frames: Vec<DataFrame>) -> std::result::Result<DataFrame, PolarsError> {
        let query = join(frames)?.lazy();
        let exprs = self.exprs.0.as_slice();
        let query = if !self.grouped || self.keys.is_empty() {
            query.select(exprs)
        } else {
            // Polars' planner hands some aggregations by plain columns to its streaming engine, whose threads are its own and cut the
            // rows as they come: sums of floats then differ from run to run. A key that is more than a column stays with the engine
            // that runs on this thread. Forgetting whether a key is sorted is such a one; it costs nothing and changes no value.
            let keys: Vec<Expr> =
                self.keys.iter().map(|key| col(key.as_str()).set_sorted_flag(AExprSorted::default())).collect();
            query.group_by_stable(keys).agg(exprs)
        };
        if self.sorted.is_empty() {
            return query.collect();
        }
        let options = SortMultipleOptions::default().with_nulls_last(true).with_multithreaded(false);
        query.sort(self.sorted.iter().map(String::as_str).collect::<Vec<_>>(), options).collect()
    }
}

impl Kernel for GroupKernel {
    fn name(&self) -> &str {
        &self.stage
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frames: Vec<DataFrame> = inputs.iter_mut().map(Partition::take).collect::<KernelResult<_>>()?;
        Ok(Value::block(Partition(alone(|| self.apply(frames)).map_err(failed)?)))
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
