//! What a path or URL names.

use std::fmt;
use std::path::{Component, Path as FilePath, PathBuf};

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::error::{Result, StorageError};
use super::options::StorageOptions;
use super::store::Store;

/// The kinds of stores.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scheme {
    /// The file system: `relative/path`, `/absolute/path`, `file:///absolute/path`.
    File,
    /// One store in the memory of this process: `memory://any/key`. Another process, to which a task was sent, refuses it.
    Memory,
    /// Amazon S3 and what speaks its protocol: `s3://bucket/key`, cargo feature `aws`.
    S3,
    /// Google Cloud Storage: `gs://bucket/key`, cargo feature `gcp`.
    Gcs,
    /// Azure Blob Storage and Data Lake: `az://container/key`, `abfs://container/key`,
    /// `abfs://container@account.dfs.core.windows.net/key`, cargo feature `azure`.
    Azure,
    /// Files that a web server hands out, for reading: `http://host/path`, cargo feature `http`.
    Http,
    /// The same, encrypted: `https://host/path`.
    Https,
}

impl Scheme {
    /// The URL's part before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::File => "file",
            Scheme::Memory => "memory",
            Scheme::S3 => "s3",
            Scheme::Gcs => "gs",
            Scheme::Azure => "az",
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// Whether reading goes over a network.
    pub fn is_remote(self) -> bool {
        !matches!(self, Scheme::File | Scheme::Memory)
    }

    /// Whether it is a web server, which cannot be asked what it has.
    pub(crate) fn is_web(self) -> bool {
        matches!(self, Scheme::Http | Scheme::Https)
    }
}

/// One place in one store: a file, an object, or a folder of them; it need not exist.
///
/// Local paths are made absolute when parsed, so a `Location` means the same after a change of the working
/// directory. Everything after the scheme is taken as it is: nothing is percent-decoded (but in `http://` and `https://` URLs, where that is
/// how names are written), `~` and variables are left to the shell. `Display` gives the path or URL, without a password.
///
/// ```
/// use talatat_collections::storage::{Location, Scheme};
/// let location = Location::parse("file:///data/./rain/2024.csv")?;
/// assert_eq!(location.to_string(), "/data/rain/2024.csv");
/// assert_eq!(location.scheme(), Scheme::File);
/// assert!(Location::parse("ftp://host/file").unwrap_err().to_string().contains("not supported"));
/// # Ok::<(), talatat_collections::storage::StorageError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Location {
    scheme: Scheme,
    bucket: String,
    key: String,
    /// What stands behind the `?` of a web server's URL.
    query: Option<String>,
    options: StorageOptions,
    /// Whose memory it is.
    process: Option<u64>,
}

/// What tells this process from others.
fn this_process() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    static NUMBER: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *NUMBER.get_or_init(|| RandomState::new().hash_one(std::process::id()))
}

impl Location {
    /// Takes a path or URL apart; settings come from the environment.
    ///
    /// # Errors
    /// [`StorageError::BadLocation`], [`StorageError::UnsupportedScheme`].
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_with(text, &StorageOptions::new())
    }

    /// As [`Location::parse`], with settings given in code.
    ///
    /// # Errors
    /// [`StorageError::BadLocation`], [`StorageError::UnsupportedScheme`].
    pub fn parse_with(text: &str, options: &StorageOptions) -> Result<Self> {
        let (scheme, rest) = split_scheme(text)?;
        // A fragment is for the reader of a page; it is not sent.
        let rest = if scheme.is_web() { rest.split('#').next().unwrap_or(rest) } else { rest };
        let (rest, query) = match rest.split_once('?').filter(|_| scheme.is_web()) {
            Some((rest, query)) => (rest, Some(query.to_string())),
            None => (rest, None),
        };
        let (bucket, key) = match scheme {
            Scheme::File => ("", local_key(text, rest)?),
            Scheme::Memory => ("", checked(text, rest)?),
            Scheme::S3 | Scheme::Gcs | Scheme::Azure | Scheme::Http | Scheme::Https => {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    let what = match scheme {
                        Scheme::Azure => "container",
                        _ if scheme.is_web() => "server",
                        _ => "bucket",
                    };
                    let reason = format!("the {what}'s name is missing; write {}://{what}/key", scheme.name());
                    return Err(bad(text, reason));
                }
                let key = match scheme.is_web() {
                    true => Path::from_url_path(key).map_err(|error| bad(text, error.to_string()))?,
                    false => checked(text, key)?,
                };
                (bucket, key)
            }
        };
        let options = if scheme.is_remote() { options.clone() } else { StorageOptions::new() };
        let process = (scheme == Scheme::Memory).then(this_process);
        Ok(Location { scheme, bucket: bucket.into(), key: key.as_ref().into(), query, options, process })
    }

    /// The kind of store.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The bucket, the container or the server; empty for local files and `memory://`.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The name inside the store, without a leading `/`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What stands behind the `?` of a web server's URL.
    #[cfg_attr(not(feature = "http"), allow(dead_code))]
    pub(crate) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The settings given in code.
    pub fn options(&self) -> &StorageOptions {
        &self.options
    }

    /// The path in the file system, for a local file.
    pub fn local_path(&self) -> Option<PathBuf> {
        match self.scheme {
            Scheme::File if self.key.is_empty() => Some(std::path::MAIN_SEPARATOR_STR.into()),
            Scheme::File => LocalFileSystem::new().path_to_filesystem(&self.path()).ok(),
            _ => None,
        }
    }

    /// The location of `name` (which may hold `/`) below this one.
    ///
    /// # Errors
    /// [`StorageError::BadLocation`] if `name` has empty segments, `.` or `..`.
    pub fn join(&self, name: &str) -> Result<Self> {
        let joined = if self.key.is_empty() { name.to_owned() } else { format!("{}/{name}", self.key) };
        Ok(self.at(&checked(name, &joined)?))
    }

    /// The store that holds it. Stores are made once per scheme, bucket and settings, and shared; the
    /// environment is read when a store is made.
    ///
    /// # Errors
    /// [`StorageError::FeatureOff`], [`StorageError::BadOption`]; [`StorageError::BadLocation`] if it is in the memory of another process.
    pub fn store(&self) -> Result<Store> {
        if self.process.is_some_and(|process| process != this_process()) {
            let reason = "it is in the memory of the program that named it, and this is another process, such as a cluster's worker: \
                          use a folder that all of them see, or a URL";
            return Err(bad(&self.to_string(), reason.into()));
        }
        Store::of(self)
    }

    /// Another place in the same store.
    pub(crate) fn at(&self, path: &Path) -> Self {
        Location { key: path.as_ref().into(), ..self.clone() }
    }

    /// The key as `object_store` takes it.
    pub(crate) fn path(&self) -> Path {
        // Only valid keys are stored, but a deserialized one may have been tampered with: it is then encoded.
        Path::parse(&self.key).unwrap_or_else(|_| Path::from(self.key.as_str()))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::File => write!(f, "/{}", self.key),
            Scheme::Memory => write!(f, "memory://{}", self.key),
            scheme if scheme.is_web() => {
                let host = match self.bucket.rsplit_once('@') {
                    Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or_default()),
                    None => self.bucket.clone(),
                };
                write!(f, "{}://{host}/{}", scheme.name(), self.key)?;
                self.query.iter().try_for_each(|query| write!(f, "?{query}"))
            }
            scheme if self.key.is_empty() => write!(f, "{}://{}", scheme.name(), self.bucket),
            scheme => write!(f, "{}://{}/{}", scheme.name(), self.bucket, self.key),
        }
    }
}

/// Splits `scheme://rest`; a text without a scheme is a path.
pub(super) fn split_scheme(text: &str) -> Result<(Scheme, &str)> {
    match text.split_once("://") {
        None if text.is_empty() => Err(bad(text, "it is empty".into())),
        None => Ok((Scheme::File, text)),
        Some((_, "")) => Err(bad(text, "nothing follows the scheme".into())),
        Some(("file", rest)) if rest.starts_with('/') => Ok((Scheme::File, rest)),
        Some(("file", _)) => {
            Err(bad(text, "a file:// URL needs an absolute path: three slashes, as in file:///data/x.csv".into()))
        }
        Some(("memory", rest)) => Ok((Scheme::Memory, rest)),
        Some(("s3" | "s3a", rest)) => Ok((Scheme::S3, rest)),
        Some(("gs" | "gcs", rest)) => Ok((Scheme::Gcs, rest)),
        Some(("az" | "azure" | "abfs" | "abfss", rest)) => Ok((Scheme::Azure, rest)),
        Some(("http", rest)) => Ok((Scheme::Http, rest)),
        Some(("https", rest)) => Ok((Scheme::Https, rest)),
        Some((scheme, _)) => Err(StorageError::UnsupportedScheme { url: text.into(), scheme: scheme.into() }),
    }
}

fn bad(text: &str, reason: String) -> StorageError {
    StorageError::BadLocation { text: text.into(), reason }
}

fn checked(text: &str, key: &str) -> Result<Path> {
    Path::parse(key).map_err(|error| bad(text, error.to_string()))
}

/// Makes a local path absolute. `..` is resolved by the file system where it can be (the folder before it may be a
/// symbolic link), else by its text.
fn local_key(text: &str, path: &str) -> Result<Path> {
    let absolute = std::path::absolute(path).map_err(|error| bad(text, error.to_string()))?;
    let components: Vec<Component<'_>> = absolute.components().collect();
    let resolved = match components.iter().rposition(|c| *c == Component::ParentDir) {
        None => absolute.clone(),
        Some(last) => {
            let (head, tail) = components.split_at(last + 1);
            let head: PathBuf = head.iter().collect();
            head.canonicalize().unwrap_or_else(|_| lexical(&head)).join(tail.iter().collect::<PathBuf>())
        }
    };
    Path::from_absolute_path(resolved).map_err(|error| bad(text, error.to_string()))
}

fn lexical(path: &FilePath) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut done, component| {
        match component {
            Component::ParentDir => {
                done.pop();
            }
            other => done.push(other),
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls() {
        let here = std::env::current_dir().unwrap().display().to_string();
        for (text, shown) in [
            ("a/b.csv", format!("{here}/a/b.csv")),
            ("./a//b.csv", format!("{here}/a/b.csv")),
            ("/x/y z/é%20#?.csv", "/x/y z/é%20#?.csv".into()),
            ("/no-such/../x/.././y", "/y".into()),
            ("file:///x/y", "/x/y".into()),
            ("memory://x/y", "memory://x/y".into()),
            ("s3://bucket/a%20b/c", "s3://bucket/a%20b/c".into()),
            ("s3a://bucket/c", "s3://bucket/c".into()),
            ("gs://bucket/", "gs://bucket".into()),
            ("abfs://box/a/b", "az://box/a/b".into()),
            ("az://box@account.dfs.core.windows.net/a", "az://box@account.dfs.core.windows.net/a".into()),
            ("http://host:80/a%20b.csv", "http://host:80/a b.csv".into()),
            ("https://me:secret@host/x?sig=a/b&c=*#top", "https://me@host/x?sig=a/b&c=*".into()),
        ] {
            assert_eq!(Location::parse(text).unwrap().to_string(), shown, "{text}");
        }
        let local = Location::parse("/x/y z/é%20#?.csv").unwrap();
        assert_eq!(local.local_path(), Some("/x/y z/é%20#?.csv".into()));
        assert_eq!(Location::parse("memory://x").unwrap().local_path(), None);
    }

    #[test]
    fn texts_that_name_nothing() {
        for text in ["", "s3://", "s3:///key", "file://host/x", "ftp://host/x", "http:///x", "az:///x", "s3://b/a//b"] {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn parent_folders_are_resolved_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("far/inner")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root.join("far/inner"), root.join("near")).unwrap();
            let text = format!("{}/near/../x", root.display());
            assert_eq!(Location::parse(&text).unwrap().local_path(), Some(root.join("far/x")));
        }
    }

    #[test]
    fn joining() {
        let folder = Location::parse("memory://a").unwrap();
        assert_eq!(folder.join("b/c").unwrap().to_string(), "memory://a/b/c");
        assert!(folder.join("../c").is_err());
        assert_eq!(Location::parse("s3://b").unwrap().join("c").unwrap().to_string(), "s3://b/c");
    }

    #[test]
    fn memory_belongs_to_a_process() {
        let own = Location::parse("memory://process/x").unwrap();
        assert!(own.store().is_ok());
        let process = own.process.map(|process| process ^ 1);
        let error = Location { process, ..own }.store().unwrap_err().to_string();
        assert!(error.contains("memory://process/x") && error.contains("another process"), "{error}");
    }

    #[test]
    fn locations_survive_serialization() {
        let options = StorageOptions::new().with("aws_region", "x");
        let location = Location::parse_with("s3://bucket/a", &options).unwrap();
        let text = serde_json::to_string(&location).unwrap();
        assert_eq!(serde_json::from_str::<Location>(&text).unwrap(), location);
    }
}
