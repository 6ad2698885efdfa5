//! Memory that is kept beside what results hold, and how it goes back when a run is short of it.
//!
//! Three keep memory for later: the pools of buffers, the cache of results, and the allocator, which holds on to pages that were freed. A memory
//! limit that only counted results would not hold: what is freed must be gone.

mod trim;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use talatat_collections::Pools;
use talatat_collections::config::own_memory;
use talatat_graph::memory::{Cache, Reclaim};

pub(super) use trim::trim;

/// Asks the allocator to give freed pages back to the system.
pub(super) type GiveBack = Arc<dyn Fn() + Send + Sync>;

/// How often the process's memory is looked at: before threads can have filled a quarter of the limit, at 5 bytes a nanosecond.
fn every(limit: u64) -> Duration {
    Duration::from_nanos(limit / 20).clamp(Duration::from_millis(2), Duration::from_millis(100))
}

/// How long pages are left with the allocator where giving back brought next to nothing, unless there are more of them: what is there is in use.
const SELDOM: Duration = Duration::from_millis(500);

/// Growth that is worth giving back, as a share of the limit.
const WORTH: u64 = 32;

/// All that runs under a limit keep.
pub(super) struct Keepers {
    cache: Option<Arc<Cache>>,
    limit: u64,
    give_back: GiveBack,
    looked: Mutex<Looked>,
}

/// What was seen of the process's memory.
#[derive(Default)]
struct Looked {
    last: Option<Instant>,
    /// When pages were given back, and what the process had then.
    gave: Option<(Instant, u64)>,
}

impl Keepers {
    pub(super) fn new(cache: Option<Arc<Cache>>, limit: u64, give_back: GiveBack) -> Keepers {
        Keepers { cache, limit, give_back, looked: Mutex::default() }
    }
}

impl Reclaim for Keepers {
    fn shrink(&self, most: u64) {
        let cached = self.cache.as_ref().map_or(0, |cache| {
            cache.shrink(most);
            cache.levels().bytes
        });
        Pools.shrink(most.saturating_sub(cached));
        // One thread that looks is enough.
        let Some(mut looked) = self.looked.try_lock() else { return };
        let now = Instant::now();
        if looked.last.is_some_and(|last| now < last + every(self.limit)) {
            return;
        }
        looked.last = Some(now);
        let Some(own) = own_memory().filter(|&own| own > self.limit / 4 * 3) else { return };
        let worth = |&(when, left): &(Instant, u64)| own > left + self.limit / WORTH || now > when + SELDOM;
        if looked.gave.as_ref().is_none_or(worth) {
            (self.give_back)();
            looked.gave = Some((now, own_memory().unwrap_or(own)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_allocator_is_asked_when_memory_is_short_and_not_all_the_time() {
        let Some(own) = own_memory() else { return };
        let asked = Arc::new(AtomicUsize::new(0));
        let with_limit = |limit| {
            let asked = asked.clone();
            let ask = move || {
                asked.fetch_add(1, Ordering::Relaxed);
            };
            Keepers::new(None, limit, Arc::new(ask))
        };
        with_limit(own.saturating_mul(100)).shrink(0);
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        let tight = with_limit(own / 2);
        tight.shrink(0);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let look_again = || {
            tight.looked.lock().last = None;
            tight.shrink(0);
            asked.load(Ordering::Relaxed)
        };
        // What is there is in use.
        tight.looked.lock().gave = Some((Instant::now() + SELDOM, u64::MAX / 2));
        assert_eq!(look_again(), 1);
        tight.looked.lock().gave = Some((Instant::now() + SELDOM, 0));
        assert_eq!(look_again(), 2, "there is more");
    }
}
