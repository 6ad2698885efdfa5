//! Missing values on the line between those around them.

use std::panic::Location;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::expr::FrameExpr;
use crate::frame::kernels::{Interpolated, interpolates, is_place};

/// How missing values are filled: what [`Frame::interpolate_with`] takes.
///
/// ```
/// use talatat_collections::frame::Interpolate;
/// let between = Interpolate::new().by("when").limit(3).inside(true);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interpolate {
    by: Option<String>,
    limit: Option<u64>,
    direction: LimitDirection,
    inside: bool,
}

/// From which side missing values are filled: pandas' `limit_direction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitDirection {
    /// From the values before: missing ones at the start stay, those at the end become the last value.
    #[default]
    Forward,
    /// From the values behind: missing ones at the end stay, those at the start become the first value.
    Backward,
    /// From both.
    Both,
}

impl Interpolate {
    /// pandas' defaults: rows at even distances, from the values before.
    pub fn new() -> Interpolate {
        Interpolate::default()
    }

    /// A column of integers, dates or times that says where rows stand, without missing values: pandas' `method="index"` or `"time"`.
    pub fn by(mut self, column: &str) -> Interpolate {
        self.by = Some(column.into());
        self
    }

    /// Over how many missing values in a row, counted from the side that they are filled from; by default over all.
    pub fn limit(mut self, rows: u64) -> Interpolate {
        self.limit = Some(rows);
        self
    }

    /// From which side; by default from the values before.
    pub fn direction(mut self, direction: LimitDirection) -> Interpolate {
        self.direction = direction;
        self
    }

    /// Only where there are values on both sides: pandas' `limit_area="inside"`.
    pub fn inside(mut self, inside: bool) -> Interpolate {
        self.inside = inside;
        self
    }
}

impl Frame {
    /// Missing values of these columns replaced by what lies on the line between the values before and behind, rows at even distances; those at
    /// the end become the last value, those at the start stay missing. The columns become float64.
    ///
    /// Each partition is read with one value from before and one from behind it. A float NaN is a number here, and not filled.
    ///
    /// # Errors
    /// If a column does not exist or is not of numbers.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [Some(1.0), None, None, Some(4.0)]).unwrap(), 2);
    /// assert!(frame.interpolate(["x"])?.compute()?.equals(&df!("x" => [1.0, 2.0, 3.0, 4.0]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn interpolate<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
        self.interpolated(columns, &Interpolate::new(), Location::caller())
    }

    /// [`interpolate`](Frame::interpolate) with other options than pandas' defaults.
    ///
    /// # Errors
    /// If a column does not exist, is not of numbers, or the one that says where rows stand is not of integers, dates or times.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, Interpolate, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("t" => [0, 1, 4], "x" => [Some(0.0), None, Some(8.0)]).unwrap(), 2);
    /// let made = frame.interpolate_with(["x"], &Interpolate::new().by("t"))?;
    /// assert!(made.compute()?.equals(&df!("t" => [0, 1, 4], "x" => [0.0, 2.0, 8.0]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn interpolate_with<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
        options: &Interpolate,
    ) -> Result<Frame> {
        self.interpolated(columns, options, Location::caller())
    }

    fn interpolated<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
        options: &Interpolate,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let mut named: Vec<String> = Vec::new();
        for name in columns {
            let field = self.field("interpolate", name.as_ref(), location)?;
            if !interpolates(&field.dtype) {
                let reason = format!("column `{}` is of type {}; cast it to a number first", field.name, field.dtype);
                return Err(Error::invalid_at("interpolate", reason, location));
            }
            if !named.iter().any(|known| *known == field.name.as_str()) {
                named.push(field.name.to_string());
            }
        }
        if let Some(by) = &options.by {
            let field = self.field("interpolate", by, location)?;
            if !is_place(&field.dtype) || named.contains(by) {
                let reason = format!(
                    "`{by}` (of type {}) cannot say where rows stand: that takes another column, of integers, dates or times",
                    field.dtype
                );
                return Err(Error::invalid_at("interpolate", reason, location));
            }
        }
        if named.is_empty() {
            return Ok(self.clone());
        }
        let what = Interpolated {
            columns: named,
            by: options.by.clone(),
            limit: options.limit,
            forward: options.direction != LimitDirection::Backward,
            backward: options.direction != LimitDirection::Forward,
            inside: options.inside,
        };
        Ok(Frame { node: FrameExpr::custom(Arc::new(what), vec![self.node.clone()], location)? })
    }
}
