//! Reductions: a partial state a block, a tree of merges of fixed arity, a finish.
//!
//! States are exact, so their merges give the same bits in any order; only products of floats depend on the order, and
//! they go along the axis as a chain.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, Layer, LayerId, TaskContext, Value};

use super::blockwise::{LazyProgram, input_block};
use super::{Lowering, State, TINY, array, blocks, encode, source_error};
use crate::array::dtype::{DType, for_each_dtype};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Dims, Grid};
use crate::array::kernels::program::{Builder, Input};
use crate::array::kernels::reduce::{Accumulator, LaneValues, ReduceOp, Reduced, reduce};
use crate::array::kernels::{Block, Program};
use crate::error::Result;

pub(super) const PARTIAL: &str = "array.reduce.partial";
pub(super) const COMBINE: &str = "array.reduce.combine";
pub(super) const FINISH: &str = "array.reduce.finish";

/// How many states one task merges.
pub(super) const ARITY: usize = 8;

/// `array.reduce.partial`: a program and the reduction of its result, in one pass that never writes the result.
#[derive(Serialize, Deserialize)]
pub(super) struct Partial {
    program: LazyProgram,
    /// The grid of the program's result.
    grid: Grid,
    op: ReduceOp,
    input: DType,
    /// Which axes are reduced.
    reduced: SmallVec<[bool; 4]>,
}

impl Kernel for Partial {
    fn name(&self) -> &str {
        PARTIAL
    }

    fn describe(&self) -> String {
        let program = self.program.program();
        let text = program.to_string();
        if text == "x0" { format!("{} of blocks", self.op) } else { format!("{} of {text}", self.op) }
    }

    /// Ordered reductions get the state of the block before as a last input.
    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let place = self.grid.place(task.block as usize);
        let (inputs, before) = inputs.split_at_mut(self.program.program().inputs.len().min(inputs.len()));
        let shape = self.program.shape(&self.grid, &place, inputs)?;
        let origin = self.grid.block_origin(&place);
        let compiled = self.program.compiled()?;
        let arrays = inputs.iter().map(array).collect::<KernelResult<SmallVec<[&Block; 4]>>>()?;
        let lanes =
            shape.iter().zip(&self.reduced).filter(|(_, reduced)| !**reduced).map(|(length, _)| length).product();
        let state = match before.first_mut() {
            Some(before) => State::take(before)?,
            None => Accumulator::new(self.op, self.input, lanes).map_err(source_error)?,
        };
        let whole = self.grid.shape();
        let block = Reduced { shape: &shape, origin: &origin, axes: &self.reduced, whole: whole.as_deref() };
        let state = reduce(state, compiled, &arrays, block).map_err(source_error)?;
        Ok(Value::block(State(state)))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.reduce.combine`: merges states.
#[derive(Serialize, Deserialize)]
pub(super) struct Combine {
    pub(super) op: ReduceOp,
}

impl Kernel for Combine {
    fn name(&self) -> &str {
        COMBINE
    }

    fn describe(&self) -> String {
        format!("{} combine", self.op)
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let (first, rest) = inputs.split_first_mut().ok_or_else(|| KernelError::new("nothing to merge"))?;
        let mut state = State::take(first)?;
        for other in rest {
            state.merge(&other.get::<State>()?.0).map_err(source_error)?;
        }
        Ok(Value::block(State(state)))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.reduce.finish`: from states to results.
#[derive(Serialize, Deserialize)]
pub(super) struct Finish {
    pub(super) op: ReduceOp,
    pub(super) grid: Grid,
}

impl Kernel for Finish {
    fn name(&self) -> &str {
        FINISH
    }

    fn describe(&self) -> String {
        format!("{} finish", self.op)
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let input = inputs.first_mut().ok_or_else(|| KernelError::new("nothing to finish"))?;
        let state = State::take(input)?;
        let mut shape = self.grid.block_shape(&self.grid.place(task.block as usize));
        // At most one length is not known: it is what the others leave of the lanes.
        if let Some(unknown) = self.grid.axes().iter().position(|axis| axis.length().is_none()) {
            let others: usize =
                shape.iter().enumerate().filter(|(axis, _)| *axis != unknown).map(|(_, length)| length).product();
            shape[unknown] = state.lanes() / others.max(1);
        }
        let values = state.finish().map_err(source_error)?;
        Ok(Value::block(block_of(values, &shape)?))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

fn block_of(values: LaneValues, shape: &[usize]) -> KernelResult<Block> {
    macro_rules! blocks {
        ($($variant:ident, $rust:ty, $name:literal;)*) => {
            match values { $(LaneValues::$variant(values) => Block::from_vec(shape, values)),* }
        };
    }
    for_each_dtype!(blocks).map_err(source_error)
}

pub(super) fn lower(
    lowering: &mut Lowering,
    expr: &Expr,
    op: ReduceOp,
    axes: &[usize],
    keepdims: bool,
    input: &ExprRef,
) -> Result<Vec<Edge>> {
    // A blockwise input that has not been lowered is computed on the way.
    let fused = match &input.op {
        Op::Blockwise(program) if lowering.seen(input.key).is_none() => {
            Some((program.clone(), input.inputs.as_slice()))
        }
        _ => None,
    };
    let (program, inputs) = match fused {
        Some(fused) => fused,
        None => (identity(input)?, std::slice::from_ref(input)),
    };
    let grid = &input.grid;
    let mut reduced: SmallVec<[bool; 4]> = SmallVec::from_elem(false, grid.ndim());
    axes.iter().for_each(|&axis| reduced[axis] = true);
    let kernel = Partial {
        program: LazyProgram::new(program.clone()),
        grid: grid.clone(),
        op,
        input: input.dtype,
        reduced: reduced.clone(),
    };
    let scratch = 1 << 17;
    let tiny = grid.largest_block(1_000_000) as u64 * input.dtype.size() as u64 <= TINY;
    let key = |name: &str| expr.key.combine(talatat_graph::Key::of(name, &[]).bits());
    let layer = |name: &str, kernel: Arc<dyn Kernel>| Layer::new(key(name), kernel).at(expr.location).tiny(tiny);
    let sources = inputs.iter().map(|input| blocks(lowering, input)).collect::<Result<SmallVec<[_; 4]>>>()?;
    let partial = lowering.graph.layer(layer(PARTIAL, Arc::new(kernel)).scratch(scratch));
    let combine = lowering.graph.layer(layer(COMBINE, Arc::new(Combine { op })));
    let finish = lowering.graph.layer(layer(FINISH, Arc::new(Finish { op, grid: expr.grid.clone() })));

    // The blocks of each result, in the order of the grid.
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); expr.grid.blocks()];
    for block in 0..grid.blocks() {
        let place = grid.place(block);
        let kept: Dims = if keepdims {
            place.iter().zip(&reduced).map(|(&at, &reduced)| if reduced { 0 } else { at }).collect()
        } else {
            place.iter().zip(&reduced).filter(|(_, reduced)| !**reduced).map(|(&at, _)| at).collect()
        };
        groups[expr.grid.block_at(&kept)].push(block);
    }
    let ordered = op.is_ordered(input.dtype);
    let mut made = Vec::with_capacity(groups.len());
    let mut combined = 0;
    for (result, group) in groups.iter().enumerate() {
        let result_bytes = expr.block_bytes(&expr.grid.place(result));
        let lanes = result_bytes / expr.dtype.size() as u64;
        let state_bytes = op.state_bytes(input.dtype, lanes as usize) as u64;
        let mut level: Vec<Edge> = Vec::with_capacity(group.len());
        for &block in group {
            let place = grid.place(block);
            let mut edges: SmallVec<[Edge; 5]> = SmallVec::new();
            for (number, input) in inputs.iter().enumerate() {
                edges.push(sources[number][input_block(&program, number, input, &place)]);
            }
            if ordered {
                edges.extend(level.pop());
            }
            level.push(lowering.graph.task(partial, block as u32, state_bytes, &edges)?.into());
        }
        let level = merged(lowering, combine, level, state_bytes, &mut combined)?;
        made.push(lowering.graph.task(finish, result as u32, result_bytes, &level)?.into());
    }
    Ok(made)
}

/// States merged to one by a tree of tasks of a layer; `number` is that of the next task.
pub(super) fn merged(
    lowering: &mut Lowering,
    layer: LayerId,
    mut level: Vec<Edge>,
    bytes: u64,
    number: &mut u32,
) -> Result<Vec<Edge>> {
    while level.len() > 1 {
        let mut next = Vec::with_capacity(level.len().div_ceil(ARITY));
        for inputs in level.chunks(ARITY) {
            next.push(lowering.graph.task(layer, *number, bytes, inputs)?.into());
            *number += 1;
        }
        level = next;
    }
    Ok(level)
}

/// The program that gives its only input.
fn identity(input: &Expr) -> Result<Arc<Program>> {
    let mut builder = Builder::new(input.ndim());
    let register = builder.input(Input::identity(input.dtype, input.ndim()));
    let program = builder.finish(register);
    Ok(Arc::new(program.map_err(|error| crate::array::build::invalid("reduce", &error, input.location))?))
}
