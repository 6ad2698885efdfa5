//! Ranks of values.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::RankMethod;

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::expr::FrameExpr;
use crate::lower::frame::Rank;

impl Frame {
    /// The values of these columns replaced by their ranks among all rows, from 1, as float64. Missing values have none (pandas' `na_option="keep"`); a float NaN
    /// is a number here, larger than all others. `method` says what equal values get: with [`RankMethod::Ordinal`] (pandas' `"first"`) one after
    /// the other, as they stand. Texts are ranked by their bytes.
    ///
    /// The values of each column are cut into ranges, which are ranked one task each, and ranks are sent back to the rows: all values of a column
    /// are in memory at once, equal values at one task.
    ///
    /// # Errors
    /// If a column does not exist or its values have no order, or ranks are to be drawn at random.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df, polars::prelude::RankMethod};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [30, 10, 10]).unwrap(), 2);
    /// let ranks = frame.rank(["x"], RankMethod::Average, true)?;
    /// assert!(ranks.compute()?.equals(&df!("x" => [3.0, 1.5, 1.5]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn rank<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
        method: RankMethod,
        ascending: bool,
    ) -> Result<Frame> {
        self.ranked(columns, method, ascending, false, Location::caller())
    }

    /// [`rank`](Frame::rank) as a part of the number of values (of distinct ones for [`RankMethod::Dense`]): pandas' `pct=True`.
    ///
    /// # Errors
    /// As [`rank`](Frame::rank).
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df, polars::prelude::RankMethod};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [30, 10]).unwrap(), 2);
    /// let ranks = frame.rank_pct(["x"], RankMethod::Average, true)?;
    /// assert!(ranks.compute()?.equals(&df!("x" => [1.0, 0.5]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn rank_pct<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
        method: RankMethod,
        ascending: bool,
    ) -> Result<Frame> {
        self.ranked(columns, method, ascending, true, Location::caller())
    }

    fn ranked<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
        method: RankMethod,
        ascending: bool,
        pct: bool,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let mut named: Vec<String> = Vec::new();
        for name in columns {
            if !named.iter().any(|known| known == name.as_ref()) {
                named.push(name.as_ref().into());
            }
        }
        self.keys_are("rank", &named, location)?;
        if matches!(method, RankMethod::Random) {
            let reason = "ranks drawn at random would depend on the order of tasks; choose another method";
            return Err(Error::invalid_at("rank", reason, location));
        }
        let rank = Rank { columns: named, method, descending: !ascending, pct };
        Ok(Frame { node: FrameExpr::custom(Arc::new(rank), vec![self.node.clone()], location)? })
    }
}
