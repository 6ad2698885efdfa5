//! Counts what runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::Result;
use crate::executor::{Executor, RunContext, invoke, run_in_order};
use crate::plan::Plan;
use crate::value::Value;

/// How often each operation ran; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<Mutex<BTreeMap<String, usize>>>);

impl Counter {
    /// Runs of each operation so far.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.0.lock().clone()
    }

    /// Runs of all operations so far.
    pub fn total(&self) -> usize {
        self.0.lock().values().sum()
    }
}

/// Runs on the calling thread and counts each kernel by name, the steps of fused tasks one by one.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// The counts.
    pub counter: Counter,
}

impl Executor for Count {
    fn name(&self) -> &str {
        "count"
    }

    fn execute(&self, plan: Arc<Plan>, context: &RunContext) -> Result<Vec<Value>> {
        run_in_order(plan, context, |plan, task, inputs| {
            let layer = plan.graph().layer(task);
            let mut counts = self.counter.0.lock();
            let mut count = |name: &str| *counts.entry(name.to_string()).or_insert(0) += 1;
            match layer.kernel.fused() {
                Some(fused) => fused.layers().iter().for_each(|layer| count(layer.kernel.name())),
                None => count(layer.kernel.name()),
            }
            drop(counts);
            invoke(plan.graph(), task, inputs, &context.cancel)
        })
    }
}
