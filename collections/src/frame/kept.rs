//! Partitions that have been computed and are elsewhere: on other machines, in a store.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::SchemaRef;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, Key, Layer, TaskContext, Value};

use super::expr::names;
use super::kernels::{PartitionKernel, Source};
use super::partition::Held;
use super::wire::Wire;
use crate::error::Result;
use crate::lower::{Foreign, Lowering};

/// Partitions of which some are not here. Tasks of their own hand them out, so that who reads them can run where they are; what is here is
/// read inside of the tasks that work on it ([`HeldScan`](super::scan::HeldScan)).
pub(crate) struct KeptParts {
    pub(crate) parts: Arc<[Held]>,
    pub(crate) schema: SchemaRef,
    pub(crate) key: Key,
    pub(crate) location: &'static Location<'static>,
}

impl Foreign for KeptParts {
    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        let kernel = Arc::new(KeptKernel { parts: self.parts.clone() });
        let layer = lowering.graph.layer(Layer::new(self.key, kernel).at(self.location));
        let numbered = (0..).zip(self.parts.iter());
        numbered.map(|(block, part)| Ok(lowering.graph.task(layer, block, part.bytes(), &[])?.into())).collect()
    }

    fn describe(&self) -> String {
        format!("persisted: {} partitions [{}]", self.parts.len(), names(&self.schema))
    }

    fn is_there(&self) -> bool {
        true
    }
}

/// Hands out a partition.
struct KeptKernel {
    parts: Arc<[Held]>,
}

impl KeptKernel {
    fn part(&self, block: u64) -> KernelResult<&Held> {
        let part = usize::try_from(block).ok().and_then(|at| self.parts.get(at));
        part.ok_or_else(|| KernelError::new(format!("there is no partition {block}")))
    }
}

impl Kernel for KeptKernel {
    /// Elsewhere it is a partition that came along.
    fn name(&self) -> &str {
        PartitionKernel::NAME
    }

    fn describe(&self) -> String {
        "persisted".into()
    }

    fn run(&self, task: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        Ok(self.part(task.block)?.value().clone())
    }

    fn held(&self, block: u64) -> Option<Value> {
        self.part(block).ok().filter(|part| part.is_elsewhere()).map(|part| part.value().clone())
    }

    fn encode(&self, block: u64) -> talatat_graph::Result<Vec<u8>> {
        let part = self.part(block).map_err(|error| talatat_graph::Error::InvalidGraph(error.to_string()))?;
        let source = Source::Data([part.clone()].into());
        PartitionKernel { base: block, source, steps: Wire(Vec::new()) }.encode(block)
    }
}
