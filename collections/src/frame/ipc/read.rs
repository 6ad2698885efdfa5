//! A partition's rows out of record batches.

use std::sync::Arc;

use polars::prelude::{ArrowField, Column, DataFrame, IntoColumn, PolarsError, Schema, Series};
use polars_arrow::io::ipc::read::FileReader;
use serde::{Deserialize, Serialize};

use super::file::{Ranges, bad, range_of};
use crate::frame::csv::join;
use crate::frame::parquet::guarded;
use crate::frame::scan::Pushed;
use crate::frame::step::{Step, run_steps};
use crate::frame::wire::Wire;
use crate::storage::ObjectRef;
use crate::storage::error::Result;

/// A record batch of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Batch {
    /// The number of the file.
    pub(crate) file: u32,
    /// The number of the batch in it.
    pub(crate) block: u32,
}

/// What reading a partition needs to know; a part of a kernel's parameters.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct IpcReader {
    /// The number of the first partition here, for messages.
    pub(crate) first: u64,
    pub(crate) files: Arc<[ObjectRef]>,
    pub(crate) partitions: Arc<[Arc<[Batch]>]>,
    /// All columns, in order.
    pub(crate) schema: Arc<Wire<Schema>>,
    pub(crate) pushed: Pushed,
}

impl IpcReader {
    /// The same for one partition alone: what travels with its task.
    pub(crate) fn only(&self, number: usize) -> IpcReader {
        let batches = self.partitions.get(number).cloned().unwrap_or_default();
        let first = batches.first().map_or(0, |batch| batch.file);
        let last = batches.last().map_or(0, |batch| batch.file + 1);
        let files = self.files.get(first as usize..last as usize).unwrap_or_default();
        IpcReader {
            first: self.first + number as u64,
            files: files.into(),
            partitions: [batches.iter().map(|batch| Batch { file: batch.file - first, ..*batch }).collect()].into(),
            ..self.clone()
        }
    }

    /// The rows of partition `number` that the filter keeps, after `steps`.
    ///
    /// # Errors
    /// If a file cannot be read, is damaged, or has changed.
    pub(crate) fn read(&self, number: usize, steps: &[Step]) -> Result<DataFrame> {
        let batches = self.partitions.get(number).cloned().unwrap_or_default();
        let read = self.pushed.read(&self.schema.0);
        let mut frames = Vec::with_capacity(batches.len());
        for of_file in batches.chunk_by(|a, b| a.file == b.file) {
            let object = of_file.first().and_then(|batch| self.files.get(batch.file as usize));
            if let Some(object) = object {
                self.read_file(object, of_file, &read, self.first + number as u64, &mut frames)?;
            }
        }
        if frames.is_empty() {
            frames.push(DataFrame::empty_with_schema(&read));
        }
        let mut all = self.pushed.steps(&self.schema.0);
        all.extend(steps.iter().cloned());
        let failed = |error: PolarsError| match self.files.first() {
            Some(object) => bad(object, format!("partition {}: {}", self.first + number as u64, first_line(&error))),
            None => crate::storage::StorageError::BadIpc { url: String::new(), reason: first_line(&error) },
        };
        join(frames).and_then(|frame| run_steps(frame, &all)).map_err(failed)
    }

    fn read_file(
        &self,
        object: &ObjectRef,
        batches: &[Batch],
        read: &Schema,
        number: u64,
        frames: &mut Vec<DataFrame>,
    ) -> Result<()> {
        let mut ranges = Ranges::new(object);
        let metadata = ranges.metadata()?;
        let dictionaries = metadata.dictionaries.iter().flatten().filter_map(range_of);
        let blocks = batches.iter().filter_map(|batch| range_of(metadata.blocks.get(batch.block as usize)?));
        ranges.fetch(&dictionaries.chain(blocks).collect::<Vec<_>>())?;
        let fields: Vec<(usize, &ArrowField)> =
            metadata.schema.iter_values().enumerate().filter(|(_, field)| read.contains(&field.name)).collect();
        // Without any column, the first one still says how many rows there are.
        let columns: Vec<usize> = match fields.is_empty() {
            true => vec![0],
            false => fields.iter().map(|(column, _)| *column).collect(),
        };
        let mut reader = FileReader::new(&mut ranges, metadata.clone(), Some(columns), None);
        for batch in batches {
            let wrong = |what: String| bad(object, format!("partition {number}, record batch {}: {what}", batch.block));
            let frame = guarded(|| {
                reader.set_current_block(batch.block as usize);
                let found =
                    reader.next().ok_or("there is no such batch; the file is not as it was when it was opened")?;
                let found = found.map_err(|error| first_line(&error))?;
                let rows = found.len();
                let made = fields
                    .iter()
                    .zip(found.into_arrays())
                    .map(|((_, field), array)| Ok(Series::try_from((*field, vec![array]))?.into_column()));
                let made = made.collect::<std::result::Result<Vec<Column>, PolarsError>>();
                let frame = made.and_then(|made| DataFrame::new(rows, made)).map_err(|error| first_line(&error))?;
                // Files may have the columns in any order.
                frame
                    .select(read.iter_names().cloned())
                    .map(|frame| if read.is_empty() { DataFrame::empty_with_height(rows) } else { frame })
                    .map_err(|error| first_line(&error))
            });
            frames.push(frame.map_err(|what| wrong(format!("it cannot be decoded: {what}")))?);
        }
        Ok(())
    }
}

fn first_line(error: &PolarsError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_string()
}
