//! Folders of parts that tasks write, each some: they appear together at the end, or not at all.
//!
//! Local parts are written into a hidden folder beside the target, which gets the target's name, or whose files are moved into it. Elsewhere each
//! part is a multipart upload that is completed at the end. What is on its way is data, so that tasks in other processes can write parts; who
//! began holds a [`PartsGuard`] that removes what was not finished.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::error::{Result, Source, StorageError, is_missing};
use super::folder::{begin_folder, replace_folder};
use super::glob::objects_below;
use super::location::Location;
use super::unfinished::UnfinishedUpload;
use super::write::{AtomicWriter, check_writable, write_atomic};

/// Bytes of one part of an upload.
const PART: usize = 8 << 20;

/// What is done with what is in the folder already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Existing {
    /// It is an error.
    #[default]
    Refuse,
    /// It stays.
    Keep,
    /// It is removed when the new parts are there.
    Replace,
}

/// A folder of parts on its way, as tasks know it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PartsOutput {
    location: Location,
    existing: Existing,
    /// The hidden local folder that is written into, and the path it will have.
    hidden: Option<(Location, PathBuf)>,
    /// The number of the first part: those before are taken.
    first: u64,
    /// What was there, below the location.
    old: Vec<String>,
}

/// Removes what was written when it is dropped; what has been finished stays. Uploads are aborted with what their tasks gave back.
#[derive(Debug)]
pub(crate) struct PartsGuard {
    _hidden: Option<TempDir>,
}

/// A part that was written and has no name yet. Dropping it gives it up, unless it was passed on.
#[derive(Debug)]
pub(crate) struct Part {
    name: String,
    upload: Option<(UnfinishedUpload, Vec<String>)>,
    /// Somebody else has it now, or it is finished.
    passed_on: AtomicBool,
}

impl Part {
    /// What another process needs to finish it; this one no longer gives it up.
    pub(crate) fn pass_on(&self) -> (String, Option<(UnfinishedUpload, Vec<String>)>) {
        self.passed_on.store(true, Ordering::Relaxed);
        (self.name.clone(), self.upload.clone())
    }

    /// A part that was passed on.
    pub(crate) fn taken((name, upload): (String, Option<(UnfinishedUpload, Vec<String>)>)) -> Part {
        Part { name, upload, passed_on: AtomicBool::new(false) }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let (false, Some((upload, _))) = (*self.passed_on.get_mut(), &self.upload) {
            // Nobody is left to hear of a failure here; the store's own expiry of parts is the second line.
            let _ = upload.abort();
        }
    }
}

/// Where a part is written to.
pub(crate) enum PartWriter<'a> {
    File(&'a mut AtomicWriter),
    Upload(UploadWriter),
}

impl Write for PartWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            PartWriter::File(file) => file.write(bytes),
            PartWriter::Upload(upload) => upload.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            PartWriter::File(file) => file.flush(),
            PartWriter::Upload(_) => Ok(()),
        }
    }
}

/// An upload being filled.
pub(crate) struct UploadWriter {
    upload: UnfinishedUpload,
    buffer: Vec<u8>,
    ids: Vec<String>,
}

impl UploadWriter {
    fn send(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.buffer);
        self.ids.push(self.upload.put(self.ids.len(), bytes)?);
        Ok(())
    }
}

impl Write for UploadWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() >= PART {
            self.send().map_err(io::Error::other)?;
        }
        let count = bytes.len().min(PART - self.buffer.len());
        self.buffer.extend(bytes.iter().take(count));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl PartsOutput {
    /// Begins a folder: finds out whether it can be written, and what is there.
    ///
    /// # Errors
    /// If it cannot be written, or there is something and nothing was said about it.
    pub(crate) fn begin(location: &Location, existing: Existing) -> Result<(PartsOutput, PartsGuard)> {
        let refused = |reason: String| StorageError::NotWritable { url: location.to_string(), reason };
        if location.scheme().is_web() {
            return Err(refused("web servers are only read from; write to a folder or a bucket".into()));
        }
        if location.path().is_root() || location.local_path().is_some_and(|path| path.is_file()) {
            return Err(refused("it is no folder that can be made".into()));
        }
        let old = objects_below(location)?;
        if let (Existing::Refuse, Some(name)) = (existing, old.first()) {
            return Err(refused(format!(
                "`{name}` is there; say `.overwrite()` to replace what is there, `.append()` to add to it, or give another name"
            )));
        }
        // Names of new parts differ from those of old ones, which stay whole until the end.
        let first = old.iter().filter_map(|name| number_of(name)).max().map_or(0, |last| last.saturating_add(1));
        let renamed = location.local_path().is_some() && existing != Existing::Keep;
        let first = if renamed { 0 } else { first };
        if let Some((folder, path)) = begin_folder(location)? {
            let text = folder.path().to_str().ok_or_else(|| refused("its path is no text".into()))?;
            let hidden = Some((Location::parse(text)?, path));
            let output = PartsOutput { location: location.clone(), existing, hidden, first, old };
            return Ok((output, PartsGuard { _hidden: Some(folder) }));
        }
        check_writable(&location.join("part")?)?;
        let output = PartsOutput { location: location.clone(), existing, hidden: None, first, old };
        Ok((output, PartsGuard { _hidden: None }))
    }

    /// Where it will be.
    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// Whether parts wait in this process's memory until they are complete.
    pub(crate) fn is_local(&self) -> bool {
        self.hidden.is_some()
    }

    /// The name of a part: the folders it is in, and its number.
    pub(crate) fn name(&self, prefix: &str, number: u64, extension: &str) -> String {
        format!("{prefix}-{:06}.{extension}", self.first.saturating_add(number))
    }

    /// Writes a part.
    ///
    /// # Errors
    /// [`StorageError::Write`] with the closure's error, or a failure of the store; nothing of the part is left then.
    pub(crate) fn write<E: Into<Source>>(
        &self,
        name: &str,
        write: impl FnOnce(&mut PartWriter<'_>) -> std::result::Result<(), E>,
    ) -> Result<Part> {
        if let Some((hidden, _)) = &self.hidden {
            write_atomic(&hidden.join(name)?, |file| write(&mut PartWriter::File(file)))
                .map_err(|error| self.renamed(error, name))?;
            return Ok(Part::taken((name.into(), None)));
        }
        let at = self.location.join(name)?;
        let upload = UnfinishedUpload::begin_unguarded(&at)?;
        let mut part = Part::taken((name.into(), Some((upload.clone(), Vec::new()))));
        let mut writer =
            PartWriter::Upload(UploadWriter { upload: upload.clone(), buffer: Vec::new(), ids: Vec::new() });
        write(&mut writer).map_err(|error| StorageError::Write { url: at.to_string(), source: error.into() })?;
        if let PartWriter::Upload(mut writer) = writer {
            if !writer.buffer.is_empty() || writer.ids.is_empty() {
                writer.send()?;
            }
            part.upload = Some((upload, writer.ids));
        }
        Ok(part)
    }

    /// Errors speak of the place that was asked for, not of the hidden one.
    fn renamed(&self, error: StorageError, name: &str) -> StorageError {
        match error {
            StorageError::Write { source, .. } => {
                StorageError::Write { url: format!("{}/{name}", self.location), source }
            }
            other => other,
        }
    }

    /// All parts are written: they get their names.
    ///
    /// # Errors
    /// If they cannot be had; what was there before is as it was then, and new parts are removed.
    pub(crate) fn finish(&self, parts: Vec<Part>) -> Result<()> {
        match &self.hidden {
            Some((hidden, path)) => {
                let hidden = hidden.local_path().unwrap_or_default();
                match self.existing {
                    Existing::Keep => self.move_into(&hidden, path, &parts),
                    Existing::Refuse | Existing::Replace => replace_folder(&hidden, path, &self.location),
                }
            }
            None => self.complete(parts),
        }
    }

    /// Moves files into a folder; all of them, or none.
    fn move_into(&self, from: &Path, to: &Path, parts: &[Part]) -> Result<()> {
        let mut moved: Vec<PathBuf> = Vec::new();
        for part in parts {
            let (source, target) = (from.join(&part.name), to.join(&part.name));
            let folder = target.parent().unwrap_or(to);
            let there = || io::Error::new(io::ErrorKind::AlreadyExists, "another writer has made a part of that name");
            let done = std::fs::create_dir_all(folder)
                .and_then(|()| if target.exists() { Err(there()) } else { std::fs::rename(&source, &target) });
            if let Err(error) = done {
                moved.iter().for_each(|path| drop(std::fs::remove_file(path)));
                return Err(StorageError::Write { url: target.display().to_string(), source: error.into() });
            }
            moved.push(target);
        }
        Ok(())
    }

    /// Completes uploads, then removes what they replace.
    fn complete(&self, parts: Vec<Part>) -> Result<()> {
        let mut done: Vec<String> = Vec::new();
        for part in &parts {
            let Some((upload, ids)) = &part.upload else { continue };
            if let Err(error) = upload.finish(ids.clone()) {
                done.iter().for_each(|name| drop(self.remove(name)));
                return Err(error);
            }
            part.passed_on.store(true, Ordering::Relaxed);
            done.push(part.name.clone());
        }
        if self.existing == Existing::Replace {
            let new: HashSet<&String> = done.iter().collect();
            self.old.iter().filter(|name| !new.contains(name)).try_for_each(|name| self.remove(name))?;
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        let (at, store) = (self.location.join(name)?, self.location.store()?);
        let inner = store.object_store().clone();
        store.block_on(async move {
            match inner.delete(&at.path()).await {
                Err(error) if !is_missing(&error) => Err(StorageError::from_store(&at, error)),
                _ => Ok(()),
            }
        })?
    }
}

/// The number in a part's name.
fn number_of(name: &str) -> Option<u64> {
    let file = name.rsplit('/').next()?;
    let (_, rest) = file.rsplit_once('-')?;
    let digits = rest.split('.').next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::ObjectRef;

    fn text(location: &Location, name: &str) -> Result<String> {
        let bytes = ObjectRef::open(&location.join(name)?)?.read_all()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn parts(output: &PartsOutput, text: &str) -> Vec<Part> {
        let write = |number| {
            let name = format!("k={number}/{}", output.name("part", number, "txt"));
            output.write(&name, |writer| write!(writer, "{text}{number}")).unwrap()
        };
        (0..2).map(write).collect()
    }

    #[test]
    fn parts_appear_together() {
        let folder = tempfile::tempdir().unwrap();
        let local = Location::parse(folder.path().join("out").to_str().unwrap()).unwrap();
        for location in [local, Location::parse("memory://parts-tests/out").unwrap()] {
            let (output, guard) = PartsOutput::begin(&location, Existing::Refuse).unwrap();
            let written = parts(&output, "a");
            assert!(objects_below(&location).unwrap().is_empty(), "nothing is seen of it");
            drop((written, guard));
            let (output, guard) = PartsOutput::begin(&location, Existing::Refuse).unwrap();
            output.finish(parts(&output, "b")).unwrap();
            drop(guard);
            assert_eq!(text(&location, "k=1/part-000001.txt").unwrap(), "b1");
            let refused = PartsOutput::begin(&location, Existing::Refuse).unwrap_err().to_string();
            assert!(refused.contains("`k=0/part-000000.txt` is there; say `.overwrite()`"), "{refused}");
            let (output, _guard) = PartsOutput::begin(&location, Existing::Keep).unwrap();
            output.finish(parts(&output, "c")).unwrap();
            assert_eq!(objects_below(&location).unwrap().len(), 4);
            assert_eq!(text(&location, "k=1/part-000003.txt").unwrap(), "c1");
            let (output, guard) = PartsOutput::begin(&location, Existing::Replace).unwrap();
            drop(parts(&output, "d"));
            drop(guard);
            assert_eq!(objects_below(&location).unwrap().len(), 4, "what was there is whole");
            let (output, _guard) = PartsOutput::begin(&location, Existing::Replace).unwrap();
            let written = parts(&output, "e");
            output.finish(written).unwrap();
            let left = objects_below(&location).unwrap();
            assert_eq!(left.len(), 2);
            assert_eq!(text(&location, &left[0]).unwrap(), "e0");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no hidden folder is left");
    }

    #[test]
    fn a_part_that_fails_is_not_there() {
        let location = Location::parse("memory://parts-tests/failed").unwrap();
        let (output, _guard) = PartsOutput::begin(&location, Existing::Refuse).unwrap();
        let failed = output.write("part-0.txt", |writer| {
            writer.write_all(&vec![1; PART + 1])?;
            Err(io::Error::other("broken"))
        });
        let error = failed.unwrap_err().to_string();
        assert!(error.contains("parts-tests/failed/part-0.txt") && error.contains("broken"), "{error}");
        assert!(objects_below(&location).unwrap().is_empty());
    }
}
