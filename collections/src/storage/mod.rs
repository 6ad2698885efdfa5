//! Files and objects under the readers and writers: local paths, `file://`, `memory://`, `s3://`, `gs://`, `az://`, `http(s)://`.
//!
//! This layer knows neither tasks nor frames. It opens what a path, URL or glob names, reads byte ranges of it, writes
//! whole objects atomically, and understands two formats as far as blocks need it: regions of `.npy` arrays, and
//! records of CSV text.
//!
//! | file | what it does |
//! |---|---|
//! | [`Location`], [`StorageOptions`], [`Store`] | what a text names, with which settings, and the store behind it |
//! | [`expand`] | paths, URLs and globs to a list of [`ObjectRef`]s with sizes and versions |
//! | [`ObjectRef`] | reads: one range, several ranges, all of it |
//! | [`write_atomic`], [`check_writable`] | writes that are there completely or not at all |
//! | `parts` | folders of parts that appear together |
//! | [`npy`] | headers and hyper-rectangles of `.npy` arrays |
//! | [`csv_split`] | cutting CSV text into blocks of whole records |
//!
//! Every call blocks the calling thread. Local and in-memory stores do their work on that thread; remote stores
//! do it on a small private runtime, so calls from many threads, or from inside another runtime, are fine.
//! Failed requests are retried by `object_store` (`max_retries` in [`StorageOptions`] sets how often).
//!
//! ```
//! use talatat_collections::storage::{Location, expand, write_atomic};
//! use std::io::Write;
//!
//! for part in 0..3 {
//!     let location = Location::parse(&format!("memory://guide/part-{part}.txt"))?;
//!     write_atomic(&location, |writer| writeln!(writer, "part {part}"))?;
//! }
//! let objects = expand(&["memory://guide/part-[02].txt"])?;
//! assert_eq!(objects.len(), 2);
//! assert_eq!(objects[1].read_range(5..6)?, "2");
//! # Ok::<(), talatat_collections::storage::StorageError>(())
//! ```

#[cfg(unix)]
mod buffers;
pub mod csv_split;
pub mod error;
#[cfg_attr(not(feature = "array"), allow(dead_code))]
mod folder;
mod glob;
mod location;
#[cfg(feature = "array")]
pub mod npy;
mod options;
#[cfg(feature = "frame")]
mod parallel;
#[cfg_attr(not(feature = "frame"), allow(dead_code))]
mod parts;
mod read;
mod runtime;
mod store;
#[cfg(feature = "array")]
pub(crate) mod text;
#[cfg_attr(not(feature = "array"), allow(dead_code))]
mod unfinished;
mod write;
#[cfg(feature = "zarr")]
pub(crate) mod zarr;

pub use error::{Result, StorageError};
pub(crate) use folder::objects;
pub use glob::{expand, expand_with};
pub use location::{Location, Scheme};
pub use options::StorageOptions;
#[cfg(feature = "frame")]
pub(crate) use parallel::in_parallel;
pub(crate) use parts::{Existing, Part, PartsGuard, PartsOutput};
pub use read::ObjectRef;
#[cfg(feature = "frame")]
pub(crate) use read::read_many;
pub use store::Store;
#[cfg(feature = "array")]
pub(crate) use unfinished::{Guard, UnfinishedFile};
pub use write::{AtomicWriter, check_writable, write_atomic};

/// Frees buffers of files that are kept to be used again, until no more than `most` bytes are kept.
pub(crate) fn shrink_buffers(most: u64) {
    #[cfg(unix)]
    buffers::shrink(most);
    #[cfg(not(unix))]
    let _ = most;
}
