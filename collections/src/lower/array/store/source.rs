//! Where blocks come from: memory, computed blocks, `.npy` files.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, StorageBytes, TaskContext, Value};

use crate::array::dtype::{DType, with_dtype};
use crate::array::expr::Expr;
use crate::array::grid::Grid;
use crate::array::kernels::Block;
use crate::array::range::StepRange;
use crate::error::Result;
use crate::lower::array::{Lowering, TINY, array, encode, layer, source_error};
use crate::storage::ObjectRef;
use crate::storage::npy::{NpyHeader, read_steps};

pub(in crate::lower::array) const BLOCK: &str = "array.block";
pub(in crate::lower::array) const NPY: &str = "array.npy";

/// One block, whatever its number: what a block from memory is in another process.
struct OneBlock(Block);

impl Kernel for OneBlock {
    fn name(&self) -> &str {
        BLOCK
    }

    fn run(&self, _: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        Ok(Value::block(self.0.clone()))
    }
}

pub(in crate::lower::array) fn decode_block(bytes: &[u8]) -> KernelResult<Arc<dyn Kernel>> {
    Ok(Arc::new(OneBlock(Block::decode(bytes).map_err(source_error)?.into_shared())))
}

/// Blocks of an array in memory, as views: nothing is copied, except for tiny blocks with gaps between their rows. These would
/// be packed by each reader.
struct Memory {
    array: Arc<Block>,
    grid: Grid,
}

impl Memory {
    fn block(&self, number: u64) -> KernelResult<Block> {
        let place = self.grid.place(number as usize);
        let (origin, shape) = (self.grid.block_origin(&place), self.grid.block_shape(&place));
        let ranges: Vec<std::ops::Range<usize>> =
            origin.iter().zip(&shape).map(|(&start, &length)| start..start + length).collect();
        self.array.part(&ranges).map_err(source_error)
    }
}

impl Kernel for Memory {
    fn name(&self) -> &str {
        BLOCK
    }

    fn describe(&self) -> String {
        "memory".into()
    }

    fn run(&self, task: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        let block = self.block(task.block)?;
        let packed = if block.nbytes() as u64 <= TINY { block.packed() } else { None };
        Ok(Value::block(packed.unwrap_or(block)))
    }

    fn encode(&self, block: u64) -> talatat_graph::Result<Vec<u8>> {
        encode_block(self.block(block))
    }
}

fn encode_block(block: KernelResult<Block>) -> talatat_graph::Result<Vec<u8>> {
    let block = block
        .map_err(|error| talatat_graph::Error::NotPortable { operation: BLOCK.into(), reason: error.to_string() })?;
    let mut bytes = Vec::new();
    block.encode(&mut bytes);
    Ok(bytes)
}

/// Blocks that were computed before.
struct Persisted {
    blocks: Arc<[Value]>,
}

impl Persisted {
    fn block(&self, number: u64) -> KernelResult<&Value> {
        self.blocks.get(number as usize).ok_or_else(|| KernelError::new(format!("there is no block {number}")))
    }
}

impl Kernel for Persisted {
    fn name(&self) -> &str {
        BLOCK
    }

    fn describe(&self) -> String {
        "persisted".into()
    }

    fn run(&self, task: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        self.block(task.block).cloned()
    }

    fn held(&self, block: u64) -> Option<Value> {
        // Blocks of this process go with the tasks that read them: there they can be views.
        self.block(block).ok().filter(|value| matches!(value, Value::Remote(_))).cloned()
    }

    fn encode(&self, block: u64) -> talatat_graph::Result<Vec<u8>> {
        let value = self.block(block).cloned().map(Value::loaded);
        encode_block(value.and_then(|value| {
            value.map_err(KernelError::from_source).as_ref().map_err(Clone::clone).and_then(array).cloned()
        }))
    }
}

/// `array.npy`: reads a region of a file for each block.
#[derive(Serialize, Deserialize)]
pub(in crate::lower::array) struct Npy {
    object: ObjectRef,
    header: Arc<NpyHeader>,
    grid: Grid,
    ranges: Vec<StepRange>,
    dtype: DType,
}

impl Kernel for Npy {
    fn name(&self) -> &str {
        NPY
    }

    fn describe(&self) -> String {
        format!("npy {}", self.object.location())
    }

    fn run(&self, task: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        let place = self.grid.place(task.block as usize);
        let (origin, shape) = (self.grid.block_origin(&place), self.grid.block_shape(&place));
        let own = origin.iter().zip(&shape).map(|(&start, &length)| StepRange { start, step: 1, length });
        let region: Vec<StepRange> = self.ranges.iter().zip(own).map(|(range, own)| range.then(&own)).collect();
        let block = with_dtype!(self.dtype, T => {
            Block::from_array(read_steps::<T>(&self.object, &self.header, &region).map_err(source_error)?)
        });
        Ok(Value::block(block))
    }

    fn storage_bytes(&self, _: u64, _: u64, result: u64) -> StorageBytes {
        let bytes = StorageBytes::reads(result);
        // What lies between the elements is read with them where that is quicker.
        if self.ranges.iter().all(|range| range.step == 1) { bytes } else { bytes.about() }
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

fn tasks(lowering: &mut Lowering, expr: &Expr, kernel: impl Kernel, owned: bool) -> Result<Vec<Edge>> {
    let layer = lowering.graph.layer(layer(expr, kernel).borrowed(!owned));
    (0..expr.grid.blocks())
        .map(|block| {
            // A view of what is in memory anyway makes no bytes.
            let bytes = if owned { expr.block_bytes(&expr.grid.place(block)) } else { 0 };
            Ok(lowering.graph.task(layer, block as u32, bytes, &[])?.into())
        })
        .collect()
}

pub(in crate::lower::array) fn lower_memory(
    lowering: &mut Lowering,
    expr: &Expr,
    array: &Arc<Block>,
) -> Result<Vec<Edge>> {
    let gaps = expr.grid.axes().iter().skip(1).any(|axis| axis.chunks() > 1);
    let packed = gaps && expr.grid.largest_block(0) as u64 * expr.dtype.size() as u64 <= TINY;
    tasks(lowering, expr, Memory { array: array.clone(), grid: expr.grid.clone() }, packed)
}

pub(in crate::lower::array) fn lower_persisted(
    lowering: &mut Lowering,
    expr: &Expr,
    blocks: &Arc<[Value]>,
) -> Result<Vec<Edge>> {
    // Blocks on disk and on other machines take memory when they are read.
    let away = blocks.iter().any(|block| matches!(block, Value::Spilled(_) | Value::Remote(_)));
    tasks(lowering, expr, Persisted { blocks: blocks.clone() }, away)
}

pub(in crate::lower::array) fn lower_npy(
    lowering: &mut Lowering,
    expr: &Expr,
    object: &ObjectRef,
    header: &Arc<NpyHeader>,
    ranges: &[StepRange],
) -> Result<Vec<Edge>> {
    let kernel = Npy {
        object: object.clone(),
        header: header.clone(),
        grid: expr.grid.clone(),
        ranges: ranges.to_vec(),
        dtype: expr.dtype,
    };
    tasks(lowering, expr, kernel, true)
}
