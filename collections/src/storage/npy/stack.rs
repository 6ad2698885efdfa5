//! Stacks of `.npy` files: a folder of `0.npy`, `1.npy`, .., pieces of an array along one axis, as Dask writes them, and `info.json`.
//!
//! `info.json` says what the whole is; it is written last, so a stack that has it is complete:
//!
//! ```text
//! {"format": "npy stack", "dtype": "float64", "shape": [100, 7], "axis": 0, "chunks": [40, 40, 20]}
//! ```

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::ArrayViewD;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::write::write_array;
use crate::array::dtype::Element;
use crate::storage::error::{Result, StorageError};
use crate::storage::folder::{begin_folder, names, replace_folder};
use crate::storage::location::Location;
use crate::storage::read::ObjectRef;
use crate::storage::write::{check_writable, write_atomic};

const INFO: &str = "info.json";
const FORMAT: &str = "npy stack";

/// What a stack is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StackInfo {
    format: String,
    pub(crate) dtype: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) axis: usize,
    pub(crate) chunks: Vec<usize>,
}

impl StackInfo {
    pub(crate) fn new(dtype: &str, shape: &[usize], axis: usize, chunks: Vec<usize>) -> Self {
        StackInfo { format: FORMAT.into(), dtype: dtype.into(), shape: shape.to_vec(), axis, chunks }
    }

    /// Reads `info.json` of a stack.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], [`StorageError::BadNpy`] if it makes no sense, or a failure of the store.
    pub(crate) fn open(location: &Location) -> Result<StackInfo> {
        let object = ObjectRef::open(&location.join(INFO)?).map_err(|error| match error {
            StorageError::NotFound { url, .. } => {
                let hint = "a stack is complete when it has one; open one that Dask wrote with open_npy_stack_along";
                StorageError::NotFound { url, hint: hint.into() }
            }
            other => other,
        })?;
        let bad = |reason: String| StorageError::BadNpy { url: object.location().to_string(), reason };
        let info: StackInfo = serde_json::from_slice(&object.read_all()?).map_err(|error| bad(error.to_string()))?;
        let whole = info.chunks.iter().try_fold(0_usize, |sum, &length| sum.checked_add(length));
        if info.format != FORMAT || info.chunks.is_empty() || whole != info.shape.get(info.axis).copied() {
            return Err(bad("it does not describe a stack".into()));
        }
        Ok(info)
    }
}

fn name(number: usize) -> String {
    format!("{number}.npy")
}

/// The files of a stack, in order.
///
/// # Errors
/// [`StorageError::NotFound`] if there are none, or one of those that should be there is missing; a failure of the store.
pub(crate) fn stack_files(location: &Location, count: Option<usize>) -> Result<Vec<ObjectRef>> {
    let count = match count {
        Some(count) => count,
        None => {
            let number = |name: &String| name.strip_suffix(".npy")?.parse::<usize>().ok();
            names(location)?.0.iter().filter_map(number).max().map_or(1, |last| last.saturating_add(1))
        }
    };
    (0..count).map(|number| ObjectRef::open(&location.join(&name(number))?)).collect()
}

/// A stack on its way, as tasks know it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StackOutput {
    info: StackInfo,
    location: Location,
    /// The hidden local folder that is written into, and the path it will have.
    hidden: Option<(Location, PathBuf)>,
}

/// Removes what was written when it is dropped; what has been finished stays.
#[derive(Debug)]
pub(crate) enum StackGuard {
    /// The hidden folder, which is gone if it was renamed.
    Folder { _folder: TempDir },
    /// The objects, and whether all are there.
    Objects(Location, usize, AtomicBool),
}

impl StackGuard {
    /// Says that all has been finished: there is nothing to remove.
    pub(crate) fn finished(&self) {
        if let StackGuard::Objects(_, _, finished) = self {
            finished.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for StackGuard {
    fn drop(&mut self) {
        if let StackGuard::Objects(location, count, finished) = self
            && !*finished.get_mut()
        {
            // Nobody is left to hear of a failure here; without info.json it is no stack.
            (0..*count).for_each(|number| drop(remove(location, &name(number))));
        }
    }
}

fn remove(location: &Location, name: &str) -> Result<()> {
    use object_store::ObjectStoreExt;
    let (at, store) = (location.join(name)?, location.store()?);
    let inner = store.object_store().clone();
    store
        .block_on(async move { inner.delete(&at.path()).await.map_err(|error| StorageError::from_store(&at, error)) })?
}

impl StackOutput {
    /// Begins a stack: makes sure that it can be written and that nothing is there.
    pub(crate) fn begin(location: &Location, info: StackInfo) -> Result<(StackOutput, StackGuard)> {
        let refused = |reason: String| StorageError::NotWritable { url: location.to_string(), reason };
        if location.path().is_root() || location.local_path().is_some_and(|path| path.is_file()) {
            return Err(refused("it is no folder that can be made".into()));
        }
        let (files, folders) = names(location)?;
        if let Some(name) = files.first().or(folders.first()) {
            return Err(refused(format!("`{name}` is there: remove it, or give another name")));
        }
        if let Some((folder, path)) = begin_folder(location)? {
            let text = folder.path().to_str().ok_or_else(|| refused("its path is no text".into()))?;
            let hidden = Some((Location::parse(text)?, path));
            return Ok((
                StackOutput { info, location: location.clone(), hidden },
                StackGuard::Folder { _folder: folder },
            ));
        }
        check_writable(&location.join(INFO)?)?;
        let guard = StackGuard::Objects(location.clone(), info.chunks.len(), AtomicBool::new(false));
        Ok((StackOutput { info, location: location.clone(), hidden: None }, guard))
    }

    /// Where it will be.
    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    fn written(&self) -> &Location {
        self.hidden.as_ref().map_or(&self.location, |(hidden, _)| hidden)
    }

    /// Writes a piece.
    pub(crate) fn write<T: Element>(&self, number: usize, block: &ArrayViewD<'_, T>) -> Result<()> {
        write_array(&self.written().join(&name(number))?, block)
    }

    /// All pieces are written.
    pub(crate) fn finish(&self) -> Result<()> {
        write_atomic(&self.written().join(INFO)?, |writer| {
            let text = serde_json::to_string(&self.info).map_err(std::io::Error::other)?;
            writer.write_all(text.as_bytes())
        })?;
        match &self.hidden {
            Some((hidden, path)) => replace_folder(&hidden.local_path().unwrap_or_default(), path, &self.location),
            None => Ok(()),
        }
    }
}
