//! The join of rows that have been brought together: polars' hash join, with pandas' columns.

use polars::prelude::{
    BooleanChunked, Column, DataFrame, DataFrameJoinOps, IntoColumn, JoinArgs, JoinCoalesce, JoinType,
    MaintainOrderJoin, NamedFrom, PolarsResult, Series,
};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelError, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use super::split::gathered;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;
use crate::frame::wire::WireDtype;

/// Which rows come out: pandas' `how`, with SQL's semi and anti joins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum How {
    /// Pairs with equal keys, in the order of the left rows.
    #[default]
    Inner,
    /// And left rows without a partner.
    Left,
    /// Pairs and right rows without a partner, in the order of the right rows.
    Right,
    /// Pairs and all rows without a partner, in the order of the keys.
    Outer,
    /// Left rows that have a partner, once each.
    Semi,
    /// Left rows that have none.
    Anti,
    /// All pairs.
    Cross,
}

impl How {
    pub(crate) fn name(self) -> &'static str {
        match self {
            How::Inner => "inner",
            How::Left => "left",
            How::Right => "right",
            How::Outer => "outer",
            How::Semi => "semi",
            How::Anti => "anti",
            How::Cross => "cross",
        }
    }
}

/// What a join reads of one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Side {
    pub(crate) keys: Vec<String>,
    /// Columns of the result, by the names they have here and there.
    pub(crate) columns: Vec<(String, String)>,
    /// Whether it must have each key at most once.
    pub(crate) unique: bool,
}

/// A column of the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Output {
    /// A key that has one name on both sides, by its number.
    Key(usize, String),
    /// A column of one side, under its name in the result.
    Column(String),
    /// Where the row comes from.
    Indicator(String),
}

impl Output {
    pub(crate) fn name(&self) -> &str {
        let (Output::Key(_, name) | Output::Column(name) | Output::Indicator(name)) = self;
        name
    }
}

/// Joins the rows of the first `lefts` inputs with those of the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JoinKernel {
    pub(crate) how: How,
    pub(crate) left: Side,
    pub(crate) right: Side,
    /// The types in which keys are compared.
    pub(crate) types: Vec<WireDtype>,
    pub(crate) output: Vec<Output>,
    pub(crate) lefts: u32,
}

/// Names that no user's column has.
pub(crate) fn key_name(number: usize) -> String {
    format!("\u{1}key {number}")
}
pub(crate) const LEFT: &str = "\u{1}left";
pub(crate) const RIGHT: &str = "\u{1}right";

impl JoinKernel {
    pub(crate) const NAME: &'static str = "frame.join";

    pub(crate) fn has_indicator(&self) -> bool {
        self.output.iter().any(|output| matches!(output, Output::Indicator(_)))
    }

    /// The keys in common types, the columns under their names in the result.
    pub(crate) fn prepared(&self, frame: &DataFrame, side: &Side, mark: &str) -> PolarsResult<DataFrame> {
        let mut columns: Vec<Column> = Vec::new();
        for (number, (key, dtype)) in side.keys.iter().zip(&self.types).enumerate() {
            let column = frame.column(key)?;
            let column = if *column.dtype() == dtype.0 { column.clone() } else { column.strict_cast(&dtype.0)? };
            columns.push(column.with_name(key_name(number).into()));
        }
        for (from, to) in &side.columns {
            columns.push(frame.column(from)?.clone().with_name(to.as_str().into()));
        }
        if self.has_indicator() {
            columns.push(Column::new_scalar(mark.into(), true.into(), frame.height()));
        }
        DataFrame::new(frame.height(), columns)
    }

    /// The join of two frames.
    pub(crate) fn join(&self, left: &DataFrame, right: &DataFrame) -> PolarsResult<DataFrame> {
        let (left, right) = (self.prepared(left, &self.left, LEFT)?, self.prepared(right, &self.right, RIGHT)?);
        let (how, order) = match self.how {
            How::Inner => (JoinType::Inner, MaintainOrderJoin::LeftRight),
            How::Left => (JoinType::Left, MaintainOrderJoin::LeftRight),
            How::Right => (JoinType::Right, MaintainOrderJoin::RightLeft),
            How::Outer => (JoinType::Full, MaintainOrderJoin::LeftRight),
            How::Semi => (JoinType::Semi, MaintainOrderJoin::Left),
            How::Anti => (JoinType::Anti, MaintainOrderJoin::Left),
            How::Cross => (JoinType::Cross, MaintainOrderJoin::LeftRight),
        };
        let coalesce = match self.how {
            How::Semi | How::Anti | How::Cross => JoinCoalesce::JoinSpecific,
            _ => JoinCoalesce::CoalesceColumns,
        };
        let args = JoinArgs { how, nulls_equal: true, coalesce, maintain_order: order, ..JoinArgs::default() };
        let keys: Vec<String> = (0..self.types.len()).map(key_name).collect();
        let joined = left.join(&right, &keys, &keys, args, None)?;
        self.named(&joined)
    }

    /// The columns of the result, of rows that have been joined.
    pub(crate) fn named(&self, joined: &DataFrame) -> PolarsResult<DataFrame> {
        let column = |output: &Output| match output {
            Output::Key(number, name) => Ok(joined.column(&key_name(*number))?.clone().with_name(name.as_str().into())),
            Output::Column(name) => joined.column(name).cloned(),
            Output::Indicator(name) => Ok(indicator(name, joined)?.into_column()),
        };
        let columns = self.output.iter().map(column).collect::<PolarsResult<Vec<_>>>()?;
        DataFrame::new(joined.height(), columns)
    }

    /// Which side, if any, has a key twice that must not.
    fn repeated(&self, left: &DataFrame, right: &DataFrame) -> PolarsResult<Option<&'static str>> {
        for (frame, side, name) in [(left, &self.left, "left"), (right, &self.right, "right")] {
            if side.unique && !side.keys.is_empty() && frame.height() > 1 {
                let keys = frame.select(side.keys.iter().map(String::as_str))?;
                if keys.is_duplicated()?.any() {
                    return Ok(Some(name));
                }
            }
        }
        Ok(None)
    }
}

/// `left_only`, `right_only` or `both`.
fn indicator(name: &str, joined: &DataFrame) -> PolarsResult<Series> {
    let has = |mark: &str| -> PolarsResult<BooleanChunked> { Ok(joined.column(mark)?.is_not_null()) };
    let (left, right) = (has(LEFT)?, has(RIGHT)?);
    let word = |(left, right): (Option<bool>, Option<bool>)| match (left, right) {
        (Some(true), Some(true)) => "both",
        (Some(true), _) => "left_only",
        _ => "right_only",
    };
    let words: Vec<&str> = left.iter().zip(right.iter()).map(word).collect();
    Ok(Series::new(name.into(), words))
}

impl Kernel for JoinKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn describe(&self) -> String {
        format!("{}({} on {})", Self::NAME, self.how.name(), self.left.keys.join(", "))
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let mut left = inputs.iter_mut().map(Partition::take).collect::<KernelResult<Vec<_>>>()?;
        let lefts = self.lefts as usize;
        if left.len() <= lefts || lefts == 0 {
            return Err(missing("a side of the join"));
        }
        let right = left.split_off(lefts);
        let joined = || -> KernelResult<DataFrame> {
            let right = gathered(right).map_err(failed)?;
            if let Some(joined) = self.by_one_key(&left, &right).map_err(failed)? {
                return Ok(joined);
            }
            let left = gathered(left).map_err(failed)?;
            if let Some(side) = self.repeated(&left, &right).map_err(failed)? {
                return Err(KernelError::new(format!(
                    "the keys {} of the {side} frame are not unique, but `validate` says so; drop duplicates, or validate less",
                    if side == "left" { &self.left } else { &self.right }.keys.join(", ")
                )));
            }
            self.join(&left, &right).map_err(failed)
        };
        Ok(Value::block(Partition(alone(joined)?)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(&self.describe(), self)
    }
}
