//! What the user may say about tables of databases.

use polars::prelude::{Column, DataType, Series};

use crate::frame::wire::{Wire, WireDtype};

/// How to read a table or a query of a database.
///
/// ```
/// use talatat_collections::frame::SqlOptions;
/// let options = SqlOptions::new().index_col("id").columns(["id", "fare"]).partitions(8);
/// assert!(format!("{options:?}").contains("fare"));
/// ```
#[derive(Clone, Debug)]
pub struct SqlOptions {
    pub(crate) index_col: Option<String>,
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) partitions: Option<usize>,
    pub(crate) partition_bytes: u64,
    pub(crate) divisions: Option<Column>,
    pub(crate) schema: Option<String>,
    pub(crate) dtypes: Vec<(String, WireDtype)>,
}

impl Default for SqlOptions {
    fn default() -> Self {
        SqlOptions {
            index_col: None,
            columns: None,
            partitions: None,
            partition_bytes: 32 << 20,
            divisions: None,
            schema: None,
            dtypes: Vec::new(),
        }
    }
}

impl SqlOptions {
    /// The defaults: all columns, in the order of the primary key, in partitions of about 32 MiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// The column by whose values rows are cut into partitions; it becomes the frame's index. By default the table's primary key, if
    /// that is one column with an order. An index on it in the database makes reading fast.
    pub fn index_col(mut self, column: impl Into<String>) -> Self {
        self.index_col = Some(column.into());
        self
    }

    /// The columns to read, in this order; by default all.
    pub fn columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// How many partitions there are, of about equal numbers of rows; Dask's `npartitions`. There are fewer if there are not so many
    /// different values of the index column.
    pub fn partitions(mut self, count: usize) -> Self {
        self.partitions = Some(count.max(1));
        self
    }

    /// About how many bytes a partition has in memory, where [`partitions`](SqlOptions::partitions) says nothing; Dask's `bytes_per_chunk`. By default 32 MiB.
    pub fn partition_bytes(mut self, bytes: u64) -> Self {
        self.partition_bytes = bytes.max(1);
        self
    }

    /// The values of the index column at which partitions begin, and one more for the end, ascending. The database is not asked for any then.
    ///
    /// Unlike in Dask, rows outside are not lost: smaller ones come with the first partition, larger and missing ones with the last.
    pub fn divisions(mut self, values: Series) -> Self {
        self.divisions = Some(values.into());
        self
    }

    /// The schema that the table is in; by default the first on the server's search path. PostgreSQL's schemas, and names of attached SQLite files.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = Some(name.into());
        self
    }

    /// Reads a column as a type, whatever the database says.
    pub fn with_dtype(mut self, column: impl Into<String>, dtype: DataType) -> Self {
        self.dtypes.push((column.into(), Wire(dtype)));
        self
    }

    /// The type that the user asked for.
    pub(crate) fn asked(&self, column: &str) -> Option<&DataType> {
        self.dtypes.iter().rev().find(|(name, _)| name == column).map(|(_, dtype)| &dtype.0)
    }
}
