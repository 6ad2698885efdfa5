//! Aggregations: one table row each.
//!
//! Most aggregations are made of states. A state is computed in each partition, states of the same group are merged, and the result is
//! made of the merged states. Aggregations of the same column share states: `mean`, `count` and `std` together keep four.
//! The others need all rows of a group together; with one of them in the list, rows are shuffled by their keys first.
//!
//! | name | kept of a group | result |
//! |---|---|---|
//! | [`sum`], [`prod`] | the same | of the values; 0 and 1 if there is none |
//! | [`mean`] | sum in float64, count | sum / count |
//! | [`count`] | count | values that are not missing |
//! | [`size`] | rows | rows |
//! | [`min`], [`max`] | the same | smallest, largest |
//! | [`var`], [`std`](std()), [`sem`] | count, mean, M2 | M2 / (count - ddof), its root, the root of it / count |
//! | [`skew`], [`kurtosis`] | count, mean, M2, M3, M4 | with pandas' correction of the bias |
//! | [`cov`], [`corr`] | count, means, M2s, co-moment | of the rows in which neither is missing |
//! | [`first`], [`last`] | the same | of the values that are not missing, in the order of rows |
//! | [`first_row`], [`last_row`] | the same | of all rows |
//! | [`any`], [`all`] | the same | of truth values; numbers other than 0 are true |
//! | [`nunique`] | the distinct values | how many |
//! | [`approx_nunique`] | the 4096 smallest hashes | about how many |
//! | [`nlargest`], [`nsmallest`] | n values | a list |
//! | [`idxmin`], [`idxmax`] | the extreme, and another column there | the other column |
//! | [`median`], [`quantile`], [`mode`], [`list`] | all rows | |
//!
//! Missing values are passed over; where nothing is left the result is missing, except that sums and counts are 0. That is pandas'
//! rule, with one difference: a float `NaN` is a number here, and only null is missing.
//!
//! A polars expression is an aggregation, too, as in `(col("a").max() - col("b").min()).alias("range")`. Its sums, means, extremes and so on
//! are taken for the functions here, with their types and rules, and merged; one with anything else in it is computed from all rows
//! of the group.

use polars::prelude::{Expr, QuantileMethod};

use super::table::{Parameter, Row, TABLE, row};

/// An aggregation: what to compute, of which columns or expressions, under which name.
///
/// ```
/// use talatat_collections::frame::{agg, col};
/// let all = [agg::mean("tip"), agg::max(col("tip") / col("fare")).alias("best"), agg::size()];
/// assert_eq!(all[0].to_string(), "mean of col(\"tip\")");
/// ```
#[derive(Clone, Debug)]
pub struct Agg {
    pub(crate) what: What,
    pub(crate) name: Option<String>,
}

/// What an aggregation computes.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A row of the table.
    Row { row: &'static Row, inputs: Vec<Expr>, parameter: Parameter },
    /// An expression of polars.
    Expr(Expr),
}

impl Agg {
    /// Names the result. By default it is the column's name and the aggregation's, as in `tip_mean`.
    pub fn alias(mut self, name: impl Into<String>) -> Agg {
        self.name = Some(name.into());
        self
    }

    /// The degrees of freedom that [`var`], [`std`](std()), [`sem`] and [`cov`] take off; by default 1. Others do not look at it.
    ///
    /// ```
    /// use talatat_collections::frame::agg;
    /// let population = agg::var("x").ddof(0);
    /// ```
    pub fn ddof(mut self, ddof: u8) -> Agg {
        if let What::Row { parameter, .. } = &mut self.what {
            parameter.ddof = ddof;
        }
        self
    }

    /// Between which of its neighbours, and how, a [`quantile`] is found that is no value; by default linearly. Others do not look at it.
    ///
    /// ```
    /// use talatat_collections::frame::{agg, polars::prelude::QuantileMethod};
    /// let lower = agg::quantile("x", 0.9).interpolation(QuantileMethod::Lower);
    /// ```
    pub fn interpolation(mut self, method: QuantileMethod) -> Agg {
        if let What::Row { parameter, .. } = &mut self.what {
            parameter.method = method;
        }
        self
    }

    /// Whether it is 0 where there are no rows.
    pub(crate) fn is_zero_of_nothing(&self) -> bool {
        let What::Row { row, .. } = &self.what else { return false };
        matches!(row.name, "sum" | "count" | "size" | "nunique" | "approx_nunique")
    }

    fn told(mut self, tell: impl FnOnce(&mut Parameter)) -> Agg {
        if let What::Row { parameter, .. } = &mut self.what {
            tell(parameter);
        }
        self
    }
}

impl From<Expr> for Agg {
    fn from(expr: Expr) -> Agg {
        Agg { what: What::Expr(expr), name: None }
    }
}

impl std::fmt::Display for Agg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.what {
            What::Expr(expr) => write!(f, "{expr}"),
            What::Row { row, inputs, .. } if inputs.is_empty() => f.write_str(row.name),
            What::Row { row, inputs, .. } => {
                let inputs: Vec<String> = inputs.iter().map(Expr::to_string).collect();
                write!(f, "{} of {}", row.name, inputs.join(", "))
            }
        }
    }
}

macro_rules! aggregations {
    ($($name:ident: $doc:literal;)*) => {$(
        #[doc = $doc]
        ///
        /// ```
        #[doc = concat!("use talatat_collections::frame::agg;\nlet rule = agg::", stringify!($name), "(\"x\");")]
        #[doc = concat!("assert_eq!(rule.to_string(), \"", stringify!($name), " of col(\\\"x\\\")\");")]
        /// ```
        pub fn $name(column: impl Into<Expr>) -> Agg {
            named(stringify!($name), vec![column.into()])
        }
    )*};
}

pub(crate) fn named(name: &str, inputs: Vec<Expr>) -> Agg {
    // The names are those of the table, which a test checks.
    let row = row(name).unwrap_or(&TABLE[0]);
    Agg { what: What::Row { row, inputs, parameter: Parameter::default() }, name: None }
}

aggregations! {
    sum: "The sum: int64 for integers and truth values (uint64 for unsigned ones), else the column's type. 0 if there is no value.";
    prod: "The product, with the types of [`sum`]; integers wrap. 1 if there is no value.";
    mean: "The mean, as float64.";
    count: "How many values are not missing, as int64.";
    min: "The smallest value.";
    max: "The largest value.";
    var: "The variance with `ddof = 1`, as float64; missing for fewer than two values.";
    std: "The standard deviation with `ddof = 1`, as float64; missing for fewer than two values.";
    sem: "The standard error of the mean, as float64; missing for fewer than two values.";
    skew: "The skewness, its bias corrected, as float64; missing for fewer than three values, 0 if all are equal.";
    kurtosis: "The excess kurtosis, its bias corrected, as float64; missing for fewer than four values, 0 if all are equal.";
    first: "The first value that is not missing, in the order of rows.";
    last: "The last value that is not missing, in the order of rows.";
    first_row: "The first row's value, missing or not: pandas' `first` with `skipna=False`.";
    last_row: "The last row's value, missing or not: pandas' `last` with `skipna=False`.";
    any: "Whether any value is true, or not 0; false if there is no value.";
    all: "Whether all values are true, or not 0; true if there is no value.";
    nunique: "How many distinct values there are, missing not among them, as int64. Keeps the distinct values of each group.";
    approx_nunique: "About how many distinct values there are, as int64: exact below 4096, then with a standard error of 1.6 %. Keeps at most \
                     32 KiB of each group. The answer does not depend on partitions.";
    median: "The median, as float64. Needs all rows of a group together.";
    mode: "The value that is there most often, the smallest of several. Needs all rows of a group together.";
    list: "All values of the group as a list, missing ones too, in the order of rows. Needs all rows of a group together.";
}

/// How many rows there are, missing values included, as int64.
///
/// ```
/// use talatat_collections::frame::agg;
/// assert_eq!(agg::size().alias("n").to_string(), "size");
/// ```
pub fn size() -> Agg {
    named("size", Vec::new())
}

/// The value that a part of the others lies below, as float64: `quantile` is from 0 to 1. Between two values it is interpolated, see
/// [`Agg::interpolation`]. Needs all rows of a group together.
///
/// ```
/// use talatat_collections::frame::agg;
/// assert_eq!(agg::quantile("x", 0.9).to_string(), "quantile of col(\"x\")");
/// ```
pub fn quantile(column: impl Into<Expr>, quantile: f64) -> Agg {
    named("quantile", vec![column.into()]).told(|parameter| parameter.quantile = quantile)
}

/// The covariance of two columns with `ddof = 1`, as float64, of the rows in which neither is missing.
///
/// ```
/// use talatat_collections::frame::agg;
/// assert_eq!(agg::cov("x", "y").to_string(), "cov of col(\"x\"), col(\"y\")");
/// ```
pub fn cov(x: impl Into<Expr>, y: impl Into<Expr>) -> Agg {
    named("cov", vec![x.into(), y.into()])
}

/// Pearson's correlation of two columns, as float64, of the rows in which neither is missing. Missing if one of them is constant.
///
/// ```
/// use talatat_collections::frame::agg;
/// assert_eq!(agg::corr("x", "y").to_string(), "corr of col(\"x\"), col(\"y\")");
/// ```
pub fn corr(x: impl Into<Expr>, y: impl Into<Expr>) -> Agg {
    named("corr", vec![x.into(), y.into()])
}

/// The value of `label` in the first row in which `column` is smallest. A frame has no index: `label` is the column that stands for it.
///
/// ```
/// use talatat_collections::frame::agg;
/// assert_eq!(agg::idxmin("x", "id").to_string(), "idxmin of col(\"x\"), col(\"id\")");
/// ```
pub fn idxmin(column: impl Into<Expr>, label: impl Into<Expr>) -> Agg {
    named("idxmin", vec![column.into(), label.into()])
}

/// The value of `label` in the first row in which `column` is largest. A frame has no index: `label` is the column that stands for it.
///
/// ```
/// use talatat_collections::frame::agg;
/// assert_eq!(agg::idxmax("x", "id").to_string(), "idxmax of col(\"x\"), col(\"id\")");
/// ```
pub fn idxmax(column: impl Into<Expr>, label: impl Into<Expr>) -> Agg {
    named("idxmax", vec![column.into(), label.into()])
}

/// The `n` largest values, a list from the largest to the smallest. NaN is larger than all numbers.
///
/// ```
/// use talatat_collections::frame::agg;
/// assert_eq!(agg::nlargest("x", 2).to_string(), "nlargest of col(\"x\")");
/// ```
pub fn nlargest(column: impl Into<Expr>, n: usize) -> Agg {
    named("nlargest", vec![column.into()]).told(|parameter| parameter.n = n)
}

/// The `n` smallest values, a list from the smallest to the largest. NaN is larger than all numbers.
///
/// ```
/// use talatat_collections::frame::agg;
/// assert_eq!(agg::nsmallest("x", 2).to_string(), "nsmallest of col(\"x\")");
/// ```
pub fn nsmallest(column: impl Into<Expr>, n: usize) -> Agg {
    named("nsmallest", vec![column.into()]).told(|parameter| parameter.n = n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constructors_are_table_rows() {
        let one = [
            sum,
            prod,
            mean,
            count,
            min,
            max,
            var,
            std,
            sem,
            skew,
            kurtosis,
            first,
            last,
            first_row,
            last_row,
            any,
            all,
            nunique,
            approx_nunique,
            median,
            mode,
            list,
        ];
        let mut names: Vec<String> = one.iter().map(|make| make("x").to_string()).collect();
        let others = [
            size(),
            quantile("x", 0.5),
            cov("x", "y"),
            corr("x", "y"),
            idxmin("x", "y"),
            idxmax("x", "y"),
            nlargest("x", 1),
            nsmallest("x", 1),
        ];
        names.extend(others.iter().map(Agg::to_string));
        let mut names: Vec<&str> = names.iter().filter_map(|name| name.split(' ').next()).collect();
        // The row that only expressions of polars ask for.
        names.push("n_unique");
        let mut rows: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
        names.sort_unstable();
        rows.sort_unstable();
        assert_eq!(names, rows);
    }
}
