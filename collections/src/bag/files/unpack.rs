//! Compressed files: known by their names, and read as a whole.

use std::io::Read;

use bytes::Bytes;

use crate::storage::ObjectRef;
use crate::storage::error::{Result, StorageError};

/// Bytes of text that a compressed byte becomes, about: for guesses.
pub(super) const RATIO: u64 = 5;

/// Whether a file's name says that it is compressed.
pub(super) fn is_compressed(object: &ObjectRef) -> bool {
    let name = object.location().key().to_ascii_lowercase();
    name.ends_with(".gz") || is_zstd(&name)
}

fn is_zstd(name: &str) -> bool {
    name.ends_with(".zst") || name.ends_with(".zstd")
}

/// The text of a compressed file.
///
/// # Errors
/// If it cannot be read, or is damaged.
pub(super) fn unpacked(object: &ObjectRef) -> Result<Bytes> {
    let packed = object.read_all()?;
    let mut text = Vec::new();
    let done = if is_zstd(&object.location().key().to_ascii_lowercase()) {
        unpack_zstd(&packed, &mut text)
    } else {
        // Several packed texts one after the other are one.
        flate2::read::MultiGzDecoder::new(packed.as_ref())
            .read_to_end(&mut text)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    match done {
        Ok(()) => Ok(text.into()),
        Err(what) => Err(StorageError::Damaged { url: object.location().to_string(), offset: text.len() as u64, what }),
    }
}

fn unpack_zstd(mut packed: &[u8], text: &mut Vec<u8>) -> std::result::Result<(), String> {
    while !packed.is_empty() {
        let mut frame = ruzstd::decoding::StreamingDecoder::new(&mut packed).map_err(|error| error.to_string())?;
        frame.read_to_end(text).map_err(|error| error.to_string())?;
        let (said, found) = (frame.decoder.get_checksum_from_data(), frame.decoder.get_calculated_checksum());
        if said.is_some() && said != found {
            return Err("the checksum is wrong".into());
        }
    }
    Ok(())
}
