//! Reductions with functions of the user's: they cannot leave the process.

use std::sync::Arc;

use talatat_graph::{Edge, Kernel, KernelError, KernelResult, Key, KeyBuilder, TaskContext, Value};

use super::reduce::merged;
use super::{Lowering, Operation, array, blocks, check_dtype, only_input, step};
use crate::array::dtype::DType;
use crate::array::expr::Expr;
use crate::array::functions::map_blocks::BlockInfo;
use crate::array::grid::{Dims, Grid};
use crate::array::kernels::Block;
use crate::error::Result;

type ChunkFn = dyn Fn(&BlockInfo, &Block) -> KernelResult<Value> + Send + Sync;
type CombineFn = dyn Fn(Value, Value) -> KernelResult<Value> + Send + Sync;
type AggregateFn = dyn Fn(Value) -> KernelResult<Block> + Send + Sync;

/// The functions of a user's reduction.
#[derive(Clone)]
pub(crate) struct OwnReduction {
    /// The name of the first function in plans.
    pub(crate) name: Arc<str>,
    /// The identity of all three.
    pub(crate) key: Key,
    /// Bytes of a state, as far as its type says.
    pub(crate) state_bytes: u64,
    /// From a block to a state.
    pub(crate) chunk: Arc<ChunkFn>,
    /// From two states to one.
    pub(crate) combine: Arc<CombineFn>,
    /// From a state to a block of the result.
    pub(crate) aggregate: Arc<AggregateFn>,
}

/// A step of a reduction of the user's; it cannot leave the process.
struct OwnStep {
    function: OwnReduction,
    step: Step,
    /// The grid of the input, or of the result.
    grid: Grid,
    dtype: DType,
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Chunk,
    Combine,
    Aggregate,
}

impl Kernel for OwnStep {
    fn name(&self) -> &str {
        match self.step {
            Step::Chunk => "array.reduction.chunk",
            Step::Combine => "array.reduction.combine",
            Step::Aggregate => "array.reduction.aggregate",
        }
    }

    fn describe(&self) -> String {
        format!("reduction {}", self.function.name)
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let (first, rest) = inputs.split_first_mut().ok_or_else(|| KernelError::new("a block is missing"))?;
        let info = || {
            let place = self.grid.place(task.block as usize);
            BlockInfo { origin: self.grid.block_origin(&place), shape: self.grid.block_shape(&place), place }
        };
        match self.step {
            Step::Chunk => (self.function.chunk)(&info(), array(first)?),
            Step::Combine => {
                let mut state = std::mem::take(first);
                for next in rest {
                    state = (self.function.combine)(state, std::mem::take(next))?;
                }
                Ok(state)
            }
            Step::Aggregate => {
                let block = (self.function.aggregate)(std::mem::take(first))?;
                check_dtype(block.dtype(), self.dtype)?;
                let info = info();
                if !self.grid.has_block(&info.place, block.shape()) {
                    let (found, shape) = (block.shape(), &info.shape);
                    let reason = format!("aggregate gave a block of shape {found:?} where {shape:?} was promised");
                    return Err(KernelError::new(reason));
                }
                Ok(Value::block(block))
            }
        }
    }
}

/// A reduction along axes: a state for each block, merged as a tree.
pub(crate) struct Own {
    pub(crate) function: OwnReduction,
    /// The reduced axes, ascending.
    pub(crate) axes: Vec<usize>,
    /// Whether they stay with length 1.
    pub(crate) keepdims: bool,
}

impl Operation for Own {
    fn name(&self) -> &'static str {
        "reduction"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.key(self.function.key).value(&(&self.axes, self.keepdims))
    }

    fn describe(&self) -> String {
        format!("reduction {} over {:?}", self.function.name, self.axes)
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let Own { function, axes, keepdims } = self;
        let input = only_input(expr)?;
        let sources = blocks(lowering, input)?;
        let kernel = |step: Step, grid: &Grid| OwnStep {
            function: function.clone(),
            step,
            grid: grid.clone(),
            dtype: expr.dtype,
        };
        // A user's function may take any time, however small its blocks.
        let mut layer = |name: &str, kernel: OwnStep| lowering.graph.layer(step(expr, name, kernel, u64::MAX));
        let chunk = layer("chunk", kernel(Step::Chunk, &input.grid));
        let combine = layer("combine", kernel(Step::Combine, &expr.grid));
        let aggregate = layer("aggregate", kernel(Step::Aggregate, &expr.grid));
        let place_of = |place: Dims| -> Dims {
            let kept = |(axis, at): (usize, usize)| match axes.contains(&axis) {
                false => Some(at),
                true => keepdims.then_some(0),
            };
            place.into_iter().enumerate().filter_map(kept).collect()
        };
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); expr.grid.blocks()];
        for block in 0..input.grid.blocks() {
            groups[expr.grid.block_at(&place_of(input.grid.place(block)))].push(block);
        }
        let mut made = Vec::with_capacity(expr.grid.blocks());
        let mut number = 0;
        for (result, group) in groups.into_iter().enumerate() {
            let bytes = expr.block_bytes(&expr.grid.place(result));
            let state_bytes = bytes + function.state_bytes;
            let mut level = Vec::with_capacity(group.len());
            for block in group {
                level.push(lowering.graph.task(chunk, block as u32, state_bytes, &[sources[block]])?.into());
            }
            let level = merged(lowering, combine, level, state_bytes, &mut number)?;
            made.push(lowering.graph.task(aggregate, result as u32, bytes, &level)?.into());
        }
        Ok(made)
    }
}
