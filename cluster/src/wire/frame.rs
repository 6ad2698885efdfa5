//! Messages between the driver and its helper: the length of a header, the header, then raw frames whose sizes the header tells.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of these messages. The helper's side is `python/talatat-worker/python/talatat_worker/frames.py`.
pub const PROTOCOL: u32 = 2;

/// The most bytes of a header.
const HEADER: usize = 1 << 28;
/// The most frames of a message.
const FRAMES: usize = 1 << 24;
/// Memory is taken for so many bytes of a frame before they have come; a wrong size then takes no more than that.
const AHEAD: u64 = 1 << 28;

#[derive(Serialize)]
struct Framed<'a, M> {
    #[serde(flatten)]
    message: &'a M,
    frames: Vec<u64>,
}

#[derive(Deserialize)]
struct Sizes {
    #[serde(default)]
    frames: Vec<u64>,
}

/// Writes a message with its frames.
///
/// # Errors
/// What `out` fails with.
pub fn write_message(out: &mut impl Write, message: &impl Serialize, frames: &[&[u8]]) -> io::Result<()> {
    let sizes = frames.iter().map(|frame| frame.len() as u64).collect();
    let header = serde_json::to_vec(&Framed { message, frames: sizes })?;
    let length = u32::try_from(header.len()).ok().filter(|&length| length as usize <= HEADER);
    let length = length.ok_or_else(|| malformed(format!("a header of {} bytes", header.len())))?;
    let mut start = length.to_le_bytes().to_vec();
    start.extend(header);
    // Small frames in one go with the header.
    let mut frames = frames.iter().peekable();
    while let Some(small) = frames.next_if(|frame| frame.len() < 1 << 16 && start.len() < 1 << 20) {
        start.extend_from_slice(small);
    }
    out.write_all(&start)?;
    frames.try_for_each(|frame| out.write_all(frame))?;
    out.flush()
}

/// Reads a message and its frames; `None` at the end of the stream. Garbage gives an error, and takes no memory beyond what was sent and
/// a bound.
///
/// # Errors
/// What `input` fails with, or [`io::ErrorKind::InvalidData`].
pub fn read_message<M: DeserializeOwned>(input: &mut impl Read) -> io::Result<Option<(M, Vec<Vec<u8>>)>> {
    let Some((message, sizes)) = read_header(input)? else { return Ok(None) };
    let frames = sizes.into_iter().map(|size| read_frame(input, size)).collect::<io::Result<_>>()?;
    Ok(Some((message, frames)))
}

/// Reads a message and the sizes of its frames, which are next in the stream.
///
/// # Errors
/// As [`read_message`].
pub fn read_header<M: DeserializeOwned>(input: &mut impl Read) -> io::Result<Option<(M, Vec<u64>)>> {
    let mut length = [0; 4];
    match input.read(&mut length)? {
        0 => return Ok(None),
        got => input.read_exact(length.get_mut(got..).unwrap_or_default())?,
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > HEADER {
        return Err(malformed(format!("a header of {length} bytes")));
    }
    let header = read_frame(input, length as u64)?;
    let sizes: Sizes = serde_json::from_slice(&header)?;
    let message: M = serde_json::from_slice(&header)?;
    if sizes.frames.len() > FRAMES {
        return Err(malformed(format!("{} frames", sizes.frames.len())));
    }
    Ok(Some((message, sizes.frames)))
}

/// Reads a frame.
///
/// # Errors
/// What `input` fails with.
pub fn read_frame(input: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    let mut frame = Vec::new();
    let ahead = usize::try_from(size.min(AHEAD)).map_err(|_| malformed(format!("a frame of {size} bytes")))?;
    frame.try_reserve_exact(ahead).map_err(|_| malformed(format!("no memory for a frame of {size} bytes")))?;
    if input.take(size).read_to_end(&mut frame)? as u64 != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(frame)
}

fn malformed(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Message = std::collections::BTreeMap<String, serde_json::Value>;

    fn message() -> Message {
        [("op".to_string(), "submit".into()), ("id".to_string(), 7.into())].into()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20)) {
            let mut bytes = Vec::new();
            let slices: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
            write_message(&mut bytes, &message(), &slices).unwrap();
            let mut input = bytes.as_slice();
            let (mut read, got) = read_message::<Message>(&mut input).unwrap().unwrap();
            read.remove("frames");
            prop_assert_eq!(read, message());
            prop_assert_eq!(got, frames);
            prop_assert!(read_message::<Message>(&mut input).unwrap().is_none());
        }

        #[test]
        fn garbage_is_an_error(bytes in prop::collection::vec(any::<u8>(), 1..400)) {
            // A sound header is as good as impossible to hit.
            prop_assert!(read_message::<Message>(&mut bytes.as_slice()).is_err());
        }

        #[test]
        fn what_is_cut_off_is_an_error(cut in any::<prop::sample::Index>()) {
            let mut bytes = Vec::new();
            write_message(&mut bytes, &message(), &[b"one", b"", b"three"]).unwrap();
            let cut = 1 + cut.index(bytes.len() - 1);
            prop_assert!(read_message::<Message>(&mut &bytes[..cut]).is_err());
        }
    }

    #[test]
    fn sizes_that_lie_take_no_memory() {
        let header = br#"{"frames":[18446744073709551615]}"#;
        let mut bytes = (header.len() as u32).to_le_bytes().to_vec();
        bytes.extend(header);
        assert!(read_message::<Message>(&mut bytes.as_slice()).is_err());
    }
}
