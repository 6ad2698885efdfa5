//! Proves that something is lazy.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::executor::{Executor, RunContext};
use crate::plan::Plan;
use crate::pool::Pool;
use crate::value::Value;

/// An executor that never computes: whoever triggers a computation by mistake gets an error.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refuse;

impl Executor for Refuse {
    fn name(&self) -> &str {
        "refuse"
    }

    fn pool(&self) -> Result<Pool> {
        Err(Error::Refused { tasks: 1, reason: "this executor never computes".into() })
    }

    fn execute(&self, plan: Arc<Plan>, _: &RunContext) -> Result<Vec<Value>> {
        Err(Error::Refused { tasks: plan.graph().len(), reason: "this executor never computes".into() })
    }
}
