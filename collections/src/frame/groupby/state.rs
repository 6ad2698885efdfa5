//! States: what is kept of each group until all partitions are merged.
//!
//! A state is computed in each partition, and states of the same group are merged. Merging is associative, so a tree of any shape gives
//! the same result, but for the last digits of floats.
//!
//! Sums of powers of distances from the mean are merged by the formulas of Pébay (2008, "Formulas for robust, one-pass parallel computation
//! of covariances and arbitrary-order statistical moments"), which do not cancel for values far from zero.

use polars::prelude::{DataType, ExplodeOptions, Expr, Literal, LiteralValue, NULL, col, len, lit, when};

use crate::frame::kernels::{Fold, How};

/// How many hashes [`State::Sketch`] keeps: the relative standard error of the count is about `1 / sqrt(SKETCH)`, 1.6 %.
pub(crate) const SKETCH: usize = 4096;

/// What is kept of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Sum,
    FloatSum,
    Product,
    /// Values that are not missing.
    Count,
    Rows,
    Min,
    Max,
    /// Of the values that are not missing.
    First,
    Last,
    /// Of all rows.
    FirstRow,
    LastRow,
    Any,
    All,
    Mean,
    /// Sums of powers of the distances from the mean.
    M2,
    M3,
    M4,
    /// The sum of products of the distances of two columns from their means.
    CoMoment,
    /// The distinct values, a list.
    Distinct,
    /// The largest and smallest values, lists.
    Largest,
    Smallest,
    /// The second column in the row of the first one's least or greatest value.
    AtMin,
    AtMax,
    /// The smallest distinct hashes, a list: Beyer and others (2007, "On synopses for distinct-value estimation under multiset operations").
    Sketch,
}

/// A state of one or two columns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StateOf {
    pub(crate) state: State,
    /// The columns' names in the stages' input.
    pub(crate) inputs: Vec<String>,
    /// How many values a list keeps.
    pub(crate) n: usize,
    pub(crate) dtype: DataType,
}

/// A list's values, all groups' in one. Polars wants at least one of each list.
fn exploded(list: Expr) -> Expr {
    list.explode(ExplodeOptions { empty_as_null: true, keep_nulls: true }).drop_nulls()
}

fn float(value: Expr) -> Expr {
    value.cast(DataType::Float64)
}

fn cube(value: Expr) -> Expr {
    value.clone() * value.clone() * value
}

impl StateOf {
    /// The name of the state's column.
    pub(crate) fn column(&self) -> String {
        let mut name = format!("{:?}", self.state);
        if matches!(self.state, State::Largest | State::Smallest) {
            name.push_str(&format!(" {}", self.n));
        }
        self.inputs.iter().for_each(|input| {
            name.push(' ');
            name.push_str(input);
        });
        name
    }

    fn first(&self) -> Expr {
        self.inputs.first().map_or_else(|| NULL.lit(), |name| col(name.as_str()))
    }

    fn second(&self) -> Expr {
        self.inputs.get(1).map_or_else(|| NULL.lit(), |name| col(name.as_str()))
    }

    fn n(&self) -> Expr {
        lit(self.n as u64)
    }

    /// The dtype that sums are kept in.
    fn sum_type(&self) -> DataType {
        match &self.dtype {
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => DataType::UInt64,
            DataType::Float32 | DataType::Float64 => DataType::Float64,
            duration @ DataType::Duration(_) => duration.clone(),
            _ => DataType::Int64,
        }
    }

    /// The state of a group's rows.
    pub(crate) fn partial(&self) -> Expr {
        let x = || self.first();
        let far = || float(x()) - float(x()).mean();
        match self.state {
            State::Sum => x().cast(self.sum_type()).sum(),
            State::FloatSum => float(x()).sum(),
            State::Product => x().cast(self.sum_type()).product(),
            State::Count => x().count().cast(DataType::Int64),
            State::Rows => len().cast(DataType::Int64),
            State::Min => x().min(),
            State::Max => x().max(),
            State::First => x().drop_nulls().first(),
            State::Last => x().drop_nulls().last(),
            State::FirstRow => x().first(),
            State::LastRow => x().last(),
            State::Any => x().cast(DataType::Boolean).any(true),
            State::All => x().cast(DataType::Boolean).all(true),
            State::Mean => float(x()).mean().fill_null(lit(0.0)),
            State::M2 => (float(x()).var(0) * float(x().count())).fill_null(lit(0.0)),
            State::M3 => cube(far()).sum(),
            State::M4 => (cube(far()) * far()).sum(),
            State::CoMoment => (far() * (float(self.second()) - float(self.second()).mean())).sum(),
            State::Distinct => x().drop_nulls().unique_stable().implode(true),
            State::Largest => x().drop_nulls().top_k(self.n()).implode(true),
            State::Smallest => x().drop_nulls().bottom_k(self.n()).implode(true),
            State::AtMin => at_extreme(x(), x().min(), self.second()),
            State::AtMax => at_extreme(x(), x().max(), self.second()),
            State::Sketch => x().drop_nulls().unique().bottom_k(self.n()).implode(true),
        }
    }

    fn of(&self, state: State, at: usize) -> String {
        let inputs = self.inputs.get(at).cloned().into_iter().collect();
        StateOf { state, inputs, n: 0, dtype: DataType::Null }.column()
    }

    /// The state of a group's rows as a fold, if it is one.
    pub(crate) fn fold(&self) -> Option<Fold> {
        let how = match self.state {
            // Spans of time keep their unit, which folds do not know.
            State::Sum if matches!(self.dtype, DataType::Duration(_)) => return None,
            State::Sum => How::Sum,
            State::FloatSum => How::FloatSum,
            State::Count => How::Count,
            State::Rows => How::Rows,
            State::Min => How::Min,
            State::Max => How::Max,
            State::First => How::First,
            State::Last => How::Last,
            State::FirstRow => How::FirstRow,
            State::LastRow => How::LastRow,
            State::Mean => How::Mean,
            State::M2 => How::M2,
            State::CoMoment => How::CoMoment,
            State::Largest => How::Largest(self.n),
            State::Smallest => How::Smallest(self.n),
            _ => return None,
        };
        Some(Fold { how, inputs: self.inputs.clone(), output: self.column() })
    }

    /// The merging of states as a fold, if it is one.
    pub(crate) fn merge(&self) -> Option<Fold> {
        let fold = self.fold()?;
        let this = || vec![self.column()];
        let (how, inputs) = match fold.how {
            How::FloatSum | How::Count | How::Rows | How::Sum => (How::Sum, this()),
            How::Mean => (How::MeanOf, vec![self.of(State::Count, 0), self.column()]),
            How::M2 => (How::M2Of, vec![self.of(State::Count, 0), self.of(State::Mean, 0), self.column()]),
            How::CoMoment => {
                let means = [self.of(State::Mean, 0), self.of(State::Mean, 1)];
                let inputs = [self.of(State::Count, 0)].into_iter().chain(means).chain(this()).collect();
                (How::CoMomentOf, inputs)
            }
            How::Largest(n) => (How::LargestOf(n), this()),
            How::Smallest(n) => (How::SmallestOf(n), this()),
            how => (how, this()),
        };
        Some(Fold { how, inputs, output: fold.output })
    }

    /// The state of a group that is one row, if it can be said row by row.
    pub(crate) fn row(&self) -> Option<Expr> {
        let x = || self.first();
        let present = |value: Expr| when(x().is_not_null()).then(value).otherwise(lit(0.0));
        let expr = match self.state {
            State::Sum => {
                let kept = self.sum_type();
                let zero = lit(LiteralValue::Scalar(polars::prelude::Scalar::new(
                    DataType::Int32,
                    polars::prelude::AnyValue::Int32(0),
                )));
                x().cast(kept.clone()).fill_null(zero.cast(kept))
            }
            State::FloatSum | State::Mean => float(x()).fill_null(lit(0.0)),
            State::Count => x().is_not_null().cast(DataType::Int64),
            // The keys beside it know how many rows there are.
            State::Rows => lit(1_i64),
            State::Min | State::Max | State::First | State::Last | State::FirstRow | State::LastRow => x(),
            State::AtMin | State::AtMax => when(x().is_not_null()).then(self.second()).otherwise(NULL.lit()),
            // Infinity and NaN have no distance from themselves.
            State::M2 | State::M3 | State::M4 => present(float(x()) - float(x())),
            _ => return None,
        };
        Some(expr)
    }

    /// The state of groups that were merged.
    pub(crate) fn combine(&self) -> Expr {
        let this = || col(self.column());
        let of = |state: State, at: usize| col(self.of(state, at));
        let n = || float(of(State::Count, 0));
        let mean_of_all = |at: usize| {
            let mean = (n() * of(State::Mean, at)).sum() / n().sum();
            when(n().sum().gt(lit(0.0))).then(mean).otherwise(lit(0.0))
        };
        let far = |at: usize| of(State::Mean, at) - mean_of_all(at);
        let m2 = || of(State::M2, 0);
        match self.state {
            State::Sum | State::FloatSum | State::Count | State::Rows => this().sum(),
            State::Product => this().product(),
            State::Min => this().min(),
            State::Max => this().max(),
            State::First => this().drop_nulls().first(),
            State::Last => this().drop_nulls().last(),
            State::FirstRow => this().first(),
            State::LastRow => this().last(),
            State::Any => this().any(true),
            State::All => this().all(true),
            State::Mean => mean_of_all(0),
            State::M2 => this().sum() + (n() * far(0) * far(0)).sum(),
            State::M3 => (this() + lit(3.0) * far(0) * m2() + n() * cube(far(0))).sum(),
            State::M4 => {
                let squared = || far(0) * far(0);
                let third = lit(4.0) * far(0) * of(State::M3, 0);
                (this() + third + lit(6.0) * squared() * m2() + n() * squared() * squared()).sum()
            }
            State::CoMoment => (this() + n() * far(0) * far(1)).sum(),
            State::Distinct => exploded(this()).unique_stable().implode(true),
            State::Largest => exploded(this()).top_k(self.n()).implode(true),
            State::Smallest => exploded(this()).bottom_k(self.n()).implode(true),
            State::AtMin => at_extreme(of(State::Min, 0), of(State::Min, 0).min(), this()),
            State::AtMax => at_extreme(of(State::Max, 0), of(State::Max, 0).max(), this()),
            State::Sketch => exploded(this()).unique().bottom_k(self.n()).implode(true),
        }
    }
}

/// The first value in a row where another column is its extreme.
fn at_extreme(by: Expr, extreme: Expr, value: Expr) -> Expr {
    value.filter(by.eq(extreme)).first()
}
