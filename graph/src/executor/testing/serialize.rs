//! Runs a graph as if every task ran in another process.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::executor::{Executor, RunContext, invoke::invoke_layer, run_in_order};
use crate::layer::Layer;
use crate::plan::Plan;
use crate::value::Value;

/// Writes each task's kernel and each input as bytes, reads them back, runs what was read, and does the
/// same with the result. What passes here can travel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serialize;

impl Executor for Serialize {
    fn name(&self) -> &str {
        "serialize"
    }

    fn execute(&self, plan: Arc<Plan>, context: &RunContext) -> Result<Vec<Value>> {
        let registry = &context.registry;
        run_in_order(plan, context, |plan, task, inputs| {
            let (layer, block) = (plan.graph().layer(task), plan.graph().block(task));
            let parameters = layer.kernel.encode(block)?;
            let kernel = registry.decode_kernel(layer.kernel.name(), &parameters)?;
            for input in inputs.iter_mut() {
                *input = round_trip(registry, input)?;
            }
            let copy = Layer { kernel, ..layer.clone() };
            let result = invoke_layer(&copy, block, inputs, &context.cancel)?;
            round_trip(registry, &result)
        })
    }
}

fn round_trip(registry: &crate::Registry, value: &Value) -> Result<Value> {
    let mut bytes = Vec::new();
    registry.encode_value(value, &mut bytes)?;
    let mut rest = bytes.as_slice();
    let copy = registry.decode_value(&mut rest)?;
    if !rest.is_empty() {
        let reason = format!("{} bytes are left after reading it back", rest.len());
        return Err(Error::NotPortable { operation: value.describe(), reason });
    }
    Ok(copy)
}
