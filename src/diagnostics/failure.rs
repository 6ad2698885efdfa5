//! A task that failed, alone.

use std::fmt;
use std::sync::Arc;

use talatat_collections::Result;
use talatat_graph::{Executor, Outputs, Plan, PlanOptions, Registry, RunContext, Synchronous, TaskId, Value, invoke};

/// A task that failed, with the plan it was part of: its inputs can be computed again, and it can be run alone. Made by
/// [`Session::last_failure`](crate::Session::last_failure).
#[derive(Clone)]
pub struct FailedTask {
    plan: Arc<Plan>,
    task: TaskId,
    registry: Arc<Registry>,
}

impl FailedTask {
    pub(crate) fn new(plan: Arc<Plan>, task: TaskId, registry: Arc<Registry>) -> FailedTask {
        FailedTask { plan, task, registry }
    }

    /// The operation.
    pub fn operation(&self) -> String {
        self.plan.graph().layer(self.task).kernel.describe()
    }

    /// The number of the block.
    pub fn block(&self) -> u64 {
        self.plan.graph().block(self.task)
    }

    /// The task's inputs, computed again on this thread: tasks take their inputs, so what it had is gone. Nothing but what leads to them
    /// runs. Functions that are not pure may give something else this time.
    ///
    /// # Errors
    /// What a task on the way to them fails with.
    pub fn inputs(&self) -> Result<Vec<Value>> {
        let inputs = self.plan.graph().inputs(self.task);
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        // Planning leaves out what does not lead to them.
        let graph = self.plan.graph().with_outputs(inputs.to_vec())?;
        let options = PlanOptions { outputs: Outputs::InMemory, ..PlanOptions::default() };
        let context = RunContext { registry: self.registry.clone(), ..RunContext::default() };
        Ok(Synchronous.execute(Arc::new(Plan::new(graph, &options)?), &context)?)
    }

    /// Runs the task again on this thread, with its inputs. A breakpoint in the function is reached by this thread and by nothing else.
    ///
    /// # Errors
    /// What the task fails with, or one on the way to its inputs.
    pub fn rerun(&self) -> Result<Value> {
        self.rerun_with(self.inputs()?)
    }

    /// Runs the task on this thread with other inputs.
    ///
    /// # Errors
    /// What the task fails with.
    pub fn rerun_with(&self, mut inputs: Vec<Value>) -> Result<Value> {
        Ok(invoke(self.plan.graph(), self.task, &mut inputs, &talatat_graph::Cancel::new())?)
    }
}

impl fmt::Display for FailedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, block {}", self.operation(), self.block())?;
        match self.plan.graph().location(self.task) {
            Some(place) => write!(f, ", called at {}:{}", place.file(), place.line()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for FailedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FailedTask({self})")
    }
}
