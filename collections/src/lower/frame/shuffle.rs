//! Moving rows between partitions: tasks that cut partitions into parts, and tasks that take the parts of one number. P partitions to Q
//! are P + Q tasks.
//!
//! All parts are made before the last one is taken, so they are all in memory at once: as many bytes as the frame has.

use std::sync::Arc;

use talatat_graph::{Edge, Kernel, Key, KeyBuilder, Layer};

use super::operation::{Narrowed, Operation};
use super::{frame, only_input};
use crate::error::Result;
use crate::frame::expr::{Columns, FrameExpr, Node, Shape};
use crate::frame::kernels::order::{Order, SampleKernel, SplittersKernel};
use crate::frame::kernels::sort::SortKernel;
use crate::frame::kernels::split::{GatherKernel, HashKey, SplitBy, SplitKernel};
use crate::lower::Lowering;

/// A guess at the largest of some partitions.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) bytes: u64,
    pub(super) rows: u64,
}

impl Size {
    pub(super) fn of(node: &FrameExpr) -> Size {
        Size { bytes: node.bytes(), rows: node.rows }
    }

    /// The rows once more, in one piece, and so many bytes beside each of them, as a share of the rows' bytes.
    pub(super) fn copied_with(self, beside: u64) -> f32 {
        1.0 + (self.rows.saturating_mul(beside) as f64 / self.bytes.max(1) as f64) as f32
    }
}

/// One move: what its layers are named after, and where the user asked for it.
#[derive(Clone, Copy)]
pub(super) struct Move<'a> {
    pub(super) node: &'a FrameExpr,
    pub(super) key: Key,
    pub(super) size: Size,
}

impl Move<'_> {
    pub(super) fn of(node: &FrameExpr, size: Size) -> Move<'_> {
        Move { node, key: node.key, size }
    }

    fn layer(&self, stage: &str, kernel: Arc<dyn Kernel>) -> Layer {
        Layer::new(KeyBuilder::new(stage).key(self.key).finish(), kernel).at(self.node.location)
    }

    /// Cuts partitions; gives for each part the pieces of all partitions, in order.
    pub(super) fn split(
        &self,
        lowering: &mut Lowering,
        kernel: SplitKernel,
        inputs: &[Edge],
        splitters: Option<Edge>,
    ) -> Result<Vec<Vec<Edge>>> {
        let parts = kernel.parts;
        // A partition in several chunks is put together before it is cut.
        let scratch = self.size.copied_with(SplitKernel::ROW_SCRATCH);
        let layer = lowering.graph.layer(self.layer("split", Arc::new(kernel)).scratch_of_inputs(scratch));
        let mut pieces = vec![Vec::with_capacity(inputs.len()); parts as usize];
        for (block, &input) in inputs.iter().enumerate() {
            let edges: Vec<Edge> = [input].into_iter().chain(splitters).collect();
            let task = lowering.graph.task(layer, block as u32, self.size.bytes, &edges)?;
            for (part, pieces) in (0..).zip(&mut pieces) {
                // The only part is the partition itself.
                pieces.push(Edge::part_of(task, part));
            }
        }
        Ok(pieces)
    }

    /// One task for each part, with the layer's key as it is: its results are those of the expression.
    pub(super) fn take(
        &self,
        lowering: &mut Lowering,
        kernel: Arc<dyn Kernel>,
        pieces: Vec<Vec<Edge>>,
        size: Size,
    ) -> Result<Vec<Edge>> {
        // The pieces in one, while they are still there.
        let scratch = size.copied_with(SplitKernel::ROW_SCRATCH);
        let layer = Layer::new(self.key, kernel).at(self.node.location).scratch_of_inputs(scratch);
        let layer = lowering.graph.layer(layer);
        let numbered = pieces.iter().enumerate();
        let tasks =
            numbered.map(|(part, edges)| Ok(lowering.graph.task(layer, part as u32, size.bytes, edges)?.into()));
        tasks.collect()
    }

    /// Sorts over all partitions: as many come out as went in.
    pub(super) fn sorted(
        &self,
        lowering: &mut Lowering,
        order: &Order,
        without: Vec<String>,
        inputs: Vec<Edge>,
    ) -> Result<Vec<Edge>> {
        let sort = Arc::new(SortKernel { order: order.clone(), without, within: None });
        if inputs.len() < 2 {
            return self.take(lowering, sort, vec![inputs], self.size);
        }
        let parts = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
        let table = self.splitters(lowering, order, &inputs)?;
        let kernel = SplitKernel { by: SplitBy::Ranges(order.clone()), parts, origin: None };
        let pieces = self.split(lowering, kernel, &inputs, Some(table))?;
        self.take(lowering, sort, pieces, self.size)
    }

    /// The table of splitters that cuts partitions into as many ranges of about equal length.
    pub(super) fn splitters(&self, lowering: &mut Lowering, order: &Order, inputs: &[Edge]) -> Result<Edge> {
        let parts = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
        let rows = samples(inputs.len());
        let kernel = SampleKernel { order: order.clone(), rows };
        let bytes = u64::from(rows).saturating_mul(SAMPLE_BYTES);
        let layer = lowering.graph.layer(self.layer("sample", Arc::new(kernel)));
        let mut tables = Vec::with_capacity(inputs.len());
        for (block, &input) in inputs.iter().enumerate() {
            tables.push(lowering.graph.task(layer, block as u32, bytes, &[input])?.into());
        }
        let kernel = SplittersKernel { order: order.clone(), parts };
        let all = bytes.saturating_mul(inputs.len() as u64);
        let layer = lowering.graph.layer(self.layer("splitters", Arc::new(kernel)).scratch(all));
        Ok(lowering.graph.task(layer, 0, u64::from(parts) * SAMPLE_BYTES, &tables)?.into())
    }
}

/// More parts than this are more trouble than help.
const MOST_PARTS: u64 = 1024;

/// Into how many parts rows are cut for a while, where nobody sees how many: `parts`, or as many as it takes for a task to have what it
/// should, if it takes `share` times the bytes of its part.
pub(super) fn parts_within(lowering: &Lowering, parts: u32, bytes: u64, share: f32) -> u32 {
    let wanted = |most: u64| (bytes as f64 * f64::from(share) / most.max(1) as f64).ceil() as u64;
    let wanted = lowering.options.task_bytes.map_or(0, wanted).min(MOST_PARTS);
    parts.max(u32::try_from(wanted).unwrap_or(parts))
}

/// A guess at the bytes of a row of samples.
const SAMPLE_BYTES: u64 = 64;

/// How many rows of each partition are sampled: together about 128 for each part, which makes the largest part some 30 % larger than the mean.
fn samples(partitions: usize) -> u32 {
    const EACH: u32 = 128;
    // As many parts as partitions: it does not depend on their number, but that few partitions can be cut more evenly for nothing.
    if partitions <= 16 { EACH * 8 } else { EACH }
}

/// Rows by the hash of columns: equal keys are in the same partition.
#[derive(Clone)]
pub(crate) struct Shuffle {
    pub(crate) on: Vec<String>,
    pub(crate) partitions: usize,
}

impl Operation for Shuffle {
    fn name(&self) -> &'static str {
        "frame.shuffle"
    }

    fn describe(&self) -> String {
        format!("shuffle on {} to {} partitions", self.on.join(", "), self.partitions)
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.on).number(self.partitions as u64)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let rows = input.rows.saturating_mul(input.partitions as u64) / (self.partitions as u64).max(1);
        Ok(Shape { partitions: self.partitions, rows, ..Shape::like(input) })
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let reads = wanted.iter().cloned().chain(self.on.iter().map(|key| key.as_str().into())).collect();
        Some(Narrowed { operation: Arc::new(self.clone()), reads: vec![Some(reads)] })
    }

    fn sinks(&self, _: &[Node], condition: &polars::prelude::Expr) -> Vec<(usize, polars::prelude::Expr)> {
        vec![(0, condition.clone())]
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let edges = frame(lowering, input)?;
        let moved = Move::of(node, Size::of(input));
        let keys = self.on.iter().map(HashKey::plain).collect();
        let parts = u32::try_from(self.partitions).unwrap_or(u32::MAX);
        let kernel = SplitKernel { by: SplitBy::Hash(keys), parts, origin: None };
        let pieces = moved.split(lowering, kernel, &edges, None)?;
        moved.take(lowering, Arc::new(GatherKernel), pieces, Size::of(node))
    }
}
