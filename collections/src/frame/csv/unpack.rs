//! Compressed files: known by their names, as in pandas, and read as a whole.

use std::io::Read;

use bytes::Bytes;
use polars_buffer::Buffer;
use polars_io::utils::compression::CompressedReader;

use crate::storage::ObjectRef;
use crate::storage::error::{Result, StorageError};

/// Bytes of text that a compressed byte becomes, about: for guesses.
pub(crate) const RATIO: u64 = 5;

/// Whether a file's name says that it is compressed.
pub(crate) fn is_compressed(object: &ObjectRef) -> bool {
    let name = object.location().key().to_ascii_lowercase();
    [".gz", ".zst", ".zstd"].iter().any(|ending| name.ends_with(ending))
}

/// The text of a compressed file.
///
/// # Errors
/// If it cannot be read, or is damaged.
pub(crate) fn unpacked(object: &ObjectRef) -> Result<Bytes> {
    let bytes = object.read_all()?;
    let bad = |offset: usize, what: String| StorageError::BadCsv {
        url: object.location().to_string(),
        offset: offset as u64,
        reason: format!("the file cannot be unpacked: {what}; it is truncated or damaged"),
    };
    let mut reader = CompressedReader::try_new(Buffer::from_owner(bytes)).map_err(|error| bad(0, error.to_string()))?;
    let mut text = Vec::new();
    match reader.read_to_end(&mut text) {
        Ok(_) => Ok(text.into()),
        Err(error) => Err(bad(text.len(), error.to_string())),
    }
}

/// The text of the first bytes of a compressed file, up to `limit`, and whether it came to an end.
///
/// # Errors
/// If nothing can be unpacked.
pub(crate) fn unpack_some(bytes: &Bytes, limit: u64) -> std::result::Result<(Vec<u8>, bool), String> {
    let mut reader = CompressedReader::try_new(Buffer::from_owner(bytes.clone())).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    let done = reader.by_ref().take(limit).read_to_end(&mut text);
    match done {
        // The rest of the file is not here.
        Err(error) if text.is_empty() => Err(format!("the file cannot be unpacked: {error}")),
        Err(_) => Ok((text, false)),
        Ok(read) => Ok((text, (read as u64) < limit)),
    }
}
