//! Names of columns from the first file, and types from the first bytes of several.

use polars::prelude::{DataType, Field, PlSmallStr, Schema, TimeUnit};

use super::CsvOptions;
use super::dialect::{Wrong, after_records, before_records, plain};
use super::unpack::{is_compressed, unpack_some};
use crate::error::{Error, Result};
use crate::storage::error::StorageError;
use crate::storage::{ObjectRef, in_parallel};

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

/// Files that are looked at: the first, the last, and some between.
const FILES: usize = 8;

/// Reads the samples of some files. Types widen to what holds the values of all of them.
///
/// # Errors
/// If the bytes are no text or no CSV, there is nothing to take names from, or an option names a column that is not there.
pub(crate) fn sample(files: &[ObjectRef], options: &CsvOptions) -> Result<Sample> {
    let filled: Vec<&ObjectRef> = files.iter().filter(|file| file.size() > 0).collect();
    let Some(first) = filled.first().copied().or(files.first()) else {
        return Ok(Sample { schema: Schema::default(), header: Vec::new(), record: 1.0 });
    };
    let (count, last) = (filled.len().min(FILES), filled.len().saturating_sub(1));
    let others = (1..count).filter_map(|at| filled.get(at * last / count.saturating_sub(1).max(1)).copied());
    let chosen: Vec<&ObjectRef> = std::iter::once(first).chain(others).collect();
    let mut looks = in_parallel(&chosen, FILES, |file| look(file, options))?.into_iter();
    let Some(mut all) = looks.next() else {
        return Ok(Sample { schema: Schema::default(), header: Vec::new(), record: 1.0 });
    };
    // A file with other columns is told of when it is read.
    for look in looks {
        if look.header != all.header || look.kinds.len() != all.kinds.len() {
            continue;
        }
        all.kinds.iter_mut().zip(look.kinds).for_each(|(known, more)| *known = wider(known.take(), more));
        all.bytes += look.bytes;
        all.records += look.records;
    }
    let field = |(name, kind): (&String, Option<DataType>)| {
        let dtype = options.asked(name).map_or_else(|| kind.unwrap_or(DataType::String), |(dtype, _)| dtype);
        Field::new(PlSmallStr::from(name.as_str()), dtype)
    };
    let schema: Schema = all.names.iter().zip(all.kinds).map(field).collect();
    if schema.len() != all.names.len() {
        return Err(bad(first, 0, format!("column names are not unique: {}", all.names.join(", "))));
    }
    let record = if all.records == 0 { 64.0 } else { all.bytes.max(1) as f64 / all.records as f64 };
    Ok(Sample { schema, header: all.header, record })
}

/// What a file's first bytes tell.
struct Look {
    names: Vec<String>,
    header: Vec<String>,
    /// The types of the columns; `None` where there is no value.
    kinds: Vec<Option<DataType>>,
    bytes: usize,
    records: usize,
}

fn look(object: &ObjectRef, options: &CsvOptions) -> Result<Look> {
    let (bytes, whole) = first_bytes(object, options.sample)?;
    let text = check_text(object, without_bom(&bytes), whole)?;
    let wrong = |(at, reason): Wrong| bad(object, at as u64, reason);
    let start = after_records(text.as_bytes(), options.skip_rows, options.quote, whole).map_err(wrong)?;
    let end =
        if whole { before_records(text.as_bytes(), options.skip_footer, options.quote, true) } else { Ok(text.len()) };
    let body = text.as_bytes().get(start..end.map_err(wrong)?.max(start)).unwrap_or_default();
    // A sample may end inside of quotes.
    let closed = whole || (options.comment.is_none() && options.escape.is_none());
    let plain = match (plain(body, options, true), closed) {
        (Err(_), false) => plain(last_line_out(body), options, true),
        (read, _) => read,
    };
    let text = plain.map_err(wrong)?;
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).delimiter(options.separator);
    match options.plain_quote() {
        Some(quote) => reader.quote(quote),
        None => reader.quoting(false),
    };
    let mut records = Vec::new();
    for record in reader.from_reader(&*text).into_records() {
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
    let records: Vec<csv::StringRecord> =
        records.skip(if options.has_header { options.skip_after_header } else { 0 }).collect();
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
    let kind = |(column, name): (usize, &String)| {
        let own: Vec<&str> = options.own_nulls(name).collect();
        infer(records.iter().filter_map(|record| record.get(column)).filter(|value| !own.contains(value)), options)
    };
    let kinds = names.iter().enumerate().map(kind).collect();
    let counted = if records.is_empty() { 0 } else { records.len() + 1 };
    Ok(Look { names, header, kinds, bytes: read, records: counted })
}

/// The text up to its last line break.
fn last_line_out(text: &[u8]) -> &[u8] {
    text.get(..memchr::memrchr(b'\n', text).map_or(0, |at| at + 1)).unwrap_or_default()
}

/// The text without a byte order mark.
pub(crate) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn bad(object: &ObjectRef, offset: u64, reason: impl Into<String>) -> Error {
    StorageError::BadCsv { url: object.location().to_string(), offset, reason: reason.into() }.into()
}

/// The text at the start of a file, unpacked, and whether that is all of it.
fn first_bytes(object: &ObjectRef, sample: u64) -> Result<(Vec<u8>, bool)> {
    let mut end = object.size().min(sample);
    let mut bytes = object.read_range(0..end)?;
    if !is_compressed(object) {
        return Ok((bytes.to_vec(), end == object.size()));
    }
    loop {
        match unpack_some(&bytes, sample) {
            Ok((text, complete)) => return Ok((text, complete && end == object.size())),
            Err(error) if end == object.size() => return Err(bad(object, 0, error)),
            // Some formats are unpacked in pieces of a size of their own.
            Err(_) => {
                end = object.size().min(end.saturating_mul(8));
                bytes = object.read_range(0..end)?;
            }
        }
    }
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
            "the file is compressed, and its name does not say so: let it end in .gz or .zst, or unpack it",
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

/// The narrowest type that holds all values: bool, int64, float64, datetime if asked for, else text. `None` if there is no value.
fn infer<'a>(values: impl Iterator<Item = &'a str>, options: &CsvOptions) -> Option<DataType> {
    let kinds = values
        .filter(|value| !value.is_empty() && !options.null_values.iter().any(|null| null == value))
        .map(|value| Some(kind(value, options)));
    kinds.reduce(wider).flatten()
}

/// The type that holds the values of two.
fn wider(a: Option<DataType>, b: Option<DataType>) -> Option<DataType> {
    match (a, b) {
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(DataType::Int64), Some(DataType::Float64)) | (Some(DataType::Float64), Some(DataType::Int64)) => {
            Some(DataType::Float64)
        }
        (Some(_), Some(_)) => Some(DataType::String),
        (one, other) => one.or(other),
    }
}

fn kind(value: &str, options: &CsvOptions) -> DataType {
    let (point, grouped);
    let value = match options.thousands.map(char::from) {
        Some(mark) if value.contains(mark) && value.bytes().any(|byte| byte.is_ascii_digit()) => {
            grouped = value.replace(mark, "");
            grouped.as_str()
        }
        _ => value,
    };
    let number = match options.decimal_comma && value.contains(',') {
        true => {
            // A point is no number then.
            point = value.replace('.', "x").replacen(',', ".", 1);
            point.trim_start()
        }
        false => value.trim_start(),
    };
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
    if options.try_parse_dates && looks_like_datetime(value) { DATETIME } else { DataType::String }
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
