//! Matrices of numbers as text: lines of fields, without quotes, by the rules of NumPy's `loadtxt`, `genfromtxt` and `savetxt`.
//!
//! ```text
//! mod       lines in ranges of bytes        element   a field <-> a number        printf   how numbers are written
//! ```
//!
//! A file is cut into ranges of bytes; a line belongs to the range that its first byte is in. So ranges can be read in any order, and nothing
//! of them need be known before.

mod element;
mod printf;

use std::ops::Range;

use memchr::{memchr, memchr_iter, memmem};
use serde::{Deserialize, Serialize};

pub(crate) use element::TextElement;
pub(crate) use printf::{RowFormat, shortest};

use super::error::{Result, StorageError};
use super::read::ObjectRef;
use crate::array::dtype::Kind;

/// Bytes that are read beyond a range at a time, to find the end of its last line.
pub(crate) const TAIL: u64 = 16 << 10;
/// Bytes at the start that are read to count the fields.
const HEAD: u64 = 64 << 10;

/// How lines are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TextFormat {
    /// What stands between fields; white space if it is nothing.
    pub(crate) delimiter: Option<u8>,
    /// What the rest of a line after this says is passed over; nothing if it is empty.
    pub(crate) comments: String,
    /// Lines at the start that are passed over.
    pub(crate) skip: usize,
    /// The fields that are taken, negative ones from the end; all if there are none.
    pub(crate) columns: Vec<isize>,
    /// What a field is that is no number (`genfromtxt`); without this it is refused (`loadtxt`).
    pub(crate) fill: Option<String>,
}

/// What the first line of data tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// Where the lines of data begin.
    pub(crate) offset: u64,
    /// The fields of a line; 0 if there is no line of data.
    pub(crate) fields: usize,
}

fn bad(object: &ObjectRef, offset: u64, reason: String) -> StorageError {
    StorageError::BadCsv { url: object.location().to_string(), offset, reason }
}

/// White space as Python's `str.split` takes it, of ASCII.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | 0x1c..=0x1f | b' ')
}

fn trimmed(field: &[u8]) -> &[u8] {
    let start = field.iter().position(|&byte| !is_space(byte)).unwrap_or(field.len());
    let end = field.iter().rposition(|&byte| !is_space(byte)).map_or(start, |last| last + 1);
    field.get(start..end).unwrap_or_default()
}

impl TextFormat {
    /// How many columns the array has.
    pub(crate) fn width(&self, start: Start) -> usize {
        if self.columns.is_empty() { start.fields.max(1) } else { self.columns.len() }
    }

    /// The most lines of data that so many bytes can hold: each field has a character and one after it.
    pub(crate) fn most_lines(&self, start: Start, bytes: u64) -> u64 {
        let needed = |&column: &isize| if column < 0 { column.unsigned_abs() } else { column.unsigned_abs() + 1 };
        let fields =
            if self.columns.is_empty() { start.fields } else { self.columns.iter().map(needed).max().unwrap_or(1) };
        let least = if self.may_be_empty() { fields.max(2) } else { fields.max(1).saturating_mul(2) };
        bytes.saturating_add(1).div_ceil(least as u64)
    }

    /// Whether fields may be empty.
    fn may_be_empty(&self) -> bool {
        self.fill.is_some() && self.delimiter.is_some()
    }

    /// Where the data begin, and how many fields the first line of them has.
    ///
    /// # Errors
    /// [`StorageError::BadCsv`] if that line has not the columns that are asked for; a failure of the store.
    pub(crate) fn look(&self, object: &ObjectRef) -> Result<Start> {
        let mut length = HEAD;
        loop {
            let end = length.min(object.size());
            let head = object.read_range(0..end)?;
            let found = self.first(&head, end == object.size());
            match found.map_err(|(at, reason)| bad(object, at, reason))? {
                Some(start) => return Ok(start),
                None => length = length.saturating_mul(8),
            }
        }
    }

    /// The same out of the beginning of the text; `None` if more of it is needed.
    fn first(&self, head: &[u8], whole: bool) -> std::result::Result<Option<Start>, (u64, String)> {
        let nothing = whole.then_some(Start { offset: head.len() as u64, fields: 0 });
        let mut rest = head;
        let mut skipped = 0;
        let mut offset = None;
        while !rest.is_empty() {
            let at = (head.len() - rest.len()) as u64;
            let line = match memchr(b'\n', rest) {
                Some(newline) => newline + 1,
                None if whole => rest.len(),
                None => break,
            };
            let (line, after) = rest.split_at(line);
            rest = after;
            if skipped < self.skip {
                skipped += 1;
                continue;
            }
            let offset = *offset.get_or_insert(at);
            if let Some(data) = self.data(line).map_err(|reason| (at, reason))? {
                let mut fields = Vec::new();
                self.split(data, &mut fields);
                for &column in &self.columns {
                    self.place(column, fields.len()).map_err(|reason| (at, reason))?;
                }
                return Ok(Some(Start { offset, fields: fields.len() }));
            }
        }
        Ok(nothing)
    }

    /// Where a column is among so many fields.
    fn place(&self, column: isize, fields: usize) -> std::result::Result<usize, String> {
        let place = if column < 0 { fields.checked_sub(column.unsigned_abs()) } else { Some(column.unsigned_abs()) };
        place.filter(|&place| place < fields).ok_or_else(|| {
            format!(
                "there is no column {column} in a line of {fields} fields (columns count from 0, or from -1 backwards)"
            )
        })
    }

    /// A line without its end and comment; `None` if it has no data.
    fn data<'a>(&self, line: &'a [u8]) -> std::result::Result<Option<&'a [u8]>, String> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let comment = if self.comments.is_empty() { None } else { memmem::find(line, self.comments.as_bytes()) };
        let line = line.get(..comment.unwrap_or(line.len())).unwrap_or_default();
        if memchr(b'\r', line).is_some() {
            return Err("a carriage return within a line: let lines end with a newline".into());
        }
        let blank = match self.delimiter {
            Some(_) if self.fill.is_none() => line.is_empty(),
            _ => trimmed(line).is_empty(),
        };
        Ok((!blank).then_some(line))
    }

    /// The fields of a line.
    fn split<'a>(&self, line: &'a [u8], fields: &mut Vec<&'a [u8]>) {
        fields.clear();
        match self.delimiter {
            Some(delimiter) => fields.extend(line.split(|&byte| byte == delimiter)),
            None => fields.extend(line.split(|&byte| is_space(byte)).filter(|field| !field.is_empty())),
        }
    }

    /// Where the first `rows` lines of data end, and how many of them begin in each range of `length` bytes.
    ///
    /// # Errors
    /// As [`TextFormat::read`], but for fields that are no numbers.
    pub(crate) fn count(
        &self,
        object: &ObjectRef,
        start: Start,
        rows: usize,
        length: u64,
    ) -> Result<(u64, Vec<usize>)> {
        let (mut from, mut left, mut counts) = (start.offset, rows, Vec::new());
        while left > 0 && from < object.size() {
            let (offset, text) = lines(object, start.offset, from..from.saturating_add(length))?;
            let (mut at, mut count) = (0, 0);
            while count < left && at < text.len() {
                let rest = text.get(at..).unwrap_or_default();
                let line = rest.get(..memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)).unwrap_or_default();
                let data = self.data(line).map_err(|reason| bad(object, offset + at as u64, reason))?;
                count += usize::from(data.is_some());
                at += line.len();
            }
            counts.push(count);
            left -= count;
            if left == 0 {
                return Ok((offset + at as u64, counts));
            }
            from = from.saturating_add(length);
        }
        Ok((if rows == 0 { start.offset } else { object.size() }, counts))
    }

    /// Reads the lines that begin in a range of bytes: the elements of the columns, line by line.
    ///
    /// # Errors
    /// [`StorageError::BadCsv`] for a line of another number of fields, or a field that is no such number; a failure of the store.
    pub(crate) fn read<T: TextElement>(&self, object: &ObjectRef, start: Start, range: Range<u64>) -> Result<Vec<T>> {
        let (offset, text) = lines(object, start.offset, range)?;
        let fill = self.fill.as_deref().map(|fill| T::parse_loosely(fill).unwrap_or_default());
        let rows = (memchr_iter(b'\n', &text).count() as u64 + 1).min(self.most_lines(start, text.len() as u64));
        let mut values = Vec::with_capacity(if text.is_empty() { 0 } else { rows as usize * self.width(start) });
        let (mut at, mut fields) = (0, Vec::new());
        while at < text.len() {
            let rest = text.get(at..).unwrap_or_default();
            let line = rest.get(..memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)).unwrap_or_default();
            let failed = |reason: String| bad(object, offset + at as u64, reason);
            if let Some(data) = self.data(line).map_err(failed)? {
                self.split(data, &mut fields);
                if self.columns.is_empty() && fields.len() != start.fields {
                    let reason = format!("a line of {} fields where the first has {}", fields.len(), start.fields);
                    return Err(failed(reason));
                }
                let all = if self.columns.is_empty() { 0..fields.len() } else { 0..0 };
                for (number, field) in all.map(|place| (place as isize, fields.get(place))) {
                    values.push(element(field, number, fill).map_err(failed)?);
                }
                for &column in &self.columns {
                    let place = self.place(column, fields.len()).map_err(failed)?;
                    values.push(element(fields.get(place), column, fill).map_err(failed)?);
                }
            }
            at += line.len();
        }
        Ok(values)
    }
}

/// A field as a number; what is none is `fill`, if there is that.
fn element<T: TextElement>(field: Option<&&[u8]>, column: isize, fill: Option<T>) -> std::result::Result<T, String> {
    let field = trimmed(field.copied().unwrap_or_default());
    let text = std::str::from_utf8(field).ok();
    let read = text.and_then(if fill.is_some() { T::parse_loosely } else { T::parse });
    // An integer that does not fit is a mistake, not a missing one.
    let misfit = || {
        matches!(T::DTYPE.kind(), Kind::Unsigned | Kind::Signed)
            && text.is_some_and(|text| text.parse::<i128>().is_ok())
    };
    read.or(fill.filter(|_| !misfit())).ok_or_else(|| {
        let field = String::from_utf8_lossy(field);
        format!("`{field}` in column {column} is no {}", T::DTYPE)
    })
}

/// The lines that begin in a range, and where the first of them does.
fn lines(object: &ObjectRef, start: u64, range: Range<u64>) -> Result<(u64, Vec<u8>)> {
    let from = range.start.max(start);
    let to = range.end.min(object.size());
    if from >= to {
        return Ok((from, Vec::new()));
    }
    // One byte earlier: whether a line begins with the range.
    let before = u64::from(from > start);
    let mut text = Vec::from(object.read_range(from - before..to)?);
    let skipped = match before {
        0 => 0,
        _ => match memchr(b'\n', &text) {
            Some(newline) => newline + 1,
            // The whole range is within a line.
            None => return Ok((to, Vec::new())),
        },
    };
    let mut end = to;
    if skipped < text.len() {
        let mut tail = text.last() == Some(&b'\n');
        while !tail && end < object.size() {
            let next = (end + TAIL).min(object.size());
            let more = object.read_range(end..next)?;
            let newline = memchr(b'\n', &more);
            text.extend_from_slice(more.get(..newline.map_or(more.len(), |at| at + 1)).unwrap_or_default());
            (tail, end) = (newline.is_some(), next);
        }
    }
    text.drain(..skipped);
    Ok((from - before + skipped as u64, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Location, write_atomic};
    use proptest::prelude::*;
    use std::io::Write;

    fn object(text: &str) -> ObjectRef {
        let location = Location::parse("memory://text-tests/x.csv").unwrap();
        write_atomic(&location, |writer| writer.write_all(text.as_bytes())).unwrap();
        ObjectRef::open(&location).unwrap()
    }

    fn format(skip: usize) -> TextFormat {
        TextFormat { delimiter: Some(b','), comments: "#".into(), skip, columns: Vec::new(), fill: None }
    }

    proptest! {
        #[test]
        fn ranges_hold_each_line_once(
            rows in prop::collection::vec((any::<i32>(), any::<i16>()), 1..20),
            ends in prop::sample::select(vec!["\n", "\r\n", "\n\n", "\n# 1,2,3\n", "# 7\n"]),
            cut in 1_u64..40,
            most in 0_usize..25,
            last: bool,
        ) {
            let mut text = String::from("a,b\n");
            rows.iter().for_each(|(a, b)| text.push_str(&format!("{a}, {b}{ends}")));
            if !last {
                text.truncate(text.len() - ends.len());
            }
            let object = object(&text);
            let format = format(1);
            let start = format.look(&object).unwrap();
            prop_assert_eq!(start, Start { offset: 4, fields: 2 });
            let (limit, counts) = format.count(&object, start, most, cut).unwrap();
            for (end, rows, counts) in [(object.size(), &rows[..], None), (limit, &rows[..most.min(rows.len())], Some(counts))] {
                let (mut found, mut lengths) = (Vec::new(), Vec::new());
                let mut at = start.offset;
                while at < end {
                    let block = format.read::<i64>(&object, start, at..(at + cut).min(end)).unwrap();
                    prop_assert!(block.len() as u64 <= 2 * format.most_lines(start, cut + TAIL));
                    lengths.push(block.len() / 2);
                    found.extend(block);
                    at += cut;
                }
                let expected: Vec<i64> = rows.iter().flat_map(|&(a, b)| [i64::from(a), i64::from(b)]).collect();
                prop_assert_eq!(found, expected);
                // No line begins in the ranges after the counted ones.
                let same = |mut counts: Vec<usize>| {
                    counts.resize(counts.len().max(lengths.len()), 0);
                    counts == lengths
                };
                prop_assert!(counts.is_none_or(same));
            }
        }
    }
}
