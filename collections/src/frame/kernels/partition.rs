//! One partition: where its rows come from, and the steps on them.

use std::sync::Arc;

use polars::prelude::{DataFrame, Schema};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelError, KernelResult, Result, StorageBytes, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use crate::frame::csv::{Parser, is_compressed, unpacked};
use crate::frame::ipc::IpcReader;
use crate::frame::json::JsonReader;
use crate::frame::parquet::ParquetReader;
use crate::frame::partition::{Held, Partition, RawBytes};
#[cfg(feature = "sql")]
use crate::frame::sql::SqlReader;
use crate::frame::step::{Step, columns, run_steps};
use crate::frame::threads::alone;
use crate::frame::wire::Wire;
use crate::storage::csv_split::{BlockState, count_quotes, read_block_records};
use crate::storage::error::StorageError;

/// Where a partition's rows come from.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Source {
    /// The task's input.
    Input,
    /// A block of a CSV file.
    Csv(Box<Parser>),
    /// Record batches of Arrow IPC files.
    Ipc(Box<IpcReader>),
    /// Blocks of files of JSON lines.
    Json(Box<JsonReader>),
    /// Row groups of Parquet files.
    Parquet(Box<ParquetReader>),
    /// Ranges of a table's key.
    #[cfg(feature = "sql")]
    Sql(Box<SqlReader>),
    /// Partitions that have been computed.
    Data(#[serde(with = "frames")] Arc<[Held]>),
}

/// A source and partition-wise steps: one polars query.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PartitionKernel {
    /// The block that stands first in the source: 0, or, in another process, the only one that came along.
    pub(crate) base: u64,
    pub(crate) source: Source,
    pub(crate) steps: Wire<Vec<Step>>,
}

impl PartitionKernel {
    pub(crate) const NAME: &'static str = "frame.partition";

    /// The same with what one block needs.
    pub(crate) fn only(&self, block: u64) -> PartitionKernel {
        let at = self.at(block);
        let source = match &self.source {
            Source::Input => Source::Input,
            Source::Csv(parser) => Source::Csv(Box::new(parser.only(at))),
            Source::Ipc(reader) => Source::Ipc(Box::new(reader.only(at))),
            Source::Json(reader) => Source::Json(Box::new(reader.only(at))),
            Source::Parquet(reader) => Source::Parquet(Box::new(reader.only(at))),
            #[cfg(feature = "sql")]
            Source::Sql(reader) => Source::Sql(Box::new(reader.only(at))),
            Source::Data(parts) => Source::Data(parts.get(at).cloned().into_iter().collect()),
        };
        PartitionKernel { base: block, source, steps: self.steps.clone() }
    }

    fn at(&self, block: u64) -> usize {
        block.checked_sub(self.base).and_then(|at| usize::try_from(at).ok()).unwrap_or(usize::MAX)
    }

    /// Makes the partition; of a CSV block `state` says whether it begins inside of quotes. At least `limit` rows, if there are as many.
    pub(crate) fn make(&self, block: u64, state: BlockState, limit: usize) -> KernelResult<(DataFrame, BlockState)> {
        let at = self.at(block);
        match &self.source {
            Source::Input => Err(missing("the task's input")),
            Source::Data(parts) => {
                let part = parts.get(at).ok_or_else(|| missing("the partition"))?.frame()?;
                Ok((run_steps(part, &self.steps.0).map_err(failed)?, state))
            }
            Source::Ipc(reader) => Ok((reader.read(at, &self.steps.0).map_err(storage)?, state)),
            Source::Json(reader) => Ok((reader.read(at, &self.steps.0).map_err(storage)?, state)),
            Source::Parquet(reader) => Ok((reader.read(at, &self.steps.0, limit).map_err(storage)?, state)),
            #[cfg(feature = "sql")]
            Source::Sql(reader) => Ok((reader.read(at, &self.steps.0, limit).map_err(storage)?, state)),
            Source::Csv(parser) => {
                let (object, range) = parser.block(at).ok_or_else(|| missing("the block of the file"))?;
                // A file begins outside of quotes, whatever the one before it ended with.
                let state = if range.start == 0 { BlockState::default() } else { state };
                let quote = parser.options.quote;
                let whole = range.start == 0 && range.end >= object.size();
                let records = match is_compressed(object) {
                    true => unpacked(object),
                    // Whatever the dialect makes of its quotes.
                    false if whole => object.read_all(),
                    false => read_block_records(object, range.start..range.end, state, quote),
                };
                let records = records.map_err(storage)?;
                let frame = parser.parse(at, &records, &self.steps.0, limit).map_err(storage)?;
                Ok((frame, state))
            }
        }
    }

    /// Parses a block that has been read: its bytes with some that follow, and the state at its start.
    fn parse_read(&self, block: u64, inputs: &mut [Value]) -> KernelResult<DataFrame> {
        let Source::Csv(parser) = &self.source else {
            let frame = Partition::take(inputs.first_mut().ok_or_else(|| missing("the task's input"))?)?;
            return run_steps(frame, &self.steps.0).map_err(failed);
        };
        let at = self.at(block);
        let (object, range) = parser.block(at).ok_or_else(|| missing("the block of the file"))?;
        let state = BlockState { in_quotes: matches!(inputs.get(1), Some(Value::Bool(true))) };
        let raw = inputs.first_mut().ok_or_else(|| missing("the block's bytes"))?.take::<RawBytes>()?;
        let records =
            crate::frame::csv::records_of(object, range, &raw.0, state, parser.options.quote).map_err(storage)?;
        drop(raw);
        parser.parse(at, &records, &self.steps.0, usize::MAX).map_err(storage)
    }
}

/// The state at the end of a block, from its bytes.
pub(crate) fn state_after(bytes: &[u8], state: BlockState, quote: Option<u8>) -> BlockState {
    state.after(quote.map_or(0, |quote| count_quotes(bytes, quote)))
}

/// An error of storage as a kernel's.
pub(crate) fn storage(error: StorageError) -> KernelError {
    KernelError::from_source(error)
}

impl Kernel for PartitionKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn describe(&self) -> String {
        let source = match &self.source {
            Source::Input => None,
            Source::Csv(parser) if parser.pushed.predicate.is_some() => Some("read_csv where"),
            Source::Csv(_) => Some("read_csv"),
            Source::Ipc(reader) if reader.pushed.predicate.is_some() => Some("read_ipc where"),
            Source::Ipc(_) => Some("read_ipc"),
            Source::Json(reader) if reader.pushed.predicate.is_some() => Some("read_json where"),
            Source::Json(_) => Some("read_json"),
            Source::Parquet(reader) if reader.pushed.predicate.is_some() => Some("read_parquet where"),
            Source::Parquet(_) => Some("read_parquet"),
            #[cfg(feature = "sql")]
            Source::Sql(reader) if reader.pushed.predicate.is_some() => Some("read_sql where"),
            #[cfg(feature = "sql")]
            Source::Sql(_) => Some("read_sql"),
            Source::Data(_) => Some("from_polars"),
        };
        let steps = source.into_iter().chain(self.steps.0.iter().map(Step::name));
        format!("{}({})", Self::NAME, steps.collect::<Vec<_>>().join(" -> "))
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frame = alone(|| match inputs.is_empty() {
            true => Ok(self.make(task.block, BlockState::default(), usize::MAX)?.0),
            false => self.parse_read(task.block, inputs),
        });
        Ok(Value::block(Partition(frame?)))
    }

    fn storage_bytes(&self, block: u64, inputs: u64, result: u64) -> StorageBytes {
        match &self.source {
            Source::Input | Source::Data(_) => StorageBytes::default(),
            // Another task has read the block.
            Source::Csv(_) if inputs > 0 => StorageBytes::default(),
            Source::Csv(parser) => {
                let range = parser.block(self.at(block)).map_or(0..0, |(_, range)| range.start..range.end);
                StorageBytes::reads(range.end.saturating_sub(range.start))
            }
            _ => StorageBytes::reads(result).about(),
        }
    }

    fn encode(&self, block: u64) -> Result<Vec<u8>> {
        encode(&self.describe(), &self.only(block))
    }
}

/// A user's function on a partition, with the columns that it promises.
pub(crate) struct MapKernel<F> {
    pub(crate) name: String,
    pub(crate) function: F,
    /// The columns that it promises, if that is to be checked.
    pub(crate) schema: Option<Schema>,
}

impl<F> MapKernel<F>
where
    F: Fn(DataFrame) -> KernelResult<DataFrame> + Send + Sync + 'static,
{
    pub(crate) fn apply(&self, frame: DataFrame) -> KernelResult<DataFrame> {
        let result = (self.function)(frame)?;
        let Some(schema) = self.schema.as_ref().filter(|schema| **result.schema() != **schema) else {
            return Ok(result);
        };
        Err(KernelError::new(format!(
            "the function gave the columns {}, but {} were promised",
            columns(result.schema()),
            columns(schema)
        )))
    }
}

impl<F> Kernel for MapKernel<F>
where
    F: Fn(DataFrame) -> KernelResult<DataFrame> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        "frame.map_partitions"
    }

    fn describe(&self) -> String {
        format!("frame.map_partitions({})", self.name)
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frame = Partition::take(inputs.first_mut().ok_or_else(|| missing("the partition"))?)?;
        Ok(Value::block(Partition(alone(|| self.apply(frame))?)))
    }
}

/// Frames in parameters: each as the bytes that partitions travel as.
mod frames {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
    use talatat_graph::Block;

    use crate::frame::partition::{Held, Partition};

    pub(super) fn serialize<S: Serializer>(parts: &Arc<[Held]>, serializer: S) -> Result<S::Ok, S::Error> {
        let encode = |part: &Held| {
            let mut bytes = Vec::new();
            let frame = part.frame().map_err(ser::Error::custom)?;
            Partition(frame).encode(&mut bytes).map_err(ser::Error::custom)?;
            Ok(bytes)
        };
        parts.iter().map(encode).collect::<Result<Vec<Vec<u8>>, S::Error>>()?.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[Held]>, D::Error> {
        let parts = Vec::<Vec<u8>>::deserialize(deserializer)?;
        parts.iter().map(|bytes| Partition::decode(bytes).map(Held::from).map_err(de::Error::custom)).collect()
    }
}
