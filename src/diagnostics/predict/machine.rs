//! What the machine can do: how fast its threads copy memory.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Bytes that a thread copies from and to: more than most caches keep for one.
const EACH: usize = 16 << 20;
/// At least so many bytes in all, so that shared caches do not hold them.
const ALL: usize = 64 << 20;
/// The best of so many passes counts: whatever else runs makes it slower, never faster.
const PASSES: usize = 4;
/// The part of a memory limit that measuring may take.
const SHARE: u64 = 16;
/// Shorter runs are not worth it.
pub(super) const WORTHWHILE: Duration = Duration::from_millis(100);

/// Bytes a second that so many threads read and write together when each copies memory of its own: what no operation on blocks that come from
/// memory and go there can exceed. Takes 64 MiB (16 MiB a thread if that is more) and about 50 ms; the system's `memcpy` does the work, so it does
/// not matter how this crate was compiled. `None` if a memory limit leaves no room for it, or the clock sees no time go by.
pub(super) fn copying(threads: usize, limit: Option<u64>) -> Option<f64> {
    let bytes = ALL.max(threads.checked_mul(EACH)?);
    if limit.is_some_and(|limit| bytes as u64 > limit / SHARE) {
        return None;
    }
    rate(threads.max(1), bytes)
}

fn rate(threads: usize, bytes: usize) -> Option<f64> {
    // Written, not only reserved: fresh pages would be measured instead of memory.
    let (from, mut to) = (vec![1_u8; bytes / 2], vec![2_u8; bytes / 2]);
    let share = from.len().div_ceil(threads).max(1);
    let mut best = Duration::MAX;
    for _ in 0..PASSES {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for (from, to) in from.chunks(share).zip(to.chunks_mut(share)) {
                scope.spawn(move || to.copy_from_slice(black_box(from)));
            }
        });
        best = best.min(start.elapsed());
        black_box(&mut to);
    }
    let rate = 2.0 * from.len() as f64 / best.as_secs_f64();
    Some(rate).filter(|rate| rate.is_finite() && *rate > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_for_any_number_of_threads() {
        for threads in [1, 3, 1000] {
            assert!(rate(threads, 1 << 20).is_some_and(|rate| rate > 0.0));
        }
    }

    #[test]
    fn a_small_memory_limit_leaves_no_room() {
        assert_eq!(copying(1, Some(16 * ALL as u64 - 1)), None);
        assert_eq!(copying(usize::MAX, None), None);
    }
}
