//! Numbers of groups: each row gets the number of its key, in the order in which keys appear first.
//!
//! Keys of few values are looked up in a table by their place, others by hash. Of two columns, each gives numbers, and pairs of
//! numbers are keys; rows of more columns are looked up by the hash of all.

use polars::prelude::{
    ChunkedArray, Column, DataFrame, DataType, IdxSize, PolarsNumericType, PolarsResult, StringChunked,
};
use xxhash_rust::xxh3::xxh3_64;

use super::table::{Code, folded, looked_up};

/// The groups of rows.
pub(super) struct Groups {
    /// The number of each row's group.
    pub(super) of: Vec<u32>,
    /// The first row of each group.
    pub(super) first: Vec<IdxSize>,
}

impl Groups {
    fn count(&self) -> usize {
        self.first.len()
    }
}

/// The groups by some columns; `None` if one of them is of another kind than numbers, times, truth values and texts.
pub(super) fn groups(keys: &DataFrame) -> PolarsResult<Option<Groups>> {
    if keys.height() >= u32::MAX as usize {
        return Ok(None);
    }
    match keys.columns() {
        [] => Ok(None),
        [one] => of_column(one),
        [one, other] => match (of_column(one)?, of_column(other)?) {
            (Some(one), Some(other)) => Ok(Some(paired(&one, &other))),
            _ => Ok(None),
        },
        several => by_codes(several),
    }
}

/// The groups by several columns: rows are looked up by the hash of all of them, and compared where hashes are equal.
fn by_codes(columns: &[Column]) -> PolarsResult<Option<Groups>> {
    let mut codes = Vec::with_capacity(columns.len());
    for column in columns {
        let Some(of_column) = codes_of(column)? else { return Ok(None) };
        codes.push(of_column);
    }
    let rows = columns.first().map_or(0, Column::len);
    let mut hashes = vec![0_u64; rows];
    codes.iter().for_each(|codes| codes.mix_into(&mut hashes));
    let same = |a: usize, b: usize| codes.iter().all(|codes| codes.equal(a, b));
    Ok(Some(looked_up(rows, || hashes.iter().map(|&hash| Some(hash)), same)))
}

/// A number for each value of a column.
enum Codes {
    /// Of columns without missing values.
    Narrow(Vec<u64>),
    /// Texts as their bytes with their length, if that is at most 12; what is missing is a number that no value has.
    Wide(Vec<u128>),
}

impl Codes {
    fn mix_into(&self, hashes: &mut [u64]) {
        fn mix<K: Code>(hashes: &mut [u64], codes: &[K]) {
            for (hash, code) in hashes.iter_mut().zip(codes) {
                *hash = folded(hash.rotate_left(23) ^ code.hash());
            }
        }
        match self {
            Codes::Narrow(codes) => mix(hashes, codes),
            Codes::Wide(codes) => mix(hashes, codes),
        }
    }

    fn equal(&self, a: usize, b: usize) -> bool {
        match self {
            Codes::Narrow(codes) => codes[a] == codes[b],
            Codes::Wide(codes) => codes[a] == codes[b],
        }
    }
}

fn codes_of(column: &Column) -> PolarsResult<Option<Codes>> {
    const MISSING: u128 = u128::MAX;
    fn all<T: PolarsNumericType>(values: &ChunkedArray<T>, bits: impl Fn(T::Native) -> u64) -> Codes {
        if values.null_count() == 0 {
            let all = values.downcast_iter().flat_map(|chunk| chunk.values().iter());
            return Codes::Narrow(all.map(|&x| bits(x)).collect());
        }
        Codes::Wide(values.iter().map(|x| x.map_or(MISSING, |x| u128::from(bits(x)))).collect())
    }
    let physical = column.to_physical_repr();
    Ok(Some(match physical.dtype() {
        DataType::Boolean => Codes::Wide(physical.bool()?.iter().map(|x| x.map_or(MISSING, u128::from)).collect()),
        DataType::Int8 => all(physical.i8()?, |x| x as u64),
        DataType::Int16 => all(physical.i16()?, |x| x as u64),
        DataType::Int32 => all(physical.i32()?, |x| x as u64),
        DataType::Int64 => all(physical.i64()?, |x| x as u64),
        DataType::UInt8 => all(physical.u8()?, u64::from),
        DataType::UInt16 => all(physical.u16()?, u64::from),
        DataType::UInt32 => all(physical.u32()?, u64::from),
        DataType::UInt64 => all(physical.u64()?, |x| x),
        DataType::String => {
            let values = physical.str()?;
            if !is_short(values) {
                // Equal texts have equal numbers.
                return Ok(Some(Codes::Narrow(long_texts(values).of.into_iter().map(u64::from).collect())));
            }
            let views = values.downcast_iter().flat_map(|chunk| chunk.views().iter());
            Codes::Wide(match values.null_count() {
                0 => views.map(|view| view.as_u128()).collect(),
                _ => views.zip(values.iter()).map(|(view, text)| text.map_or(MISSING, |_| view.as_u128())).collect(),
            })
        }
        _ => return Ok(None),
    }))
}

fn is_short(values: &StringChunked) -> bool {
    values.downcast_iter().all(|chunk| chunk.views().iter().all(|view| view.length <= 12))
}

/// The pairs of two numberings.
fn paired(a: &Groups, b: &Groups) -> Groups {
    let width = b.count() as u64;
    let pairs = || a.of.iter().zip(&b.of).map(|(&a, &b)| Some(u64::from(a) * width + u64::from(b)));
    numbered(pairs, a.of.len(), Some((0, (a.count() as u64).saturating_mul(width))))
}

fn of_column(column: &Column) -> PolarsResult<Option<Groups>> {
    let physical = column.to_physical_repr();
    Ok(Some(match physical.dtype() {
        DataType::Boolean => {
            let values = physical.bool()?;
            numbered(|| values.iter().map(|x| x.map(u64::from)), values.len(), Some((0, 2)))
        }
        DataType::Int8 => integers(physical.i8()?, |x| x as i64 as u64),
        DataType::Int16 => integers(physical.i16()?, |x| x as i64 as u64),
        DataType::Int32 => integers(physical.i32()?, |x| x as i64 as u64),
        DataType::Int64 => integers(physical.i64()?, |x| x as u64),
        DataType::UInt8 => integers(physical.u8()?, u64::from),
        DataType::UInt16 => integers(physical.u16()?, u64::from),
        DataType::UInt32 => integers(physical.u32()?, u64::from),
        DataType::UInt64 => integers(physical.u64()?, |x| x),
        DataType::String => texts(physical.str()?),
        _ => return Ok(None),
    }))
}

/// Numbers by their bits. Those of a narrow range have a table of their own.
fn integers<T: PolarsNumericType>(values: &ChunkedArray<T>, bits: impl Fn(T::Native) -> u64 + Copy) -> Groups {
    let start = values.iter().flatten().next().map_or(0, bits);
    // Signed numbers as offsets from the first one: the order on the circle is theirs.
    let (mut low, mut high) = (0_i64, 0_i64);
    for x in values.iter().flatten() {
        let far = bits(x).wrapping_sub(start) as i64;
        (low, high) = (low.min(far), high.max(far));
    }
    let base = start.wrapping_add(low as u64);
    let range = high.checked_sub(low).map(|range| (0, (range as u64).saturating_add(1)));
    if values.null_count() == 0 {
        let all = || values.downcast_iter().flat_map(|chunk| chunk.values().iter().copied());
        return numbered(|| all().map(|x| Some(bits(x).wrapping_sub(base))), values.len(), range);
    }
    numbered(|| values.iter().map(|x| x.map(|x| bits(x).wrapping_sub(base))), values.len(), range)
}

/// Texts of at most 12 bytes are their own keys.
fn texts(values: &StringChunked) -> Groups {
    if !is_short(values) {
        return long_texts(values);
    }
    let views = || values.downcast_iter().flat_map(|chunk| chunk.views().iter());
    if values.null_count() == 0 {
        return looked_up(values.len(), || views().map(|view| Some(view.as_u128())), |_, _| true);
    }
    let keys = || views().zip(values.iter()).map(|(view, text)| text.map(|_| view.as_u128()));
    looked_up(values.len(), keys, |_, _| true)
}

/// Texts of any length are looked up by the hash of their bytes, and compared where hashes are equal.
fn long_texts(values: &StringChunked) -> Groups {
    let texts: Vec<Option<&str>> = values.iter().collect();
    let hashes = || texts.iter().map(|text| text.map(|text| xxh3_64(text.as_bytes())));
    looked_up(texts.len(), hashes, |a, b| texts[a] == texts[b])
}

/// Numbers keys; of a range `(from 0, to below)` that is not much wider than the rows are many, by a table.
fn numbered<I: Iterator<Item = Option<u64>>>(keys: impl Fn() -> I, rows: usize, range: Option<(u64, u64)>) -> Groups {
    let narrow = range.map(|(_, end)| end).filter(|&end| end <= (rows as u64 * 2).max(1 << 12));
    let Some(end) = narrow else { return looked_up(rows, keys, |_, _| true) };
    let mut groups = Groups { of: Vec::with_capacity(rows), first: Vec::new() };
    let mut missing = None;
    let mut places = vec![u32::MAX; end as usize];
    for (row, key) in keys().enumerate() {
        let next = groups.first.len() as u32;
        let slot = match key.and_then(|key| places.get_mut(key as usize)) {
            Some(slot) => slot,
            None => missing.get_or_insert(u32::MAX),
        };
        if *slot == u32::MAX {
            *slot = next;
            groups.first.push(row as IdxSize);
        }
        groups.of.push(*slot);
    }
    groups
}
