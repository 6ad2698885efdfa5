//! Which rows are in which partition.

use polars::prelude::{AnyValue, DataFrame, Expr, IntoLazy, PolarsError, Scalar, Series, col, lit};
use std::ops::{Bound, RangeBounds};
use std::panic::Location;
use std::sync::Arc;

use super::expr::FrameExpr;
use super::{Frame, SetIndex};
use crate::error::{Error, Result};
use crate::lower::frame::{Repartition, Selected, Tail};

/// Which partitions there are to be: what [`Frame::repartition`] takes. A number of them, [`PartitionSize`], [`Frequency`], or a series of divisions.
#[derive(Clone, Debug)]
pub struct Partitions(Wanted);

#[derive(Clone, Debug)]
enum Wanted {
    Count(usize),
    Bytes(u64),
    Divisions(Series),
    Every(String),
}

/// Divisions of the index, as [`SetIndex::divisions`] takes them.
impl From<Series> for Partitions {
    fn from(divisions: Series) -> Partitions {
        Partitions(Wanted::Divisions(divisions))
    }
}

/// A partition for each span of time, of a frame whose index is a time: Dask's `freq`. Spans are polars' durations, `1d` or `12h` or `1mo`.
///
/// ```
/// use talatat_collections::frame::{DataType, Frame, Frequency, SetIndex, TimeUnit, col, df};
/// # use talatat::Compute;
/// let day = 86_400_000_000_i64;
/// let data = df!("at" => [0, day / 2, 2 * day], "x" => [1, 2, 3]).unwrap();
/// let frame = Frame::from_polars(data, 1).with_columns([col("at").cast(DataType::Datetime(TimeUnit::Microseconds, None))])?;
/// let daily = frame.persist()?.set_index("at", SetIndex::new().sorted(true))?.repartition(Frequency("1d"))?;
/// assert_eq!(daily.partitions(), 3);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency<'a>(
    /// The span.
    pub &'a str,
);

impl From<Frequency<'_>> for Partitions {
    fn from(every: Frequency<'_>) -> Partitions {
        Partitions(Wanted::Every(every.0.into()))
    }
}

impl From<usize> for Partitions {
    fn from(count: usize) -> Partitions {
        Partitions(Wanted::Count(count))
    }
}

/// Partitions of about so many bytes: Dask's `partition_size`.
///
/// ```
/// use talatat_collections::frame::{Frame, PartitionSize, df};
/// let frame = Frame::from_polars(df!("x" => vec![1_i64; 1000]).unwrap(), 1);
/// assert_eq!(frame.repartition(PartitionSize(2000))?.partitions(), 4);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionSize(
    /// The bytes of a partition.
    pub u64,
);

impl From<PartitionSize> for Partitions {
    fn from(size: PartitionSize) -> Partitions {
        Partitions(Wanted::Bytes(size.0))
    }
}

impl Frame {
    /// The same rows in other partitions: a number of them, those of a [`PartitionSize`], those between given divisions of the
    /// [index](Frame::set_index) (as a series), or one for each span of time ([`Frequency`]). Of a number or a size, fewer are made of whole neighbours, more by
    /// cutting each into pieces of equal length; rows keep their order. Of what size partitions are is a guess from samples, see
    /// [`partition_bytes`](Frame::partition_bytes).
    ///
    /// # Errors
    /// If the number or the size is 0; if divisions or a frequency are given and there is no index, or they do not fit it.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3, 4]).unwrap(), 2);
    /// assert_eq!((frame.repartition(1)?.partitions(), frame.repartition(4)?.partitions()), (1, 4));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn repartition(&self, into: impl Into<Partitions>) -> Result<Frame> {
        let location = Location::caller();
        let partitions = match into.into().0 {
            Wanted::Count(count) => count,
            Wanted::Divisions(values) => {
                let column = self.index_of("repartition", location)?;
                return self.set_index_at(&column, SetIndex::new().divisions(values), location);
            }
            Wanted::Every(every) => {
                let column = self.index_of("repartition", location)?;
                let values = self.spans(&column, &every, location)?;
                return self.set_index_at(&column, SetIndex::new().divisions(values), location);
            }
            Wanted::Bytes(0) => 0,
            Wanted::Bytes(bytes) => {
                let all = self.node.bytes().saturating_mul(self.node.partitions as u64);
                usize::try_from(all.div_ceil(bytes).max(1)).unwrap_or(usize::MAX)
            }
        };
        if partitions == 0 || u32::try_from(partitions).is_err() {
            let reason = "the rows do not fit into partitions of this number or size; ask for at least one partition, or one byte";
            return Err(Error::invalid_at("repartition", reason, location));
        }
        if partitions == self.node.partitions {
            return Ok(self.clone());
        }
        let operation = Repartition { partitions };
        Ok(Frame { node: FrameExpr::custom(Arc::new(operation), vec![self.node.clone()], location)? })
    }

    fn index_of(&self, operation: &str, location: &'static Location<'static>) -> Result<String> {
        let missing = || Error::invalid_at(operation, "the frame has no index; use `set_index` before", location);
        Ok(self.divisions().ok_or_else(missing)?.column().to_string())
    }

    /// The beginnings of the spans of time that the index lies in, and the end of the last one.
    fn spans(&self, column: &str, every: &str, location: &'static Location<'static>) -> Result<Series> {
        /// More partitions are a mistake.
        const MOST: usize = 1 << 20;
        let invalid = |reason: String| Error::invalid_at("repartition", reason, location);
        let Some(bounds) = self.divisions().and_then(|divisions| divisions.bounds()) else {
            let reason = "it is not known from when to when the index goes; use `persist` before, or give divisions";
            return Err(invalid(reason.into()));
        };
        if !self.node.schema.get(column).is_some_and(|dtype| dtype.is_datetime() || dtype.is_date()) {
            return Err(invalid(format!("the index `{column}` is no time, so it has no frequency; give divisions")));
        }
        let failed = |error: PolarsError| {
            let first = error.to_string().lines().next().unwrap_or_default().to_string();
            invalid(format!("`{every}` is no span of time: {first}; use `1d`, `12h`, `1mo` ..."))
        };
        let run = |frame: DataFrame, expr: Expr| {
            // Polars panics on some texts that are no span.
            let query = || frame.lazy().select([expr.alias("at")]).collect();
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(query))
                .unwrap_or_else(|_| Err(PolarsError::ComputeError("it cannot be read".into())))
                .map_err(failed)
        };
        let mut at = run(bounds.clone(), col("low").min().dt().truncate(lit(every)))?;
        let end = run(bounds, col("high").max())?;
        let mut values = at.clone();
        for _ in 0..MOST {
            at = run(at, col("at").dt().offset_by(lit(every)))?;
            values.vstack_mut(&at).map_err(failed)?;
            let next = at.column("at").map_err(failed)?;
            let value = next.get(0).map_or(AnyValue::Null, AnyValue::into_static);
            let next = lit(Scalar::new(next.dtype().clone(), value));
            let later = end.clone().lazy().select([col("at").lt(next)]).collect().map_err(failed)?;
            let later = later.column("at").and_then(|later| Ok(later.bool()?.get(0))).map_err(failed)?;
            // Missing if there is no row at all.
            if later != Some(false) {
                return Ok(values.column("at").map_err(failed)?.as_materialized_series().clone());
            }
        }
        Err(invalid(format!("`{every}` makes more than {MOST} partitions; choose a longer span")))
    }

    /// Some of the partitions, in order; Dask's `partitions[..]`. The others are not made.
    ///
    /// # Errors
    /// If there are not that many, or the range is empty.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3, 4]).unwrap(), 4);
    /// assert_eq!(frame.select_partitions(1..3)?.partitions(), 2);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn select_partitions(&self, range: impl RangeBounds<usize>) -> Result<Frame> {
        self.selected("select_partitions", range, Location::caller())
    }

    /// One partition, as a frame; Dask's `get_partition`. The others are not made.
    ///
    /// # Errors
    /// If there are not that many.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3, 4]).unwrap(), 4);
    /// assert_eq!(frame.get_partition(3)?.partitions(), 1);
    /// assert!(frame.get_partition(4).is_err());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn get_partition(&self, number: usize) -> Result<Frame> {
        self.selected("get_partition", number..=number, Location::caller())
    }

    fn selected(
        &self,
        operation: &str,
        range: impl RangeBounds<usize>,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let count = self.node.partitions;
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&end) => end.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => count,
        };
        if start >= end || end > count {
            let reason = format!(
                "partitions {start} to {end}, without the last one, are asked for; there are those from 0 to {count}"
            );
            return Err(Error::invalid_at(operation, reason, location));
        }
        let selected = Selected { partitions: (start..end).collect() };
        Ok(Frame { node: FrameExpr::custom(Arc::new(selected), vec![self.node.clone()], location)? })
    }

    /// The last `n` rows, as one partition. Unlike Dask's, which looks at the last partition only, they are as many as there are.
    ///
    /// Where it is known how many rows partitions have, only the last ones are made; else all are.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 3);
    /// assert_eq!(frame.tail(2)?.partitions(), 1);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// None today.
    #[track_caller]
    pub fn tail(&self, n: usize) -> Result<Frame> {
        let tail = Tail { rows: n };
        Ok(Frame { node: FrameExpr::custom(Arc::new(tail), vec![self.node.clone()], Location::caller())? })
    }
}
