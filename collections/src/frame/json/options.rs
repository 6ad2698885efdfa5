//! What the user may say about files of JSON lines.

use polars::prelude::DataType;
use serde::{Deserialize, Serialize};

use crate::frame::wire::{Wire, WireDtype};

/// How to read files of JSON lines.
///
/// ```
/// use talatat_collections::frame::{DataType, JsonOptions};
/// let options = JsonOptions::new().with_dtype("when", DataType::Date).blocksize(4 << 20);
/// assert_eq!(options, options.clone());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonOptions {
    pub(crate) blocksize: u64,
    pub(crate) sample: u64,
    pub(crate) dtypes: Vec<(String, WireDtype)>,
    pub(crate) path: Option<String>,
}

impl Default for JsonOptions {
    fn default() -> Self {
        JsonOptions { blocksize: 16 << 20, sample: 256 << 10, dtypes: Vec::new(), path: None }
    }
}

impl JsonOptions {
    /// The defaults: blocks of 16 MiB, types from samples of 256 KiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of a file that become one partition; the border moves to the next line's end. The answer does not depend on it, except for
    /// the last digits of float sums.
    pub fn blocksize(mut self, bytes: u64) -> Self {
        self.blocksize = bytes.max(1);
        self
    }

    /// Bytes of each sampled file that are read when the frame is made, for names and types.
    pub fn sample(mut self, bytes: u64) -> Self {
        self.sample = bytes.max(1);
        self
    }

    /// Reads a column as a type, whatever the samples say; one that the samples do not have is added.
    pub fn with_dtype(mut self, column: impl Into<String>, dtype: DataType) -> Self {
        self.dtypes.push((column.into(), Wire(dtype)));
        self
    }

    /// Adds a last column with the path or URL of each row's file.
    pub fn include_path(mut self, column: impl Into<String>) -> Self {
        self.path = Some(column.into());
        self
    }
}
