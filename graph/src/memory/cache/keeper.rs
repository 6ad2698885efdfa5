//! What a run notes for the cache: the cost of each result, and which results are to be kept.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use super::Cache;
use crate::key::Key;
use crate::plan::Plan;
use crate::task::TaskId;
use crate::value::Value;

/// A result for the cache.
pub(crate) struct Given {
    pub(crate) key: Key,
    pub(crate) value: Value,
    /// Seconds.
    pub(crate) cost: f64,
}

/// Chooses results when they are made and hands them in when their last reader is done: until then they are results like others, which may
/// leave memory.
pub(crate) struct Keeper {
    cache: Arc<Cache>,
    /// Seconds that the longest chain of tasks to each result took.
    costs: Vec<f32>,
    chosen: HashMap<TaskId, Key>,
    given: Vec<Given>,
}

impl Keeper {
    /// A keeper for a run that is about to begin; none if it will need all the memory there is.
    pub(crate) fn new(cache: &Arc<Cache>, plan: &Plan) -> Option<Keeper> {
        if plan.must_spill() {
            super::Reclaim::shrink(&**cache, 0);
            return None;
        }
        let costs = vec![0.0; plan.graph().len()];
        Some(Keeper { cache: cache.clone(), costs, chosen: HashMap::new(), given: Vec::new() })
    }

    /// A task has ended.
    pub(crate) fn note(&mut self, plan: &Plan, task: TaskId, time: Duration, value: &Value) {
        let graph = plan.graph();
        let before = graph.inputs(task).iter().map(|edge| self.costs[edge.task.index()]).fold(0.0, f32::max);
        let cost = before + time.as_secs_f32();
        self.costs[task.index()] = cost;
        // What a type without a codec holds behind pointers is not known.
        let known = match value {
            Value::Block(block) => block.codec().is_some(),
            Value::Bool(_) | Value::I64(_) | Value::U64(_) | Value::F64(_) => true,
            _ => false,
        };
        let (layer, block) = (graph.layer(task), graph.block(task));
        if known
            && let Some(key) = layer.kernel.lasting(block)
            && layer.kernel.held(block).is_none()
            && self.cache.wants(key, f64::from(cost), value.nbytes() as u64)
        {
            self.chosen.insert(task, key);
        }
    }

    /// Whether a result is to be kept, and so must not be handed to its last reader as its own.
    pub(crate) fn holds(&self, task: TaskId) -> bool {
        self.chosen.contains_key(&task)
    }

    /// A result's last reader is done: takes the result, if it is to be kept and in memory.
    pub(crate) fn died(&mut self, task: TaskId, value: Value, trash: &mut Vec<Value>) {
        match (self.chosen.remove(&task), &value) {
            (_, Value::Spilled(_)) | (None, _) => trash.push(value),
            (Some(key), _) => self.given.push(Given { key, value, cost: f64::from(self.costs[task.index()]) }),
        }
    }

    /// Hands over what has been taken.
    pub(crate) fn take(&mut self) -> Option<(Arc<Cache>, Vec<Given>)> {
        (!self.given.is_empty()).then(|| (self.cache.clone(), std::mem::take(&mut self.given)))
    }
}
