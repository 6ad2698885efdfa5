//! Threads that work for a caller who waits.
//!
//! Work that borrows from its caller may run on another thread if the caller waits for its end. `std::thread::scope` does that with a new
//! thread each time. For a thread that is there already the borrow checker cannot see the waiting: that is the one unsafe line here.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SendError, Sender, SyncSender, channel, sync_channel};
use std::thread::Builder;

use parking_lot::Mutex;

type Work = Box<dyn FnOnce() + Send>;
/// What is to be done, and whom to tell.
type Job = (Work, SyncSender<()>);

/// So many threads are kept when nobody needs them.
const MOST_IDLE: usize = 64;

/// Threads of a kind: as many as work at once.
pub(super) struct Companions {
    name: &'static str,
    /// What each does first.
    begin: fn(),
    idle: Mutex<Vec<Sender<Job>>>,
}

impl Companions {
    pub(super) const fn new(name: &'static str, begin: fn()) -> Companions {
        Companions { name, begin, idle: Mutex::new(Vec::new()) }
    }

    /// Runs work on one of the threads and waits for it. A panic goes on in the caller. Where the system has no thread to give, it runs on
    /// the caller's.
    pub(super) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let known = self.idle.lock().pop();
        let Some(companion) = known.or_else(|| self.start()) else { return work() };
        let mut result = None;
        let (done, over) = sync_channel(1);
        {
            let slot = &mut result;
            let work: Box<dyn FnOnce() + Send + '_> =
                Box::new(move || *slot = Some(catch_unwind(AssertUnwindSafe(work))));
            // SAFETY: only the lifetime changes. The work borrows what lives until this function returns, and it does not return before the
            // work has been dropped: `over.recv()` ends when `done` is sent, after the work has run, or is dropped, which happens behind
            // the work in the same thread, or here if the thread has gone. Nothing in between can panic.
            let work = unsafe { std::mem::transmute::<Box<dyn FnOnce() + Send + '_>, Work>(work) };
            match companion.send((work, done)) {
                Ok(()) => {
                    let _ = over.recv();
                    self.keep(companion);
                }
                Err(SendError((work, _))) => work(),
            }
        }
        match result {
            Some(Ok(result)) => result,
            Some(Err(panic)) => resume_unwind(panic),
            None => resume_unwind(Box::new("a thread ended before its work")),
        }
    }

    fn keep(&self, companion: Sender<Job>) {
        let mut idle = self.idle.lock();
        if idle.len() < MOST_IDLE {
            idle.push(companion);
        }
    }

    fn start(&self) -> Option<Sender<Job>> {
        let (give, take): (_, Receiver<Job>) = channel();
        let begin = self.begin;
        let live = move || {
            begin();
            for (work, done) in take {
                work();
                let _ = done.send(());
            }
        };
        Builder::new().name(self.name.into()).spawn(live).ok().map(|_| give)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    thread_local!(static BEGUN: Cell<u32> = const { Cell::new(0) });

    fn companions() -> Companions {
        Companions::new("companion", || BEGUN.set(BEGUN.get() + 1))
    }

    #[test]
    fn work_borrows_from_its_caller() {
        let companions = companions();
        let words = ["a".to_string(), "b".to_string()];
        let mut lengths = Vec::new();
        let here = thread::current().id();
        let count = companions.run(|| {
            lengths.extend(words.iter().map(String::len));
            assert_ne!(thread::current().id(), here);
            (words.len(), BEGUN.get())
        });
        assert_eq!((count, lengths), ((2, 1), vec![1, 1]));
    }

    #[test]
    fn threads_are_used_again_after_panics_too() {
        let companions = companions();
        let mut threads = HashSet::new();
        for round in 0..10 {
            let id = companions.run(|| thread::current().id());
            threads.insert(id);
            let what = [round];
            let panic = catch_unwind(AssertUnwindSafe(|| {
                companions.run(|| {
                    if what.len() == 1 {
                        resume_unwind(Box::new(what[0]))
                    }
                })
            }));
            assert_eq!(panic.unwrap_err().downcast_ref::<i32>(), Some(&round));
        }
        assert_eq!(threads.len(), 1);
        assert_eq!(companions.run(|| BEGUN.get()), 1);
    }

    #[test]
    fn many_callers_have_a_thread_each() {
        let companions = companions();
        let seen = Mutex::new(HashSet::new());
        thread::scope(|scope| {
            for caller in 0..6_usize {
                let (companions, seen) = (&companions, &seen);
                scope.spawn(move || {
                    for round in 0..200 {
                        let numbers: Vec<usize> = (0..round).collect();
                        let sum = companions.run(|| {
                            seen.lock().insert(thread::current().id());
                            // Work that asks for a thread of its own has another one.
                            companions.run(|| numbers.iter().sum::<usize>()) + caller
                        });
                        assert_eq!(sum, round * round.saturating_sub(1) / 2 + caller);
                    }
                });
            }
        });
        let (seen, idle) = (seen.lock().len(), companions.idle.lock().len());
        assert!(seen <= 12 && idle <= 12, "{seen} threads have worked, {idle} are left");
    }

    #[test]
    fn a_thread_that_has_gone_is_no_loss() {
        let companions = companions();
        let (give, take) = channel();
        drop(take);
        companions.idle.lock().push(give);
        assert_eq!(companions.run(|| 7), 7);
        assert!(companions.idle.lock().is_empty());
    }
}
