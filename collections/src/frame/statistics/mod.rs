//! Statistics of whole frames.

mod bins;
mod counts;
mod describe;
mod duplicates;
mod quantile;
mod rank;
mod top;

use std::panic::Location;

use polars::prelude::{DataType, Schema};

pub use counts::ValueCounts;
pub use duplicates::Keep;

use super::groupby::{GroupBy, agg, number};
use super::{Frame, step};
use crate::error::{Error, Result};

/// Names of columns that exist.
fn named<S: AsRef<str>>(
    operation: &str,
    schema: &Schema,
    columns: impl IntoIterator<Item = S>,
    location: &'static Location<'static>,
) -> Result<Vec<String>> {
    let columns: Vec<String> = columns.into_iter().map(|name| name.as_ref().to_string()).collect();
    if columns.is_empty() {
        return Err(Error::invalid_at(operation, "no column is named; name at least one", location));
    }
    match columns.iter().find(|name| !schema.contains(name)) {
        None => Ok(columns),
        Some(name) => Err(Error::invalid_at(operation, step::no_column(name, schema), location)),
    }
}

/// Names of columns of numbers.
fn numeric<S: AsRef<str>>(
    operation: &str,
    schema: &Schema,
    columns: impl IntoIterator<Item = S>,
    location: &'static Location<'static>,
) -> Result<Vec<String>> {
    let columns = named(operation, schema, columns, location)?;
    for name in &columns {
        if let Some(dtype) = schema.get(name)
            && !number(dtype)
            && *dtype != DataType::Boolean
        {
            let reason = format!("column `{name}` is {dtype}, not a number; cast it first, or leave it out");
            return Err(Error::invalid_at(operation, reason, location));
        }
    }
    Ok(columns)
}

macro_rules! reductions {
    ($($name:ident: $doc:literal;)*) => {
        impl Frame {$(
            #[doc = $doc]
            /// One row, a column for each of `columns`, under its name. The rules are those of
            #[doc = concat!("[`agg::", stringify!($name), "`](agg::", stringify!($name), "()).")]
            ///
            /// # Errors
            /// If a column does not exist, or its type makes no sense for it.
            ///
            /// ```
            /// use talatat_collections::frame::{Frame, df};
            /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 2);
            #[doc = concat!("assert_eq!(frame.", stringify!($name), "([\"x\"])?.column_names(), [\"x\"]);")]
            /// # Ok::<(), talatat_collections::Error>(())
            /// ```
            #[track_caller]
            pub fn $name<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
                let location = Location::caller();
                let columns = named(stringify!($name), &self.node.schema, columns, location)?;
                let aggs = columns.iter().map(|name| agg::$name(name.as_str()).alias(name.as_str()));
                GroupBy::new(self.clone(), Vec::new(), location).agg_at(aggs.collect(), location)
            }
        )*}
    };
}

reductions! {
    sum: "The sum of each column.";
    prod: "The product of each column.";
    mean: "The mean of each column.";
    count: "How many values of each column are not missing.";
    min: "The smallest value of each column.";
    max: "The largest value of each column.";
    var: "The variance of each column, `ddof = 1`.";
    std: "The standard deviation of each column, `ddof = 1`.";
    sem: "The standard error of the mean of each column.";
    skew: "The skewness of each column.";
    kurtosis: "The excess kurtosis of each column.";
    any: "Whether any value of each column is true.";
    all: "Whether all values of each column are true.";
    nunique: "How many distinct values each column has, missing not among them.";
    approx_nunique: "About how many distinct values each column has, missing not among them.";
}
