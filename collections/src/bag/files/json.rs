//! Bags of records from JSON lines.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use talatat_graph::{KernelError, KeyBuilder, closure_kernel};

use super::super::expr::Op;
use super::super::facts::Facts;
use super::super::items::Items;
use super::super::{Bag, Step};
use super::lines::Blocks;
use super::text::BLOCKSIZE;
use crate::delayed::{Payload, unique};
use crate::error::Result;
use crate::storage::StorageOptions;

/// How to read files of JSON lines into a bag.
#[derive(Clone, Debug)]
pub struct JsonLinesOptions {
    blocksize: u64,
    storage: StorageOptions,
    skipped: Option<Skipped>,
}

impl Default for JsonLinesOptions {
    fn default() -> Self {
        JsonLinesOptions { blocksize: BLOCKSIZE, storage: StorageOptions::new(), skipped: None }
    }
}

impl JsonLinesOptions {
    /// The defaults: blocks of 16 MiB; a bad line is an error.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of a file that become one partition; the border moves to the next line's end.
    pub fn blocksize(mut self, bytes: u64) -> Self {
        self.blocksize = bytes.max(1);
        self
    }

    /// Passes over lines that are not what they should be, and counts them there.
    pub fn skip_bad_lines(mut self, skipped: &Skipped) -> Self {
        self.skipped = Some(skipped.clone());
        self
    }

    /// Settings of the store: credentials, endpoints ...
    pub fn storage(mut self, storage: StorageOptions) -> Self {
        self.storage = storage;
        self
    }
}

/// Lines that were passed over. Cloning shares the count. It counts what was read: a bag that is computed twice counts its lines twice.
#[derive(Clone, Debug, Default)]
pub struct Skipped(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    count: AtomicU64,
    first: Mutex<Option<String>>,
}

impl Skipped {
    /// How many lines were passed over so far.
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Where the first that was found is, and what is wrong with it. (With several threads that need not be the first of the files.)
    pub fn first(&self) -> Option<String> {
        self.0.first.lock().clone()
    }

    fn add(&self, what: impl FnOnce() -> String) {
        if self.0.count.fetch_add(1, Ordering::Relaxed) == 0 {
            *self.0.first.lock() = Some(what());
        }
    }
}

/// The records of files of JSON lines: a JSON value a line, of any type that `serde` can read, in the order of the files. Blank lines are passed over.
/// Paths, blocks and compression are as [`read_text`](super::read_text) has them. Floats may be off by one in the last place, unless the program turns
/// on the feature `float_roundtrip` of `serde_json`, which takes more time.
///
/// ```
/// use talatat::bag::{JsonLinesOptions, Skipped, read_json_lines};
/// use serde::Deserialize;
/// # use talatat::Compute;
/// # use talatat::storage::{Location, write_atomic};
/// # use std::io::Write;
/// # write_atomic(&Location::parse("memory://docs/trips.jsonl")?, |w| write!(w, "{{\"fare\": 7.5}}\noops\n{{\"fare\": 2}}\n"))?;
/// #[derive(Clone, Deserialize)]
/// struct Trip { fare: f64 }
///
/// let strict = read_json_lines::<Trip, _>(["memory://docs/trips.jsonl"], JsonLinesOptions::new())?;
/// let error = strict.compute().err().unwrap().to_string();
/// assert!(error.contains("trips.jsonl, line 2, byte 14, `oops`"), "{error}");
///
/// let skipped = Skipped::default();
/// let options = JsonLinesOptions::new().skip_bad_lines(&skipped);
/// let trips = read_json_lines::<Trip, _>(["memory://docs/trips.jsonl"], options)?;
/// assert_eq!(trips.map(|trip| trip.fare).sum().compute()?, 9.5);
/// assert_eq!(skipped.count(), 1);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a path cannot be used, or nothing matches. Files that cannot be read, and lines that are no such records, are errors of the run.
#[track_caller]
pub fn read_json_lines<T, S>(paths: impl IntoIterator<Item = S>, options: JsonLinesOptions) -> Result<Bag<T>>
where
    T: Payload + DeserializeOwned,
    S: AsRef<str>,
{
    let location = Location::caller();
    let blocks = Blocks::find(paths, options.blocksize, &options.storage)?;
    let facts = Facts::<T>::known();
    let key = blocks.mix(KeyBuilder::new("bag.read_json_lines").bytes(std::any::type_name::<T>().as_bytes()));
    // Who counts wants each reading counted.
    let key = if options.skipped.is_some() { key.number(unique()) } else { key };
    let step = Step {
        name: "bag.read_json_lines".into(),
        key: key.finish(),
        partitions: blocks.len(),
        size: blocks.size(size_of::<T>() as u64),
        scratch: blocks.text_bytes(),
        location,
    };
    let given = facts.clone();
    let blocks = Arc::new(blocks);
    let read = blocks.clone();
    let kernel = closure_kernel("bag.read_json_lines", move |task, _| {
        let lines = blocks.read(task.block)?;
        let mut all: Vec<T> = Vec::new();
        for line in lines.each().filter(|line| !line.bytes.trim_ascii().is_empty()) {
            match serde_json::from_slice(line.bytes) {
                Ok(record) => all.push(record),
                Err(error) => {
                    let what = || format!("{}: {}", line.site(), said(&error));
                    match &options.skipped {
                        Some(skipped) => skipped.add(what),
                        None => return Err(KernelError::new(what())),
                    }
                }
            }
        }
        // What records of an unknown type own came out of the text.
        let beside = if given.is_known() { given.beside(&all) } else { lines.text_bytes() };
        let bytes = all.capacity() * size_of::<T>() + beside;
        Ok(Items::weighed(all, bytes, &given))
    });
    let kernel = kernel.storage(move |block, _, _| read.storage(block));
    Ok(Bag::of(step, Op::Source(Arc::new(kernel)), Vec::new(), facts))
}

/// What the parser says, with the column, without the line, which is always the first.
fn said(error: &serde_json::Error) -> String {
    let (text, column) = (error.to_string(), error.column());
    match text.rsplit_once(" at line ") {
        Some((what, _)) if column > 0 => format!("{what} at character {column}"),
        Some((what, _)) => what.into(),
        None => text,
    }
}
