//! The table of aggregations: one row each.

use polars::prelude::{DataType, Expr, Literal, NULL, QuantileMethod, SortOptions, lit, when};

use super::state::{SKETCH, State};

/// One aggregation.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) way: Way,
    /// Which types of its columns it makes sense for.
    pub(crate) accepts: fn(&[DataType]) -> bool,
}

/// How an aggregation is computed.
#[derive(Debug)]
pub(crate) enum Way {
    /// From states that merge, and of which columns they are.
    States {
        /// What stands for the columns before states are computed.
        prepare: fn(Vec<Expr>) -> Vec<Expr>,
        states: &'static [(State, Of)],
        /// The result, from the columns of its states, in their order; the type is the first input's.
        finish: fn(&[Expr], &DataType, &Parameter) -> Expr,
    },
    /// From all rows of a group.
    Rows(fn(&[Expr], &Parameter) -> Expr),
}

/// Which of an aggregation's columns a state is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Nothing,
    First,
    Second,
    Both,
}

/// What an aggregation is told besides its columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter {
    /// How many values.
    pub(crate) n: usize,
    /// Degrees of freedom that are taken off.
    pub(crate) ddof: u8,
    pub(crate) quantile: f64,
    pub(crate) method: QuantileMethod,
}

impl Default for Parameter {
    fn default() -> Parameter {
        Parameter { n: 0, ddof: 1, quantile: 0.5, method: QuantileMethod::Linear }
    }
}

pub(crate) const fn number(dtype: &DataType) -> bool {
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

fn numbers(dtypes: &[DataType]) -> bool {
    dtypes.iter().all(number)
}

fn numbers_and_truth(dtypes: &[DataType]) -> bool {
    dtypes.iter().all(|dtype| number(dtype) || *dtype == DataType::Boolean)
}

fn sums(dtypes: &[DataType]) -> bool {
    dtypes.iter().all(|dtype| matches!(dtype, DataType::Duration(_))) || numbers_and_truth(dtypes)
}

/// What has an order.
fn ordered(dtypes: &[DataType]) -> bool {
    dtypes.first().is_none_or(|dtype| !dtype.is_nested())
}

fn hashed(dtypes: &[DataType]) -> bool {
    ordered(dtypes)
}

fn anything(_: &[DataType]) -> bool {
    true
}

fn missing() -> Expr {
    NULL.lit().cast(DataType::Float64)
}

fn float(value: &Expr) -> Expr {
    value.clone().cast(DataType::Float64)
}

fn only(states: &[Expr]) -> Expr {
    states.first().cloned().unwrap_or_else(|| NULL.lit())
}

fn plain(states: &[Expr], _: &DataType, _: &Parameter) -> Expr {
    only(states)
}

fn as_they_are(inputs: Vec<Expr>) -> Vec<Expr> {
    inputs
}

/// Rows in which one of two columns is missing count for neither.
fn both_present(inputs: Vec<Expr>) -> Vec<Expr> {
    let present = inputs.iter().map(|input| input.clone().is_not_null()).reduce(Expr::and).unwrap_or_else(|| lit(true));
    let kept = |input: &Expr| when(present.clone()).then(input.clone().cast(DataType::Float64)).otherwise(missing());
    inputs.iter().map(kept).collect()
}

/// Fixed keys: a state that was made elsewhere must know equal values.
fn hashes(inputs: Vec<Expr>) -> Vec<Expr> {
    let hash = |input: Expr| when(input.clone().is_not_null()).then(input.hash(17, 29, 43, 71)).otherwise(NULL.lit());
    inputs.into_iter().map(hash).collect()
}

fn variance(states: &[Expr], parameter: &Parameter) -> Expr {
    let [count, _, m2] = states else { return NULL.lit() };
    let ddof = lit(i64::from(parameter.ddof));
    when(count.clone().gt(ddof.clone()))
        .then(m2.clone() / (count.clone() - ddof).cast(DataType::Float64))
        .otherwise(missing())
}

/// The sample skewness, as pandas corrects its bias.
fn skewness(states: &[Expr], _: &DataType, _: &Parameter) -> Expr {
    let [count, _, m2, m3] = states else { return NULL.lit() };
    let n = float(count);
    let spread = m2.clone() * m2.clone().sqrt();
    let factor = n.clone() * (n.clone() - lit(1.0)).sqrt() / (n.clone() - lit(2.0));
    let value = when(m2.clone().eq(lit(0.0))).then(lit(0.0)).otherwise(factor * m3.clone() / spread);
    when(n.gt(lit(2.0))).then(value).otherwise(missing())
}

/// The excess kurtosis, as pandas corrects its bias.
fn excess(states: &[Expr], _: &DataType, _: &Parameter) -> Expr {
    let [count, _, m2, _, m4] = states else { return NULL.lit() };
    let n = float(count);
    let less = |by: f64| n.clone() - lit(by);
    let below = less(2.0) * less(3.0);
    let adjust = lit(3.0) * less(1.0) * less(1.0) / below.clone();
    let above = n.clone() * (n.clone() + lit(1.0)) * less(1.0) * m4.clone();
    let value = above / (below * m2.clone() * m2.clone()) - adjust;
    let value = when(m2.clone().eq(lit(0.0))).then(lit(0.0)).otherwise(value);
    when(n.gt(lit(3.0))).then(value).otherwise(missing())
}

fn covariance(states: &[Expr], _: &DataType, parameter: &Parameter) -> Expr {
    let [count, _, _, co, _] = states else { return NULL.lit() };
    let ddof = lit(i64::from(parameter.ddof));
    when(count.clone().gt(ddof.clone()))
        .then(co.clone() / (count.clone() - ddof).cast(DataType::Float64))
        .otherwise(missing())
}

fn correlation(states: &[Expr], _: &DataType, _: &Parameter) -> Expr {
    let [count, _, _, co, _, m2, m2_second] = states else { return NULL.lit() };
    let root = m2.clone().sqrt() * m2_second.clone().sqrt();
    let value = (co.clone() / root.clone()).clip(lit(-1.0), lit(1.0));
    when(count.clone().gt(lit(1_i64)).and(root.neq(lit(0.0)))).then(value).otherwise(missing())
}

/// Halfway between two, the nearest one is that of the even number, as in pandas; polars takes the second one.
fn quantile(inputs: &[Expr], parameter: &Parameter) -> Expr {
    let values = || only(inputs).cast(DataType::Float64);
    let at = |method| values().quantile(lit(parameter.quantile), method);
    if parameter.method != QuantileMethod::Nearest {
        return at(parameter.method);
    }
    let place = || lit(parameter.quantile) * (values().count().cast(DataType::Float64) - lit(1.0));
    let is_half = (place() - place().floor()).eq(lit(0.5));
    let is_even = (place().floor() % lit(2.0)).eq(lit(0.0));
    when(is_half.and(is_even)).then(at(QuantileMethod::Lower)).otherwise(at(QuantileMethod::Nearest))
}

/// How many distinct values the kept hashes speak of: all, or so many that the largest is where it is.
fn estimate(states: &[Expr], _: &DataType, _: &Parameter) -> Expr {
    let hashes = || only(states).list();
    let kept = hashes().len().cast(DataType::Int64);
    let part = hashes().max().cast(DataType::Float64) / lit(2_f64.powi(64));
    let guess = (lit((SKETCH - 1) as f64) / part).cast(DataType::Int64);
    when(kept.clone().lt(lit(SKETCH as i64))).then(kept).otherwise(guess)
}

fn descending(states: &[Expr], _: &DataType, _: &Parameter) -> Expr {
    only(states).list().sort(SortOptions { descending: true, multithreaded: false, ..SortOptions::default() })
}

fn ascending(states: &[Expr], _: &DataType, _: &Parameter) -> Expr {
    only(states).list().sort(SortOptions { multithreaded: false, ..SortOptions::default() })
}

const fn simple(name: &'static str, states: &'static [(State, Of)], accepts: fn(&[DataType]) -> bool) -> Row {
    Row { name, way: Way::States { prepare: as_they_are, states, finish: plain }, accepts }
}

const fn finished(
    name: &'static str,
    states: &'static [(State, Of)],
    finish: fn(&[Expr], &DataType, &Parameter) -> Expr,
    accepts: fn(&[DataType]) -> bool,
) -> Row {
    Row { name, way: Way::States { prepare: as_they_are, states, finish }, accepts }
}

const fn rows(name: &'static str, way: fn(&[Expr], &Parameter) -> Expr, accepts: fn(&[DataType]) -> bool) -> Row {
    Row { name, way: Way::Rows(way), accepts }
}

const SPREAD: &[(State, Of)] = &[(State::Count, Of::First), (State::Mean, Of::First), (State::M2, Of::First)];
const COVARIANCE: &[(State, Of)] = &[
    (State::Count, Of::First),
    (State::Mean, Of::First),
    (State::Mean, Of::Second),
    (State::CoMoment, Of::Both),
    // Merging means asks for the count of each column.
    (State::Count, Of::Second),
];
const CORRELATION: &[(State, Of)] = &[
    (State::Count, Of::First),
    (State::Mean, Of::First),
    (State::Mean, Of::Second),
    (State::CoMoment, Of::Both),
    (State::Count, Of::Second),
    (State::M2, Of::First),
    (State::M2, Of::Second),
];

pub(crate) static TABLE: [Row; 31] = [
    finished(
        "sum",
        &[(State::Sum, Of::First)],
        |states, dtype, _| match dtype {
            DataType::Float32 => only(states).cast(DataType::Float32),
            _ => only(states),
        },
        sums,
    ),
    finished(
        "prod",
        &[(State::Product, Of::First)],
        |states, dtype, _| match dtype {
            DataType::Float32 => only(states).cast(DataType::Float32),
            _ => only(states),
        },
        numbers_and_truth,
    ),
    finished(
        "mean",
        &[(State::FloatSum, Of::First), (State::Count, Of::First)],
        |states, _, _| match states {
            [sum, count] => when(count.clone().gt(lit(0_i64))).then(sum.clone() / float(count)).otherwise(missing()),
            _ => NULL.lit(),
        },
        numbers_and_truth,
    ),
    simple("count", &[(State::Count, Of::First)], anything),
    simple("size", &[(State::Rows, Of::Nothing)], anything),
    simple("min", &[(State::Min, Of::First)], ordered),
    simple("max", &[(State::Max, Of::First)], ordered),
    finished("var", SPREAD, |states, _, parameter| variance(states, parameter), numbers),
    finished("std", SPREAD, |states, _, parameter| variance(states, parameter).sqrt(), numbers),
    finished(
        "sem",
        SPREAD,
        |states, _, parameter| match states {
            [count, ..] => (variance(states, parameter) / float(count)).sqrt(),
            _ => NULL.lit(),
        },
        numbers,
    ),
    finished(
        "skew",
        &[(State::Count, Of::First), (State::Mean, Of::First), (State::M2, Of::First), (State::M3, Of::First)],
        skewness,
        numbers,
    ),
    finished(
        "kurtosis",
        &[
            (State::Count, Of::First),
            (State::Mean, Of::First),
            (State::M2, Of::First),
            (State::M3, Of::First),
            (State::M4, Of::First),
        ],
        excess,
        numbers,
    ),
    simple("first", &[(State::First, Of::First)], anything),
    simple("last", &[(State::Last, Of::First)], anything),
    simple("first_row", &[(State::FirstRow, Of::First)], anything),
    simple("last_row", &[(State::LastRow, Of::First)], anything),
    simple("any", &[(State::Any, Of::First)], numbers_and_truth),
    simple("all", &[(State::All, Of::First)], numbers_and_truth),
    finished(
        "nunique",
        &[(State::Distinct, Of::First)],
        |states, _, _| only(states).list().len().cast(DataType::Int64),
        hashed,
    ),
    // What polars calls `n_unique`: missing is a value.
    finished(
        "n_unique",
        &[(State::Distinct, Of::First), (State::Count, Of::First), (State::Rows, Of::Nothing)],
        |states, _, _| match states {
            [values, count, rows] => {
                let missing = rows.clone().gt(count.clone()).cast(DataType::Int64);
                values.clone().list().len().cast(DataType::Int64) + missing
            }
            _ => NULL.lit(),
        },
        hashed,
    ),
    Row {
        name: "approx_nunique",
        way: Way::States { prepare: hashes, states: &[(State::Sketch, Of::First)], finish: estimate },
        accepts: hashed,
    },
    finished("nlargest", &[(State::Largest, Of::First)], descending, ordered),
    finished("nsmallest", &[(State::Smallest, Of::First)], ascending, ordered),
    finished("idxmin", &[(State::AtMin, Of::Both), (State::Min, Of::First)], |states, _, _| only(states), ordered),
    finished("idxmax", &[(State::AtMax, Of::Both), (State::Max, Of::First)], |states, _, _| only(states), ordered),
    Row {
        name: "cov",
        way: Way::States { prepare: both_present, states: COVARIANCE, finish: covariance },
        accepts: numbers_and_truth,
    },
    Row {
        name: "corr",
        way: Way::States { prepare: both_present, states: CORRELATION, finish: correlation },
        accepts: numbers_and_truth,
    },
    rows("median", |inputs, _| only(inputs).cast(DataType::Float64).median(), numbers_and_truth),
    rows("quantile", quantile, numbers_and_truth),
    rows("list", |inputs, _| only(inputs).implode(true), anything),
    rows(
        "mode",
        |inputs, _| {
            let options = SortOptions { multithreaded: false, ..SortOptions::default() };
            only(inputs).drop_nulls().mode(false).sort(options).first()
        },
        ordered,
    ),
];

/// The table's row with a name.
pub(crate) fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}
