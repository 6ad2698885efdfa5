//! Partitions into files, and the end of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use talatat_graph::{Block, Brief, Kernel, KernelError, KernelResult, Result, StorageBytes, TaskContext, Value};

use super::group::{encode, missing};
use super::partition::storage;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;
use crate::frame::write::PartsWriter;
use crate::storage::Part;

/// Parts that have been written and have no name yet. They are given up if it is dropped.
pub(crate) struct Written(Vec<Part>);

impl Written {
    pub(crate) const CODEC: &'static str = "frame.written";

    pub(crate) fn decode_block(bytes: &[u8]) -> KernelResult<Arc<dyn Block>> {
        let parts: Vec<_> = postcard::from_bytes(bytes).map_err(KernelError::from_source)?;
        Ok(Arc::new(Written(parts.into_iter().map(Part::taken).collect())))
    }
}

impl Block for Written {
    fn nbytes(&self) -> usize {
        64 * self.0.len()
    }

    fn brief(&self) -> Brief {
        Brief::new("written", &[self.0.len()])
    }

    fn codec(&self) -> Option<&'static str> {
        Some(Self::CODEC)
    }

    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        let parts: Vec<_> = self.0.iter().map(Part::pass_on).collect();
        out.extend(postcard::to_stdvec(&parts).map_err(KernelError::from_source)?);
        Ok(())
    }
}

/// Writes a partition.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct WriteKernel {
    pub(crate) writer: Arc<PartsWriter>,
}

impl WriteKernel {
    pub(crate) const NAME: &'static str = "frame.write";
}

impl Kernel for WriteKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn describe(&self) -> String {
        format!("write to {}", self.writer.output.location())
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frame = Partition::take(inputs.first_mut().ok_or_else(|| missing("the partition"))?)?;
        let parts = alone(|| self.writer.write(task.block, frame)).map_err(storage)?;
        Ok(Value::block(Written(parts)))
    }

    fn storage_bytes(&self, _: u64, inputs: u64, _: u64) -> StorageBytes {
        StorageBytes::writes(inputs).about()
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}

/// All parts are written.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FinishKernel {
    pub(crate) writer: Arc<PartsWriter>,
}

impl FinishKernel {
    pub(crate) const NAME: &'static str = "frame.write.finish";
}

impl Kernel for FinishKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn describe(&self) -> String {
        format!("finish {}", self.writer.output.location())
    }

    fn once(&self) -> bool {
        true
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let mut parts = Vec::new();
        for input in inputs {
            // A block that others hold, too, is passed on: there is one who finishes.
            match Arc::try_unwrap(input.take::<Written>()?) {
                Ok(written) => parts.extend(written.0),
                Err(shared) => parts.extend(shared.0.iter().map(|part| Part::taken(part.pass_on()))),
            }
        }
        self.writer.output.finish(parts).map_err(storage)?;
        Ok(Value::Unit)
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}
