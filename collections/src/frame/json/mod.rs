//! Files of JSON lines as partitions: byte ranges of whole lines.
//!
//! | file | what it does |
//! |---|---|
//! | `options` | what the user may say |
//! | `sample` | names and types from the first bytes of several files |
//! | `scan` | files cut into blocks; projection and filter that were pushed down |
//! | `parse` | lines to a `DataFrame` |

mod options;
mod parse;
mod sample;
mod scan;

use std::panic::Location as CallSite;

pub use options::JsonOptions;
pub(crate) use parse::JsonReader;
use scan::JsonScan;

use super::Frame;
use super::expr::FrameExpr;
use super::parquet::files_of;
use crate::error::Result;
use crate::storage::StorageOptions;

/// Reads files of JSON lines, an object a line: paths, URLs, globs, and folders, of which the `.json` files are taken. What pandas reads with
/// `lines=True`.
///
/// Files are cut into blocks of bytes, one partition each. When the frame is made, the first 256 KiB of up to eight files are read for names and types: columns are
/// those of all objects there, in the order they turn up; numbers of both kinds become float64, other mixtures text. What an object lacks is missing. Later objects may have more keys,
/// which are not read; a value that does not fit its column's type is an error that names the file, the byte and the column.
///
/// Unlike in pandas, texts that look like dates stay texts ([`JsonOptions::with_dtype`] reads them), and integer columns stay integers when values are missing.
///
/// # Errors
/// If nothing matches, a sample is no JSON, or an option does not fit it.
///
/// ```
/// use talatat_collections::frame::{JsonOptions, read_json};
/// # use talatat_collections::storage::{Location, write_atomic};
/// # use std::io::Write;
/// # write_atomic(&Location::parse("memory://docs/read_json/0.json")?, |w| writeln!(w, "{{\"a\": 1, \"b\": \"x\"}}\n{{\"a\": 2.5}}"))?;
/// let frame = read_json(["memory://docs/read_json/*.json"], JsonOptions::new())?;
/// assert_eq!(frame.column_names(), ["a", "b"]);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[track_caller]
pub fn read_json<S: AsRef<str>>(paths: impl IntoIterator<Item = S>, options: JsonOptions) -> Result<Frame> {
    scan(paths, options, &StorageOptions::new(), CallSite::caller())
}

/// [`read_json`] with settings of the store: credentials, endpoints ...
///
/// # Errors
/// As [`read_json`], and if the store refuses a setting.
#[track_caller]
pub fn read_json_with<S: AsRef<str>>(
    paths: impl IntoIterator<Item = S>,
    options: JsonOptions,
    storage: &StorageOptions,
) -> Result<Frame> {
    scan(paths, options, storage, CallSite::caller())
}

fn scan<S: AsRef<str>>(
    paths: impl IntoIterator<Item = S>,
    options: JsonOptions,
    storage: &StorageOptions,
    location: &'static CallSite<'static>,
) -> Result<Frame> {
    let paths: Vec<S> = paths.into_iter().collect();
    let files = files_of(&paths, storage, "json")?;
    Ok(Frame { node: FrameExpr::scan(JsonScan::new(files, options)?, location) })
}
