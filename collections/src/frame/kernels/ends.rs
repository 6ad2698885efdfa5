//! Between which values of an index a partition lies.

use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use crate::frame::divisions::ends_of;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// One row about an index column: what [`Divisions::of_ends`](crate::frame::Divisions) reads.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct EndsKernel {
    pub(crate) column: String,
}

impl EndsKernel {
    pub(crate) const NAME: &'static str = "frame.ends";
}

impl Kernel for EndsKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frame = Partition::take(inputs.first_mut().ok_or_else(|| missing("the partition"))?)?;
        Ok(Value::block(Partition(alone(|| ends_of(&frame, &self.column)).map_err(failed)?)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}
