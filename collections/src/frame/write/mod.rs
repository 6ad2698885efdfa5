//! Frames into folders of files.
//!
//! | file | what it does |
//! |---|---|
//! | `options` | what the user may say |
//! | `encode` | a partition as a file, or as one for each `key=value` folder |

mod encode;
mod options;

use std::fmt;
use std::panic::Location as CallSite;
use std::sync::Arc;

use polars::prelude::{DataType, Schema};
use talatat_graph::{Edge, Value};

pub(crate) use encode::PartsWriter;
use options::Format;
pub use options::{Compression, WriteOptions};

use super::Frame;
use super::expr::{FrameExpr, Node};
use super::rewrite::{Wanted, described};
use super::step::no_column;
use crate::collection::Collection;
use crate::error::{Error, Result};
use crate::lower::Lowering;
use crate::lower::frame::{Roots, Writing};
use crate::storage::{Location, PartsGuard, PartsOutput};

/// A frame that is written into a folder when it is computed: what [`Frame::to_parquet`] and the like give.
///
/// Each partition is written by a task, so that the frame need not fit in memory. The files appear under their names when all of them are
/// complete: a local folder gets its name then, or the files are moved into it; elsewhere each file is a multipart upload, and all
/// are completed one after the other at the end. If a task fails, panics or is cancelled, what was there before is as it was. What was begun is
/// removed with the handle if it was not finished; so it is computed once.
#[derive(Clone)]
pub struct FrameWrite {
    node: Node,
    _begun: Arc<PartsGuard>,
    done: bool,
}

impl Frame {
    /// Writes Parquet files into a folder, one for each partition, when the result is computed.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, WriteOptions, col, df, lit, read_parquet};
    /// # use talatat::Compute;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("trips");
    /// # let path = path.to_str().unwrap();
    /// let trips = Frame::from_polars(df!("year" => [2023, 2024, 2024], "fare" => [9.5, 4.0, 6.0]).unwrap(), 2);
    /// trips.to_parquet(path, WriteOptions::new().partition_on(["year"]))?.compute()?;
    /// let back = read_parquet([path], Default::default())?;
    /// assert_eq!(back.column_names(), ["fare", "year"]);
    /// assert_eq!(back.filter(col("year").eq(lit(2024)))?.len().compute()?, 2);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the folder cannot be written, or there is something in it and the options do not say what is to become of it; if a column to partition on
    /// does not exist or cannot be a folder's name.
    #[track_caller]
    pub fn to_parquet(&self, folder: &str, options: WriteOptions) -> Result<FrameWrite> {
        self.write(folder, Format::Parquet, options, CallSite::caller())
    }

    /// Writes CSV files into a folder, one for each partition, when the result is computed. There is no index. Dates and times are written as ISO 8601 has them,
    /// floats so that the same number is read from them.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, WriteOptions, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 2);
    /// frame.to_csv("memory://docs/to_csv", WriteOptions::new().separator(b';'))?.compute()?;
    /// assert!(frame.to_csv("memory://docs/to_csv", WriteOptions::new()).is_err(), "there is something");
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`to_parquet`](Frame::to_parquet).
    #[track_caller]
    pub fn to_csv(&self, folder: &str, options: WriteOptions) -> Result<FrameWrite> {
        self.write(folder, Format::Csv, options, CallSite::caller())
    }

    /// Writes files of JSON lines into a folder, one for each partition, when the result is computed: an object for each row, as pandas writes with
    /// `orient="records", lines=True`.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, WriteOptions, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 2);
    /// frame.to_json("memory://docs/to_json", WriteOptions::new().part_name("numbers"))?.compute()?;
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`to_parquet`](Frame::to_parquet).
    #[track_caller]
    pub fn to_json(&self, folder: &str, options: WriteOptions) -> Result<FrameWrite> {
        self.write(folder, Format::Json, options, CallSite::caller())
    }

    /// Writes Arrow IPC files (Feather) into a folder, one for each partition, when the result is computed.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, WriteOptions, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 2);
    /// frame.to_ipc("memory://docs/to_ipc", WriteOptions::new())?.compute()?;
    /// frame.to_ipc("memory://docs/to_ipc", WriteOptions::new().append())?.compute()?;
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`to_parquet`](Frame::to_parquet).
    #[track_caller]
    pub fn to_ipc(&self, folder: &str, options: WriteOptions) -> Result<FrameWrite> {
        self.write(folder, Format::Ipc, options, CallSite::caller())
    }

    fn write(
        &self,
        folder: &str,
        format: Format,
        options: WriteOptions,
        at: &'static CallSite<'static>,
    ) -> Result<FrameWrite> {
        check(format, &options, self.schema(), at)?;
        let (output, guard) = PartsOutput::begin(&Location::parse_with(folder, &options.storage)?, options.existing.0)?;
        let writing = Writing { writer: Arc::new(PartsWriter { output, format, options }) };
        let node = FrameExpr::custom(Arc::new(writing), vec![self.node.clone()], at)?;
        Ok(FrameWrite { node, _begun: Arc::new(guard), done: false })
    }
}

/// What can be known to be wrong before anything is begun.
fn check(format: Format, options: &WriteOptions, schema: &Schema, at: &'static CallSite<'static>) -> Result<()> {
    let wrong = |reason: String| Err(Error::invalid_at(format.operation(), reason, at));
    for key in &options.partition_on {
        match schema.get(key) {
            None => return wrong(no_column(key, schema)),
            Some(DataType::Binary | DataType::Duration(_) | DataType::List(_) | DataType::Struct(_)) => {
                return wrong(format!(
                    "column `{key}` cannot be the name of a folder; cast it to a text or a number first"
                ));
            }
            Some(_) => {}
        }
    }
    if schema.iter_names().all(|name| options.partition_on.iter().any(|key| *key == name.as_str())) {
        return wrong("all columns are in `partition_on`, so that none is left for the files".into());
    }
    if options.name.is_empty() || options.name.contains('/') || options.name.starts_with(['.', '_']) {
        return wrong(format!("`{}` cannot be what names of parts begin with; use letters and digits", options.name));
    }
    if let Some(compression) = options.compression.filter(|compression| !format.allows(*compression)) {
        return wrong(format!("{compression:?} is not for this format; see `Compression`"));
    }
    let nested = |dtype: &DataType| matches!(dtype, DataType::List(_) | DataType::Struct(_) | DataType::Binary);
    if let (Format::Csv, Some((name, dtype))) = (format, schema.iter().find(|(_, dtype)| nested(dtype))) {
        return wrong(format!("column `{name}` is {dtype}, which CSV cannot hold; cast or drop it first"));
    }
    Ok(())
}

impl Collection for FrameWrite {
    type Output = ();
    type Persisted = Self;

    fn blocks(&self) -> Result<usize> {
        Ok(usize::from(!self.done))
    }

    fn announce(&self, lowering: &mut Lowering) -> Result<()> {
        if !self.done {
            lowering.frames.announce(&self.node, Wanted::All);
        }
        Ok(())
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        if self.done { Ok(Vec::new()) } else { Roots::lower(lowering, &self.node) }
    }

    fn gather(&self, _: Vec<Value>) -> Result<()> {
        Ok(())
    }

    fn persisted(&self, _: Vec<Value>) -> Result<Self> {
        Ok(FrameWrite { done: true, ..self.clone() })
    }

    fn describe_expression(&self, rewritten: bool) -> String {
        described(&self.node, Wanted::All, rewritten)
    }

    fn describe_lowered(&self, lowering: &Lowering) -> String {
        lowering.frames.described(&self.node, Wanted::All)
    }
}

impl fmt::Debug for FrameWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameWrite({}, {})", self.node.describe(), if self.done { "written" } else { "begun" })
    }
}
