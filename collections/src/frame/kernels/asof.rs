//! Each left row with the nearest right one.

use polars::prelude::{
    AsOfOptions, AsofStrategy, Column, DataFrame, DataFrameJoinOps, DataType, IdxCa, IdxSize, IntoColumn, JoinArgs,
    JoinType, NamedFrom, PlSmallStr, PolarsError, PolarsResult, Scalar, Series,
};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use super::join::{JoinKernel, LEFT, RIGHT, key_name};
use super::order::Order;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// Which right row is the partner of a left one: pandas' `direction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// The last one that is not later.
    #[default]
    Backward,
    /// The first one that is not earlier.
    Forward,
    /// The nearer one of both; of two that are as near the earlier one.
    Nearest,
}

/// How far apart partners may be, in the unit of the key.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Tolerance {
    Whole(i64),
    Float(f64),
}

/// Joins a left partition with all right rows. The first key is the one to be near in, the others are to be equal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AsofKernel {
    pub(crate) join: JoinKernel,
    pub(crate) direction: Direction,
    pub(crate) tolerance: Option<Tolerance>,
    pub(crate) exact: bool,
}

const ROW: &str = "\u{1}row";

impl AsofKernel {
    pub(crate) const NAME: &'static str = "frame.merge_asof";

    pub(crate) fn join(&self, left: &DataFrame, right: &DataFrame) -> PolarsResult<DataFrame> {
        let left = self.join.prepared(left, &self.join.left, LEFT)?;
        let right = self.join.prepared(right, &self.join.right, RIGHT)?;
        for (frame, side, keys) in [(&left, "left", &self.join.left.keys), (&right, "right", &self.join.right.keys)] {
            let key = keys.first().map(String::as_str).unwrap_or_default();
            let wrong =
                |what: &str| PolarsError::ComputeError(format!("the key `{key}` of the {side} frame {what}").into());
            if frame.column(&key_name(0))?.null_count() > 0 {
                return Err(wrong("has missing values; drop those rows before"));
            }
            if !Order::ascending(&key_name(0)).holds(frame)? {
                return Err(wrong("is not in order; use `sort_values` before"));
            }
        }
        let keys: Vec<String> = (0..self.join.types.len()).map(key_name).collect();
        let of_left = left.select(keys.iter().map(String::as_str))?;
        let mut of_right = right.select(keys.iter().map(String::as_str))?;
        let numbers: Vec<IdxSize> = (0..of_right.height() as IdxSize).collect();
        of_right.with_column(Series::new(ROW.into(), numbers).into_column())?;
        let partners = match self.direction {
            Direction::Backward => self.search(&of_left, &of_right, AsofStrategy::Backward)?,
            Direction::Forward => self.search(&of_left, &of_right, AsofStrategy::Forward)?,
            Direction::Nearest => {
                let before = self.search(&of_left, &of_right, AsofStrategy::Backward)?;
                let after = self.search(&of_left, &of_right, AsofStrategy::Forward)?;
                nearer(&of_left, &of_right, &before, &after)?
            }
        };
        let found = right.drop_many(keys.iter().map(String::as_str)).take(&partners)?;
        self.join.named(&left.hstack(found.columns())?)
    }

    /// The number of each left row's partner.
    fn search(&self, left: &DataFrame, right: &DataFrame, strategy: AsofStrategy) -> PolarsResult<IdxCa> {
        let tolerance = self.tolerance.map(|tolerance| match tolerance {
            Tolerance::Whole(units) => Scalar::from(units),
            Tolerance::Float(units) => Scalar::from(units),
        });
        let by: Vec<PlSmallStr> = (1..self.join.types.len()).map(|number| key_name(number).into()).collect();
        let by = (!by.is_empty()).then_some(by);
        let options = AsOfOptions {
            strategy,
            tolerance,
            tolerance_str: None,
            left_by: by.clone(),
            right_by: by,
            allow_eq: self.exact,
            check_sortedness: false,
        };
        let args = JoinArgs::new(JoinType::AsOf(Box::new(options)));
        let joined = left.join(right, [key_name(0)], [key_name(0)], args, None)?;
        Ok(joined.column(ROW)?.idx()?.clone())
    }
}

/// The nearer partner of two.
fn nearer(left: &DataFrame, right: &DataFrame, before: &IdxCa, after: &IdxCa) -> PolarsResult<IdxCa> {
    let at = left.column(&key_name(0))?.to_physical_repr();
    let of = right.column(&key_name(0))?.to_physical_repr();
    let distances = |partners: &IdxCa| distances(&at, &of.take(partners)?);
    let (back, ahead) = (distances(before)?, distances(after)?);
    let pick = |(((before, after), back), ahead)| match (before, after) {
        (Some(before), Some(after)) => Some(if ahead < back { after } else { before }),
        (before, after) => Option::<IdxSize>::or(before, after),
    };
    let picked = before.iter().zip(after.iter()).zip(back).zip(ahead).map(pick);
    Ok(IdxCa::from_iter(picked))
}

/// How far apart values are; integers exactly, as far as float64 has room, and beyond that as they are ordered.
fn distances(a: &Column, b: &Column) -> PolarsResult<Vec<f64>> {
    if a.dtype().is_integer() {
        let (a, b) = (a.cast(&DataType::Int64)?, b.cast(&DataType::Int64)?);
        let apart = |(a, b): (Option<i64>, Option<i64>)| a.unwrap_or(0).abs_diff(b.unwrap_or(0)) as f64;
        return Ok(a.i64()?.iter().zip(b.i64()?.iter()).map(apart).collect());
    }
    let (a, b) = (a.cast(&DataType::Float64)?, b.cast(&DataType::Float64)?);
    let apart = |(a, b): (Option<f64>, Option<f64>)| (a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs();
    Ok(a.f64()?.iter().zip(b.f64()?.iter()).map(apart).collect())
}

impl Kernel for AsofKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn describe(&self) -> String {
        format!("{}({:?} on {})", Self::NAME, self.direction, self.join.left.keys.join(", "))
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let [left, right] = inputs else { return Err(missing("a side of the join")) };
        let (left, right) = (Partition::take(left)?, Partition::take(right)?);
        Ok(Value::block(Partition(alone(|| self.join(&left, &right)).map_err(failed)?)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(&self.describe(), self)
    }
}
