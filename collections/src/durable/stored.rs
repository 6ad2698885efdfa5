//! A block in a store, as a value that is read when a task wants it.

use std::sync::Arc;

use talatat_graph::{Brief, Error as GraphError, Key, Registry, Remote, Value};

use super::file::{self, Head, Trouble};
use crate::error::Result;
use crate::storage::{Location, ObjectRef, StorageError, write_atomic};

/// How often a file is opened again that changes while it is read: others write the same results.
const TRIES: usize = 8;

/// The file of a result.
pub(super) fn name(key: Key) -> String {
    format!("{:032x}.result", key.bits())
}

/// Opens a file, and again if somebody replaces it meanwhile.
pub(super) fn opened<R>(
    location: &Location,
    read: impl Fn(&ObjectRef) -> std::result::Result<R, Trouble>,
) -> std::result::Result<R, Trouble> {
    let mut tries = 0;
    loop {
        tries += 1;
        match ObjectRef::open(location).map_err(Trouble::from).and_then(|object| read(&object)) {
            Err(Trouble::Storage(StorageError::Changed { .. })) if tries < TRIES => {}
            result => return result,
        }
    }
}

/// A result in a store.
pub(crate) struct Stored {
    location: Location,
    key: Key,
    head: Head,
    registry: Option<Arc<Registry>>,
}

impl Stored {
    /// A result that was looked at.
    pub(crate) fn new(place: &Location, key: Key, head: Head, registry: Option<Arc<Registry>>) -> Result<Stored> {
        Ok(Stored { location: place.join(&name(key))?, key, head, registry })
    }

    /// Writes a value: to the store, and there under its name, or not at all.
    pub(crate) fn write(place: &Location, key: Key, value: &Value, registry: Option<Arc<Registry>>) -> Result<Stored> {
        let location = place.join(&name(key))?;
        let head = write_atomic(&location, |out| file::write(out, key, value))?;
        Ok(Stored { location, key, head, registry })
    }

    /// Reads it.
    ///
    /// # Errors
    /// If the file is not there, cannot be read, or is damaged.
    pub(crate) fn read(&self) -> talatat_graph::Result<Value> {
        let builtin;
        let registry = match &self.registry {
            Some(registry) => registry,
            None => {
                builtin = crate::registry();
                &builtin
            }
        };
        let value = opened(&self.location, |object| file::read(object, &file::look(object, self.key)?, registry));
        value.map_err(|trouble| {
            let reason = match trouble {
                Trouble::Damaged(how) => {
                    format!("it {how}; remove the file and run the program again: only this result is computed again")
                }
                Trouble::Storage(error) => error.to_string(),
            };
            GraphError::Unavailable { executor: format!("the stored result {}", self.location), reason }
        })
    }
}

impl Remote for Stored {
    fn nbytes(&self) -> u64 {
        self.head.nbytes
    }

    fn brief(&self) -> Brief {
        file::brief(&self.head)
    }

    fn fetch(&self) -> talatat_graph::Result<Value> {
        self.read()
    }

    fn place(&self) -> &str {
        "in a store"
    }

    fn content(&self) -> Option<Key> {
        Some(Key::of("stored", &self.key.bits().to_le_bytes()))
    }
}
