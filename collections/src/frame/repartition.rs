//! Which rows are in which partition.

use std::ops::{Bound, RangeBounds};
use std::panic::Location;
use std::sync::Arc;

use super::Frame;
use super::expr::FrameExpr;
use crate::error::{Error, Result};
use crate::lower::frame::{Repartition, Selected, Tail};

/// How many partitions there are to be: what [`Frame::repartition`] takes. A number, or [`PartitionSize`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitions(Wanted);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Count(usize),
    Bytes(u64),
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
    /// The same rows in more or fewer partitions: a number of them, or [`PartitionSize`]. Fewer are made of whole neighbours, more by
    /// cutting each into pieces of equal length; rows keep their order. Of what size partitions are is a guess from samples, see
    /// [`partition_bytes`](Frame::partition_bytes).
    ///
    /// # Errors
    /// If the number or the size is 0.
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
