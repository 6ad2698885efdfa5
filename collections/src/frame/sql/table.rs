//! The columns of a table or a query, with the SQL that reads and compares them.

use polars::prelude::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use super::database::Database;
use super::options::SqlOptions;
use super::statement::{Dialect, quoted};
use crate::frame::wire::{Wire, WireDtype};
use crate::storage::error::StorageError;

/// What the user wants to read.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Table { schema: Option<String>, name: String },
    Query(String),
}

/// What a database says of it.
pub(super) struct Found {
    pub(super) columns: Vec<SqlColumn>,
    /// The column that is the primary key, if it is one.
    pub(super) primary: Option<String>,
    /// What tells rows with equal keys apart, as SQL.
    pub(super) ties: Vec<String>,
    /// Columns in which values of several types were seen, and which.
    pub(super) mixed: Vec<(String, String)>,
}

/// A column.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SqlColumn {
    pub(crate) name: String,
    /// The type that its values are read as.
    pub(crate) native: WireDtype,
    /// The type that comes out.
    pub(crate) dtype: WireDtype,
    /// What is selected.
    pub(crate) read: String,
    /// What has the order and the equality that polars' values have, if there is such a thing.
    pub(crate) compare: Option<String>,
    /// The database's name of its type, which PostgreSQL wants to see beside a value.
    pub(crate) kind: String,
    /// Values of other types are converted: the user has asked for it.
    pub(crate) converts: bool,
}

/// What is read, as tasks know it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) database: Database,
    pub(crate) dialect: Dialect,
    /// For messages.
    pub(crate) shown: String,
    /// What stands behind `FROM`.
    pub(crate) relation: String,
    pub(crate) columns: Vec<SqlColumn>,
    pub(crate) ties: Vec<String>,
}

impl Asked {
    /// What stands behind `FROM`.
    pub(super) fn relation(&self) -> String {
        match self {
            Asked::Table { schema: Some(schema), name } => format!("{}.{}", quoted(schema), quoted(name)),
            Asked::Table { schema: None, name } => quoted(name),
            Asked::Query(query) => format!("(\n{query}\n) AS \"query\""),
        }
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Asked::Table { schema: Some(schema), name } => format!("table `{schema}.{name}`"),
            Asked::Table { schema: None, name } => format!("table `{name}`"),
            Asked::Query(_) => "the query".into(),
        }
    }
}

impl Table {
    /// The columns that were asked for, with the types that were; and the primary key, if it is among them.
    ///
    /// # Errors
    /// If there is no such table or column, or a type cannot be had.
    pub(super) fn open(
        database: Database,
        asked: &Asked,
        options: &SqlOptions,
    ) -> Result<(Table, Option<String>), StorageError> {
        let found = database.connected(|open| open.find(asked))?;
        let dialect = match &database {
            Database::Sqlite(_) => Dialect::Sqlite,
            Database::Postgres(_) => Dialect::Postgres,
        };
        let shown = asked.shown();
        let failed =
            |reason: String| StorageError::BadSql { url: database.shown(), reason: format!("{shown}: {reason}") };
        let names = || found.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
        let of_name = |name: &str| found.columns.iter().find(|column| column.name == name).cloned();
        let unknown = |name: &str| failed(format!("there is no column `{name}`; there are {}", names()));
        let spoken_of = options.index_col.iter().chain(options.dtypes.iter().map(|(name, _)| name));
        if let Some(name) = spoken_of.into_iter().find(|name| of_name(name).is_none()) {
            return Err(unknown(name));
        }
        let mut columns = match &options.columns {
            None => found.columns.clone(),
            Some(names) => {
                names.iter().map(|name| of_name(name).ok_or_else(|| unknown(name))).collect::<Result<Vec<_>, _>>()?
            }
        };
        // Partitions are cut by it, so it is there.
        if let Some(index) = options.index_col.as_deref().and_then(of_name)
            && !columns.iter().any(|column| column.name == index.name)
        {
            columns.insert(0, index);
        }
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = columns.iter().find(|column| !seen.insert(column.name.clone())) {
            return Err(failed(format!("there are two columns `{}`; name them apart (`AS`)", twice.name)));
        }
        if columns.is_empty() {
            return Err(failed("no column is to be read".into()));
        }
        for column in &mut columns {
            let several = found.mixed.iter().find(|(name, _)| *name == column.name);
            match (options.asked(&column.name), several) {
                (Some(dtype), _) => column.read_as(dialect, dtype, several.is_some()),
                (None, Some((name, kinds))) => return Err(failed(mixed(name, kinds))),
                (None, None) => {}
            }
        }
        let primary = found.primary.filter(|name| columns.iter().any(|column| column.name == *name));
        let relation = asked.relation();
        Ok((Table { database, dialect, shown, relation, columns, ties: found.ties }, primary))
    }

    /// The types that come out.
    pub(super) fn schema(&self) -> Schema {
        self.columns.iter().map(|column| Field::new(column.name.as_str().into(), column.dtype.0.clone())).collect()
    }

    pub(super) fn column(&self, name: &str) -> Option<&SqlColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// An error of this table.
    pub(super) fn failed(&self, reason: impl std::fmt::Display) -> StorageError {
        StorageError::BadSql { url: self.database.shown(), reason: format!("{}: {reason}", self.shown) }
    }
}

/// What to say of a column whose values have several types.
pub(super) fn mixed(name: &str, kinds: &str) -> String {
    format!(
        "column `{name}` holds {kinds}; read it as one type with `.with_dtype(\"{name}\", DataType::String)`, or cast it in a query"
    )
}

impl SqlColumn {
    /// A column that is read as what it is.
    pub(super) fn new(name: &str, dtype: DataType, kind: &str) -> SqlColumn {
        let read = quoted(name);
        SqlColumn {
            name: name.into(),
            native: Wire(dtype.clone()),
            dtype: Wire(dtype),
            compare: Some(read.clone()),
            read,
            kind: kind.into(),
            converts: false,
        }
    }

    /// Whether rows can be cut by it.
    pub(super) fn has_order(&self) -> bool {
        !matches!(self.native.0, DataType::Boolean | DataType::Binary) && self.compare.is_some()
    }

    fn read_as(&mut self, dialect: Dialect, dtype: &DataType, mixed: bool) {
        if self.native.0 == *dtype && !mixed {
            return;
        }
        match dialect {
            Dialect::Sqlite if super::columns::is_read(dtype) => {
                self.native = Wire(dtype.clone());
                self.converts = true;
            }
            Dialect::Postgres if *dtype == DataType::String => {
                self.read = format!("{}::text", quoted(&self.name));
                self.native = Wire(DataType::String);
            }
            _ => {}
        }
        self.dtype = Wire(dtype.clone());
        self.compare = None;
    }
}
