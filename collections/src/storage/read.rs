//! Reading objects: one range, several, or all.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};

#[cfg(unix)]
use super::buffers::Buffer;
use super::error::{Result, StorageError, is_missing};
use super::location::{Location, Scheme};
use super::runtime;

/// Requests under way at once for one call.
const CONCURRENT: usize = 8;

/// An object that exists: where it is, how large, and which version of it.
///
/// Reads ask for the version seen at opening, so an object that was replaced in between is an
/// error ([`StorageError::Changed`]) and never a mixture of old and new blocks.
///
/// ```
/// use talatat_collections::storage::{Location, ObjectRef, write_atomic};
/// use std::io::Write;
/// let location = Location::parse("memory://read/alphabet")?;
/// write_atomic(&location, |w| w.write_all(b"abcdefgh"))?;
/// let object = ObjectRef::open(&location)?;
/// assert_eq!(object.size(), 8);
/// assert_eq!(object.read_range(2..4)?, "cd");
/// assert_eq!(object.read_ranges(&[0..1, 6..8])?, ["a", "gh"]);
/// # Ok::<(), talatat_collections::storage::StorageError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    location: Location,
    size: u64,
    etag: Option<String>,
    modified_micros: i64,
}

/// Below this a buffer costs nothing.
#[cfg(unix)]
const SMALLEST_FILE_READ: u64 = 1 << 20;

impl ObjectRef {
    /// Looks an object up: one request, nothing is read.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], [`StorageError::IsDirectory`], [`StorageError::NoBucket`],
    /// [`StorageError::Denied`] and other failures of the store.
    pub fn open(location: &Location) -> Result<Self> {
        location.store()?.block_on(look_up(location.clone()))?
    }

    /// Opens a path or URL; see [`Location::parse`] and [`ObjectRef::open`].
    ///
    /// # Errors
    /// Those of the two.
    pub fn open_url(url: &str) -> Result<Self> {
        Self::open(&Location::parse(url)?)
    }

    pub(super) fn from_meta(folder: &Location, meta: &ObjectMeta) -> Self {
        ObjectRef {
            location: folder.at(&meta.location),
            size: meta.size,
            etag: meta.e_tag.clone(),
            modified_micros: meta.last_modified.timestamp_micros(),
        }
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What changes when the object is replaced: its etag, or else the time of its last change in microseconds. With
    /// the location and the size this makes a key of the content.
    pub fn version(&self) -> String {
        self.etag.clone().unwrap_or_else(|| self.modified_micros.to_string())
    }

    /// Reads bytes `range.start..range.end` with one request. An empty range needs none.
    ///
    /// # Errors
    /// [`StorageError::BadRange`] outside of the object, [`StorageError::Changed`] if it was replaced or
    /// truncated since it was opened, or a failure of the store.
    pub fn read_range(&self, range: Range<u64>) -> Result<Bytes> {
        self.check(&range)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        if let Some(bytes) = self.read_file(&range)? {
            return Ok(bytes);
        }
        let object = self.clone();
        self.location.store()?.block_on(async move { object.fetch(range).await })?
    }

    /// Reads a part of a local file into a buffer that was used before; `None` if that is left to the store: other places, small parts, and
    /// whatever fails, so that it fails with the store's words.
    #[cfg(unix)]
    fn read_file(&self, range: &Range<u64>) -> Result<Option<Bytes>> {
        use std::os::unix::fs::{FileExt, MetadataExt};
        let length = range.end - range.start;
        if length < SMALLEST_FILE_READ {
            return Ok(None);
        }
        let (Some(path), Ok(used)) = (self.location.local_path(), usize::try_from(length)) else { return Ok(None) };
        let Ok(file) = std::fs::File::open(path) else { return Ok(None) };
        let Ok(meta) = file.metadata() else { return Ok(None) };
        let modified = meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let same = modified.is_some_and(|time| i64::try_from(time.as_micros()) == Ok(self.modified_micros));
        // The store's etag of a file begins with its inode: another file of the same time and size is another version.
        let inode = format!("{:x}-", meta.ino());
        if !same
            || meta.len() != self.size
            || !self.etag.as_ref().is_some_and(|etag| etag.trim_matches('"').starts_with(&inode))
        {
            return Ok(None);
        }
        let mut buffer = Buffer::take(used);
        match file.read_exact_at(buffer.as_mut(), range.start) {
            Ok(()) => Ok(Some(buffer.freeze())),
            Err(_) => Ok(None),
        }
    }

    #[cfg(not(unix))]
    fn read_file(&self, _: &Range<u64>) -> Result<Option<Bytes>> {
        Ok(None)
    }

    /// Reads the whole object.
    ///
    /// # Errors
    /// As [`ObjectRef::read_range`].
    pub fn read_all(&self) -> Result<Bytes> {
        self.read_range(0..self.size)
    }

    /// Reads several ranges, in the order given: one request each, up to 8 at once from a remote store. They are not
    /// merged; that is for the caller, who knows what the gaps cost.
    ///
    /// # Errors
    /// As [`ObjectRef::read_range`].
    pub fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if let [one] = ranges {
            return Ok(vec![self.read_range(one.clone())?]);
        }
        ranges.iter().try_for_each(|range| self.check(range))?;
        let (object, ranges) = (self.clone(), ranges.to_vec());
        self.location.store()?.block_on(async move {
            let object = &object;
            stream::iter(ranges).map(|range| object.fetch(range)).buffered(CONCURRENT).try_collect().await
        })?
    }

    fn check(&self, range: &Range<u64>) -> Result<()> {
        let Range { start, end } = *range;
        if start <= end && end <= self.size {
            return Ok(());
        }
        Err(StorageError::BadRange { url: self.location.to_string(), start, end, size: self.size })
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let store = self.location.store()?;
        let length = range.end - range.start;
        // A weak etag never matches in a condition (RFC 9110, 13.1.1).
        let etag = self.etag.clone().filter(|etag| !etag.starts_with("W/"));
        // Not every web server hands out parts of files, but all of them do whole ones.
        let whole = self.location.scheme().is_web() && length == self.size;
        let part = Some(range.clone()).filter(|_| !whole);
        let options = GetOptions::new().with_range(part).with_if_match(etag);
        let failed = |error| StorageError::from_store(&self.location, error).at(&range);
        let answer = store.object_store().get_opts(&self.location.path(), options).await.map_err(failed)?;
        // Not every server heeds the condition.
        let changed = || StorageError::Changed { url: self.location.to_string() };
        let strong = |etag: &str| etag.trim_start_matches("W/").to_owned();
        let seen = self.etag.as_deref().map(strong);
        let got = answer.meta.e_tag.as_deref().map(strong);
        if answer.meta.size != self.size || (seen.is_some() && got.is_some() && seen != got) {
            return Err(changed());
        }
        let bytes = answer.bytes().await.map_err(failed)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(changed()) }
    }
}

/// Reads ranges of several objects, in the order given: one request each, up to 8 at once if any is remote.
///
/// # Errors
/// As [`ObjectRef::read_range`].
#[cfg(feature = "frame")]
pub(crate) fn read_many(requests: Vec<(ObjectRef, Range<u64>)>) -> Result<Vec<Bytes>> {
    requests.iter().try_for_each(|(object, range)| object.check(range))?;
    let remote = requests.iter().any(|(object, _)| object.location.scheme().is_remote());
    let fetch = |(object, range): (ObjectRef, Range<u64>)| async move { object.fetch(range).await };
    let all = stream::iter(requests).map(fetch).buffered(CONCURRENT).try_collect();
    if remote { runtime::on_runtime(all)? } else { runtime::wait(all) }
}

/// Looks several locations up, concurrently if any is remote.
pub(super) fn look_up_all(locations: Vec<Location>) -> Result<Vec<ObjectRef>> {
    let remote = locations.iter().any(|location| location.scheme().is_remote());
    let all = stream::iter(locations).map(look_up).buffered(CONCURRENT).try_collect();
    if remote { runtime::on_runtime(all)? } else { runtime::wait(all) }
}

async fn look_up(location: Location) -> Result<ObjectRef> {
    let store = location.store()?;
    let path = location.path();
    // An empty key is the root of the store; `head` of it means different things to different stores.
    let mut answer = if path.is_root() { None } else { Some(store.object_store().head(&path).await) };
    // A web server may know only GET, or a signed URL be good for nothing else: its first byte tells as much.
    if location.scheme().is_web() && matches!(answer, Some(Err(_))) {
        let first = GetOptions::new().with_range(Some(0..1));
        if let Ok(found) = store.object_store().get_opts(&path, first).await {
            answer = Some(Ok(found.meta));
        }
    }
    match answer {
        Some(Ok(meta)) => Ok(ObjectRef { location: location.clone(), ..ObjectRef::from_meta(&location, &meta) }),
        Some(Err(error)) if !is_missing(&error) => Err(if is_local_folder(&location) {
            StorageError::IsDirectory { url: location.to_string() }
        } else {
            StorageError::from_store(&location, error)
        }),
        _ => Err(explain_absence(&location, store.object_store().as_ref(), &path).await),
    }
}

fn is_local_folder(location: &Location) -> bool {
    location.local_path().is_some_and(|path| path.is_dir())
}

/// Why there is nothing: a folder, a bucket that is not there, or only this one name.
async fn explain_absence(location: &Location, store: &dyn ObjectStore, path: &Path) -> StorageError {
    let url = location.to_string();
    let folder = || StorageError::IsDirectory { url: url.trim_end_matches('/').into() };
    if let Some(local) = location.local_path() {
        if local.is_dir() {
            return folder();
        }
        let hint = match local.ancestors().skip(1).find(|folder| folder.exists()) {
            Some(folder) if local.parent() == Some(folder) => {
                format!("the folder {} has no file of that name", folder.display())
            }
            Some(folder) => format!("of its path only {} exists", folder.display()),
            None => "none of its folders exists".into(),
        };
        return StorageError::NotFound { url, hint };
    }
    if location.scheme().is_web() {
        return StorageError::NotFound { url, hint: "the server has no file of that name".into() };
    }
    match store.list_with_delimiter(Some(path)).await {
        Ok(list) if !list.objects.is_empty() || !list.common_prefixes.is_empty() => folder(),
        Err(error) if is_missing(&error) => StorageError::NoBucket { url, bucket: location.bucket().into() },
        Ok(_) if location.scheme() == Scheme::Memory => {
            StorageError::NotFound { url, hint: "nothing of that name was written in this process".into() }
        }
        Ok(_) => StorageError::NotFound {
            url,
            hint: format!("the bucket `{}` has no object of that name", location.bucket()),
        },
        Err(error) => StorageError::from_store(location, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &tempfile::TempDir, name: &str, content: &[u8]) -> String {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn ranges_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let object = ObjectRef::open_url(&file(&folder, "x", b"0123456789")).unwrap();
        assert_eq!(object.read_all().unwrap(), "0123456789");
        assert_eq!(object.read_range(3..3).unwrap(), "");
        assert_eq!(object.read_ranges(&[8..10, 4..4, 0..2]).unwrap(), ["89", "", "01"]);
        assert!(object.read_ranges(&[]).unwrap().is_empty());
        #[allow(clippy::reversed_empty_ranges)]
        for bad in [5..11, 11..12, 4..3] {
            let error = object.read_range(bad.clone()).unwrap_err();
            assert!(matches!(error, StorageError::BadRange { size: 10, .. }), "{error}");
            assert!(object.read_ranges(&[0..1, bad]).is_err());
        }
    }

    #[test]
    fn an_empty_file() {
        let folder = tempfile::tempdir().unwrap();
        let object = ObjectRef::open_url(&file(&folder, "empty", b"")).unwrap();
        assert_eq!((object.size(), object.read_all().unwrap()), (0, Bytes::new()));
    }

    #[test]
    fn absence_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        let message = |url: String| ObjectRef::open_url(&url).unwrap_err().to_string();
        assert!(message(format!("{root}/x.csv")).contains("has no file of that name"));
        assert!(message(format!("{root}/a/b/x.csv")).contains(&format!("only {root} exists")));
        assert!(message(root.to_owned()).contains("is a folder"));
        assert!(message("/".into()).contains("is a folder"));
        assert!(message("memory://never-written".into()).contains("in this process"));
        let inside_a_file = format!("{}/x", file(&folder, "plain", b"1"));
        assert!(message(inside_a_file).contains("plain/x"));
    }

    #[test]
    fn a_replaced_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(&folder, "x", b"old");
        let object = ObjectRef::open_url(&path).unwrap();
        std::fs::write(&path, b"newer").unwrap();
        assert!(matches!(object.read_all(), Err(StorageError::Changed { .. })));
        assert_ne!(ObjectRef::open_url(&path).unwrap().version(), object.version());
    }

    #[test]
    fn from_inside_a_runtime_and_from_many_threads() {
        let folder = tempfile::tempdir().unwrap();
        let object = ObjectRef::open_url(&file(&folder, "x", &[7; 4096])).unwrap();
        let outer = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(outer.block_on(async { object.read_all().unwrap().len() }), 4096);
        std::thread::scope(|scope| {
            for i in 0..8 {
                let object = &object;
                scope.spawn(move || assert_eq!(object.read_range(i..2 * i + 1).unwrap().len() as u64, i + 1));
            }
        });
    }
}
