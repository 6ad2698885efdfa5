//! The largest and smallest rows.

use std::panic::Location;
use std::sync::Arc;

use super::named;
use crate::error::Result;
use crate::frame::Frame;
use crate::frame::expr::FrameExpr;
use crate::lower::frame::Top;

impl Frame {
    /// The `n` rows with the largest values in `columns`, the largest first: by the first column, where it is equal by the next ones. Equal
    /// rows in their order. Missing values come last, NaN is larger than all numbers. One partition.
    ///
    /// Each partition gives its `n` rows, which are merged in a tree. Memory: a sorted partition, and the rows of 8.
    ///
    /// # Errors
    /// If a column does not exist.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 3, 2], "y" => ["a", "b", "c"]).unwrap(), 2);
    /// assert_eq!(frame.nlargest(2, ["x"])?.partitions(), 1);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn nlargest<S: AsRef<str>>(&self, n: usize, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
        self.top("nlargest", n, columns, true, Location::caller())
    }

    /// The `n` rows with the smallest values in `columns`, the smallest first; otherwise [`nlargest`](Frame::nlargest).
    ///
    /// # Errors
    /// If a column does not exist.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 3, 2]).unwrap(), 2);
    /// assert_eq!(frame.nsmallest(2, ["x"])?.partitions(), 1);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn nsmallest<S: AsRef<str>>(&self, n: usize, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
        self.top("nsmallest", n, columns, false, Location::caller())
    }

    fn top<S: AsRef<str>>(
        &self,
        operation: &str,
        n: usize,
        columns: impl IntoIterator<Item = S>,
        descending: bool,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let by = named(operation, &self.node.schema, columns, location)?;
        let top = Top { by, descending, rows: n as u64 };
        Ok(Frame { node: FrameExpr::custom(Arc::new(top), vec![self.node.clone()], location)? })
    }
}
