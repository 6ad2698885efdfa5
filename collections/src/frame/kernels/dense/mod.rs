//! Grouped sums and the like in one pass: rows are numbered by their keys, and each state is an array with a place for each group.
//!
//! Polars' groups are lists of rows, made for any expression. The states that most aggregations are made of need no lists: with the numbers
//! of groups they are folded where rows stand.

mod ids;
mod largest;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use polars::prelude::{
    ChunkedArray, Column, DataFrame, DataType, Float64Chunked, IdxCa, IdxSize, Int64Chunked, IntoColumn, IntoSeries,
    PlSmallStr, PolarsNumericType, PolarsResult, UInt64Chunked,
};
use serde::{Deserialize, Serialize};

use ids::{Groups, groups};

/// A state as a fold of columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fold {
    pub(crate) how: How,
    pub(crate) inputs: Vec<String>,
    pub(crate) output: String,
}

/// The folds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum How {
    /// In int64, uint64 or float64, as the column's type is.
    Sum,
    FloatSum,
    /// Values that are not missing.
    Count,
    Rows,
    Min,
    Max,
    First,
    Last,
    FirstRow,
    LastRow,
    Mean,
    M2,
    /// Of two columns.
    CoMoment,
    /// So many of the largest or smallest values, a list; of lists.
    Largest(usize),
    Smallest(usize),
    LargestOf(usize),
    SmallestOf(usize),
    /// Merges: of counts and means; of counts, means and M2; of counts, means, other means and co-moments.
    MeanOf,
    M2Of,
    CoMomentOf,
}

/// A row for each group, in the order in which they appear first: keys and states. `None` if a column is of a type that this is not for.
pub(crate) fn folded(frame: &DataFrame, keys: &[String], folds: &[Fold]) -> PolarsResult<Option<DataFrame>> {
    let rows = frame.select(keys)?;
    let Some(groups) = groups(&rows)? else { return Ok(None) };
    // If no two rows are of one group, their keys are those of the groups.
    let mut columns: Vec<Column> = match groups.first.len() == rows.height() {
        true => rows.into_columns(),
        false => rows.take(&IdxCa::from_vec(PlSmallStr::EMPTY, groups.first.clone()))?.into_columns(),
    };
    let mut known = Known::default();
    for fold in folds {
        let Some(column) = fold.column(frame, &groups, &mut known)? else { return Ok(None) };
        columns.push(column.with_name(fold.output.as_str().into()));
    }
    DataFrame::new(groups.first.len(), columns).map(Some)
}

/// Which rows are among the first, or the last, so many of their group. `None` if a key is of a type that this is not for.
pub(crate) fn ends(frame: &DataFrame, keys: &[String], last: bool, rows: u64) -> PolarsResult<Option<Vec<bool>>> {
    let Some(groups) = groups(&frame.select(keys)?)? else { return Ok(None) };
    let mut seen = vec![0_u64; groups.first.len()];
    let mut kept = vec![false; groups.of.len()];
    let mut look = |(&group, kept): (&u32, &mut bool)| {
        let seen = &mut seen[group as usize];
        *kept = *seen < rows;
        *seen += 1;
    };
    let pairs = groups.of.iter().zip(&mut kept);
    if last {
        pairs.rev().for_each(&mut look)
    } else {
        pairs.for_each(&mut look)
    }
    Ok(Some(kept))
}

/// What several folds of one call read.
#[derive(Default)]
struct Known {
    floats: HashMap<String, Float64Chunked>,
    means: HashMap<String, Arc<[f64]>>,
}

impl Known {
    /// A column as float64, in one piece; `None` if it is no number.
    fn floats(&mut self, frame: &DataFrame, name: &str) -> PolarsResult<Option<Float64Chunked>> {
        if let Some(values) = self.floats.get(name) {
            return Ok(Some(values.clone()));
        }
        let column = frame.column(name)?;
        if !number(column.dtype()) {
            return Ok(None);
        }
        let values = column.cast(&DataType::Float64)?.f64()?.rechunk().into_owned();
        self.floats.insert(name.into(), values.clone());
        Ok(Some(values))
    }

    fn means(&mut self, name: &str, values: &Float64Chunked, groups: &Groups) -> Arc<[f64]> {
        self.means.entry(name.into()).or_insert_with(|| means(values, groups).into()).clone()
    }
}

impl Fold {
    fn column(&self, frame: &DataFrame, groups: &Groups, known: &mut Known) -> PolarsResult<Option<Column>> {
        let inputs = self.inputs.iter().map(|name| frame.column(name)).collect::<PolarsResult<Vec<_>>>()?;
        let count = groups.first.len();
        let name = |at: usize| self.inputs.get(at).map_or("", String::as_str);
        let mut floats = |at: usize| known.floats(frame, name(at));
        let ints = |values: Vec<i64>| Int64Chunked::from_vec(PlSmallStr::EMPTY, values).into_column();
        let real = |values: Vec<f64>| Float64Chunked::from_vec(PlSmallStr::EMPTY, values).into_column();
        let column = match (self.how, inputs.as_slice()) {
            (How::Rows, _) => {
                let mut rows = vec![0_i64; count];
                groups.of.iter().for_each(|&group| rows[group as usize] += 1);
                ints(rows)
            }
            (How::Count, [column]) => ints(counts(column, groups)),
            (How::Sum, [column]) => return sum(column, groups),
            (How::Min | How::Max, [column]) => return extreme(column, groups, self.how == How::Max),
            (How::First | How::Last | How::FirstRow | How::LastRow, [column]) => {
                let rows = places(column, groups, self.how);
                column.take(&rows)?
            }
            (How::Largest(n), [column]) => return largest::of_values(column, groups, n, true),
            (How::Smallest(n), [column]) => return largest::of_values(column, groups, n, false),
            (How::LargestOf(n), [column]) => return largest::of_lists(column, groups, n, true),
            (How::SmallestOf(n), [column]) => return largest::of_lists(column, groups, n, false),
            (How::FloatSum, [_]) => {
                let Some(values) = floats(0)? else { return Ok(None) };
                real(sums(&values, groups))
            }
            (How::Mean, [_]) => {
                let Some(values) = floats(0)? else { return Ok(None) };
                real(known.means(name(0), &values, groups).to_vec())
            }
            (How::M2, [_]) => {
                let Some(values) = floats(0)? else { return Ok(None) };
                let means = known.means(name(0), &values, groups);
                let mut squares = vec![0.0; count];
                each(&values, groups, |group, x| {
                    let far = x - means[group];
                    squares[group] += far * far;
                });
                real(squares)
            }
            (How::CoMoment, [_, _]) => {
                let (Some(x), Some(y)) = (floats(0)?, floats(1)?) else { return Ok(None) };
                let mean_x = known.means(name(0), &x, groups);
                let mean_y = known.means(name(1), &y, groups);
                let mut products = vec![0.0; count];
                let mut fold = |group: u32, x: f64, y: f64| {
                    let group = group as usize;
                    products[group] += (x - mean_x[group]) * (y - mean_y[group]);
                };
                match (x.cont_slice(), y.cont_slice()) {
                    (Ok(x), Ok(y)) => {
                        groups.of.iter().zip(x).zip(y).for_each(|((&group, &x), &y)| fold(group, x, y));
                    }
                    _ => {
                        for ((&group, x), y) in groups.of.iter().zip(x.iter()).zip(y.iter()) {
                            if let (Some(x), Some(y)) = (x, y) {
                                fold(group, x, y);
                            }
                        }
                    }
                }
                real(products)
            }
            (How::MeanOf, [_, _]) => {
                let (Some(n), Some(mean)) = (floats(0)?, floats(1)?) else { return Ok(None) };
                real(means_of(&n, &mean, groups))
            }
            (How::M2Of, [_, _, _]) => {
                let (Some(n), Some(mean), Some(m2)) = (floats(0)?, floats(1)?, floats(2)?) else { return Ok(None) };
                let all = means_of(&n, &mean, groups);
                let mut merged = vec![0.0; count];
                for (((&group, n), mean), m2) in groups.of.iter().zip(n.iter()).zip(mean.iter()).zip(m2.iter()) {
                    let group = group as usize;
                    let far = mean.unwrap_or(0.0) - all[group];
                    merged[group] += m2.unwrap_or(0.0) + n.unwrap_or(0.0) * far * far;
                }
                real(merged)
            }
            (How::CoMomentOf, [_, _, _, _]) => {
                let (Some(n), Some(x), Some(y), Some(co)) = (floats(0)?, floats(1)?, floats(2)?, floats(3)?) else {
                    return Ok(None);
                };
                let (all_x, all_y) = (means_of(&n, &x, groups), means_of(&n, &y, groups));
                let mut merged = vec![0.0; count];
                let rows = groups.of.iter().zip(n.iter()).zip(x.iter()).zip(y.iter()).zip(co.iter());
                for ((((&group, n), x), y), co) in rows {
                    let group = group as usize;
                    let (far_x, far_y) = (x.unwrap_or(0.0) - all_x[group], y.unwrap_or(0.0) - all_y[group]);
                    merged[group] += co.unwrap_or(0.0) + n.unwrap_or(0.0) * far_x * far_y;
                }
                real(merged)
            }
            _ => return Ok(None),
        };
        Ok(Some(column))
    }
}

fn number(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric() || *dtype == DataType::Boolean
}

/// Calls a function with each value that is there, and its group.
#[inline]
fn each<T: PolarsNumericType>(values: &ChunkedArray<T>, groups: &Groups, mut fold: impl FnMut(usize, T::Native)) {
    let mut of = groups.of.iter();
    for chunk in values.downcast_iter() {
        if chunk.validity().is_some_and(|bits| bits.unset_bits() > 0) {
            for (x, &group) in chunk.iter().zip(of.by_ref()) {
                if let Some(&x) = x {
                    fold(group as usize, x);
                }
            }
        } else {
            // Zip asks the first one first: none of the numbers is lost between chunks.
            for (&x, &group) in chunk.values().iter().zip(of.by_ref()) {
                fold(group as usize, x);
            }
        }
    }
}

fn counts(column: &Column, groups: &Groups) -> Vec<i64> {
    let mut counts = vec![0; groups.first.len()];
    if column.null_count() == 0 {
        groups.of.iter().for_each(|&group| counts[group as usize] += 1);
        return counts;
    }
    let present = column.is_not_null();
    for (&group, present) in groups.of.iter().zip(present.iter()) {
        counts[group as usize] += i64::from(present == Some(true));
    }
    counts
}

fn sums(values: &Float64Chunked, groups: &Groups) -> Vec<f64> {
    let mut sums = vec![0.0; groups.first.len()];
    each(values, groups, |group, x| sums[group] += x);
    sums
}

fn means(values: &Float64Chunked, groups: &Groups) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); groups.first.len()];
    each(values, groups, |group, x| {
        let (sum, count) = &mut sums[group];
        *sum += x;
        *count += 1.0;
    });
    sums.into_iter().map(|(sum, count)| if count > 0.0 { sum / count } else { 0.0 }).collect()
}

fn means_of(n: &Float64Chunked, mean: &Float64Chunked, groups: &Groups) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); groups.first.len()];
    for ((&group, n), mean) in groups.of.iter().zip(n.iter()).zip(mean.iter()) {
        let (n, mean) = (n.unwrap_or(0.0), mean.unwrap_or(0.0));
        let (sum, count) = &mut sums[group as usize];
        *sum += n * mean;
        *count += n;
    }
    sums.into_iter().map(|(sum, count)| if count > 0.0 { sum / count } else { 0.0 }).collect()
}

/// The same expression for each type of number.
macro_rules! of_number {
    ($column:expr, $values:ident => $body:expr, $other:expr) => {
        match $column.dtype() {
            DataType::Int8 => {
                let $values = $column.i8()?;
                $body
            }
            DataType::Int16 => {
                let $values = $column.i16()?;
                $body
            }
            DataType::Int32 => {
                let $values = $column.i32()?;
                $body
            }
            DataType::Int64 => {
                let $values = $column.i64()?;
                $body
            }
            DataType::UInt8 => {
                let $values = $column.u8()?;
                $body
            }
            DataType::UInt16 => {
                let $values = $column.u16()?;
                $body
            }
            DataType::UInt32 => {
                let $values = $column.u32()?;
                $body
            }
            DataType::UInt64 => {
                let $values = $column.u64()?;
                $body
            }
            DataType::Float32 => {
                let $values = $column.f32()?;
                $body
            }
            DataType::Float64 => {
                let $values = $column.f64()?;
                $body
            }
            _ => $other,
        }
    };
}

use of_number;

fn summed<T: PolarsNumericType, S: Copy + Default>(
    values: &ChunkedArray<T>,
    groups: &Groups,
    add: impl Fn(S, T::Native) -> S,
) -> Vec<S> {
    let mut sums = vec![S::default(); groups.first.len()];
    each(values, groups, |group, x| sums[group] = add(sums[group], x));
    sums
}

// One of the types is the one that is added in.
#[allow(clippy::unnecessary_cast)]
fn sum(column: &Column, groups: &Groups) -> PolarsResult<Option<Column>> {
    if *column.dtype() == DataType::Boolean {
        return sum(&column.cast(&DataType::UInt8)?, groups)?.map(|sums| sums.cast(&DataType::Int64)).transpose();
    }
    let dtype = column.dtype();
    Ok(Some(if dtype.is_float() {
        let sums = of_number!(column, values => summed(values, groups, |sum: f64, x| sum + x as f64), return Ok(None));
        Float64Chunked::from_vec(PlSmallStr::EMPTY, sums).into_column()
    } else if dtype.is_unsigned_integer() {
        let sums = of_number!(column, values => summed(values, groups, |sum: u64, x| sum.wrapping_add(x as u64)), return Ok(None));
        UInt64Chunked::from_vec(PlSmallStr::EMPTY, sums).into_column()
    } else {
        let sums = of_number!(column, values => summed(values, groups, |sum: i64, x| sum.wrapping_add(x as i64)), return Ok(None));
        Int64Chunked::from_vec(PlSmallStr::EMPTY, sums).into_column()
    }))
}

fn extreme(column: &Column, groups: &Groups, largest: bool) -> PolarsResult<Option<Column>> {
    Ok(Some(of_number!(column, values => extremes(values, groups, largest), return Ok(None))))
}

/// NaN gives way to any number, as in polars.
fn extremes<T: PolarsNumericType>(values: &ChunkedArray<T>, groups: &Groups, largest: bool) -> Column
where
    ChunkedArray<T>: IntoSeries,
{
    let mut found: Vec<Option<T::Native>> = vec![None; groups.first.len()];
    #[allow(clippy::eq_op)]
    each(values, groups, |group, x| {
        let better = |known: T::Native| known != known || if largest { x > known } else { x < known };
        if found[group].is_none_or(better) {
            found[group] = Some(x);
        }
    });
    found.into_iter().collect::<ChunkedArray<T>>().into_series().into_column()
}

/// The row of each group's first or last value.
fn places(column: &Column, groups: &Groups, how: How) -> IdxCa {
    let last = matches!(how, How::Last | How::LastRow);
    let any = matches!(how, How::FirstRow | How::LastRow) || column.null_count() == 0;
    if any && !last {
        return IdxCa::from_vec(PlSmallStr::EMPTY, groups.first.clone());
    }
    let mut rows: Vec<Option<IdxSize>> = vec![None; groups.first.len()];
    let present = column.is_not_null();
    for (row, (&group, present)) in groups.of.iter().zip(present.iter()).enumerate() {
        let slot = &mut rows[group as usize];
        if (any || present == Some(true)) && (last || slot.is_none()) {
            *slot = Some(row as IdxSize);
        }
    }
    rows.into_iter().collect()
}
