//! Rows that are there more than once.

use std::panic::Location;

use polars::prelude::{Expr, col, len, lit};

use super::named;
use crate::error::Result;
use crate::frame::groupby::{Kept, place_in_group};
use crate::frame::{Frame, GroupBy};

/// Which of equal rows is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// The first one.
    #[default]
    First,
    /// The last one.
    Last,
    /// None of them.
    None,
}

impl Frame {
    /// The rows without those that are equal to another one in the columns `subset`, in their order and partitions. Missing values are
    /// equal to each other.
    ///
    /// Rows are brought together by these columns and sent back; of equal rows of a partition only one travels.
    ///
    /// # Errors
    /// If a column does not exist.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, Keep, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 1], "y" => [1, 2, 3]).unwrap(), 2);
    /// assert_eq!(frame.drop_duplicates(["x"], Keep::First)?.column_names(), ["x", "y"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn drop_duplicates<S: AsRef<str>>(&self, subset: impl IntoIterator<Item = S>, keep: Keep) -> Result<Frame> {
        let location = Location::caller();
        let kept = match keep {
            Keep::First => Kept::First(1),
            Keep::Last => Kept::Last(1),
            Keep::None => Kept::Where(len().eq(lit(1))),
        };
        self.by_columns("drop_duplicates", subset, location)?.rows_within("drop_duplicates", kept, location)
    }

    /// Whether a row is equal to another one in the columns `subset`: a column `duplicated`, in the order and partitions of the rows. With
    /// [`Keep::First`] the first of equal rows is not, with [`Keep::Last`] the last one.
    ///
    /// # Errors
    /// If a column does not exist.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, Keep, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 1]).unwrap(), 2);
    /// assert_eq!(frame.duplicated(["x"], Keep::First)?.column_names(), ["duplicated"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn duplicated<S: AsRef<str>>(&self, subset: impl IntoIterator<Item = S>, keep: Keep) -> Result<Frame> {
        let location = Location::caller();
        let first = match keep {
            Keep::First => place_in_group(false).gt(lit(0_i64)),
            Keep::Last => place_in_group(true).gt(lit(0_i64)),
            Keep::None => len().gt(lit(1)),
        };
        let group = self.by_columns("duplicated", subset, location)?;
        group.columns_within("duplicated", vec![first.alias("duplicated")], false, location)
    }

    fn by_columns<S: AsRef<str>>(
        &self,
        operation: &str,
        subset: impl IntoIterator<Item = S>,
        location: &'static Location<'static>,
    ) -> Result<GroupBy> {
        let subset = named(operation, &self.node.schema, subset, location)?;
        let keys: Vec<Expr> = subset.iter().map(|name| col(name.as_str())).collect();
        Ok(GroupBy::new(self.clone(), keys, location).dropna(false))
    }
}
