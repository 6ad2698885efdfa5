//! Numbers of groups: each row gets the number of its key, in the order in which keys appear first.
//!
//! Keys of few values are looked up in a table by their place, others in an open table by hash. Of two columns, each gives numbers, and pairs of
//! numbers are keys; rows of more columns are looked up by the hash of all.

use polars::prelude::{
    ChunkedArray, Column, DataFrame, DataType, IdxSize, PolarsNumericType, PolarsResult, StringChunked,
};
use xxhash_rust::xxh3::xxh3_64;

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
    for column in &codes {
        for (hash, code) in hashes.iter_mut().zip(column) {
            *hash = folded(hash.rotate_left(23) ^ code.hash());
        }
    }
    let mut groups = Groups { of: Vec::with_capacity(rows), first: Vec::new() };
    let mut table = Table::<u64>::new();
    for (row, &hash) in hashes.iter().enumerate() {
        let next = groups.first.len() as u32;
        let same = |number: u32| {
            let first = groups.first[number as usize] as usize;
            codes.iter().all(|column| column[first] == column[row])
        };
        let number = table.number_if(hash, next, same);
        if number == next {
            groups.first.push(row as IdxSize);
        }
        groups.of.push(number);
    }
    Ok(Some(groups))
}

/// A number for each value; of texts the bytes with their length, if that is at most 12.
fn codes_of(column: &Column) -> PolarsResult<Option<Vec<u128>>> {
    const MISSING: u128 = u128::MAX;
    fn all<T: PolarsNumericType>(values: &ChunkedArray<T>, bits: impl Fn(T::Native) -> u64) -> Vec<u128> {
        values.iter().map(|x| x.map_or(MISSING, |x| u128::from(bits(x)))).collect()
    }
    let physical = column.to_physical_repr();
    Ok(Some(match physical.dtype() {
        DataType::Boolean => physical.bool()?.iter().map(|x| x.map_or(MISSING, u128::from)).collect(),
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
                return Ok(Some(long_texts(values).of.into_iter().map(u128::from).collect()));
            }
            let views = values.downcast_iter().flat_map(|chunk| chunk.views().iter());
            match values.null_count() {
                0 => views.map(|view| view.as_u128()).collect(),
                _ => views.zip(values.iter()).map(|(view, text)| text.map_or(MISSING, |_| view.as_u128())).collect(),
            }
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
    let pairs = a.of.iter().zip(&b.of).map(|(&a, &b)| Some(u64::from(a) * width + u64::from(b)));
    numbered(pairs, a.of.len(), Some((0, (a.count() as u64).saturating_mul(width))))
}

fn of_column(column: &Column) -> PolarsResult<Option<Groups>> {
    let physical = column.to_physical_repr();
    Ok(Some(match physical.dtype() {
        DataType::Boolean => {
            let values = physical.bool()?;
            numbered(values.iter().map(|x| x.map(u64::from)), values.len(), Some((0, 2)))
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
        let all = values.downcast_iter().flat_map(|chunk| chunk.values().iter().copied());
        return numbered(all.map(|x| Some(bits(x).wrapping_sub(base))), values.len(), range);
    }
    numbered(values.iter().map(|x| x.map(|x| bits(x).wrapping_sub(base))), values.len(), range)
}

/// Texts of at most 12 bytes are their own keys.
fn texts(values: &StringChunked) -> Groups {
    if !is_short(values) {
        return long_texts(values);
    }
    let mut table = Table::<u128>::new();
    let mut groups = Groups { of: Vec::with_capacity(values.len()), first: Vec::new() };
    let mut missing = None;
    let views = values.downcast_iter().flat_map(|chunk| chunk.views().iter());
    if values.null_count() == 0 {
        views.for_each(|view| push(&mut table, &mut groups, Some(view.as_u128()), &mut missing));
    } else {
        for (view, text) in views.zip(values.iter()) {
            push(&mut table, &mut groups, text.map(|_| view.as_u128()), &mut missing);
        }
    }
    groups
}

/// Texts of any length are looked up by the hash of their bytes, and compared where hashes are equal.
fn long_texts(values: &StringChunked) -> Groups {
    let mut table = Table::<u64>::new();
    let mut groups = Groups { of: Vec::with_capacity(values.len()), first: Vec::new() };
    // The text of each group.
    let mut known: Vec<&str> = Vec::new();
    let mut missing = None;
    for (row, text) in values.iter().enumerate() {
        let next = groups.first.len() as u32;
        let number = match text {
            Some(text) => {
                let same = |number: u32| known.get(number as usize) == Some(&text);
                table.number_if(xxh3_64(text.as_bytes()), next, same)
            }
            None => *missing.get_or_insert(next),
        };
        if number == next {
            groups.first.push(row as IdxSize);
            known.push(text.unwrap_or_default());
        }
        groups.of.push(number);
    }
    groups
}

fn push<K: Code>(table: &mut Table<K>, groups: &mut Groups, key: Option<K>, missing: &mut Option<u32>) {
    let row = groups.of.len() as IdxSize;
    let next = groups.first.len() as u32;
    let number = match key {
        Some(key) => table.number(key, next),
        None => *missing.get_or_insert(next),
    };
    if number == next {
        groups.first.push(row);
    }
    groups.of.push(number);
}

/// Numbers keys; of a range `(from 0, to below)` that is not much wider than the rows are many, by a table.
fn numbered(keys: impl Iterator<Item = Option<u64>>, rows: usize, range: Option<(u64, u64)>) -> Groups {
    let mut groups = Groups { of: Vec::with_capacity(rows), first: Vec::new() };
    let mut missing = None;
    let narrow = range.map(|(_, end)| end).filter(|&end| end <= (rows as u64 * 2).max(1 << 12));
    let Some(end) = narrow else {
        let mut table = Table::<u64>::new();
        keys.for_each(|key| push(&mut table, &mut groups, key, &mut missing));
        return groups;
    };
    let mut places = vec![u32::MAX; end as usize];
    for (row, key) in keys.enumerate() {
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

/// What is looked up.
trait Code: Copy + Eq + Default {
    fn hash(self) -> u64;
}

/// Multiplied and folded: all bits of the key reach all bits of the hash.
fn folded(x: u64) -> u64 {
    let wide = u128::from(x ^ 0x9e37_79b9_7f4a_7c15) * u128::from(0xd6e8_feb8_6659_fd93_u64);
    (wide as u64) ^ ((wide >> 64) as u64)
}

impl Code for u64 {
    fn hash(self) -> u64 {
        folded(self)
    }
}

impl Code for u128 {
    fn hash(self) -> u64 {
        folded((self as u64) ^ folded((self >> 64) as u64).rotate_left(32))
    }
}

/// An open table with linear probing. Polars' and hashbrown's tables are as fast; this one needs no second look at the key's column.
struct Table<K> {
    /// A key and its number; `u32::MAX` is a free slot.
    slots: Vec<(K, u32)>,
    used: usize,
}

impl<K: Code> Table<K> {
    fn new() -> Table<K> {
        Table { slots: vec![(K::default(), u32::MAX); 1 << 10], used: 0 }
    }

    /// The key's number: `next` if it is new.
    #[inline]
    fn number(&mut self, key: K, next: u32) -> u32 {
        self.number_if(key, next, |_| true)
    }

    /// The number of a key that is known for this one: `next` if there is none.
    #[inline]
    fn number_if(&mut self, key: K, next: u32, same: impl Fn(u32) -> bool) -> u32 {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = key.hash() as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.1 == u32::MAX {
                *slot = (key, next);
                self.used += 1;
                return next;
            }
            if slot.0 == key && same(slot.1) {
                return slot.1;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let wider = vec![(K::default(), u32::MAX); self.slots.len() * 4];
        let old = std::mem::replace(&mut self.slots, wider);
        let mask = self.slots.len() - 1;
        for slot in old.into_iter().filter(|slot| slot.1 != u32::MAX) {
            let mut at = slot.0.hash() as usize & mask;
            while self.slots[at].1 != u32::MAX {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot;
        }
    }
}
