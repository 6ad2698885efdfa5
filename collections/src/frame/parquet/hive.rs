//! Columns that are the same in all rows of a file: `key=value` folders, and the file's path.

use polars::prelude::{Column, DataType, NamedFrom, PlSmallStr, PolarsError, Scalar, Series};

use crate::storage::ObjectRef;

/// What Hive writes for a missing value.
const MISSING: &str = "__HIVE_DEFAULT_PARTITION__";

/// A column that is constant within each file.
pub(crate) struct Constant {
    pub(crate) name: String,
    pub(crate) dtype: DataType,
    /// The value in each file, as text.
    pub(crate) values: Vec<Option<String>>,
}

/// The columns of folders that all files lie in, outer ones first.
pub(crate) fn folders(files: &[ObjectRef]) -> Vec<Constant> {
    let Some(first) = files.first() else { return Vec::new() };
    let keys: Vec<String> = pairs(first).map(|(key, _)| key).collect();
    let mut names: Vec<String> = Vec::new();
    for key in keys {
        if !names.contains(&key) {
            names.push(key);
        }
    }
    let column = |name: String| {
        let value = |file: &ObjectRef| pairs(file).find(|(key, _)| *key == name).map(|(_, value)| value);
        let values: Vec<String> = files.iter().map(value).collect::<Option<_>>()?;
        let values: Vec<Option<String>> =
            values.into_iter().map(|value| Some(value).filter(|value| value != MISSING)).collect();
        let whole =
            values.iter().flatten().all(|value| value.parse::<i64>().is_ok()) && values.iter().any(Option::is_some);
        let dtype = if whole { DataType::Int64 } else { DataType::String };
        Some(Constant { name, dtype, values })
    };
    names.into_iter().filter_map(column).collect()
}

/// The paths of the files.
pub(crate) fn paths(files: &[ObjectRef], name: &str) -> Constant {
    let values = files.iter().map(|file| Some(file.location().to_string())).collect();
    Constant { name: name.into(), dtype: DataType::String, values }
}

/// Keys and values of the folders that a file lies in.
fn pairs(file: &ObjectRef) -> impl Iterator<Item = (String, String)> {
    let key = file.location().key();
    let folders = key.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').filter_map(|folder| {
        let (key, value) = folder.split_once('=')?;
        (!key.is_empty()).then(|| (decoded(key), decoded(value)))
    })
}

/// Undoes `%20` and its like, which writers of such folders put where a path cannot have the character.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let number = after.get(..2).filter(|_| first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match number.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_string())
}

/// A text as a folder's name.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || "%/=\\?*[]{}:\"<>|#".contains(c) {
            let mut buffer = [0; 4];
            c.encode_utf8(&mut buffer).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        } else {
            out.push(c);
        }
    }
    // Such a folder would be the one above, or hidden.
    if out.is_empty() || out.starts_with('.') { out.replacen('.', "%2E", 1) } else { out }
}

/// The folder of a value.
pub(crate) fn folder(key: &str, value: Option<&str>) -> String {
    format!("{}={}", encoded(key), value.map_or_else(|| MISSING.to_string(), encoded))
}

/// A text as a column of some rows.
pub(crate) fn column(
    name: &PlSmallStr,
    value: Option<&str>,
    dtype: &DataType,
    rows: usize,
) -> Result<Column, PolarsError> {
    let one = Series::new(name.clone(), [value]).strict_cast(dtype)?;
    let value = one.get(0)?.into_static();
    Ok(Column::new_scalar(name.clone(), Scalar::new(dtype.clone(), value), rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive_as_folders() {
        for text in ["a", "a b", "a/b=c%", "..", "é", "", "100%", "?*[x]"] {
            let folder = folder("key", Some(text));
            assert!(!folder.contains('/'), "{folder}");
            let (_, value) = folder.split_once('=').unwrap();
            assert_eq!(decoded(value), text);
        }
        assert_eq!(decoded("%zz%4"), "%zz%4");
    }
}
