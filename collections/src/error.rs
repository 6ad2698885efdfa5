//! Errors of collections: what the user can mend, where.

use std::fmt;
use std::panic::Location;

/// An error of building, planning or computing a collection.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The call cannot work: shapes that do not match, an unknown column, an axis out of range, chunks that do not add up.
    #[error("{0}")]
    Invalid(Invalid),
    /// A file, an object or a folder cannot be read or written.
    #[error("{0}")]
    Storage(std::sync::Arc<crate::storage::StorageError>),
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// Planning or running failed.
    #[error(transparent)]
    Graph(#[from] talatat_graph::Error),
}

/// The result of building, planning or computing a collection.
pub type Result<T> = std::result::Result<T, Error>;

/// A call that cannot work, with its operation, its reason and the user's line.
#[derive(Clone, Debug)]
pub struct Invalid {
    operation: String,
    reason: String,
    location: &'static Location<'static>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (called at {}:{})", self.operation, self.reason, self.location.file(), self.location.line())
    }
}

impl From<crate::storage::StorageError> for Error {
    fn from(error: crate::storage::StorageError) -> Error {
        Error::Storage(std::sync::Arc::new(error))
    }
}

impl Error {
    /// An error of a call: the operation, what is wrong and how to mend it. Notes the caller's line.
    #[track_caller]
    pub fn invalid(operation: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::invalid_at(operation, reason, Location::caller())
    }

    /// [`Error::invalid`] with a line noted before.
    pub fn invalid_at(
        operation: impl Into<String>,
        reason: impl Into<String>,
        location: &'static Location<'static>,
    ) -> Error {
        Error::Invalid(Invalid { operation: operation.into(), reason: reason.into(), location })
    }
}
