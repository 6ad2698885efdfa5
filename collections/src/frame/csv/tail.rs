//! The records of a block whose bytes have been read, with the rest of the last one.

use bytes::{Bytes, BytesMut};

use super::scan::FileBlock;
use crate::storage::ObjectRef;
use crate::storage::csv_split::{BlockState, RECORD_LIMIT, count_quotes, first_record_start};
use crate::storage::error::{Result, StorageError};

/// Read at once when the last record does not end in what is there.
const STEP: u64 = 1 << 20;

/// The records that a block owns, from its bytes and some that follow; reads more of the file if the last record is longer.
///
/// # Errors
/// If the last record is longer than [`RECORD_LIMIT`], or the text ends inside of quotes.
pub(crate) fn records_of(
    object: &ObjectRef,
    block: FileBlock,
    bytes: &Bytes,
    state: BlockState,
    quote: Option<u8>,
) -> Result<Bytes> {
    let bad = |offset: u64, reason: &str| StorageError::BadCsv {
        url: object.location().to_string(),
        offset,
        reason: reason.into(),
    };
    const UNCLOSED: &str = "the text ends inside of a quoted field; close the quote, or, if quotes have no meaning in this text, read it \
                            with `.quote_char(None)`";
    let length = usize::try_from(block.end - block.start).unwrap_or(usize::MAX).min(bytes.len());
    let (inside, after) = bytes.split_at_checked(length).unwrap_or((bytes, b""));
    let quotes = |bytes: &[u8]| quote.map_or(0, |quote| count_quotes(bytes, quote));
    let mut at_end = state.after(quotes(inside));
    let last = block.end >= object.size();
    if last && at_end.in_quotes {
        return Err(bad(object.size(), UNCLOSED));
    }
    let start = if block.start == 0 { Some(0) } else { first_record_start(inside, state, quote) };
    // A block inside of one long record owns nothing.
    let Some(start) = start else { return Ok(Bytes::new()) };
    if last {
        return Ok(bytes.slice(start..length));
    }
    if let Some(end) = first_record_start(after, at_end, quote) {
        return Ok(bytes.slice(start..length + end));
    }
    at_end = at_end.after(quotes(after));
    let mut records = BytesMut::from(bytes.get(start..).unwrap_or_default());
    let mut read_to = block.start + bytes.len() as u64;
    while read_to < object.size() {
        if read_to - block.end >= RECORD_LIMIT {
            let reason = "the record there is too long for one; look for a quote that is never closed, or, if quotes have no meaning in \
                          this text, read it with `.quote_char(None)`";
            return Err(bad(block.end, reason));
        }
        let more = object.read_range(read_to..object.size().min(read_to + STEP))?;
        read_to += more.len() as u64;
        if let Some(end) = first_record_start(&more, at_end, quote) {
            records.extend_from_slice(more.get(..end).unwrap_or(&more));
            return Ok(records.freeze());
        }
        at_end = at_end.after(quotes(&more));
        records.extend_from_slice(&more);
    }
    if at_end.in_quotes { Err(bad(object.size(), UNCLOSED)) } else { Ok(records.freeze()) }
}
