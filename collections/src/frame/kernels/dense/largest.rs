//! The largest or smallest values of each group, as lists.

use polars::prelude::{ChunkExplode, ListNameSpaceImpl};
use polars::prelude::{
    ChunkedArray, Column, DataType, ExplodeOptions, IntoColumn, IntoSeries, ListBuilderTrait,
    ListPrimitiveChunkedBuilder, PlSmallStr, PolarsNumericType, PolarsResult,
};

use super::ids::Groups;
use super::{each, of_number};

/// More values than this are not inserted one by one.
const MOST: usize = 64;

/// Lists of the largest (or smallest) `n` values of each group, in no order. `None` for what is no number, and for many values.
pub(super) fn of_values(column: &Column, groups: &Groups, n: usize, largest: bool) -> PolarsResult<Option<Column>> {
    if n == 0 || n > MOST {
        return Ok(None);
    }
    Ok(Some(of_number!(column, values => kept(values, groups, n, largest), return Ok(None))))
}

/// The same of the values of lists.
pub(super) fn of_lists(column: &Column, groups: &Groups, n: usize, largest: bool) -> PolarsResult<Option<Column>> {
    if n == 0 || n > MOST {
        return Ok(None);
    }
    let lists = column.list()?;
    let lengths = lists.lst_lengths();
    let values = lists.explode(ExplodeOptions { empty_as_null: false, keep_nulls: false })?.into_column();
    let mut of = Vec::with_capacity(values.len());
    for (&group, length) in groups.of.iter().zip(lengths.iter()) {
        of.extend(std::iter::repeat_n(group, length.unwrap_or(0) as usize));
    }
    of_values(&values, &Groups { of, first: groups.first.clone() }, n, largest)
}

/// In the order of all floats that polars has: NaN is larger than all numbers.
fn kept<T: PolarsNumericType>(values: &ChunkedArray<T>, groups: &Groups, n: usize, largest: bool) -> Column {
    let mut best: Vec<T::Native> = vec![T::Native::default(); groups.first.len() * n];
    let mut counts: Vec<usize> = vec![0; groups.first.len()];
    #[allow(clippy::eq_op)]
    let before = |a: T::Native, b: T::Native| {
        let (a, b) = if largest { (b, a) } else { (a, b) };
        a < b || (b != b && a == a)
    };
    each(values, groups, |group, x| {
        let count = &mut counts[group];
        let places = &mut best[group * n..(group + 1) * n];
        // The list is in order, the best first.
        if *count == n && !before(x, places[n - 1]) {
            return;
        }
        let at = places[..*count].partition_point(|&known| !before(x, known));
        *count = (*count + 1).min(n);
        places[at..*count].rotate_right(1);
        places[at] = x;
    });
    let dtype: DataType = values.dtype().clone();
    let total = counts.iter().sum();
    let mut lists = ListPrimitiveChunkedBuilder::<T>::new(PlSmallStr::EMPTY, counts.len(), total, dtype);
    for (places, &count) in best.chunks(n).zip(&counts) {
        lists.append_slice(&places[..count]);
    }
    lists.finish().into_series().into_column()
}
