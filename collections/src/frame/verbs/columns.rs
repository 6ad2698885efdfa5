//! Which columns there are, what they are called, and of which types.

use std::panic::Location;

use polars::prelude::{DataType, Expr, Field, NonExistent, TimeZone, col, lit};

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::step::Step;

impl Frame {
    /// The frame without these columns.
    ///
    /// # Errors
    /// If a column does not exist, or none would be left.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2], "y" => [3, 4]).unwrap(), 1);
    /// assert_eq!(frame.drop(["y"])?.column_names(), ["x"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn drop<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
        let location = Location::caller();
        let gone = self.named("drop", columns, location)?;
        let kept: Vec<Expr> =
            self.node.schema.iter_names().filter(|name| !gone.contains(name)).cloned().map(col).collect();
        if kept.is_empty() {
            return Err(Error::invalid_at(
                "drop",
                "no column would be left, and with them the rows would go",
                location,
            ));
        }
        self.step(Step::Select(kept), location)
    }

    /// Columns under other names: pairs of the old and the new one. The order of columns stays.
    ///
    /// # Errors
    /// If a column does not exist (pandas passes over it), or two would have the same name.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2], "y" => [3, 4]).unwrap(), 1);
    /// assert_eq!(frame.rename([("x", "width")])?.column_names(), ["width", "y"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn rename<A: AsRef<str>, B: AsRef<str>>(&self, names: impl IntoIterator<Item = (A, B)>) -> Result<Frame> {
        let location = Location::caller();
        let pairs: Vec<(A, B)> = names.into_iter().collect();
        self.named("rename", pairs.iter().map(|(old, _)| old), location)?;
        let renamed = |name: &str| {
            let pair = pairs.iter().find(|(old, _)| old.as_ref() == name);
            pair.map_or_else(|| name.to_string(), |(_, new)| new.as_ref().to_string())
        };
        self.renamed(renamed, location)
    }

    /// Puts a text before each column's name.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2]).unwrap(), 1);
    /// assert_eq!(frame.add_prefix("left_")?.add_suffix("_m")?.column_names(), ["left_x_m"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    ///
    /// # Errors
    /// None that a frame with columns can have.
    #[track_caller]
    pub fn add_prefix(&self, prefix: &str) -> Result<Frame> {
        self.renamed(|name| format!("{prefix}{name}"), Location::caller())
    }

    /// Puts a text after each column's name; see [`add_prefix`](Frame::add_prefix).
    ///
    /// # Errors
    /// None that a frame with columns can have.
    #[track_caller]
    pub fn add_suffix(&self, suffix: &str) -> Result<Frame> {
        self.renamed(|name| format!("{name}{suffix}"), Location::caller())
    }

    /// Times without a zone taken for times of this one, the instant kept: pandas' `tz_localize`; `None` takes the zone away and keeps what the
    /// clock shows. A time that the clock shows twice or never is an error when computed, as in pandas.
    ///
    /// # Errors
    /// If the column does not exist or holds no times, or there is no such zone.
    ///
    /// ```
    /// use talatat_collections::frame::polars::prelude::TimeUnit;
    /// use talatat_collections::frame::{DataType, Frame, df};
    /// let micros = DataType::Datetime(TimeUnit::Microseconds, None);
    /// let frame = Frame::from_polars(df!("t" => [0_i64]).unwrap(), 1).astype([("t", micros)])?;
    /// let utc = frame.tz_localize("t", Some("UTC"))?.tz_convert("t", "Europe/Oslo")?;
    /// assert_eq!(utc.schema().get("t").unwrap().to_string(), "datetime[μs, Europe/Oslo]");
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn tz_localize(&self, column: &str, zone: Option<&str>) -> Result<Frame> {
        let location = Location::caller();
        let (field, zone) = self.zoned("tz_localize", column, zone, location)?;
        let zoned = matches!(&field.dtype, DataType::Datetime(_, Some(_)));
        if zoned && zone.is_some() {
            let reason = format!("column `{column}` is of type {}, with a zone already; use `tz_convert`", field.dtype);
            return Err(Error::invalid_at("tz_localize", reason, location));
        }
        let made = col(field.name).dt().replace_time_zone(zone, lit("raise"), NonExistent::Raise);
        self.step(Step::WithColumns(vec![made]), location)
    }

    /// Times with a zone in another one, the same instants: pandas' `tz_convert`.
    ///
    /// # Errors
    /// If the column does not exist, holds no times or times without a zone, or there is no such zone.
    ///
    /// ```
    /// use talatat_collections::frame::polars::prelude::TimeUnit;
    /// use talatat_collections::frame::{DataType, Frame, df};
    /// let micros = DataType::Datetime(TimeUnit::Microseconds, None);
    /// let frame = Frame::from_polars(df!("t" => [0_i64]).unwrap(), 1).astype([("t", micros)])?;
    /// assert!(frame.tz_convert("t", "UTC").is_err());
    /// assert!(frame.tz_localize("t", Some("UTC"))?.tz_convert("t", "Asia/Tokyo").is_ok());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn tz_convert(&self, column: &str, zone: &str) -> Result<Frame> {
        let location = Location::caller();
        let (field, zone) = self.zoned("tz_convert", column, Some(zone), location)?;
        match (&field.dtype, zone) {
            (DataType::Datetime(_, Some(_)), Some(zone)) => {
                self.step(Step::WithColumns(vec![col(field.name).dt().convert_time_zone(zone)]), location)
            }
            _ => {
                let reason = format!("column `{column}` is of type {}, without a zone; use `tz_localize`", field.dtype);
                Err(Error::invalid_at("tz_convert", reason, location))
            }
        }
    }

    fn zoned(
        &self,
        operation: &str,
        column: &str,
        zone: Option<&str>,
        location: &'static Location<'static>,
    ) -> Result<(Field, Option<TimeZone>)> {
        let field = self.field(operation, column, location)?;
        if !matches!(field.dtype, DataType::Datetime(..)) {
            let reason = format!("column `{column}` is of type {}, not of times; cast it first", field.dtype);
            return Err(Error::invalid_at(operation, reason, location));
        }
        let zone =
            TimeZone::opt_try_new(zone).map_err(|error| Error::invalid_at(operation, error.to_string(), location))?;
        Ok((field, zone))
    }

    fn renamed(&self, new: impl Fn(&str) -> String, location: &'static Location<'static>) -> Result<Frame> {
        let exprs = self.node.schema.iter_names().map(|name| col(name.clone()).alias(new(name)));
        self.step(Step::Select(exprs.collect()), location)
    }

    /// Columns cast to other types. A value that does not fit is an error when computed, as in pandas; text is read as a number.
    ///
    /// # Errors
    /// If a column does not exist, or there is no way from its type to the other one.
    ///
    /// ```
    /// use talatat_collections::frame::{DataType, Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2]).unwrap(), 1);
    /// assert_eq!(frame.astype([("x", DataType::Float64)])?.schema().get("x"), Some(&DataType::Float64));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn astype<S: AsRef<str>>(&self, dtypes: impl IntoIterator<Item = (S, DataType)>) -> Result<Frame> {
        let location = Location::caller();
        let cast = |(name, dtype): (S, DataType)| {
            let field = self.field("astype", name.as_ref(), location)?;
            Ok(col(field.name).strict_cast(dtype))
        };
        let exprs = dtypes.into_iter().map(cast).collect::<Result<Vec<_>>>()?;
        if exprs.is_empty() {
            return Ok(self.clone());
        }
        self.step(Step::WithColumns(exprs), location)
    }
}
