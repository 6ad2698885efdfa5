//! Numbers as text: lines of fields with a delimiter between them, without quotes.
//!
//! A file is cut into ranges of bytes; a line belongs to the range that its first byte is in. So ranges can be read in any order, and nothing
//! of them need be known before.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::error::{Result, StorageError};
use super::read::ObjectRef;
use crate::array::dtype::{Element, f16};

/// Bytes that are read beyond a range at a time, to find the end of its last line.
pub(crate) const TAIL: u64 = 16 << 10;
/// Bytes at the start that are read to count the fields.
const HEAD: u64 = 64 << 10;

/// How lines are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TextFormat {
    pub(crate) delimiter: u8,
    /// Lines that begin with it are passed over.
    pub(crate) comment: Option<u8>,
    /// Lines at the start that are passed over.
    pub(crate) skip: usize,
    /// The fields that are taken; all if there are none.
    pub(crate) columns: Vec<usize>,
}

/// An element as text.
pub(crate) trait TextElement: Element {
    /// The most characters of an element; 0 if it has no form as text.
    const LONGEST: usize;

    /// Reads an element.
    fn parse(text: &str) -> Option<Self>;

    /// Writes an element: digits enough to come back as it is.
    fn write(self, out: &mut Vec<u8>);
}

macro_rules! text_elements {
    ($($T:ty, $longest:literal, $format:literal;)*) => {
        $(impl TextElement for $T {
            const LONGEST: usize = $longest;

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn write(self, out: &mut Vec<u8>) {
                use std::io::Write;
                // Writing to memory does not fail.
                let _ = write!(out, $format, self);
            }
        })*
    };
}
text_elements! {
    i8, 4, "{}";
    i16, 6, "{}";
    i32, 11, "{}";
    i64, 20, "{}";
    u8, 3, "{}";
    u16, 5, "{}";
    u32, 10, "{}";
    u64, 20, "{}";
    f32, 16, "{:?}";
    f64, 24, "{:?}";
}

impl TextElement for f16 {
    const LONGEST: usize = 16;

    fn parse(text: &str) -> Option<Self> {
        // Rounded twice only if the text has more digits than an f64.
        text.parse::<f64>().ok().map(f16::from_f64)
    }

    fn write(self, out: &mut Vec<u8>) {
        TextElement::write(self.to_f32(), out);
    }
}

impl TextElement for bool {
    const LONGEST: usize = 1;

    fn parse(text: &str) -> Option<Self> {
        match text {
            "1" | "true" | "True" => Some(true),
            "0" | "false" | "False" => Some(false),
            _ => None,
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        out.push(if self { b'1' } else { b'0' });
    }
}

macro_rules! no_text {
    ($($T:ty)*) => {
        $(impl TextElement for $T {
            const LONGEST: usize = 0;

            fn parse(_: &str) -> Option<Self> {
                None
            }

            fn write(self, _: &mut Vec<u8>) {}
        })*
    };
}
no_text!(crate::array::dtype::C64 crate::array::dtype::C128);

/// Where the lines of data begin, and how many fields the first one has.
///
/// # Errors
/// [`StorageError::BadCsv`] if there is no line of data or it has not the columns that are asked for; a failure of the store.
pub(crate) fn look(object: &ObjectRef, format: &TextFormat) -> Result<(u64, usize)> {
    let mut length = HEAD;
    loop {
        let end = length.min(object.size());
        let head = object.read_range(0..end)?;
        let whole = end == object.size();
        if let Some((start, record)) = first(&head, format, whole) {
            let fields = record.len();
            let last = format.columns.iter().copied().max().unwrap_or(0);
            if last >= fields {
                let reason = format!("there is no column {last}: the first line has {fields} (columns count from 0)");
                return Err(bad(object, start, reason));
            }
            return Ok((start, fields));
        }
        if whole {
            return Err(bad(object, end, "there is no line with numbers".into()));
        }
        length = length.saturating_mul(8);
    }
}

/// The offset of the lines after the skipped ones, and the first record of those, if it is there with its end.
fn first(head: &[u8], format: &TextFormat, whole: bool) -> Option<(u64, csv::ByteRecord)> {
    let mut start = 0;
    for _ in 0..format.skip {
        start += memchr::memchr(b'\n', head.get(start..)?)? + 1;
    }
    let rest = head.get(start..)?;
    let mut reader = format.reader(rest);
    let mut record = csv::ByteRecord::new();
    let found = reader.read_byte_record(&mut record).ok()?;
    let ended = whole || (reader.position().byte() as usize) < rest.len();
    (found && ended).then_some((start as u64, record))
}

fn bad(object: &ObjectRef, offset: u64, reason: String) -> StorageError {
    StorageError::BadCsv { url: object.location().to_string(), offset, reason }
}

impl TextFormat {
    fn reader<'a>(&self, text: &'a [u8]) -> csv::Reader<&'a [u8]> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .quoting(false)
            .delimiter(self.delimiter)
            .comment(self.comment)
            .trim(csv::Trim::All)
            .from_reader(text)
    }

    /// Reads the lines that begin in a range of bytes; `start` is where the lines of data begin, `fields` how many each has. Gives the
    /// elements of the columns, line by line.
    ///
    /// # Errors
    /// [`StorageError::BadCsv`] for a line of another number of fields, or a field that is no such number; a failure of the store.
    pub(crate) fn read<T: TextElement>(
        &self,
        object: &ObjectRef,
        start: u64,
        range: Range<u64>,
        fields: usize,
    ) -> Result<Vec<T>> {
        let (offset, text) = lines(object, start, range)?;
        let columns: Vec<usize> = if self.columns.is_empty() { (0..fields).collect() } else { self.columns.clone() };
        let mut reader = self.reader(&text);
        let (mut record, mut values) = (csv::ByteRecord::new(), Vec::new());
        loop {
            let at = offset + reader.position().byte();
            let more = reader.read_byte_record(&mut record).map_err(|error| bad(object, at, error.to_string()))?;
            if !more {
                return Ok(values);
            }
            let at = record.position().map_or(at, |position| offset + position.byte());
            if record.len() != fields {
                let reason = format!("a line of {} fields where the first has {fields}", record.len());
                return Err(bad(object, at, reason));
            }
            for &column in &columns {
                let field = record.get(column).unwrap_or_default();
                let value = std::str::from_utf8(field).ok().and_then(T::parse);
                values.push(value.ok_or_else(|| {
                    let field = String::from_utf8_lossy(field);
                    bad(object, at, format!("`{field}` in column {column} is no {}", T::DTYPE))
                })?);
            }
        }
    }

    /// The elements of a block as lines.
    pub(crate) fn lines<T: TextElement>(&self, block: &ndarray::ArrayViewD<'_, T>) -> Vec<u8> {
        // At most so much, so that it need not grow.
        let mut out = Vec::with_capacity(block.len().saturating_mul(T::LONGEST + 1));
        for row in block.outer_iter() {
            for (column, value) in row.iter().enumerate() {
                if column > 0 {
                    out.push(self.delimiter);
                }
                value.write(&mut out);
            }
            out.push(b'\n');
        }
        out
    }
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
        _ => match memchr::memchr(b'\n', &text) {
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
            let newline = memchr::memchr(b'\n', &more);
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
        TextFormat { delimiter: b',', comment: Some(b'#'), skip, columns: Vec::new() }
    }

    proptest! {
        #[test]
        fn ranges_hold_each_line_once(
            rows in prop::collection::vec((any::<i32>(), any::<i16>()), 1..20),
            ends in prop::sample::select(vec!["\n", "\r\n", "\n\n", "\n# 1,2,3\n"]),
            cut in 1_u64..40,
            last: bool,
        ) {
            let mut text = String::from("a,b\n");
            rows.iter().for_each(|(a, b)| text.push_str(&format!("{a}, {b}{ends}")));
            if !last {
                text.truncate(text.len() - ends.len());
            }
            let object = object(&text);
            let (start, fields) = look(&object, &format(1)).unwrap();
            prop_assert_eq!((start, fields), (4, 2));
            let mut found = Vec::new();
            let mut at = start;
            while at < object.size() {
                found.extend(format(1).read::<i64>(&object, start, at..at + cut, fields).unwrap());
                at += cut;
            }
            let expected: Vec<i64> = rows.iter().flat_map(|&(a, b)| [i64::from(a), i64::from(b)]).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn floats_come_back(value: f64, small: f32) {
            let text = |write: &dyn Fn(&mut Vec<u8>)| {
                let mut out = Vec::new();
                write(&mut out);
                String::from_utf8(out).unwrap()
            };
            let long = text(&|out| TextElement::write(value, out));
            prop_assert!(long.len() <= <f64 as TextElement>::LONGEST, "{}", long);
            let back = <f64 as TextElement>::parse(&long).unwrap();
            prop_assert!(back.to_bits() == value.to_bits() || back.is_nan() && value.is_nan());
            let short = text(&|out| TextElement::write(small, out));
            prop_assert!(short.len() <= <f32 as TextElement>::LONGEST, "{}", short);
            let back = <f32 as TextElement>::parse(&short).unwrap();
            prop_assert!(back.to_bits() == small.to_bits() || back.is_nan() && small.is_nan());
        }
    }
}
