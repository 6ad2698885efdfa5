//! Rows by their number.

use std::ops::{Bound, RangeBounds};
use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{Expr, col, lit};

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::expr::FrameExpr;
use crate::frame::kernels::{ROW_NUMBER, RowRange};
use crate::frame::step::Step;
use crate::lower::frame::{RowIndex, Rows, Take};

impl Frame {
    /// The frame with a first column that counts the rows from `offset` on, int64. Rows are counted along the partitions.
    ///
    /// # Errors
    /// If there is a column with this name.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [5, 6, 7]).unwrap(), 2);
    /// assert_eq!(frame.with_row_index("row", 0)?.column_names(), ["row", "x"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn with_row_index(&self, name: &str, offset: i64) -> Result<Frame> {
        let location = Location::caller();
        if self.node.schema.contains(name) {
            let reason = format!("there is a column `{name}` already; choose another name");
            return Err(Error::invalid_at("with_row_index", reason, location));
        }
        let index = RowIndex { column: name.into(), offset };
        Ok(Frame { node: FrameExpr::custom(Arc::new(index), vec![self.node.clone()], location)? })
    }

    /// A part of the rows, drawn without replacement: each row is kept with probability `frac`, by a hash of `seed` and its number. So which
    /// rows are kept depends neither on partitions nor on threads, and there are about `frac` of them, not exactly as in pandas.
    ///
    /// # Errors
    /// If `frac` is not between 0 and 1.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [5, 6, 7]).unwrap(), 2);
    /// assert_eq!(frame.sample(0.5, 7)?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn sample(&self, frac: f64, seed: u64) -> Result<Frame> {
        let location = Location::caller();
        if !(0.0..=1.0).contains(&frac) {
            let reason = format!("`frac` is {frac}, but a part of the rows is between 0 and 1");
            return Err(Error::invalid_at("sample", reason, location));
        }
        if frac == 1.0 {
            return Ok(self.clone());
        }
        self.drawn(seed, 0.0, frac, location)
    }

    /// The rows in several parts at random, each about as large as its fraction, which add up to 1: Dask's `random_split`. Each row is in exactly one
    /// of them, by a hash of `seed` and its number: which one depends neither on partitions nor on threads. Rows keep their order.
    ///
    /// # Errors
    /// If there is no fraction, one is negative, or they do not add up to 1.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => (0..100).collect::<Vec<i32>>()).unwrap(), 3);
    /// let parts = frame.random_split([0.8, 0.2], 7)?;
    /// assert_eq!(parts[0].len().compute()? + parts[1].len().compute()?, 100);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn random_split(&self, fractions: impl IntoIterator<Item = f64>, seed: u64) -> Result<Vec<Frame>> {
        let location = Location::caller();
        let fractions: Vec<f64> = fractions.into_iter().collect();
        let sum: f64 = fractions.iter().sum();
        if fractions.iter().any(|frac| !(0.0..=1.0).contains(frac)) || (sum - 1.0).abs() > 1e-9 {
            let reason = format!("the fractions {fractions:?} add up to {sum}; give some from 0 to 1 that add up to 1");
            return Err(Error::invalid_at("random_split", reason, location));
        }
        let mut parts = Vec::with_capacity(fractions.len());
        let mut from = 0.0;
        for (number, frac) in fractions.iter().enumerate() {
            // What rounding leaves is the last part's.
            let to = if number + 1 == fractions.len() { 1.0 } else { (from + frac).min(1.0) };
            parts.push(self.drawn(seed, from, to, location)?);
            from = to;
        }
        Ok(parts)
    }

    /// The rows whose hash lies between two parts of all hashes.
    fn drawn(&self, seed: u64, from: f64, to: f64, location: &'static Location<'static>) -> Result<Frame> {
        let index = RowIndex { column: ROW_NUMBER.into(), offset: 0 };
        let numbered = Frame { node: FrameExpr::custom(Arc::new(index), vec![self.node.clone()], location)? };
        let hash = || col(ROW_NUMBER).hash(seed, 1, 2, 3);
        // Below 1, so it fits.
        let part = |frac: f64| lit((frac * 2_f64.powi(64)) as u64);
        let bounds = [(from > 0.0).then(|| hash().gt_eq(part(from))), (to < 1.0).then(|| hash().lt(part(to)))];
        let Some(inside) = bounds.into_iter().flatten().reduce(Expr::and) else { return Ok(self.clone()) };
        let drawn = numbered.step(Step::Filter(inside), location)?;
        let kept = self.node.schema.iter_names().cloned().map(col).collect();
        drawn.step(Step::Select(kept), location)
    }

    /// The rows of a range of numbers, from 0, in their order: pandas' `iloc[a:b]`. A negative number counts from the end, what lies outside is cut off, as in
    /// Python. Columns by number are [`select`](Frame::select) with [`column_names`](Frame::column_names).
    ///
    /// Where it is known how many rows partitions have (of Parquet files, of data in memory), only those with rows of the range are made; else
    /// all rows are counted.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3, 4]).unwrap(), 4);
    /// assert_eq!(frame.iloc(1..3)?.partitions(), 2);
    /// assert!(frame.iloc(-2..)?.compute()?.equals(&df!("x" => [3, 4]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// None that a frame with columns can have.
    #[track_caller]
    pub fn iloc(&self, rows: impl RangeBounds<i64>) -> Result<Frame> {
        let start = match rows.start_bound() {
            Bound::Included(&start) => start,
            // Behind the last row there is nothing.
            Bound::Excluded(&-1) => i64::MAX,
            Bound::Excluded(&start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match rows.end_bound() {
            Bound::Included(&-1) | Bound::Unbounded => None,
            Bound::Included(&end) => Some(end.saturating_add(1)),
            Bound::Excluded(&end) => Some(end),
        };
        let rows = Rows { range: RowRange { start, end } };
        Ok(Frame { node: FrameExpr::custom(Arc::new(rows), vec![self.node.clone()], Location::caller())? })
    }

    /// The rows of these numbers, from 0, in the order of the list, as one partition; a negative number counts from the end, and one may be there
    /// twice. pandas' `take` and `iloc[[...]]`.
    ///
    /// Rows are counted; each partition gives the rows that are asked for.
    ///
    /// # Errors
    /// A number that no row has is an error of the run.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3, 4]).unwrap(), 3);
    /// assert!(frame.take([-1, 0, 0])?.compute()?.equals(&df!("x" => [4, 1, 1]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn take(&self, rows: impl IntoIterator<Item = i64>) -> Result<Frame> {
        let take = Take { list: rows.into_iter().collect() };
        Ok(Frame { node: FrameExpr::custom(Arc::new(take), vec![self.node.clone()], Location::caller())? })
    }
}
