//! Blocks out of Zarr arrays, and into them.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, Registry, StorageBytes, TaskContext, Value};

use super::each::{After, block_of, lower_each, step_of};
use crate::array::dtype::with_dtype;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Grid};
use crate::array::kernels::Block;
use crate::array::range::{StepRange, ranges_text};
use crate::config::chunk_target;
use crate::error::Result;
use crate::lower::array::{Lowering, Operation, encode, layer, only_input, source_error};
use crate::storage::zarr::{ZarrArray, ZarrOutput, ZarrRef};
use crate::storage::{Location, StorageError};

pub(in crate::lower::array) const READ: &str = "array.zarr";
pub(in crate::lower::array) const CLEAR: &str = "array.zarr.clear";
pub(in crate::lower::array) const WRITE: &str = "array.zarr.write";
pub(in crate::lower::array) const FINISH: &str = "array.zarr.finish";

pub(in crate::lower::array) fn register(registry: Registry) -> Registry {
    registry.kernel::<Read>(READ).kernel::<Clear>(CLEAR).kernel::<Write>(WRITE).kernel::<Finish>(FINISH)
}

/// So many bytes that lie together are read as fast as a whole chunk, or nearly.
const STRIP: u64 = 64 << 10;

/// An array that is understood again where a task arrives.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::lower::array) struct Opened {
    reference: ZarrRef,
    #[serde(skip)]
    array: OnceLock<Arc<ZarrArray>>,
}

impl Opened {
    pub(in crate::lower::array) fn new(array: Arc<ZarrArray>) -> Self {
        Opened { reference: array.reference(), array: OnceLock::from(array) }
    }

    pub(in crate::lower::array) fn get(&self) -> std::result::Result<&ZarrArray, StorageError> {
        if let Some(array) = self.array.get() {
            return Ok(array);
        }
        let array = Arc::new(ZarrArray::new(self.reference.clone())?);
        Ok(self.array.get_or_init(|| array))
    }

    pub(in crate::lower::array) fn location(&self) -> &Location {
        &self.reference.location
    }
}

/// `array.zarr`: reads a region of an array for each block.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::lower::array) struct Read {
    opened: Opened,
    grid: Grid,
    ranges: Vec<StepRange>,
}

impl Kernel for Read {
    fn name(&self) -> &str {
        READ
    }

    fn describe(&self) -> String {
        format!("zarr {}", self.opened.location())
    }

    fn run(&self, task: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        let array = self.opened.get().map_err(source_error)?;
        let place = self.grid.place(task.block as usize);
        let (origin, shape) = (self.grid.block_origin(&place), self.grid.block_shape(&place));
        let own = origin.iter().zip(&shape).map(|(&start, &length)| StepRange { start, step: 1, length });
        let region: Vec<StepRange> = self.ranges.iter().zip(own).map(|(range, own)| range.then(&own)).collect();
        let block = with_dtype!(array.dtype, T => Block::from_array(array.read::<T>(&region).map_err(source_error)?));
        Ok(Value::block(block))
    }

    fn storage_bytes(&self, _: u64, _: u64, result: u64) -> StorageBytes {
        // Chunks are compressed, and may be read as a whole for a part of them.
        StorageBytes::reads(result).about()
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// A Zarr array, or a part of it.
#[derive(Clone)]
pub(crate) struct Zarr {
    pub(crate) array: Arc<ZarrArray>,
    /// The indices in the store, for each axis.
    pub(crate) ranges: Vec<StepRange>,
}

impl Operation for Zarr {
    fn name(&self) -> &'static str {
        "zarr"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.array.reference()).value(&self.ranges)
    }

    fn describe(&self) -> String {
        let whole = self.ranges.iter().zip(&self.array.shape).all(|(range, &length)| range.is_all(length));
        let part = if whole { String::new() } else { format!(" {}", ranges_text(&self.ranges)) };
        format!("zarr {}{part}", self.array.location())
    }

    fn reads(&self) -> Option<&Location> {
        Some(self.array.location())
    }

    /// The chunks of the store; of shards that fit a block, shards.
    fn cuts(&self, expr: &Expr) -> Option<Grid> {
        let sharded = elements(&self.array.chunk).saturating_mul(expr.dtype.size()) as u64 <= chunk_target();
        let chunk = self.array.inside.as_ref().filter(|_| !sharded).unwrap_or(&self.array.chunk);
        let axes = self.ranges.iter().zip(chunk).map(|(range, &chunk)| {
            let (chunk, end) = (chunk.max(1), range.start + range.length);
            if range.step != 1 {
                return None;
            }
            let inner = (range.start / chunk + 1..end.div_ceil(chunk)).map(|number| number * chunk - range.start);
            Some(Axis::Known(std::iter::once(0).chain(inner).chain([range.length]).collect()))
        });
        Some(Grid::new(axes.collect::<Option<Vec<Axis>>>()?))
    }

    /// Leading axes are cut as it is wanted, where enough bytes still lie together.
    fn strips(&self, expr: &Expr, wanted: &Grid) -> Option<Grid> {
        let array = &self.array;
        if !array.is_raw() || array.location().scheme().is_remote() || self.ranges.iter().any(|range| range.step != 1) {
            return None;
        }
        let mut axes = expr.grid.axes().to_vec();
        let mut together = array.chunk_bytes();
        for ((axis, wanted), &chunk) in axes.iter_mut().zip(wanted.axes()).zip(&array.chunk) {
            let (Some(own), Some(bounds)) = (axis.bounds(), wanted.bounds()) else { return None };
            together /= chunk.max(1) as u64;
            // The last one may be short.
            let shortest = bounds.windows(2).rev().skip(1).map(|pair| pair[1] - pair[0]).min().unwrap_or(chunk);
            if together.saturating_mul(shortest.min(chunk) as u64) < STRIP {
                break;
            }
            let mut both: Vec<usize> = own.iter().chain(bounds.iter()).copied().collect();
            both.sort_unstable();
            both.dedup();
            *axis = Axis::Known(both.into());
        }
        let grid = Grid::new(axes);
        (grid != expr.grid).then_some(grid)
    }

    fn sliced(&self, _: &Expr, slice: &Expr, ranges: &[StepRange]) -> Option<ExprRef> {
        let ranges = self.ranges.iter().zip(ranges).map(|(first, then)| first.then(then)).collect();
        let part = Zarr { array: self.array.clone(), ranges };
        Some(slice.with(slice.grid.clone(), Op::Custom(Arc::new(part)), []))
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let largest: Vec<usize> = expr.grid.axes().iter().map(|axis| axis.longest().unwrap_or(0)).collect();
        let scratch = self.array.read_scratch(&self.ranges, &largest);
        let kernel =
            Read { opened: Opened::new(self.array.clone()), grid: expr.grid.clone(), ranges: self.ranges.clone() };
        // Over a network the disk is nearer.
        let again = !self.array.location().scheme().is_remote();
        let layer = lowering.graph.layer(layer(expr, kernel).scratch(scratch).again(again));
        let tasks = (0..expr.grid.blocks()).map(|block| {
            let bytes = expr.block_bytes(&expr.grid.place(block));
            Ok(lowering.graph.task(layer, block as u32, bytes, &[])?.into())
        });
        tasks.collect()
    }
}

fn elements(lengths: &[usize]) -> usize {
    lengths.iter().fold(1, |count, &length| count.saturating_mul(length))
}

/// `array.zarr.clear`: removes what was where the array will be.
#[derive(Serialize, Deserialize)]
pub(in crate::lower::array) struct Clear(ZarrOutput);

impl Kernel for Clear {
    fn name(&self) -> &str {
        CLEAR
    }

    fn describe(&self) -> String {
        format!("clear {}", self.0.location())
    }

    fn once(&self) -> bool {
        true
    }

    fn run(&self, _: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        self.0.clear().map_err(source_error)?;
        Ok(Value::Unit)
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.zarr.write`: writes the chunks of a block.
#[derive(Serialize, Deserialize)]
pub(in crate::lower::array) struct Write {
    opened: Opened,
    output: ZarrOutput,
    grid: Grid,
}

impl Kernel for Write {
    fn name(&self) -> &str {
        WRITE
    }

    fn describe(&self) -> String {
        format!("write to {}", self.output.location())
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let (block, origin) = block_of(inputs, &self.grid, task)?;
        let origin: Vec<usize> =
            origin.iter().enumerate().map(|(axis, &start)| self.output.origin(axis) + start).collect();
        let target = self.opened.get().map_err(source_error)?;
        with_dtype!(block.dtype(), T => {
            let view = block.view::<T>().map_err(source_error)?;
            target.write::<T>(&origin, &view).map_err(|error| match &self.output {
                // A new array is not there before it is complete; a region is of one that is.
                ZarrOutput::Region { .. } => {
                    KernelError::new(format!("{error}; other chunks of the region may have been written"))
                }
                _ => source_error(error),
            })?;
        });
        Ok(Value::Unit)
    }

    fn storage_bytes(&self, _: u64, inputs: u64, _: u64) -> StorageBytes {
        StorageBytes::writes(inputs).about()
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.zarr.finish`: all is written.
#[derive(Serialize, Deserialize)]
pub(in crate::lower::array) struct Finish(ZarrOutput);

impl Kernel for Finish {
    fn name(&self) -> &str {
        FINISH
    }

    fn describe(&self) -> String {
        format!("finish {}", self.0.location())
    }

    fn once(&self) -> bool {
        true
    }

    fn run(&self, _: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        self.0.finish().map_err(source_error)?;
        Ok(Value::Unit)
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// The input is written to a Zarr array; it is cut into whole chunks.
#[derive(Clone)]
pub(crate) struct ZarrWriting {
    pub(crate) output: ZarrOutput,
    /// What chunks are written into.
    pub(crate) array: Arc<ZarrArray>,
}

impl Operation for ZarrWriting {
    fn name(&self) -> &'static str {
        "to_zarr"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.output)
    }

    fn describe(&self) -> String {
        format!("write to {}", self.output.location())
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let input = only_input(expr)?;
        let cleared = match self.output.must_clear() {
            false => After::Nothing,
            true => {
                let clear = lowering.graph.layer(step_of(expr, Clear(self.output.clone())));
                After::Task(lowering.graph.task(clear, 0, 0, &[])?.into())
            }
        };
        let opened = Opened::new(self.array.clone());
        let write = Write { opened, output: self.output.clone(), grid: input.grid.clone() };
        lower_each(lowering, expr, cleared, write, self.array.write_scratch(), Finish(self.output.clone()))
    }
}
