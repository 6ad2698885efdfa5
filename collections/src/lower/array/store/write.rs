//! Arrays into `.npy` files and objects: a task writes each block, and a last one gives the file its name.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use talatat_graph::{Block as GraphBlock, Brief, Edge, Kernel, KernelResult, StorageBytes, TaskContext, Value};

use super::each::{After, block_of, lower_each};
use crate::array::dtype::with_dtype;
use crate::array::expr::{Expr, ExprRef};
use crate::array::grid::Grid;
use crate::error::Result;
use crate::lower::array::{Lowering, encode, largest_bytes, source_error};
use crate::storage::Scheme;
use crate::storage::npy::{NpyOutput, WRITE_BUFFER};

pub(in crate::lower::array) const WRITE: &str = "array.npy.write";
pub(in crate::lower::array) const FINISH: &str = "array.npy.finish";
pub(in crate::lower::array) const WRITTEN: &str = "array.npy.written";

/// What the store calls a part that has been written.
pub(in crate::lower::array) struct Written(String);

impl GraphBlock for Written {
    fn nbytes(&self) -> usize {
        self.0.len()
    }

    fn brief(&self) -> Brief {
        Brief::new("written", &[])
    }

    fn codec(&self) -> Option<&'static str> {
        Some(WRITTEN)
    }

    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        out.extend(self.0.as_bytes());
        Ok(())
    }
}

pub(in crate::lower::array) fn decode_written(bytes: &[u8]) -> KernelResult<Arc<dyn GraphBlock>> {
    Ok(Arc::new(Written(std::str::from_utf8(bytes).map_err(source_error)?.to_owned())))
}

/// `array.npy.write`: writes a block where it belongs.
#[derive(Serialize, Deserialize)]
pub(in crate::lower::array) struct Write {
    output: NpyOutput,
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
        let written = with_dtype!(block.dtype(), T => {
            let view = block.view::<T>().map_err(source_error)?;
            self.output.write::<T>(task.block as usize, &origin, &view).map_err(source_error)?
        });
        Ok(if written.is_empty() { Value::Unit } else { Value::block(Written(written)) })
    }

    fn storage_bytes(&self, _: u64, inputs: u64, _: u64) -> StorageBytes {
        StorageBytes::writes(inputs)
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.npy.finish`: all is written.
#[derive(Serialize, Deserialize)]
pub(in crate::lower::array) struct Finish {
    output: NpyOutput,
}

impl Kernel for Finish {
    fn name(&self) -> &str {
        FINISH
    }

    fn describe(&self) -> String {
        format!("finish {}", self.output.location())
    }

    fn once(&self) -> bool {
        true
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let name = |value: &Value| match value {
            Value::Unit => Ok(String::new()),
            part => part.get::<Written>().map(|written| written.0.clone()),
        };
        let parts = inputs.iter().map(name).collect::<KernelResult<Vec<String>>>()?;
        self.output.finish(parts).map_err(source_error)?;
        Ok(Value::Unit)
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// The input is cut as the output wants it (see [`crate::array::NpyWrite`]).
pub(in crate::lower::array) fn lower_write(
    lowering: &mut Lowering,
    expr: &Expr,
    input: &ExprRef,
    output: &NpyOutput,
) -> Result<Vec<Edge>> {
    let largest = largest_bytes(input);
    let scratch = match output {
        NpyOutput::File(..) => largest.min(WRITE_BUFFER),
        NpyOutput::Parts(..) | NpyOutput::Whole(..) => largest,
    };
    // A store of this process takes parts one after the other.
    let ordered = matches!(output, NpyOutput::Parts(..)) && output.location().scheme() == Scheme::Memory;
    let after = if ordered { After::Another } else { After::Nothing };
    let write = Write { output: output.clone(), grid: input.grid.clone() };
    lower_each(lowering, expr, after, write, scratch, Finish { output: output.clone() })
}
