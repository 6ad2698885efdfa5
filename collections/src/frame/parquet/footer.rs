//! Footers: what a file holds, and where. Read in parallel, kept by location and version.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use polars::prelude::{ArrowSchema, DataType, Schema};
use polars_buffer::Buffer;
use polars_io::parquet::read::{FileMetadata, infer_schema};
use polars_parquet::parquet::read::deserialize_metadata;

use crate::storage::error::{Result, StorageError};
use crate::storage::{Location, ObjectRef, in_parallel};

/// Read from the end of a file at first: most footers are within.
const TAIL: u64 = 64 << 10;
/// The mark at both ends of a file, and the footer's length before the last one.
const MAGIC: &[u8; 4] = b"PAR1";
const END: u64 = 8;
/// Bytes of footers that are kept; the oldest goes first.
const KEPT: u64 = 256 << 20;
/// Footers that are read at once from a store that is far away.
const REMOTE_THREADS: usize = 32;

/// What a file says of itself.
pub(crate) struct Footer {
    pub(crate) metadata: FileMetadata,
    /// The columns as they are in the file.
    pub(crate) arrow: ArrowSchema,
    /// The same, in polars' types.
    pub(crate) schema: Schema,
}

impl Footer {
    /// Reads the footer of a file, or finds it among those read before.
    ///
    /// # Errors
    /// [`StorageError::BadParquet`] if there is none that can be used; those of reading.
    pub(crate) fn of(object: &ObjectRef) -> Result<Arc<Footer>> {
        let cache = cache();
        let key = Key::of(object);
        if let Some(footer) = cache.lock().footers.get(&key) {
            return Ok(footer.clone());
        }
        let (footer, bytes) = read(object)?;
        let footer = Arc::new(footer);
        cache.lock().keep(key, footer.clone(), bytes);
        Ok(footer)
    }

    /// The footers of files, several at once.
    ///
    /// # Errors
    /// As [`Footer::of`], of the first file that cannot be used.
    pub(crate) fn of_all(objects: &[ObjectRef]) -> Result<Vec<Arc<Footer>>> {
        let remote = objects.iter().any(|object| object.location().scheme().is_remote());
        let threads = if remote {
            REMOTE_THREADS
        } else {
            // A few files are read before a thread is there.
            std::thread::available_parallelism().map_or(1, usize::from).min(objects.len() / 8)
        };
        in_parallel(objects, threads, Footer::of)
    }
}

/// A version of a file.
#[derive(PartialEq, Eq, Hash, Clone)]
struct Key {
    location: Location,
    size: u64,
    version: String,
}

impl Key {
    fn of(object: &ObjectRef) -> Key {
        Key { location: object.location().clone(), size: object.size(), version: object.version() }
    }
}

#[derive(Default)]
struct Cache {
    footers: HashMap<Key, Arc<Footer>>,
    ages: VecDeque<(Key, u64)>,
    bytes: u64,
}

impl Cache {
    fn keep(&mut self, key: Key, footer: Arc<Footer>, bytes: u64) {
        if self.footers.insert(key.clone(), footer).is_some() {
            return;
        }
        self.bytes += bytes;
        self.ages.push_back((key, bytes));
        while self.bytes > KEPT
            && let Some((oldest, bytes)) = self.ages.pop_front()
        {
            self.footers.remove(&oldest);
            self.bytes -= bytes;
        }
    }
}

fn cache() -> &'static Mutex<Cache> {
    static CACHE: OnceLock<Mutex<Cache>> = OnceLock::new();
    CACHE.get_or_init(Mutex::default)
}

/// An error of a file.
pub(crate) fn bad(object: &ObjectRef, reason: impl Into<String>) -> StorageError {
    StorageError::BadParquet { url: object.location().to_string(), reason: reason.into() }
}

/// The footer and the bytes it takes.
fn read(object: &ObjectRef) -> Result<(Footer, u64)> {
    let size = object.size();
    if size < END + MAGIC.len() as u64 {
        return Err(bad(object, format!("{size} bytes are too few for a Parquet file; was it written to its end?")));
    }
    let tail = object.read_range(size - TAIL.min(size)..size)?;
    let end = tail.len().saturating_sub(END as usize);
    let (front, last) = tail.split_at_checked(end).unwrap_or_default();
    let (length, magic) = last.split_first_chunk::<4>().unwrap_or((&[0; 4], b""));
    if magic != MAGIC {
        let reason = match magic {
            b"PARE" => "the file is encrypted, which cannot be read".into(),
            _ => format!(
                "its last bytes (from {}) are not those of a Parquet file: it is truncated, still being written, or of another format",
                size - 4
            ),
        };
        return Err(bad(object, reason));
    }
    let length = u64::from(u32::from_le_bytes(*length));
    let Some(start) = size.checked_sub(END + length) else {
        let reason =
            format!("its footer is said to have {length} bytes, more than the file ({size}): the file is damaged");
        return Err(bad(object, reason));
    };
    let bytes = match (front.len() as u64).checked_sub(length) {
        Some(before) => front.get(before as usize..).unwrap_or_default().to_vec(),
        None => object.read_range(start..size - END)?.to_vec(),
    };
    let damaged = |what: &str| bad(object, format!("the footer (bytes {start} to {}) is damaged: {what}", size - END));
    let decoded = guarded(|| {
        let metadata = deserialize_metadata(Buffer::from_vec(bytes)).map_err(|error| error.to_string())?;
        let arrow = infer_schema(&metadata).map_err(|error| error.to_string())?;
        Ok((metadata, arrow))
    });
    let (metadata, arrow) = decoded.map_err(|reason| damaged(&reason))?;
    check_chunks(&metadata, size).map_err(|reason| damaged(&reason))?;
    let schema = arrow.iter_values().map(|field| (field.name.clone(), DataType::from_arrow_field(field))).collect();
    // What is made of the bytes is a few times as large.
    Ok((Footer { metadata, arrow, schema }, 4 * length))
}

/// Chunks must lie within the file: later code takes their ranges as they are.
fn check_chunks(metadata: &FileMetadata, size: u64) -> std::result::Result<(), String> {
    for (number, group) in metadata.row_groups.iter().enumerate() {
        for chunk in group.parquet_columns() {
            let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
            let end = start.checked_add(chunk.compressed_size());
            let inside = |end: i64| {
                start >= 0 && chunk.compressed_size() >= 0 && u64::try_from(end).is_ok_and(|end| end <= size)
            };
            if !end.is_some_and(inside) {
                let path = chunk.descriptor().path_in_schema.join(".");
                return Err(format!("column `{path}` of row group {number} is said to lie outside of the file"));
            }
        }
    }
    Ok(())
}

/// Runs code that may panic on damaged bytes.
pub(crate) fn guarded<R>(run: impl FnOnce() -> std::result::Result<R, String>) -> std::result::Result<R, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string())).unwrap_or_default())
    })
}
