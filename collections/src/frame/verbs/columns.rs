//! Which columns there are, what they are called, and of which types.

use std::panic::Location;

use polars::prelude::{DataType, Expr, col};

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
