//! Blocks into stacks of `.npy` files.

use serde::{Deserialize, Serialize};
use talatat_graph::{Edge, Kernel, KernelResult, KeyBuilder, Registry, StorageBytes, TaskContext, Value};

use super::each::{After, block_of, lower_each};
use crate::array::dtype::with_dtype;
use crate::array::expr::Expr;
use crate::array::grid::Grid;
use crate::error::Result;
use crate::lower::array::{Lowering, Operation, encode, largest_bytes, only_input, source_error};
use crate::storage::npy::{StackOutput, WRITE_BUFFER};

pub(in crate::lower::array) const WRITE: &str = "array.npy_stack.write";
pub(in crate::lower::array) const FINISH: &str = "array.npy_stack.finish";

pub(in crate::lower::array) fn register(registry: Registry) -> Registry {
    registry.kernel::<Write>(WRITE).kernel::<Finish>(FINISH)
}

/// `array.npy_stack.write`: writes a block as a file.
#[derive(Serialize, Deserialize)]
pub(in crate::lower::array) struct Write {
    output: StackOutput,
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
        let (block, _) = block_of(inputs, &self.grid, task)?;
        with_dtype!(block.dtype(), T => {
            let view = block.view::<T>().map_err(source_error)?;
            self.output.write::<T>(task.block as usize, &view).map_err(source_error)?;
        });
        Ok(Value::Unit)
    }

    fn storage_bytes(&self, _: u64, inputs: u64, _: u64) -> StorageBytes {
        StorageBytes::writes(inputs)
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.npy_stack.finish`: all is written.
#[derive(Serialize, Deserialize)]
pub(in crate::lower::array) struct Finish(StackOutput);

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

/// The input, which is cut along one axis, becomes a file a block.
#[derive(Clone)]
pub(crate) struct StackWriting {
    pub(crate) output: StackOutput,
}

impl Operation for StackWriting {
    fn name(&self) -> &'static str {
        "to_npy_stack"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.output)
    }

    fn describe(&self) -> String {
        format!("write to {}", self.output.location())
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let input = only_input(expr)?;
        // The bytes of some elements, and the file's or the upload's buffer.
        let scratch = match self.output.location().local_path() {
            Some(_) => largest_bytes(input).min(3 * WRITE_BUFFER),
            None => largest_bytes(input),
        };
        let write = Write { output: self.output.clone(), grid: input.grid.clone() };
        lower_each(lowering, expr, After::Nothing, write, scratch, Finish(self.output.clone()))
    }
}
