//! One CPU budget: polars' kernels stay on the thread of their task.

use polars_async::executor::ALLOW_RAYON_THREADS;

/// Runs polars code on one thread, however many threads polars' own pool has.
///
/// The executor already runs as many tasks as there are cores, and how polars cuts its work should not depend on the size of its pool.
/// Polars heeds a flag of the thread. It makes the thread a member of a pool of one for good, rayon calls of others included, so the
/// flag is set on a thread that lives as long as the call, not on the caller's. On blocks of 16 MiB the processor time was the same
/// with the flag, without it, and with the extra thread.
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
