//! Writing objects that are there completely or not at all.

use std::io::{self, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use tempfile::NamedTempFile;
use tokio::task::JoinHandle;

use super::error::{Result, Source, StorageError, is_missing};
use super::location::Location;
use super::runtime;
use super::store::Store;

/// Size of one part of a multipart upload. Stores want at least 5 MiB and at most 10,000 parts: 80 GB an object.
const PART: usize = 8 << 20;
/// Parts on their way at once.
const CONCURRENT: usize = 4;
const BUFFER: usize = 256 << 10;

/// Writes an object through a closure; it appears under its name when the closure has succeeded, complete, or not at all.
///
/// Local files are written to a hidden temporary file in the same folder (missing folders are made) and renamed;
/// other stores get one put, or for more than 8 MiB parts of 8 MiB that are joined at the end (up to 80 GB). If the closure, or the store, fails,
/// what was there before stays and temporary data is removed. A rename is atomic for other processes; that the data
/// survives a loss of power is not promised. Memory: the part being filled and up to four on their way.
///
/// # Errors
/// [`StorageError::Write`] with the closure's error, [`StorageError::NotWritable`], or a failure of the store.
///
/// ```
/// use talatat_collections::storage::{Location, ObjectRef, write_atomic};
/// use std::io::{self, Write};
/// let location = Location::parse("memory://write/example")?;
/// let failed = write_atomic(&location, |w| {
///     w.write_all(b"half of it")?;
///     Err::<(), _>(io::Error::other("the source ran dry"))
/// });
/// assert!(failed.unwrap_err().to_string().contains("the source ran dry"));
/// assert!(ObjectRef::open(&location).is_err());
/// # Ok::<(), talatat_collections::storage::StorageError>(())
/// ```
pub fn write_atomic<R, E>(location: &Location, write: impl FnOnce(&mut AtomicWriter) -> Result<R, E>) -> Result<R>
where
    E: Into<Source>,
{
    let mut writer = AtomicWriter { target: Target::new(location)?, written: 0, broken: false };
    let failed = |source| StorageError::Write { url: location.to_string(), source };
    let result = write(&mut writer).map_err(|error| failed(error.into()));
    // Dropping the target removes what was written.
    let result = result?;
    if writer.broken {
        return Err(failed("an earlier write failed and was passed over".into()));
    }
    writer.target.finish(location)?;
    Ok(result)
}

/// Whether an object could be written here, tested without leaving anything: for the time when a graph is built.
///
/// For a local file the nearest existing folder above it gets a temporary file that is removed at once; for a remote
/// store a multipart upload is begun and aborted.
///
/// # Errors
/// [`StorageError::NotWritable`], [`StorageError::Denied`], [`StorageError::NoBucket`] or another failure of the store.
///
/// ```
/// use talatat_collections::storage::{Location, check_writable};
/// check_writable(&Location::parse("memory://anywhere")?)?;
/// # #[cfg(target_os = "linux")]
/// assert!(check_writable(&Location::parse("/proc/x.npy")?).is_err());
/// # Ok::<(), talatat_collections::storage::StorageError>(())
/// ```
pub fn check_writable(location: &Location) -> Result<()> {
    let Some(path) = target_path(location)? else {
        let (store, at) = (location.store()?, location.clone());
        let inner = Arc::clone(store.object_store());
        return store.block_on(async move {
            let mut upload = inner.put_multipart(&at.path()).await.map_err(|e| refused(&at, e))?;
            upload.abort().await.map_err(|e| refused(&at, e))
        })?;
    };
    let folder = path.ancestors().skip(1).find(|folder| folder.exists());
    let folder = folder.ok_or_else(|| not_writable(location, "none of the folders above it exists"))?;
    temporary(folder).map(drop).map_err(|error| folder_error(location, folder, &error))
}

/// The writer that [`write_atomic`] hands to its closure; it buffers.
#[derive(Debug)]
pub struct AtomicWriter {
    target: Target,
    written: u64,
    /// A write has failed: what follows would have a hole before it.
    broken: bool,
}

impl AtomicWriter {
    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }
}

impl Write for AtomicWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &mut self.target {
            Target::File { file, .. } => file.write(bytes),
            Target::Object(upload) => upload.write(bytes),
        };
        // An interrupted write is tried again by its caller and has lost nothing.
        let lost = |error: &io::Error| error.kind() != io::ErrorKind::Interrupted;
        self.broken |= count.as_ref().is_err_and(lost);
        self.written += count.as_ref().map_or(0, |&count| count as u64);
        count
    }

    /// Writes all of it at once. It only saves calls.
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::File { file, .. } => file.flush().inspect_err(|_| self.broken = true),
            Target::Object(_) => Ok(()),
        }
    }
}

#[derive(Debug)]
enum Target {
    File { file: io::BufWriter<NamedTempFile>, path: PathBuf },
    Object(Upload),
}

impl Target {
    fn new(location: &Location) -> Result<Self> {
        let Some(path) = target_path(location)? else {
            return Ok(Target::Object(Upload::new(location)?));
        };
        let folder = path.parent().unwrap_or(FilePath::new("/"));
        let file = std::fs::create_dir_all(folder)
            .and_then(|()| temporary(folder))
            .map_err(|error| folder_error(location, folder, &error))?;
        Ok(Target::File { file: io::BufWriter::with_capacity(BUFFER, file), path })
    }

    fn finish(self, location: &Location) -> Result<()> {
        let failed = |error: io::Error| StorageError::Write { url: location.to_string(), source: error.into() };
        match self {
            Target::File { file, path } => {
                let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
                file.persist(path).map(drop).map_err(|error| failed(error.error))
            }
            Target::Object(upload) => upload.finish(),
        }
    }
}

/// The path of a local output; a folder of that name is refused. `None` for other stores.
pub(super) fn target_path(location: &Location) -> Result<Option<PathBuf>> {
    if location.scheme().is_web() {
        return Err(not_writable(location, "web servers are only read from; write to a folder or a bucket"));
    }
    if location.path().is_root() {
        return Err(not_writable(location, "it names a whole store; add the name of a file"));
    }
    match location.local_path() {
        Some(path) if path.is_dir() => Err(not_writable(location, "a folder of that name is there; add a file's name")),
        // A link stays a link: what it points at is replaced.
        Some(path) if path.is_symlink() => Ok(Some(path.canonicalize().unwrap_or(path))),
        other => Ok(other),
    }
}

/// A hidden file (globs pass over it) that is removed when dropped, with the usual permissions of new files.
pub(super) fn temporary(folder: &FilePath) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".talatat-").suffix(".tmp").tempfile_in(folder)
}

fn not_writable(location: &Location, reason: impl Into<String>) -> StorageError {
    StorageError::NotWritable { url: location.to_string(), reason: reason.into() }
}

pub(super) fn folder_error(location: &Location, folder: &FilePath, error: &io::Error) -> StorageError {
    let reason =
        format!("no file can be made in {} ({error}); check the path, its permissions and the disk", folder.display());
    not_writable(location, reason)
}

/// What a store says to a write: there, "not found" can only be the bucket.
pub(super) fn refused(location: &Location, error: object_store::Error) -> StorageError {
    match error {
        missing if is_missing(&missing) => {
            StorageError::NoBucket { url: location.to_string(), bucket: location.bucket().into() }
        }
        other => StorageError::from_store(location, other),
    }
}

/// One object on its way: the part being filled, and the upload if there is more than one.
#[derive(Debug)]
struct Upload {
    location: Location,
    store: Store,
    buffer: Vec<u8>,
    parts: Option<Parts>,
}

/// A multipart upload; aborted if dropped before its end.
#[derive(Debug)]
struct Parts {
    upload: Option<Box<dyn MultipartUpload>>,
    running: std::collections::VecDeque<JoinHandle<object_store::Result<()>>>,
}

impl Drop for Parts {
    fn drop(&mut self) {
        if let Some(mut upload) = self.upload.take() {
            self.running.drain(..).for_each(|part| part.abort());
            // Nobody is left to hear of a failure here; the store's own expiry of parts is the second line.
            let _ = runtime::on_runtime(async move { upload.abort().await });
        }
    }
}

impl Upload {
    fn new(location: &Location) -> Result<Self> {
        Ok(Upload { location: location.clone(), store: location.store()?, buffer: Vec::new(), parts: None })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() == PART {
            self.send_part().map_err(io::Error::other)?;
        }
        let count = bytes.len().min(PART - self.buffer.len());
        self.buffer.extend(bytes.iter().take(count));
        Ok(count)
    }

    fn send_part(&mut self) -> Result<()> {
        let payload = PutPayload::from(std::mem::take(&mut self.buffer));
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => {
                let (inner, at) = (Arc::clone(self.store.object_store()), self.location.clone());
                let upload = runtime::on_runtime(async move { inner.put_multipart(&at.path()).await })?;
                let upload = upload.map_err(|error| refused(&self.location, error))?;
                none.insert(Parts { upload: Some(upload), running: Default::default() })
            }
        };
        if parts.running.len() >= CONCURRENT {
            parts.wait_for_one(&self.location)?;
        }
        if let Some(upload) = &mut parts.upload {
            let part = upload.put_part(payload);
            parts.running.push_back(runtime::runtime()?.spawn(part));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        if self.parts.is_none() {
            let payload = PutPayload::from(std::mem::take(&mut self.buffer));
            let (inner, at) = (Arc::clone(self.store.object_store()), self.location.clone());
            return self.store.block_on(async move {
                inner.put(&at.path(), payload).await.map(drop).map_err(|error| refused(&at, error))
            })?;
        }
        if !self.buffer.is_empty() {
            self.send_part()?;
        }
        let Some(mut parts) = self.parts else {
            return Ok(());
        };
        while !parts.running.is_empty() {
            parts.wait_for_one(&self.location)?;
        }
        let Some(mut upload) = parts.upload.take() else {
            return Ok(());
        };
        let (done, upload) = runtime::on_runtime(async move { (upload.complete().await, upload) })?;
        done.map(drop).map_err(|error| {
            // Back into the guard: what could not be joined is to be removed.
            parts.upload = Some(upload);
            refused(&self.location, error)
        })
    }
}

impl Parts {
    fn wait_for_one(&mut self, location: &Location) -> Result<()> {
        let Some(part) = self.running.pop_front() else {
            return Ok(());
        };
        runtime::wait(part)
            .map_err(|error| StorageError::Runtime { reason: error.to_string() })?
            .map_err(|error| refused(location, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::ObjectRef;

    fn names(folder: &FilePath) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn at(folder: &tempfile::TempDir, name: &str) -> Location {
        Location::parse(folder.path().join(name).to_str().unwrap()).unwrap()
    }

    #[test]
    fn folders_are_made_and_no_temporary_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let location = at(&folder, "a/b/x");
        let count = write_atomic(&location, |w| w.write_all(b"abc").map(|()| w.written())).unwrap();
        assert_eq!(count, 3);
        assert_eq!(std::fs::read(location.local_path().unwrap()).unwrap(), b"abc");
        assert_eq!(names(&folder.path().join("a/b")), ["x"]);
    }

    #[test]
    fn a_failed_writer_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        for location in [at(&folder, "x"), Location::parse("memory://write-tests/kept").unwrap()] {
            write_atomic(&location, |w| w.write_all(b"old")).unwrap();
            // More than a part, so that a multipart upload has begun.
            let failed: Result<()> = write_atomic(&location, |w| {
                w.write_all(&vec![1; PART + 1])?;
                Err(io::Error::other("broken"))
            });
            assert!(matches!(&failed, Err(StorageError::Write { .. })), "{failed:?}");
            assert_eq!(ObjectRef::open(&location).unwrap().read_all().unwrap(), "old");
        }
        assert_eq!(names(folder.path()), ["x"]);
    }

    #[test]
    fn a_panicking_writer_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let location = at(&folder, "x");
        let caught = std::panic::catch_unwind(|| {
            write_atomic(&location, |w| {
                w.write_all(b"abc")?;
                panic!("boom");
                #[allow(unreachable_code)]
                Ok::<(), io::Error>(())
            })
        });
        assert!(caught.is_err());
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn many_parts_arrive_in_order() {
        let location = Location::parse("memory://write-tests/parts").unwrap();
        for size in [0, 1, PART, PART + 1, 6 * PART + 5] {
            let content: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            write_atomic(&location, |w| content.chunks(1_000_003).try_for_each(|c| w.write_all(c))).unwrap();
            assert!(ObjectRef::open(&location).unwrap().read_all().unwrap() == content, "{size}");
        }
    }

    #[test]
    fn unwritable_outputs_are_found_early() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), b"").unwrap();
        for bad in [at(&folder, "file/x"), at(&folder, "file/a/x"), at(&folder, ""), Location::parse("/").unwrap()] {
            let early = check_writable(&bad).unwrap_err();
            assert!(matches!(early, StorageError::NotWritable { .. }), "{early}");
            let late = write_atomic(&bad, |w| w.write_all(b"x")).unwrap_err();
            assert!(matches!(late, StorageError::NotWritable { .. }), "{late}");
        }
        for good in [at(&folder, "file"), at(&folder, "new/deep/x"), Location::parse("memory://new").unwrap()] {
            check_writable(&good).unwrap();
        }
        assert_eq!(names(folder.path()), ["file"]);
        assert!(ObjectRef::open_url("memory://new").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_are_those_of_ordinary_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("plain"), b"").unwrap();
        std::os::unix::fs::symlink(folder.path().join("plain"), folder.path().join("link")).unwrap();
        write_atomic(&at(&folder, "link"), |w| w.write_all(b"x")).unwrap();
        write_atomic(&at(&folder, "made"), |w| w.write_all(b"x")).unwrap();
        std::fs::write(folder.path().join("other"), b"").unwrap();
        let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("made"), mode("other"));
        assert!(folder.path().join("link").is_symlink());
        assert_eq!(std::fs::read(folder.path().join("plain")).unwrap(), b"x");
    }
}
