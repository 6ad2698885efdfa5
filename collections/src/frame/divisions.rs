//! What is known of the values that each partition has.

use polars::prelude::{
    AnyValue, ChunkCompareEq, Column, DataFrame, DataType, Expr, IdxCa, IdxSize, IntoColumn, IntoLazy, PlSmallStr,
    PolarsError, PolarsResult, Scalar, Schema, Series, col, lit,
};

use super::index::Loc;
use super::kernels::order::Order;
use super::partition::Held;
use super::step::Step;

/// The index of a frame, and between which values each partition lies: what [`Frame::divisions`](crate::frame::Frame::divisions) gives.
#[derive(Clone, Debug)]
pub struct Divisions {
    column: PlSmallStr,
    bounds: Option<Bounds>,
}

/// For each partition bounds of its values, one row each; missing if there is no value.
#[derive(Clone, Debug)]
struct Bounds {
    low: Column,
    high: Column,
}

/// The columns of [`ends_of`].
const LOW: &str = "low";
const HIGH: &str = "high";
const FIRST: &str = "first";
const LAST: &str = "last";
const FILLED: &str = "filled";
const SORTED: &str = "sorted";

/// What an index has to know of a partition, as one row: the smallest value and the largest, the first and the last, whether there
/// is any row, and whether the rows are in order.
pub(crate) fn ends_of(part: &DataFrame, column: &str) -> PolarsResult<DataFrame> {
    let values = part.column(column)?;
    let index = DataFrame::new(values.len(), vec![values.clone()])?;
    let bounds =
        index.clone().lazy().select([col(column).min().alias(LOW), col(column).max().alias(HIGH)]).collect()?;
    let row = |name: &str, at: usize| match values.is_empty() {
        true => Column::full_null(name.into(), 1, values.dtype()),
        false => values.slice(at as i64, 1).with_name(name.into()),
    };
    let flag = |name: &str, is: bool| Column::new(name.into(), [is]);
    let ends = [row(FIRST, 0), row(LAST, values.len().saturating_sub(1))];
    let flags = [flag(FILLED, !values.is_empty()), flag(SORTED, Order::ascending(column).holds(&index)?)];
    bounds.hstack(&ends.into_iter().chain(flags).collect::<Vec<_>>())
}

impl PartialEq for Divisions {
    fn eq(&self, other: &Divisions) -> bool {
        let same = match (&self.bounds, &other.bounds) {
            (None, None) => true,
            (Some(a), Some(b)) => a.low.equals_missing(&b.low) && a.high.equals_missing(&b.high),
            _ => false,
        };
        self.column == other.column && same
    }
}

impl Divisions {
    /// The index column.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Whether it is known between which values each partition lies.
    pub fn are_known(&self) -> bool {
        self.bounds.is_some()
    }

    /// Columns `low` and `high` with a row for each partition: no value of the partition lies outside. Missing where a partition has no value.
    pub fn bounds(&self) -> Option<DataFrame> {
        let Bounds { low, high } = self.bounds.clone()?;
        DataFrame::new(low.len(), vec![low.with_name("low".into()), high.with_name("high".into())]).ok()
    }

    /// The index of partitions between neighbours of these values.
    pub(crate) fn between(column: &str, values: &Column) -> Divisions {
        let count = values.len().saturating_sub(1);
        let bounds = Bounds { low: values.slice(0, count), high: values.slice(1, count) };
        Divisions { column: column.into(), bounds: Some(bounds) }
    }

    pub(crate) fn unknown(column: &str) -> Divisions {
        Divisions { column: column.into(), bounds: None }
    }

    /// The index of partitions that are there; `None` if they are not in its order.
    pub(crate) fn of_parts(column: &str, parts: &[Held], dtype: &DataType) -> PolarsResult<Option<Divisions>> {
        let empty = DataFrame::new(0, vec![Series::new_empty(column.into(), dtype).into_column()])?;
        let mut ends = ends_of(&empty, column)?.clear();
        for part in parts {
            let part = part.frame().map_err(|error| PolarsError::ComputeError(error.to_string().into()))?;
            ends.vstack_mut(&ends_of(&part, column)?)?;
        }
        Self::of_ends(column, &ends)
    }

    /// The index of partitions of which this was seen, a row of [`ends_of`] each; `None` if they are not in its order.
    pub(crate) fn of_ends(column: &str, ends: &DataFrame) -> PolarsResult<Option<Divisions>> {
        if ends.column(SORTED)?.bool()?.iter().any(|sorted| sorted != Some(true)) {
            return Ok(None);
        }
        // The first and the last row of each partition say whether partitions follow each other.
        let filled = ends.filter(ends.column(FILLED)?.bool()?)?;
        let rows = filled.height() as IdxSize;
        let mut edges = filled.column(FIRST)?.clone().with_name(column.into());
        edges.append(&filled.column(LAST)?.clone().with_name(column.into()))?;
        let in_turn = (0..rows).flat_map(|row| [row, row + rows]).collect();
        let edges = edges.take(&IdxCa::from_vec(PlSmallStr::EMPTY, in_turn))?;
        let follow = Order::ascending(column).holds(&DataFrame::new(edges.len(), vec![edges])?)?;
        // Equal values in two partitions are what the promise leaves out.
        let named = |name: &str| Ok::<_, PolarsError>(ends.column(name)?.clone().with_name(column.into()));
        let (low, high) = (named(LOW)?, named(HIGH)?);
        let some = low.is_not_null();
        let (lows, highs) = (low.filter(&some)?, high.filter(&some)?);
        let (starts, ends) = (lows.slice(1, usize::MAX), highs.slice(0, highs.len().saturating_sub(1)));
        let met = starts.as_materialized_series().equal_missing(ends.as_materialized_series())?.any();
        Ok((follow && !met).then(|| Divisions { column: column.into(), bounds: Some(Bounds { low, high }) }))
    }

    /// Which partitions may hold values of the range.
    pub(crate) fn within(&self, range: &Loc) -> PolarsResult<Option<Vec<usize>>> {
        let Some(bounds) = self.bounds() else { return Ok(None) };
        let from = range.from.clone().map(|from| col("high").gt_eq(from));
        let to = range.to.clone().map(|to| col("low").lt_eq(to));
        let Some(inside) = from.into_iter().chain(to).reduce(Expr::and) else { return Ok(None) };
        let found = bounds.lazy().select([inside.alias("inside")]).collect()?;
        let inside = found.column("inside")?.bool()?;
        Ok(Some(inside.iter().enumerate().filter(|(_, inside)| *inside == Some(true)).map(|(at, _)| at).collect()))
    }

    /// The same index under another name.
    pub(crate) fn renamed(&self, column: &str) -> Divisions {
        Divisions { column: column.into(), bounds: self.bounds.clone() }
    }

    /// Whether a partition of one frame and a partition of another may have equal values of their indices, missing ones included.
    /// Where that is not known, they may.
    pub(crate) fn overlaps(
        left: Option<&Divisions>,
        right: Option<&Divisions>,
    ) -> impl Fn(usize, usize) -> bool + use<> {
        let found = left.zip(right).and_then(|(left, right)| left.meets(right).ok().flatten());
        move |left, right| match &found {
            Some(found) => found.get(left).is_some_and(|row: &Vec<bool>| row.get(right) == Some(&true)),
            None => true,
        }
    }

    fn meets(&self, other: &Divisions) -> PolarsResult<Option<Vec<Vec<bool>>>> {
        let (Some(left), Some(right)) = (&self.bounds, &other.bounds) else { return Ok(None) };
        // Missing values come last: in the last partition that has values, or behind it.
        let last = |bounds: &Bounds| bounds.low.is_not_null().iter().rposition(|some| some == Some(true)).unwrap_or(0);
        let (last_left, last_right) = (last(left), last(right));
        let right_bounds = other.bounds();
        let Some(right_bounds) = right_bounds else { return Ok(None) };
        let mut found = Vec::with_capacity(left.low.len());
        for at in 0..left.low.len() {
            let (low, high) = (left.low.slice(at as i64, 1), left.high.slice(at as i64, 1));
            let one = |column: Column| {
                lit(Scalar::new(column.dtype().clone(), column.get(0).map_or(AnyValue::Null, AnyValue::into_static)))
            };
            let inside = col("high").gt_eq(one(low)).and(col("low").lt_eq(one(high)));
            let table = right_bounds.clone().lazy().select([inside.alias("inside")]).collect()?;
            let row = table.column("inside")?.bool()?.iter().enumerate();
            found.push(
                row.map(|(other, inside)| inside == Some(true) || (at >= last_left && other >= last_right)).collect(),
            );
        }
        Ok(Some(found))
    }

    /// The index of some of the partitions.
    pub(crate) fn of(&self, partitions: &[usize]) -> Divisions {
        let rows = IdxCa::from_vec(PlSmallStr::EMPTY, partitions.iter().map(|&at| at as IdxSize).collect());
        let bounds = self
            .bounds
            .as_ref()
            .and_then(|bounds| Some(Bounds { low: bounds.low.take(&rows).ok()?, high: bounds.high.take(&rows).ok()? }));
        Divisions { column: self.column.clone(), bounds }
    }

    /// The index after a step, if it is still there.
    pub(crate) fn after(&self, step: &Step, schema: &Schema) -> Option<Divisions> {
        let renamed = |expr: &Expr| match expr {
            Expr::Column(name) if *name == self.column => Some(name.clone()),
            Expr::Alias(inner, name) if matches!(&**inner, Expr::Column(from) if *from == self.column) => {
                Some(name.clone())
            }
            _ => None,
        };
        let made = |expr: &Expr| super::expr::output_name(expr, schema);
        let column = match step {
            Step::Filter(_) => self.column.clone(),
            Step::WithColumns(exprs) => {
                match exprs.iter().any(|expr| made(expr).is_none_or(|name| name == self.column)) {
                    true => return None,
                    false => self.column.clone(),
                }
            }
            Step::Select(exprs) => exprs.iter().find_map(renamed)?,
            Step::Explode(columns) if !columns.contains(&self.column) => self.column.clone(),
            Step::Explode(_) | Step::Unpivot { .. } => return None,
        };
        Some(Divisions { column, bounds: self.bounds.clone() })
    }
}
