//! How many partners rows have: what decides which of several joins comes first.

use polars::prelude::{DataFrame, PolarsResult};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelError, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use super::join::JoinKernel;
use super::split::gathered;
use crate::frame::known::Partners;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// Joins keys alone, and counts. Some rows of the left side, all of the right one.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PartnersKernel {
    pub(crate) join: JoinKernel,
}

impl PartnersKernel {
    pub(crate) const NAME: &'static str = "frame.join.partners";

    fn count(&self, left: Vec<DataFrame>, right: Vec<DataFrame>) -> PolarsResult<Partners> {
        let (left, right) = (gathered(left)?, gathered(right)?);
        let keys = right.select(self.join.right.keys.iter().map(String::as_str))?;
        let unique = right.height() < 2 || !keys.is_duplicated()?.any();
        let joined = self.join.join(&left, &right)?;
        Ok(Partners { rows: left.height() as u64, joined: joined.height() as u64, unique })
    }
}

impl Kernel for PartnersKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let mut left = inputs.iter_mut().map(Partition::take).collect::<KernelResult<Vec<_>>>()?;
        let lefts = self.join.lefts as usize;
        if left.len() <= lefts || lefts == 0 {
            return Err(missing("a side of the join"));
        }
        let right = left.split_off(lefts);
        let Partners { rows, joined, unique } = alone(|| self.count(left, right)).map_err(failed)?;
        Ok(Value::Parts([Value::U64(rows), Value::U64(joined), Value::Bool(unique)].into()))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}

/// What the kernel's result says.
pub(crate) fn partners(value: &Value) -> KernelResult<Partners> {
    match value {
        Value::Parts(parts) => match &**parts {
            [Value::U64(rows), Value::U64(joined), Value::Bool(unique)] => {
                Ok(Partners { rows: *rows, joined: *joined, unique: *unique })
            }
            _ => Err(KernelError::new("three numbers are expected")),
        },
        _ => Err(KernelError::new("parts are expected")),
    }
}
