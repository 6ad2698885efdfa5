//! The first rows, reading no more partitions than they need.

use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use super::partition::{PartitionKernel, Source, state_after, storage};
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;
use crate::storage::csv_split::BlockState;

/// One link of a chain along the partitions: hands on what it got if that is enough, else makes its own partition and appends it.
/// Two parts: the rows so far, and whether the next block of the file begins inside of quotes.
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
        let before = match inputs.first_mut() {
            None => None,
            Some(Value::Parts(parts)) => match parts.as_mut() {
                [frame, Value::Bool(in_quotes)] => Some((Partition::take(frame)?, BlockState { in_quotes: *in_quotes })),
                _ => return Err(missing("a part of what came before")),
            },
            Some(_) => return Err(missing("what came before")),
        };
        let (frame, state) = alone(|| self.link(task.block, before))?;
        Ok(Value::Parts([Value::block(Partition(frame)), Value::Bool(state.in_quotes)].into()))
    }

    fn encode(&self, block: u64) -> Result<Vec<u8>> {
        encode(&self.describe(), &HeadKernel { partition: self.partition.only(block), rows: self.rows })
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
        let frames = inputs.iter_mut().map(Partition::take).collect::<KernelResult<Vec<_>>>()?;
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let frame = alone(|| join(frames)).map_err(failed)?.slice(0, rows);
        Ok(Value::block(Partition(frame)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}
