//! Where frames come from.

use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, DataType, Expr, NULL, col, lit, when};
use talatat_graph::{Block, KeyBuilder, Value};

use super::csv::CsvScan;
use super::expr::FrameExpr;
use super::step::Step;
use super::wire::unique;
use super::{CsvOptions, Frame, Partition};
use crate::error::{Error, Result};
use crate::storage::{StorageOptions, expand_with};

/// Reads CSV files: paths, URLs and globs, as one frame in the order given, matches of a glob sorted by name.
///
/// Files are cut into blocks of bytes, one partition each; quoted line breaks may stand on a border. Only the columns and rows that
/// are used leave the parser. When the frame is made, the first 256 KiB of up to eight files are read for names and types: text,
/// int64, float64 or bool, wide enough for all of them. A later value that does not fit its column's type is an error that names the file, the
/// block and the column.
///
/// Files whose names end in `.gz`, `.zst` or `.zstd` are unpacked; each is one partition, since such text can only be read from its start.
///
/// Records with too few fields are filled up with missing values, as in pandas; ones with too many are an error (not noticed, as in
/// pandas, when only some of the columns are read). Blank lines are passed over. All files must have the same header.
///
/// # Errors
/// If nothing matches, the first file is no CSV text, or an option does not fit it.
///
/// ```
/// use talatat_collections::frame::{CsvOptions, read_csv};
/// # use talatat_collections::storage::{Location, write_atomic};
/// # use std::io::Write;
/// # for month in 1..=2 {
/// #     let location = Location::parse(&format!("memory://docs/trips-{month}.csv"))?;
/// #     write_atomic(&location, |w| writeln!(w, "fare,tip\n10.5,2\n7.0,0"))?;
/// # }
/// let trips = read_csv(["memory://docs/trips-*.csv"], CsvOptions::new())?;
/// assert_eq!((trips.column_names(), trips.partitions()), (vec!["fare", "tip"], 2));
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[track_caller]
pub fn read_csv<S: AsRef<str>>(paths: impl IntoIterator<Item = S>, options: CsvOptions) -> Result<Frame> {
    scan(paths, options, &StorageOptions::new(), Location::caller())
}

/// [`read_csv`] with settings of the store: credentials, endpoints ...
///
/// # Errors
/// As [`read_csv`], and if the store refuses a setting.
#[track_caller]
pub fn read_csv_with<S: AsRef<str>>(
    paths: impl IntoIterator<Item = S>,
    options: CsvOptions,
    storage: &StorageOptions,
) -> Result<Frame> {
    scan(paths, options, storage, Location::caller())
}

/// Reads text files of lines whose fields stand at fixed places: pandas' `read_fwf`. Each column has a name, the places of its characters from 0, and a type. White space
/// around a field is cut off, and an empty one is missing; a line that is too short has missing values. Blank lines are passed over.
///
/// Paths, blocks, compression and the header (passed over by default) are as [`read_csv`] has them; separator, quote and names of `options` are not looked
/// at. Places and types are said and not found. Dates are read as text: turn them with an expression.
///
/// # Errors
/// If nothing matches, there is no column, two have the same name, or one has no place. A field that does not fit its type is an error of the run.
///
/// ```
/// use talatat_collections::frame::{CsvOptions, DataType, df, read_fwf};
/// # use talatat_collections::storage::{Location, write_atomic};
/// # use talatat::Compute;
/// # use std::io::Write;
/// # let location = Location::parse("memory://docs/towns.txt")?;
/// # write_atomic(&location, |w| write!(w, "Oslo   709\nLyon   522\n"))?;
/// let columns = [("town", 0..6, DataType::String), ("people", 6..10, DataType::Int64)];
/// let towns = read_fwf(["memory://docs/towns.txt"], columns, CsvOptions::new().has_header(false))?;
/// assert!(towns.compute()?.equals(&df!("town" => ["Oslo", "Lyon"], "people" => [709_i64, 522]).unwrap()));
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[track_caller]
pub fn read_fwf<S: AsRef<str>, N: AsRef<str>>(
    paths: impl IntoIterator<Item = S>,
    columns: impl IntoIterator<Item = (N, Range<u32>, DataType)>,
    options: CsvOptions,
) -> Result<Frame> {
    let location = Location::caller();
    const LINE: &str = "\u{1}line";
    let line = || col(LINE).str();
    let mut exprs: Vec<Expr> = Vec::new();
    for (name, places, dtype) in columns {
        if places.is_empty() {
            let reason = format!("the column `{}` stands at {places:?}, which is no place", name.as_ref());
            return Err(Error::invalid_at("read_fwf", reason, location));
        }
        let field = line().slice(lit(places.start), lit(places.end - places.start)).str().strip_chars(lit(" \t\r"));
        let field = when(field.clone().neq(lit(""))).then(field).otherwise(lit(NULL).cast(DataType::String));
        exprs.push(field.strict_cast(dtype).alias(name.as_ref()));
    }
    if exprs.is_empty() {
        return Err(Error::invalid_at("read_fwf", "there is no column; give at least one", location));
    }
    // A byte that no text has: a line is one field.
    let options = options.separator(0x1f).quote_char(None).column_names([LINE]).with_dtype(LINE, DataType::String);
    let lines = scan(paths, options, &StorageOptions::new(), location)?;
    // Polars' parser takes a line of spaces for one with a value.
    let kept = lines.step(Step::Filter(line().strip_chars(lit(" \t\r")).neq(lit(""))), location)?;
    kept.step(Step::Select(exprs), location)
}

fn scan<S: AsRef<str>>(
    paths: impl IntoIterator<Item = S>,
    options: CsvOptions,
    storage: &StorageOptions,
    location: &'static Location<'static>,
) -> Result<Frame> {
    let paths: Vec<S> = paths.into_iter().collect();
    let files = expand_with(&paths, storage)?;
    Ok(Frame { node: FrameExpr::scan(CsvScan::new(files, options, location)?, location) })
}

impl Frame {
    /// A frame of data in memory, cut into partitions of about equal numbers of rows. The columns are shared, not copied.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3, 4, 5]).unwrap(), 2);
    /// assert_eq!(frame.partitions(), 2);
    /// ```
    #[track_caller]
    pub fn from_polars(data: DataFrame, partitions: usize) -> Frame {
        let location = Location::caller();
        let (rows, schema) = (data.height(), data.schema().clone());
        let count = partitions.clamp(1, rows.max(1));
        let cut = |number: usize| (rows as u128 * number as u128 / count as u128) as usize;
        let parts: Arc<[DataFrame]> =
            (0..count).map(|number| data.slice(cut(number) as i64, cut(number + 1) - cut(number))).collect();
        let key = content_key(&parts);
        Frame { node: FrameExpr::data(parts, schema, key, location) }
    }

    /// A frame of partitions in memory, in their order; all have the same columns.
    ///
    /// # Errors
    /// If there is no partition, or their columns differ.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let parts = [df!("x" => [1, 2]).unwrap(), df!("x" => [3]).unwrap()];
    /// assert_eq!(Frame::from_partitions(parts)?.partitions(), 2);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn from_partitions(parts: impl IntoIterator<Item = DataFrame>) -> Result<Frame> {
        let parts: Arc<[DataFrame]> = parts.into_iter().collect();
        let Some(first) = parts.first() else {
            return Err(Error::invalid("from_partitions", "there is no partition; give at least one, it may be empty"));
        };
        let schema = first.schema().clone();
        if let Some(at) = parts.iter().position(|part| *part.schema() != schema) {
            let found = super::step::columns(parts[at].schema());
            let reason =
                format!("partition {at} has the columns {found}, the first one {}", super::step::columns(&schema));
            return Err(Error::invalid("from_partitions", reason));
        }
        let key = content_key(&parts);
        Ok(Frame { node: FrameExpr::data(parts, schema, key, Location::caller()) })
    }
}

/// The key of data by what is in it, so that equal data are found to be equal; what cannot be written equals only itself.
fn content_key(parts: &[DataFrame]) -> talatat_graph::Key {
    parts
        .iter()
        .fold(KeyBuilder::new("frame.from_polars"), |key, part| {
            let mut bytes = Vec::new();
            match Partition(part.clone()).encode(&mut bytes) {
                Ok(()) => key.bytes(&bytes),
                Err(_) => key.number(unique()),
            }
        })
        .finish()
}

/// A partition as a value of the graph.
impl From<Partition> for Value {
    fn from(partition: Partition) -> Value {
        Value::block(partition)
    }
}
