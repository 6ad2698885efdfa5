//! Groups of rows with equal keys.
//!
//! An aggregation is taken apart (`decompose`) into states that merge (`state`), by a table (`table`); `grouping` puts the stages
//! together.

pub mod agg;
mod decompose;
mod functions;
mod grouping;
mod rows;
mod state;
mod summaries;
mod table;
mod within;

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{Expr, col};

pub use functions::Aggregation;
pub(crate) use grouping::Grouping;
pub(crate) use table::number;
pub(crate) use within::{Kept, Within, place_in_group};

use self::agg::Agg;
use self::grouping::Asked;
use super::Frame;
use super::expr::{FrameExpr, Node};
use super::step::{self, Step};
use crate::error::{Error, Result};

/// A frame with the keys of its groups, waiting for aggregations: what [`Frame::groupby`] gives.
#[derive(Clone)]
pub struct GroupBy {
    frame: Frame,
    keys: Vec<Expr>,
    sort: bool,
    dropna: bool,
    parts: Option<u32>,
    location: &'static Location<'static>,
}

/// The bytes of rows that go to one part of the groups.
const PART_BYTES: u64 = 32 << 20;

/// More parts than this are more trouble than help.
const MAX_PARTS: u64 = 256;

impl GroupBy {
    pub(crate) fn new(frame: Frame, keys: Vec<Expr>, location: &'static Location<'static>) -> GroupBy {
        GroupBy { frame, keys, sort: true, dropna: true, parts: None, location }
    }

    /// The rows that are grouped.
    pub(crate) fn rows(&self) -> &Frame {
        &self.frame
    }

    /// Whether the result is sorted by the keys, missing ones last; by default true. Else groups come in the order in which they appear
    /// first, if they are in one part. Several parts ([`split_out`](GroupBy::split_out)) are a partition each: sorted ones hold
    /// ranges of keys one after the other, others have the order of appearance each by itself.
    ///
    /// ```
    /// # use talatat_collections::frame::{Frame, GroupBy, agg};
    /// fn fares(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.sort(false).agg([agg::mean("fare")])
    /// }
    /// ```
    pub fn sort(mut self, sort: bool) -> GroupBy {
        self.sort = sort;
        self
    }

    /// Whether rows with a missing key are left out; by default true. Else missing is a key like others.
    ///
    /// ```
    /// # use talatat_collections::frame::{Frame, GroupBy};
    /// fn towns(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.dropna(false).size()
    /// }
    /// ```
    pub fn dropna(mut self, dropna: bool) -> GroupBy {
        self.dropna = dropna;
        self
    }

    /// Into how many parts the groups are spread by the hash of their keys: each is merged by a task of its own. By default one for
    /// each 32 MiB of the rows' keys and inputs, as they are guessed; one if there is one partition. Dask's name.
    ///
    /// ```
    /// # use talatat_collections::frame::Frame;
    /// fn riders(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["rider"])?.sort(false).split_out(16).size()
    /// }
    /// ```
    pub fn split_out(mut self, parts: u32) -> GroupBy {
        self.parts = Some(parts.max(1));
        self
    }

    /// Aggregates: one row for each group, the keys first, then one column for each aggregation. An aggregation is a function of
    /// [`agg`](mod@agg) or an expression of polars.
    ///
    /// Aggregations that merge: each partition is aggregated by itself, then results are merged, in one part in a tree of arity 8, in several
    /// ([`split_out`](GroupBy::split_out)) by a task each. The others, such as a median: rows with equal keys are brought together
    /// first. The order of merging depends on the number of partitions and parts alone: the answer has the same bits on every executor.
    ///
    /// Memory: the groups of 8 partitions at once, or of one part of all; if rows are brought together, the rows of one part.
    ///
    /// # Errors
    /// If a column does not exist, an aggregation makes no sense for its type, or two columns of the result have the same name.
    ///
    /// ```
    /// # use talatat_collections::frame::{Frame, agg, col};
    /// fn fares(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.agg([agg::mean("fare").alias("mean"), agg::count("fare").alias("n")])
    /// }
    /// fn ranges(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.agg([(col("fare").max() - col("fare").min()).alias("range")])
    /// }
    /// ```
    #[track_caller]
    pub fn agg<A: Into<Agg>>(&self, aggs: impl IntoIterator<Item = A>) -> Result<Frame> {
        self.agg_at(aggs.into_iter().map(Into::into).collect(), Location::caller())
    }

    /// How many rows each group has: a column `size`.
    ///
    /// # Errors
    /// If two keys have the same name.
    #[track_caller]
    pub fn size(&self) -> Result<Frame> {
        self.agg_at(vec![agg::size().alias("size")], Location::caller())
    }

    pub(crate) fn agg_at(&self, aggs: Vec<Agg>, location: &'static Location<'static>) -> Result<Frame> {
        let grouped = self.grouped(&aggs, location)?;
        grouped.frame(Ok)
    }

    /// The input of the stages, and the stages.
    pub(crate) fn grouped(&self, aggs: &[Agg], location: &'static Location<'static>) -> Result<Grouped> {
        if aggs.is_empty() {
            let reason = "no aggregation is asked for; say which, as in `.agg([agg::mean(\"x\")])`";
            return Err(Error::invalid_at("groupby", reason, location));
        }
        self.grouped_by(aggs, location)
    }

    /// As [`grouped`](GroupBy::grouped); no aggregations give the distinct keys.
    pub(crate) fn grouped_by(&self, aggs: &[Agg], location: &'static Location<'static>) -> Result<Grouped> {
        let input = &self.frame.node;
        let asked = Asked { keys: &self.keys, aggs, sort: self.sort };
        let (mut grouping, exprs) = Grouping::new(&asked, &input.schema, location)?;
        let mut node = input.clone();
        if !exprs.is_empty() {
            // Rows of a constant key would not be counted: `select` says so.
            let (step, schema) = step::check(Step::Select(exprs), &input.schema, location)?;
            node = FrameExpr::step_with(node, step, schema, location);
        }
        if self.dropna && !grouping.keys.is_empty() {
            let keys = grouping.keys.iter().map(|key| col(key.as_str()).is_not_null());
            if let Some(all) = keys.reduce(Expr::and) {
                node = FrameExpr::step(node, Step::Filter(all), location)?;
            }
        }
        if !grouping.keys.is_empty() {
            grouping.parts = self.parts.unwrap_or_else(|| parts_of(&node));
        }
        Ok(Grouped { node, grouping, location: self.location })
    }
}

/// One part for each 32 MiB of rows.
pub(crate) fn parts_of(node: &Node) -> u32 {
    if node.partitions <= 1 {
        return 1;
    }
    let bytes = node.bytes().saturating_mul(node.partitions as u64);
    bytes.div_ceil(PART_BYTES).clamp(1, MAX_PARTS) as u32
}

/// An aggregation that has been checked, with its input.
pub(crate) struct Grouped {
    node: Node,
    grouping: Grouping,
    location: &'static Location<'static>,
}

impl Grouped {
    /// The result, after a change of its stages.
    pub(crate) fn frame(self, change: impl FnOnce(Grouping) -> Result<Grouping>) -> Result<Frame> {
        let grouping = Arc::new(change(self.grouping)?);
        Ok(Frame { node: FrameExpr::custom(grouping, vec![self.node], self.location)? })
    }
}

macro_rules! shortcuts {
    ($($name:ident: $doc:literal;)*) => {
        impl GroupBy {$(
            #[doc = $doc]
            /// One column for each of `columns`, under its name.
            ///
            /// # Errors
            /// As [`agg`](GroupBy::agg).
            ///
            /// ```
            /// # use talatat_collections::frame::Frame;
            /// fn by_town(trips: &Frame) -> talatat_collections::Result<Frame> {
            #[doc = concat!("    trips.groupby([\"town\"])?.", stringify!($name), "([\"fare\"])")]
            /// }
            /// ```
            #[track_caller]
            pub fn $name<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
                let aggs = columns.into_iter().map(|name| agg::$name(name.as_ref()).alias(name.as_ref()));
                self.agg_at(aggs.collect(), Location::caller())
            }
        )*}
    };
}

shortcuts! {
    sum: "The sum of each column.";
    mean: "The mean of each column.";
    count: "How many values of each column are not missing.";
    min: "The smallest value of each column.";
    max: "The largest value of each column.";
    var: "The variance of each column, `ddof = 1`.";
    std: "The standard deviation of each column, `ddof = 1`.";
    first: "The first value of each column that is not missing.";
    last: "The last value of each column that is not missing.";
    prod: "The product of each column.";
    sem: "The standard error of the mean of each column.";
    skew: "The skewness of each column.";
    kurtosis: "The excess kurtosis of each column.";
    any: "Whether any value of each column is true.";
    all: "Whether all values of each column are true.";
    nunique: "How many distinct values each column has, missing not among them.";
    median: "The median of each column.";
    mode: "The value of each column that is there most often, the smallest of several.";
    list: "All values of each column, as lists.";
}
