//! SQLite files.

use std::borrow::Cow;
use std::collections::HashSet;

use polars::prelude::{DataFrame, DataType, TimeUnit};
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection as Handle, OpenFlags};

use super::columns::{Builder, Cell, parse_datetime, parse_time};
use super::database::Connection;
use super::statement::{Bound, Statement, quoted};
use super::table::{Asked, Found, SqlColumn, mixed};

/// Rows that are looked at for the types of columns that have none declared.
const SAMPLE: usize = 1000;
/// The name that a query has while its columns are asked for.
const VIEW: &str = "talatat_query";

/// An open file. It is never written to.
pub(super) struct Sqlite(Handle);

type Result<T> = std::result::Result<T, String>;

fn told(error: rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, Some(text)) => match code.code {
            rusqlite::ErrorCode::NotADatabase => format!("{text}; it is no SQLite file"),
            rusqlite::ErrorCode::DatabaseBusy => format!("{text}; try again when its writer is done"),
            _ => text,
        },
        rusqlite::Error::SqlInputError { msg, .. } => msg,
        other => other.to_string(),
    }
}

impl ToSql for Bound {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Bound::Bool(value) => ToSqlOutput::Owned(Value::Integer(i64::from(*value))),
            Bound::Int(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Bound::Float(value) => ToSqlOutput::Owned(Value::Real(*value)),
            Bound::Text(text) | Bound::Typed(text, _) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

impl Sqlite {
    pub(super) fn open(path: &str) -> Result<Sqlite> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Handle::open_with_flags(path, flags).map(Sqlite).map_err(told)
    }

    /// Checks that a table or view is there; false for a view.
    fn is_table(&self, schema: &str, name: &str) -> Result<bool> {
        let text = format!("SELECT name, type FROM {}.sqlite_schema WHERE type IN ('table', 'view')", quoted(schema));
        let mut statement = self.0.prepare(&text).map_err(told)?;
        let found = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        let found: Vec<(String, String)> = found.and_then(Iterator::collect).map_err(told)?;
        match found.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, kind)) => Ok(kind == "table"),
            None => {
                let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).take(20).collect();
                Err(format!("there is no table `{name}`; there are {}", names.join(", ")))
            }
        }
    }

    /// The kinds of values that stand first in each column.
    fn sample(&self, relation: &str, columns: usize) -> Result<Vec<Vec<&'static str>>> {
        let text = format!("SELECT * FROM {relation} LIMIT {SAMPLE}");
        let mut statement = self.0.prepare(&text).map_err(told)?;
        let mut kinds = vec![Vec::new(); columns];
        let mut rows = statement.query([]).map_err(told)?;
        while let Some(row) = rows.next().map_err(told)? {
            for (at, kinds) in kinds.iter_mut().enumerate() {
                let kind = kind(row.get_ref(at).map_err(told)?);
                if kind != MISSING && !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
        }
        Ok(kinds)
    }
}

impl Connection for Sqlite {
    fn find(&mut self, asked: &Asked) -> Result<Found> {
        let (schema, name, table) = match asked {
            Asked::Table { schema, name } => {
                let schema = schema.as_deref().unwrap_or("main");
                (schema, name.as_str(), self.is_table(schema, name)?)
            }
            Asked::Query(query) => {
                // For its errors: they then speak of the user's text.
                let prepared = self.0.prepare(query).map_err(told)?;
                // A view would give one of them another name.
                let (names, mut seen) = (prepared.column_names(), HashSet::new());
                if let Some(twice) = names.into_iter().find(|name| !seen.insert(name.to_ascii_lowercase())) {
                    return Err(format!("there are two columns `{twice}`; name them apart (`AS`)"));
                }
                // Only of tables and views can the declared types be asked for.
                self.0.execute(&format!("CREATE TEMP VIEW {VIEW} AS\n{query}"), []).map_err(told)?;
                ("temp", VIEW, false)
            }
        };
        // Hidden columns of virtual tables are no columns of rows.
        let text = "SELECT name, type, pk FROM pragma_table_xinfo(?1, ?2) WHERE hidden <> 1";
        let mut statement = self.0.prepare(text).map_err(told)?;
        let found = statement.query_map([name, schema], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        });
        let declared: Vec<(String, String, i64)> = found.and_then(Iterator::collect).map_err(told)?;
        let relation = asked.relation();
        let sampled = match declared.iter().all(|(_, kind, _)| dtype_of(kind).is_some()) {
            true => vec![Vec::new(); declared.len()],
            false => self.sample(&relation, declared.len())?,
        };
        let mut different = Vec::new();
        let mut columns = Vec::new();
        for ((name, kind, _), mut kinds) in declared.iter().zip(sampled) {
            kinds.sort_unstable();
            let dtype = dtype_of(kind).unwrap_or(match kinds.as_slice() {
                [INTEGERS] => DataType::Int64,
                [FLOATS] | [FLOATS, INTEGERS] => DataType::Float64,
                [BYTES] => DataType::Binary,
                [] if kind.to_ascii_uppercase().contains("BLOB") => DataType::Binary,
                _ => DataType::String,
            });
            if dtype_of(kind).is_none() && dtype == DataType::String && !matches!(kinds.as_slice(), [] | [TEXTS]) {
                different.push((name.clone(), kinds.join(" and ")));
            }
            let mut column = SqlColumn::new(name, dtype, kind);
            // A column may have an order of its own.
            if column.native.0 == DataType::String {
                column.compare = Some(format!("{} COLLATE BINARY", quoted(name)));
            }
            columns.push(column);
        }
        let mut keys: Vec<&(String, String, i64)> = declared.iter().filter(|(_, _, key)| *key > 0).collect();
        keys.sort_by_key(|(_, _, key)| *key);
        let names_it = |name: &str| declared.iter().any(|(column, ..)| column.eq_ignore_ascii_case(name));
        let has_rowid =
            table && !names_it("rowid") && self.0.prepare(&format!("SELECT rowid FROM {relation} LIMIT 0")).is_ok();
        let ties = match has_rowid {
            true => vec!["rowid".into()],
            false => keys.iter().map(|(name, ..)| quoted(name)).collect(),
        };
        let primary = if let [(name, ..)] = keys.as_slice() { Some(name.clone()) } else { None };
        Ok(Found { columns, primary, ties, mixed: different })
    }

    fn query(&mut self, statement: &Statement, columns: &[SqlColumn]) -> Result<DataFrame> {
        let mut prepared = self.0.prepare(&statement.text).map_err(told)?;
        let mut rows = prepared.query(rusqlite::params_from_iter(&statement.values)).map_err(told)?;
        let mut builders = Builder::all(columns)?;
        while let Some(row) = rows.next().map_err(told)? {
            for (at, (builder, column)) in builders.iter_mut().zip(columns).enumerate() {
                let value = row.get_ref(at).map_err(told)?;
                if !put(builder, value, column.converts) {
                    let (found, dtype) = (shown(value), builder.dtype());
                    return Err(mixed(&column.name, &format!("{found}, where values of type {dtype} were expected")));
                }
            }
        }
        Builder::finish_all(builders)
    }
}

const INTEGERS: &str = "integers";
const FLOATS: &str = "floats";
const TEXTS: &str = "texts";
const BYTES: &str = "bytes";
const MISSING: &str = "missing values";

fn kind(value: ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Null => MISSING,
        ValueRef::Integer(_) => INTEGERS,
        ValueRef::Real(_) => FLOATS,
        ValueRef::Text(_) => TEXTS,
        ValueRef::Blob(_) => BYTES,
    }
}

/// The type of a column that is declared to be of some kind; SQLite's own rules, and the names that writers of times use.
fn dtype_of(declared: &str) -> Option<DataType> {
    let kind = declared.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| kind.contains(part));
    match kind.split('(').next().unwrap_or_default().trim() {
        "DATE" => Some(DataType::Date),
        "TIME" => Some(DataType::Time),
        _ if has(&["DATETIME", "TIMESTAMP"]) => Some(DataType::Datetime(TimeUnit::Microseconds, None)),
        _ if has(&["BOOL"]) => Some(DataType::Boolean),
        _ if has(&["INT"]) => Some(DataType::Int64),
        _ if has(&["CHAR", "CLOB", "TEXT"]) => Some(DataType::String),
        _ if has(&["REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL"]) => Some(DataType::Float64),
        _ => None,
    }
}

/// Adds a value to a column; false if it is of another type and is not to be converted, or cannot be.
fn put(builder: &mut Builder, value: ValueRef<'_>, converts: bool) -> bool {
    use DataType as D;
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let time = |(days, micros): (i64, Option<i64>)| days * 86_400_000_000 + micros.unwrap_or(0);
    let owned: Cow<'_, str>;
    let cell = match (builder.dtype(), value) {
        (_, ValueRef::Null) => Some(Cell::Missing),
        (D::Boolean, ValueRef::Integer(value @ (0 | 1))) => Some(Cell::Bool(value == 1)),
        (D::Int64, ValueRef::Integer(value)) => Some(Cell::Int(value)),
        (D::Int16 | D::Int32, ValueRef::Integer(value)) => Some(Cell::Int(value)),
        // Whole numbers that went through a float.
        (D::Int16 | D::Int32 | D::Int64, ValueRef::Real(value)) if converts && value.fract() == 0.0 => {
            (value.abs() < 9e15).then_some(Cell::Int(value as i64))
        }
        (D::Float32 | D::Float64, ValueRef::Real(value)) => Some(Cell::Float(value)),
        (D::Float32 | D::Float64, ValueRef::Integer(value)) => Some(Cell::Float(value as f64)),
        (D::Int16 | D::Int32 | D::Int64, ValueRef::Text(bytes)) if converts => {
            text(bytes).and_then(|text| text.trim().parse().ok()).map(Cell::Int)
        }
        (D::Float32 | D::Float64, ValueRef::Text(bytes)) if converts => {
            text(bytes).and_then(|text| text.trim().parse().ok()).map(Cell::Float)
        }
        (D::String, ValueRef::Text(bytes)) => text(bytes).map(Cell::Text),
        (D::String, ValueRef::Integer(value)) if converts => {
            owned = value.to_string().into();
            Some(Cell::Text(&owned))
        }
        (D::String, ValueRef::Real(value)) if converts => {
            owned = format!("{value:?}").into();
            Some(Cell::Text(&owned))
        }
        (D::Binary, ValueRef::Blob(bytes)) => Some(Cell::Bytes(bytes)),
        (D::Binary, ValueRef::Text(bytes)) if converts => Some(Cell::Bytes(bytes)),
        (D::Date, ValueRef::Text(bytes)) => text(bytes)
            .and_then(parse_datetime)
            .filter(|(_, micros)| micros.is_none_or(|micros| micros == 0))
            .map(|(days, _)| Cell::Int(days)),
        (D::Datetime(TimeUnit::Microseconds, None), ValueRef::Text(bytes)) => {
            text(bytes).and_then(parse_datetime).map(|parsed| Cell::Int(time(parsed)))
        }
        (D::Time, ValueRef::Text(bytes)) => text(bytes).and_then(parse_time).map(|micros| Cell::Int(micros * 1000)),
        _ => None,
    };
    cell.is_some_and(|cell| builder.push(cell))
}

/// A value in a message.
fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "a missing value".into(),
        ValueRef::Integer(value) => format!("the integer {value}"),
        ValueRef::Real(value) => format!("the float {value:?}"),
        ValueRef::Text(bytes) => {
            format!("the text `{}`", String::from_utf8_lossy(bytes).chars().take(40).collect::<String>())
        }
        ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}
