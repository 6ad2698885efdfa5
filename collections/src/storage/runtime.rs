//! Waiting for futures from ordinary threads.
//!
//! [`wait`] polls on the calling thread. Local stores need no more: outside of a tokio runtime they do their file
//! calls right there. [`on_runtime`] hands the future to a private two-thread runtime first, because sockets and timers need
//! one, and waits for its handle. Neither enters a runtime on the calling thread, so both may be called from inside
//! another one; and as the work is never done by the caller's runtime, a blocked worker there blocks only itself.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Builder, Runtime};

use super::error::{Result, StorageError};

const THREADS: usize = 2;
/// Name resolution and the like.
const BLOCKING_THREADS: usize = 8;

/// A wake-up that is kept until it is taken. Not `thread::park`: its token is shared with whatever executor may be
/// further up on the same thread, and taking a token that was meant for it would leave it asleep.
#[derive(Default)]
struct Signal {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.raised.lock() = true;
        self.changed.notify_one();
    }
}

impl Signal {
    fn take(&self) {
        let mut raised = self.raised.lock();
        self.changed.wait_while(&mut raised, |raised| !*raised);
        *raised = false;
    }
}

/// Runs a future to its end on the calling thread.
pub(super) fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(Arc::clone(&signal));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => signal.take(),
        }
    }
}

/// The private runtime; made at the first use, kept to the end of the process.
pub(super) fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            Builder::new_multi_thread()
                .worker_threads(THREADS)
                .max_blocking_threads(BLOCKING_THREADS)
                .thread_name("talatat-io")
                .enable_all()
                .build()
                .map_err(|error| error.to_string())
        })
        .as_ref()
        .map_err(|reason| StorageError::Runtime { reason: reason.clone() })
}

/// Runs a future to its end on the private runtime.
pub(super) fn on_runtime<T, F>(future: F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    wait(runtime()?.spawn(future)).or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => Err(StorageError::Runtime { reason: error.to_string() }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_many_threads_at_once() {
        let total: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16_u64)
                .map(|i| scope.spawn(move || (0..50).map(|j| on_runtime(async move { i * j }).unwrap()).sum::<u64>()))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(total, 120 * 1225);
    }

    #[test]
    fn from_inside_other_runtimes() {
        for builder in [&mut Builder::new_current_thread(), Builder::new_multi_thread().worker_threads(1)] {
            let outer = builder.build().unwrap();
            let sum = outer.block_on(async { on_runtime(async { 1 }).unwrap() + wait(async { 2 }) });
            assert_eq!(sum, 3);
        }
    }

    #[test]
    fn a_panic_arrives_at_the_caller() {
        let caught = std::panic::catch_unwind(|| on_runtime(async { panic!("boom") }).map(|(): ()| ()));
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"boom"));
    }
}
