//! Joins by one key of integers or texts: a table of the right rows, and pieces of the left ones that look their keys up.
//!
//! Polars' hash join keeps a list of rows for each key and gathers the keys along with all columns. Here rows with equal keys are chained
//! through one array, integers that lie close together are their own place in the table, pieces of the left side are not put together
//! before, and only the columns that are asked for are gathered. What it is not for (missing keys, other types, right and outer joins) is
//! polars'.

use std::hash::BuildHasher;

use polars::prelude::{
    Column, DataFrame, DataType, IdxCa, IdxSize, IntoColumn, NewChunkedArray, PlSmallStr, PolarsResult,
};

use polars_utils::aliases::PlFixedStateQuality;

use super::join::{How, JoinKernel, Output, Side};
use super::split::gathered;
use crate::frame::csv::join;

/// No row.
const NONE: IdxSize = IdxSize::MAX;

/// What rows are joined by.
trait JoinKey: Copy + PartialEq {
    /// Where the rows of these keys begin, and of how many places.
    fn places(keys: &[Self]) -> (Place, usize) {
        Place::hashed(keys.len())
    }

    /// A number whose upper bits are as good as random.
    fn hash(self) -> u64;

    /// The distance from the smallest key, if that is the place; of what is not between the smallest and the largest one, a distance that
    /// is too large.
    fn distance(self, least: i64) -> usize;
}

impl JoinKey for i64 {
    fn places(keys: &[i64]) -> (Place, usize) {
        let ends = |(least, most): (i64, i64), &key: &i64| (least.min(key), most.max(key));
        let (least, most) = keys.iter().fold((i64::MAX, i64::MIN), ends);
        let range = (i128::from(most) - i128::from(least) + 1).max(0) as u128;
        if range <= (keys.len() as u128) * 4 + 1024 {
            return (Place::Direct(least), range as usize);
        }
        Place::hashed(keys.len())
    }

    #[inline]
    fn hash(self) -> u64 {
        (self as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[inline]
    fn distance(self, least: i64) -> usize {
        self.wrapping_sub(least) as u64 as usize
    }
}

impl JoinKey for &str {
    #[inline]
    fn hash(self) -> u64 {
        PlFixedStateQuality::default().hash_one(self)
    }

    fn distance(self, _: i64) -> usize {
        usize::MAX
    }
}

/// Where a key's rows begin.
#[derive(Clone, Copy)]
enum Place {
    /// At its distance from the smallest key.
    Direct(i64),
    /// By the upper bits of its hash.
    Hashed(u32),
}

impl Place {
    /// Up to twice as many places as keys.
    fn hashed(keys: usize) -> (Place, usize) {
        let bits = (usize::BITS - keys.leading_zeros()).max(1);
        (Place::Hashed(u64::BITS - bits), 1 << bits)
    }

    #[inline]
    fn at<K: JoinKey>(self, key: K) -> usize {
        match self {
            Place::Direct(least) => key.distance(least),
            Place::Hashed(shift) => (key.hash() >> shift) as usize,
        }
    }
}

/// Which right rows have a key: the first one by the key's place, those after it by the row before.
struct Table<'a, K> {
    keys: &'a [K],
    place: Place,
    heads: Vec<IdxSize>,
    next: Vec<IdxSize>,
    /// Whether no place has two rows.
    single: bool,
}

impl<'a, K: JoinKey> Table<'a, K> {
    fn new(keys: &'a [K]) -> Table<'a, K> {
        let (place, places) = K::places(keys);
        let mut table = Table { keys, place, heads: vec![NONE; places], next: vec![NONE; keys.len()], single: true };
        // From the last to the first, so that rows of a key come in order.
        for ((row, &key), next) in keys.iter().enumerate().zip(&mut table.next).rev() {
            if let Some(head) = table.heads.get_mut(place.at(key)) {
                table.single &= *head == NONE;
                *next = std::mem::replace(head, row as IdxSize);
            }
        }
        table
    }

    /// The first row at or after this one in the chain that has the key.
    #[inline]
    fn from(&self, mut row: IdxSize, key: K) -> IdxSize {
        while let Some(&other) = self.keys.get(row as usize) {
            if other == key {
                break;
            }
            row = self.after(row);
        }
        row
    }

    #[inline]
    fn after(&self, row: IdxSize) -> IdxSize {
        self.next.get(row as usize).copied().unwrap_or(NONE)
    }

    #[inline]
    fn first(&self, key: K) -> IdxSize {
        let head = self.heads.get(self.place.at(key)).copied().unwrap_or(NONE);
        match self.place {
            Place::Direct(_) => head,
            Place::Hashed(_) => self.from(head, key),
        }
    }

    /// The rows of both sides that come out, [`NONE`] where there is no right one. The left ones are left out if they are all rows once.
    fn pairs(&self, keys: impl Iterator<Item = K>, rows: usize, how: How) -> (Option<Vec<IdxSize>>, Vec<IdxSize>) {
        let mut right = Vec::with_capacity(rows);
        if how == How::Left && self.single {
            right.extend(keys.map(|key| self.first(key)));
            return (None, right);
        }
        let mut left = Vec::with_capacity(rows);
        let keyed = (0..).zip(keys);
        match how {
            How::Semi => left.extend(keyed.filter(|(_, key)| self.first(*key) != NONE).map(|(row, _)| row)),
            How::Anti => left.extend(keyed.filter(|(_, key)| self.first(*key) == NONE).map(|(row, _)| row)),
            how => {
                for (row, key) in keyed {
                    let mut partner = self.first(key);
                    if partner == NONE && how == How::Left {
                        left.push(row);
                        right.push(NONE);
                    }
                    while partner != NONE {
                        left.push(row);
                        right.push(partner);
                        partner = if self.single { NONE } else { self.from(self.after(partner), key) };
                    }
                }
            }
        }
        let all = left.len() == rows && (self.single || matches!(how, How::Semi | How::Anti));
        ((!all).then_some(left), right)
    }
}

/// A column's values as int64 or text, if it has such and none is missing.
fn plain(column: &Column, dtype: &DataType) -> PolarsResult<Option<Column>> {
    let is_integer = dtype.is_integer() && !matches!(dtype, DataType::UInt64 | DataType::Int128 | DataType::UInt128)
        || matches!(dtype, DataType::Date | DataType::Datetime(..) | DataType::Duration(_) | DataType::Time);
    if !(is_integer || *dtype == DataType::String) || column.null_count() > 0 || column.len() >= NONE as usize {
        return Ok(None);
    }
    let column = if column.dtype() == dtype { column.clone() } else { column.strict_cast(dtype)? };
    let column = if is_integer { column.to_physical_repr().cast(&DataType::Int64)? } else { column };
    Ok(Some(column.rechunk()))
}

/// A chunk of fewer rows is put together with others.
const SMALL: usize = 1 << 14;

/// Each chunk by itself, as rows are gathered faster from one than from several.
fn pieces(frames: &[DataFrame]) -> PolarsResult<Vec<DataFrame>> {
    let mut pieces: Vec<DataFrame> = Vec::with_capacity(frames.len());
    for frame in frames {
        match frame.max_n_chunks() {
            0 | 1 => pieces.push(frame.clone()),
            _ => pieces.extend(frame.clone().split_chunks()),
        }
    }
    let rows: usize = pieces.iter().map(DataFrame::height).sum();
    match pieces.len() > 1 && rows / pieces.len() < SMALL {
        true => Ok(vec![gathered(frames.to_vec())?]),
        false => Ok(pieces),
    }
}

/// The key of a side.
fn key_of(frame: &DataFrame, side: &Side, dtype: &DataType) -> PolarsResult<Option<Column>> {
    match side.keys.as_slice() {
        [key] => plain(frame.column(key)?, dtype),
        _ => Ok(None),
    }
}

impl JoinKernel {
    /// Whether this file knows the join, as far as types do not matter.
    fn is_plain(&self) -> bool {
        matches!(self.how, How::Inner | How::Left | How::Semi | How::Anti)
            && self.types.len() == 1
            && !self.left.unique
            && !self.right.unique
            && !self.has_indicator()
    }

    /// The join of pieces of the left side, in order, with the right side, if it is one by an integer or a text that is never missing.
    pub(super) fn by_one_key(&self, lefts: &[DataFrame], right: &DataFrame) -> PolarsResult<Option<DataFrame>> {
        let Some(dtype) = self.types.first().map(|dtype| &dtype.0).filter(|_| self.is_plain()) else { return Ok(None) };
        let Some(right_key) = key_of(right, &self.right, dtype)? else { return Ok(None) };
        let lefts = pieces(lefts)?;
        let mut left_keys = Vec::with_capacity(lefts.len());
        for left in &lefts {
            match key_of(left, &self.left, dtype)? {
                Some(key) => left_keys.push(key),
                None => return Ok(None),
            }
        }
        let mut made = Vec::with_capacity(lefts.len());
        if *dtype == DataType::String {
            let keys: Vec<&str> = right_key.str()?.downcast_iter().flat_map(|array| array.values_iter()).collect();
            let table = Table::new(&keys);
            for (left, key) in lefts.iter().zip(&left_keys) {
                let keys = key.str()?.downcast_iter().flat_map(|array| array.values_iter());
                made.push(self.of_pairs(left, right, dtype, table.pairs(keys, key.len(), self.how))?);
            }
        } else {
            let table = Table::new(right_key.i64()?.cont_slice()?);
            for (left, key) in lefts.iter().zip(&left_keys) {
                let keys = key.i64()?.cont_slice()?.iter().copied();
                made.push(self.of_pairs(left, right, dtype, table.pairs(keys, key.len(), self.how))?);
            }
        }
        join(made).map(Some)
    }

    /// The columns of the result.
    fn of_pairs(
        &self,
        left: &DataFrame,
        right: &DataFrame,
        dtype: &DataType,
        (left_rows, right_rows): (Option<Vec<IdxSize>>, Vec<IdxSize>),
    ) -> PolarsResult<DataFrame> {
        let height = left_rows.as_ref().map_or(left.height(), Vec::len);
        let left_rows = left_rows.map(|rows| IdxCa::from_vec(PlSmallStr::EMPTY, rows));
        let right_rows = match self.how == How::Left && right_rows.contains(&NONE) {
            true => {
                let rows = right_rows.iter().map(|&row| (row != NONE).then_some(row));
                IdxCa::from_iter_options(PlSmallStr::EMPTY, rows)
            }
            false => IdxCa::from_vec(PlSmallStr::EMPTY, right_rows),
        };
        let of_left = |column: &Column| match &left_rows {
            Some(rows) => column.take(rows),
            None => Ok(column.clone()),
        };
        let find =
            |side: &Side, name: &str| side.columns.iter().find(|(_, to)| to == name).map(|(from, _)| from.clone());
        let column = |output: &Output| -> PolarsResult<Column> {
            let column = match output {
                Output::Key(_, _) => {
                    let key = left.column(self.left.keys.first().map_or("", String::as_str))?;
                    let key = if key.dtype() == dtype { key.clone() } else { key.strict_cast(dtype)? };
                    of_left(&key)?
                }
                Output::Column(name) | Output::Indicator(name) => match find(&self.left, name) {
                    Some(from) => of_left(left.column(&from)?)?,
                    None => right.column(&find(&self.right, name).unwrap_or_default())?.take(&right_rows)?,
                },
            };
            Ok(column.with_name(output.name().into()).into_column())
        };
        DataFrame::new(height, self.output.iter().map(column).collect::<PolarsResult<Vec<_>>>()?)
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;
    use proptest::prelude::*;

    use super::*;
    use crate::frame::wire::Wire;

    fn kernel(how: How, dtype: DataType) -> JoinKernel {
        let side = |column: &str| Side {
            keys: vec!["k".into()],
            columns: vec![(column.into(), column.into())],
            unique: false,
        };
        let mut output = vec![Output::Key(0, "k".into()), Output::Column("l".into())];
        if matches!(how, How::Inner | How::Left) {
            output.push(Output::Column("r".into()));
        }
        JoinKernel { how, left: side("l"), right: side("r"), types: vec![Wire(dtype)], output, lefts: 1 }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

        #[test]
        fn it_is_the_join_of_polars(
            left in prop::collection::vec(-20_i32..20, 0..60),
            right in prop::collection::vec(-20_i32..20, 0..40),
            wide in any::<bool>(),
            cut in 0_usize..60,
        ) {
            // Keys far apart are hashed, those close together are not.
            let spread = |key: &i32| i64::from(*key) * if wide { 0x1_0000_0001 } else { 1 };
            let rows = |count: usize| (0..count as i64).collect::<Vec<_>>();
            let l = df!("k" => left.iter().map(spread).collect::<Vec<_>>(), "l" => rows(left.len())).unwrap();
            let r = df!("k" => right.iter().map(spread).collect::<Vec<_>>(), "r" => rows(right.len())).unwrap();
            let cut = cut.min(left.len());
            let pieces = [l.slice(0, cut), l.slice(cut as i64, left.len() - cut)];
            for how in [How::Inner, How::Left, How::Semi, How::Anti] {
                let kernel = kernel(how, DataType::Int64);
                let got = kernel.by_one_key(&pieces, &r).unwrap().unwrap();
                let expect = kernel.join(&l, &r).unwrap();
                prop_assert!(gathered(vec![got.clone()]).unwrap().equals_missing(&expect), "{how:?}: {got} {expect}");
                prop_assert_eq!(got.schema(), expect.schema());
                // The same keys as texts.
                let text = |frame: &DataFrame| -> DataFrame {
                    let mut frame = frame.clone();
                    let keys = frame.column("k").unwrap().cast(&DataType::String).unwrap();
                    frame.with_column(keys).unwrap();
                    frame
                };
                let kernel = self::kernel(how, DataType::String);
                let got = kernel.by_one_key(&pieces.clone().map(|piece| text(&piece)), &text(&r)).unwrap().unwrap();
                prop_assert!(gathered(vec![got]).unwrap().equals_missing(&text(&expect)), "{how:?} of texts");
            }
        }
    }

    #[test]
    fn narrow_keys_meet_wide_ones_and_the_rest_is_left_to_polars() {
        let l = df!("k" => [i16::MIN, 3, i16::MAX], "l" => [0_i64, 1, 2]).unwrap();
        let r = df!("k" => [i64::MAX, 3, i64::from(i16::MIN), i64::MIN], "r" => [0_i64, 1, 2, 3]).unwrap();
        let got = kernel(How::Inner, DataType::Int64).by_one_key(std::slice::from_ref(&l), &r).unwrap().unwrap();
        assert!(
            got.equals(&df!("k" => [i64::from(i16::MIN), 3], "l" => [0_i64, 1], "r" => [2_i64, 1]).unwrap()),
            "{got}"
        );
        let floats = df!("k" => [1.0], "l" => [0_i64], "r" => [0_i64]).unwrap();
        let joined = kernel(How::Inner, DataType::Float64).by_one_key(std::slice::from_ref(&floats), &floats);
        assert!(joined.unwrap().is_none());
        let missing = df!("k" => [None, Some(3_i64)], "r" => [0_i64, 1]).unwrap();
        assert!(kernel(How::Inner, DataType::Int64).by_one_key(&[l], &missing).unwrap().is_none());
    }
}
