//! Operations that hand each block to the outside, and then say that all is done.

use talatat_graph::{Edge, Kernel, KernelError, KernelResult, Key, Layer, TaskContext, Value};

use crate::array::expr::Expr;
use crate::array::grid::{Dims, Grid};
use crate::array::kernels::Block;
use crate::error::Result;
use crate::lower::array::{Lowering, array, blocks, layer, only_input};

/// The block that a task is given, and where it begins; one of another shape than promised is refused.
pub(in crate::lower::array) fn block_of<'a>(
    inputs: &'a [Value],
    grid: &Grid,
    task: TaskContext,
) -> KernelResult<(&'a Block, Dims)> {
    let block = array(inputs.first().ok_or_else(|| KernelError::new("there is no block to write"))?)?;
    let place = grid.place(task.block as usize);
    let shape = grid.block_shape(&place);
    if block.shape() != shape.as_slice() {
        let found = block.shape();
        return Err(KernelError::new(format!("a block of shape {found:?} where {shape:?} was promised")));
    }
    Ok((block, grid.block_origin(&place)))
}

/// One of several steps of an expression.
pub(in crate::lower::array) fn step_of(expr: &Expr, kernel: impl Kernel) -> Layer {
    let key = expr.key.combine(Key::of(kernel.name(), &[]).bits());
    Layer::new(key, std::sync::Arc::new(kernel)).at(expr.location)
}

/// What a write waits for beside its block.
pub(in crate::lower::array) enum After {
    Nothing,
    #[cfg(feature = "zarr")]
    Task(Edge),
    /// The write before it.
    Another,
}

/// A task of `write` for each block of the input, and one of `finish` on what they made.
pub(in crate::lower::array) fn lower_each(
    lowering: &mut Lowering,
    expr: &Expr,
    after: After,
    write: impl Kernel,
    scratch: u64,
    finish: impl Kernel,
) -> Result<Vec<Edge>> {
    let sources = blocks(lowering, only_input(expr)?)?;
    let write = lowering.graph.layer(step_of(expr, write).scratch(scratch));
    let mut written: Vec<Edge> = Vec::with_capacity(sources.len());
    for (block, source) in sources.iter().enumerate() {
        let before = match after {
            After::Nothing => None,
            #[cfg(feature = "zarr")]
            After::Task(edge) => Some(edge),
            After::Another => written.last().copied(),
        };
        let edges: Vec<Edge> = [Some(*source), before].into_iter().flatten().collect();
        written.push(lowering.graph.task(write, block as u32, 0, &edges)?.into());
    }
    let finish = lowering.graph.layer(layer(expr, finish));
    Ok(vec![lowering.graph.task(finish, 0, 0, &written)?.into()])
}
