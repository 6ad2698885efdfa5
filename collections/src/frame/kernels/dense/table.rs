//! Looking up keys by hash: one open table as long as it stays in the second-level cache, and runs of keys with a table each after that.
//!
//! A table of millions of keys costs a miss of all caches for each row. Keys that are first cut by their hash into runs of some thousand
//! rows cost two passes in order, and each run's table stays near: the idea of the radix join (Manegold, Boncz and Kersten, 2002).

use polars::prelude::IdxSize;

use super::ids::Groups;

/// What is looked up.
pub(super) trait Code: Copy + Eq + Default {
    fn hash(self) -> u64;
}

/// Multiplied and folded: all bits of the key reach all bits of the hash.
pub(super) fn folded(x: u64) -> u64 {
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

/// A table with more keys no longer stays in the cache.
const MOST_CACHED: usize = 1 << 15;

/// Rows of a run: keys, row numbers and table are some 300 kB.
const RUN: usize = 1 << 14;

/// More runs at once than this would miss the cache when they are written.
const MOST_RUNS: u32 = 10;

const FREE: u32 = u32::MAX;

/// The groups of rows by keys, `None` being a key of its own. Rows with equal keys are of one group if they are the `same`, too, the
/// first of the group and the other one.
pub(super) fn looked_up<K: Code, I: Iterator<Item = Option<K>>>(
    rows: usize,
    keys: impl Fn() -> I,
    same: impl Fn(usize, usize) -> bool,
) -> Groups {
    in_table(rows, MOST_CACHED, keys(), &same).unwrap_or_else(|| in_runs(rows, RUN, &keys, &same))
}

/// In one table. `None` if there are more than so many groups, and enough rows to make another way worth it.
fn in_table<K: Code>(
    rows: usize,
    most: usize,
    keys: impl Iterator<Item = Option<K>>,
    same: &impl Fn(usize, usize) -> bool,
) -> Option<Groups> {
    let most = if rows > 4 * most { most } else { rows };
    let mut groups = Groups { of: Vec::with_capacity(rows), first: Vec::new() };
    let mut table = Table::new();
    let mut missing = None;
    for (row, key) in keys.enumerate() {
        let next = groups.first.len() as u32;
        let number = match key {
            Some(key) => table.number(key, next, |number| same(groups.first[number as usize] as usize, row)),
            None => *missing.get_or_insert(next),
        };
        if number == next {
            if groups.first.len() >= most {
                return None;
            }
            groups.first.push(row as IdxSize);
        }
        groups.of.push(number);
    }
    Some(groups)
}

/// In runs of keys that begin with the same bits of their hashes.
fn in_runs<K: Code, I: Iterator<Item = Option<K>>>(
    rows: usize,
    run: usize,
    keys: &impl Fn() -> I,
    same: &impl Fn(usize, usize) -> bool,
) -> Groups {
    let bits = (rows / run).max(2).next_power_of_two().ilog2().min(MOST_RUNS);
    let run_of = |key: K| (key.hash() >> (u64::BITS - bits)) as usize;
    let mut starts = vec![0_usize; (1 << bits) + 1];
    keys().flatten().for_each(|key| starts[run_of(key) + 1] += 1);
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let present = starts.last().copied().unwrap_or(0);
    let (mut cut, mut cut_rows) = (vec![K::default(); present], vec![0_u32; present]);
    let mut next = starts.clone();
    // First the number of the group's first row, later that of the group.
    let mut of = vec![0_u32; rows];
    let mut missing = None;
    for (row, key) in keys().enumerate() {
        let Some(key) = key else {
            of[row] = *missing.get_or_insert(row as u32);
            continue;
        };
        let place = &mut next[run_of(key)];
        (cut[*place], cut_rows[*place]) = (key, row as u32);
        *place += 1;
    }
    let mut slots: Vec<u32> = Vec::new();
    for pair in starts.windows(2) {
        let (keys, rows) = (&cut[pair[0]..pair[1]], &cut_rows[pair[0]..pair[1]]);
        let mask = (keys.len() * 2).next_power_of_two() - 1;
        slots.clear();
        slots.resize(mask + 1, FREE);
        for (at, (&key, &row)) in keys.iter().zip(rows).enumerate() {
            let mut slot = key.hash() as usize & mask;
            of[row as usize] = loop {
                let known = slots[slot] as usize;
                if slots[slot] == FREE {
                    slots[slot] = at as u32;
                    break row;
                }
                if keys[known] == key && same(rows[known] as usize, row as usize) {
                    break rows[known];
                }
                slot = (slot + 1) & mask;
            };
        }
    }
    drop((cut, cut_rows));
    // A group's first row comes before its others: its number is there when they ask for it.
    let mut first = Vec::new();
    for row in 0..rows {
        let leader = of[row] as usize;
        if leader == row {
            of[row] = first.len() as u32;
            first.push(row as IdxSize);
        } else {
            of[row] = of[leader];
        }
    }
    Groups { of, first }
}

/// An open table with linear probing. Polars' and hashbrown's tables are as fast; this one needs no second look at the key's column.
struct Table<K> {
    /// A key and its number; [`FREE`] is a free slot.
    slots: Vec<(K, u32)>,
    used: usize,
}

impl<K: Code> Table<K> {
    fn new() -> Table<K> {
        Table { slots: vec![(K::default(), FREE); 1 << 10], used: 0 }
    }

    /// The number of a key that is known for this one: `next` if there is none.
    #[inline]
    fn number(&mut self, key: K, next: u32, same: impl Fn(u32) -> bool) -> u32 {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = key.hash() as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.1 == FREE {
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
        let wider = vec![(K::default(), FREE); self.slots.len() * 4];
        let old = std::mem::replace(&mut self.slots, wider);
        let mask = self.slots.len() - 1;
        for slot in old.into_iter().filter(|slot| slot.1 != FREE) {
            let mut at = slot.0.hash() as usize & mask;
            while self.slots[at].1 != FREE {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Numbers in the order of first appearance.
    fn expected(keys: &[Option<u64>], value: &[u8]) -> (Vec<u32>, Vec<IdxSize>) {
        let (mut known, mut first) = (HashMap::new(), Vec::new());
        let mut number = |(row, key): (usize, &Option<u64>)| {
            let key = (*key, key.map(|_| value[row]));
            *known.entry(key).or_insert_with(|| {
                first.push(row as IdxSize);
                first.len() as u32 - 1
            })
        };
        let of = keys.iter().enumerate().map(&mut number).collect();
        (of, first)
    }

    /// Keys that are all of one run, or of one slot, too.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Bad(u64);

    impl Code for Bad {
        fn hash(self) -> u64 {
            self.0 % 3
        }
    }

    proptest! {
        #[test]
        fn runs_and_the_table_number_alike(
            rows in prop::collection::vec((prop::option::weighted(0.9, 0_u64..40), 0_u8..2), 0..200),
            run in 1_usize..20,
        ) {
            let (keys, values): (Vec<Option<u64>>, Vec<u8>) = rows.into_iter().unzip();
            let (of, first) = expected(&keys, &values);
            let same = |a: usize, b: usize| values[a] == values[b];
            let table = in_table(keys.len(), usize::MAX / 8, keys.iter().copied(), &same).unwrap();
            prop_assert_eq!((&table.of, &table.first), (&of, &first));
            let runs = in_runs(keys.len(), run, &|| keys.iter().copied(), &same);
            prop_assert_eq!((&runs.of, &runs.first), (&of, &first));
            let runs = in_runs(keys.len(), run, &|| keys.iter().map(|key| key.map(Bad)), &same);
            prop_assert_eq!((&runs.of, &runs.first), (&of, &first));
            let wide = in_runs(keys.len(), run, &|| keys.iter().map(|key| key.map(|key| u128::from(key) << 70)), &same);
            prop_assert_eq!((&wide.of, &wide.first), (&of, &first));
        }
    }

    #[test]
    fn many_groups_leave_the_table() {
        let keys = || (0..100_u64).map(|row| Some(row % 50));
        assert!(
            in_table(100, 25, keys(), &|_, _| true).is_some_and(|groups| groups.first.len() == 50),
            "few rows stay"
        );
        assert!(in_table(100, 20, keys(), &|_, _| true).is_none());
        assert!(in_table(1000, 50, (0..1000_u64).map(|row| Some(row % 50)), &|_, _| true).is_some());
        let rows = 4 * MOST_CACHED + 1;
        let groups = looked_up(rows, || (0..rows as u64).map(|row| Some(row / 2)), |_, _| true);
        assert!(groups.of.iter().enumerate().all(|(row, &group)| group == row as u32 / 2));
    }
}
