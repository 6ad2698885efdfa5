//! Streams of Arrow that have come from elsewhere, on their way to polars.
//!
//! Polars takes memory for what a message's header promises before it has read it, so that one wrong byte can end the process. Here each header
//! is looked at first: it must promise no more than the message has, and the message no more than comes.

use std::fmt::Display;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use polars_arrow::io::ipc::format::ipc::planus::ReadAsRoot;
use polars_arrow::io::ipc::format::ipc::{Endianness, MessageHeaderRef, MessageRef};

/// What each message begins with.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// A message that says it has more bytes than this is read before it is believed.
const BELIEVED: u64 = 1 << 28;

/// A stream that is read once, from the front; gaps are passed over by seeking.
pub(crate) struct Stream<'a> {
    bytes: &'a mut dyn Read,
    /// What was read ahead: a header that has been looked at, and a body that had to be.
    ahead: Cursor<Vec<u8>>,
    /// Bytes of the message's body that are still to be read.
    body: u64,
    at: u64,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(bytes: &'a mut dyn Read) -> Stream<'a> {
        Stream { bytes, ahead: Cursor::default(), body: 0, at: 0 }
    }

    /// Reads a message's header and looks at it. At the end of the stream there is none.
    fn next_message(&mut self) -> io::Result<()> {
        let mut message = Vec::new();
        (&mut *self.bytes).take(8).read_to_end(&mut message)?;
        self.body = 0;
        let length = match message.as_slice() {
            [] => 0,
            [start @ .., a, b, c, d] if *start == CONTINUATION => i32::from_le_bytes([*a, *b, *c, *d]),
            _ => return Err(malformed("a message does not begin as one")),
        };
        let length = u64::try_from(length).map_err(malformed)?;
        if (&mut *self.bytes).take(length).read_to_end(&mut message)? as u64 != length {
            return Err(malformed("a header is cut off"));
        }
        if let Some(header) = message.get(8..).filter(|header| !header.is_empty()) {
            self.body = body_of(header)?;
        }
        if self.body > BELIEVED {
            let body = std::mem::take(&mut self.body);
            if (&mut *self.bytes).take(body).read_to_end(&mut message)? as u64 != body {
                return Err(malformed("a message is cut off"));
            }
        }
        self.ahead = Cursor::new(message);
        Ok(())
    }
}

/// The bytes of a message's body, if all that its header speaks of is in it.
fn body_of(header: &[u8]) -> io::Result<u64> {
    let message = MessageRef::read_as_root(header).map_err(malformed)?;
    let body = u64::try_from(message.body_length().map_err(malformed)?).map_err(malformed)?;
    let batch = match message.header().map_err(malformed)? {
        Some(MessageHeaderRef::Schema(schema)) => match schema.endianness().map_err(malformed)? {
            Endianness::Little => return Ok(body),
            Endianness::Big => return Err(malformed("numbers begin with their highest byte")),
        },
        Some(MessageHeaderRef::RecordBatch(batch)) => batch,
        Some(MessageHeaderRef::DictionaryBatch(dictionary)) => {
            dictionary.data().map_err(malformed)?.ok_or_else(|| malformed("a dictionary without values"))?
        }
        _ => return Err(malformed("a message that is neither a schema nor rows")),
    };
    if batch.compression().map_err(malformed)?.is_some() {
        return Err(malformed("rows are compressed, which nobody does here"));
    }
    let mut promised = 0_u64;
    for buffer in batch.buffers().map_err(malformed)?.into_iter().flat_map(|buffers| buffers.iter()) {
        let length = u64::try_from(buffer.length()).map_err(malformed)?;
        let end = u64::try_from(buffer.offset()).map_err(malformed)?.saturating_add(length);
        promised = promised.saturating_add(length);
        if end > body || promised > body {
            return Err(malformed(format!("columns are said to have more than the {body} bytes of their message")));
        }
    }
    Ok(body)
}

fn malformed(reason: impl Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no stream of Arrow: {reason}"))
}

impl Read for Stream<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut count = self.ahead.read(out)?;
        if count == 0 && !out.is_empty() {
            if self.body == 0 {
                self.next_message()?;
                count = self.ahead.read(out)?;
            } else {
                // A body that is cut off ends here; who reads it knows how long it was to be.
                count = (&mut *self.bytes).take(self.body).read(out)?;
                self.body -= count as u64;
            }
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Stream<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        let gap = target.and_then(|target| target.checked_sub(self.at));
        let gap = gap.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
        io::copy(&mut (&mut *self).take(gap), &mut io::sink())?;
        Ok(self.at)
    }
}
