//! Something that is done again and again while a run goes on.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// A thread that calls a function after each pause that the function asks for, until it is dropped.
pub(crate) struct Ticker {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Calls `tick` for the first time after `first`; what it returns is the next pause. If the system gives no thread, nothing is called.
    pub(crate) fn start(name: &str, first: Duration, mut tick: impl FnMut() -> Duration + Send + 'static) -> Ticker {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let shared = stop.clone();
        let work = move || {
            let (stopped, signal) = &*shared;
            let mut pause = first;
            loop {
                let mut stopped = stopped.lock();
                if !*stopped {
                    signal.wait_for(&mut stopped, pause);
                }
                if *stopped {
                    return;
                }
                drop(stopped);
                pause = tick();
            }
        };
        Ticker { stop, thread: std::thread::Builder::new().name(name.into()).spawn(work).ok() }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id()) {
            // A tick that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn ticks_until_it_is_dropped() {
        let (sender, receiver) = mpsc::channel();
        let ticker = Ticker::start("test", Duration::ZERO, move || {
            let _ = sender.send(());
            Duration::ZERO
        });
        (0..3).for_each(|_| receiver.recv().unwrap());
        drop(ticker);
        receiver.try_iter().count();
        assert!(receiver.recv().is_err(), "the thread has ended, and what it held is gone");
    }
}
