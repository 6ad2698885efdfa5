//! Array expressions as layers of tasks.

mod assemble;
mod bins;
mod blockwise;
mod gather;
mod group;
mod index;
mod linalg;
mod local;
mod neighbours;
mod operation;
mod own;
mod rechunk;
mod reduce;
mod roots;
mod scan;
mod select;
mod sort;
mod store;
mod tree;

use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;
use talatat_graph::{Block as GraphBlock, Brief, Edge, Kernel, KernelError, KernelResult, Key, Layer, Registry, Value};

pub(crate) use bins::Bins;
pub(crate) use group::{Codes, GroupBy};
pub(crate) use index::{IndexFunction, Label, Part};
pub(crate) use linalg::contract::Contract;
pub(crate) use linalg::panels::{Factorization, Order, Solve};
pub(crate) use linalg::tsqr::{Dense, Factor, TallProduct, Whole};
pub(crate) use local::{OnBlocks, Reads};
pub(crate) use neighbours::halo::{Border, Halo};
pub(crate) use neighbours::overlap::MapOverlap;
pub(crate) use neighbours::weigh::Weigh;
pub(crate) use operation::Operation;
pub(crate) use own::{Own, OwnReduction};
pub(crate) use roots::Roots;
pub(crate) use scan::Scan;
pub(crate) use select::{Assign, Compress, Nonzero, Pick};
pub(crate) use sort::Sort;
pub(crate) use store::npy_stack::StackWriting;
pub(crate) use store::target::{StoreGuard, Storing};
pub(crate) use store::text::{Text, TextOutput, TextWriting};
#[cfg(feature = "zarr")]
pub(crate) use store::zarr::{Zarr, ZarrWriting};
pub(crate) use tree::{Kind as StateKind, SketchedQuantiles, States};

use super::Lowering;
use crate::array::dtype::DType;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::kernels::Block;
use crate::array::kernels::reduce::Accumulator;
use crate::array::rewrite::is_cheap;
use crate::error::{Error, Result};

/// Below this many bytes a task is over before another thread would have woken up.
const TINY: u64 = 16 << 10;

/// Adds the kernels and blocks of arrays.
pub(crate) fn register(registry: Registry) -> Registry {
    #[cfg(feature = "zarr")]
    let registry = store::zarr::register(registry);
    let registry = store::text::register(store::npy_stack::register(registry));
    registry
        .block("array", |bytes| Ok(Arc::new(Block::decode(bytes).map_err(KernelError::from_source)?)))
        .block_reader("array", |bytes, _| Ok(Arc::new(Block::read(bytes).map_err(KernelError::from_source)?)))
        .block("array.state", |bytes| {
            Ok(Arc::new(State(Accumulator::decode(bytes).map_err(KernelError::from_source)?)))
        })
        .kernel::<blockwise::Blockwise>(blockwise::NAME)
        .kernel::<reduce::Partial>(reduce::PARTIAL)
        .kernel::<reduce::Combine>(reduce::COMBINE)
        .kernel::<reduce::Finish>(reduce::FINISH)
        .kernel::<assemble::Slice>(assemble::SLICE)
        .kernel::<rechunk::Split>(rechunk::SPLIT)
        .kernel::<rechunk::Merge>(rechunk::MERGE)
        .kernel::<assemble::Reshape>(assemble::RESHAPE)
        .kernel::<gather::Gather>(gather::GATHER)
        .kernel::<gather::Strided>(gather::STRIDED)
        .kernel::<group::Whole>(group::WHOLE)
        .kernel::<group::Partial>(group::PARTIAL)
        .kernel::<scan::Totals>(scan::TOTALS)
        .kernel::<scan::Carry>(scan::CARRY)
        .kernel::<scan::Run>(scan::RUN)
        .kernel::<neighbours::weigh::Weigh>(neighbours::weigh::NAME)
        .kernel::<local::Local>(local::NAME)
        .kernel::<bins::Count>(bins::COUNT)
        .kernel::<tree::Chunk>(tree::CHUNK)
        .kernel::<sort::Sorting>(sort::NAME)
        .kernel::<tree::Merge>(tree::MERGE)
        .kernel::<tree::Finish>(tree::FINISH)
        .kernel::<linalg::contract::Contract>(linalg::contract::NAME)
        .kernel::<linalg::contract::SumOf>(linalg::contract::SUM_OF)
        .kernel::<linalg::tsqr::Factor>(linalg::tsqr::FACTOR)
        .kernel::<linalg::tsqr::Apply>(linalg::tsqr::APPLY)
        .kernel::<linalg::tsqr::Dense>(linalg::tsqr::DENSE)
        .kernel_with(linalg::panels::STEP, linalg::panels::decode)
        .kernel::<linalg::panels::Order>(linalg::panels::ORDER)
        .kernel::<select::Compress>(select::COMPRESS)
        .kernel::<select::Empty>(select::EMPTY)
        .kernel::<select::Nonzero>(select::NONZERO)
        .kernel::<select::Pick>(select::PICK)
        .kernel::<select::Assign>(select::ASSIGN)
        .kernel::<store::source::Npy>(store::source::NPY)
        .block(store::write::WRITTEN, store::write::decode_written)
        .kernel::<store::write::Write>(store::write::WRITE)
        .kernel::<store::write::Finish>(store::write::FINISH)
        .kernel_with(store::source::BLOCK, store::source::decode_block)
}

/// The state of a reduction on its way.
pub(super) struct State(pub(super) Accumulator);

impl State {
    /// Takes the state out of an input; one that others hold, too, is copied.
    fn take(value: &mut Value) -> KernelResult<Accumulator> {
        Ok(Arc::try_unwrap(value.take::<State>()?).map_or_else(|shared| shared.0.clone(), |state| state.0))
    }
}

impl GraphBlock for State {
    fn nbytes(&self) -> usize {
        self.0.nbytes()
    }

    fn brief(&self) -> Brief {
        Brief::new("state", &[self.0.lanes()])
    }

    fn codec(&self) -> Option<&'static str> {
        Some("array.state")
    }

    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        self.0.encode(out).map_err(KernelError::from_source)
    }
}

/// The parameters of a kernel as bytes.
fn encode<T: serde::Serialize>(kernel: &T) -> talatat_graph::Result<Vec<u8>> {
    postcard::to_stdvec(kernel).map_err(|error| talatat_graph::Error::NotPortable {
        operation: std::any::type_name::<T>().into(),
        reason: error.to_string(),
    })
}

/// The blocks of an expression, made if they have not been, in the order of its grid.
pub(crate) fn lower(lowering: &mut Lowering, root: &ExprRef) -> Result<Rc<[Edge]>> {
    if lowering.seen(root.key).is_none() {
        lower_all(lowering, std::slice::from_ref(root))?;
    }
    blocks(lowering, root)
}

/// Makes the blocks of expressions and of all below them. Inputs are lowered first, without recursion, so depth is no limit.
fn lower_all(lowering: &mut Lowering, roots: &[ExprRef]) -> Result<()> {
    let mut order = Vec::new();
    let mut readers: HashMap<Key, Readers> = HashMap::new();
    Expr::visit(roots, &mut |expr| {
        for input in &expr.inputs {
            let readers = readers.entry(input.key).or_default();
            match expr.op {
                Op::Reduce { .. } => readers.reductions += 1,
                _ => readers.others = true,
            }
        }
        order.push(expr);
    });
    for root in roots {
        readers.entry(root.key).or_default().others = true;
    }
    for expr in order {
        let on_the_way = readers.get(&expr.key).is_some_and(|readers| readers.compute(&expr.op));
        if lowering.seen(expr.key).is_none() && !on_the_way {
            let edges = lower_one(lowering, expr)?;
            if let Some(trace) = &mut lowering.trace {
                trace.split(expr.op.describe(), edges.len(), expr.grid.split_text());
            }
            lowering.note(expr.key, edges);
        }
    }
    Ok(())
}

/// Who reads an expression.
#[derive(Default)]
struct Readers {
    reductions: usize,
    /// Whether other operations do, or the caller.
    others: bool,
}

impl Readers {
    /// Whether the readers compute it on the way, so that it is never written: a chain that ends in one reduction, or
    /// in several if it is cheap.
    fn compute(&self, op: &Op) -> bool {
        match op {
            Op::Blockwise(program) => !self.others && (self.reductions == 1 || is_cheap(program)),
            _ => false,
        }
    }
}

/// The blocks of an expression that has been lowered.
fn blocks(lowering: &Lowering, expr: &Expr) -> Result<Rc<[Edge]>> {
    let lost = || talatat_graph::Error::InvalidGraph(format!("the blocks of {} were not lowered", expr.op.name()));
    Ok(lowering.seen(expr.key).ok_or_else(lost)?)
}

fn lower_one(lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
    if let Some(reason) = expr.grid.excess() {
        return Err(Error::invalid_at(expr.op.name(), reason, expr.location));
    }
    match (&expr.op, expr.inputs.as_slice()) {
        (Op::Blockwise(program), _) => blockwise::lower(lowering, expr, program),
        (Op::Reduce { op, axes, keepdims }, [input]) => reduce::lower(lowering, expr, *op, axes, *keepdims, input),
        (Op::Slice(ranges), [input]) => assemble::lower_slice(lowering, expr, input, ranges),
        (Op::Rechunk, [input]) => rechunk::lower_rechunk(lowering, expr, input),
        (Op::Reshape, [input]) => assemble::lower_reshape(lowering, expr, input),
        (Op::Concatenate { axis }, inputs) => assemble::lower_concatenate(lowering, expr, inputs, *axis),
        (Op::Gather { axis, runs }, [input]) => gather::lower_gather(lowering, expr, input, *axis, runs),
        (Op::Strided { offset, steps }, [input]) => gather::lower_strided(lowering, expr, input, offset, steps),
        (Op::Write(output), [input]) => store::write::lower_write(lowering, expr, input, output),
        (Op::Custom(operation), _) => operation.lower(lowering, expr),
        (Op::Memory(array), _) => store::source::lower_memory(lowering, expr, array),
        (Op::Persisted(blocks), _) => store::source::lower_persisted(lowering, expr, blocks),
        (Op::Npy { object, header, ranges }, _) => store::source::lower_npy(lowering, expr, object, header, ranges),
        (Op::Foreign(blocks), _) => blocks.lower(lowering),
        _ => Err(wrong_inputs(expr)),
    }
}

/// A layer for an expression's tasks.
fn layer(expr: &Expr, kernel: impl Kernel) -> Layer {
    Layer::new(expr.key, Arc::new(kernel)).at(expr.location).tiny(largest_bytes(expr) <= TINY)
}

/// A layer for one of several steps of an expression; `largest` is the most bytes that a task reads or makes.
fn step(expr: &Expr, name: &str, kernel: impl Kernel, largest: u64) -> Layer {
    let key = expr.key.combine(Key::of(name, &[]).bits());
    Layer::new(key, Arc::new(kernel)).at(expr.location).tiny(largest <= TINY)
}

/// The most bytes of a block of an expression.
fn largest_bytes(expr: &Expr) -> u64 {
    (expr.grid.largest_block(1_000_000) as u64).saturating_mul(expr.dtype.size() as u64)
}

/// The input of an operation that has one.
fn only_input(expr: &Expr) -> Result<&ExprRef> {
    match expr.inputs.as_slice() {
        [input] => Ok(input),
        _ => Err(wrong_inputs(expr)),
    }
}

/// Both inputs of an operation that has two.
fn two_inputs(expr: &Expr) -> Result<[&ExprRef; 2]> {
    match expr.inputs.as_slice() {
        [first, second] => Ok([first, second]),
        _ => Err(wrong_inputs(expr)),
    }
}

fn wrong_inputs(expr: &Expr) -> Error {
    talatat_graph::Error::InvalidGraph(format!("{} has {} inputs", expr.op.name(), expr.inputs.len())).into()
}

/// A block to write to: an input that nobody else reads, or a copy of it.
fn owned(value: &mut Value) -> KernelResult<Block> {
    Ok(Arc::try_unwrap(value.take::<Block>()?).unwrap_or_else(|shared| (*shared).clone()))
}

fn missing() -> KernelError {
    KernelError::new("a block is missing")
}

/// An array block among a task's inputs.
fn array(value: &Value) -> KernelResult<&Block> {
    value.get::<Block>()
}

fn source_error(error: impl std::error::Error + Send + Sync + 'static) -> KernelError {
    KernelError::from_source(error)
}

/// A block of a type known at run time, from a function that makes its elements.
fn check_dtype(found: DType, expected: DType) -> KernelResult<()> {
    if found == expected {
        return Ok(());
    }
    Err(KernelError::new(format!("a block of {found} where one of {expected} was promised")))
}
