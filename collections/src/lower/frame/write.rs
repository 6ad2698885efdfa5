//! Partitions into files: a task writes each, a last one makes them visible.

use std::sync::Arc;

use polars::prelude::Schema;
use talatat_graph::{Edge, KeyBuilder, Layer};

use super::operation::Operation;
use super::{add, frame, only_input};
use crate::error::Result;
use crate::frame::PartsWriter;
use crate::frame::expr::{Facts, Node, Shape};
use crate::frame::kernels::{FinishKernel, WriteKernel};
use crate::lower::Lowering;

/// Buffers of an upload: the bytes that are being filled and those on their way.
const BUFFERS: u64 = 16 << 20;

/// Writes the input. The result has no columns and no rows; it is there when all is written.
pub(crate) struct Writing {
    pub(crate) writer: Arc<PartsWriter>,
}

impl Operation for Writing {
    fn name(&self) -> &'static str {
        "frame.write"
    }

    fn describe(&self) -> String {
        format!("{} {}", self.writer.format.operation(), self.writer.output.location())
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.writer)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        only_input(self.name(), inputs)?;
        Ok(Shape { schema: Arc::new(Schema::default()), partitions: 1, rows: 0, facts: Facts::default() })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let sources = frame(lowering, input)?;
        // Columns are put into one chunk each, and encoded as one row group.
        let buffers = if self.writer.output.is_local() { 0 } else { BUFFERS };
        let key = KeyBuilder::new("frame.write.part").key(node.key).finish();
        let kernel = Arc::new(WriteKernel { writer: self.writer.clone() });
        let layer = Layer::new(key, kernel).at(node.location).scratch(buffers).scratch_of_inputs(2.0);
        let write = lowering.graph.layer(layer);
        let mut written: Vec<Edge> = Vec::with_capacity(sources.len());
        for (block, source) in sources.iter().enumerate() {
            written.push(lowering.graph.task(write, block as u32, 0, &[*source])?.into());
        }
        let finish = add(lowering, node.key, Arc::new(FinishKernel { writer: self.writer.clone() }), node);
        Ok(vec![lowering.graph.task(finish, 0, 0, &written)?.into()])
    }
}
