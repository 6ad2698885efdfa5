//! The first rows, reading no more partitions than they need.

use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, StorageBytes, TaskContext, Value};

use super::failed;
use super::group::encode;
use super::partition::{PartitionKernel, Source, state_after, storage};
use crate::frame::csv::join;
use crate::frame::partition::{HeadRows, Partition};
use crate::frame::threads::alone;
use crate::storage::csv_split::BlockState;

/// One link of a chain along the partitions: hands on what it got if that is enough, else makes its own partition and appends it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct HeadKernel {
    pub(crate) partition: PartitionKernel,
    pub(crate) rows: u64,
}

impl HeadKernel {
    pub(crate) const NAME: &'static str = "frame.head";

    fn link(&self, block: u64, before: Option<(DataFrame, BlockState)>) -> KernelResult<(DataFrame, BlockState)> {
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let (frame, state) = match before {
            Some((frame, state)) if frame.height() >= rows => return Ok((frame, state)),
            Some((frame, state)) => (Some(frame), state),
            None => (None, BlockState::default()),
        };
        let have = frame.as_ref().map_or(0, DataFrame::height);
        let (next, state) = self.partition.make(block, state, rows - have)?;
        let state = self.state_after(block, state, have + next.height() >= rows)?;
        let frames = frame.into_iter().chain([next]).collect();
        Ok((join(frames).map_err(failed)?.slice(0, rows), state))
    }

    /// The quotes of the block just read, if another block will follow it.
    fn state_after(&self, block: u64, state: BlockState, enough: bool) -> KernelResult<BlockState> {
        let Source::Csv(parser) = &self.partition.source else { return Ok(state) };
        let at = usize::try_from(block.saturating_sub(self.partition.base)).unwrap_or(usize::MAX);
        let Some((object, range)) = parser.block(at) else { return Ok(state) };
        if enough || parser.options.quote.is_none() || range.end >= object.size() {
            return Ok(BlockState::default());
        }
        let bytes = object.read_range(range.start..range.end).map_err(storage)?;
        Ok(state_after(&bytes, state, parser.options.quote))
    }
}

impl Kernel for HeadKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn describe(&self) -> String {
        format!("{} {} of {}", Self::NAME, self.rows, self.partition.describe())
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let before = match inputs.first() {
            None => None,
            Some(value) => {
                let rows = value.get::<HeadRows>()?;
                Some((rows.frame.clone(), BlockState { in_quotes: rows.in_quotes }))
            }
        };
        let (frame, state) = alone(|| self.link(task.block, before))?;
        Ok(Value::block(HeadRows { frame, in_quotes: state.in_quotes }))
    }

    fn storage_bytes(&self, block: u64, _: u64, result: u64) -> StorageBytes {
        // Where the rows before are enough, nothing is read.
        self.partition.storage_bytes(block, 0, result).about()
    }

    fn encode(&self, block: u64) -> Result<Vec<u8>> {
        encode(&self.describe(), &HeadKernel { partition: self.partition.only(block), rows: self.rows })
    }
}

/// The rows of a partition, or of the end of a chain.
fn rows_of(value: &mut Value) -> KernelResult<DataFrame> {
    match value.get::<HeadRows>() {
        Ok(rows) => Ok(rows.frame.clone()),
        Err(_) => Partition::take(value),
    }
}

/// The first rows of partitions that have been computed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct TakeKernel {
    pub(crate) rows: u64,
}

impl TakeKernel {
    pub(crate) const NAME: &'static str = "frame.head.take";
}

impl Kernel for TakeKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frames = inputs.iter_mut().map(rows_of).collect::<KernelResult<Vec<_>>>()?;
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let frame = alone(|| join(frames)).map_err(failed)?.slice(0, rows);
        Ok(Value::block(Partition(frame)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}
