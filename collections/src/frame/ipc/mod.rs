//! Arrow IPC files (Feather) as partitions: record batches.
//!
//! | file | what it does |
//! |---|---|
//! | `file` | the footer, and the batches as a reader that knows some ranges of the file |
//! | `scan` | batches joined to partitions; projection and filter that were pushed down |
//! | `read` | a partition's rows |

mod file;
mod read;
mod scan;

use std::panic::Location as CallSite;

pub(crate) use read::IpcReader;
use scan::IpcScan;

use super::Frame;
use super::expr::FrameExpr;
use super::parquet::files_of;
use crate::error::Result;
use crate::storage::StorageOptions;

/// Reads Arrow IPC files (Feather, version 2): paths, URLs, globs, and folders, of which the `.arrow` files are taken.
///
/// Record batches are the partitions; small ones are joined up to 32 MiB in the file, also over files. The columns are read from the footers when the frame is made, and all files must have
/// the same ones, in any order. Of a batch all bytes are read and only the columns that are used are decoded. Dictionaries are categorical.
///
/// # Errors
/// If nothing matches, a footer is damaged, or the columns of files differ.
///
/// ```
/// use talatat_collections::frame::{Frame, df, read_ipc};
/// # use talatat::Compute;
/// # Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 2).to_ipc("memory://docs/read_ipc", Default::default())?.compute()?;
/// let frame = read_ipc(["memory://docs/read_ipc/*.arrow"])?;
/// assert_eq!(frame.column_names(), ["x"]);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[track_caller]
pub fn read_ipc<S: AsRef<str>>(paths: impl IntoIterator<Item = S>) -> Result<Frame> {
    scan(paths, &StorageOptions::new(), CallSite::caller())
}

/// [`read_ipc`] with settings of the store: credentials, endpoints ...
///
/// # Errors
/// As [`read_ipc`], and if the store refuses a setting.
#[track_caller]
pub fn read_ipc_with<S: AsRef<str>>(paths: impl IntoIterator<Item = S>, storage: &StorageOptions) -> Result<Frame> {
    scan(paths, storage, CallSite::caller())
}

fn scan<S: AsRef<str>>(
    paths: impl IntoIterator<Item = S>,
    storage: &StorageOptions,
    location: &'static CallSite<'static>,
) -> Result<Frame> {
    let paths: Vec<S> = paths.into_iter().collect();
    let files = files_of(&paths, storage, "arrow")?;
    Ok(Frame { node: FrameExpr::scan(IpcScan::new(files)?, location) })
}
