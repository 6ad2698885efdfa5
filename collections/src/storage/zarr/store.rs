//! Our stores as the `zarrs` crate wants them.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload, coalesce_ranges};
use parking_lot::Mutex;
use zarrs::storage::byte_range::{ByteRange, ByteRangeIterator};
use zarrs::storage::{
    MaybeBytes, MaybeBytesIterator, OffsetBytesIterator, ReadableStorageTraits, StorageError as ZarrError, StoreKey,
    StorePrefix, WritableStorageTraits,
};

use crate::storage::error::{Result, StorageError, is_missing};
use crate::storage::location::{Location, Scheme};
use crate::storage::write::{refused, write_atomic};

/// Requests under way at once for one call.
const CONCURRENT: usize = 8;
/// Gaps up to this many bytes are read and thrown away, as that is cheaper than another request.
const GAP: u64 = 16 << 10;
const REMOTE_GAP: u64 = 1 << 20;
/// Objects up to this size are sent at once, without a copy.
const AT_ONCE: usize = 64 << 20;

/// The keys below a location.
#[derive(Debug)]
pub(super) struct ZarrStore {
    root: Location,
    pin: Option<Pin>,
}

/// The version of the one object that is read in several requests, once it is known.
type Pin = Arc<Mutex<Option<String>>>;

impl ZarrStore {
    pub(super) fn new(root: Location) -> Self {
        ZarrStore { root, pin: None }
    }

    /// A store for reading one object in several requests: all must meet the same version of it.
    pub(super) fn pinned(&self) -> Self {
        ZarrStore { root: self.root.clone(), pin: Some(Pin::default()) }
    }

    pub(super) fn root(&self) -> &Location {
        &self.root
    }

    /// Where the object of a key is.
    pub(super) fn location(&self, key: &str) -> Result<Location> {
        self.root.join(key)
    }

    /// An object, or a part of it; `None` if it is not there.
    pub(super) fn read(&self, key: &str, ranges: Vec<ByteRange>) -> Result<Option<Vec<Bytes>>> {
        let at = self.location(key)?;
        let pin = self.pin.clone();
        self.root.store()?.block_on(async move { fetch(&at, ranges, pin).await })?
    }

    /// A whole object; `None` if it is not there.
    pub(super) fn read_all(&self, key: &str) -> Result<Option<Bytes>> {
        Ok(self.read(key, vec![ByteRange::FromStart(0, None)])?.and_then(|mut all| all.pop()))
    }

    /// Writes an object: it is there completely or not at all.
    pub(super) fn write(&self, key: &str, bytes: Bytes) -> Result<()> {
        let at = self.location(key)?;
        if at.scheme() == Scheme::File || bytes.len() > AT_ONCE {
            return write_atomic(&at, |writer| std::io::Write::write_all(writer, &bytes));
        }
        let store = at.store()?;
        let inner = Arc::clone(store.object_store());
        store.block_on(async move {
            let put = inner.put(&at.path(), PutPayload::from(bytes)).await;
            put.map(drop).map_err(|error| refused(&at, error))
        })?
    }

    /// Removes an object, if it is there.
    pub(super) fn remove(&self, key: &str) -> Result<()> {
        let at = self.location(key)?;
        let store = at.store()?;
        let inner = Arc::clone(store.object_store());
        store.block_on(async move {
            match inner.delete(&at.path()).await {
                Err(error) if !is_missing(&error) => Err(refused(&at, error)),
                _ => Ok(()),
            }
        })?
    }
}

async fn fetch(at: &Location, ranges: Vec<ByteRange>, pin: Option<Pin>) -> Result<Option<Vec<Bytes>>> {
    let store = at.store()?;
    let store = store.object_store().as_ref();
    let bounded = |range: &ByteRange| match *range {
        ByteRange::FromStart(start, Some(length)) => Some(start..start.saturating_add(length)),
        _ => None,
    };
    let all: Option<Vec<_>> = ranges.iter().map(bounded).collect();
    let got = match all {
        Some(all) if all.len() > 1 => {
            let gap = if at.scheme().is_remote() { REMOTE_GAP } else { GAP };
            let one = |range: std::ops::Range<u64>| one(at, store, ByteRange::new(range), pin.clone());
            coalesce_ranges(&all, one, gap).await
        }
        _ => {
            let one = |range| one(at, store, range, pin.clone());
            stream::iter(ranges).map(one).buffered(CONCURRENT).try_collect().await
        }
    };
    match got {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Failed::Missing) => Ok(None),
        Err(Failed::Other(error)) => Err(error),
    }
}

/// Why a request gave nothing.
enum Failed {
    Missing,
    Other(StorageError),
}

async fn one(
    at: &Location,
    store: &dyn ObjectStore,
    range: ByteRange,
    pin: Option<Pin>,
) -> std::result::Result<Bytes, Failed> {
    let (wanted, length) = match range {
        ByteRange::FromStart(0, None) => (None, None),
        ByteRange::FromStart(start, None) => (Some(GetRange::Offset(start)), None),
        ByteRange::FromStart(_, Some(0)) => return Ok(Bytes::new()),
        ByteRange::FromStart(start, Some(length)) => {
            (Some(GetRange::Bounded(start..start.saturating_add(length))), Some(length))
        }
        ByteRange::Suffix(length) => (Some(GetRange::Suffix(length)), Some(length)),
    };
    let other = |error| Failed::Other(StorageError::from_store(at, error));
    let answer = match store.get_opts(&at.path(), GetOptions { range: wanted, ..GetOptions::new() }).await {
        Err(error) if is_missing(&error) => return Err(Failed::Missing),
        answer => answer.map_err(other)?,
    };
    let changed = || Failed::Other(StorageError::Changed { url: at.to_string() });
    if let (Some(pin), Some(etag)) = (pin, answer.meta.e_tag.as_deref()) {
        let etag = etag.trim_start_matches("W/");
        if pin.lock().get_or_insert_with(|| etag.to_owned()) != etag {
            return Err(changed());
        }
    }
    let size = answer.meta.size;
    let bytes = answer.bytes().await.map_err(other)?;
    match length {
        Some(length) if bytes.len() as u64 != length => {
            let ByteRange::FromStart(start, _) = range else { return Err(Failed::Other(too_short(at, length, size))) };
            let (url, end) = (at.to_string(), start.saturating_add(length));
            Err(Failed::Other(StorageError::BadRange { url, start, end, size }))
        }
        _ => Ok(bytes),
    }
}

fn too_short(at: &Location, length: u64, size: u64) -> StorageError {
    StorageError::BadRange { url: at.to_string(), start: 0, end: length, size }
}

fn failed(error: StorageError) -> ZarrError {
    ZarrError::Other(error.to_string())
}

impl ReadableStorageTraits for ZarrStore {
    fn get_partial_many<'a>(
        &'a self,
        key: &StoreKey,
        ranges: ByteRangeIterator<'a>,
    ) -> Result<MaybeBytesIterator<'a>, ZarrError> {
        let read = self.read(key.as_str(), ranges.collect()).map_err(failed)?;
        Ok(read.map(|bytes| Box::new(bytes.into_iter().map(Ok)) as Box<_>))
    }

    fn get(&self, key: &StoreKey) -> Result<MaybeBytes, ZarrError> {
        self.read_all(key.as_str()).map_err(failed)
    }

    fn size_key(&self, key: &StoreKey) -> Result<Option<u64>, ZarrError> {
        let at = self.location(key.as_str()).map_err(failed)?;
        let store = at.store().map_err(failed)?;
        let inner = Arc::clone(store.object_store());
        let size = store.block_on(async move {
            match inner.head(&at.path()).await {
                Ok(meta) => Ok(Some(meta.size)),
                Err(error) if is_missing(&error) => Ok(None),
                Err(error) => Err(StorageError::from_store(&at, error)),
            }
        });
        size.and_then(|size| size).map_err(failed)
    }

    fn supports_get_partial(&self) -> bool {
        true
    }
}

impl WritableStorageTraits for ZarrStore {
    fn set(&self, key: &StoreKey, value: Bytes) -> Result<(), ZarrError> {
        self.write(key.as_str(), value).map_err(failed)
    }

    fn set_partial_many(&self, _: &StoreKey, _: OffsetBytesIterator) -> Result<(), ZarrError> {
        // Chunks are written whole: two writers of one chunk could lose what one of them wrote.
        Err(ZarrError::Unsupported("a part of a chunk cannot be written".into()))
    }

    fn erase(&self, key: &StoreKey) -> Result<(), ZarrError> {
        self.remove(key.as_str()).map_err(failed)
    }

    fn erase_prefix(&self, _: &StorePrefix) -> Result<(), ZarrError> {
        Err(ZarrError::Unsupported("chunks are removed one by one".into()))
    }

    fn supports_set_partial(&self) -> bool {
        false
    }
}
