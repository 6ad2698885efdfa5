//! Who sleeps, and who is woken.
//!
//! A thread that goes to sleep puts itself on the list and then looks once more for work; whoever brings work looks at the list afterwards.
//! With a fence between the two steps on both sides, one of them sees the other.

use std::sync::Arc;
use std::time::Duration;

use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst, fence};
use crate::sync::{Condvar, Mutex};

/// Where one thread sleeps.
#[derive(Default)]
pub(crate) struct Parker {
    woken: Mutex<bool>,
    bell: Condvar,
}

impl Parker {
    /// Sleeps until it is woken, or at most for a time.
    pub(crate) fn park(&self, most: Option<Duration>) {
        let mut woken = self.woken.lock();
        if !*woken {
            match most {
                Some(most) => {
                    self.bell.wait_for(&mut woken, most);
                }
                None => {
                    while !*woken {
                        self.bell.wait(&mut woken);
                    }
                }
            }
        }
        *woken = false;
    }

    /// Wakes the thread, or lets its next sleep end at once.
    pub(crate) fn unpark(&self) {
        *self.woken.lock() = true;
        self.bell.notify_one();
    }
}

/// What a sleeping thread could do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Anything.
    Anything,
    /// Only what a certain thread submits: a call that this one waits for runs there.
    Help(usize),
    /// Only the call that it waits for, when what that needs is free.
    Need,
}

struct Sleeper {
    worker: usize,
    what: Use,
    parker: Arc<Parker>,
}

/// The sleeping threads of a pool.
#[derive(Default)]
pub(crate) struct Sleep {
    list: Mutex<Vec<Sleeper>>,
    /// The length of the list.
    asleep: AtomicUsize,
    /// Threads that were woken and have not looked for work yet: while there is one, no other is woken.
    waking: AtomicUsize,
}

impl Sleep {
    /// Puts a thread on the list. Afterwards it must look for work once more before it sleeps.
    pub(crate) fn lie_down(&self, worker: usize, what: Use, parker: &Arc<Parker>) {
        let mut list = self.list.lock();
        list.push(Sleeper { worker, what, parker: parker.clone() });
        self.asleep.fetch_add(1, SeqCst);
        drop(list);
        fence(SeqCst);
    }

    /// Takes a thread off the list. Whoever was woken is not on it any more, and says so here.
    pub(crate) fn get_up(&self, parker: &Arc<Parker>) {
        let mut list = self.list.lock();
        if let Some(at) = list.iter().position(|sleeper| Arc::ptr_eq(&sleeper.parker, parker)) {
            list.swap_remove(at);
            self.asleep.fetch_sub(1, SeqCst);
        } else {
            self.waking.fetch_sub(1, SeqCst);
        }
    }

    /// There is new work, which `from` has submitted if a thread of the pool did: wakes a thread for it, if one sleeps and none is waking.
    #[inline]
    pub(crate) fn wake_one(&self, from: Option<usize>, allowed: impl Fn(usize) -> bool) {
        fence(SeqCst);
        if self.asleep.load(Relaxed) > 0 && self.waking.load(Relaxed) == 0 {
            self.wake(from, allowed);
        }
    }

    #[cold]
    fn wake(&self, from: Option<usize>, allowed: impl Fn(usize) -> bool) {
        let mut list = self.list.lock();
        let idle = list.iter().rposition(|sleeper| sleeper.what == Use::Anything && allowed(sleeper.worker));
        let helps = || from.and_then(|from| list.iter().position(|sleeper| sleeper.what == Use::Help(from)));
        if let Some(at) = idle.or_else(helps) {
            let sleeper = list.swap_remove(at);
            self.asleep.fetch_sub(1, SeqCst);
            self.waking.fetch_add(1, SeqCst);
            drop(list);
            sleeper.parker.unpark();
        }
    }

    /// Wakes all threads that could do anything.
    pub(crate) fn wake_all(&self, allowed: impl Fn(usize) -> bool) {
        self.wake_each(|sleeper| sleeper.what == Use::Anything && allowed(sleeper.worker));
    }

    /// Wakes all threads that wait for what a call needs.
    pub(crate) fn wake_needy(&self) {
        self.wake_each(|sleeper| sleeper.what == Use::Need);
    }

    fn wake_each(&self, which: impl Fn(&Sleeper) -> bool) {
        fence(SeqCst);
        if self.asleep.load(Relaxed) == 0 {
            return;
        }
        let mut woken = Vec::new();
        self.list.lock().retain(|sleeper| {
            let wake = which(sleeper);
            if wake {
                woken.push(sleeper.parker.clone());
            }
            !wake
        });
        self.asleep.fetch_sub(woken.len(), SeqCst);
        self.waking.fetch_add(woken.len(), SeqCst);
        woken.iter().for_each(|parker| parker.unpark());
    }
}
