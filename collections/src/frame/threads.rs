//! One CPU budget: polars' kernels stay on the thread of their task.

use polars_async::executor::ALLOW_RAYON_THREADS;

/// Runs polars code on one thread, however many threads polars' own pool has.
///
/// The executor already runs as many tasks as there are cores; if each of them used polars' pool as well, threads would multiply, and
/// sums of floats would depend on how many there are. Polars heeds a flag of the thread. It
/// makes the thread a member of a pool of one for good, rayon calls of others included, so the flag is set on a thread
/// that lives as long as the call, not on the caller's.
pub(crate) fn alone<R: Send>(run: impl FnOnce() -> R + Send) -> R {
    if !ALLOW_RAYON_THREADS.get() {
        return run();
    }
    let result = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            ALLOW_RAYON_THREADS.set(false);
            run()
        });
        worker.join()
    });
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
