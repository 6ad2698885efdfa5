//! What the user may say about Parquet files.

use polars::prelude::DataType;
use serde::{Deserialize, Serialize};

use crate::frame::wire::{Wire, WireDtype};

/// What happens if a file does not have the columns of the first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SchemaDrift {
    /// It is an error that names the file and the column. (A column without any value, which Arrow writes as type `null`, fits every type.)
    #[default]
    Refuse,
    /// The columns are those of the first file: what another one lacks is missing there, what it has more is not read.
    FillMissing,
    /// The columns are those of all files, in the order they turn up; what a file lacks is missing there. Integers and floats of different width
    /// become the wider type.
    Union,
}

/// How to read Parquet files.
///
/// ```
/// use talatat_collections::frame::{DataType, ParquetOptions, SchemaDrift};
/// let options = ParquetOptions::new().schema_drift(SchemaDrift::Union).with_dtype("year", DataType::String).include_path("file");
/// assert_eq!(options, options.clone());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParquetOptions {
    pub(crate) partition_bytes: u64,
    pub(crate) drift: SchemaDrift,
    pub(crate) dtypes: Vec<(String, WireDtype)>,
    pub(crate) hive: bool,
    pub(crate) path: Option<String>,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        ParquetOptions {
            partition_bytes: 32 << 20,
            drift: SchemaDrift::Refuse,
            dtypes: Vec::new(),
            hive: true,
            path: None,
        }
    }
}

impl ParquetOptions {
    /// The defaults: partitions of about 32 MiB, all files alike, columns of `key=value` folders.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decoded bytes, of all columns, that a partition has about; by default 32 MiB. Smaller row groups, also of several files, are joined
    /// up to it; a row group of more than four times as many is split. The answer does not depend on it, except for the last digits
    /// of float sums.
    pub fn partition_bytes(mut self, bytes: u64) -> Self {
        self.partition_bytes = bytes.max(1);
        self
    }

    /// What happens if a file does not have the columns of the first one; by default an error.
    pub fn schema_drift(mut self, drift: SchemaDrift) -> Self {
        self.drift = drift;
        self
    }

    /// Casts a column to a type as it is read: where files differ, or for the columns of folders. A value that does not fit is an error.
    pub fn with_dtype(mut self, column: impl Into<String>, dtype: DataType) -> Self {
        self.dtypes.push((column.into(), Wire(dtype)));
        self
    }

    /// Whether folders named `key=value` become columns, as in pandas; by default true. They are int64 if all values are whole numbers, else text;
    /// `__HIVE_DEFAULT_PARTITION__` is missing. A column of that name in the files is not read.
    pub fn hive(mut self, on: bool) -> Self {
        self.hive = on;
        self
    }

    /// Adds a last column with the path or URL of each row's file.
    pub fn include_path(mut self, column: impl Into<String>) -> Self {
        self.path = Some(column.into());
        self
    }

    /// The type that the user asked for.
    pub(crate) fn asked(&self, column: &str) -> Option<&DataType> {
        self.dtypes.iter().rev().find(|(name, _)| name == column).map(|(_, dtype)| &dtype.0)
    }
}
