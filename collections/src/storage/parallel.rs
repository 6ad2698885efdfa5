//! The same call for many items, several at once: for what is done before there are tasks.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `run` for each item on up to `threads` threads; the results in the order of the items, or the first item's error that failed.
///
/// # Errors
/// Those of `run`. Items after one that failed may not have been looked at.
pub(crate) fn in_parallel<T: Sync, R: Send, E: Send>(
    items: &[T],
    threads: usize,
    run: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    if threads < 2 || items.len() < 2 {
        return items.iter().map(run).collect();
    }
    let next = AtomicUsize::new(0);
    let failed = AtomicUsize::new(usize::MAX);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            // What comes before a failure is still done: which error is told must not depend on the threads.
            let Some(item) = items.get(at).filter(|_| at < failed.load(Ordering::Relaxed)) else { return done };
            let result = run(item);
            if result.is_err() {
                failed.fetch_min(at, Ordering::Relaxed);
            }
            done.push((at, result));
        }
    };
    let mut all: Vec<(usize, Result<R, E>)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(items.len())).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    });
    all.sort_unstable_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::in_parallel;

    #[test]
    fn results_are_in_order_and_the_first_error_is_told() {
        let items: Vec<usize> = (0..1000).collect();
        for threads in [1, 2, 8] {
            let squares = in_parallel(&items, threads, |item| Ok::<_, ()>(item * item)).unwrap();
            assert!(squares.iter().enumerate().all(|(at, square)| at * at == *square));
            let error = in_parallel(&items, threads, |item| if item % 300 == 299 { Err(*item) } else { Ok(()) });
            assert_eq!(error, Err(299));
            assert!(in_parallel(&items[..0], threads, |_| Ok::<_, ()>(())).unwrap().is_empty());
        }
    }
}
