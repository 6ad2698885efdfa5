//! The records of a block to a `DataFrame`.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use polars::prelude::_csv_read_internal::{NullValuesCompiled, read_chunk, validate_utf8};
use polars::prelude::{
    CsvParseOptions, DataFrame, DataType, Expr, NULL, PlSmallStr, PolarsError, Schema, StrptimeOptions, col, lit, when,
};
use serde::{Deserialize, Serialize};

use super::CsvOptions;
use super::dates::as_dates;
use super::dialect::{Wrong, after_records, before_records, plain};
use super::sample::without_bom;
use super::scan::FileBlock;
use crate::frame::scan::Pushed;
use crate::frame::step::{Step, run_steps};
use crate::frame::wire::Wire;
use crate::storage::ObjectRef;
use crate::storage::csv_split::{BlockState, count_quotes, records_of_block};
use crate::storage::error::StorageError;

/// Text that is parsed, filtered and computed on in one go: its columns stay in the processor's caches.
const PIECE: usize = 2 << 20;

/// What parsing a block needs to know; a part of a kernel's parameters.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Parser {
    /// The number of the first block here, for messages.
    pub(crate) first: u64,
    pub(crate) files: Arc<[ObjectRef]>,
    pub(crate) blocks: Arc<[FileBlock]>,
    pub(crate) options: Arc<CsvOptions>,
    pub(crate) file_schema: Arc<Wire<Schema>>,
    pub(crate) header: Arc<[String]>,
    pub(crate) pushed: Pushed,
}

type Result<T> = std::result::Result<T, StorageError>;

/// How the fields of a piece are read.
struct Reading {
    /// The file's columns, as the field parser reads them.
    schema: Schema,
    /// The numbers of the columns that are read.
    columns: Vec<usize>,
    options: CsvParseOptions,
    nulls: Option<NullValuesCompiled>,
    /// What polars does to a piece: conversions, the filter, columns that only the filter needed, then the steps.
    steps: Vec<Step>,
    /// Nothing is wanted but the number of rows.
    only_count: bool,
}

impl Parser {
    /// The same for one block alone: what travels with its task.
    pub(crate) fn only(&self, number: usize) -> Parser {
        let block = self.blocks.get(number).copied();
        let file = block.and_then(|block| self.files.get(block.file as usize));
        let blocks = block.map(|block| FileBlock { file: 0, ..block });
        let first = self.first + number as u64;
        Parser {
            first,
            files: file.cloned().into_iter().collect(),
            blocks: blocks.into_iter().collect(),
            ..self.clone()
        }
    }

    /// A block and its file.
    pub(crate) fn block(&self, number: usize) -> Option<(&ObjectRef, FileBlock)> {
        let block = *self.blocks.get(number)?;
        Some((self.files.get(block.file as usize)?, block))
    }

    /// Parses the records that block `number` owns and runs `steps` on them, piece by piece. Stops when there are `limit` rows.
    pub(crate) fn parse(&self, number: usize, records: &Bytes, steps: &[Step], limit: usize) -> Result<DataFrame> {
        let Some((object, block)) = self.block(number) else { return Ok(DataFrame::empty()) };
        let at = Place { object, number: self.first + number as u64, offset: block.start };
        let reading = self.reading(object, steps).map_err(|error| at.wrong(&error))?;
        let (text, start) = self.body(&at, block, records)?;
        let text = text.get(start..).unwrap_or_default();
        let base = records.len().saturating_sub(text.len());
        let mut frames: Vec<DataFrame> = Vec::new();
        let mut rows = 0;
        for piece in pieces(text, self.options.plain_quote()) {
            if rows >= limit {
                break;
            }
            let at = Place { offset: block.start + (base + piece.start) as u64, ..at };
            let frame = self.piece(&reading, &at, text.get(piece).unwrap_or_default())?;
            rows += frame.height();
            frames.push(frame);
        }
        if frames.is_empty() {
            frames.push(self.piece(&reading, &at, b"")?);
        }
        join(frames).map_err(|error| at.wrong(&error))
    }

    fn reading(&self, object: &ObjectRef, steps: &[Step]) -> std::result::Result<Reading, PolarsError> {
        let schema = &self.file_schema.0;
        let mut with_path = schema.clone();
        with_path.extend(self.options.path.iter().map(|name| (PlSmallStr::from(name.as_str()), DataType::String)));
        let read = self.pushed.read(&with_path);
        let mut columns = Vec::new();
        let mut conversions = Vec::new();
        let mut raw = Schema::default();
        for (number, (name, dtype)) in schema.iter().enumerate() {
            let format = self.options.asked(name).and_then(|(_, format)| format);
            let (read_as, conversion) = read_as(name, dtype, format, &self.options);
            raw.insert(name.clone(), read_as);
            if read.contains(name) {
                columns.push(number);
                conversions.extend(conversion);
            }
        }
        let only_count = columns.is_empty();
        let path = self.options.path.iter().filter(|name| read.contains(name));
        conversions.extend(path.map(|name| lit(object.location().to_string()).alias(name.as_str())));
        let mut all = Vec::new();
        all.extend((!conversions.is_empty()).then_some(Step::WithColumns(conversions)));
        all.extend(self.pushed.steps(&with_path));
        all.extend(steps.iter().cloned());
        let options = CsvParseOptions::default()
            .with_separator(self.options.separator)
            .with_quote_char(self.options.plain_quote())
            .with_decimal_comma(self.options.decimal_comma);
        let nulls = self.options.nulls().map(NullValuesCompiled::AllColumns);
        Ok(Reading { schema: raw, columns, options, nulls, steps: all, only_count })
    }

    /// The block's records as plain text, without blank lines, and where its rows begin in that: behind the header, which is compared with the first file's.
    fn body<'a>(&self, at: &Place<'_>, block: FileBlock, records: &'a Bytes) -> Result<(Cow<'a, [u8]>, usize)> {
        let (first, last) = (block.start == 0, block.end >= at.object.size());
        let (options, quote) = (&self.options, self.options.quote);
        let wrong = |(offset, reason): Wrong| at.after(offset).bad(reason);
        let text = if first { without_bom(records) } else { records };
        let start = after_records(text, if first { options.skip_rows } else { 0 }, quote, last).map_err(wrong)?;
        let footer = if last { options.skip_footer } else { 0 };
        let end = before_records(text, footer, quote, first).map_err(wrong)?;
        let inner = text.get(start..end.max(start)).unwrap_or_default();
        let quote = options.plain_quote();
        let text = match plain(inner, options, first && last).map_err(wrong)? {
            Cow::Borrowed(text) => without_blank_lines(text, quote),
            Cow::Owned(text) => Cow::Owned(without_blank_lines(&text, quote).into_owned()),
        };
        if !first || !options.has_header {
            return Ok((text, 0));
        }
        if text.is_empty() && !last {
            return Err(at.bad(
                "the first block of the file does not reach to the header; choose larger blocks with `.blocksize(..)`",
            ));
        }
        let end = record_ends(&text, quote).next().unwrap_or(text.len());
        let (line, body) = text.split_at_checked(end).unwrap_or((&text, b""));
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).flexible(true).delimiter(options.separator);
        match quote {
            Some(quote) => reader.quote(quote),
            None => reader.quoting(false),
        };
        let names =
            reader.from_reader(line).into_records().next().and_then(std::result::Result::ok).unwrap_or_default();
        if !names.iter().eq(self.header.iter().map(String::as_str)) {
            let found = names.iter().collect::<Vec<_>>().join(", ");
            return Err(at.bad(format!(
                "the header is [{found}], but that of the first file is [{}]; read files of different columns apart",
                self.header.join(", ")
            )));
        }
        let units = after_records(body, options.skip_after_header, quote, last).map_err(wrong)?;
        Ok((text, end + units))
    }

    fn piece(&self, reading: &Reading, at: &Place<'_>, text: &[u8]) -> Result<DataFrame> {
        if !validate_utf8(text) {
            let good = std::str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len);
            return Err(at.after(good).bad("this is no UTF-8; convert the file first"));
        }
        if let Some(quote) = self.options.plain_quote() {
            check_quotes(at, text, quote, self.options.separator)?;
        }
        let run = |frame: DataFrame| run_steps(frame, &reading.steps).map_err(|error| at.wrong(&error));
        if reading.only_count {
            return run(DataFrame::empty_with_height(count_records(text, self.options.plain_quote())));
        }
        // A guess: a wrong one costs a copy of the columns.
        let capacity = text.len() / (8 * reading.schema.len()).max(16) + 1;
        let frame = read_chunk(
            text,
            &reading.options,
            &reading.schema,
            false,
            &reading.columns,
            0,
            capacity,
            reading.nulls.as_ref(),
            usize::MAX,
            text.len(),
            Some(usize::try_from(at.offset).unwrap_or(0)),
        );
        run(frame.map_err(|error| at.wrong(&error))?)
    }
}

/// The type that the field parser reads, and what is done to get from there to the type that is wanted.
fn read_as(
    name: &PlSmallStr,
    dtype: &DataType,
    format: Option<&str>,
    options: &CsvOptions,
) -> (DataType, Option<Expr>) {
    let mut column = col(name.clone());
    let missing = options.own_nulls(name).map(|word| col(name.clone()).eq(lit(word))).reduce(Expr::or);
    let numeric = dtype.is_primitive_numeric() || dtype.is_decimal();
    let by_text = missing.is_some() || (numeric && options.thousands.is_some());
    if let Some(missing) = missing {
        column = when(missing).then(lit(NULL)).otherwise(column);
    }
    if by_text && numeric {
        let mark = options.thousands.map(|mark| char::from(mark).to_string());
        column = mark.map_or(column.clone(), |mark| column.str().replace_all(lit(mark), lit(""), true));
        if options.decimal_comma {
            column = column.str().replace_all(lit(","), lit("."), true);
        }
    }
    if by_text && *dtype == DataType::Boolean {
        let word = column.clone().str().to_lowercase();
        let truth = when(word.clone().eq(lit("true"))).then(lit("1")).when(word.eq(lit("false"))).then(lit("0"));
        let truth = truth.otherwise(column).strict_cast(DataType::Int8).strict_cast(DataType::Boolean);
        return (DataType::String, Some(truth.alias(name.clone())));
    }
    match (dtype, format) {
        (DataType::Datetime(..), Some(format)) => {
            let options = StrptimeOptions { format: Some(format.into()), strict: true, exact: true, cache: true };
            let raise = lit("raise");
            (DataType::String, Some(column.str().strptime(dtype.clone(), options, raise).alias(name.clone())))
        }
        (DataType::Datetime(unit, None), None) => (DataType::String, Some(as_dates(column, name, *unit))),
        (DataType::String, _) if by_text => (DataType::String, Some(column.alias(name.clone()))),
        _ if by_text => (DataType::String, Some(column.strict_cast(dtype.clone()).alias(name.clone()))),
        (
            DataType::Boolean
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Float32
            | DataType::Float64
            | DataType::String
            | DataType::Date,
            _,
        ) => (dtype.clone(), None),
        (DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16, _) => {
            (DataType::Int64, Some(column.strict_cast(dtype.clone())))
        }
        _ => (DataType::String, Some(column.strict_cast(dtype.clone()))),
    }
}

/// Where an error is.
#[derive(Clone, Copy)]
struct Place<'a> {
    object: &'a ObjectRef,
    number: u64,
    offset: u64,
}

impl Place<'_> {
    fn after(self, bytes: usize) -> Self {
        Place { offset: self.offset + bytes as u64, ..self }
    }

    fn bad(&self, reason: impl Into<String>) -> StorageError {
        StorageError::BadCsv { url: self.object.location().to_string(), offset: self.offset, reason: reason.into() }
    }

    /// An error of polars, with the file, the block and the mend. Its own hints speak of another library's options.
    fn wrong(&self, error: &PolarsError) -> StorageError {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let number =
            text.split_once("offset in the file is ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
        let at = Place { offset: number.unwrap_or(self.offset), ..*self };
        let block = self.number;
        let reason = if first.starts_with("found more fields") {
            format!(
                "block {block}: a record has more fields than there are columns; mend it, or check separator and quote character"
            )
        } else if let Some((what, column)) =
            first.strip_prefix("could not parse ").and_then(|rest| rest.split_once(" at column '"))
        {
            let column = column.split('\'').next().unwrap_or_default();
            format!(
                "block {block}: column `{column}`: cannot read {what}; the type was taken from the first records: give another one \
                 with `.with_dtype(\"{column}\", DataType::String)` (or Float64 ...), or say what counts as missing with \
                 `.null_values([..])`"
            )
        } else {
            format!("block {block}: {first}")
        };
        at.bad(reason)
    }
}

/// Quotes must stand around whole fields, or be doubled inside of them: the cuts between blocks stand on that.
fn check_quotes(at: &Place<'_>, text: &[u8], quote: u8, separator: u8) -> Result<()> {
    let mut open = false;
    for here in memchr::memchr_iter(quote, text) {
        let before = here.checked_sub(1).and_then(|before| text.get(before)).copied();
        let after = text.get(here + 1).copied();
        let fits = if open {
            after.is_none_or(|byte| byte == separator || byte == b'\n' || byte == b'\r' || byte == quote)
        } else {
            before.is_none_or(|byte| byte == separator || byte == b'\n' || byte == quote)
        };
        open = !open;
        // Before a doubled quote stands one that seemed to close.
        if !fits {
            let reason = format!(
                "a quote ({}) stands inside of a field that is not quoted, or after one that is; double quotes inside of quoted fields, \
                 or, if quotes have no meaning in this text, read it with `.quote_char(None)`",
                quote as char
            );
            return Err(at.after(here).bad(reason));
        }
    }
    if open { Err(at.after(text.len()).bad("a quoted field is never closed")) } else { Ok(()) }
}

/// The indices after each record end.
pub(super) fn record_ends(text: &[u8], quote: Option<u8>) -> impl Iterator<Item = usize> + '_ {
    let quote = quote.unwrap_or(b'\n');
    let mut open = false;
    memchr::memchr2_iter(quote, b'\n', text).filter_map(move |at| {
        let newline = text.get(at) == Some(&b'\n');
        open ^= !newline;
        (newline && !open).then_some(at + 1)
    })
}

fn count_records(text: &[u8], quote: Option<u8>) -> usize {
    let ended = match quote {
        Some(quote) if memchr::memchr(quote, text).is_some() => record_ends(text, Some(quote)).count(),
        _ => memchr::memchr_iter(b'\n', text).count(),
    };
    // The last record of a file may end with it.
    ended + usize::from(!text.is_empty() && !text.ends_with(b"\n"))
}

/// Leaves blank lines out, as pandas does; the text is copied only if there are any.
fn without_blank_lines(text: &[u8], quote: Option<u8>) -> Cow<'_, [u8]> {
    let blank = |line: &[u8]| matches!(line, b"\n" | b"\r\n" | b"\r");
    let suspect = text.starts_with(b"\n")
        || text.starts_with(b"\r\n")
        || memchr::memmem::find(text, b"\n\n").is_some()
        || memchr::memmem::find(text, b"\n\r\n").is_some();
    if !suspect {
        return text.into();
    }
    let mut kept = Vec::with_capacity(text.len());
    let mut start = 0;
    for end in record_ends(text, quote).chain([text.len()]) {
        let line = text.get(start..end).unwrap_or_default();
        if !blank(line) {
            kept.extend_from_slice(line);
        }
        start = end;
    }
    kept.into()
}

/// Whole records of about [`PIECE`] bytes.
fn pieces(text: &[u8], quote: Option<u8>) -> Vec<Range<usize>> {
    let mut state = BlockState::default();
    let starts = (0..text.len()).step_by(PIECE);
    let pieces = starts.map(|start| {
        let end = text.len().min(start + PIECE);
        let piece = records_of_block(text, start..end, state, quote);
        state = state.after(quote.map_or(0, |quote| count_quotes(text.get(start..end).unwrap_or_default(), quote)));
        piece
    });
    pieces.filter(|piece| !piece.is_empty()).collect()
}

/// One frame below the other; columns keep their chunks.
pub(crate) fn join(frames: Vec<DataFrame>) -> std::result::Result<DataFrame, PolarsError> {
    let mut frames = frames.into_iter();
    let Some(mut all) = frames.next() else { return Ok(DataFrame::empty()) };
    if all.width() == 0 {
        return Ok(DataFrame::empty_with_height(all.height() + frames.map(|frame| frame.height()).sum::<usize>()));
    }
    for frame in frames {
        all.vstack_mut_owned(frame)?;
    }
    Ok(all)
}
