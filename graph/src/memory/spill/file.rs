//! The file: blocks are written to and read from runs of bytes of it, by any number of threads.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::extents::{Extent, Extents};
use crate::bytes::format_bytes;

/// A block that turns out larger than it said takes more of the file in runs of at least this much.
const MORE: u64 = 256 << 10;

/// A temporary file without a name: it is gone with the process, whatever ends it.
#[derive(Debug)]
pub(super) struct SpillFile {
    file: File,
    extents: Mutex<Extents>,
    quota: Option<u64>,
}

impl SpillFile {
    pub(super) fn create(folder: &Path, quota: Option<u64>) -> Result<SpillFile> {
        let file = tempfile::tempfile_in(folder)?;
        Ok(SpillFile { file, extents: Mutex::default(), quota })
    }

    pub(super) fn used(&self) -> u64 {
        self.extents.lock().used()
    }

    fn take(&self, length: u64) -> Result<Extent> {
        let mut extents = self.extents.lock();
        match self.quota {
            Some(quota) if extents.used().saturating_add(length) > quota => Err(Error::new(
                ErrorKind::QuotaExceeded,
                format!(
                    "{} are in use and {} more are needed, but spill_limit is {}: raise it, raise memory_limit, or compute less at a time",
                    format_bytes(extents.used()),
                    format_bytes(length),
                    format_bytes(quota)
                ),
            )),
            _ => Ok(extents.take(length)),
        }
    }

    /// Gives bytes back; what is free at the end of the file goes back to the system.
    fn give(&self, extent: Extent) {
        let mut extents = self.extents.lock();
        let before = extents.end();
        extents.give(extent);
        if extents.end() < before {
            // A file that stays too long costs disk, nothing else.
            let _ = self.file.set_len(extents.end());
        }
    }
}

/// Where one block is in the file; gives it back when dropped.
#[derive(Debug)]
pub(super) struct Stored {
    file: Arc<SpillFile>,
    extents: SmallVec<[Extent; 1]>,
}

impl Stored {
    pub(super) fn length(&self) -> u64 {
        self.extents.iter().map(|extent| extent.length).sum()
    }

    pub(super) fn prefetch(&self) {
        for extent in &self.extents {
            place::prefetch(&self.file.file, *extent);
        }
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.extents.drain(..).for_each(|extent| self.file.give(extent));
    }
}

/// Writes one block.
pub(super) struct ExtentWriter {
    stored: Stored,
    /// Bytes that are written to the last extent.
    filled: u64,
    expected: u64,
}

impl ExtentWriter {
    /// A writer for a block of about `expected` bytes.
    pub(super) fn new(file: Arc<SpillFile>, expected: u64) -> ExtentWriter {
        ExtentWriter { stored: Stored { file, extents: SmallVec::new() }, filled: 0, expected }
    }

    /// What was written; the rest of the last extent is given back.
    pub(super) fn finish(mut self) -> Stored {
        if let Some(last) = self.stored.extents.last_mut()
            && self.filled < last.length
        {
            let rest = Extent { offset: last.offset + self.filled, length: last.length - self.filled };
            last.length = self.filled;
            self.stored.file.give(rest);
        }
        self.stored
    }
}

impl Write for ExtentWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let full = self.stored.extents.last().is_none_or(|last| self.filled == last.length);
        if full {
            let first = self.stored.extents.is_empty();
            let more = (bytes.len() as u64).max(if first { self.expected } else { MORE });
            self.stored.extents.push(self.stored.file.take(more)?);
            self.filled = 0;
        }
        let Some(last) = self.stored.extents.last() else { return Ok(0) };
        let room = usize::try_from(last.length - self.filled).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(room)];
        place::write(&self.stored.file.file, bytes, last.offset + self.filled)?;
        self.filled += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Reads one block.
pub(super) struct ExtentReader<'a> {
    stored: &'a Stored,
    extent: usize,
    at: u64,
}

impl<'a> ExtentReader<'a> {
    pub(super) fn new(stored: &'a Stored) -> ExtentReader<'a> {
        ExtentReader { stored, extent: 0, at: 0 }
    }
}

impl Read for ExtentReader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        while let Some(extent) = self.stored.extents.get(self.extent) {
            let room = usize::try_from(extent.length - self.at).unwrap_or(usize::MAX).min(bytes.len());
            if room > 0 || bytes.is_empty() {
                place::read(&self.stored.file.file, &mut bytes[..room], extent.offset + self.at)?;
                self.at += room as u64;
                return Ok(room);
            }
            (self.extent, self.at) = (self.extent + 1, 0);
        }
        Ok(0)
    }
}

/// Reading and writing at a place of a file, by several threads at once.
#[cfg(unix)]
mod place {
    use std::fs::File;
    use std::io::Result;
    use std::num::NonZeroU64;
    use std::os::unix::fs::FileExt;

    use super::Extent;

    pub(super) fn write(file: &File, bytes: &[u8], offset: u64) -> Result<()> {
        file.write_all_at(bytes, offset)
    }

    pub(super) fn read(file: &File, bytes: &mut [u8], offset: u64) -> Result<()> {
        file.read_exact_at(bytes, offset)
    }

    pub(super) fn prefetch(file: &File, extent: Extent) {
        #[cfg(target_os = "linux")]
        {
            // Only advice: nothing is lost if it is not taken.
            let length = NonZeroU64::new(extent.length);
            let _ = rustix::fs::fadvise(file, extent.offset, length, rustix::fs::Advice::WillNeed);
        }
        #[cfg(not(target_os = "linux"))]
        let _: (&File, Extent, Option<NonZeroU64>) = (file, extent, None);
    }
}

#[cfg(windows)]
mod place {
    use std::fs::File;
    use std::io::{ErrorKind, Result};
    use std::os::windows::fs::FileExt;

    use super::Extent;

    pub(super) fn write(file: &File, mut bytes: &[u8], mut offset: u64) -> Result<()> {
        while !bytes.is_empty() {
            let count = file.seek_write(bytes, offset)?;
            bytes = &bytes[count..];
            offset += count as u64;
        }
        Ok(())
    }

    pub(super) fn read(file: &File, mut bytes: &mut [u8], mut offset: u64) -> Result<()> {
        while !bytes.is_empty() {
            match file.seek_read(bytes, offset)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => (bytes, offset) = (&mut bytes[count..], offset + count as u64),
            }
        }
        Ok(())
    }

    pub(super) fn prefetch(_: &File, _: Extent) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(file: &Arc<SpillFile>, bytes: &[u8], expected: u64) -> Result<Stored> {
        let mut writer = ExtentWriter::new(file.clone(), expected);
        writer.write_all(bytes)?;
        Ok(writer.finish())
    }

    fn read(stored: &Stored) -> Vec<u8> {
        let mut bytes = Vec::new();
        ExtentReader::new(stored).read_to_end(&mut bytes).unwrap();
        bytes
    }

    proptest! {
        /// Whatever a block said of its size, its bytes come back, and those of others stay.
        #[test]
        fn bytes_come_back(blocks in prop::collection::vec((0_u64..2000, 0_usize..1500), 1..20), drops: u64) {
            let file = Arc::new(SpillFile::create(&std::env::temp_dir(), None).unwrap());
            let mut kept = Vec::new();
            for (number, &(expected, length)) in blocks.iter().enumerate() {
                let bytes: Vec<u8> = (0..length).map(|at| (at + number * 31) as u8).collect();
                let stored = write(&file, &bytes, expected).unwrap();
                prop_assert_eq!(stored.length(), length as u64);
                if drops >> (number % 64) & 1 == 0 {
                    kept.push((stored, bytes));
                }
            }
            for (stored, bytes) in &kept {
                prop_assert_eq!(&read(stored), bytes);
            }
            drop(kept);
            prop_assert_eq!(file.used(), 0);
            prop_assert_eq!(file.file.metadata().unwrap().len(), 0, "the disk is given back");
        }
    }

    #[test]
    fn a_full_quota_is_said_and_frees_what_was_begun() {
        let file = Arc::new(SpillFile::create(&std::env::temp_dir(), Some(100)).unwrap());
        let held = write(&file, &[1; 60], 60).unwrap();
        let error = write(&file, &[1; 60], 10).unwrap_err();
        assert!(error.to_string().contains("spill_limit is 100 B"), "{error}");
        assert_eq!(file.used(), 60);
        drop(held);
        write(&file, &[1; 60], 10).unwrap();
    }
}
