//! Bags of lines.

use std::panic::Location;
use std::sync::Arc;

use talatat_graph::{KeyBuilder, closure_kernel};

use super::super::expr::Op;
use super::super::facts::Facts;
use super::super::items::Items;
use super::super::{Bag, Step};
use super::lines::Blocks;
use crate::error::Result;
use crate::storage::StorageOptions;

/// How to read text.
#[derive(Clone, Debug)]
pub struct TextOptions {
    pub(super) blocksize: u64,
    pub(super) storage: StorageOptions,
    lossy: bool,
}

impl Default for TextOptions {
    fn default() -> Self {
        TextOptions { blocksize: BLOCKSIZE, storage: StorageOptions::new(), lossy: false }
    }
}

/// Bytes of a file that become one partition.
pub(super) const BLOCKSIZE: u64 = 16 << 20;

impl TextOptions {
    /// The defaults: blocks of 16 MiB of valid UTF-8.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of a file that become one partition; the border moves to the next line's end.
    pub fn blocksize(mut self, bytes: u64) -> Self {
        self.blocksize = bytes.max(1);
        self
    }

    /// Reads bytes that are no UTF-8 as `U+FFFD`. By default they are an error that names the file and the place.
    pub fn lossy(mut self) -> Self {
        self.lossy = true;
        self
    }

    /// Settings of the store: credentials, endpoints ...
    pub fn storage(mut self, storage: StorageOptions) -> Self {
        self.storage = storage;
        self
    }
}

/// The lines of text files, without their ends (`\n`, `\r\n`), in the order of the files: paths, URLs and globs, the matches of one glob by name.
///
/// A file is cut into blocks of bytes, each with the lines that begin in it, so that they are read at the same time. Files whose names end in `.gz`,
/// `.zst` or `.zstd` are unpacked, and are one partition each.
///
/// ```
/// use talatat::bag::{TextOptions, read_text};
/// # use talatat::Compute;
/// # use talatat::storage::{Location, write_atomic};
/// # use std::io::Write;
/// # write_atomic(&Location::parse("memory://docs/bag/poem.txt")?, |w| write!(w, "one\ntwo\n\nthree"))?;
/// let lines = read_text(["memory://docs/bag/*.txt"], TextOptions::new().blocksize(5))?;
/// assert_eq!(lines.compute()?, ["one", "two", "", "three"]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a path cannot be used, or nothing matches. Files that cannot be read, or are no UTF-8, are errors of the run.
#[track_caller]
pub fn read_text<S: AsRef<str>>(paths: impl IntoIterator<Item = S>, options: TextOptions) -> Result<Bag<String>> {
    let location = Location::caller();
    let blocks = Blocks::find(paths, options.blocksize, &options.storage)?;
    let facts = Facts::known();
    let step = Step {
        name: "bag.read_text".into(),
        key: blocks.mix(KeyBuilder::new("bag.read_text").number(options.lossy.into())).finish(),
        partitions: blocks.len(),
        size: blocks.size(size_of::<String>() as u64),
        // The text that lines are copied from.
        scratch: blocks.text_bytes(),
        location,
    };
    let (given, lossy) = (facts.clone(), options.lossy);
    let blocks = Arc::new(blocks);
    let read = blocks.clone();
    let kernel = closure_kernel("bag.read_text", move |task, _| {
        let lines = blocks.read(task.block)?;
        let mut all = Vec::with_capacity(lines.count());
        for line in lines.each() {
            all.push(match lossy {
                true => String::from_utf8_lossy(line.bytes).into_owned(),
                false => line.text()?.to_owned(),
            });
        }
        Ok(Items::value(all, &given))
    });
    let kernel = kernel.storage(move |block, _, _| read.storage(block));
    Ok(Bag::of(step, Op::Source(Arc::new(kernel)), Vec::new(), facts))
}
