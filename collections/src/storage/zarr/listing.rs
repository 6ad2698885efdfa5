//! What lies where an array is looked for, or will be written.

use std::sync::Arc;

use object_store::ObjectStore;

use super::array::bad;
use crate::storage::error::{Result, StorageError, is_missing};
use crate::storage::location::Location;

/// The names directly below a location: objects, then folders.
pub(super) fn names(location: &Location) -> Result<(Vec<String>, Vec<String>)> {
    let (store, at) = (location.store()?, location.clone());
    let inner = Arc::clone(store.object_store());
    store.block_on(async move {
        let path = at.path();
        match inner.list_with_delimiter(Some(&path)).await {
            Ok(list) => {
                let name = |path: &object_store::path::Path| path.filename().unwrap_or_default().to_owned();
                let objects = list.objects.iter().map(|meta| name(&meta.location)).collect();
                Ok((objects, list.common_prefixes.iter().map(name).collect()))
            }
            Err(error) if is_missing(&error) => Ok((Vec::new(), Vec::new())),
            Err(error) => Err(StorageError::from_store(&at, error)),
        }
    })?
}

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
