//! One CPU budget: polars' kernels stay on the thread of their task.

#[allow(unsafe_code)]
mod companion;

use polars_async::executor::ALLOW_RAYON_THREADS;

use companion::Companions;

/// The threads that polars' code runs on.
static COMPANIONS: Companions = Companions::new("talatat-frames", || ALLOW_RAYON_THREADS.set(false));

/// Runs polars code on one thread, however many threads polars' own pool has.
///
/// The executor already runs as many tasks as there are cores, and how polars cuts its work should not depend on the size of its pool.
/// Polars heeds a flag of the thread. It makes the thread a member of a pool of one for good, rayon calls of others included, so the
/// flag is set on threads that do nothing else, not on the caller's. They are kept: an allocator gives the memory of a thread that ends back
/// to the system, and the next one has to get it as fresh pages.
pub(crate) fn alone<R: Send>(run: impl FnOnce() -> R + Send) -> R {
    if ALLOW_RAYON_THREADS.get() { COMPANIONS.run(run) } else { run() }
}
