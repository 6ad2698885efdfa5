//! Values replaced by others.

use std::panic::Location;

use polars::prelude::{DataType, Expr, IntoSeries, RoundMode, Scalar, Series, col, lit, when};

use super::Kind;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::step::{Step, refused};

impl Frame {
    /// The values where the condition is true, and `other` (or missing, if it is a null) elsewhere. A missing condition counts as false.
    /// `other` goes into the columns whose type it fits; others get a missing value.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, lit};
    /// let frame = Frame::from_polars(df!("x" => [1, 2]).unwrap(), 1);
    /// assert_eq!(frame.where_(col("x").gt(lit(1)), lit(0))?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the condition reads a column that does not exist, or looks at other rows.
    #[track_caller]
    pub fn where_(&self, condition: impl Into<Expr>, other: impl Into<Expr>) -> Result<Frame> {
        self.chosen(condition.into().fill_null(lit(false)), other.into(), Location::caller())
    }

    /// `other` where the condition is true: the reverse of [`where_`](Frame::where_).
    ///
    /// # Errors
    /// As [`where_`](Frame::where_).
    #[track_caller]
    pub fn mask(&self, condition: impl Into<Expr>, other: impl Into<Expr>) -> Result<Frame> {
        self.chosen(condition.into().fill_null(lit(false)).not(), other.into(), Location::caller())
    }

    fn chosen(&self, kept: Expr, other: Expr, location: &'static Location<'static>) -> Result<Frame> {
        let kind = Kind::of_value(&other);
        let constant = matches!(other, Expr::Literal(_));
        self.each(
            location,
            |_| true,
            |column, dtype| {
                let fits = !constant || kind.is_none_or(|kind| kind == Kind::of(dtype));
                let other = if fits { other.clone().cast(dtype.clone()) } else { null(dtype) };
                when(kept.clone()).then(column).otherwise(other)
            },
        )
    }

    /// Whether each value is among these. Columns of another kind than the values have none of them. Missing values are among
    /// none, as long as no null is among the values.
    ///
    /// ```
    /// use talatat_collections::frame::polars::prelude::{NamedFrom, Series};
    /// use talatat_collections::frame::{DataType, Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2]).unwrap(), 1);
    /// let found = frame.isin(&Series::new("".into(), [2, 3]))?;
    /// assert_eq!(found.schema().get("x"), Some(&DataType::Boolean));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// If values cannot be compared with a column of their kind.
    #[track_caller]
    pub fn isin(&self, values: &Series) -> Result<Frame> {
        let location = Location::caller();
        let kind = Kind::of(values.dtype());
        let list = values.implode().map_err(|error| refused("isin", &self.node.schema, &error, location))?;
        let list = list.into_series();
        self.each(
            location,
            |_| true,
            |column, dtype| match Kind::of(dtype) == kind {
                true => column.is_in(lit(list.clone()), true),
                false => column.is_null().and(lit(false)),
            },
        )
    }

    /// Numbers below `lower` become `lower`, those above `upper` become `upper`; `None` is no bound. Other columns stay.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 20]).unwrap(), 1);
    /// assert_eq!(frame.clip(None, Some(10.0))?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `lower` is above `upper`, or a bound is not a number.
    #[track_caller]
    pub fn clip(&self, lower: Option<f64>, upper: Option<f64>) -> Result<Frame> {
        let location = Location::caller();
        if let (Some(lower), Some(upper)) = (lower, upper)
            && lower > upper
        {
            let reason = format!("the lower bound {lower} is above the upper one, {upper}");
            return Err(Error::invalid_at("clip", reason, location));
        }
        if lower.is_some_and(f64::is_nan) || upper.is_some_and(f64::is_nan) {
            return Err(Error::invalid_at("clip", "a bound is NaN; use None for no bound", location));
        }
        self.each(location, numeric, |column, dtype| {
            let bound = |bound: Option<f64>, round: fn(f64) -> f64| {
                let rounded = |x| if dtype.is_integer() { round(x) } else { x };
                bound.map_or_else(|| null(dtype), |bound| lit(rounded(bound)).cast(dtype.clone()))
            };
            column.clip(bound(lower, f64::ceil), bound(upper, f64::floor))
        })
    }

    /// Floats rounded to `decimals` digits after the point, halves to the even digit, as NumPy does. Other columns stay.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1.25, 2.5]).unwrap(), 1);
    /// assert_eq!(frame.round(1)?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// None that a frame with columns can have.
    #[track_caller]
    pub fn round(&self, decimals: u32) -> Result<Frame> {
        self.each(Location::caller(), DataType::is_float, |column, _| column.round(decimals, RoundMode::HalfToEven))
    }

    /// Numbers without their sign. Other columns stay.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, -2]).unwrap(), 1);
    /// assert_eq!(frame.abs()?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// None that a frame with columns can have.
    #[track_caller]
    pub fn abs(&self) -> Result<Frame> {
        self.each(Location::caller(), numeric, |column, _| column.abs())
    }

    /// Values of one column replaced: pairs of the old and the new one. Others stay; a null may stand on either side. The column
    /// keeps its type.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("town" => ["NYC", "Oslo"]).unwrap(), 1);
    /// assert_eq!(frame.replace("town", ["NYC"], ["New York"])?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the column does not exist, there are not as many new values as old ones, or a value is of another type.
    #[track_caller]
    pub fn replace<A, B>(
        &self,
        column: &str,
        old: impl IntoIterator<Item = A>,
        new: impl IntoIterator<Item = B>,
    ) -> Result<Frame>
    where
        A: polars::prelude::Literal,
        B: polars::prelude::Literal,
    {
        let location = Location::caller();
        let field = self.field("replace", column, location)?;
        let (old, new): (Vec<Expr>, Vec<Expr>) =
            (old.into_iter().map(A::lit).collect(), new.into_iter().map(B::lit).collect());
        if old.len() != new.len() {
            let reason = format!("{} old values and {} new ones; give pairs", old.len(), new.len());
            return Err(Error::invalid_at("replace", reason, location));
        }
        let kept = old.into_iter().zip(new).rev().fold(col(field.name.clone()), |otherwise, (old, new)| {
            let found = col(field.name.clone()).eq_missing(old);
            when(found).then(new.cast(field.dtype.clone())).otherwise(otherwise)
        });
        self.step(Step::WithColumns(vec![kept.alias(field.name)]), location)
    }
}

fn numeric(dtype: &DataType) -> bool {
    Kind::of(dtype) == Kind::Number
}

fn null(dtype: &DataType) -> Expr {
    lit(Scalar::null(dtype.clone()))
}
