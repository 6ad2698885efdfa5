//! Results that are kept after a run because they cost much and are small, for graphs to come that need them again.
//!
//! ```text
//! Plan       supply: tasks whose results are here become sources, and what only they needed is culled
//! Executor   keeper: notes what each result costs, and hands in those that are worth it when their last reader is done
//! here       scores: which of them stay
//! ```
//!
//! Runs come first: what is kept is given back as soon as a run has no room left beside it ([`Reclaim`]), and a run that must use the disk
//! keeps nothing.

mod keeper;
mod scores;
mod supply;

use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::Reclaim;
use crate::key::Key;
use crate::value::Value;
pub(crate) use keeper::{Given, Keeper};
use scores::Scores;

/// Bytes that an entry takes beside its value, and a reason not to keep what is quick to compute.
const OVERHEAD: u64 = 256;

/// Results that cost less a byte, in nanoseconds, are not kept: it is about what memory takes.
const LEAST: f64 = 1.0;

/// Results kept by what they cost a byte. Made by a session; see [`RunContext::cache`](crate::RunContext::cache).
///
/// Kept are results that have a name which other graphs know ([`Kernel::lasting`](crate::Kernel::lasting)) and whose bytes are known. The cost of a result
/// is the time of the longest chain of tasks that led to it.
///
/// ```
/// use std::time::Duration;
/// use talatat_graph::{Key, Value, memory::Cache};
/// let cache = Cache::new(10_000);
/// cache.put(Key::of("model", &[]), Value::F64(0.5), Duration::from_secs(3));
/// assert!(cache.get(Key::of("model", &[])).is_some());
/// assert_eq!(cache.levels().results, 1);
/// ```
#[derive(Debug)]
pub struct Cache(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    scores: Scores,
    values: HashMap<Key, Value>,
    hits: u64,
}

/// What a cache holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheLevels {
    /// How many results.
    pub results: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How often a graph was given one, since the cache was made.
    pub hits: u64,
}

impl Cache {
    /// A cache of at most so many bytes.
    pub fn new(most: u64) -> Cache {
        Cache(Mutex::new(Inner { scores: Scores::new(most), values: HashMap::new(), hits: 0 }))
    }

    /// The result of this name, if it is here: it counts as used.
    pub fn get(&self, key: Key) -> Option<Value> {
        let inner = &mut *self.0.lock();
        let value = inner.values.get(&key)?.clone();
        inner.scores.used(key);
        inner.hits += 1;
        Some(value)
    }

    /// Offers a result and says what it cost.
    pub fn put(&self, key: Key, value: Value, cost: Duration) {
        self.put_all(vec![Given { key, value, cost: cost.as_secs_f64() }]);
    }

    pub(crate) fn put_all(&self, given: Vec<Given>) {
        // Freed at the end, not under the lock.
        let mut trash = Vec::new();
        let mut inner = self.0.lock();
        for Given { key, value, cost } in given {
            let bytes = value.nbytes() as u64 + OVERHEAD;
            let (kept, dropped) = inner.scores.put(key, cost * 1e9, bytes);
            trash.extend(dropped.iter().filter_map(|key| inner.values.remove(key)));
            trash.extend(if kept { inner.values.insert(key, value) } else { Some(value) });
        }
        drop(inner);
    }

    /// Whether a result of these bytes and this cost, in seconds, would be kept.
    fn wants(&self, key: Key, cost: f64, nbytes: u64) -> bool {
        let (cost, bytes) = (cost * 1e9, nbytes + OVERHEAD);
        cost >= LEAST * bytes as f64 && self.0.lock().scores.would_keep(key, cost, bytes)
    }

    fn is_empty(&self) -> bool {
        self.0.lock().values.is_empty()
    }

    /// What it holds.
    pub fn levels(&self) -> CacheLevels {
        let inner = self.0.lock();
        CacheLevels { results: inner.scores.len(), bytes: inner.scores.bytes(), hits: inner.hits }
    }
}

impl Reclaim for Cache {
    fn shrink(&self, most: u64) {
        let mut inner = self.0.lock();
        if inner.scores.bytes() > most {
            let dropped = inner.scores.shrink(most);
            let trash: Vec<Value> = dropped.iter().filter_map(|key| inner.values.remove(key)).collect();
            drop(inner);
            drop(trash);
        }
    }
}
