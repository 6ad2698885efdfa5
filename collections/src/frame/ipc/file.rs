//! A file of which some ranges are known, as a reader that can seek.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use polars_arrow::io::ipc::format::ipc::Block;
use polars_arrow::io::ipc::read::{FileMetadata, read_file_metadata};

use crate::frame::parquet::guarded;
use crate::storage::error::{Result, StorageError};
use crate::storage::{ObjectRef, read_many};

/// Read where nothing is known.
const STEP: u64 = 64 << 10;

/// Reads from ranges that were fetched, and fetches a little more where something is missing.
pub(super) struct Ranges<'a> {
    object: &'a ObjectRef,
    known: Vec<(u64, Bytes)>,
    at: u64,
}

impl<'a> Ranges<'a> {
    pub(super) fn new(object: &'a ObjectRef) -> Self {
        Ranges { object, known: Vec::new(), at: 0 }
    }

    /// Fetches ranges.
    pub(super) fn fetch(&mut self, ranges: &[Range<u64>]) -> Result<()> {
        let bytes = read_many(ranges.iter().map(|range| (self.object.clone(), range.clone())).collect())?;
        self.known.extend(ranges.iter().map(|range| range.start).zip(bytes));
        Ok(())
    }

    /// The footer of the file.
    ///
    /// # Errors
    /// [`StorageError::BadIpc`] if there is none that can be used; those of reading.
    pub(super) fn metadata(&mut self) -> Result<FileMetadata> {
        let (object, size) = (self.object, self.object.size());
        let tail = size.saturating_sub(STEP)..size;
        self.fetch(std::slice::from_ref(&tail))?;
        let found = guarded(|| read_file_metadata(&mut *self).map_err(|error| error.to_string()));
        let metadata = found.map_err(|what| {
            let what = what.lines().next().unwrap_or_default().to_string();
            bad(object, format!("there is no footer of an Arrow IPC file ({what}): it is truncated, still being written, a stream, or of another format"))
        })?;
        let blocks = metadata.blocks.iter().chain(metadata.dictionaries.iter().flatten());
        let inside = |block: &Block| range_of(block).is_some_and(|range| range.end <= size);
        match blocks.into_iter().all(inside) {
            true => Ok(metadata),
            false => Err(bad(object, "a batch is said to lie outside of the file: the footer is damaged")),
        }
    }
}

/// Where a batch lies in the file.
pub(super) fn range_of(block: &Block) -> Option<Range<u64>> {
    let start = u64::try_from(block.offset).ok()?;
    let length = u64::try_from(block.meta_data_length).ok()?.checked_add(u64::try_from(block.body_length).ok()?)?;
    Some(start..start.checked_add(length)?)
}

/// An error of a file.
pub(super) fn bad(object: &ObjectRef, reason: impl Into<String>) -> StorageError {
    StorageError::BadIpc { url: object.location().to_string(), reason: reason.into() }
}

impl Read for Ranges<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.object.size();
        if self.at >= size || out.is_empty() {
            return Ok(0);
        }
        let holds = |(start, bytes): &&(u64, Bytes)| *start <= self.at && self.at - start < bytes.len() as u64;
        if !self.known.iter().any(|known| holds(&known)) {
            let range = self.at..size.min(self.at.saturating_add(STEP));
            self.fetch(std::slice::from_ref(&range)).map_err(io::Error::other)?;
        }
        let holds = |(start, bytes): &&(u64, Bytes)| *start <= self.at && self.at - start < bytes.len() as u64;
        let Some((start, bytes)) = self.known.iter().find(holds) else { return Ok(0) };
        let rest = bytes.get((self.at - start) as usize..).unwrap_or_default();
        let count = rest.len().min(out.len());
        if let (Some(out), Some(rest)) = (out.get_mut(..count), rest.get(..count)) {
            out.copy_from_slice(rest);
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Ranges<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.object.size().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at =
            at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a place before the start of the file"))?;
        Ok(self.at)
    }
}
