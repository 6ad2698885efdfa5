//! A function of the user's on each block with a border of its neighbours' elements: one task a block.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{ArrayViewMutD, IxDyn, Slice as NdSlice};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, TaskContext, Value};

use super::halo::{Halo, Reach, views};
use crate::array::dtype::{DType, with_dtype};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::functions::map_blocks::{BlockFunction, BlockInfo};
use crate::array::grid::{Dims, Grid};
use crate::array::kernels::{Block, pool};
use crate::array::range::StepRange;
use crate::error::Result;
use crate::lower::array::{Lowering, Operation, array, blocks, check_dtype, layer, source_error};

/// The operation, and the kernel of its tasks; it cannot leave the process.
#[derive(Clone)]
pub(crate) struct MapOverlap {
    pub(crate) halo: Halo,
    pub(crate) function: BlockFunction,
    pub(crate) arrays: usize,
    pub(crate) dtype: DType,
}

impl MapOverlap {
    /// The block with its border, of one of the arrays.
    fn padded(&self, reaches: &[Reach], inputs: &[Value]) -> KernelResult<Block> {
        let first = array(inputs.first().ok_or_else(|| KernelError::new("a border of nothing"))?)?;
        let shape = self.halo.padded_shape(reaches, first.shape());
        let within: SmallVec<[Range<usize>; 4]> = shape.iter().map(|&length| 0..length).collect();
        with_dtype!(first.dtype(), T => {
            let mut buffer = pool::take::<T>(shape.iter().product());
            let target = ArrayViewMutD::from_shape(IxDyn(&shape), &mut buffer).map_err(source_error)?;
            self.halo.fill(reaches, &views::<T>(inputs)?, &within, target)?;
            Block::from_vec(&shape, buffer).map_err(source_error)
        })
    }

    /// The result of the function without the border, which it may have left out itself.
    fn trimmed(&self, reaches: &[Reach], info: &BlockInfo, padded: &[usize], found: Block) -> KernelResult<Block> {
        check_dtype(found.dtype(), self.dtype)?;
        let grid = self.halo.grid();
        let mut core: Dims = info.shape.clone();
        for ((length, axis), padded) in core.iter_mut().zip(grid.axes()).zip(padded) {
            if axis.length().is_none() {
                *length = *padded;
            }
        }
        if found.shape() == core.as_slice() {
            return Ok(found);
        }
        if found.shape() != padded {
            let found = found.shape();
            return Err(KernelError::new(format!(
                "the function gave a block of shape {found:?} for one of {padded:?}: give one of that shape, or of {core:?} without the border"
            )));
        }
        with_dtype!(self.dtype, T => {
            let view = found.view::<T>().map_err(source_error)?;
            let part = view.slice_each_axis(|axis| {
                let axis = axis.axis.index();
                let start = reaches[axis].before as isize;
                NdSlice::from(start..start + core[axis] as isize)
            });
            Ok(Block::from(part))
        })
    }
}

impl Kernel for MapOverlap {
    fn name(&self) -> &str {
        "array.map_overlap"
    }

    fn describe(&self) -> String {
        format!("map_overlap {}", self.function.name())
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let place = self.halo.place(task.block as usize);
        let grid = self.halo.grid();
        let info = BlockInfo { origin: grid.block_origin(&place), shape: grid.block_shape(&place), place };
        let reaches = self.halo.reaches(&info.place);
        let each = Halo::sources(&reaches);
        let mut padded: SmallVec<[Block; 2]> = SmallVec::new();
        for inputs in inputs.chunks(each.max(1)) {
            self.halo.check(&reaches, inputs)?;
            padded.push(self.padded(&reaches, inputs)?);
        }
        if padded.len() != self.arrays {
            return Err(KernelError::new(format!("{} arrays where {} were promised", padded.len(), self.arrays)));
        }
        let shape: Dims = padded.first().map_or_else(Dims::new, |block| block.shape().into());
        let found = self.function.call(&info, &padded.iter().collect::<SmallVec<[&Block; 2]>>())?;
        Ok(Value::block(self.trimmed(&reaches, &info, &shape, found)?))
    }
}

impl Operation for MapOverlap {
    fn name(&self) -> &'static str {
        "map_overlap"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.key(self.function.key()).value(&self.halo.grid()).value(&self.halo.parameters())
    }

    fn describe(&self) -> String {
        format!("map_overlap {}", self.function.name())
    }

    fn sliced(&self, expr: &Expr, _: &Expr, ranges: &[StepRange]) -> Option<ExprRef> {
        let make = |halo, grid: Grid, inputs: Vec<ExprRef>| {
            expr.with(grid, Op::Custom(Arc::new(MapOverlap { halo, ..self.clone() })), inputs)
        };
        self.halo.sliced(expr, ranges, make)
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let sources = expr.inputs.iter().map(|input| blocks(lowering, input)).collect::<Result<Vec<_>>>()?;
        let inputs: Vec<(&Grid, &[Edge])> =
            expr.inputs.iter().zip(&sources).map(|(input, blocks)| (&input.grid, &**blocks)).collect();
        // The arrays with their borders, and what the function gives before it is trimmed.
        let elements = self.halo.largest(1_000_000);
        let bytes = expr.inputs.iter().map(|input| input.dtype.size() as u64).sum::<u64>() + expr.dtype.size() as u64;
        // A user's function may take any time, however small its blocks.
        let layer = layer(expr, self.clone()).scratch(elements.saturating_mul(bytes)).tiny(false);
        let layer = lowering.graph.layer(layer);
        let mut made = Vec::with_capacity(expr.grid.blocks());
        for (block, edges) in self.halo.edges(&inputs).enumerate() {
            let bytes = expr.block_bytes(&expr.grid.place(block));
            made.push(lowering.graph.task(layer, block as u32, bytes, &edges)?.into());
        }
        Ok(made)
    }
}
