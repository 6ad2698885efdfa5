//! Names and types of columns, from the first bytes of several files.

use polars::prelude::{DataType, Schema};
use polars_io::ndjson::infer_schema;

use super::JsonOptions;
use super::parse::bad;
use crate::error::Result;
use crate::frame::csv::without_bom;
use crate::frame::parquet::guarded;
use crate::storage::error::StorageError;
use crate::storage::{ObjectRef, in_parallel};

/// Files that are looked at: the first, the last, and some between.
const FILES: usize = 8;

/// What the samples tell.
pub(crate) struct Sample {
    pub(crate) schema: Schema,
    /// Bytes of a line, on average.
    pub(crate) line: f64,
}

/// Reads the samples.
///
/// # Errors
/// If one is no JSON, or there is no column at all.
pub(crate) fn sample(files: &[ObjectRef], options: &JsonOptions) -> Result<Sample> {
    let filled: Vec<&ObjectRef> = files.iter().filter(|file| file.size() > 0).collect();
    let count = filled.len().min(FILES);
    let chosen: Vec<&ObjectRef> = (0..count)
        .filter_map(|at| filled.get(at * filled.len().saturating_sub(1) / count.saturating_sub(1).max(1)))
        .copied()
        .collect();
    let found = in_parallel(&chosen, FILES, |file| look(file, options))?;
    let mut schema = Schema::default();
    let (mut bytes, mut lines) = (0, 0);
    for (columns, length, count) in found {
        bytes += length;
        lines += count;
        for (name, dtype) in columns.iter() {
            let both = schema.get(name).map_or_else(|| dtype.clone(), |known| wider(known, dtype));
            schema.insert(name.clone(), both);
        }
    }
    // Where no value was seen, a text can hold whatever comes.
    let texts: Vec<_> = schema.iter().filter(|(_, dtype)| dtype.is_null()).map(|(name, _)| name.clone()).collect();
    texts.into_iter().for_each(|name| drop(schema.insert(name, DataType::String)));
    for (name, dtype) in &options.dtypes {
        schema.insert(name.as_str().into(), dtype.0.clone());
    }
    if let (true, Some(file)) = (schema.is_empty(), files.first()) {
        return Err(
            bad(file, 0, "there is no object to take names from; promise columns with `.with_dtype(..)`").into()
        );
    }
    Ok(Sample { schema, line: if lines == 0 { 64.0 } else { bytes as f64 / lines as f64 } })
}

/// The columns of a file, the bytes and the lines that were read.
fn look(file: &ObjectRef, options: &JsonOptions) -> std::result::Result<(Schema, usize, usize), StorageError> {
    let mut end = options.sample.min(file.size());
    let bytes = loop {
        let bytes = file.read_range(0..end)?;
        let whole = end == file.size();
        let cut = if whole { Some(bytes.len()) } else { memchr::memrchr(b'\n', &bytes).map(|at| at + 1) };
        match cut {
            Some(cut) => break bytes.slice(..cut),
            // A line longer than the sample.
            None => end = end.saturating_mul(4).min(file.size()),
        }
    };
    let mut text = without_bom(&bytes);
    let lines = memchr::memchr_iter(b'\n', text).count().max(1);
    let length = text.len();
    if text.iter().all(u8::is_ascii_whitespace) {
        return Ok((Schema::default(), 0, 0));
    }
    let schema = guarded(|| infer_schema(&mut text, None).map_err(|error| error.to_string()));
    let schema = schema.map_err(|what| {
        let what = what.lines().next().unwrap_or_default().to_string();
        bad(file, 0, format!("the first lines cannot be read: {what}; each line must be a JSON object"))
    })?;
    Ok((schema, length, lines))
}

/// The type for values of two types.
fn wider(a: &DataType, b: &DataType) -> DataType {
    match (a, b) {
        _ if a == b => a.clone(),
        (DataType::Null, other) | (other, DataType::Null) => other.clone(),
        _ if a.is_primitive_numeric() && b.is_primitive_numeric() => DataType::Float64,
        (DataType::List(a), DataType::List(b)) => DataType::List(Box::new(wider(a, b))),
        _ => DataType::String,
    }
}
