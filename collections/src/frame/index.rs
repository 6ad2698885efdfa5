//! The index: a column that the frame is in the order of.
//!
//! A frame has no row labels beside its columns. Its index is one of the columns, with the promise that rows are in its order, within
//! partitions and over them, missing values last, and that equal values are in one partition. Where the smallest and the largest value
//! of each partition are known, too ([`Divisions::are_known`]), [`Frame::loc`] reads only the partitions that it needs.
//! What leaves the column and the order of rows as they are keeps the index; anything else forgets it.

use std::ops::{RangeFrom, RangeInclusive, RangeToInclusive};
use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, DataType, Expr, IntoColumn, Literal, Series, col, lit};
use talatat_graph::{Block, Key, KeyBuilder};

use super::Frame;
use super::divisions::Divisions;
use super::expr::{FrameExpr, Node, Op};
use super::kernels::order::Order;
use super::partition::Held;
use super::step::{self, Step, refused};
use crate::error::{Error, Result};
use crate::lower::frame::{Divided, Indexed, Selected, Sort};

/// Values of the index: what [`Frame::loc`] takes. Ranges have both ends, as in pandas.
///
/// ```
/// use talatat_collections::frame::Loc;
/// let all = [Loc::from(3..=5), Loc::from(3..), Loc::from(..=5), Loc::value("Lyon")];
/// assert_eq!(all.len(), 4);
/// ```
#[derive(Clone, Debug)]
pub struct Loc {
    pub(crate) from: Option<Expr>,
    pub(crate) to: Option<Expr>,
}

impl Loc {
    /// One value.
    pub fn value(value: impl Literal) -> Loc {
        let value = lit(value);
        Loc { from: Some(value.clone()), to: Some(value) }
    }
}

impl<L: Literal + Clone> From<RangeInclusive<L>> for Loc {
    fn from(range: RangeInclusive<L>) -> Loc {
        let (from, to) = range.into_inner();
        Loc { from: Some(lit(from)), to: Some(lit(to)) }
    }
}

impl<L: Literal> From<RangeFrom<L>> for Loc {
    fn from(range: RangeFrom<L>) -> Loc {
        Loc { from: Some(lit(range.start)), to: None }
    }
}

impl<L: Literal> From<RangeToInclusive<L>> for Loc {
    fn from(range: RangeToInclusive<L>) -> Loc {
        Loc { from: None, to: Some(lit(range.end)) }
    }
}

/// How [`Frame::set_index`] gets the order.
///
/// ```
/// use talatat_collections::frame::SetIndex;
/// let trusting = SetIndex::new().sorted(true);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SetIndex {
    sorted: bool,
    divisions: Option<Series>,
}

impl SetIndex {
    /// Sorts.
    pub fn new() -> SetIndex {
        SetIndex::default()
    }

    /// Says that rows are in the order of the column already, so that nothing moves. That is checked: of data in memory at once, of
    /// anything else within each partition, when it is computed.
    pub fn sorted(mut self, sorted: bool) -> SetIndex {
        self.sorted = sorted;
        self
    }

    /// Where to cut: the smallest value of each partition, and the largest one of the last. Then partitions need not be sampled, and it
    /// is known from the start which values they have. A value that lies outside is an error of the run.
    pub fn divisions(mut self, values: Series) -> SetIndex {
        self.divisions = Some(values);
        self
    }
}

impl Frame {
    /// The frame in the order of a column, which is its index from now on; pandas' `set_index` and `sort_index` in one. The column stays a
    /// column, its missing values come last.
    ///
    /// It costs what [`sort_values`](Frame::sort_values) costs, but that equal values stay in one partition, or nothing if the rows are
    /// [`sorted`](SetIndex::sorted). Which values a partition has is known once the frame is [persisted](talatat_graph); of sorted data in
    /// memory at once.
    ///
    /// # Errors
    /// If the column does not exist or its values have no order, or data in memory that is said to be sorted is not.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, SetIndex, df};
    /// let frame = Frame::from_polars(df!("day" => [1, 2, 4, 7], "rain" => [0, 3, 1, 0]).unwrap(), 2);
    /// let daily = frame.set_index("day", SetIndex::new().sorted(true))?;
    /// assert!(daily.divisions().is_some_and(|divisions| divisions.are_known()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn set_index(&self, column: &str, options: SetIndex) -> Result<Frame> {
        self.set_index_at(column, options, Location::caller())
    }

    pub(crate) fn set_index_at(
        &self,
        column: &str,
        options: SetIndex,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        self.keys_are("set_index", &[column.to_string()], location)?;
        let given = options.divisions.as_ref();
        let divided = given.map(|values| self.divided(column, values, location)).transpose()?;
        if !options.sorted || divided.is_some() {
            let order = Order { ties: false, ..Order::ascending(column) };
            let sort = Sort { order, index: true, divided };
            return Ok(Frame { node: FrameExpr::custom(Arc::new(sort), vec![self.node.clone()], location)? });
        }
        let mut divisions = Divisions::unknown(column);
        if let Some(parts) = self.held() {
            let dtype = self.node.schema.get(column).cloned().unwrap_or(DataType::Null);
            let failed = |error| refused("set_index", &self.node.schema, &error, location);
            divisions = Divisions::of_parts(column, &parts, &dtype).map_err(failed)?.ok_or_else(|| {
                let reason = format!(
                    "the rows are not in the order of `{column}`, or equal values are in two partitions; leave out `sorted(true)`, so that they are sorted"
                );
                Error::invalid_at("set_index", reason, location)
            })?;
        }
        let indexed = Indexed { divisions };
        Ok(Frame { node: FrameExpr::custom(Arc::new(indexed), vec![self.node.clone()], location)? })
    }

    /// Checks divisions that are given.
    fn divided(&self, column: &str, values: &Series, location: &'static Location<'static>) -> Result<Divided> {
        let invalid = |reason: String| Error::invalid_at("set_index", reason, location);
        let dtype = self.node.schema.get(column).cloned().unwrap_or(DataType::Null);
        let cast = values.strict_cast(&dtype).map_err(|error| {
            let first = error.to_string().lines().next().unwrap_or_default().to_string();
            invalid(format!(
                "the divisions are of type {}, the index `{column}` is of type {dtype}: {first}",
                values.dtype()
            ))
        })?;
        let values = cast.with_name(column.into()).into_column();
        let table = DataFrame::new(values.len(), vec![values.clone()]);
        let table = table.map_err(|error| refused("set_index", &self.node.schema, &error, location))?;
        let rising = Order::ascending(column).holds(&table).unwrap_or(false)
            && values.null_count() == 0
            && values.n_unique().is_ok_and(|count| count == values.len());
        if values.len() < 2 || !rising {
            return Err(invalid(format!(
                "the divisions {values:?} are not at least two values, each larger than the one before; give the smallest value of each \
                 partition and the largest one of the last"
            )));
        }
        let divisions = Divisions::between(column, &values);
        let mut bytes = Vec::new();
        let key = match super::Partition(table.clone()).encode(&mut bytes) {
            Ok(()) => Key::of("frame.divisions", &bytes),
            Err(_) => KeyBuilder::new("frame.divisions").number(super::wire::unique()).finish(),
        };
        Ok(Divided { values: table, divisions, key })
    }

    /// The index and what is known of its values in each partition; `None` if there is no index.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// assert!(Frame::from_polars(df!("x" => [1, 2]).unwrap(), 1).divisions().is_none());
    /// ```
    pub fn divisions(&self) -> Option<&Divisions> {
        self.node.facts.divisions.as_ref()
    }

    /// The rows whose index has a value, or lies in a range with both ends. If it is known which values partitions have, only those that
    /// may have some are made.
    ///
    /// # Errors
    /// If the frame has no index, or the value does not compare with it.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, SetIndex, df};
    /// let frame = Frame::from_polars(df!("day" => [1, 2, 4, 7], "rain" => [0, 3, 1, 0]).unwrap(), 2);
    /// let week = frame.set_index("day", SetIndex::new().sorted(true))?.loc(4..)?;
    /// assert_eq!(week.partitions(), 1);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn loc(&self, range: impl Into<Loc>) -> Result<Frame> {
        let location = Location::caller();
        let range = range.into();
        let Some(divisions) = self.divisions() else {
            let reason = "the frame has no index, so there is nothing to look up; use `set_index` before, or `filter`";
            return Err(Error::invalid_at("loc", reason, location));
        };
        let index = || col(divisions.column());
        let from = range.from.clone().map(|from| index().gt_eq(from));
        let to = range.to.clone().map(|to| index().lt_eq(to));
        let Some(condition) = from.into_iter().chain(to).reduce(Expr::and) else { return Ok(self.clone()) };
        // The check comes first: its errors name the columns.
        let (step, _) = step::check(Step::Filter(condition), &self.node.schema, location)?;
        let mut node: Node = self.node.clone();
        let kept = divisions.within(&range).map_err(|error| refused("loc", &self.node.schema, &error, location))?;
        if let Some(mut kept) = kept.filter(|kept| kept.len() < self.node.partitions) {
            // A frame has a partition, if an empty one.
            if kept.is_empty() {
                kept.push(0);
            }
            node = FrameExpr::custom(Arc::new(Selected { partitions: kept.into() }), vec![node], location)?;
        }
        Ok(Frame { node: FrameExpr::step(node, step, location)? })
    }

    /// The partitions, if they are in memory.
    fn held(&self) -> Option<Arc<[Held]>> {
        match &self.node.op {
            Op::Scan(scan) => match scan.source() {
                super::kernels::Source::Data(parts) => Some(parts),
                _ => None,
            },
            _ => None,
        }
    }
}
