//! What pandas' `.dt` has beside polars' expressions.

use polars::prelude::{Expr, lit, when};

/// Dates and times rounded up to a multiple of a length of time in polars' letters (`"1h"`, `"15m"`, `"1d"`, `"1mo"`): pandas' `dt.ceil`,
/// to which months and longer lengths are new. Missing stays missing. `dt().truncate(..)` is pandas' `dt.floor`.
///
/// ```
/// use talatat_collections::frame::polars::prelude::{DataType, TimeUnit};
/// use talatat_collections::frame::{Frame, col, df, time};
/// # use talatat::Compute;
/// let millis = DataType::Datetime(TimeUnit::Milliseconds, None);
/// let frame = Frame::from_polars(df!("t" => [0_i64, 1, 3_600_000]).unwrap(), 2).astype([("t", millis)])?;
/// let hours = frame.select([time::ceil(col("t"), "1h").cast(DataType::Int64)])?;
/// assert!(hours.compute()?.equals(&df!("t" => [0_i64, 3_600_000, 3_600_000]).unwrap()));
/// # Ok::<(), talatat_collections::Error>(())
/// ```
pub fn ceil(times: impl Into<Expr>, every: &str) -> Expr {
    let times = times.into();
    let floor = times.clone().dt().truncate(lit(every));
    when(floor.clone().eq(times.clone())).then(times).otherwise(floor.dt().offset_by(lit(every)))
}
