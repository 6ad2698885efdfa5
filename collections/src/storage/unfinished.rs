//! Objects that several tasks write, each its part: they appear under their name when all is there, or not at all.
//!
//! What is on its way is data, so that tasks in other processes can write their parts; who began it holds a [`Guard`] that removes what
//! was not finished.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use object_store::PutPayload;
use object_store::multipart::PartId;
use serde::{Deserialize, Serialize};
use tempfile::TempPath;

use super::error::{Result, Source, StorageError};
use super::location::Location;
use super::runtime;
use super::write::{folder_error, refused, target_path, temporary};

/// A local file on its way: a hidden temporary file beside it that is renamed at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UnfinishedFile {
    location: Location,
    temporary: PathBuf,
    path: PathBuf,
}

/// An object on its way: a multipart upload whose parts may come in any order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UnfinishedUpload {
    location: Location,
    id: String,
}

/// Removes what was written when it is dropped; what has been finished stays.
#[derive(Debug)]
pub(crate) enum Guard {
    /// The temporary file, which is gone if it was renamed.
    File { _path: TempPath },
    /// The upload, and whether it was completed.
    Upload(UnfinishedUpload, AtomicBool),
}

impl Guard {
    /// Says that all has been finished: there is nothing to remove.
    pub(crate) fn finished(&self) {
        if let Guard::Upload(_, finished) = self {
            finished.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Guard::Upload(upload, finished) = self
            && !*finished.get_mut()
        {
            // Nobody is left to hear of a failure here; the store's own expiry of parts is the second line.
            let _ = upload.abort();
        }
    }
}

impl UnfinishedFile {
    /// Begins a local file of `size` bytes with its first ones; `None` if the location is in another store.
    pub(crate) fn begin(location: &Location, start: &[u8], size: u64) -> Result<Option<(UnfinishedFile, Guard)>> {
        let Some(path) = target_path(location)? else { return Ok(None) };
        let folder = path.parent().unwrap_or(FilePath::new("/"));
        let mut file = std::fs::create_dir_all(folder)
            .and_then(|()| temporary(folder))
            .map_err(|error| folder_error(location, folder, &error))?;
        let begun = file.write_all(start).and_then(|()| file.as_file().set_len(size));
        begun.map_err(|error| failed(location, error))?;
        let guard = file.into_temp_path();
        let unfinished = UnfinishedFile { location: location.clone(), temporary: guard.to_path_buf(), path };
        Ok(Some((unfinished, Guard::File { _path: guard })))
    }

    /// Where it will be.
    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// Opens it for writing of regions.
    pub(crate) fn open(&self) -> Result<Regions<'_>> {
        let file = OpenOptions::new().write(true).open(&self.temporary);
        let file = file.map_err(|error| failed(&self.location, error))?;
        Ok(Regions { file, at: 0, location: &self.location })
    }

    /// Gives it its name.
    pub(crate) fn finish(&self) -> Result<()> {
        std::fs::rename(&self.temporary, &self.path).map_err(|error| failed(&self.location, error))
    }
}

/// An open file that is written here and there.
pub(crate) struct Regions<'a> {
    file: File,
    at: u64,
    location: &'a Location,
}

impl Regions<'_> {
    /// Writes bytes at a place.
    pub(crate) fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        let seek = if at == self.at { Ok(at) } else { self.file.seek(SeekFrom::Start(at)) };
        seek.and_then(|_| self.file.write_all(bytes)).map_err(|error| failed(self.location, error))?;
        self.at = at + bytes.len() as u64;
        Ok(())
    }
}

impl UnfinishedUpload {
    /// Begins an upload.
    pub(crate) fn begin(location: &Location) -> Result<(UnfinishedUpload, Guard)> {
        let upload = Self::begin_unguarded(location)?;
        Ok((upload.clone(), Guard::Upload(upload, AtomicBool::new(false))))
    }

    /// Begins an upload that the caller will abort if it is not finished.
    pub(crate) fn begin_unguarded(location: &Location) -> Result<UnfinishedUpload> {
        let (store, at) = (location.store()?, location.clone());
        let parts = store.multipart_store(location)?.clone();
        let id = store
            .block_on(async move { parts.create_multipart(&at.path()).await.map_err(|error| refused(&at, error)) })??;
        Ok(UnfinishedUpload { location: location.clone(), id })
    }

    /// Where it will be.
    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// Sends a part and gives the store's name for it.
    pub(crate) fn put(&self, part: usize, bytes: Vec<u8>) -> Result<String> {
        let (store, own) = (self.location.store()?, self.clone());
        let parts = store.multipart_store(&self.location)?.clone();
        store.block_on(async move {
            let sent = parts.put_part(&own.location.path(), &own.id, part, PutPayload::from(bytes)).await;
            sent.map(|part| part.content_id).map_err(|error| refused(&own.location, error))
        })?
    }

    /// Joins the parts, in order.
    pub(crate) fn finish(&self, ids: Vec<String>) -> Result<()> {
        let (store, own) = (self.location.store()?, self.clone());
        let parts = store.multipart_store(&self.location)?.clone();
        let ids = ids.into_iter().map(|content_id| PartId { content_id }).collect();
        store.block_on(async move {
            let joined = parts.complete_multipart(&own.location.path(), &own.id, ids).await;
            joined.map(drop).map_err(|error| refused(&own.location, error))
        })?
    }

    pub(crate) fn abort(&self) -> Result<()> {
        let own = self.clone();
        let parts = self.location.store()?.multipart_store(&self.location)?.clone();
        runtime::on_runtime(async move {
            let aborted = parts.abort_multipart(&own.location.path(), &own.id).await;
            aborted.map_err(|error| refused(&own.location, error))
        })?
    }
}

fn failed(location: &Location, error: impl Into<Source>) -> StorageError {
    StorageError::Write { url: location.to_string(), source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::ObjectRef;

    #[test]
    fn a_file_appears_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/x");
        let location = Location::parse(path.to_str().unwrap()).unwrap();
        for finish in [false, true] {
            let (file, guard) = UnfinishedFile::begin(&location, b"ab", 6).unwrap().unwrap();
            let mut regions = file.open().unwrap();
            regions.write_at(4, b"ef").unwrap();
            regions.write_at(2, b"c").unwrap();
            regions.write_at(3, b"d").unwrap();
            assert!(!path.exists());
            if finish {
                file.finish().unwrap();
            }
            drop(guard);
            let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
            assert_eq!((left, path.exists()), (usize::from(finish), finish));
            assert!(file.open().is_err() && file.finish().is_err());
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"abcdef");
    }

    #[test]
    fn an_upload_appears_when_it_is_finished() {
        let location = Location::parse("memory://unfinished/x").unwrap();
        assert!(UnfinishedFile::begin(&location, b"", 0).unwrap().is_none());
        let (upload, guard) = UnfinishedUpload::begin(&location).unwrap();
        let first = upload.put(0, b"ab".to_vec()).unwrap();
        let last = upload.put(1, b"cd".to_vec()).unwrap();
        drop(guard);
        assert!(upload.finish(vec![first, last]).is_err(), "it was aborted");
        assert!(ObjectRef::open(&location).is_err());
        let (upload, guard) = UnfinishedUpload::begin(&location).unwrap();
        let first = upload.put(0, b"ab".to_vec()).unwrap();
        let last = upload.put(1, b"cd".to_vec()).unwrap();
        upload.finish(vec![first, last]).unwrap();
        guard.finished();
        drop(guard);
        assert_eq!(ObjectRef::open(&location).unwrap().read_all().unwrap(), "abcd");
    }
}
