//! Functions that give a block for one block of each input.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, TaskContext, Value};

use super::{Lowering, Operation, array, blocks, encode, largest_bytes, source_error, step};
use crate::array::expr::Expr;
use crate::array::grid::{Dims, Grid};
use crate::array::kernels::Block;
use crate::array::kernels::local::LocalOp;
use crate::error::Result;

pub(super) const NAME: &str = "array.local";

/// `array.local`: a function of the kernels' table.
#[derive(Serialize, Deserialize)]
pub(super) struct Local {
    op: LocalOp,
    grid: Grid,
}

impl Kernel for Local {
    fn name(&self) -> &str {
        NAME
    }

    fn describe(&self) -> String {
        self.op.name().into()
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let arrays = inputs.iter().map(array).collect::<KernelResult<SmallVec<[&Block; 4]>>>()?;
        let block = self.op.run(&arrays).map_err(source_error)?;
        let place = self.grid.place(task.block as usize);
        if !self.grid.has_block(&place, block.shape()) {
            let (found, promised) = (block.shape(), self.grid.block_shape(&place));
            return Err(KernelError::new(format!("a block of shape {found:?} where {promised:?} was promised")));
        }
        Ok(Value::block(block))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// Which axis of a result each axis of an input goes along, if any.
pub(crate) type Reads = SmallVec<[Option<usize>; 4]>;

/// A function that gives a block for one block of each input.
pub(crate) struct OnBlocks {
    /// Which one.
    pub(crate) op: LocalOp,
    /// For each input, which axis of the result each of its axes goes along; the others have one chunk.
    pub(crate) reads: Vec<Reads>,
}

impl Operation for OnBlocks {
    fn name(&self) -> &'static str {
        self.op.name()
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&(&self.op, &self.reads))
    }

    fn follows(&self, _: &Expr) -> Vec<Reads> {
        // One index for each block of the first array, or no lines at all.
        if matches!(self.op, LocalOp::Search { stacked: true, .. } | LocalOp::Set(_) | LocalOp::UniformEdges { .. }) {
            return Vec::new();
        }
        let mut reads = self.reads.clone();
        if let Some(axis) = self.op.along() {
            reads.iter_mut().filter_map(|reads| reads.get_mut(axis)).for_each(|along| *along = None);
        }
        reads
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let inputs = &expr.inputs;
        let sources = inputs.iter().map(|input| blocks(lowering, input)).collect::<Result<Vec<_>>>()?;
        let read: u64 = inputs.iter().map(|input| largest_bytes(input)).sum();
        let scratch = self.op.working_bytes(inputs.first().map_or(expr.dtype, |input| input.dtype), read);
        let layer = step(expr, NAME, Local { op: self.op.clone(), grid: expr.grid.clone() }, read).scratch(scratch);
        let layer = lowering.graph.layer(layer);
        let mut made = Vec::with_capacity(expr.grid.blocks());
        for block in 0..expr.grid.blocks() {
            let place = expr.grid.place(block);
            let edges: SmallVec<[Edge; 4]> = (inputs.iter().zip(&self.reads).zip(&sources))
                .map(|((input, reads), source)| {
                    let at: Dims = reads.iter().map(|axis| axis.map_or(0, |axis| place[axis])).collect();
                    source[input.grid.block_at(&at)]
                })
                .collect();
            made.push(lowering.graph.task(layer, block as u32, expr.block_bytes(&place), &edges)?.into());
        }
        Ok(made)
    }
}
