//! Quantiles that are nearly right, from a state that is small and merges.
//!
//! Elements are counted by the leading bits of their floating-point numbers (after HdrHistogram): all that lie between two neighbouring numbers
//! of `bits` bits after the point share a bucket, which knows how many they are, the least and the greatest. So a quantile is known to
//! a part of `2^-bits` of itself, and exactly at both ends and wherever a bucket holds one number. Counts add up: the state
//! depends on the elements alone, not on how they were cut or in which order they were merged.

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::dtype::with_dtype;
use super::error::{KernelError, Result};
use super::number::CastFrom;
use super::pool;

/// The bits of the fraction of a `f64`.
const FRACTION: u32 = 52;

/// What is counted.
///
/// ```
/// use talatat_kernels::Block;
/// use talatat_kernels::sketch::Sketch;
/// let sketch = Sketch { axis: None, bits: 10, skip_nan: false };
/// let halves = [Block::from_vec(&[2], vec![1, 5])?, Block::from_vec(&[3], vec![4, 2, 3])?];
/// let states = [sketch.of(&halves[0])?, sketch.of(&halves[1])?];
/// let both: Vec<[&Block; 4]> = states.iter().map(|state| state.each_ref()).collect();
/// let state = sketch.merge(&both)?;
/// let median = sketch.quantiles(state.each_ref(), &[0.5])?;
/// assert_eq!(median, Block::from_vec(&[1, 1], vec![3.0])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sketch {
    /// The axis along which elements are counted together; none for all elements.
    pub axis: Option<usize>,
    /// How many bits after the point are told apart: 1 to 20.
    pub bits: u32,
    /// Whether NaN is left out; else it makes the quantiles NaN.
    pub skip_nan: bool,
}

/// Neighbouring elements.
#[derive(Clone, Copy)]
struct Bucket {
    number: i64,
    low: f64,
    high: f64,
    count: i64,
}

impl Sketch {
    /// The state of a block: the least and the greatest element and the count of each bucket, and where the buckets of each lane end.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn of(&self, block: &Block) -> Result<[Block; 4]> {
        let shape = block.shape();
        let (outer, length, inner) = match self.axis {
            None => (1, block.len(), 1),
            Some(axis) => {
                let length = *shape.get(axis).ok_or(KernelError::Axis { axis, ndim: shape.len() })?;
                (shape[..axis].iter().product(), length, shape[axis + 1..].iter().product::<usize>())
            }
        };
        let packed = block.packed();
        let block = packed.as_ref().unwrap_or(block);
        let mut state = State::default();
        let mut line = pool::take::<f64>(length);
        with_dtype!(block.dtype(), T => {
            let view = block.view::<T>()?;
            let values = view.as_slice().unwrap_or_default();
            for lane in 0..outer * inner {
                let start = lane / inner * length * inner + lane % inner;
                let elements = values.get(start..).unwrap_or_default().iter().step_by(inner.max(1));
                for (slot, &x) in line.iter_mut().zip(elements) {
                    // Adding 0 makes one zero of both.
                    *slot = f64::cast_from(x) + 0.0;
                }
                state.push(self.counted(&line));
            }
        });
        pool::give(line);
        state.blocks()
    }

    /// The buckets of some elements, ascending.
    fn counted(&self, line: &[f64]) -> Vec<Bucket> {
        let (mut first, mut last, mut missing) = (i64::MAX, i64::MIN, 0);
        for &x in line {
            if x.is_nan() {
                missing += 1;
            } else {
                let number = self.number(x);
                (first, last) = (first.min(number), last.max(number));
            }
        }
        let present = line.iter().copied().filter(|x| !x.is_nan());
        let spread = last.checked_sub(first).and_then(|spread| usize::try_from(spread).ok());
        let mut buckets = match spread {
            // A table, if it is not much longer than the elements are many.
            Some(spread) if spread < 2 * line.len() + 4096 => {
                let empty = Bucket { number: 0, low: f64::INFINITY, high: f64::NEG_INFINITY, count: 0 };
                let mut table = vec![empty; spread + 1];
                for x in present {
                    let number = self.number(x);
                    if let Some(bucket) = table.get_mut((number - first) as usize) {
                        *bucket = Bucket {
                            number,
                            low: bucket.low.min(x),
                            high: bucket.high.max(x),
                            count: bucket.count + 1,
                        };
                    }
                }
                table.retain(|bucket| bucket.count > 0);
                table
            }
            _ => {
                let mut buckets: Vec<Bucket> = present.map(|x| self.bucket(x, x, 1)).collect();
                buckets.sort_unstable_by_key(|bucket| bucket.number);
                joined(&mut buckets);
                buckets
            }
        };
        if missing > 0 && !self.skip_nan {
            buckets.push(self.bucket(f64::NAN, f64::NAN, missing));
        }
        buckets
    }

    /// One state of several.
    ///
    /// # Errors
    /// If they are not states of as many lanes.
    pub fn merge(&self, states: &[[&Block; 4]]) -> Result<[Block; 4]> {
        let mut lanes: Vec<Vec<Bucket>> = Vec::new();
        for state in states {
            let read = self.read(*state)?;
            lanes.resize_with(read.len().max(lanes.len()), Vec::new);
            lanes.iter_mut().zip(read).for_each(|(lane, more)| lane.extend(more));
        }
        let mut merged = State::default();
        for mut lane in lanes {
            // The stable sort finds the sorted runs and merges them.
            lane.sort_by_key(|bucket| bucket.number);
            joined(&mut lane);
            merged.push(lane);
        }
        merged.blocks()
    }

    /// The quantiles, between the nearest two elements along a line: one row for each point, in which there is one for each lane.
    ///
    /// # Errors
    /// If it is no state.
    pub fn quantiles(&self, state: [&Block; 4], points: &[f64]) -> Result<Block> {
        let lanes = self.read(state)?;
        let mut found = pool::take::<f64>(points.len() * lanes.len());
        for (lane, buckets) in lanes.iter().enumerate() {
            let count: i64 = buckets.iter().map(|bucket| bucket.count).sum();
            let missing = count == 0 || buckets.last().is_some_and(|bucket| bucket.low.is_nan());
            for (number, &q) in points.iter().enumerate() {
                let rank = (count - 1) as f64 * q;
                let (low, share) = (rank.floor() as i64, rank - rank.floor());
                let value = match missing {
                    true => f64::NAN,
                    false if share == 0.0 => at(buckets, low),
                    false => super::quantile::lerp(at(buckets, low), at(buckets, low + 1), share),
                };
                if let Some(slot) = found.get_mut(number * lanes.len() + lane) {
                    *slot = value;
                }
            }
        }
        Block::from_vec(&[points.len(), lanes.len()], found)
    }

    /// The bucket of a number: its leading bits, in an order that is that of the numbers. NaN comes last.
    fn number(&self, x: f64) -> i64 {
        if x.is_nan() {
            return i64::MAX;
        }
        let bits = x.to_bits() as i64;
        let ordered = bits ^ ((bits >> 63) as u64 >> 1) as i64;
        ordered >> (FRACTION - self.bits.clamp(1, 20))
    }

    fn bucket(&self, low: f64, high: f64, count: i64) -> Bucket {
        Bucket { number: self.number(low), low, high, count }
    }

    /// The buckets of each lane.
    fn read(&self, [low, high, count, ends]: [&Block; 4]) -> Result<Vec<Vec<Bucket>>> {
        let (low, high) = (low.view::<f64>()?, high.view::<f64>()?);
        let (count, ends) = (count.view::<i64>()?, ends.view::<i64>()?);
        let mut rows = low.iter().zip(high.iter()).zip(count.iter());
        let mut start = 0;
        let lane = |&end: &i64| {
            let length = usize::try_from(end - start).unwrap_or(0);
            start = end;
            rows.by_ref().take(length).map(|((&low, &high), &count)| self.bucket(low, high, count)).collect()
        };
        Ok(ends.iter().map(lane).collect())
    }
}

/// Makes one bucket of neighbours of one number.
fn joined(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|later, first| {
        let same = later.number == first.number;
        if same {
            first.low = first.low.min(later.low);
            first.high = first.high.max(later.high);
            first.count += later.count;
        }
        same
    });
}

/// The element at a place in the order of all: in a bucket as if its elements lay at equal distances.
fn at(buckets: &[Bucket], place: i64) -> f64 {
    let mut before = 0;
    for bucket in buckets {
        let within = place - before;
        if within < bucket.count {
            if bucket.count == 1 || bucket.low == bucket.high {
                return bucket.low;
            }
            return super::quantile::lerp(bucket.low, bucket.high, within as f64 / (bucket.count - 1) as f64);
        }
        before += bucket.count;
    }
    buckets.last().map_or(f64::NAN, |bucket| bucket.high)
}

/// The buckets of all lanes, one after the other.
#[derive(Default)]
struct State {
    buckets: Vec<Bucket>,
    ends: Vec<i64>,
}

impl State {
    fn push(&mut self, buckets: Vec<Bucket>) {
        self.buckets.extend(buckets);
        self.ends.push(self.buckets.len() as i64);
    }

    fn blocks(self) -> Result<[Block; 4]> {
        let shape = [self.buckets.len()];
        Ok([
            Block::from_vec(&shape, self.buckets.iter().map(|bucket| bucket.low).collect())?,
            Block::from_vec(&shape, self.buckets.iter().map(|bucket| bucket.high).collect())?,
            Block::from_vec(&shape, self.buckets.iter().map(|bucket| bucket.count).collect())?,
            Block::from_vec(&[self.ends.len()], self.ends)?,
        ])
    }
}
