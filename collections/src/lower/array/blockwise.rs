//! A program on each block.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, TaskContext, Value};

use super::{Lowering, array, blocks, encode, layer, source_error};
use crate::array::expr::Expr;
use crate::array::grid::{Dims, Grid};
use crate::array::kernels::program::Compiled;
use crate::array::kernels::{Arg, Block, Program};
use crate::error::Result;

pub(super) const NAME: &str = "array.blockwise";

/// A program that is compiled when it first runs in a process.
#[derive(Serialize, Deserialize)]
pub(super) struct LazyProgram {
    program: Arc<Program>,
    #[serde(skip)]
    compiled: OnceLock<std::result::Result<Compiled, String>>,
}

impl LazyProgram {
    pub(super) fn new(program: Arc<Program>) -> LazyProgram {
        LazyProgram { program, compiled: OnceLock::new() }
    }

    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    pub(super) fn compiled(&self) -> KernelResult<&Compiled> {
        let compiled = self.compiled.get_or_init(|| self.program.compile().map_err(|error| error.to_string()));
        compiled.as_ref().map_err(|error| KernelError::new(error.clone()))
    }

    /// The shape of the result's block: from the grid, or where that does not know from the inputs' blocks.
    pub(super) fn shape(&self, grid: &Grid, place: &[usize], inputs: &[Value]) -> KernelResult<Dims> {
        let mut shape = grid.block_shape(place);
        for (out, axis) in grid.axes().iter().enumerate() {
            if axis.length().is_some() {
                continue;
            }
            for (input, value) in self.program.inputs.iter().zip(inputs) {
                if let Some(Some(axis)) = input.axes.get(out) {
                    shape[out] = array(value)?.shape().get(usize::from(*axis)).copied().unwrap_or(0);
                    break;
                }
            }
        }
        Ok(shape)
    }
}

/// `array.blockwise`: one pass over memory for a chain of elementwise operations.
#[derive(Serialize, Deserialize)]
pub(super) struct Blockwise {
    program: LazyProgram,
    grid: Grid,
}

impl Kernel for Blockwise {
    fn name(&self) -> &str {
        NAME
    }

    fn describe(&self) -> String {
        let kind = if self.program.program().inputs.is_empty() { "create" } else { "blockwise" };
        format!("{kind} {}", self.program.program())
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let place = self.grid.place(task.block as usize);
        let shape = self.program.shape(&self.grid, &place, inputs)?;
        let origin = self.grid.block_origin(&place);
        let compiled = self.program.compiled()?;
        // A block that nobody else holds may be written over.
        let mut owned: SmallVec<[std::result::Result<Block, Arc<Block>>; 4]> = SmallVec::new();
        for input in inputs {
            owned.push(Arc::try_unwrap(input.take::<Block>()?));
        }
        let args = owned
            .iter_mut()
            .map(|block| match block {
                Ok(block) if block.nbytes() > 0 => Arg::Dying(std::mem::replace(block, empty())),
                Ok(block) => Arg::Borrowed(block),
                Err(shared) => Arg::Borrowed(shared),
            })
            .collect();
        let result = compiled.eval(args, &shape, &origin).map_err(source_error)?;
        Ok(Value::block(result))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

fn empty() -> Block {
    Block::from_array(ndarray::ArrayD::<bool>::from_elem(ndarray::IxDyn(&[0]), false))
}

/// Which block of an input goes with the block at a place of the result.
pub(super) fn input_block(program: &Program, number: usize, input: &Expr, place: &[usize]) -> usize {
    let mut at = Dims::from_elem(0, input.ndim());
    for (axis, place) in program.inputs[number].axes.iter().zip(place) {
        if let Some(axis) = axis {
            at[usize::from(*axis)] = *place;
        }
    }
    input.grid.block_at(&at)
}

pub(super) fn lower(lowering: &mut Lowering, expr: &Expr, program: &Arc<Program>) -> Result<Vec<Edge>> {
    let kernel = Blockwise { program: LazyProgram::new(program.clone()), grid: expr.grid.clone() };
    let sources = expr.inputs.iter().map(|input| blocks(lowering, input)).collect::<Result<SmallVec<[_; 4]>>>()?;
    let layer = lowering.graph.layer(layer(expr, kernel));
    let mut edges: SmallVec<[Edge; 4]> = SmallVec::new();
    let mut made = Vec::with_capacity(expr.grid.blocks());
    for block in 0..expr.grid.blocks() {
        let place = expr.grid.place(block);
        edges.clear();
        for (number, input) in expr.inputs.iter().enumerate() {
            edges.push(sources[number][input_block(program, number, input, &place)]);
        }
        made.push(lowering.graph.task(layer, block as u32, expr.block_bytes(&place), &edges)?.into());
    }
    Ok(made)
}
