//! Names and types of columns, from the first bytes of the first file.

use polars::prelude::{DataType, Field, PlSmallStr, Schema, TimeUnit};

use super::CsvOptions;
use crate::error::{Error, Result};
use crate::storage::ObjectRef;
use crate::storage::error::StorageError;

/// What a date is read as.
pub(crate) const DATETIME: DataType = DataType::Datetime(TimeUnit::Microseconds, None);

/// What the sample tells.
pub(crate) struct Sample {
    /// Names and types, as the file's columns are in order.
    pub(crate) schema: Schema,
    /// The names in the file's header, if it has one.
    pub(crate) header: Vec<String>,
    /// Bytes of a record, on average.
    pub(crate) record: f64,
}

/// Reads the sample of a file.
///
/// # Errors
/// If the bytes are no text or no CSV, there is nothing to take names from, or an option names a column that is not there.
pub(crate) fn sample(object: &ObjectRef, options: &CsvOptions) -> Result<Sample> {
    let end = object.size().min(options.sample);
    let bytes = object.read_range(0..end)?;
    let whole = end == object.size();
    let text = check_text(object, without_bom(&bytes), whole)?;
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).delimiter(options.separator);
    match options.quote {
        Some(quote) => reader.quote(quote),
        None => reader.quoting(false),
    };
    let mut records = Vec::new();
    for record in reader.from_reader(text.as_bytes()).into_records() {
        let record = record.map_err(|error| bad(object, 0, error.to_string()))?;
        records.push(record);
    }
    // The last record may be cut in the middle.
    let read: usize = if whole {
        text.len()
    } else {
        records.pop().and_then(|last| Some(last.position()?.byte() as usize)).unwrap_or(0)
    };
    let mut records = records.into_iter();
    let header: Vec<String> = if options.has_header {
        let Some(first) = records.next() else {
            let reason = "there is no header to take column names from: the file is empty, or its first record is longer than the \
                          sample (`.sample(bytes)`); for a file without a header use `.has_header(false)`";
            return Err(bad(object, 0, reason));
        };
        first.iter().map(str::to_string).collect()
    } else {
        Vec::new()
    };
    let records: Vec<csv::StringRecord> = records.collect();
    let width = if options.has_header { header.len() } else { records.first().map_or(0, csv::StringRecord::len) };
    check_ragged(object, &records, width)?;
    let names = match &options.column_names {
        Some(names) if names.len() == width || width == 0 => names.clone(),
        Some(names) => {
            let reason = format!("`column_names` gives {} names, but the file has {width} columns", names.len());
            return Err(bad(object, 0, reason));
        }
        None if options.has_header => unique(&header),
        None => (1..=width).map(|number| format!("column_{number}")).collect(),
    };
    if names.is_empty() {
        return Err(bad(object, 0, "the file is empty; give `.column_names(..)` and types if that is meant"));
    }
    if let Some(missing) = options.named().find(|column| !names.iter().any(|name| name == column)) {
        let reason = format!("an option speaks of a column `{missing}`; there are {}", names.join(", "));
        return Err(bad(object, 0, reason));
    }
    let dtype = |(column, name): (usize, &String)| {
        let dtype = options
            .asked(name)
            .map_or_else(|| infer(records.iter().filter_map(|record| record.get(column)), options), |(dtype, _)| dtype);
        Field::new(PlSmallStr::from(name.as_str()), dtype)
    };
    let schema: Schema = names.iter().enumerate().map(dtype).collect();
    if schema.len() != names.len() {
        return Err(bad(object, 0, format!("column names are not unique: {}", names.join(", "))));
    }
    let record = if records.is_empty() { 64.0 } else { read.max(1) as f64 / (records.len() + 1) as f64 };
    Ok(Sample { schema, header, record })
}

/// The text without a byte order mark.
pub(crate) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn bad(object: &ObjectRef, offset: u64, reason: impl Into<String>) -> Error {
    StorageError::BadCsv { url: object.location().to_string(), offset, reason: reason.into() }.into()
}

/// Looks for what is no text: compressed files, UTF-16, pictures.
fn check_text<'a>(object: &ObjectRef, bytes: &'a [u8], whole: bool) -> Result<&'a str> {
    if bytes.starts_with(&[0x1f, 0x8b])
        || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || bytes.starts_with(b"PK\x03\x04")
    {
        return Err(bad(
            object,
            0,
            "the file is compressed; unpack it first (compressed text cannot be read in blocks)",
        ));
    }
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        return Err(bad(
            object,
            at as u64,
            "there is a zero byte: this is no CSV text (or it is UTF-16; convert it to UTF-8)",
        ));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        // The sample may end inside of a character.
        Err(error) if !whole && error.error_len().is_none() => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            Ok(std::str::from_utf8(good).unwrap_or_default())
        }
        Err(error) => Err(bad(object, error.valid_up_to() as u64, "this is no UTF-8; convert the file first")),
    }
}

fn check_ragged(object: &ObjectRef, records: &[csv::StringRecord], width: usize) -> Result<()> {
    let Some(long) = records.iter().find(|record| record.len() > width) else { return Ok(()) };
    let at = long.position().map_or(0, csv::Position::byte);
    let line = long.position().map_or(0, csv::Position::line);
    let reason = format!(
        "line {line} has {} fields, the {} {width}",
        long.len(),
        if width == 1 { "first has" } else { "others have" }
    );
    Err(bad(object, at, format!("{reason}; mend the line, or check separator and quote character")))
}

/// Names a column that has no name or another one's, as pandas does: `x`, `x.1`, `Unnamed: 2`.
fn unique(header: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (number, name) in header.iter().enumerate() {
        let base = if name.is_empty() { format!("Unnamed: {number}") } else { name.clone() };
        let mut candidate = base.clone();
        let mut count = 0;
        while names.contains(&candidate) || (count > 0 && header.contains(&candidate)) {
            count += 1;
            candidate = format!("{base}.{count}");
        }
        names.push(candidate);
    }
    names
}

/// The narrowest type that holds all values: bool, int64, float64, datetime if asked for, else text.
fn infer<'a>(values: impl Iterator<Item = &'a str>, options: &CsvOptions) -> DataType {
    let kinds = values
        .filter(|value| !value.is_empty() && !options.null_values.iter().any(|null| null == value))
        .map(|value| kind(value, options.try_parse_dates));
    let all = kinds.reduce(|a, b| match (a, b) {
        (a, b) if a == b => a,
        (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) => DataType::Float64,
        _ => DataType::String,
    });
    all.unwrap_or(DataType::String)
}

fn kind(value: &str, dates: bool) -> DataType {
    let number = value.trim_start();
    let digits = number.strip_prefix('-').unwrap_or(number);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // Numbers too large for 64 bits are floats, as close as those come.
        return if number.parse::<i64>().is_ok() { DataType::Int64 } else { DataType::Float64 };
    }
    if number.parse::<f64>().is_ok() {
        return DataType::Float64;
    }
    if ["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word)) {
        return DataType::Boolean;
    }
    if dates && looks_like_datetime(value) { DATETIME } else { DataType::String }
}

/// `2024-02-29`, with or without a time after it.
fn looks_like_datetime(value: &str) -> bool {
    let bytes = value.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mark = |at: usize| bytes.get(at).is_some_and(|byte| b"-/".contains(byte));
    let day = [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(digit) && mark(4) && mark(7);
    let time = match bytes.get(10) {
        None => true,
        Some(b'T' | b' ') => digit(11) && digit(12) && bytes.get(13) == Some(&b':'),
        Some(_) => false,
    };
    day && time
}
