//! Runs one task: the only place where kernels are called.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::cancel::Cancel;
use crate::error::{Error, KernelResult, Result, TaskSite};
use crate::graph::TaskGraph;
use crate::layer::Layer;
use crate::task::{TaskContext, TaskId};
use crate::value::{Brief, Value};

/// Runs a task on its inputs; errors and panics get the task's operation, block, inputs and the user's line.
/// A fused task looks at `cancel` between its steps. Inputs that are on disk are read back first.
#[inline]
pub fn invoke(graph: &TaskGraph, task: TaskId, inputs: &mut [Value], cancel: &Cancel) -> Result<Value> {
    invoke_layer(graph.layer(task), graph.block(task), inputs, cancel)
}

/// [`invoke`] on the calling thread, again and again if the task's annotation says so; sleeps in between.
pub(crate) fn invoke_again(graph: &TaskGraph, task: TaskId, inputs: &mut [Value], cancel: &Cancel) -> Result<Value> {
    let Some(need) = graph.layer(task).need.as_ref().filter(|need| need.retry_after(0).is_some()) else {
        return invoke(graph, task, inputs, cancel);
    };
    let mut failures = 0;
    loop {
        // Kernels take their inputs.
        match invoke(graph, task, &mut inputs.to_vec(), cancel) {
            Err(Error::Kernel { .. } | Error::Panic { .. })
                if !cancel.is_cancelled() && need.retry_after(failures).is_some() =>
            {
                crate::sync::thread::sleep(need.retry_after(failures).unwrap_or_default());
                failures += 1;
            }
            result => return result,
        }
    }
}

#[inline]
pub(crate) fn invoke_layer(layer: &Layer, block: u64, inputs: &mut [Value], cancel: &Cancel) -> Result<Value> {
    for input in inputs.iter_mut().filter(|input| input.is_away()) {
        *input = std::mem::take(input).loaded()?;
    }
    let Some(fused) = layer.kernel.fused() else {
        return invoke_step(layer, block, inputs);
    };
    let mut value = Value::Unit;
    for (number, step) in fused.steps(block).enumerate() {
        value = if number == 0 {
            invoke_step(step.layer, step.block, inputs)?
        } else {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled { done: 0, total: 0 });
            }
            let input = step
                .input(value)
                .map_err(|source| Error::Kernel { site: site(step.layer, step.block, &[], 0), source })?;
            // A step may hand on what is kept on the disk.
            let input = if input.is_away() { input.loaded()? } else { input };
            invoke_step(step.layer, step.block, &mut [input])?
        };
    }
    Ok(value)
}

#[inline]
fn invoke_step(layer: &Layer, block: u64, inputs: &mut [Value]) -> Result<Value> {
    // Kernels take their inputs, so what an error will say of them is noted before.
    let mut briefs = [Brief::default(); 4];
    for (brief, input) in briefs.iter_mut().zip(inputs.iter()) {
        if let Value::Block(block) = input {
            *brief = block.brief();
        }
    }
    let count = inputs.len();
    let context = TaskContext { block };
    match catch_unwind(AssertUnwindSafe(|| layer.kernel.run(context, inputs))) {
        Ok(Ok(value)) => Ok(value),
        failure => Err(failed(layer, block, &briefs[..count.min(4)], count, failure)),
    }
}

#[cold]
fn failed(
    layer: &Layer,
    block: u64,
    briefs: &[Brief],
    count: usize,
    failure: std::thread::Result<KernelResult<Value>>,
) -> Error {
    let site = site(layer, block, briefs, count.saturating_sub(briefs.len()));
    match failure {
        Ok(Err(source)) => Error::Kernel { site, source },
        Err(payload) => Error::Panic { site, message: panic_message(&*payload) },
        Ok(Ok(_)) => Error::InvalidGraph("a success was reported as a failure".into()),
    }
}

/// `more` inputs are not shown.
fn site(layer: &Layer, block: u64, briefs: &[Brief], more: usize) -> TaskSite {
    let shown = briefs.iter().filter(|brief| **brief != Brief::default()).map(Brief::to_string);
    let more = (more > 0).then(|| format!("{more} more"));
    TaskSite {
        operation: layer.kernel.describe(),
        block,
        inputs: shown.chain(more).collect(),
        location: layer.kernel.location(block).or(layer.location),
        worker: None,
    }
}

pub(crate) fn task_site(graph: &TaskGraph, task: TaskId) -> TaskSite {
    site(graph.layer(task), graph.block(task), &[], 0)
}

pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
