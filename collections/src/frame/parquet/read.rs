//! What users call.

use std::panic::Location as CallSite;

use super::{ParquetOptions, ParquetScan};
use crate::error::Result;
use crate::frame::Frame;
use crate::frame::expr::FrameExpr;
use crate::storage::{ObjectRef, StorageError, StorageOptions, expand_with};

/// Reads Parquet files: paths, URLs, globs, and folders, of which all `.parquet` files are taken, those of folders in them included. One frame
/// in the order given, matches of a glob sorted by name.
///
/// The footers of all files are read when the frame is made, so the number of rows of each partition is known: [`Frame::len`] reads nothing.
/// Row groups are the partitions; small ones are joined, very large ones split ([`ParquetOptions::partition_bytes`]). Only the columns
/// that are used are fetched; of a filter that reaches the reader the columns it reads are decoded first, and the others only where it keeps
/// rows. Row groups whose smallest and largest values show that the filter keeps nothing are not read at all. Folders named `key=value`
/// become columns, as in pandas, and files in those that a filter does not keep are not read.
///
/// Types are those of the files, as polars has them: a column of pandas' categories is categorical, timestamps keep their zone. An index that pandas
/// wrote is a column like others.
///
/// # Errors
/// If nothing matches, a footer is damaged, or a file's columns differ from those of the first one ([`ParquetOptions::schema_drift`] says what
/// is to be done then).
///
/// ```
/// use talatat_collections::frame::{Frame, ParquetOptions, df, read_parquet};
/// # let parts = Frame::from_polars(df!("fare" => [10.5, 7.0], "tip" => [2.0, 0.0]).unwrap(), 2);
/// # use talatat::Compute;
/// # parts.to_parquet("memory://docs/read-parquet", Default::default())?.compute()?;
/// let trips = read_parquet(["memory://docs/read-parquet/*.parquet"], ParquetOptions::new())?;
/// assert_eq!(trips.column_names(), ["fare", "tip"]);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[track_caller]
pub fn read_parquet<S: AsRef<str>>(paths: impl IntoIterator<Item = S>, options: ParquetOptions) -> Result<Frame> {
    scan(paths, options, &StorageOptions::new(), CallSite::caller())
}

/// [`read_parquet`] with settings of the store: credentials, endpoints ...
///
/// # Errors
/// As [`read_parquet`], and if the store refuses a setting.
#[track_caller]
pub fn read_parquet_with<S: AsRef<str>>(
    paths: impl IntoIterator<Item = S>,
    options: ParquetOptions,
    storage: &StorageOptions,
) -> Result<Frame> {
    scan(paths, options, storage, CallSite::caller())
}

fn scan<S: AsRef<str>>(
    paths: impl IntoIterator<Item = S>,
    options: ParquetOptions,
    storage: &StorageOptions,
    location: &'static CallSite<'static>,
) -> Result<Frame> {
    let paths: Vec<S> = paths.into_iter().collect();
    let files = files_of(&paths, storage, "parquet")?;
    Ok(Frame { node: FrameExpr::scan(ParquetScan::new(files, options)?, location) })
}

/// The files that paths, globs and folders name; of folders those with an extension, but for hidden ones and those whose name, or that of a folder
/// on the way, begins with `_`, which are not data by convention.
pub(crate) fn files_of<S: AsRef<str>>(
    paths: &[S],
    storage: &StorageOptions,
    extension: &str,
) -> Result<Vec<ObjectRef>> {
    match expand_with(paths, storage) {
        Err(StorageError::IsDirectory { .. }) => {}
        other => return Ok(other?),
    }
    let mut files = Vec::new();
    for path in paths {
        let path = path.as_ref();
        match expand_with(&[path], storage) {
            Err(StorageError::IsDirectory { .. }) => {
                let folder = path.trim_end_matches('/');
                let inside = expand_with(&[format!("{folder}/**/*.{extension}")], storage)?;
                let depth = crate::storage::Location::parse_with(folder, storage)?.key().len();
                files.extend(inside.into_iter().filter(|file| {
                    let below = file.location().key().get(depth..).unwrap_or_default();
                    !below.split('/').any(|part| part.starts_with('_'))
                }));
            }
            other => files.extend(other?),
        }
    }
    if files.is_empty() {
        let pattern = paths.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
        let hint = format!("there is no .{extension} file in the folder");
        return Err(StorageError::NoMatch { pattern, hint }.into());
    }
    Ok(files)
}
