//! Aggregations: one table row each.
//!
//! An aggregation is made of states. A state is computed in each partition, states of the same group are merged in
//! a tree, and the result is made of the merged states. Aggregations of the same column share states: `mean`, `count` and `std` together
//! keep three.
//!
//! | name | states | result |
//! |---|---|---|
//! | [`sum`] | sum | sum; 0 if there is no value |
//! | [`mean`] | sum in float64, count | sum / count |
//! | [`count`] | count | values that are not missing |
//! | [`size`] | rows | rows |
//! | [`min`], [`max`] | the same | smallest, largest |
//! | [`var`], [`std`](std()) | count, mean, M2 | M2 / (count - 1), its root |
//! | [`first`], [`last`] | the same | of the values that are not missing, in the order of rows |
//!
//! Missing values are passed over; where nothing is left the result is missing, except that sums and counts are 0. That is pandas'
//! rule, with one difference: a float `NaN` is a number here, and only null is missing.
//!
//! M2 is the sum of squared distances from the mean. States of two parts are merged with the formula of Chan, Golub and LeVeque (1979,
//! "Updating formulae and a pairwise algorithm for computing sample variances"), which does not cancel for values far from zero.

use polars::prelude::{DataType, Expr, Literal, NULL, col, len, lit, when};

/// An aggregation of a column: what to compute, of which column or expression, under which name.
///
/// ```
/// use talatat_collections::frame::{agg, col};
/// let all = [agg::mean("tip"), agg::max(col("tip") / col("fare")).alias("best"), agg::size()];
/// assert_eq!(all[0].to_string(), "mean of col(\"tip\")");
/// ```
#[derive(Clone, Debug)]
pub struct Agg {
    pub(crate) row: &'static Row,
    pub(crate) input: Option<Expr>,
    pub(crate) name: Option<String>,
}

impl Agg {
    /// Names the result. By default it is the column's name and the aggregation's, as in `tip_mean`.
    pub fn alias(mut self, name: impl Into<String>) -> Agg {
        self.name = Some(name.into());
        self
    }

    /// Whether it is 0 where there are no rows.
    pub(crate) fn is_zero_of_nothing(&self) -> bool {
        matches!(self.row.name, "sum" | "count" | "size" | "nunique")
    }
}

impl std::fmt::Display for Agg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.input {
            Some(input) => write!(f, "{} of {input}", self.row.name),
            None => f.write_str(self.row.name),
        }
    }
}

/// What is kept of each group until all partitions are merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Sum,
    FloatSum,
    Count,
    Rows,
    Min,
    Max,
    First,
    Last,
    Mean,
    M2,
}

/// One aggregation.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) states: &'static [State],
    /// The result, from the columns of its states, in their order; the type is the input's.
    pub(crate) finish: fn(&[Expr], &DataType) -> Expr,
    /// Which types it makes sense for.
    pub(crate) accepts: fn(&DataType) -> bool,
}

const fn numbers_and_truth(dtype: &DataType) -> bool {
    numbers(dtype) || matches!(dtype, DataType::Boolean)
}

const fn numbers(dtype: &DataType) -> bool {
    use DataType as D;
    matches!(
        dtype,
        D::Int8
            | D::Int16
            | D::Int32
            | D::Int64
            | D::UInt8
            | D::UInt16
            | D::UInt32
            | D::UInt64
            | D::Float32
            | D::Float64
    )
}

fn variance(states: &[Expr]) -> Expr {
    let [count, _, m2] = states else { return lit(NULL) };
    when(count.clone().gt(lit(1)))
        .then(m2.clone() / (count.clone() - lit(1)))
        .otherwise(lit(NULL).cast(DataType::Float64))
}

fn only(states: &[Expr]) -> Expr {
    states.first().cloned().unwrap_or_else(|| NULL.lit())
}

const SPREAD: &[State] = &[State::Count, State::Mean, State::M2];

pub(crate) static TABLE: [Row; 10] = [
    Row {
        name: "sum",
        states: &[State::Sum],
        finish: |states, dtype| match dtype {
            DataType::Float32 => only(states).cast(DataType::Float32),
            _ => only(states),
        },
        accepts: numbers_and_truth,
    },
    Row {
        name: "mean",
        states: &[State::FloatSum, State::Count],
        finish: |states, _| match states {
            [sum, count] => when(count.clone().gt(lit(0)))
                .then(sum.clone() / count.clone())
                .otherwise(lit(NULL).cast(DataType::Float64)),
            _ => lit(NULL),
        },
        accepts: numbers_and_truth,
    },
    Row { name: "count", states: &[State::Count], finish: |states, _| only(states), accepts: |_| true },
    Row { name: "size", states: &[State::Rows], finish: |states, _| only(states), accepts: |_| true },
    Row { name: "min", states: &[State::Min], finish: |states, _| only(states), accepts: |_| true },
    Row { name: "max", states: &[State::Max], finish: |states, _| only(states), accepts: |_| true },
    Row { name: "var", states: SPREAD, finish: |states, _| variance(states), accepts: numbers },
    Row { name: "std", states: SPREAD, finish: |states, _| variance(states).sqrt(), accepts: numbers },
    Row { name: "first", states: &[State::First], finish: |states, _| only(states), accepts: |_| true },
    Row { name: "last", states: &[State::Last], finish: |states, _| only(states), accepts: |_| true },
];

impl State {
    /// The name of the state's column for an input.
    pub(crate) fn column(self, input: &str) -> String {
        format!("{self:?} {input}")
    }

    /// The state of one partition's group.
    pub(crate) fn partial(self, input: &str, dtype: &DataType) -> Expr {
        let values = || col(input);
        let floats = || values().cast(DataType::Float64);
        let state = match self {
            State::Sum => match dtype {
                DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                    values().cast(DataType::UInt64).sum()
                }
                DataType::Float32 | DataType::Float64 => floats().sum(),
                _ => values().cast(DataType::Int64).sum(),
            },
            State::FloatSum => floats().sum(),
            State::Count => values().count().cast(DataType::Int64),
            State::Rows => len().cast(DataType::Int64),
            State::Min => values().min(),
            State::Max => values().max(),
            State::First => values().drop_nulls().first(),
            State::Last => values().drop_nulls().last(),
            State::Mean => floats().mean().fill_null(lit(0.0)),
            State::M2 => (floats().var(0) * values().count().cast(DataType::Float64)).fill_null(lit(0.0)),
        };
        state.alias(self.column(input))
    }

    /// The state of groups that were merged.
    pub(crate) fn combine(self, input: &str) -> Expr {
        let this = || col(self.column(input));
        let count = || col(State::Count.column(input)).cast(DataType::Float64);
        let mean = || col(State::Mean.column(input));
        let of_all =
            || when(count().sum().gt(lit(0.0))).then((count() * mean()).sum() / count().sum()).otherwise(lit(0.0));
        let state = match self {
            State::Sum | State::FloatSum | State::Count | State::Rows => this().sum(),
            State::Min => this().min(),
            State::Max => this().max(),
            State::First => this().drop_nulls().first(),
            State::Last => this().drop_nulls().last(),
            State::Mean => of_all(),
            State::M2 => this().sum() + (count() * (mean() - of_all()) * (mean() - of_all())).sum(),
        };
        state.alias(self.column(input))
    }
}

/// The table's row with a name.
pub(crate) fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
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
            named(stringify!($name), Some(column.into()))
        }
    )*};
}

fn named(name: &str, input: Option<Expr>) -> Agg {
    // The names are those of the table, which a test checks.
    let row = row(name).unwrap_or(&TABLE[0]);
    Agg { row, input, name: None }
}

aggregations! {
    sum: "The sum: int64 for integers and truth values (uint64 for unsigned ones), else the column's type. 0 if there is no value.";
    mean: "The mean, as float64.";
    count: "How many values are not missing, as int64.";
    min: "The smallest value.";
    max: "The largest value.";
    var: "The variance with `ddof = 1`, as float64; missing for fewer than two values.";
    std: "The standard deviation with `ddof = 1`, as float64; missing for fewer than two values.";
    first: "The first value that is not missing, in the order of rows.";
    last: "The last value that is not missing, in the order of rows.";
}

/// How many rows there are, missing values included, as int64.
///
/// ```
/// use talatat_collections::frame::agg;
/// assert_eq!(agg::size().alias("n").to_string(), "size");
/// ```
pub fn size() -> Agg {
    named("size", None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constructors_are_table_rows() {
        let all =
            [sum("x"), mean("x"), count("x"), size(), min("x"), max("x"), var("x"), std("x"), first("x"), last("x")];
        let names: Vec<_> = all.iter().map(|agg| agg.row.name).collect();
        assert_eq!(names, TABLE.iter().map(|row| row.name).collect::<Vec<_>>());
    }
}
