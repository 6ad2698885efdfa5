//! Rows in order.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::DataType;

use super::Frame;
use super::expr::FrameExpr;
use super::kernels::order::{Order, OrderKey};
use super::step::no_column;
use crate::error::{Error, Result};
use crate::lower::frame::{Shuffle, Sort};

/// Where missing values stand in an order: pandas' `na_position`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NaPosition {
    /// Before all values.
    First,
    /// Behind all values.
    #[default]
    Last,
}

/// Which way to sort, for all keys or for each: what [`Frame::sort_values`] takes. `true` and `[true, false]` are pandas' `ascending`.
///
/// ```
/// use talatat_collections::frame::{NaPosition, SortOrder};
/// let order = SortOrder::from([true, false]).na_position(NaPosition::First);
/// assert_ne!(order, SortOrder::from(true));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortOrder {
    ascending: Vec<bool>,
    na_position: NaPosition,
}

impl SortOrder {
    /// Where missing values stand, whether the order is ascending or not; by default last.
    pub fn na_position(mut self, position: NaPosition) -> SortOrder {
        self.na_position = position;
        self
    }
}

impl From<bool> for SortOrder {
    fn from(ascending: bool) -> SortOrder {
        SortOrder { ascending: vec![ascending], na_position: NaPosition::Last }
    }
}

impl<const N: usize> From<[bool; N]> for SortOrder {
    fn from(ascending: [bool; N]) -> SortOrder {
        SortOrder::from(ascending.to_vec())
    }
}

impl From<Vec<bool>> for SortOrder {
    fn from(ascending: Vec<bool>) -> SortOrder {
        SortOrder { ascending, na_position: NaPosition::Last }
    }
}

impl Frame {
    /// The rows in the order of columns. Rows that are equal in all of them stay in the order they have (pandas' `kind="stable"`; its
    /// default may turn them around).
    ///
    /// Each partition is sampled, the samples say where to cut, each partition is cut there, and what belongs together is put together
    /// and sorted: two passes over the rows, and all of them in memory at once. There are as many partitions as before, of about equal
    /// length: one value that fills half of the rows fills half of the partitions. A float `NaN` is a number here, larger than all others;
    /// texts are ordered by their bytes.
    ///
    /// # Errors
    /// If there is no key, a column does not exist or its values have no order, or there is a flag too many or too few.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let trips = Frame::from_polars(df!("town" => ["Oslo", "Lyon", "Lyon"], "fare" => [1, 2, 3]).unwrap(), 2);
    /// let sorted = trips.sort_values(["town", "fare"], [true, false])?;
    /// assert!(sorted.compute()?.equals(&df!("town" => ["Lyon", "Lyon", "Oslo"], "fare" => [3, 2, 1]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_values<S: AsRef<str>>(
        &self,
        by: impl IntoIterator<Item = S>,
        order: impl Into<SortOrder>,
    ) -> Result<Frame> {
        let location = Location::caller();
        let by: Vec<String> = by.into_iter().map(|key| key.as_ref().to_string()).collect();
        self.keys_are("sort_values", &by, location)?;
        let SortOrder { ascending, na_position } = order.into();
        if ascending.len() != by.len() && ascending.len() != 1 {
            let reason = format!(
                "there are {} keys, but {} flags `ascending`; give one for each, or one for all",
                by.len(),
                ascending.len()
            );
            return Err(Error::invalid_at("sort_values", reason, location));
        }
        let flags = ascending.iter().copied().chain(std::iter::repeat(ascending.first().copied().unwrap_or(true)));
        let key = |(column, ascending): (String, bool)| OrderKey {
            column,
            descending: !ascending,
            nulls_last: na_position == NaPosition::Last,
        };
        let order = Order { keys: by.into_iter().zip(flags).map(key).collect(), ties: true };
        let sort = Sort { order, index: false, divided: None };
        Ok(Frame { node: FrameExpr::custom(Arc::new(sort), vec![self.node.clone()], location)? })
    }

    /// The rows cut anew so that equal keys are in the same partition: by a hash of columns, into `partitions` partitions or as many as
    /// there are. Dask's `shuffle`. Rows of a partition keep their order; missing keys are equal to each other, and so are `NaN`s.
    ///
    /// One pass over the rows, all of them in memory at once.
    ///
    /// # Errors
    /// If there is no column, or one does not exist, or `partitions` is 0.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 2);
    /// assert_eq!(frame.shuffle(["x"], 4)?.partitions(), 4);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn shuffle<S: AsRef<str>>(
        &self,
        on: impl IntoIterator<Item = S>,
        partitions: impl Into<Option<usize>>,
    ) -> Result<Frame> {
        let location = Location::caller();
        let on: Vec<String> = on.into_iter().map(|key| key.as_ref().to_string()).collect();
        self.keys_are("shuffle", &on, location)?;
        let partitions = partitions.into().unwrap_or(self.node.partitions);
        if partitions == 0 || u32::try_from(partitions).is_err() {
            let reason = format!("{partitions} partitions cannot be made; ask for at least 1");
            return Err(Error::invalid_at("shuffle", reason, location));
        }
        let shuffle = Shuffle { on, partitions };
        Ok(Frame { node: FrameExpr::custom(Arc::new(shuffle), vec![self.node.clone()], location)? })
    }

    /// Checks that there are keys, that they exist, and that their values can be compared.
    pub(crate) fn keys_are(
        &self,
        operation: &str,
        keys: &[String],
        location: &'static Location<'static>,
    ) -> Result<()> {
        if keys.is_empty() {
            return Err(Error::invalid_at(operation, "there is no key; give at least one column", location));
        }
        for key in keys {
            let Some(dtype) = self.node.schema.get(key.as_str()) else {
                return Err(Error::invalid_at(operation, no_column(key, &self.node.schema), location));
            };
            if dtype.is_nested() || matches!(dtype, DataType::Unknown(_)) {
                let reason = format!(
                    "the key `{key}` is of type {dtype}, whose values have no order; choose a field of it as key"
                );
                return Err(Error::invalid_at(operation, reason, location));
            }
        }
        Ok(())
    }
}
