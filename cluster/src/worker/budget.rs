//! The memory that units which run at once may need together.

use parking_lot::{Condvar, Mutex};

/// Bytes that units reserve before they start.
#[derive(Default)]
pub(super) struct Budget {
    limit: Option<u64>,
    reserved: Mutex<Reserved>,
    freed: Condvar,
}

#[derive(Default)]
struct Reserved {
    bytes: u64,
    units: usize,
}

/// Bytes of a budget; dropping gives them back.
pub(super) struct Reservation<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Budget {
        Budget { limit: Some(limit), ..Budget::default() }
    }

    pub(super) fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Waits until the bytes fit, or nothing else runs.
    pub(super) fn reserve(&self, bytes: u64) -> Reservation<'_> {
        let mut reserved = self.reserved.lock();
        while let Some(limit) = self.limit
            && reserved.units > 0
            && reserved.bytes.saturating_add(bytes) > limit
        {
            self.freed.wait(&mut reserved);
        }
        reserved.bytes = reserved.bytes.saturating_add(bytes);
        reserved.units += 1;
        Reservation { budget: self, bytes }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut reserved = self.budget.reserved.lock();
        reserved.bytes = reserved.bytes.saturating_sub(self.bytes);
        reserved.units -= 1;
        drop(reserved);
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn what_does_not_fit_waits() {
        let budget = Budget::new(100);
        let first = budget.reserve(60);
        let (started, waits) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let second = budget.reserve(60);
                let _ = started.send(second.budget.reserved.lock().bytes);
                drop(second);
            });
            assert_eq!(budget.reserved.lock().bytes, 60);
            drop(first);
            assert_eq!(waits.recv(), Ok(60));
        });
        // More than there is runs alone.
        assert_eq!(budget.reserve(1000).bytes, 1000);
    }
}
