//! How frames are written.

use serde::{Deserialize, Serialize};

use crate::storage::{Existing, StorageOptions};

/// How what is written is made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// Fast, and read by every Parquet reader. Parquet alone.
    Snappy,
    /// Fast. Parquet and Arrow IPC.
    Lz4,
    /// Slow and old. Parquet alone.
    Gzip,
    /// Smaller than the others at nearly their speed. Parquet and Arrow IPC.
    Zstd,
}

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Format {
    Parquet,
    Csv,
    Json,
    Ipc,
}

impl Format {
    /// The method that writes it.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Format::Parquet => "to_parquet",
            Format::Csv => "to_csv",
            Format::Json => "to_json",
            Format::Ipc => "to_ipc",
        }
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Ipc => "arrow",
        }
    }

    /// What it is compressed with if nothing is said.
    pub(crate) fn compression(self) -> Compression {
        match self {
            Format::Parquet => Compression::Snappy,
            Format::Ipc => Compression::Lz4,
            Format::Csv | Format::Json => Compression::None,
        }
    }

    pub(crate) fn allows(self, compression: Compression) -> bool {
        use Compression::{Lz4, None, Zstd};
        match self {
            Format::Parquet => true,
            Format::Ipc => matches!(compression, None | Lz4 | Zstd),
            Format::Csv | Format::Json => compression == None,
        }
    }
}

/// How a frame is written into a folder.
///
/// ```
/// use talatat_collections::frame::{Compression, WriteOptions};
/// let options = WriteOptions::new().partition_on(["year"]).compression(Compression::Zstd).overwrite();
/// assert_eq!(options, options.clone());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteOptions {
    pub(crate) existing: ExistingParts,
    pub(crate) partition_on: Vec<String>,
    pub(crate) name: String,
    pub(crate) compression: Option<Compression>,
    pub(crate) row_group: usize,
    pub(crate) separator: u8,
    pub(crate) header: bool,
    pub(crate) missing: String,
    pub(crate) storage: StorageOptions,
}

/// A name of storage's type that may stand in a public one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExistingParts(pub(crate) Existing);

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions {
            existing: ExistingParts::default(),
            partition_on: Vec::new(),
            name: "part".into(),
            compression: None,
            row_group: 1 << 18,
            separator: b',',
            header: true,
            missing: String::new(),
            storage: StorageOptions::new(),
        }
    }
}

impl WriteOptions {
    /// The defaults: a folder in which there is nothing yet, a part for each partition.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to what is in the folder. New parts are numbered on from the last one that is there.
    pub fn append(mut self) -> Self {
        self.existing = ExistingParts(Existing::Keep);
        self
    }

    /// Replaces what is in the folder, all of it, when the new parts are complete.
    pub fn overwrite(mut self) -> Self {
        self.existing = ExistingParts(Existing::Replace);
        self
    }

    /// Writes the rows of each combination of values of these columns into a folder of their own, `year=2024/month=1`, and leaves the columns
    /// out of the files, as pandas does with `partition_cols`.
    pub fn partition_on<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.partition_on = columns.into_iter().map(Into::into).collect();
        self
    }

    /// What the names of parts begin with; by default `part`, which gives `part-000000.parquet`.
    pub fn part_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// By default snappy for Parquet and lz4 for Arrow IPC, as in pandas; texts are not compressed.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Rows of a row group (Parquet) or of a record batch (Arrow IPC; a part with categorical columns is one batch); by default 262,144.
    pub fn row_group_rows(mut self, rows: usize) -> Self {
        self.row_group = rows.max(1);
        self
    }

    /// Settings of the store: credentials, endpoints ... They travel with the tasks that write.
    pub fn storage(mut self, storage: StorageOptions) -> Self {
        self.storage = storage;
        self
    }

    /// The byte between fields of CSV; by default a comma.
    pub fn separator(mut self, separator: u8) -> Self {
        self.separator = separator;
        self
    }

    /// Whether each CSV file begins with the column names; by default true.
    pub fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// What is written for a missing value in CSV; by default nothing.
    pub fn missing(mut self, text: impl Into<String>) -> Self {
        self.missing = text.into();
        self
    }
}
