//! Recycling of block buffers.
//!
//! The first touch of fresh pages costs about ten times a fill of warm ones, so buffers of
//! blocks that die are kept for the blocks that come. One lock guards all shelves: it is held
//! for two or three tree look-ups per block of at least 4 KiB, and lets the oldest buffer be
//! found whatever its type.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::dtype::{DType, Element, for_each_dtype, with_dtype};

/// Buffers with less capacity than this (bytes) are left to the allocator.
pub const SMALLEST_RETAINED: usize = 4096;

/// Bytes retained at most, over all types, until [`set_limit`] says otherwise.
pub const DEFAULT_LIMIT: usize = 512 << 20;

/// A buffer may have at most this many times the capacity that is asked for.
const WASTE: usize = 2;

static POOL: Mutex<Pool> =
    Mutex::new(Pool { shelves: Shelves::new(), ages: BTreeMap::new(), clock: 0, bytes: 0, limit: DEFAULT_LIMIT });
static HITS: AtomicU64 = AtomicU64::new(0);
static MISSES: AtomicU64 = AtomicU64::new(0);

struct Pool {
    shelves: Shelves,
    /// Where the buffer that was given at a time is: the key of [`POOL`]'s shelves.
    ages: BTreeMap<u64, (DType, usize)>,
    clock: u64,
    bytes: usize,
    limit: usize,
}

/// Retained buffers of one type by capacity, then by the time they were given.
#[doc(hidden)]
#[derive(Debug)]
pub struct Shelf<T>(BTreeMap<(usize, u64), Vec<T>>);

macro_rules! define_shelves {
    ($($variant:ident, $rust:ty, $name:literal;)*) => {
        /// The shelves of all types.
        #[doc(hidden)]
        #[allow(non_snake_case)]
        #[derive(Debug)]
        pub struct Shelves { $(pub(super) $variant: Shelf<$rust>),* }

        impl Shelves {
            const fn new() -> Self {
                Shelves { $($variant: Shelf(BTreeMap::new())),* }
            }
        }
    };
}

for_each_dtype!(define_shelves);

impl Pool {
    fn take<T: Element>(&mut self, len: usize) -> Option<Vec<T>> {
        let shelf = &mut T::shelf(&mut self.shelves).0;
        let (&key, _) = shelf.range((len, 0)..=(len.saturating_mul(WASTE), u64::MAX)).next()?;
        let buffer = shelf.remove(&key)?;
        self.ages.remove(&key.1);
        self.bytes -= bytes_of(&buffer);
        Some(buffer)
    }

    fn give<T: Element>(&mut self, buffer: Vec<T>) {
        self.clock += 1;
        let key = (buffer.capacity(), self.clock);
        self.bytes += bytes_of(&buffer);
        self.ages.insert(key.1, (T::DTYPE, key.0));
        T::shelf(&mut self.shelves).0.insert(key, buffer);
    }

    /// Takes out the oldest buffers until the limit holds; the caller frees them outside the lock.
    fn evict(&mut self, limit: usize) -> Vec<Box<dyn Any>> {
        let mut dropped: Vec<Box<dyn Any>> = Vec::new();
        while self.bytes > limit {
            let Some((stamp, (dtype, capacity))) = self.ages.pop_first() else {
                break;
            };
            with_dtype!(dtype, T => {
                if let Some(buffer) = <T as super::Lane>::shelf(&mut self.shelves).0.remove(&(capacity, stamp)) {
                    self.bytes -= bytes_of(&buffer);
                    dropped.push(Box::new(buffer));
                }
            });
        }
        dropped
    }
}

fn bytes_of<T>(buffer: &Vec<T>) -> usize {
    buffer.capacity() * size_of::<T>()
}

/// A buffer of `len` elements, whose contents are whatever its last user left, or zeros.
///
/// The best fit among the retained buffers of at most twice the capacity; O(log n) in their number.
///
/// ```
/// use talatat_kernels::pool;
/// let buffer = pool::take::<f64>(1000);
/// assert_eq!(buffer.len(), 1000);
/// pool::give(buffer);
/// ```
pub fn take<T: Element>(len: usize) -> Vec<T> {
    let mut retained = None;
    // A buffer of half this size may have been retained for its capacity.
    if len.saturating_mul(size_of::<T>() * WASTE) >= SMALLEST_RETAINED {
        retained = POOL.lock().take::<T>(len);
        if retained.is_some() { &HITS } else { &MISSES }.fetch_add(1, Relaxed);
    }
    match retained {
        Some(mut buffer) => {
            buffer.resize(len, T::default());
            buffer
        }
        None => vec![T::default(); len],
    }
}

/// A copy of a slice in a recycled buffer.
pub fn copy_of<T: Element>(values: &[T]) -> Vec<T> {
    let mut buffer = take(values.len());
    buffer.copy_from_slice(values);
    buffer
}

/// Hands a buffer back for reuse. Small ones, and ones above the limit, are freed.
pub fn give<T: Element>(buffer: Vec<T>) {
    let bytes = bytes_of(&buffer);
    if bytes < SMALLEST_RETAINED {
        return;
    }
    let mut pool = POOL.lock();
    if bytes > pool.limit {
        drop(pool);
        return;
    }
    pool.give(buffer);
    let limit = pool.limit;
    let dropped = pool.evict(limit);
    drop(pool);
    drop(dropped);
}

/// Sets how many bytes may be retained over all types (0 turns recycling off); drops what is above.
pub fn set_limit(bytes: usize) {
    let mut pool = POOL.lock();
    pool.limit = bytes;
    let dropped = pool.evict(bytes);
    drop(pool);
    drop(dropped);
}

/// Frees the oldest retained buffers until no more than `bytes` are retained.
pub fn shrink(bytes: usize) {
    let mut pool = POOL.lock();
    let dropped = if pool.bytes > bytes { pool.evict(bytes) } else { Vec::new() };
    drop(pool);
    drop(dropped);
}

/// Frees all retained buffers.
pub fn clear() {
    shrink(0);
}

/// Counts of the pool since the process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatistics {
    /// Requests met by a retained buffer.
    pub hits: u64,
    /// Requests that went to the allocator (those too small for the pool are not counted).
    pub misses: u64,
    /// Bytes retained now.
    pub retained: usize,
    /// Bytes that may be retained.
    pub limit: usize,
}

/// What the pool has done and holds.
pub fn statistics() -> PoolStatistics {
    let pool = POOL.lock();
    PoolStatistics { hits: HITS.load(Relaxed), misses: MISSES.load(Relaxed), retained: pool.bytes, limit: pool.limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty(limit: usize) -> Pool {
        Pool { shelves: Shelves::new(), ages: BTreeMap::new(), clock: 0, bytes: 0, limit }
    }

    #[test]
    fn best_fit_within_twice_the_size() {
        let mut pool = empty(usize::MAX);
        for capacity in [1000, 3000, 2000] {
            pool.give(Vec::<i32>::with_capacity(capacity));
        }
        assert_eq!(pool.bytes, 24_000);
        assert_eq!(pool.take::<i32>(1500).map(|b| b.capacity()), Some(2000));
        assert_eq!(pool.take::<i32>(1499), None, "3000 is more than twice 1499");
        assert_eq!(pool.take::<u32>(1000), None, "another type");
        assert_eq!(pool.take::<i32>(1000).map(|b| b.capacity()), Some(1000));
        assert_eq!(pool.bytes, 12_000);
        assert_eq!(pool.ages.len(), 1);
    }

    #[test]
    fn the_oldest_goes_first_whatever_its_type() {
        let mut pool = empty(usize::MAX);
        pool.give(Vec::<u8>::with_capacity(100));
        pool.give(Vec::<f64>::with_capacity(100));
        pool.give(Vec::<bool>::with_capacity(100));
        assert_eq!(pool.evict(950).len(), 1);
        assert_eq!(pool.bytes, 900);
        assert_eq!(pool.take::<u8>(100), None);
        assert_eq!(pool.evict(0).len(), 2);
        assert_eq!((pool.bytes, pool.ages.len()), (0, 0));
    }

    #[test]
    fn small_buffers_are_not_retained_and_lengths_are_right() {
        // An element count no other test uses, so that what other tests retain does not fit.
        let len = 77_777_777;
        let mut buffer = take::<u8>(len);
        buffer[len - 1] = 7;
        give(buffer);
        let again = take::<u8>(len - 5);
        assert_eq!(again.len(), len - 5);
        let small = take::<u8>(10);
        assert_eq!(small, [0; 10]);
        give(small);
        assert_eq!(take::<i64>(0), Vec::<i64>::new());
    }
}
