//! Partitions as files.

use std::io::Write;
use std::num::NonZeroUsize;

use polars::prelude::{
    CsvWriter, DataFrame, DataType, IpcCompression, IpcWriter, JsonFormat, JsonWriter, ParquetCompression,
    ParquetWriter, PolarsError, SerWriter, Series,
};
use serde::{Deserialize, Serialize};

use super::options::{Compression, Format, WriteOptions};
use crate::frame::parquet::hive;
use crate::storage::error::{Result, StorageError};
use crate::storage::{Part, PartsOutput};

/// Writes partitions into a folder; a kernel's parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PartsWriter {
    pub(crate) output: PartsOutput,
    pub(crate) format: Format,
    pub(crate) options: WriteOptions,
}

impl PartsWriter {
    /// Writes partition `number`; one without rows is left out, but for the first one, which says what the columns are.
    ///
    /// # Errors
    /// If a file cannot be written, or a value cannot be in the format.
    pub(crate) fn write(&self, number: u64, frame: DataFrame) -> Result<Vec<Part>> {
        let name = self.output.name(&self.options.name, number, self.format.extension());
        if self.options.partition_on.is_empty() {
            if frame.height() == 0 && number > 0 {
                return Ok(Vec::new());
            }
            return Ok(vec![self.write_part(&name, frame)?]);
        }
        let failed = |error: PolarsError| StorageError::Write {
            url: format!("{}/{name}", self.output.location()),
            source: first_line(&error).into(),
        };
        let keys = &self.options.partition_on;
        let groups = if frame.height() == 0 {
            Vec::new()
        } else {
            frame.partition_by_stable(keys.iter().map(String::as_str), true).map_err(failed)?
        };
        let mut parts = Vec::with_capacity(groups.len());
        for group in groups {
            let mut path = String::new();
            for key in keys {
                let text: Series = group
                    .column(key)
                    .and_then(|column| column.head(Some(1)).as_materialized_series().strict_cast(&DataType::String))
                    .map_err(failed)?;
                let value = text.str().map_err(failed)?.get(0).map(str::to_string);
                path.push_str(&hive::folder(key, value.as_deref()));
                path.push('/');
            }
            parts.push(self.write_part(&format!("{path}{name}"), group.drop_many(keys.iter().map(String::as_str)))?);
        }
        Ok(parts)
    }

    fn write_part(&self, name: &str, mut frame: DataFrame) -> Result<Part> {
        self.output.write(name, |writer| self.encode(writer, &mut frame).map_err(|error| first_line(&error)))
    }

    fn encode(&self, writer: impl Write, frame: &mut DataFrame) -> std::result::Result<(), PolarsError> {
        let options = &self.options;
        let compression = options.compression.unwrap_or(self.format.compression());
        match self.format {
            Format::Parquet => {
                let compression = match compression {
                    Compression::None => ParquetCompression::Uncompressed,
                    Compression::Snappy => ParquetCompression::Snappy,
                    Compression::Lz4 => ParquetCompression::Lz4Raw,
                    Compression::Gzip => ParquetCompression::Gzip(None),
                    Compression::Zstd => ParquetCompression::Zstd(None),
                };
                let writer = ParquetWriter::new(writer).with_compression(compression).set_parallel(false);
                writer.with_row_group_size(Some(options.row_group)).finish(frame).map(drop)
            }
            Format::Ipc => {
                let compression = match compression {
                    Compression::Lz4 => Some(IpcCompression::LZ4),
                    Compression::Zstd => Some(IpcCompression::ZSTD(Default::default())),
                    Compression::None | Compression::Snappy | Compression::Gzip => None,
                };
                // A file has one dictionary for each column, and each batch would bring its own.
                let dictionaries = frame.dtypes().iter().any(DataType::is_categorical);
                if dictionaries {
                    frame.rechunk_mut();
                }
                let batch = (!dictionaries).then_some(options.row_group);
                let writer = IpcWriter::new(writer).with_compression(compression).with_parallel(false);
                writer.with_record_batch_size(batch).finish(frame)
            }
            Format::Csv => {
                let batch = NonZeroUsize::new(1 << 13).unwrap_or(NonZeroUsize::MIN);
                CsvWriter::new(writer)
                    .include_header(options.header)
                    .with_separator(options.separator)
                    .with_null_value(options.missing.as_str().into())
                    .with_batch_size(batch)
                    .n_threads(1)
                    .finish(frame)
            }
            Format::Json => JsonWriter::new(writer).with_json_format(JsonFormat::JsonLines).finish(frame),
        }
    }
}

/// What polars says, without its hints.
fn first_line(error: &PolarsError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_string()
}
