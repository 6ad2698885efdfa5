//! Memory that the machine has left, which may shrink while a graph runs: others live on it, too.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tells what the machine has left.
pub trait Headroom: Send + Sync {
    /// Bytes that this process could still get without anybody being short of memory; `None` if that is not known.
    fn available(&self) -> Option<u64>;
}

/// How often it is asked: often enough to see others grow, seldom enough not to be seen.
const EVERY: Duration = Duration::from_millis(50);

/// What is left to others, as a share of what is available.
const OTHERS: u64 = 8;

/// Asks now and then, and remembers.
pub(crate) struct Watch {
    source: Arc<dyn Headroom>,
    /// When it was asked, and what may be held since then.
    asked: Cell<Option<(Instant, u64)>>,
}

impl Watch {
    pub(crate) fn new(source: Arc<dyn Headroom>) -> Watch {
        Watch { source, asked: Cell::new(None) }
    }

    /// The limit, or what is held and available, if that is less.
    pub(crate) fn allowed(&self, limit: u64, live: u64) -> u64 {
        let allowed = match self.asked.get() {
            Some((when, allowed)) if when.elapsed() < EVERY => allowed,
            _ => {
                let available = self.source.available().map(|bytes| bytes - bytes / OTHERS);
                let allowed = available.map_or(u64::MAX, |bytes| live.saturating_add(bytes));
                self.asked.set(Some((Instant::now(), allowed)));
                allowed
            }
        };
        limit.min(allowed)
    }
}
