//! Files as blocks of whole lines.

use std::ops::Range;

use bytes::Bytes;
use talatat_graph::{KernelError, KernelResult, KeyBuilder, StorageBytes};

use super::super::expr::Size;
use super::unpack;
use crate::error::Result;
use crate::storage::csv_split::read_block_lines;
use crate::storage::{ObjectRef, StorageError, StorageOptions, expand_with};

/// Bytes that a line is taken to have.
const LINE: u64 = 64;

/// Where the lines of each partition are.
pub(super) struct Blocks {
    blocks: Vec<Block>,
}

struct Block {
    object: ObjectRef,
    /// Bytes of the file; `None` if it is compressed, and can only be read from its start.
    range: Option<Range<u64>>,
}

/// The lines of a partition.
pub(super) struct Lines<'a> {
    block: &'a Block,
    start: u64,
    text: Bytes,
}

impl Blocks {
    /// Finds files and cuts them into ranges of about `blocksize` bytes.
    ///
    /// # Errors
    /// If a path cannot be used, or nothing matches.
    pub(super) fn find<S: AsRef<str>>(
        paths: impl IntoIterator<Item = S>,
        blocksize: u64,
        storage: &StorageOptions,
    ) -> Result<Blocks> {
        let paths: Vec<S> = paths.into_iter().collect();
        let mut blocks = Vec::new();
        for object in expand_with(&paths, storage)? {
            if unpack::is_compressed(&object) {
                blocks.push(Block { object, range: None });
                continue;
            }
            // A file has a partition even if it is empty, so that partitions can be told by their file.
            let size = object.size();
            let starts = (0..size.max(1)).step_by(usize::try_from(blocksize).unwrap_or(usize::MAX).max(1));
            blocks.extend(starts.map(|start| {
                let range = start..size.min(start.saturating_add(blocksize));
                Block { object: object.clone(), range: Some(range) }
            }));
        }
        Ok(Blocks { blocks })
    }

    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Adds what the lines depend on to a key.
    pub(super) fn mix(&self, key: KeyBuilder) -> KeyBuilder {
        self.blocks.iter().fold(key, |key, block| {
            let object = &block.object;
            let key = key.bytes(object.location().to_string().as_bytes()).bytes(object.version().as_bytes());
            key.number(object.size()).value(&block.range)
        })
    }

    /// Bytes of the text of the largest block, about.
    pub(super) fn text_bytes(&self) -> u64 {
        let of = |block: &Block| match &block.range {
            Some(range) => range.end - range.start,
            None => block.object.size().saturating_mul(unpack::RATIO),
        };
        self.blocks.iter().map(of).max().unwrap_or(0)
    }

    /// Bytes that are read for a partition.
    pub(super) fn storage(&self, number: u64) -> StorageBytes {
        let block = usize::try_from(number).ok().and_then(|number| self.blocks.get(number));
        let bytes = |block: &Block| match &block.range {
            Some(range) => range.end.saturating_sub(range.start),
            None => block.object.size(),
        };
        StorageBytes::reads(block.map_or(0, bytes))
    }

    /// Items of the largest partition, one a line, of so many bytes beside the text.
    pub(super) fn size(&self, beside: u64) -> Size {
        let text = self.text_bytes();
        let items = text / LINE + 1;
        Size { items, bytes: text.saturating_add(items.saturating_mul(beside)) }
    }

    /// Reads the lines of a partition.
    ///
    /// # Errors
    /// If the file cannot be read, has changed, is damaged, or has a line that is too long.
    pub(super) fn read(&self, number: u64) -> KernelResult<Lines<'_>> {
        let block = usize::try_from(number).ok().and_then(|number| self.blocks.get(number));
        let block = block.ok_or_else(|| KernelError::new(format!("there is no block {number}")))?;
        let read = match &block.range {
            Some(range) => read_block_lines(&block.object, range.clone()),
            None => unpack::unpacked(&block.object).map(|text| (0, text)),
        };
        let (start, text) = read.map_err(|error| match error {
            StorageError::BadCsv { url, offset, .. } if block.range.is_some() => KernelError::new(format!(
                "{url}, byte {offset}: the line there is longer than 64 MiB; is this a file of lines?"
            )),
            other => KernelError::from_source(other),
        })?;
        Ok(Lines { block, start, text })
    }
}

/// One line, without its end.
pub(super) struct Line<'a> {
    lines: &'a Lines<'a>,
    /// Where it begins in the text.
    at: usize,
    pub(super) bytes: &'a [u8],
}

impl Lines<'_> {
    /// The lines, without `\n` or `\r\n`.
    pub(super) fn each(&self) -> impl Iterator<Item = Line<'_>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = self.text.get(at..).filter(|rest| !rest.is_empty())?;
            let length = memchr::memchr(b'\n', rest);
            let line = rest.get(..length.unwrap_or(rest.len())).unwrap_or(rest);
            let bytes = line.strip_suffix(b"\r").filter(|_| length.is_some()).unwrap_or(line);
            let begin = at;
            at += line.len() + usize::from(length.is_some());
            Some(Line { lines: self, at: begin, bytes })
        })
    }

    /// Bytes of the text.
    pub(super) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// How many lines there are, or one more.
    pub(super) fn count(&self) -> usize {
        memchr::memchr_iter(b'\n', &self.text).count() + 1
    }
}

impl Line<'_> {
    /// Where the line is and what it begins with, for errors.
    pub(super) fn site(&self) -> String {
        const SHOWN: usize = 60;
        let Lines { block, start, text } = self.lines;
        let number = 1 + memchr::memchr_iter(b'\n', text.get(..self.at).unwrap_or_default()).count();
        let unpacked = if block.range.is_none() { " of the unpacked text" } else { "" };
        // In the first block of a file lines are counted from its start.
        let line = if *start == 0 { format!("line {number}, ") } else { String::new() };
        let head = String::from_utf8_lossy(self.bytes.get(..SHOWN).unwrap_or(self.bytes));
        let more = if self.bytes.len() > SHOWN { "..." } else { "" };
        format!("{}, {line}byte {}{unpacked}, `{head}{more}`", block.object.location(), start + self.at as u64)
    }

    /// The line as text.
    ///
    /// # Errors
    /// If it is no UTF-8.
    pub(super) fn text(&self) -> KernelResult<&str> {
        std::str::from_utf8(self.bytes).map_err(|error| {
            let at = error.valid_up_to();
            KernelError::new(format!(
                "{}: not UTF-8 at its byte {at}; read it with `TextOptions::lossy`, or convert the file",
                self.site()
            ))
        })
    }
}
