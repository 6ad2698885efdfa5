//! What is in a folder; local folders that get their name when all is in them.

use hashbrown::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ListResult;
use tempfile::TempDir;

use super::error::{Result, StorageError, is_missing};
use super::location::Location;
use super::read::ObjectRef;
use super::write::folder_error;

/// The names directly below a location: objects, then folders.
pub(crate) fn names(location: &Location) -> Result<(Vec<String>, Vec<String>)> {
    let list = listing(location)?;
    let name = |path: &object_store::path::Path| path.filename().unwrap_or_default().to_owned();
    let objects = list.objects.iter().map(|meta| name(&meta.location)).collect();
    Ok((objects, list.common_prefixes.iter().map(name).collect()))
}

/// The objects directly below a location, by name.
pub(crate) fn objects(location: &Location) -> Result<HashMap<String, ObjectRef>> {
    let found = listing(location)?.objects;
    let named = |meta: &object_store::ObjectMeta| {
        let name = meta.location.filename().unwrap_or_default().to_owned();
        (name, ObjectRef::from_meta(location, meta))
    };
    Ok(found.iter().map(named).collect())
}

fn listing(location: &Location) -> Result<ListResult> {
    let (store, at) = (location.store()?, location.clone());
    let inner = Arc::clone(store.object_store());
    store.block_on(async move {
        let path = at.path();
        match inner.list_with_delimiter(Some(&path)).await {
            Ok(list) => Ok(list),
            Err(error) if is_missing(&error) => Ok(ListResult { common_prefixes: Vec::new(), objects: Vec::new() }),
            Err(error) => Err(StorageError::from_store(&at, error)),
        }
    })?
}

/// A hidden folder beside the place of another one, which is removed when it is dropped, and the path it will have. `None` if the location is
/// in another store.
pub(crate) fn begin_folder(location: &Location) -> Result<Option<(TempDir, PathBuf)>> {
    let Some(path) = location.local_path() else { return Ok(None) };
    // A link stays a link: what it points at is replaced.
    let path = if path.is_symlink() { path.canonicalize().unwrap_or(path) } else { path };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let hidden = std::fs::create_dir_all(folder).and_then(|()| temporary_folder(folder));
    let hidden = hidden.map_err(|error| folder_error(location, folder, &error))?;
    Ok(Some((hidden, path)))
}

/// Gives a folder the name of another one, which is removed. Between two renames neither has the name.
pub(crate) fn replace_folder(from: &Path, to: &Path, location: &Location) -> Result<()> {
    let replaced = || -> std::io::Result<()> {
        if !to.exists() {
            return std::fs::rename(from, to);
        }
        let old = temporary_folder(to.parent().unwrap_or(Path::new("/")))?;
        let aside = old.path().join("replaced");
        std::fs::rename(to, &aside)?;
        if let Err(error) = std::fs::rename(from, to) {
            std::fs::rename(&aside, to)?;
            return Err(error);
        }
        old.close()
    };
    replaced().map_err(|error| StorageError::Write { url: location.to_string(), source: error.into() })
}

/// A hidden folder with the usual permissions of new ones.
fn temporary_folder(folder: &Path) -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.prefix(".talatat-").suffix(".tmp").tempdir_in(folder)
}
