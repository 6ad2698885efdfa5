//! Keys that are there so often that one part could hardly hold their rows.
//!
//! A sample of the large side of a join says which keys those are. Their rows are cut by where they stand instead of by their hash: the
//! first ones go to the first part, the last ones to the last. The rows of the other side that have such a key go to all parts.

use std::collections::{HashMap, HashSet};

use polars::prelude::{
    BooleanChunked, DataFrame, IdxCa, IdxSize, IntoColumn, NamedFrom, NewChunkedArray, PlSmallStr, PolarsResult, Series,
};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::{encode, missing};
use super::order::spread;
use super::split::{HashKey, cut, hashes, part_of};
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;

/// A key that fewer rows of the sample have is not frequent, whatever their share.
const FEW: usize = 8;

const HASH: &str = "hash";
const WEIGHT: &str = "weight";

/// Hashes of the keys of some rows, with how many rows each stands for.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SampleKeysKernel {
    pub(crate) keys: Vec<HashKey>,
    pub(crate) rows: u32,
}

impl SampleKeysKernel {
    pub(crate) const NAME: &'static str = "frame.join.sample";

    pub(crate) fn sample(&self, block: u64, frame: &DataFrame) -> PolarsResult<DataFrame> {
        let (rows, weights) = spread(block, frame.height() as u64, u64::from(self.rows));
        let index = IdxCa::from_vec(PlSmallStr::EMPTY, rows.iter().map(|&row| row as IdxSize).collect());
        // Keys alone: the same column may be a key twice.
        let mut names: Vec<&str> = self.keys.iter().map(|key| key.column.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let hashes = match names.is_empty() {
            true => vec![0; rows.len()],
            false => hashes(&frame.select(names)?.take(&index)?, &self.keys)?,
        };
        let columns = [(HASH, hashes), (WEIGHT, weights)];
        let columns = columns.map(|(name, values)| Series::new(name.into(), values).into_column());
        DataFrame::new(rows.len(), columns.into())
    }
}

impl Kernel for SampleKeysKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frame = Partition::take(inputs.first_mut().ok_or_else(|| missing("the partition"))?)?;
        Ok(Value::block(Partition(alone(|| self.sample(task.block, &frame)).map_err(failed)?)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}

/// What samples say: rows, and different keys among them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) rows: u64,
    pub(crate) groups: u64,
}

/// Samples of some partitions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Samples {
    partitions: usize,
    rows: u64,
    sampled: usize,
    /// Different keys in all samples, and those of each added up.
    distinct: usize,
    apart: usize,
    /// Keys that were seen once, and twice.
    once: usize,
    twice: usize,
}

impl Samples {
    /// Puts the tables of [`SampleKeysKernel`] together.
    pub(crate) fn of(tables: &[DataFrame]) -> PolarsResult<Samples> {
        let (mut rows, mut sampled, mut apart) = (0, 0, 0);
        let mut all: HashMap<u64, usize> = HashMap::new();
        for table in tables {
            let mut own: HashSet<u64> = HashSet::new();
            for hash in table.column(HASH)?.u64()?.iter().flatten() {
                own.insert(hash);
                *all.entry(hash).or_default() += 1;
            }
            rows += table.column(WEIGHT)?.u64()?.iter().flatten().sum::<u64>();
            sampled += table.height();
            apart += own.len();
        }
        let seen = |times: usize| all.values().filter(|&&count| count == times).count();
        let (once, twice) = (seen(1), seen(2));
        Ok(Samples { partitions: tables.len(), rows, sampled, distinct: all.len(), apart, once, twice })
    }

    /// What is to be expected of so many partitions.
    pub(crate) fn scaled(&self, partitions: usize) -> Seen {
        let scale = partitions as f64 / self.partitions.max(1) as f64;
        let rows = self.rows as f64 * scale;
        // Partitions that have no key in common will have none in common with others either: rows are in the order of keys.
        let common = self.apart - self.distinct;
        let groups = match self.partitions > 1 && common * 20 < self.apart {
            true => self.groups(self.rows as f64) * scale,
            false => self.groups(rows),
        };
        Seen { rows: rows.round() as u64, groups: groups.round() as u64 }
    }

    /// How many different keys so many rows have: those that were seen, and for those that were not the estimator of Chao (1984), by how many
    /// were seen once and twice. It does not assume that keys are equally frequent. Keys that were seen once stand for no more rows than
    /// each row of the sample does.
    fn groups(&self, rows: f64) -> f64 {
        let (distinct, once, twice) = (self.distinct as f64, self.once as f64, self.twice as f64);
        let unseen = once * (once - 1.0).max(0.0) / (2.0 * (twice + 1.0));
        let most = once * (rows / (self.sampled as f64).max(1.0) - 1.0).max(0.0);
        distinct + unseen.min(most)
    }
}

/// The hashes of keys that have more rows than a part should, from samples.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FrequentKernel {
    pub(crate) parts: u32,
}

impl FrequentKernel {
    pub(crate) const NAME: &'static str = "frame.join.frequent";

    pub(crate) fn frequent(&self, samples: Vec<DataFrame>) -> PolarsResult<DataFrame> {
        let samples = join(samples)?;
        let (found, weights) = (samples.column(HASH)?.u64()?, samples.column(WEIGHT)?.u64()?);
        let mut counts: HashMap<u64, (usize, u128)> = HashMap::new();
        let mut total = 0;
        for (hash, weight) in found.iter().zip(weights.iter()) {
            let weight = u128::from(weight.unwrap_or(0));
            let (rows, all) = counts.entry(hash.unwrap_or(0)).or_default();
            *rows += 1;
            *all += weight;
            total += weight;
        }
        let is_frequent = |(rows, weight): &(usize, u128)| *rows >= FEW && weight * u128::from(self.parts) > total;
        let mut hashes: Vec<u64> =
            counts.iter().filter(|(_, count)| is_frequent(count)).map(|(hash, _)| *hash).collect();
        hashes.sort_unstable();
        DataFrame::new(hashes.len(), vec![Series::new(HASH.into(), hashes).into_column()])
    }
}

impl Kernel for FrequentKernel {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let samples = inputs.iter_mut().map(Partition::take).collect::<KernelResult<Vec<_>>>()?;
        Ok(Value::block(Partition(alone(|| self.frequent(samples)).map_err(failed)?)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(Self::NAME, self)
    }
}

/// What happens to rows with a frequent key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Frequent {
    /// They are spread over the parts, in order; of so many partitions.
    Spread(u64),
    /// Each part gets all of them, behind its others.
    Copied,
}

impl Frequent {
    /// Cuts a partition by the hash of its keys, but for the rows with keys in the table.
    pub(crate) fn cut(
        self,
        block: u64,
        frame: DataFrame,
        keys: &[HashKey],
        parts: u32,
        table: &DataFrame,
    ) -> PolarsResult<Vec<DataFrame>> {
        let frequent: Vec<u64> = table.column(HASH)?.u64()?.iter().flatten().collect();
        let hashes = hashes(&frame, keys)?;
        let is_frequent = |hash: &u64| frequent.binary_search(hash).is_ok();
        let rows = frame.height() as u128;
        let place = |row: usize, partitions: u64| {
            let at = u128::from(block) * rows + row as u128;
            (at * u128::from(parts) / (u128::from(partitions.max(1)) * rows.max(1))) as u32
        };
        let number = |(row, hash): (usize, &u64)| match (is_frequent(hash), self) {
            (false, _) => part_of(*hash, parts),
            (true, Frequent::Spread(partitions)) => place(row, partitions).min(parts.saturating_sub(1)),
            // No part has this number.
            (true, Frequent::Copied) => u32::MAX,
        };
        let numbers: Vec<u32> = hashes.iter().enumerate().map(number).collect();
        if self != Frequent::Copied || frequent.is_empty() || parts == 1 {
            // With one part all rows are in it anyway.
            return cut(frame, &numbers, parts);
        }
        let mask = BooleanChunked::from_iter_values(PlSmallStr::EMPTY, hashes.iter().map(is_frequent));
        let copied = frame.filter(&mask)?;
        let mut pieces = cut(frame, &numbers, parts)?;
        if copied.height() > 0 {
            pieces.iter_mut().try_for_each(|piece| piece.vstack_mut(&copied).map(|_| ()))?;
        }
        Ok(pieces)
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;

    /// What samples of some partitions of keys let expect of all.
    fn found(keys: impl Fn(i64) -> i64, rows: i64, partitions: i64, looked_at: &[i64]) -> f64 {
        let sample = SampleKeysKernel { keys: vec![HashKey::plain("k")], rows: 4096 };
        let each = rows / partitions;
        let table = |&at: &i64| {
            let keys: Vec<i64> = (at * each..(at + 1) * each).map(&keys).collect();
            sample.sample(at as u64, &df!("k" => keys).unwrap()).unwrap()
        };
        let tables: Vec<DataFrame> = looked_at.iter().map(table).collect();
        let seen = Samples::of(&tables).unwrap().scaled(partitions as usize);
        assert_eq!(seen.rows, rows as u64);
        seen.groups as f64
    }

    #[test]
    fn a_sample_tells_how_many_keys_there_are() {
        let mixed = |row: i64| row.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64) >> 20;
        let near = |found: f64, real: f64| assert!((0.6..1.6).contains(&(found / real)), "{found}, {real} in truth");
        // Few, many, as many as rows; equally frequent.
        near(found(|row| mixed(row).rem_euclid(100), 200_000, 10, &[2, 7]), 100.0);
        near(found(|row| mixed(row).rem_euclid(20_000), 200_000, 10, &[2, 7]), 20_000.0);
        near(found(|row| row, 200_000, 10, &[5]), 200_000.0);
        // A third of the rows have a few frequent keys, the others one each.
        near(found(|row| if row % 3 == 0 { row % 50 } else { row }, 200_000, 10, &[2, 7]), 133_350.0);
        // In the order of keys.
        near(found(|row| row / 200, 200_000, 10, &[2, 7]), 1000.0);
    }

    #[test]
    fn frequent_keys_are_spread_in_order_and_copied_to_all() {
        let keys: Vec<i64> = (0..1000).map(|row| if row % 3 == 0 { row } else { -1 }).collect();
        let data = df!("k" => &keys, "row" => (0_i64..1000).collect::<Vec<_>>()).unwrap();
        let on = vec![HashKey::plain("k")];
        let parts: Vec<DataFrame> = (0..4).map(|at| data.slice(at * 250, 250)).collect();
        let sample = SampleKeysKernel { keys: on.clone(), rows: 64 };
        let samples = (0..).zip(&parts).map(|(at, part)| sample.sample(at, part).unwrap()).collect();
        let table = FrequentKernel { parts: 8 }.frequent(samples).unwrap();
        assert_eq!(table.height(), 1);
        let mut pieces = vec![Vec::new(); 8];
        for (at, part) in (0..).zip(&parts) {
            let cut = Frequent::Spread(4).cut(at, part.clone(), &on, 8, &table).unwrap();
            pieces.iter_mut().zip(cut).for_each(|(pieces, cut)| pieces.push(cut));
        }
        let pieces: Vec<DataFrame> = pieces.into_iter().map(|pieces| join(pieces).unwrap()).collect();
        assert_eq!(pieces.iter().map(DataFrame::height).sum::<usize>(), 1000);
        assert!(pieces.iter().all(|piece| (90..170).contains(&piece.height())), "{pieces:?}");
        let rows = |piece: &DataFrame| -> Vec<i64> {
            let (keys, rows) = (piece.column("k").unwrap().i64().unwrap(), piece.column("row").unwrap().i64().unwrap());
            keys.iter().zip(rows.iter()).filter(|(key, _)| *key == Some(-1)).filter_map(|(_, row)| row).collect()
        };
        let spread: Vec<i64> = pieces.iter().flat_map(rows).collect();
        assert_eq!(spread, (0..1000).filter(|row| row % 3 != 0).collect::<Vec<_>>());
        let few = df!("k" => [5_i64, -1, 7, -1], "row" => [0_i64, 1, 2, 3]).unwrap();
        let copied = Frequent::Copied.cut(0, few, &on, 8, &table).unwrap();
        assert!(copied.iter().all(|piece| rows(piece) == [1, 3]));
        assert_eq!(copied.iter().map(DataFrame::height).sum::<usize>(), 18);
    }
}
