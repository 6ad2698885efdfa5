//! What can go wrong with storage, by cause: each message says what, where and how to mend it.

/// A result of this layer.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// The error below, as it came from a store, the system or a writer.
pub type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// An error of the storage layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A path or URL that cannot be taken apart.
    #[error("`{text}` is not a path or URL that can be used: {reason}")]
    BadLocation {
        /// What was given.
        text: String,
        /// What is wrong with it, and the mend.
        reason: String,
    },
    /// A URL of a scheme that is not known.
    #[error(
        "`{url}`: the scheme `{scheme}://` is not supported; use a path, file://, memory://, s3://, gs://, az:// or http(s)://"
    )]
    UnsupportedScheme {
        /// What was given.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// A URL of a scheme that this build leaves out.
    #[error(
        "`{url}`: this build has no {scheme}:// support; enable the cargo feature `{feature}` of talatat, \
         for example `cargo add talatat --features {feature}`"
    )]
    FeatureOff {
        /// What was given.
        url: String,
        /// Its scheme.
        scheme: &'static str,
        /// The cargo feature that adds it.
        feature: &'static str,
    },
    /// An option of a store that is unknown or has a value that cannot be used.
    #[error("storage option `{option}` for `{url}`: {reason}")]
    BadOption {
        /// The bucket or scheme it was meant for.
        url: String,
        /// Name of the option.
        option: String,
        /// What is wrong with it, and the mend.
        reason: String,
    },
    /// A glob that cannot be understood.
    #[error("`{pattern}` is not a valid glob: {reason}; to match a special character itself write it as `[*]`")]
    BadPattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or object that is not there.
    #[error("`{url}` does not exist: {hint}")]
    NotFound {
        /// What was looked for.
        url: String,
        /// What is there instead.
        hint: String,
    },
    /// A bucket that is not there.
    #[error(
        "`{url}`: the bucket `{bucket}` does not exist at this endpoint; check its name, the region and the endpoint \
         (AWS_REGION, AWS_ENDPOINT_URL)"
    )]
    NoBucket {
        /// What was looked for.
        url: String,
        /// The bucket's name.
        bucket: String,
    },
    /// A glob that matches nothing, or an empty list of inputs.
    #[error("`{pattern}` matches no file: {hint}")]
    NoMatch {
        /// The glob.
        pattern: String,
        /// Where was looked.
        hint: String,
    },
    /// A folder where a file is needed.
    #[error("`{url}` is a folder, not a file; to read the files in it write `{url}/*` (or `{url}/**` for all levels)")]
    IsDirectory {
        /// The folder.
        url: String,
    },
    /// An object that is no longer what it was when it was opened.
    #[error(
        "`{url}` has changed since it was opened; open it again (build the collection anew) after its writer has finished"
    )]
    Changed {
        /// The object.
        url: String,
    },
    /// A byte range that lies outside an object.
    #[error("bytes {start}..{end} of `{url}` were asked for, but it has {size} bytes")]
    BadRange {
        /// The object.
        url: String,
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
        /// The object's size in bytes.
        size: u64,
    },
    /// A `.npy` file that is not one, is truncated, or has a header that makes no sense.
    #[error("`{url}` is not a usable .npy file: {reason}")]
    BadNpy {
        /// The file.
        url: String,
        /// What is wrong with it, and the mend.
        reason: String,
    },
    /// A Zarr array that is not one, or whose metadata or chunks cannot be used.
    #[error("`{url}` is not a usable Zarr array: {reason}")]
    BadZarr {
        /// The array.
        url: String,
        /// What is wrong with it, and the mend.
        reason: String,
    },
    /// A file or store of an element type that arrays do not have.
    #[error(
        "`{url}` holds elements of dtype {dtype}; supported are bool, int8 to int64, uint8 to uint64, float16 to \
         float64, complex64 and complex128: convert it with NumPy's `astype` first"
    )]
    UnsupportedDtype {
        /// The file.
        url: String,
        /// The dtype, as NumPy writes it, with its name.
        dtype: String,
    },
    /// A `.npy` file read as another element type than it holds.
    #[error("`{url}` holds {found}, but {asked} was asked for; read it as {found} and cast")]
    WrongDtype {
        /// The file.
        url: String,
        /// The dtype in the file.
        found: String,
        /// The dtype asked for.
        asked: String,
    },
    /// A region that does not fit the array's shape.
    #[error("region {region} of `{url}`: {reason}")]
    BadRegion {
        /// The file.
        url: String,
        /// The region asked for.
        region: String,
        /// Why it does not fit.
        reason: String,
    },
    /// CSV text that cannot be cut into records.
    #[error("`{url}`, byte {offset}: {reason}")]
    BadCsv {
        /// The file.
        url: String,
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// What is wrong, and the mend.
        reason: String,
    },
    /// A compressed file that cannot be unpacked.
    #[error("`{url}` cannot be unpacked beyond {offset} bytes of text: {what}; the file is truncated or damaged")]
    Damaged {
        /// The file.
        url: String,
        /// Bytes that were unpacked.
        offset: u64,
        /// What the decoder says.
        what: String,
    },
    /// An Arrow IPC file that is not one, is truncated, or does not fit the others it is read with.
    #[error("`{url}`: {reason}")]
    BadIpc {
        /// The file.
        url: String,
        /// What is wrong, where, and the mend.
        reason: String,
    },
    /// Lines of JSON that cannot be read.
    #[error("`{url}`, byte {offset}: {reason}")]
    BadJson {
        /// The file.
        url: String,
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// What is wrong, and the mend.
        reason: String,
    },
    /// A Parquet file that is not one, is truncated, or does not fit the others it is read with.
    #[error("`{url}`: {reason}")]
    BadParquet {
        /// The file.
        url: String,
        /// What is wrong, where, and the mend.
        reason: String,
    },
    /// A database that cannot be reached, or a table or query of it that cannot be read.
    #[error("`{url}`, {reason}")]
    BadSql {
        /// The database, without the password.
        url: String,
        /// What is wrong, where, and the mend.
        reason: String,
    },
    /// An output that cannot be written.
    #[error("`{url}` cannot be written: {reason}")]
    NotWritable {
        /// The output.
        url: String,
        /// Why, and the mend.
        reason: String,
    },
    /// A writer that failed; nothing was left under the final name.
    #[error("writing `{url}` failed, nothing was left there: {source}")]
    Write {
        /// The output.
        url: String,
        /// The failure.
        source: Source,
    },
    /// Credentials that are missing, wrong, or not allowed to do this.
    #[error(
        "access to `{url}` was refused; check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
         GOOGLE_SERVICE_ACCOUNT, or AZURE_STORAGE_ACCOUNT_KEY) and their rights, or set AWS_SKIP_SIGNATURE=true for a public bucket: {source}"
    )]
    Denied {
        /// What was accessed.
        url: String,
        /// The store's answer.
        source: Source,
    },
    /// A read that failed, after its retries.
    #[error("reading bytes {start}..{end} of `{url}` failed: {source}; {mend}")]
    Read {
        /// What was read.
        url: String,
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
        /// What to do.
        mend: &'static str,
        /// The store's answer.
        source: Source,
    },
    /// Any other failure of a store, after its retries.
    #[error("access to `{url}` failed: {source}")]
    Access {
        /// What was accessed.
        url: String,
        /// The store's answer.
        source: Source,
    },
    /// The threads that talk to remote stores could not be started or were lost.
    #[error("the storage threads could not do their work: {reason}; check the limit on threads and open files")]
    Runtime {
        /// What the system said.
        reason: String,
    },
}

impl StorageError {
    /// Says of a failed read where in the object it was.
    pub(crate) fn at(self, range: &std::ops::Range<u64>) -> Self {
        match self {
            StorageError::Access { url, source } => {
                let mend = match source.to_string().contains("non-partial") {
                    true => "the server does not hand out parts of files: download the file and read that",
                    false => {
                        "try again later, or have it tried longer (storage options `max_retries`, `retry_timeout`) or with more \
                         patience for each request (`timeout`)"
                    }
                };
                StorageError::Read { url, start: range.start, end: range.end, mend, source }
            }
            other => other,
        }
    }

    /// Sorts an error of `object_store` by its cause.
    pub(crate) fn from_store(url: impl std::fmt::Display, error: object_store::Error) -> Self {
        use object_store::Error as E;
        let url = url.to_string();
        match error {
            E::NotFound { .. } => {
                StorageError::NotFound { url, hint: "it was not found in the store; check the name".into() }
            }
            E::Precondition { .. } => StorageError::Changed { url },
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => {
                StorageError::Denied { url, source: error.into() }
            }
            other if is_permission(&other) || matches!(status(&other), Some(401 | 403)) => {
                StorageError::Denied { url, source: other.into() }
            }
            other => StorageError::Access { url, source: other.into() },
        }
    }
}

/// Whether a store says that something is not there.
pub(super) fn is_missing(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) || status(error) == Some(404)
}

/// The HTTP status behind an error. `object_store` types the answers to reads and writes, but not those to listings,
/// whose status is in the text alone.
fn status(error: &object_store::Error) -> Option<u16> {
    let text = error.to_string();
    let (_, after) = text.split_once("status code: ")?;
    after.get(..3)?.parse().ok()
}

/// Whether a system error "permission denied" is among the causes.
fn is_permission(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |e| e.source())
        .filter_map(|e| e.downcast_ref::<std::io::Error>())
        .any(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
}
