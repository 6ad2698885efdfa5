//! Cutting CSV text into blocks of whole records.
//!
//! **The rule.** A block is a byte range `a..b` of the file. It owns the records that start in `(a, b]`, and the
//! first block also the one that starts at 0. So both ends of what a block delivers are found the same way: at the first record end
//! at or after the byte, `cut(a)..cut(b)`, with `cut(0) = 0` and `cut(size) = size`. Neighbours agree without
//! talking to each other, and no block needs the byte before it. A block inside of one long record delivers nothing.
//!
//! **Record ends** are newlines (`\n`, alone or after `\r`) outside of quotes. A lone `\r` never ends a block's last record:
//! parsers that take it for a record end of its own find it inside of a block. Whether a byte is inside of quotes is the
//! parity of the quote bytes before it; a doubled quote counts twice and changes nothing. That is exact for text
//! in which a quote only stands around a field or doubled inside of one (RFC 4180), whatever the fields hold. Text with
//! single quotes inside of unquoted fields (`6" pipe`) is not such text: read it with no quote byte.
//!
//! **Two passes.** [`count_quotes`] of all blocks (independent of each other), [`block_states`] of the counts, then
//! [`read_block_records`] of all blocks. Without a quote byte the first pass falls away.
//!
//! ```
//! use talatat_collections::storage::csv_split::{BlockState, block_states, count_quotes, records_of_block};
//! let text = b"id,note\n1,\"two\nlines\"\n2,x\n";
//! let blocks = [0..12, 12..24, 24..26];
//! let counts: Vec<u64> = blocks.iter().map(|block| count_quotes(&text[block.clone()], b'"')).collect();
//! let states = block_states(&counts);
//! assert!(states[1].in_quotes);
//! let records: Vec<&[u8]> = blocks
//!     .iter()
//!     .zip(states)
//!     .map(|(block, state)| &text[records_of_block(text, block.clone(), state, Some(b'"'))])
//!     .collect();
//! assert_eq!(records, [&b"id,note\n1,\"two\nlines\"\n"[..], b"2,x\n", b""]);
//! ```

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::error::{Result, StorageError};
use super::read::ObjectRef;

/// The most bytes that are read after a block's end to find the end of its last record: 64 MiB.
pub const RECORD_LIMIT: u64 = 64 << 20;

/// Read after a block with the same request: most records end there.
const TAIL: u64 = 64 << 10;
/// Largest step of what is read after that, and of the first pass.
const STEP: u64 = 4 << 20;

/// Where in the text's quoting a block begins.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct BlockState {
    /// Whether the block's first byte is inside of a quoted field.
    pub in_quotes: bool,
}

impl BlockState {
    /// The state after `quotes` more quote bytes.
    #[must_use]
    pub fn after(self, quotes: u64) -> Self {
        BlockState { in_quotes: self.in_quotes ^ (quotes % 2 == 1) }
    }
}

/// Counts quote bytes; vectorised.
pub fn count_quotes(bytes: &[u8], quote: u8) -> u64 {
    memchr::memchr_iter(quote, bytes).count() as u64
}

/// Counts the quote bytes in a range of an object, reading 4 MiB at a time.
///
/// # Errors
/// Those of [`ObjectRef::read_range`].
pub fn count_quotes_in(object: &ObjectRef, block: Range<u64>, quote: u8) -> Result<u64> {
    let Range { start, end } = block;
    let steps = (start..end).step_by(STEP as usize).map(|from| from..end.min(from.saturating_add(STEP)));
    steps.map(|range| Ok(count_quotes(&object.read_range(range)?, quote))).sum()
}

/// The state at the start of each block, from the quotes counted in each.
pub fn block_states(quotes: &[u64]) -> Vec<BlockState> {
    let states = quotes.iter().scan(BlockState::default(), |state, &count| {
        let now = *state;
        *state = now.after(count);
        Some(now)
    });
    states.collect()
}

/// The index after the first record end in `bytes`: where the first record that starts in them begins, the one at 0
/// not counted. `None` if no record ends in them. With no `quote`, every newline ends a record.
pub fn first_record_start(bytes: &[u8], state: BlockState, quote: Option<u8>) -> Option<usize> {
    Scanner { state, quote }.record_end(bytes)
}

/// The records that a block of a text in memory owns, as a range of the text; see the rule in the
/// [module's page](self). What lies outside of the text is ignored.
pub fn records_of_block(text: &[u8], block: Range<usize>, state: BlockState, quote: Option<u8>) -> Range<usize> {
    let (a, b) = (block.start.min(text.len()), block.end.min(text.len()).max(block.start.min(text.len())));
    let (Some(inside), Some(from_a), Some(from_b)) = (text.get(a..b), text.get(a..), text.get(b..)) else {
        return 0..0;
    };
    let at_b = state.after(quote.map_or(0, |quote| count_quotes(inside, quote)));
    let cut = |at: usize, rest: &[u8], state: BlockState| match at {
        0 => 0,
        at => first_record_start(rest, state, quote).map_or(text.len(), |n| at + n),
    };
    cut(a, from_a, state)..cut(b, from_b, at_b)
}

/// Reads the records that the block `block` of an object owns, given the state at its first byte.
///
/// One request reads the block and 64 KiB after it; if its last record does not end there, more follows in growing steps.
/// The block may end after the object's end. Memory: the block and its last record, and once more while
/// they are joined if the record is longer than 64 KiB.
///
/// # Errors
/// [`StorageError::BadCsv`] if the block's last record goes on for more than [`RECORD_LIMIT`] bytes (64 MiB) after the block, or the
/// text ends inside of quotes; those of [`ObjectRef::read_range`].
///
/// ```
/// use talatat_collections::storage::csv_split::{BlockState, read_block_records};
/// use talatat_collections::storage::{Location, ObjectRef, write_atomic};
/// use std::io::Write;
/// let location = Location::parse("memory://csv/example.csv")?;
/// write_atomic(&location, |w| w.write_all(b"a,b\n1,2\n3,4\n"))?;
/// let object = ObjectRef::open(&location)?;
/// let block = |range| read_block_records(&object, range, BlockState::default(), Some(b'"'));
/// assert_eq!(block(0..6)?, "a,b\n1,2\n");
/// assert_eq!(block(6..12)?, "3,4\n");
/// # Ok::<(), talatat_collections::storage::StorageError>(())
/// ```
pub fn read_block_records(
    object: &ObjectRef,
    block: Range<u64>,
    state: BlockState,
    quote: Option<u8>,
) -> Result<Bytes> {
    read_with(object, block, state, quote, TAIL, RECORD_LIMIT).map(|(_, records)| records)
}

/// The lines that a block owns, and where in the object they begin; every newline ends one.
///
/// # Errors
/// As [`read_block_records`].
pub(crate) fn read_block_lines(object: &ObjectRef, block: Range<u64>) -> Result<(u64, Bytes)> {
    read_with(object, block, BlockState::default(), None, TAIL, RECORD_LIMIT)
}

/// The records of a block, and where they begin.
fn read_with(
    object: &ObjectRef,
    block: Range<u64>,
    state: BlockState,
    quote: Option<u8>,
    tail: u64,
    limit: u64,
) -> Result<(u64, Bytes)> {
    let size = object.size();
    let (a, b) = (block.start.min(size), block.end.min(size));
    if a >= b {
        return Ok((a, Bytes::new()));
    }
    let first = object.read_range(a..size.min(b.saturating_add(tail)))?;
    let length = (b - a) as usize;
    let inside = first.get(..length).unwrap_or(&first);
    let mut scanner = Scanner { state, quote };
    let start = if a == 0 { Some(0) } else { scanner.record_end(inside) };
    let at_b = state.after(quote.map_or(0, |quote| count_quotes(inside, quote)));
    if b == size && at_b.in_quotes {
        return Err(unclosed(object));
    }
    // No record starts inside: whatever begins after it begins after the next block's start, too.
    let Some(start) = start else {
        return Ok((b, Bytes::new()));
    };
    let begin = a + start as u64;
    if b == size {
        return Ok((begin, first.slice(start..)));
    }
    let mut scanner = Scanner { state: at_b, quote };
    if let Some(end) = first.get(length..).and_then(|after| scanner.record_end(after)) {
        return Ok((begin, first.slice(start..length + end)));
    }
    let mut records = BytesMut::from(first.get(start..).unwrap_or_default());
    let mut read_to = a + first.len() as u64;
    let mut step = tail.max(1);
    while read_to < size {
        if read_to - b >= limit {
            let reason = format!(
                "the record there goes on for more than {limit} bytes; look for a quote that is never closed, or, if quotes \
                 have no meaning in this text, read it without a quote character"
            );
            return Err(StorageError::BadCsv { url: object.location().to_string(), offset: b, reason });
        }
        step = step.saturating_mul(2).min(STEP);
        let more = object.read_range(read_to..size.min(read_to.saturating_add(step)))?;
        read_to += more.len() as u64;
        if let Some(end) = scanner.record_end(&more) {
            records.extend_from_slice(more.get(..end).unwrap_or(&more));
            return Ok((begin, records.freeze()));
        }
        records.extend_from_slice(&more);
    }
    if scanner.state.in_quotes { Err(unclosed(object)) } else { Ok((begin, records.freeze())) }
}

fn unclosed(object: &ObjectRef) -> StorageError {
    let reason = "the text ends inside of a quoted field; close the quote, or, if quotes have no meaning in this text, \
                  read it without a quote character";
    StorageError::BadCsv { url: object.location().to_string(), offset: object.size(), reason: reason.into() }
}

/// Looks for record ends in text that arrives in pieces.
struct Scanner {
    state: BlockState,
    quote: Option<u8>,
}

impl Scanner {
    /// The index after the first record end; the state moves there, or to the end of the bytes.
    fn record_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let Some(quote) = self.quote else {
            return memchr::memchr(b'\n', bytes).map(|at| at + 1);
        };
        memchr::memchr2_iter(quote, b'\n', bytes).find_map(|at| {
            if bytes.get(at) == Some(&quote) {
                self.state = self.state.after(1);
            } else if !self.state.in_quotes {
                return Some(at + 1);
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Location, write_atomic};
    use proptest::prelude::*;
    use std::io::Write;

    fn object(name: &str, text: &[u8]) -> ObjectRef {
        let location = Location::parse(&format!("memory://csv-tests/{name}")).unwrap();
        write_atomic(&location, |w| w.write_all(text)).unwrap();
        ObjectRef::open(&location).unwrap()
    }

    fn blocks(length: usize, size: usize) -> Vec<Range<usize>> {
        (0..length).step_by(size).map(|a| a..length.min(a + size)).collect()
    }

    fn states(text: &[u8], blocks: &[Range<usize>], quote: Option<u8>) -> Vec<BlockState> {
        let count = |block: &Range<usize>| quote.map_or(0, |quote| count_quotes(&text[block.clone()], quote));
        block_states(&blocks.iter().map(count).collect::<Vec<_>>())
    }

    /// The referee's records.
    fn parse(text: &[u8], quote: Option<u8>) -> Vec<Vec<Vec<u8>>> {
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).flexible(true).quoting(quote.is_some()).quote(quote.unwrap_or(b'"'));
        let records = reader.from_reader(text).into_byte_records().map(|record| record.unwrap());
        records.map(|record| record.iter().map(<[u8]>::to_vec).collect()).collect()
    }

    /// One field as it stands in the text.
    fn field(quote: u8) -> impl Strategy<Value = Vec<u8>> {
        let bare = prop::collection::vec(prop::sample::select(vec![b'a', b'b', b' ']), 0..4);
        let inner =
            prop::collection::vec(prop::sample::select(vec![b'a', b',', b'\n', b'\r', quote, b'"', b'\'']), 0..8);
        let quoted = inner.prop_map(move |inner| {
            let doubled = inner.into_iter().flat_map(|c| std::iter::repeat_n(c, if c == quote { 2 } else { 1 }));
            [quote].into_iter().chain(doubled).chain([quote]).collect()
        });
        prop_oneof![bare, quoted]
    }

    fn text(quote: u8) -> impl Strategy<Value = Vec<u8>> {
        let end = prop::sample::select(vec![&b"\n"[..], b"\r\n", b"\n\n"]);
        let record = (prop::collection::vec(field(quote), 1..4), end);
        (prop::collection::vec(record, 0..6), any::<bool>()).prop_map(|(records, ended)| {
            let mut text = Vec::new();
            let mut last = 0;
            for (fields, end) in records {
                text.extend(fields.join(&b','));
                last = text.len();
                text.extend(end);
            }
            if !ended {
                text.truncate(last);
            }
            text
        })
    }

    fn check(name: &str, text: &[u8], quote: Option<u8>) -> std::result::Result<(), TestCaseError> {
        let whole = parse(text, quote);
        let object = object(name, text);
        for size in 1..=text.len() {
            let blocks = blocks(text.len(), size);
            let mut end = 0;
            let mut parsed = Vec::new();
            for (block, state) in blocks.iter().zip(states(text, &blocks, quote)) {
                let owned = records_of_block(text, block.clone(), state, quote);
                prop_assert_eq!(owned.start, end, "blocks follow each other");
                end = owned.end;
                parsed.extend(parse(&text[owned.clone()], quote));
                for tail in [0, 3] {
                    let range = block.start as u64..block.end as u64;
                    let (begin, read) = read_with(&object, range, state, quote, tail, RECORD_LIMIT).unwrap();
                    prop_assert_eq!(&read, &text[owned.clone()]);
                    prop_assert!(read.is_empty() || begin == owned.start as u64);
                }
            }
            prop_assert_eq!(end, text.len());
            prop_assert_eq!(&parsed, &whole, "block size {}", size);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_block_size_gives_the_same_records(text in text(b'"')) {
            check("double", &text, Some(b'"'))?;
        }

        #[test]
        fn with_another_quote(text in text(b'\'')) {
            check("single", &text, Some(b'\''))?;
        }

        #[test]
        fn without_quotes(text in "[a,\"]{0,5}((\n|\r\n|\n\n)[a,\"]{0,5}){0,6}") {
            check("none", text.as_bytes(), None)?;
        }

        #[test]
        fn no_text_makes_it_panic(text in prop::collection::vec(any::<u8>(), 0..60), a in 0_usize..70, b in 0_usize..70) {
            let owned = records_of_block(&text, a..b, BlockState { in_quotes: a % 2 == 1 }, Some(b'"'));
            prop_assert!(owned.start <= owned.end && owned.end <= text.len());
            let _ = read_block_records(&object("garbage", &text), a as u64..b as u64, BlockState::default(), Some(b'"'));
        }
    }

    #[test]
    fn a_record_longer_than_many_blocks() {
        let text = [b"a\n\"".as_slice(), &b"x\n".repeat(500_000), b"\"\nb\n"].concat();
        let object = object("long", &text);
        let blocks = blocks(text.len(), 1000);
        let states = states(&text, &blocks, Some(b'"'));
        let read = |i: usize| {
            let range = blocks[i].start as u64..blocks[i].end as u64;
            read_block_records(&object, range, states[i], Some(b'"')).unwrap()
        };
        assert_eq!(read(0).len(), text.len() - 2);
        assert!((1..blocks.len() - 1).all(|i| read(i).is_empty()));
        assert_eq!(read(blocks.len() - 1), "b\n");
    }

    #[test]
    fn unclosed_quotes_and_endless_records() {
        let text = [b"a\n\"".as_slice(), &[b'x'; 1000]].concat();
        let object = object("unclosed", &text);
        let read = |block, limit| read_with(&object, block, BlockState::default(), Some(b'"'), 10, limit);
        let error = read(0..5, RECORD_LIMIT).unwrap_err().to_string();
        assert!(error.contains("ends inside of a quoted field"), "{error}");
        let error = read(0..5, 100).unwrap_err().to_string();
        assert!(error.contains("byte 5") && error.contains("more than 100 bytes"), "{error}");
        assert!(read(0..2000, RECORD_LIMIT).is_err());
    }

    #[test]
    fn quotes_are_counted_in_steps() {
        let text = b"ab\"".repeat(STEP as usize / 2);
        assert_eq!(count_quotes_in(&object("steps", &text), 0..text.len() as u64, b'"').unwrap(), STEP / 2);
    }
}
