//! What lies where an array is looked for, or will be written.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use super::array::{METADATA, bad};
use super::store::ZarrStore;
use crate::storage::error::{Result, StorageError};
use crate::storage::folder::names;
use crate::storage::location::Location;

/// Why there is no array: a group, something else, or nothing.
pub(super) fn explain_absence(location: &Location) -> StorageError {
    match names(location) {
        Err(error) => error,
        Ok((objects, _)) if objects.iter().any(|name| name == ".zgroup") => is_group(location),
        Ok((objects, folders)) if objects.is_empty() && folders.is_empty() => {
            let hint = "there is no Zarr array of that name; check the path".into();
            StorageError::NotFound { url: location.to_string(), hint }
        }
        Ok(_) => {
            bad(location, "it has neither zarr.json nor .zarray; perhaps writing it did not come to its end".into())
        }
    }
}

/// A group has no elements of its own.
pub(super) fn is_group(location: &Location) -> StorageError {
    let members = names(location).map(|(_, folders)| folders).unwrap_or_default();
    let url = location.to_string();
    let reason = match members.as_slice() {
        [] => "it is a group without members".into(),
        [first, ..] => {
            format!("it is a group; open one of its members ({}), as in `{url}/{first}`", members.join(", "))
        }
    };
    StorageError::BadZarr { url, reason }
}

/// What is where an array will be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// An array, and nothing else.
    Array,
    /// Chunks without metadata.
    Chunks,
    Group,
    /// Something that is no part of an array.
    Other(String),
}

/// Looks at the names directly below a location.
pub(super) fn find(location: &Location) -> Result<Found> {
    if location.path().is_root() {
        return Ok(Found::Other("a whole store".into()));
    }
    if location.local_path().is_some_and(|path| path.is_file()) {
        return Ok(Found::Other(location.to_string()));
    }
    let (objects, folders) = names(location)?;
    if objects.iter().any(|name| name == ".zgroup") {
        return Ok(Found::Group);
    }
    if objects.iter().any(|name| name == "zarr.json") {
        let metadata = ZarrStore::new(location.clone()).read_all("zarr.json")?.unwrap_or_default();
        let metadata: serde_json::Value = serde_json::from_slice(&metadata).unwrap_or_default();
        if metadata.get("node_type").is_some_and(|kind| kind == "group") {
            return Ok(Found::Group);
        }
    }
    let is_metadata = |name: &String| METADATA.contains(&name.as_str());
    let foreign = |name: &&String| !is_metadata(name) && *name != ".zattrs" && !is_chunk(name);
    if let Some(name) = objects.iter().find(foreign).or_else(|| folders.iter().find(|name| !is_chunk(name))) {
        return Ok(Found::Other(name.clone()));
    }
    Ok(match (objects.iter().any(is_metadata), objects.is_empty() && folders.is_empty()) {
        (true, _) => Found::Array,
        (false, true) => Found::Nothing,
        (false, false) => Found::Chunks,
    })
}

/// Whether a name can be that of a chunk, or of a folder of chunks: `c`, `c.0.1`, `0`, `0.1`.
fn is_chunk(name: &str) -> bool {
    let numbers =
        |text: &str| text.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    name == "c" || numbers(name.strip_prefix("c.").unwrap_or(name))
}

/// Removes an array, the metadata first: what is left if that fails is never taken for an array.
pub(super) fn remove_array(location: &Location) -> Result<()> {
    let store = ZarrStore::new(location.clone());
    METADATA.iter().chain(&[".zattrs"]).try_for_each(|name| store.remove(name))?;
    let (store, at) = (location.store()?, location.clone());
    let inner = Arc::clone(store.object_store());
    store.block_on(async move {
        let root = at.path();
        let below = inner.list(Some(&root)).map_ok(|meta| meta.location);
        // Nothing but chunks, whatever has come meanwhile.
        let chunks = below.try_filter(move |path| {
            let first = path.prefix_match(&root).and_then(|mut parts| parts.next());
            std::future::ready(first.is_some_and(|name| is_chunk(name.as_ref())))
        });
        let removed = inner.delete_stream(chunks.boxed()).try_for_each(|_| std::future::ready(Ok(()))).await;
        removed.map_err(|error| StorageError::from_store(&at, error))
    })?
}
