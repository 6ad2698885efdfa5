//! Reading blocks of CSV files, the state of quotes along a file, and counting rows.

use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, StorageBytes, TaskContext, Value};

use super::group::{encode, missing};
use super::partition::storage;
use crate::frame::csv::Parser;
use crate::frame::partition::{Partition, RawBytes};
use crate::storage::csv_split::{BlockState, count_quotes};

/// Read with a block: most last records end there.
pub(crate) const TAIL: u64 = 64 << 10;

/// Reads a block of a file. Two parts: the bytes, and how many quotes are in the block.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct RawKernel {
    pub(crate) base: u64,
    pub(crate) parser: Parser,
}

impl RawKernel {
    pub(crate) const NAME: &'static str = "frame.csv_read";
}

impl Kernel for RawKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, task: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        let at = task.block.saturating_sub(self.base);
        let found = usize::try_from(at).ok().and_then(|at| self.parser.block(at));
        let (object, range) = found.ok_or_else(|| missing("the block of the file"))?;
        let end = object.size().min(range.end.saturating_add(TAIL));
        let bytes = object.read_range(range.start..end).map_err(storage)?;
        let inside = bytes.get(..(range.end - range.start) as usize).unwrap_or(&bytes);
        let quotes = self.parser.options.quote.map_or(0, |quote| count_quotes(inside, quote));
        Ok(Value::Parts([Value::block(RawBytes(bytes)), Value::U64(quotes)].into()))
    }

    fn storage_bytes(&self, _: u64, _: u64, result: u64) -> StorageBytes {
        StorageBytes::reads(result)
    }

    fn encode(&self, block: u64) -> Result<Vec<u8>> {
        let at = usize::try_from(block.saturating_sub(self.base)).unwrap_or(usize::MAX);
        encode(Self::NAME, &RawKernel { base: block, parser: self.parser.only(at) })
    }
}

/// Whether a block begins inside of quotes: from the state of the block before it, if that is not a file's first, and its quotes.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StateKernel;

impl StateKernel {
    pub(crate) const NAME: &'static str = "frame.csv_state";
}

impl Kernel for StateKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let state = inputs.iter().fold(BlockState::default(), |state, input| match input {
            Value::Bool(in_quotes) => BlockState { in_quotes: *in_quotes },
            Value::U64(quotes) => state.after(*quotes),
            _ => state,
        });
        Ok(Value::Bool(state.in_quotes))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}

/// The rows of a partition.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LenKernel;

impl LenKernel {
    pub(crate) const NAME: &'static str = "frame.len";
}

impl Kernel for LenKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let input = inputs.first().ok_or_else(|| missing("the partition"))?;
        Ok(Value::U64(input.get::<Partition>()?.0.height() as u64))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}

/// The sum of counts, and of one that is known.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SumKernel {
    pub(crate) known: u64,
}

impl SumKernel {
    pub(crate) const NAME: &'static str = "frame.len.sum";
}

impl Kernel for SumKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let sum: u64 = inputs.iter().map(|input| if let Value::U64(rows) = input { *rows } else { 0 }).sum();
        Ok(Value::U64(self.known + sum))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}
