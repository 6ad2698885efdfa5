//! PostgreSQL servers.

use std::time::Duration;

use polars::prelude::{DataFrame, DataType, TimeUnit, TimeZone};
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls, Row};

use super::columns::{Builder, Cell};
use super::database::Connection;
use super::numeric::Numeric;
use super::statement::{Bound, Statement, quoted};
use super::table::{Asked, Found, SqlColumn};

/// Seconds to wait for a connection if the URL does not say.
const PATIENCE: u64 = 30;
/// Days and microseconds from 1970 to 2000, where the server's times begin.
const DAYS: i64 = 10_957;
const MICROS: i64 = DAYS * 86_400_000_000;

/// An open connection.
pub(super) struct Postgres(Client);

type Result<T> = std::result::Result<T, String>;
type Failed = Box<dyn std::error::Error + Sync + Send>;

fn told(error: postgres::Error) -> String {
    match error.as_db_error() {
        Some(server) => match server.hint() {
            Some(hint) => format!("{}; {hint}", server.message()),
            None => server.message().to_string(),
        },
        None => {
            let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
        }
    }
}

impl Postgres {
    pub(super) fn open(url: &str) -> Result<Postgres> {
        let config = url.parse::<Config>();
        let mut config =
            config.map_err(|error| format!("{}; write postgresql://user:password@host:port/database", told(error)))?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(PATIENCE));
        }
        config.application_name("talatat");
        let client = config.connect(NoTls).map_err(|error| {
            let mend =
                "check host, port, user, password and database, and that the server takes connections without TLS";
            format!("no connection: {}; {mend}", told(error))
        })?;
        Ok(Postgres(client))
    }

    fn tables(&mut self) -> String {
        let text = "SELECT table_schema || '.' || table_name FROM information_schema.tables \
                    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 20";
        let rows = self.0.query(text, &[]).unwrap_or_default();
        let names: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
        if names.is_empty() { "none that this user may see".into() } else { names.join(", ") }
    }

    /// The columns of the primary key, in order, and whether rows have a place in a file.
    fn key(&mut self, relation: &str) -> Result<(Vec<String>, bool)> {
        let text = "SELECT a.attname::text FROM pg_index i \
                    CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(number, place) \
                    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number \
                    WHERE i.indisprimary AND i.indrelid = $1::text::regclass ORDER BY k.place";
        let names = self.0.query(text, &[&relation]).map_err(told)?;
        let names = names.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>().map_err(told)?;
        let text = "SELECT relkind IN ('r', 'm') FROM pg_class WHERE oid = $1::text::regclass";
        let kept = self.0.query_opt(text, &[&relation]).map_err(told)?;
        let kept = kept.map_or(Ok(false), |row| row.try_get(0)).map_err(told)?;
        Ok((names, kept))
    }
}

impl Connection for Postgres {
    fn find(&mut self, asked: &Asked) -> Result<Found> {
        let relation = asked.relation();
        let statement = self.0.prepare(&format!("SELECT * FROM {relation}"));
        let statement = statement.map_err(|error| match (asked, error.code()) {
            (Asked::Table { name, .. }, Some(code)) if code.code() == "42P01" => {
                format!("there is no table `{name}`; there are {}", self.tables())
            }
            _ => told(error),
        })?;
        let columns = statement.columns().iter();
        let columns = columns.map(|column| column_of(column.name(), column.type_(), column.type_modifier())).collect();
        let (keys, kept) = match asked {
            Asked::Table { .. } => self.key(&relation)?,
            Asked::Query(_) => (Vec::new(), false),
        };
        let ties = match (keys.is_empty(), kept) {
            (true, true) => vec!["ctid".into()],
            _ => keys.iter().map(|name| quoted(name)).collect(),
        };
        let primary = if let [name] = keys.as_slice() { Some(name.clone()) } else { None };
        Ok(Found { columns, primary, ties, mixed: Vec::new() })
    }

    fn query(&mut self, statement: &Statement, columns: &[SqlColumn]) -> Result<DataFrame> {
        let values = statement.values.iter().map(|value| value as &(dyn ToSql + Sync));
        let mut rows = self.0.query_raw(&statement.text, values.collect::<Vec<_>>()).map_err(told)?;
        let mut builders = Builder::all(columns)?;
        while let Some(row) = rows.next().map_err(told)? {
            for (at, builder) in builders.iter_mut().enumerate() {
                put(builder, &row, at).map_err(|error| {
                    let name = columns.get(at).map_or("", |column| column.name.as_str());
                    format!("column `{name}`: {error}")
                })?;
            }
        }
        Builder::finish_all(builders)
    }
}

/// How a column of some type is read.
fn column_of(name: &str, kind: &Type, modifier: i32) -> SqlColumn {
    let micros = TimeUnit::Microseconds;
    let dtype = match *kind {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 => DataType::Int32,
        Type::INT8 => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::TEXT | Type::VARCHAR | Type::NAME | Type::BPCHAR => DataType::String,
        Type::BYTEA => DataType::Binary,
        Type::DATE => DataType::Date,
        Type::TIME => DataType::Time,
        Type::TIMESTAMP => DataType::Datetime(micros, None),
        Type::TIMESTAMPTZ => DataType::Datetime(micros, Some(TimeZone::UTC)),
        Type::NUMERIC => {
            // Precision and scale as the server packs them; without them numbers have any.
            let packed = modifier - 4;
            let (precision, scale) = ((packed >> 16) & 0xffff, packed & 0x7ff);
            match modifier >= 4 && (1..=38).contains(&precision) && scale <= precision {
                true => DataType::Decimal(precision as usize, scale as usize),
                false => DataType::Float64,
            }
        }
        _ => DataType::String,
    };
    let mut column = SqlColumn::new(name, dtype, kind.name());
    let plain = quoted(name);
    column.compare = match *kind {
        Type::TEXT | Type::VARCHAR | Type::NAME => Some(format!("{plain} COLLATE \"C\"")),
        // Spaces at the end do not count in comparisons of these, floats of 4 bytes are compared as such only with each other.
        Type::BPCHAR | Type::BYTEA => None,
        _ if column.native.0 == DataType::String => {
            column.read = format!("{plain}::text");
            None
        }
        _ => Some(plain),
    };
    column
}

/// The bytes of a value, as the server sends them.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> std::result::Result<Self, Failed> {
        Ok(Raw(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn put(builder: &mut Builder, row: &Row, at: usize) -> Result<()> {
    let Some(Raw(bytes)) = row.try_get::<_, Option<Raw<'_>>>(at).map_err(told)? else {
        builder.push(Cell::Missing);
        return Ok(());
    };
    let numeric = row.columns().get(at).is_some_and(|column| *column.type_() == Type::NUMERIC);
    let cell = match builder.dtype() {
        DataType::Decimal(_, scale) => {
            Numeric::parse(bytes).and_then(|number| number.scaled(*scale)).map(Cell::Decimal)
        }
        DataType::Float64 if numeric => Numeric::parse(bytes).and_then(|number| number.float()).map(Cell::Float),
        dtype => cell(dtype, bytes),
    };
    let text = "it holds a value that has no place in this type: an infinite time, a year beyond the calendar, or NaN among decimals; \
                leave such rows out, or read the column as text with `.with_dtype`";
    match cell.is_some_and(|cell| builder.push(cell)) {
        true => Ok(()),
        false => Err(text.into()),
    }
}

/// A value of the server's binary form.
fn cell<'a>(dtype: &DataType, bytes: &'a [u8]) -> Option<Cell<'a>> {
    use DataType as D;
    let integer = || -> Option<i64> {
        Some(match bytes.len() {
            2 => i16::from_be_bytes(bytes.try_into().ok()?).into(),
            4 => i32::from_be_bytes(bytes.try_into().ok()?).into(),
            _ => i64::from_be_bytes(bytes.try_into().ok()?),
        })
    };
    // The largest and the smallest number stand for infinity.
    let finite = |value: &i64| match bytes.len() {
        4 => *value != i64::from(i32::MAX) && *value != i64::from(i32::MIN),
        _ => *value != i64::MAX && *value != i64::MIN,
    };
    match dtype {
        D::Boolean => bytes.first().map(|byte| Cell::Bool(*byte != 0)),
        D::Int16 | D::Int32 | D::Int64 => integer().map(Cell::Int),
        D::Float32 => Some(Cell::Float(f32::from_be_bytes(bytes.try_into().ok()?).into())),
        D::Float64 => Some(Cell::Float(f64::from_be_bytes(bytes.try_into().ok()?))),
        D::Date => integer().filter(finite).map(|days| Cell::Int(days + DAYS)),
        D::Datetime(..) => integer().filter(finite).and_then(|micros| micros.checked_add(MICROS)).map(Cell::Int),
        D::Time => integer().filter(|micros| *micros < 86_400_000_000).map(|micros| Cell::Int(micros * 1000)),
        D::String => std::str::from_utf8(bytes).ok().map(Cell::Text),
        D::Binary => Some(Cell::Bytes(bytes)),
        _ => None,
    }
}

impl ToSql for Bound {
    fn to_sql(&self, kind: &Type, out: &mut bytes::BytesMut) -> std::result::Result<IsNull, Failed> {
        match self {
            Bound::Bool(value) => value.to_sql(kind, out),
            Bound::Int(value) => value.to_sql(kind, out),
            Bound::Float(value) => value.to_sql(kind, out),
            Bound::Text(text) | Bound::Typed(text, _) => text.as_str().to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::BOOL | Type::INT8 | Type::FLOAT8 | Type::TEXT) && *kind.kind() == Kind::Simple
    }

    to_sql_checked!();
}
