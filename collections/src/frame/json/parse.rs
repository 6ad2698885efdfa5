//! The lines of a block to a `DataFrame`.

use std::sync::Arc;

use polars::prelude::{DataFrame, DataType, Expr, PlSmallStr, PolarsError, Schema, col, lit};
use polars_io::ndjson::core::{json_lines, parse_ndjson};
use serde::{Deserialize, Serialize};

use crate::frame::csv::{FileBlock, without_bom};
use crate::frame::parquet::guarded;
use crate::frame::scan::Pushed;
use crate::frame::step::{Step, run_steps};
use crate::frame::wire::Wire;
use crate::storage::ObjectRef;
use crate::storage::csv_split::{BlockState, read_block_records};
use crate::storage::error::{Result, StorageError};

/// What reading a block needs to know; a part of a kernel's parameters.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct JsonReader {
    /// The number of the first block here, for messages.
    pub(crate) first: u64,
    pub(crate) files: Arc<[ObjectRef]>,
    pub(crate) blocks: Arc<[FileBlock]>,
    /// All columns, that of the path last.
    pub(crate) schema: Arc<Wire<Schema>>,
    pub(crate) path: Option<String>,
    pub(crate) pushed: Pushed,
}

/// An error of a file.
pub(super) fn bad(object: &ObjectRef, offset: u64, reason: impl Into<String>) -> StorageError {
    StorageError::BadJson { url: object.location().to_string(), offset, reason: reason.into() }
}

impl JsonReader {
    /// The same for one block alone: what travels with its task.
    pub(crate) fn only(&self, number: usize) -> JsonReader {
        let block = self.blocks.get(number).copied();
        let file = block.and_then(|block| self.files.get(block.file as usize));
        JsonReader {
            first: self.first + number as u64,
            files: file.cloned().into_iter().collect(),
            blocks: block.map(|block| FileBlock { file: 0, ..block }).into_iter().collect(),
            ..self.clone()
        }
    }

    /// The rows of block `number` that the filter keeps, after `steps`.
    ///
    /// # Errors
    /// If the file cannot be read, or a line is no object or has a value of another type than its column.
    pub(crate) fn read(&self, number: usize, steps: &[Step]) -> Result<DataFrame> {
        let found = self.blocks.get(number).and_then(|block| Some((self.files.get(block.file as usize)?, *block)));
        let Some((object, block)) = found else { return Ok(DataFrame::empty()) };
        let records = read_block_records(object, block.start..block.end, BlockState::default(), None)?;
        let text = if block.start == 0 { without_bom(&records) } else { &records };
        let is_path = |name: &str| self.path.as_deref() == Some(name);
        let mut stored = Schema::default();
        let mut all: Vec<Step> = Vec::new();
        let mut conversions = Vec::new();
        for (name, dtype) in self.pushed.read(&self.schema.0).iter() {
            if is_path(name) {
                conversions.push(lit(object.location().to_string()).alias(name.clone()));
                continue;
            }
            let (stored_as, conversion) = read_as(name, dtype);
            stored.insert(name.clone(), stored_as);
            conversions.extend(conversion);
        }
        let none = stored.is_empty();
        if !conversions.is_empty() {
            all.push(Step::WithColumns(conversions));
        }
        all.extend(self.pushed.steps(&self.schema.0));
        all.extend(steps.iter().cloned());
        let frame = match none {
            true => DataFrame::empty_with_height(json_lines(text).count()),
            false => self.parse(object, block, &records, text, &stored)?,
        };
        run_steps(frame, &all).map_err(|error| {
            let first = first_line(&error);
            bad(object, block.start, format!("partition {}: {first}", self.first + number as u64))
        })
    }

    fn parse(
        &self,
        object: &ObjectRef,
        block: FileBlock,
        records: &[u8],
        text: &[u8],
        stored: &Schema,
    ) -> Result<DataFrame> {
        let parse =
            |text: &[u8]| guarded(|| parse_ndjson(text, None, stored, false).map_err(|error| first_line(&error)));
        let what = match parse(text) {
            // The columns come in the parser's order.
            Ok(frame) => {
                return frame
                    .select(stored.iter_names().cloned())
                    .map_err(|error| bad(object, block.start, first_line(&error)));
            }
            Err(what) => what,
        };
        // Which line it was.
        let wrong = json_lines(text).find_map(|line| Some((line, parse(line).err()?)));
        let (line, what) = wrong.unwrap_or((text, what));
        let inside = (line.as_ptr() as usize).saturating_sub(records.as_ptr() as usize);
        // A block begins within a line of the one before.
        let before = object.read_range(block.start..block.end)?;
        let begins = if block.start == 0 { 0 } else { memchr::memchr(b'\n', &before).map_or(0, |at| at + 1) };
        let offset = block.start + (begins + inside) as u64;
        let column = stored.iter().find(|(name, dtype)| {
            let alone: Schema = [((*name).clone(), (*dtype).clone())].into_iter().collect();
            guarded(|| parse_ndjson(line, None, &alone, false).map(drop).map_err(|error| first_line(&error))).is_err()
        });
        let object_error = bad(object, offset, format!("the line cannot be read: {what}"));
        match column {
            Some((name, dtype)) if what.contains("cannot parse") || what.contains("got non-null") => Err(bad(
                object,
                offset,
                format!(
                    "column `{name}` ({dtype}): {what}; the type was taken from the first lines: give another one with \
                     `.with_dtype(\"{name}\", DataType::String)` (or Float64 ...)"
                ),
            )),
            _ => Err(object_error),
        }
    }
}

/// The type that the parser reads, and what is done to get from there to the type that is wanted.
fn read_as(name: &PlSmallStr, dtype: &DataType) -> (DataType, Option<Expr>) {
    use DataType::{
        Boolean, Date, Datetime, Float32, Float64, Int8, Int16, Int32, Int64, List, Null, String, Struct, UInt8,
        UInt16, UInt32, UInt64,
    };
    match dtype {
        Boolean
        | Int32
        | Int64
        | UInt32
        | UInt64
        | Float32
        | Float64
        | String
        | Date
        | Datetime(_, None)
        | List(_)
        | Struct(_)
        | Null => (dtype.clone(), None),
        Int8 | Int16 | UInt8 | UInt16 => (Int64, Some(col(name.clone()).strict_cast(dtype.clone()))),
        _ => (String, Some(col(name.clone()).strict_cast(dtype.clone()))),
    }
}

fn first_line(error: &PolarsError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_string()
}
