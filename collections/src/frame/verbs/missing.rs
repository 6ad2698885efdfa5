//! Missing values.

use std::panic::Location;

use polars::prelude::{DataType, Expr, PlSmallStr, col, lit};

use super::Kind;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::step::Step;

/// Which rows [`Frame::dropna_with`] drops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DropNa {
    /// Those with at least one missing value.
    Any,
    /// Those with nothing but missing values.
    All,
    /// Those with fewer values than this.
    Fewer(u32),
}

impl Frame {
    /// Whether each value is missing.
    ///
    /// ```
    /// use talatat_collections::frame::{DataType, Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [Some(1), None]).unwrap(), 1);
    /// assert_eq!(frame.isna()?.schema().get("x"), Some(&DataType::Boolean));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// None that a frame with columns can have.
    #[track_caller]
    pub fn isna(&self) -> Result<Frame> {
        self.each(Location::caller(), |_| true, |column, _| column.is_null())
    }

    /// Whether each value is there; see [`isna`](Frame::isna).
    ///
    /// # Errors
    /// None that a frame with columns can have.
    #[track_caller]
    pub fn notna(&self) -> Result<Frame> {
        self.each(Location::caller(), |_| true, |column, _| column.is_not_null())
    }

    /// A constant in the place of missing values, in the columns whose type it fits: a number in columns of numbers, a text in
    /// columns of text. The columns keep their types: 0.5 in a column of integers is cut to 0.
    ///
    /// # Errors
    /// If the value fits no column.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df, lit};
    /// let frame = Frame::from_polars(df!("x" => [Some(1), None], "s" => ["a", "b"]).unwrap(), 1);
    /// assert_eq!(frame.fillna(lit(0))?.schema(), frame.schema());
    /// assert!(frame.fillna(lit(true)).is_err());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn fillna(&self, value: impl Into<Expr>) -> Result<Frame> {
        let (location, value) = (Location::caller(), value.into());
        let kind = Kind::of_value(&value);
        let fits = |dtype: &DataType| kind.is_none_or(|kind| kind == Kind::of(dtype));
        if !self.node.schema.iter_values().any(fits) {
            let reason =
                format!("{value} fits no column; there are {}", crate::frame::step::columns(&self.node.schema));
            return Err(Error::invalid_at("fillna", reason, location));
        }
        self.each(location, fits, |column, dtype| column.fill_null(value.clone().cast(dtype.clone())))
    }

    /// [`fillna`](Frame::fillna) with another constant or expression for each column.
    ///
    /// # Errors
    /// If a column does not exist, or its type and that of the value do not fit.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, lit};
    /// let frame = Frame::from_polars(df!("x" => [Some(1), None], "y" => [3, 4]).unwrap(), 1);
    /// assert_eq!(frame.fillna_with([("x", col("y"))])?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn fillna_with<S: AsRef<str>, E: Into<Expr>>(&self, values: impl IntoIterator<Item = (S, E)>) -> Result<Frame> {
        let location = Location::caller();
        let fill = |(name, value): (S, E)| {
            let field = self.field("fillna", name.as_ref(), location)?;
            Ok(col(field.name).fill_null(value.into().cast(field.dtype)))
        };
        let exprs = values.into_iter().map(fill).collect::<Result<Vec<_>>>()?;
        self.step(Step::WithColumns(exprs), location)
    }

    /// The rows without a missing value.
    ///
    /// # Errors
    /// None that a frame with columns can have.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [Some(1), None]).unwrap(), 1);
    /// assert_eq!(frame.dropna()?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn dropna(&self) -> Result<Frame> {
        self.drop_missing(DropNa::Any, self.node.schema.iter_names().cloned().collect(), Location::caller())
    }

    /// [`dropna`](Frame::dropna) looking at some columns alone, or dropping other rows.
    ///
    /// # Errors
    /// If a column does not exist, or none is given.
    ///
    /// ```
    /// use talatat_collections::frame::{DropNa, Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [Some(1), None], "y" => [1, 2]).unwrap(), 1);
    /// assert_eq!(frame.dropna_with(DropNa::All, ["x", "y"])?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn dropna_with<S: AsRef<str>>(&self, how: DropNa, subset: impl IntoIterator<Item = S>) -> Result<Frame> {
        let location = Location::caller();
        let subset = self.named("dropna", subset, location)?;
        self.drop_missing(how, subset, location)
    }

    fn drop_missing(
        &self,
        how: DropNa,
        subset: Vec<PlSmallStr>,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let there = subset.into_iter().map(|name| col(name).is_not_null());
        let kept = match how {
            DropNa::Any => there.reduce(Expr::and),
            DropNa::All => there.reduce(Expr::or),
            DropNa::Fewer(values) => {
                let count = there.map(|there| there.cast(DataType::UInt32)).reduce(|a, b| a + b);
                count.map(|count| count.gt_eq(lit(values)))
            }
        };
        match kept {
            Some(kept) => self.step(Step::Filter(kept), location),
            None => Err(Error::invalid_at("dropna", "no column is given to look at", location)),
        }
    }
}
