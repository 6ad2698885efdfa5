//! One schema of many files.

use std::sync::Arc;

use polars::prelude::{DataType, PlSmallStr, Schema};

use super::footer::{Footer, bad};
use super::hive::Constant;
use super::options::{ParquetOptions, SchemaDrift};
use crate::frame::step::columns;
use crate::storage::ObjectRef;
use crate::storage::error::Result;

/// The columns that are read: those of the files, then those of folders and paths.
///
/// # Errors
/// If a file lacks a column, has another, or has one of another type, and the options do not allow for it; if an option speaks of a column that
/// is not there.
pub(crate) fn unify(
    files: &[ObjectRef],
    footers: &[Arc<Footer>],
    constants: &[Constant],
    options: &ParquetOptions,
) -> Result<Schema> {
    let (Some(first), Some(footer)) = (files.first(), footers.first()) else { return Ok(Schema::default()) };
    let known = |name: &str| {
        footers.iter().any(|footer| footer.schema.contains(name))
            || constants.iter().any(|constant| constant.name == name)
    };
    if let Some((name, _)) = options.dtypes.iter().find(|(name, _)| !known(name)) {
        let reason = format!("an option speaks of a column `{name}`; there are {}", columns(&footer.schema));
        return Err(bad(first, reason));
    }
    let mut schema = footer.schema.clone();
    // Files that were written together have equal schemas; only others are looked at column by column.
    let mut seen = &footer.schema;
    for (file, footer) in files.iter().zip(footers).skip(1) {
        if footer.schema == *seen {
            continue;
        }
        seen = &footer.schema;
        merge(&mut schema, first, file, &footer.schema, options)?;
    }
    for constant in constants {
        schema.shift_remove(constant.name.as_str());
        schema.insert(constant.name.as_str().into(), constant.dtype.clone());
    }
    for (name, dtype) in &options.dtypes {
        // One that only another file has is left out with `FillMissing`.
        if schema.contains(name) {
            schema.insert(name.as_str().into(), dtype.0.clone());
        }
    }
    Ok(schema)
}

/// Adds what a file has to what is known of those before it.
fn merge(
    schema: &mut Schema,
    first: &ObjectRef,
    file: &ObjectRef,
    found: &Schema,
    options: &ParquetOptions,
) -> Result<()> {
    let refuse = options.drift == SchemaDrift::Refuse;
    let mend = "read such files apart, or say what is meant with `.schema_drift(SchemaDrift::FillMissing)` or `.schema_drift(SchemaDrift::Union)`";
    if refuse && let Some(name) = schema.iter_names().find(|name| !found.contains(name)) {
        let reason = format!(
            "there is no column `{name}`, which {} has; there are {}; {mend}",
            first.location(),
            columns(found)
        );
        return Err(bad(file, reason));
    }
    for (name, dtype) in found.iter() {
        match schema.get(name) {
            None if refuse => {
                let reason =
                    format!("there is a column `{name}` ({dtype}), which {} does not have; {mend}", first.location());
                return Err(bad(file, reason));
            }
            None if options.drift == SchemaDrift::FillMissing => {}
            None => {
                schema.insert(name.clone(), dtype.clone());
            }
            Some(known) if known == dtype || *dtype == DataType::Null || options.asked(name).is_some() => {}
            Some(DataType::Null) => {
                schema.insert(name.clone(), dtype.clone());
            }
            Some(known) => match wider(known, dtype).filter(|_| options.drift == SchemaDrift::Union) {
                Some(dtype) => {
                    schema.insert(name.clone(), dtype);
                }
                None => return Err(bad(file, differs(name, dtype, known, first))),
            },
        }
    }
    Ok(())
}

fn differs(name: &PlSmallStr, dtype: &DataType, known: &DataType, first: &ObjectRef) -> String {
    format!(
        "column `{name}` is {dtype} here, but {known} in {}; say which type to read it as, for example \
         `.with_dtype(\"{name}\", DataType::String)`, or take the wider of two numbers with `.schema_drift(SchemaDrift::Union)`",
        first.location()
    )
}

/// The type that holds the values of two types of numbers.
fn wider(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{Float32, Float64, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64};
    let bits = |dtype: &DataType| match dtype {
        Int8 | UInt8 => Some(8),
        Int16 | UInt16 => Some(16),
        Int32 | UInt32 => Some(32),
        Int64 | UInt64 => Some(64),
        _ => None,
    };
    let signed = |dtype: &DataType| matches!(dtype, Int8 | Int16 | Int32 | Int64);
    match (a, b) {
        (Float32 | Float64, Float32 | Float64) => Some(Float64),
        _ => match (bits(a)?, bits(b)?) {
            (wide, narrow) if signed(a) == signed(b) => Some(if wide >= narrow { a.clone() } else { b.clone() }),
            (wide, narrow) => {
                let unsigned = if signed(a) { narrow } else { wide };
                [Int16, Int32, Int64]
                    .into_iter()
                    .find(|dtype| bits(dtype).is_some_and(|bits| bits > unsigned && bits >= wide.max(narrow)))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType::{Float32, Float64, Int8, Int16, Int32, Int64, String, UInt8, UInt32, UInt64};

    #[test]
    fn the_wider_type_holds_both() {
        for (a, b, both) in [
            (Int32, Int64, Some(Int64)),
            (UInt8, UInt32, Some(UInt32)),
            (UInt8, Int8, Some(Int16)),
            (Int64, UInt8, Some(Int64)),
            (UInt32, Int8, Some(Int64)),
            (UInt64, Int64, None),
            (Float32, Float64, Some(Float64)),
            (Int64, Float64, None),
            (Int64, String, None),
        ] {
            assert_eq!(wider(&a, &b), both, "{a} {b}");
            assert_eq!(wider(&b, &a), both, "{b} {a}");
        }
    }
}
