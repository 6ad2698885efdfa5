//! Rows by their number.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{col, lit};

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::expr::FrameExpr;
use crate::frame::kernels::ROW_NUMBER;
use crate::frame::step::Step;
use crate::lower::frame::RowIndex;

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
        let index = RowIndex { column: ROW_NUMBER.into(), offset: 0 };
        let numbered = Frame { node: FrameExpr::custom(Arc::new(index), vec![self.node.clone()], location)? };
        // Below 1, so it fits.
        let below = (frac * 2_f64.powi(64)) as u64;
        let drawn = numbered.step(Step::Filter(col(ROW_NUMBER).hash(seed, 1, 2, 3).lt(lit(below))), location)?;
        let kept = self.node.schema.iter_names().cloned().map(col).collect();
        drawn.step(Step::Select(kept), location)
    }
}
