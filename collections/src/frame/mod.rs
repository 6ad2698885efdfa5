//! Partitioned frames: pandas' verbs, polars' expressions, any size.
//!
//! A [`Frame`] is a lazy table cut into partitions by rows. Its columns and their types are known from the start, its number of rows is
//! not. Expressions over columns are polars': [`col`], [`lit`] and all that can be done with them. A run of
//! partition-wise steps, the reader included, becomes one polars query per partition; [`Frame::groupby`] merges partitions in a tree.
//!
//! ```
//! use talatat_collections::frame::{DataFrame, Frame, agg, col, df, lit};
//!
//! let trips: DataFrame = df!("town" => ["Lyon", "Oslo", "Lyon"], "fare" => [10.0, 0.0, 30.0], "tip" => [1.0, 0.0, 6.0]).unwrap();
//! let share = Frame::from_polars(trips, 2)
//!     .filter(col("fare").gt(lit(0.0)))?
//!     .with_columns([(col("tip") / col("fare")).alias("share")])?
//!     .groupby(["town"])?
//!     .agg([agg::mean("share").alias("mean")])?;
//! assert_eq!(share.column_names(), ["town", "mean"]);
//! # Ok::<(), talatat_collections::Error>(())
//! ```
//!
//! **Missing values** are polars' nulls. As in pandas, `filter` drops rows whose condition is missing, aggregations pass over missing
//! values, and `groupby` drops rows with a missing key. Unlike in pandas, a float `NaN` is a number and not missing, a comparison with a
//! missing value is missing and not false (so `!=` does not keep it), and integer columns stay integers when values are missing. `/` of two integer columns is
//! polars' Rust division, which gives an integer: cast one of them to float64 first.
//!
//! **Polars' features.** What an expression can do beyond the basics (`is_in`, `round`, `regex`, time zones ...) is a feature of the
//! `polars` crate: depend on the same version with the features you want, and they work here.

mod asof;
mod concat;
pub(crate) mod csv;
pub(crate) mod divisions;
pub(crate) mod expr;
mod from_delayed;
mod from_map;
pub(crate) mod functions;
pub(crate) mod groupby;
pub(crate) mod index;
pub(crate) mod ipc;
pub(crate) mod json;
mod kept;
pub(crate) mod kernels;
pub(crate) mod known;
mod len;
mod merge;
mod notebook;
mod ops;
pub(crate) mod parquet;
mod partition;
mod read;
mod repartition;
pub mod rewrite;
mod row_function;
pub(crate) mod scan;
mod sort;
#[cfg(feature = "sql")]
mod sql;
mod statistics;
pub(crate) mod step;
mod stream;
mod threads;
mod verbs;
mod windows;
pub(crate) mod wire;
mod write;

use std::fmt;
use std::panic::Location;

pub use asof::{Direction, MergeAsof};
pub use concat::{ConcatColumns, concat, concat_columns};
pub use csv::CsvOptions;
pub use divisions::Divisions;
pub use from_delayed::from_delayed;
pub use from_map::{from_map, from_map_with};
pub use functions::{text, time};
pub use groupby::{Aggregation, GroupBy, agg};
pub use index::{Loc, SetIndex};
pub use ipc::{read_ipc, read_ipc_with};
pub use json::{JsonOptions, read_json, read_json_with};
pub use len::FrameLen;
pub use merge::{How, MergeOn, Validate};
pub use parquet::{ParquetOptions, SchemaDrift, read_parquet, read_parquet_with};
pub use partition::Partition;
/// The `polars` crate, in the version that frames are made of.
pub use polars;
pub use polars::prelude::{
    DataFrame, DataType, Expr, PolarsError, Schema, TimeUnit, col, df, len as row_count, lit, when,
};
pub use read::{read_csv, read_csv_with, read_fwf};
pub use repartition::{Frequency, PartitionSize, Partitions};
pub use row_function::{Cell, Made, RowFunction};
pub use sort::{NaPosition, SortOrder};
#[cfg(feature = "sql")]
pub use sql::{SqlOptions, read_sql_query, read_sql_table};
pub use statistics::{Keep, ValueCounts};
pub use verbs::DropNa;
pub use windows::{Ewm, Expanding, Fade, Interpolate, LimitDirection, Resample, Rolling, Span};
pub(crate) use write::PartsWriter;
pub use write::{Compression, FrameWrite, WriteOptions};

use polars::prelude::SchemaRef;
use talatat_graph::{Edge, Error as GraphError, KernelError, Key, Registry, Value, format_bytes};

use crate::collection::Collection;
use crate::error::{Error, Result};
use crate::frame::expr::Node;
use crate::frame::partition::Held;
use crate::frame::rewrite::{Wanted, described};
use crate::lower::{Lowering, LoweringOptions, frame as lower};

/// A lazy table in partitions. Cloning shares it.
///
/// Made by [`read_csv`] or [`Frame::from_polars`]; computing it gives a polars [`DataFrame`].
#[derive(Clone)]
pub struct Frame {
    pub(crate) node: Node,
}

impl Frame {
    /// Names and types of the columns.
    ///
    /// ```
    /// use talatat_collections::frame::{DataType, Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1_i64, 2]).unwrap(), 1);
    /// assert_eq!(frame.schema().get("x"), Some(&DataType::Int64));
    /// ```
    pub fn schema(&self) -> &SchemaRef {
        &self.node.schema
    }

    /// Names of the columns, in order.
    pub fn column_names(&self) -> Vec<&str> {
        self.node.schema.iter_names().map(|name| name.as_str()).collect()
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> usize {
        self.node.partitions
    }

    /// A guess at the bytes of the largest partition in memory, from the sample of the files or the data's size.
    pub fn partition_bytes(&self) -> u64 {
        self.node.bytes()
    }

    /// The name of the frame: equal expressions on equal data have equal keys.
    pub fn key(&self) -> Key {
        self.node.key
    }

    /// Tasks of one column's partitions: the edges to blocks of type [`Partition`] that hold this column alone, in order.
    ///
    /// How many rows each has is known only when it is there. It is what other collections are made of.
    ///
    /// # Errors
    /// If there is no such column.
    #[track_caller]
    pub fn column_blocks(&self, lowering: &mut Lowering, column: &str) -> Result<Vec<Edge>> {
        self.select([col(column)])?.lower(lowering)
    }
}

impl Collection for Frame {
    type Output = DataFrame;
    type Persisted = Self;

    fn blocks(&self) -> Result<usize> {
        Ok(self.node.partitions)
    }

    fn announce(&self, lowering: &mut Lowering) -> Result<()> {
        lowering.frames.announce(&self.node, Wanted::All);
        Ok(())
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        lower::Roots::lower(lowering, &self.node)
    }

    fn gather(&self, blocks: Vec<Value>) -> Result<DataFrame> {
        let parts = self.take_parts(blocks)?;
        let joined = csv::join(parts).map_err(|error| GraphError::InvalidGraph(error.to_string()))?;
        Ok(joined)
    }

    fn persisted(&self, blocks: Vec<Value>) -> Result<Self> {
        self.standing_on(blocks, None)
    }

    fn looks(&self, lowering: &mut Lowering, blocks: &[Edge]) -> Result<Vec<Edge>> {
        let index = self.node.facts.divisions.as_ref();
        index.map(|index| lower::ends(lowering, &self.node, index.column(), blocks)).into_iter().collect()
    }

    fn persisted_seen(&self, blocks: Vec<Value>, seen: &mut dyn Iterator<Item = Value>) -> Result<Self> {
        let ends = self.node.facts.divisions.as_ref().and_then(|_| seen.next());
        let ends = ends.map(|ends| Partition::take(&mut ends.loaded()?).map_err(broken)).transpose()?;
        self.standing_on(blocks, ends.as_ref())
    }

    fn describe_expression(&self, rewritten: bool) -> String {
        described(&self.node, Wanted::All, rewritten)
    }

    fn describe_lowered(&self, lowering: &Lowering) -> String {
        lowering.frames.described(&self.node, Wanted::All)
    }
}

impl Frame {
    /// The same frame on computed partitions, with what was seen of its index.
    fn standing_on(&self, blocks: Vec<Value>, ends: Option<&DataFrame>) -> Result<Self> {
        for block in blocks.iter().filter(|block| !matches!(block, Value::Spilled(_) | Value::Remote(_))) {
            self.checked(&block.get::<Partition>().map_err(broken)?.0)?;
        }
        let parts = blocks.into_iter().map(Held::of).collect::<std::result::Result<_, _>>().map_err(broken)?;
        Ok(Frame { node: self.node.computed(parts, ends) })
    }

    /// The partitions, each with the promised columns.
    fn take_parts(&self, blocks: Vec<Value>) -> Result<Vec<DataFrame>> {
        let parts =
            blocks.into_iter().map(|mut block| Partition::take(&mut block)).collect::<std::result::Result<Vec<_>, _>>();
        let parts = parts.map_err(broken)?;
        parts.iter().try_for_each(|part| self.checked(part))?;
        Ok(parts)
    }

    /// A partition must have the promised columns.
    fn checked(&self, part: &DataFrame) -> Result<()> {
        if **part.schema() == *self.node.schema {
            return Ok(());
        }
        let (found, promised) = (step::columns(part.schema()), step::columns(&self.node.schema));
        let broken = format!("a partition has the columns {found}, but {promised} were promised");
        Err(GraphError::InvalidGraph(broken).into())
    }
}

/// Blocks that are not what was promised.
fn broken(error: KernelError) -> Error {
    GraphError::InvalidGraph(error.to_string()).into()
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.node.bytes();
        let total = bytes.saturating_mul(self.node.partitions as u64);
        write!(
            f,
            "Frame: {} partitions of about {}, about {} in all",
            self.node.partitions,
            format_bytes(bytes),
            format_bytes(total)
        )?;
        let mut lowering = Lowering::new(LoweringOptions::default());
        if self.lower(&mut lowering).is_ok() {
            write!(f, ", {} tasks", lowering.graph.len())?;
        }
        let width = self.column_names().iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, dtype) in self.node.schema.iter() {
            write!(f, "\n  {:width$}  {dtype}", name.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} partitions: {})", self.node.partitions, expr::names(&self.node.schema))
    }
}

/// Checks that an expression's columns exist.
pub(crate) fn columns_named(
    operation: &str,
    schema: &Schema,
    expr: &Expr,
    location: &'static Location<'static>,
) -> Result<()> {
    match step::columns_of(expr).iter().find(|name| !schema.contains(name)) {
        None => Ok(()),
        Some(name) => Err(Error::invalid_at(operation, step::no_column(name, schema), location)),
    }
}

/// Adds the kernels and blocks of frames to a registry.
pub(crate) fn register(registry: Registry) -> Registry {
    kernels::register(registry)
        .block(Partition::CODEC, Partition::decode_block)
        .block_reader(Partition::CODEC, Partition::read_block)
        .block(partition::HeadRows::CODEC, partition::HeadRows::decode_block)
        .block(partition::RawBytes::CODEC, partition::RawBytes::decode_block)
}
