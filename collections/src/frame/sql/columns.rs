//! Values of rows to columns.

use polars::prelude::{
    BinaryChunkedBuilder, BooleanChunkedBuilder, ChunkedBuilder, Column, DataFrame, DataType, Float64Type, Int64Type,
    Int128Type, IntoColumn, IntoSeries, PolarsResult, PrimitiveChunkedBuilder, StringChunkedBuilder,
};

use super::table::SqlColumn;

/// One value, in one of the forms that all types are made of.
pub(super) enum Cell<'a> {
    Missing,
    Bool(bool),
    /// Integers; days of dates, microseconds of datetimes, nanoseconds of times.
    Int(i64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Without the point.
    Decimal(i128),
}

/// A column that grows.
pub(super) struct Builder {
    dtype: DataType,
    values: Values,
}

enum Values {
    Bool(BooleanChunkedBuilder),
    Int(PrimitiveChunkedBuilder<Int64Type>),
    Float(PrimitiveChunkedBuilder<Float64Type>),
    Text(StringChunkedBuilder),
    Bytes(BinaryChunkedBuilder),
    Decimal(PrimitiveChunkedBuilder<Int128Type>),
}

/// Whether there is a builder for the type.
pub(super) fn is_read(dtype: &DataType) -> bool {
    Builder::new("", dtype).is_some()
}

impl Builder {
    pub(super) fn new(name: &str, dtype: &DataType) -> Option<Builder> {
        use DataType as D;
        let name = name.into();
        let values = match dtype {
            D::Boolean => Values::Bool(BooleanChunkedBuilder::new(name, 0)),
            D::Int16 | D::Int32 | D::Int64 | D::Date | D::Datetime(..) | D::Time => {
                Values::Int(PrimitiveChunkedBuilder::new(name, 0))
            }
            D::Float32 | D::Float64 => Values::Float(PrimitiveChunkedBuilder::new(name, 0)),
            D::String => Values::Text(StringChunkedBuilder::new(name, 0)),
            D::Binary => Values::Bytes(BinaryChunkedBuilder::new(name, 0)),
            D::Decimal(..) => Values::Decimal(PrimitiveChunkedBuilder::new(name, 0)),
            _ => return None,
        };
        Some(Builder { dtype: dtype.clone(), values })
    }

    /// A builder for each column.
    pub(super) fn all(columns: &[SqlColumn]) -> Result<Vec<Builder>, String> {
        let builder = |column: &SqlColumn| {
            let dtype = &column.native.0;
            Builder::new(&column.name, dtype).ok_or_else(|| format!("column `{}`: {dtype} cannot be read", column.name))
        };
        columns.iter().map(builder).collect()
    }

    /// The columns as a frame.
    pub(super) fn finish_all(builders: Vec<Builder>) -> Result<DataFrame, String> {
        let columns: PolarsResult<Vec<Column>> = builders.into_iter().map(Builder::finish).collect();
        columns.and_then(DataFrame::new_infer_height).map_err(|error| error.to_string())
    }

    pub(super) fn dtype(&self) -> &DataType {
        &self.dtype
    }

    /// Adds a value; false if it is of another form.
    pub(super) fn push(&mut self, cell: Cell<'_>) -> bool {
        match (&mut self.values, cell) {
            (Values::Bool(values), Cell::Bool(value)) => values.append_value(value),
            (Values::Int(values), Cell::Int(value)) => values.append_value(value),
            (Values::Float(values), Cell::Float(value)) => values.append_value(value),
            (Values::Text(values), Cell::Text(value)) => values.append_value(value),
            (Values::Bytes(values), Cell::Bytes(value)) => values.append_value(value),
            (Values::Decimal(values), Cell::Decimal(value)) => values.append_value(value),
            (Values::Bool(values), Cell::Missing) => values.append_null(),
            (Values::Int(values), Cell::Missing) => values.append_null(),
            (Values::Float(values), Cell::Missing) => values.append_null(),
            (Values::Text(values), Cell::Missing) => values.append_null(),
            (Values::Bytes(values), Cell::Missing) => values.append_null(),
            (Values::Decimal(values), Cell::Missing) => values.append_null(),
            _ => return false,
        }
        true
    }

    pub(super) fn finish(self) -> PolarsResult<Column> {
        let series = match self.values {
            Values::Bool(values) => values.finish().into_series(),
            Values::Int(values) => values.finish().into_series(),
            Values::Float(values) => values.finish().into_series(),
            Values::Text(values) => values.finish().into_series(),
            Values::Bytes(values) => values.finish().into_series(),
            Values::Decimal(values) => {
                let DataType::Decimal(precision, scale) = self.dtype else {
                    return Ok(values.finish().into_series().into_column());
                };
                return Ok(values.finish().into_decimal(precision, scale)?.into_series().into_column());
            }
        };
        // Times count from the start of the day, so a cast from integers takes them as they are.
        Ok(series.strict_cast(&self.dtype)?.into_column())
    }
}

/// Year, month and day of a number of days since 1970-01-01, by the Gregorian calendar (Hinnant's algorithm).
pub(super) fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The number of days since 1970-01-01 of a day that is in the calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (civil(days) == (year, month, day)).then_some(days)
}

/// The days of an ISO date, and the microseconds of its time if there is one: `2024-02-29`, `2024-02-29 12:30`, `2024-02-29T12:30:05.25Z`.
pub(super) fn parse_datetime(text: &str) -> Option<(i64, Option<i64>)> {
    let text = text.trim();
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let mut parts = date.split('-');
    let mut part = |width: usize| parts.next().filter(|part| part.len() == width).and_then(digits);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let days = days(year, month, day)?;
    if rest.is_empty() {
        return Some((days, None));
    }
    let time = rest.strip_prefix([' ', 'T', 't'])?;
    let time = time.strip_suffix(['Z', 'z']).or_else(|| time.strip_suffix("+00:00")).unwrap_or(time);
    Some((days, Some(parse_time(time)?)))
}

/// The microseconds of a time of day: `12:30`, `12:30:05`, `12:30:05.25`. Digits beyond microseconds are cut off.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let mut parts = clock.split(':');
    let mut part = || parts.next().filter(|part| part.len() == 2).and_then(digits);
    let (hour, minute) = (part()?, part()?);
    let second = if clock.len() > 5 { part()? } else { 0 };
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = match fraction.len() {
        0 => 0,
        1..=6 => digits(fraction)? * 10_i64.pow(6 - fraction.len() as u32),
        _ => digits(fraction).and_then(|_| digits(fraction.get(..6)?))?,
    };
    Some(((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction)
}

fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_back() {
        assert_eq!(civil(0), (1970, 1, 1));
        for day in (-800_000..800_000).step_by(97) {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), Some(day));
        }
        assert_eq!(days(2023, 2, 29), None);
        assert_eq!(days(2024, 13, 1), None);
    }

    #[test]
    fn times_of_iso() {
        let day = 19_782 * 86_400_000_000;
        for (text, micros) in [
            ("2024-02-29 00:00", Some(0)),
            ("2024-02-29T12:30:05.25", Some(45_005_250_000)),
            ("2024-02-29 23:59:59.999999Z", Some(86_399_999_999)),
            ("2024-02-29 00:00:00.0000019+00:00", Some(1)),
        ] {
            let (days, time) = parse_datetime(text).unwrap();
            assert_eq!((days * 86_400_000_000, time), (day, micros), "{text}");
        }
        assert_eq!(parse_datetime("2024-02-29"), Some((19_782, None)));
        for text in [
            "",
            "2024-02-30",
            "2024-2-3",
            "2024-02-29 24:00",
            "2024-02-29 1:00",
            "2024-02-29 10:00+02:00",
            "29.02.2024",
            "2024-02-29x",
        ] {
            assert_eq!(parse_datetime(text), None, "{text}");
        }
    }
}
