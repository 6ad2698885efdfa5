//! Two frames joined by the nearest key.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use polars::prelude::{DataType, TimeUnit};

use super::expr::FrameExpr;
pub use super::kernels::asof::Direction;
use super::kernels::asof::{AsofKernel, Tolerance};
use super::{Frame, How, MergeOn};
use crate::error::{Error, Result};
use crate::lower::frame::MergeAsof as Operation;

/// In which column to be near and how: what [`Frame::merge_asof`] takes.
///
/// ```
/// use talatat_collections::frame::{Direction, MergeAsof};
/// use std::time::Duration;
/// let options = MergeAsof::on("time").by(["ticker"]).direction(Direction::Nearest).within(Duration::from_millis(10));
/// ```
#[derive(Clone, Debug)]
pub struct MergeAsof {
    on: (String, String),
    by: Vec<(String, String)>,
    direction: Direction,
    tolerance: Option<Within>,
    allow_exact_matches: bool,
    suffixes: (String, String),
}

#[derive(Clone, Copy, Debug)]
enum Within {
    Units(f64),
    Time(Duration),
}

impl MergeAsof {
    /// Near in a column that both frames have.
    pub fn on(column: impl Into<String>) -> MergeAsof {
        let column = column.into();
        MergeAsof::pair(column.clone(), column)
    }

    /// Near in columns of the left and of the right frame: `left_on` and `right_on`.
    pub fn pair(left: impl Into<String>, right: impl Into<String>) -> MergeAsof {
        MergeAsof {
            on: (left.into(), right.into()),
            by: Vec::new(),
            direction: Direction::Backward,
            tolerance: None,
            allow_exact_matches: true,
            suffixes: ("_x".into(), "_y".into()),
        }
    }

    /// Columns that are to be equal.
    pub fn by<S: AsRef<str>>(mut self, columns: impl IntoIterator<Item = S>) -> MergeAsof {
        self.by = columns.into_iter().map(|name| (name.as_ref().to_string(), name.as_ref().to_string())).collect();
        self
    }

    /// Which rows are looked at; by default [`Direction::Backward`].
    pub fn direction(mut self, direction: Direction) -> MergeAsof {
        self.direction = direction;
        self
    }

    /// How far apart partners may be, of keys that are numbers.
    pub fn tolerance(mut self, units: f64) -> MergeAsof {
        self.tolerance = Some(Within::Units(units));
        self
    }

    /// How far apart partners may be, of keys that are times.
    pub fn within(mut self, time: Duration) -> MergeAsof {
        self.tolerance = Some(Within::Time(time));
        self
    }

    /// Whether equal keys are partners; by default true.
    pub fn allow_exact_matches(mut self, allow: bool) -> MergeAsof {
        self.allow_exact_matches = allow;
        self
    }

    /// What columns are called that both frames have; by default `_x` and `_y` are put behind.
    pub fn suffixes(mut self, left: impl Into<String>, right: impl Into<String>) -> MergeAsof {
        self.suffixes = (left.into(), right.into());
        self
    }
}

impl Frame {
    /// Each row with the right row that is nearest in a column; pandas' `merge_asof`. Both frames are in the order of that column (the left
    /// one within each partition at least), which is checked when it runs. Rows without a partner have missing values.
    ///
    /// All right rows are put together and meet each left partition; left partitions stay as they are.
    ///
    /// # Errors
    /// As [`merge`](Frame::merge), if the key is no number or time, or a tolerance does not fit it. When it runs: if the key is not in
    /// order, or missing.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, MergeAsof, df};
    /// # use talatat::Compute;
    /// let trades = Frame::from_polars(df!("time" => [2, 5, 9], "size" => [10, 20, 30]).unwrap(), 2);
    /// let quotes = Frame::from_polars(df!("time" => [1, 5, 6], "bid" => [0.5, 1.5, 2.5]).unwrap(), 1);
    /// let all = trades.merge_asof(&quotes, MergeAsof::on("time"))?.compute()?;
    /// assert!(all.equals(&df!("time" => [2, 5, 9], "size" => [10, 20, 30], "bid" => [0.5, 1.5, 2.5]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn merge_asof(&self, other: &Frame, options: MergeAsof) -> Result<Frame> {
        let location = Location::caller();
        let invalid = |reason: String| Error::invalid_at("merge_asof", reason, location);
        let name = options.on.0.clone();
        let pairs = [options.on].into_iter().chain(options.by);
        let on = MergeOn::pairs(pairs).how(How::Left).suffixes(options.suffixes.0, options.suffixes.1);
        let join = self.join_kernel("merge_asof", other, on, location)?;
        let dtype = join.types.first().map_or(DataType::Null, |dtype| dtype.0.clone());
        let unit = match &dtype {
            DataType::Datetime(unit, _) | DataType::Duration(unit) => Some(*unit),
            _ => None,
        };
        let number = dtype.is_integer() || matches!(dtype, DataType::Float32 | DataType::Float64);
        if !number && unit.is_none() && dtype != DataType::Date {
            return Err(invalid(format!(
                "the key `{name}` is of type {dtype}, but only numbers and times are near each other"
            )));
        }
        let too_far = || {
            invalid(format!(
                "the tolerance does not fit the key `{name}` of type {dtype}; numbers take `tolerance`, times `within`"
            ))
        };
        let tolerance = match (options.tolerance, unit) {
            (None, _) => None,
            (Some(Within::Units(units)), None) if number && units >= 0.0 => Some(match dtype.is_integer() {
                true => Tolerance::Whole(units.floor() as i64),
                false => Tolerance::Float(units),
            }),
            (Some(Within::Time(time)), unit) => {
                let units = match (unit, &dtype) {
                    (Some(TimeUnit::Nanoseconds), _) => time.as_nanos(),
                    (Some(TimeUnit::Microseconds), _) => time.as_micros(),
                    (Some(TimeUnit::Milliseconds), _) => time.as_millis(),
                    (None, DataType::Date) => u128::from(time.as_secs() / 86_400),
                    _ => return Err(too_far()),
                };
                Some(Tolerance::Whole(i64::try_from(units).unwrap_or(i64::MAX)))
            }
            _ => return Err(too_far()),
        };
        let kernel = AsofKernel { join, direction: options.direction, tolerance, exact: options.allow_exact_matches };
        let nodes = vec![self.node.clone(), other.node.clone()];
        Ok(Frame { node: FrameExpr::custom(Arc::new(Operation { kernel }), nodes, location)? })
    }
}
