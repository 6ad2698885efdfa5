//! SQL text with bound parameters.

use polars::prelude::{AnyValue, DataType, TimeUnit};
use serde::{Deserialize, Serialize};

/// The ways in which databases differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// A value beside the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Bound {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// The text of a value of PostgreSQL, and its type there.
    Typed(String, String),
}

/// Text with the values of its placeholders.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) values: Vec<Bound>,
}

/// The rows of a partition by their key: not below `low`, and below or at `high`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Range {
    pub(crate) low: Option<Bound>,
    pub(crate) high: Option<Bound>,
    /// Whether `high` itself is inside.
    pub(crate) closed: bool,
    /// Whether rows without a key are inside.
    pub(crate) missing: bool,
}

impl Statement {
    pub(super) fn new(text: impl Into<String>) -> Statement {
        Statement { text: text.into(), values: Vec::new() }
    }

    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// A placeholder for a value. PostgreSQL is told the types, for it would else take them from what stands beside.
    pub(super) fn bind(&mut self, dialect: Dialect, value: &Bound) -> &mut Self {
        self.values.push(value.clone());
        let number = self.values.len();
        let text = match (dialect, value) {
            (Dialect::Sqlite, _) => format!("?{number}"),
            (Dialect::Postgres, Bound::Bool(_)) => format!("${number}::bool"),
            (Dialect::Postgres, Bound::Int(_)) => format!("${number}::int8"),
            (Dialect::Postgres, Bound::Float(_)) => format!("${number}::float8"),
            (Dialect::Postgres, Bound::Text(_)) => format!("${number}::text"),
            (Dialect::Postgres, Bound::Typed(_, kind)) => format!("${number}::text::{kind}"),
        };
        self.push(&text)
    }

    /// The condition that the key is in a range; nothing for all rows.
    pub(super) fn range(&mut self, dialect: Dialect, key: &str, range: &Range) -> bool {
        if range.low.is_none() && range.high.is_none() {
            let all = range.missing;
            if !all {
                self.push(&format!("{key} IS NOT NULL"));
            }
            return !all;
        }
        self.push("(");
        if let Some(low) = &range.low {
            self.push(&format!("{key} >= ")).bind(dialect, low);
        }
        if let Some(high) = &range.high {
            let and = if range.low.is_some() { " AND " } else { "" };
            let sign = if range.closed { "<=" } else { "<" };
            self.push(&format!("{and}{key} {sign} ")).bind(dialect, high);
        }
        if range.missing {
            self.push(&format!(" OR {key} IS NULL"));
        }
        self.push(")");
        true
    }
}

impl Range {
    /// All rows.
    pub(super) fn all() -> Range {
        Range { missing: true, ..Range::default() }
    }

    /// For messages: where the partition is.
    pub(super) fn shown(&self, key: &str) -> String {
        let value = |bound: &Bound| match bound {
            Bound::Bool(value) => value.to_string(),
            Bound::Int(value) => value.to_string(),
            Bound::Float(value) => value.to_string(),
            Bound::Text(value) | Bound::Typed(value, _) => format!("'{value}'"),
        };
        let low = self.low.as_ref().map(|low| format!("`{key}` from {}", value(low)));
        let high = self.high.as_ref().map(|high| format!("`{key}` to {}", value(high)));
        match (low, high, &self.high) {
            (Some(low), Some(_), Some(high)) => format!("{low} to {}", value(high)),
            (Some(one), _, _) | (_, Some(one), _) => one,
            _ => "all rows".into(),
        }
    }
}

/// A name as SQL, whatever characters it has.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A polars value as a parameter that is compared with a column of the same type; `None` if SQL would not compare as polars does.
pub(super) fn bound(dialect: Dialect, dtype: &DataType, value: &AnyValue<'_>) -> Option<Bound> {
    use DataType as D;
    let integer = || match value {
        AnyValue::Int8(_)
        | AnyValue::Int16(_)
        | AnyValue::Int32(_)
        | AnyValue::Int64(_)
        | AnyValue::Int128(_)
        | AnyValue::UInt8(_)
        | AnyValue::UInt16(_)
        | AnyValue::UInt32(_)
        | AnyValue::UInt64(_) => value.extract::<i64>(),
        _ => None,
    };
    match dtype {
        D::Boolean => {
            if let AnyValue::Boolean(value) = value {
                Some(Bound::Bool(*value))
            } else {
                None
            }
        }
        D::Int16 | D::Int32 | D::Int64 => integer().map(Bound::Int),
        D::Float64 => match value {
            AnyValue::Float64(value) => Some(Bound::Float(*value)),
            AnyValue::Float32(value) => Some(Bound::Float(f64::from(*value))),
            _ => integer().filter(|value| value.unsigned_abs() <= 1 << 53).map(|value| Bound::Float(value as f64)),
        }
        // SQLite has no NaN: it would be bound as missing.
        .filter(|bound| !matches!((dialect, bound), (Dialect::Sqlite, Bound::Float(value)) if value.is_nan())),
        D::String => match value {
            AnyValue::String(text) => Some(Bound::Text((*text).into())),
            AnyValue::StringOwned(text) => Some(Bound::Text(text.to_string())),
            _ => None,
        }
        // The server's texts cannot hold it.
        .filter(|text| !matches!((dialect, text), (Dialect::Postgres, Bound::Text(text)) if text.contains('\0'))),
        // Times are text in SQLite, of which there are several forms.
        _ if dialect == Dialect::Sqlite => None,
        D::Date => match value {
            AnyValue::Date(days) => Some(Bound::Typed(iso(i64::from(*days) * 86_400_000_000)?, "date".into())),
            _ => None,
        },
        D::Datetime(TimeUnit::Microseconds, zone) => {
            let (ticks, unit, own) = match value {
                AnyValue::Datetime(ticks, unit, zone) => (*ticks, *unit, zone.is_some()),
                AnyValue::DatetimeOwned(ticks, unit, zone) => (*ticks, *unit, zone.is_some()),
                _ => return None,
            };
            let micros = match unit {
                TimeUnit::Microseconds => ticks,
                TimeUnit::Milliseconds => ticks.checked_mul(1000)?,
                TimeUnit::Nanoseconds if ticks % 1000 == 0 => ticks / 1000,
                TimeUnit::Nanoseconds => return None,
            };
            match (zone.is_some(), own) {
                (false, false) => Some(Bound::Typed(iso(micros)?, "timestamp".into())),
                (true, true) => Some(Bound::Typed(format!("{}+00", iso(micros)?), "timestamptz".into())),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A time in ISO's form, for years of four digits.
fn iso(micros: i64) -> Option<String> {
    let (days, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (year, month, day) = super::columns::civil(days);
    if !(1..=9999).contains(&year) {
        return None;
    }
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{fraction:06}"))
}
