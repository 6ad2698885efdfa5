//! What looks at the rows around: running results, windows, bins of time.
//!
//! | file | what |
//! |---|---|
//! | `cumulative` | `cumsum` and its like, `ffill`, `bfill`: what a partition ends with is what the next one begins with |
//! | `expanding` | statistics of all rows so far, also with weights that fade (`ewm`), also of groups |
//! | `interpolate` | missing values on the line between those around them |
//! | `shift` | `shift`, `diff`, `pct_change`, fills with a limit: a few rows of the neighbours |
//! | `rolling` | statistics of windows of rows or of time, also within groups |
//! | `overlap` | a user's function with the rows around |
//! | `resample` | bins of time |

mod cumulative;
mod expanding;
mod interpolate;
mod overlap;
mod resample;
mod rolling;
mod shift;

pub use expanding::{Ewm, Expanding, Fade};
pub use interpolate::{Interpolate, LimitDirection};
pub use resample::Resample;
pub use rolling::Rolling;

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataType, Duration, Expr};

use super::Frame;
use super::expr::FrameExpr;
use super::kernels::{Reach, made_of};
use super::step::refused;
use crate::error::{Error, Result};
use crate::lower::frame::{Neighbours, Window};

/// How far a window reaches: rows, or time.
///
/// ```
/// use talatat_collections::frame::Span;
/// assert_ne!(Span::rows(3), Span::time("when", "1h")?);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Span(Reach);

impl Span {
    /// Nothing.
    pub fn none() -> Span {
        Span(Reach::Nothing)
    }

    /// So many rows.
    pub fn rows(rows: u64) -> Span {
        Span(Reach::Rows(rows))
    }

    /// Rows that are up to `duration` away, by a column of dates or times in which the frame is sorted: `"1h"`, `"90s"`, `"2d12h"`, in
    /// polars' letters (`ns us ms s m h d w`).
    ///
    /// # Errors
    /// If the duration is not positive, or has no fixed length (months, years).
    #[track_caller]
    pub fn time(column: &str, duration: &str) -> Result<Span> {
        let location = Location::caller();
        let parsed = Duration::try_parse(duration)
            .map_err(|error| Error::invalid_at("Span::time", error.to_string(), location))?;
        if parsed.months() != 0 || parsed.negative() || parsed.is_zero() {
            let reason =
                format!("`{duration}` is no window of time: give a positive one of fixed length, such as \"1h\"");
            return Err(Error::invalid_at("Span::time", reason, location));
        }
        Ok(Span(Reach::Time { column: column.into(), nanoseconds: parsed.duration_ns() }))
    }
}

impl Frame {
    /// Expressions that look at the rows around.
    fn window(
        &self,
        operation: &str,
        exprs: Vec<Expr>,
        neighbours: Neighbours,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        made_of(&self.node.schema, &exprs).map_err(|error| refused(operation, &self.node.schema, &error, location))?;
        let window = Window { title: operation.into(), exprs, neighbours };
        Ok(Frame { node: FrameExpr::custom(Arc::new(window), vec![self.node.clone()], location)? })
    }

    fn check_span(&self, operation: &str, reach: &Reach, location: &'static Location<'static>) -> Result<()> {
        let Reach::Time { column, .. } = reach else { return Ok(()) };
        let dtype = self.field(operation, column, location)?.dtype;
        if matches!(dtype, DataType::Date | DataType::Datetime(..)) {
            return Ok(());
        }
        let reason = format!("column `{column}` is of type {dtype}, and windows of time need dates or times");
        Err(Error::invalid_at(operation, reason, location))
    }
}
