//! Paths, URLs and globs to the objects they name.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use globset::{GlobBuilder, GlobMatcher};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::error::{Result, StorageError, is_missing};
use super::location::{Location, Scheme, split_scheme};
use super::options::StorageOptions;
use super::read::{ObjectRef, look_up_all};

/// Finds the objects that paths, URLs and globs name; settings of stores come from the environment.
///
/// In a glob `?` is any character but `/`, `*` any number of them, `[a-z]` and `[!a-z]` one of a set, `{a,b}` one of
/// several texts, and `**` as a whole segment any number of folders. As in a shell, `*` and `?` pass over names that begin
/// with a dot unless the pattern's segment does too. A local file whose name is exactly the text is taken even if it
/// looks like a glob. Case matters.
///
/// The result keeps the order of the arguments; matches of one glob are sorted by name, byte by byte. What is
/// named twice is there twice. Folders are listed level by level, and only those that can hold a match: the
/// cost is one listing for each folder visited, one look-up for each plain name.
///
/// # Errors
/// [`StorageError::NoMatch`] for a glob that matches nothing and for an empty list, [`StorageError::NotFound`],
/// [`StorageError::IsDirectory`], [`StorageError::NoBucket`], [`StorageError::BadPattern`], or a failure of the store.
///
/// ```
/// use talatat_collections::storage::{Location, expand, write_atomic};
/// use std::io::Write;
/// for name in ["2023/jan.csv", "2024/jan.csv", "2024/feb.csv", "2024/feb.txt"] {
///     write_atomic(&Location::parse(&format!("memory://glob/{name}"))?, |w| w.write_all(b"x"))?;
/// }
/// let found = expand(&["memory://glob/202?/{jan,feb}.csv"])?;
/// let names: Vec<_> = found.iter().map(|object| object.location().key()).collect();
/// assert_eq!(names, ["glob/2023/jan.csv", "glob/2024/feb.csv", "glob/2024/jan.csv"]);
/// # Ok::<(), talatat_collections::storage::StorageError>(())
/// ```
pub fn expand<S: AsRef<str>>(inputs: &[S]) -> Result<Vec<ObjectRef>> {
    expand_with(inputs, &StorageOptions::new())
}

/// As [`expand`], with settings given in code.
///
/// # Errors
/// Those of [`expand`], and [`StorageError::BadOption`].
pub fn expand_with<S: AsRef<str>>(inputs: &[S], options: &StorageOptions) -> Result<Vec<ObjectRef>> {
    if inputs.is_empty() {
        return Err(StorageError::NoMatch { pattern: String::new(), hint: "the list of inputs is empty".into() });
    }
    // Plain names are looked up together, then put back between the globs' matches.
    let mut plain = Vec::new();
    let found: Vec<Option<Vec<ObjectRef>>> = inputs
        .iter()
        .map(|input| {
            let input = input.as_ref();
            if is_glob(input)? {
                return Pattern::parse(input, options)?.matches().map(Some);
            }
            plain.push(Location::parse_with(input, options)?);
            Ok(None)
        })
        .collect::<Result<_>>()?;
    let mut plain = look_up_all(plain)?.into_iter();
    Ok(found.into_iter().flat_map(|some| some.unwrap_or_else(|| plain.next().into_iter().collect())).collect())
}

/// The names below a location of all objects there, sorted; those in hidden folders are not counted.
pub(crate) fn objects_below(location: &Location) -> Result<Vec<String>> {
    if location.local_path().is_some_and(|path| !path.exists()) {
        return Ok(Vec::new());
    }
    let (store, at) = (location.store()?, location.clone());
    let inner = store.object_store().clone();
    let listed = store.block_on(async move { listing(inner.as_ref(), &at.path(), true).await })?;
    let objects = match listed {
        Ok((objects, _)) => objects,
        Err(error) if is_missing(&error) => Vec::new(),
        Err(error) => return Err(StorageError::from_store(location, error)),
    };
    let shown = |name: &String| !name.split('/').any(|part| part.starts_with('.'));
    let mut names: Vec<String> =
        objects.iter().filter_map(|meta| relative(&location.path(), &meta.location)).filter(shown).collect();
    names.sort_unstable();
    Ok(names)
}

/// Whether a text is to be matched and not taken as it is.
fn is_glob(text: &str) -> Result<bool> {
    let (scheme, rest) = split_scheme(text)?;
    if scheme.is_web() {
        let path = rest.split('?').next().unwrap_or(rest);
        // A question mark begins a query, and brackets are in addresses.
        return match path.contains(['*', '{']) {
            true => Err(bad(text, "a web server cannot be asked what files it has; give the URLs one by one")),
            false => Ok(false),
        };
    }
    Ok(rest.contains(['*', '?', '[', '{']) && !(scheme == Scheme::File && std::path::Path::new(rest).is_file()))
}

/// One step of a pattern.
enum Segment {
    /// A name.
    Name(String),
    /// A glob for one name.
    One(GlobMatcher, bool),
    /// A glob for the whole rest of the path.
    Rest(GlobMatcher, bool),
}

struct Pattern {
    text: String,
    /// The folder to start from: the longest part without special characters.
    root: Location,
    segments: Vec<Segment>,
}

impl Pattern {
    fn parse(text: &str, options: &StorageOptions) -> Result<Self> {
        let (_, rest) = split_scheme(text)?;
        let segments = split_segments(rest);
        let literal = segments.iter().take_while(|s| !s.contains(['*', '?', '[', '{', '\\'])).count();
        let special: &[&str] = segments.get(literal..).unwrap_or_default();
        // Where the special part begins in the text, by the place of its first segment.
        let start = special.first().map_or(text.len(), |s| s.as_ptr() as usize - text.as_ptr() as usize);
        let head = text.get(..start).unwrap_or_default();
        let root = if head.is_empty() {
            Location::parse_with(".", options)?
        } else if head.ends_with("://") {
            // A glob in the first segment: of `memory://`, which has a root, but not in a bucket's name.
            match split_scheme(text)?.0 {
                Scheme::Memory => Location::parse("memory:///")?,
                _ => return Err(bad(text, "a glob cannot stand for a bucket's name")),
            }
        } else {
            Location::parse_with(head, options)?
        };
        Ok(Pattern { text: text.into(), root, segments: compile(text, special)? })
    }

    fn matches(&self) -> Result<Vec<ObjectRef>> {
        let store = self.root.store()?;
        let list = |folder: &Path, deep: bool| {
            let (inner, folder) = (store.object_store().clone(), folder.clone());
            let answer = store.block_on(async move { listing(inner.as_ref(), &folder, deep).await })?;
            answer.map_err(|error| match error {
                missing if is_missing(&missing) && self.root.scheme().is_remote() => {
                    StorageError::NoBucket { url: self.text.clone(), bucket: self.root.bucket().into() }
                }
                other => StorageError::from_store(&self.text, other),
            })
        };
        let mut folders = vec![self.root.path()];
        // By name: sorted, and each once.
        let mut found: BTreeMap<String, ObjectRef> = BTreeMap::new();
        for (index, segment) in self.segments.iter().enumerate() {
            let last = index + 1 == self.segments.len();
            let mut next = Vec::new();
            for folder in &folders {
                if let (Segment::Name(name), false) = (segment, last) {
                    next.extend(Path::parse(format!("{folder}/{name}")));
                    continue;
                }
                let (objects, below) = list(folder, matches!(segment, Segment::Rest(..)))?;
                let accepts = |path: &Path| relative(folder, path).is_some_and(|name| segment.accepts(&name));
                next.extend(below.into_iter().filter(|path| accepts(path)));
                if last {
                    let objects = objects.iter().filter(|meta| accepts(&meta.location));
                    found.extend(
                        objects.map(|meta| (meta.location.to_string(), ObjectRef::from_meta(&self.root, meta))),
                    );
                }
            }
            folders = next;
        }
        if found.is_empty() {
            let hint = match self.root.local_path() {
                Some(path) if !path.exists() => {
                    format!("the folder {} does not exist", path.display())
                }
                _ if folders.is_empty() => {
                    format!("looked in {}; check the names and their case", self.root)
                }
                _ => "only folders match; add `/*` to take the files in them".into(),
            };
            return Err(StorageError::NoMatch { pattern: self.text.clone(), hint });
        }
        Ok(found.into_values().collect())
    }
}

impl Segment {
    fn accepts(&self, name: &str) -> bool {
        let shown = |dots: bool| dots || !name.split('/').any(|part| part.starts_with('.'));
        match self {
            Segment::Name(wanted) => wanted == name,
            Segment::One(glob, dots) | Segment::Rest(glob, dots) => shown(*dots) && glob.is_match(name),
        }
    }
}

/// Objects and folders directly in a folder, or all objects below it.
async fn listing(
    store: &dyn ObjectStore,
    folder: &Path,
    deep: bool,
) -> object_store::Result<(Vec<ObjectMeta>, Vec<Path>)> {
    if deep {
        return Ok((store.list(Some(folder)).try_collect().await?, Vec::new()));
    }
    let list = store.list_with_delimiter(Some(folder)).await?;
    Ok((list.objects, list.common_prefixes))
}

/// The path below a folder.
fn relative(folder: &Path, path: &Path) -> Option<String> {
    let parts: Vec<String> = path.prefix_match(folder)?.map(|part| part.as_ref().to_owned()).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// Cuts at every `/` outside of braces and brackets. A bracket that is never closed holds nothing.
fn split_segments(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let mut in_set = false;
    let mut escaped = false;
    text.split(|c: char| {
        let plain = !std::mem::take(&mut escaped);
        match c {
            '\\' if plain => escaped = true,
            ']' if in_set => in_set = false,
            '[' if plain => in_set = true,
            '{' if plain && !in_set => depth += 1,
            '}' if plain && !in_set => depth = depth.saturating_sub(1),
            '/' => return depth == 0 && !std::mem::take(&mut in_set),
            _ => {}
        }
        false
    })
    .filter(|segment| !segment.is_empty())
    .collect()
}

fn compile(text: &str, segments: &[&str]) -> Result<Vec<Segment>> {
    let glob = |pattern: &str| {
        let built =
            GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).empty_alternates(true).build();
        built.map(|glob| glob.compile_matcher()).map_err(|error| bad(text, &error.kind().to_string()))
    };
    // From the first segment that can match several levels on, the rest is matched as one.
    let deep = segments.iter().position(|s| s.contains("**") || s.contains('/')).unwrap_or(segments.len());
    let (single, rest) = segments.split_at(deep);
    let dots = |pattern: &str| pattern.starts_with('.');
    let mut compiled: Vec<Segment> = single
        .iter()
        .map(|s| match s.contains(['*', '?', '[', '{', '\\']) {
            true => Ok(Segment::One(glob(s)?, dots(s))),
            false => Ok(Segment::Name((*s).to_owned())),
        })
        .collect::<Result<_>>()?;
    if !rest.is_empty() {
        let joined = rest.join("/");
        compiled.push(Segment::Rest(glob(&joined)?, rest.iter().any(|s| dots(s))));
    }
    Ok(compiled)
}

fn bad(pattern: &str, reason: &str) -> StorageError {
    StorageError::BadPattern { pattern: pattern.into(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::write_atomic;
    use std::io::Write;

    const FILES: [&str; 11] = [
        "a.csv",
        "b.csv",
        "b.txt",
        "part-10.csv",
        "part-2.csv",
        "x/a.csv",
        "x/y/a.csv",
        "x/y/b.csv",
        "z/a.csv",
        ".hidden.csv",
        "x/.cache/a.csv",
    ];

    /// The same files in a local folder and in memory.
    fn roots(name: &str) -> (tempfile::TempDir, [String; 2]) {
        let folder = tempfile::tempdir().unwrap();
        let roots = [folder.path().to_str().unwrap().to_owned(), format!("memory://glob-tests/{name}")];
        for root in &roots {
            for file in FILES {
                let location = Location::parse(&format!("{root}/{file}")).unwrap();
                write_atomic(&location, |w| w.write_all(file.as_bytes())).unwrap();
            }
        }
        (folder, roots)
    }

    fn names(root: &str, pattern: &str) -> Result<Vec<String>> {
        let objects = expand(&[format!("{root}/{pattern}")])?;
        let prefix = Location::parse(root)?.to_string();
        let name = |object: &ObjectRef| {
            let shown = object.location().to_string();
            shown.strip_prefix(&prefix).unwrap().trim_start_matches('/').to_owned()
        };
        objects.iter().for_each(|object| assert_eq!(object.size(), name(object).len() as u64));
        Ok(objects.iter().map(name).collect())
    }

    #[test]
    fn globs() {
        let (_folder, roots) = roots("globs");
        for root in &roots {
            for (pattern, expected) in [
                ("*.csv", vec!["a.csv", "b.csv", "part-10.csv", "part-2.csv"]),
                ("?.csv", vec!["a.csv", "b.csv"]),
                ("b.*", vec!["b.csv", "b.txt"]),
                ("[!b].csv", vec!["a.csv"]),
                ("part-[0-9].csv", vec!["part-2.csv"]),
                ("{a,b}.csv", vec!["a.csv", "b.csv"]),
                ("{a,x/a}.csv", vec!["a.csv", "x/a.csv"]),
                ("*/a.csv", vec!["x/a.csv", "z/a.csv"]),
                ("x/*/{a,b}.csv", vec!["x/y/a.csv", "x/y/b.csv"]),
                ("**/a.csv", vec!["a.csv", "x/a.csv", "x/y/a.csv", "z/a.csv"]),
                ("x/**", vec!["x/a.csv", "x/y/a.csv", "x/y/b.csv"]),
                ("x/**/b.csv", vec!["x/y/b.csv"]),
                (".*.csv", vec![".hidden.csv"]),
                ("x/.*/*", vec!["x/.cache/a.csv"]),
                ("a.csv", vec!["a.csv"]),
            ] {
                assert_eq!(names(root, pattern).unwrap(), expected, "{root} {pattern}");
            }
        }
    }

    #[test]
    fn nothing_found_is_explained() {
        let (_folder, roots) = roots("nothing");
        for root in &roots {
            for pattern in ["*.parquet", "*/q/*.csv", "[xz]", "nowhere/*"] {
                let error = names(root, pattern).unwrap_err();
                assert!(matches!(error, StorageError::NoMatch { .. }), "{error}");
            }
            assert!(names(root, "[xz]").unwrap_err().to_string().contains("only folders match"));
        }
        assert!(names(&roots[0], "nowhere/*").unwrap_err().to_string().contains("does not exist"));
        assert!(expand::<&str>(&[]).is_err());
    }

    #[test]
    fn order_and_repetition_are_the_callers() {
        let (_folder, [root, _]) = roots("order");
        let inputs = ["z/a.csv", "part*", "a.csv", "a.csv"].map(|name| format!("{root}/{name}"));
        let names: Vec<_> = expand(&inputs).unwrap().iter().map(|o| o.location().to_string()).collect();
        let expected = ["z/a.csv", "part-10.csv", "part-2.csv", "a.csv", "a.csv"];
        assert_eq!(names, expected.map(|name| format!("{root}/{name}")));
    }

    #[test]
    fn broken_patterns() {
        for pattern in ["/tmp/[a", "/tmp/{a", "memory://x/[z-a]", "s3://*/x", "http://host/*.csv", "https://host/{a,b}"]
        {
            let error = expand(&[pattern]).unwrap_err();
            assert!(matches!(error, StorageError::BadPattern { .. }), "{error}");
        }
    }

    #[test]
    fn a_file_that_looks_like_a_glob() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        ["a[1].csv", "a1.csv"].iter().for_each(|name| std::fs::write(folder.path().join(name), b"x").unwrap());
        let first = |pattern: &str| expand(&[format!("{root}/{pattern}")]).unwrap()[0].location().to_string();
        assert_eq!(first("a[1].csv"), format!("{root}/a[1].csv"));
        assert_eq!(first("a[1]*.csv"), format!("{root}/a1.csv"));
        assert_eq!(first("a[[]1].csv"), format!("{root}/a[1].csv"));
    }

    #[test]
    fn the_working_directory() {
        // Tests run in the package's folder.
        let found = expand(&["src/storage/gl?b.rs", "Carg*.toml"]).unwrap();
        let names: Vec<_> = found.iter().map(|o| o.location().path().filename().unwrap().to_owned()).collect();
        assert_eq!(names, ["glob.rs", "Cargo.toml"]);
    }
}
