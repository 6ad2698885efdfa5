//! What the URL of a database names.

use std::path::Path;

use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};

use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::statement::Statement;
use super::table::{Asked, Found, SqlColumn};
use crate::storage::error::{Result, StorageError};

/// A database that can be connected to, in any process.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Database {
    /// The absolute path of a file.
    Sqlite(String),
    /// The URL of a server, password included.
    Postgres(String),
}

/// An open connection.
pub(super) trait Connection {
    /// The columns of a table or a query.
    fn find(&mut self, asked: &Asked) -> Result<Found, String>;

    /// The rows of a statement, which selects these columns in their order, as their native types.
    fn query(&mut self, statement: &Statement, columns: &[SqlColumn]) -> Result<DataFrame, String>;
}

impl Database {
    /// Takes a URL or a path apart.
    ///
    /// # Errors
    /// If it names no database that can be read.
    pub(super) fn parse(text: &str) -> Result<Database> {
        let bad = |reason: &str| Err(StorageError::BadLocation { text: without_password(text), reason: reason.into() });
        let path = match text.split_once("://") {
            Some(("postgresql" | "postgres", _)) => return Ok(Database::Postgres(text.into())),
            Some((scheme, _)) if scheme.starts_with("postgresql+") || scheme.starts_with("sqlite+") => {
                return bad("leave out the driver after the `+`: write `postgresql://` or `sqlite:///`");
            }
            Some(("sqlite", path)) => match path.strip_prefix('/') {
                Some(path) => path,
                None => {
                    return bad(
                        "three slashes come before a path: `sqlite:///relative.db`, or `sqlite:////absolute/path.db`",
                    );
                }
            },
            Some(_) => return bad("tables are read from `sqlite:///path`, a plain path, or `postgresql://host/name`"),
            None => text,
        };
        if path.is_empty() || path.contains(":memory:") {
            return bad("a database in memory belongs to one connection, and each task opens its own; use a file");
        }
        let absolute = std::path::absolute(path).ok().and_then(|path| path.to_str().map(str::to_string));
        let Some(path) = absolute else { return bad("the path is no text") };
        if !Path::new(&path).is_file() {
            let hint = "there is no such file; check the path, which after `sqlite:///` is relative, and needs a fourth slash to be absolute";
            return Err(StorageError::NotFound { url: path, hint: hint.into() });
        }
        Ok(Database::Sqlite(path))
    }

    /// For messages and plans: without the password.
    pub(super) fn shown(&self) -> String {
        match self {
            Database::Sqlite(path) => path.clone(),
            Database::Postgres(url) => without_password(url),
        }
    }

    /// Runs something on a new connection.
    ///
    /// # Errors
    /// If there is no connection to be had, or what `run` says.
    pub(super) fn connected<R: Send>(
        &self,
        run: impl FnOnce(&mut dyn Connection) -> Result<R, String> + Send,
    ) -> Result<R> {
        let failed = |reason: String| StorageError::BadSql { url: self.shown(), reason };
        match self {
            Database::Sqlite(path) => Sqlite::open(path).and_then(|mut open| run(&mut open)),
            Database::Postgres(url) => outside_of_runtimes(|| Postgres::open(url).and_then(|mut open| run(&mut open))),
        }
        .map_err(failed)
    }
}

/// The client blocks on a runtime of its own, which must not be done on a thread of another one.
fn outside_of_runtimes<R: Send>(run: impl FnOnce() -> Result<R, String> + Send) -> Result<R, String> {
    match tokio::runtime::Handle::try_current() {
        Err(_) => run(),
        Ok(_) => std::thread::scope(|scope| scope.spawn(run).join())
            .unwrap_or_else(|_| Err("the thread that talked to the server was lost".into())),
    }
}

/// A URL as it may be shown.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let (address, query) = rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    let (host, path) = address.split_once('/').map_or((address, None), |(host, path)| (host, Some(path)));
    let host = match host.rsplit_once('@') {
        Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or_default()),
        None => host.to_string(),
    };
    let path = path.map_or_else(String::new, |path| format!("/{path}"));
    let shown = query.map(|query| query.split('&').filter(|part| !part.starts_with("password=")).collect::<Vec<_>>());
    let query =
        shown.filter(|parts| !parts.is_empty()).map_or_else(String::new, |parts| format!("?{}", parts.join("&")));
    format!("{scheme}://{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            ("postgresql://me:secret@host:5432/trips", "postgresql://me@host:5432/trips"),
            ("postgresql://host/trips?user=me&password=secret", "postgresql://host/trips?user=me"),
            ("postgresql://host/trips?password=secret", "postgresql://host/trips"),
            ("postgresql://me:se@cret@host", "postgresql://me@host"),
            ("postgresql:///trips?host=/run", "postgresql:///trips?host=/run"),
        ] {
            assert_eq!(Database::parse(url).unwrap().shown(), shown);
        }
    }

    #[test]
    fn texts_that_name_no_database() {
        for (text, says) in [
            ("mysql://me:secret@host/x", "postgresql://host/name"),
            ("postgresql+psycopg://host/x", "leave out the driver"),
            ("sqlite://x.db", "three slashes"),
            ("sqlite:///", "in memory"),
            (":memory:", "in memory"),
            ("/no/such/file.db", "does not exist"),
        ] {
            let error = Database::parse(text).err().unwrap().to_string();
            assert!(error.contains(says) && !error.contains("secret"), "{error}");
        }
    }
}
