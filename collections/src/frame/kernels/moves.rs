//! Small kernels about the order of rows: the last ones, the check that a partition is in order, frames side by side.

use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelError, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use super::order::Order;
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// The last rows of partitions, in order.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct TailKernel {
    pub(crate) rows: u64,
}

impl TailKernel {
    pub(crate) const NAME: &'static str = "frame.tail";
}

impl Kernel for TailKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let parts = inputs.iter_mut().map(Partition::take).collect::<KernelResult<Vec<_>>>()?;
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        Ok(Value::block(Partition(alone(|| join(parts)).map_err(failed)?.tail(Some(rows)))))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}

/// A partition as it is, if its rows are in order.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct OrderedKernel {
    pub(crate) order: Order,
}

impl OrderedKernel {
    pub(crate) const NAME: &'static str = "frame.ordered";
}

impl Kernel for OrderedKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frame = Partition::take(inputs.first_mut().ok_or_else(|| missing("the partition"))?)?;
        match alone(|| self.order.holds(&frame)).map_err(failed)? {
            true => Ok(Value::block(Partition(frame))),
            false => Err(KernelError::new(format!(
                "partition {} is not in the order of {}; leave out `sorted(true)`, so that the rows are sorted",
                task.block,
                self.order.describe()
            ))),
        }
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}

/// Partitions side by side.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct BesideKernel;

impl BesideKernel {
    pub(crate) const NAME: &'static str = "frame.concat.beside";
}

impl Kernel for BesideKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let mut frames = inputs.iter_mut().map(Partition::take).collect::<KernelResult<Vec<_>>>()?.into_iter();
        let mut all = frames.next().ok_or_else(|| missing("the partition"))?;
        for (number, frame) in (2..).zip(frames) {
            if frame.height() != all.height() {
                return Err(KernelError::new(format!(
                    "partition {} has {} rows in the first frame and {} in frame {number}; frames side by side need the same rows in \
                     each partition",
                    task.block,
                    all.height(),
                    frame.height()
                )));
            }
            all = all.hstack(frame.columns()).map_err(failed)?;
        }
        Ok(Value::block(Partition(all)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}
