//! Injects faults.

use std::sync::Arc;

use super::graphs::Rng;
use crate::builder::GraphBuilder;
use crate::error::{KernelError, Result};
use crate::executor::{Executor, RunContext};
use crate::layer::Layer;
use crate::plan::{Plan, PlanOptions};
use crate::task::{Kernel, TaskContext, TaskId};
use crate::value::Value;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A kernel returns an error.
    Error,
    /// A kernel panics.
    Panic,
}

/// Runs plans on another executor, but one task, chosen by a seed, fails.
pub struct Faulty<E> {
    /// Who runs the rest.
    pub inner: E,
    /// How the task fails.
    pub fault: Fault,
    /// Chooses the task.
    pub seed: u64,
}

struct FaultyKernel {
    inner: Arc<dyn Kernel>,
    fault: Fault,
}

impl Kernel for FaultyKernel {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> crate::KernelResult<Value> {
        // Compute first: a fault after work is done is the harder case for whoever frees memory.
        let _result = self.inner.run(task, inputs)?;
        match self.fault {
            Fault::Error => Err(KernelError::new("injected error")),
            Fault::Panic => std::panic::resume_unwind(Box::new("injected panic")),
        }
    }
}

impl<E: Executor> Executor for Faulty<E> {
    fn name(&self) -> &str {
        "faulty"
    }

    fn threads(&self) -> usize {
        self.inner.threads()
    }

    fn execute(&self, plan: Arc<Plan>, context: &RunContext) -> Result<Vec<Value>> {
        let graph = plan.graph();
        if graph.is_empty() {
            return self.inner.execute(plan, context);
        }
        let victim = TaskId(Rng::new(self.seed).below(graph.len()) as u32);
        let mut rebuilt = GraphBuilder::new();
        let layers: Vec<_> = graph.layers().iter().map(|layer| rebuilt.layer(layer.clone())).collect();
        let kernel = FaultyKernel { inner: graph.layer(victim).kernel.clone(), fault: self.fault };
        let faulty = rebuilt.layer(Layer { kernel: Arc::new(kernel), ..graph.layer(victim).clone() });
        for task in graph.tasks() {
            let layer = if task == victim { faulty } else { layers[graph.layer_id(task).0 as usize] };
            rebuilt.task(layer, graph.block(task) as u32, graph.bytes(task), graph.inputs(task))?;
        }
        graph.outputs().iter().for_each(|&edge| rebuilt.output(edge));
        let skip = crate::PASSES.iter().map(|pass| pass.name).chain(["order"]).map(String::from).collect();
        let options = PlanOptions {
            memory_limit: plan.memory_limit(),
            spill: plan.may_spill(),
            outputs: plan.outputs(),
            skip_passes: skip,
            ..PlanOptions::default()
        };
        self.inner.execute(Arc::new(Plan::new(rebuilt.build(), &options)?), context)
    }
}
