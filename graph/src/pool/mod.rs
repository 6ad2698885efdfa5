//! The threads of a session: they run graphs and submitted calls. How they share work is told in `README.md`.

mod deque;
mod here;
mod sleep;
mod wait;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::futures::{Agenda, Need, Node, Standing};
use crate::sync::atomic::{
    AtomicBool, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::SeqCst,
};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Mutex, now};
use deque::Deque;
use sleep::{Sleep, Use};

pub(crate) use here::Here;
pub(crate) use sleep::Parker;
pub(crate) use wait::{begin, run_one, wait};
pub use watch::Observing;
use watch::Watchers;

/// Threads that work together, on graphs and on submitted calls. Cloning shares them; they end with the last clone.
#[derive(Clone)]
pub struct Pool(Arc<Owner>);

/// Ends the threads when the last pool goes.
struct Owner {
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    start: Option<Start>,
}

/// What each thread does first.
type Start = Arc<dyn Fn(usize) + Send + Sync>;

/// What the threads share.
pub(crate) struct Shared {
    /// How many threads may work at once; none if calls run where they are submitted.
    threads: usize,
    /// A deque for each thread, and one for a thread from outside that works for a while.
    deques: Box<[Deque]>,
    agenda: Mutex<Agenda<Arc<dyn Node>>>,
    /// Calls in the agenda that may start, and those that will; only a hint without the lock.
    ready: AtomicUsize,
    later: AtomicBool,
    /// Runs of graphs that want help.
    offers: Mutex<Vec<Arc<dyn Offer>>>,
    offered: AtomicUsize,
    sleep: Sleep,
    /// Threads from outside that work now: while there is one, the last of ours does not.
    guests: AtomicUsize,
    guest_sits: AtomicBool,
    /// Threads of the pool that were started.
    started: AtomicUsize,
    closed: AtomicBool,
    watchers: Watchers,
}

/// A run that threads can help with.
pub(crate) trait Offer: Send + Sync {
    /// Helps until nothing is left to do, or calls wait for the thread. Whether the run is over.
    fn help(self: Arc<Self>, worker: usize) -> bool;

    /// Lets idle helpers see that calls wait.
    fn nudge(&self);
}

enum Found {
    Call(Arc<dyn Node>, Option<Grant>),
    Run(Arc<dyn Offer>),
}

/// What was reserved for a call.
pub(crate) struct Grant {
    pool: Arc<Shared>,
    need: Arc<Need>,
    runs: bool,
}

/// Bytes that are held: see [`Pool::hold`].
#[must_use]
pub struct Held(#[allow(dead_code, reason = "it is held to be dropped")] Grant);

impl Grant {
    /// The call has ended: its resources are free. Its bytes are when its result is dropped.
    pub(crate) fn end(&mut self) {
        if std::mem::replace(&mut self.runs, false) {
            self.release(|agenda, need| agenda.give_back(need));
        }
    }

    fn release(&self, release: impl FnOnce(&mut Agenda<Arc<dyn Node>>, &Need)) {
        let mut agenda = self.pool.agenda.lock();
        release(&mut agenda, &self.need);
        self.pool.ready.store(agenda.ready(), Relaxed);
        drop(agenda);
        self.pool.call();
        self.pool.sleep.wake_needy();
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.end();
        if self.need.bytes > 0 {
            self.release(|agenda, need| agenda.free(need.bytes));
        }
    }
}

/// More threads no pool has, whatever is asked for: each has books of its own.
const MOST_THREADS: usize = 65_536;

impl Pool {
    /// A pool of `threads` threads, the one included that calls `execute`; the last one is started when it is needed. `start` is the first
    /// thing that each of them does.
    pub(crate) fn new(threads: usize, start: Option<Start>) -> Pool {
        let threads = threads.clamp(1, MOST_THREADS);
        let shared = Shared::new(threads);
        let pool = Pool(Arc::new(Owner { shared: Arc::new(shared), workers: Mutex::new(Vec::new()), start }));
        for number in 0..threads - 1 {
            if !pool.start(number) {
                break;
            }
        }
        pool
    }

    /// A pool without threads: calls run at once, on the thread that submits them.
    pub fn inline() -> Pool {
        Pool(Arc::new(Owner { shared: Arc::new(Shared::new(0)), workers: Mutex::new(Vec::new()), start: None }))
    }

    /// Whether calls run where they are submitted.
    pub(crate) fn is_inline(&self) -> bool {
        self.0.shared.threads == 0
    }

    /// How many threads there are, the one included that calls `execute`.
    pub(crate) fn threads(&self) -> usize {
        (self.0.workers.lock().len() + 1).min(self.0.shared.threads.max(1))
    }

    /// Whether this is the deque of threads from outside.
    pub(crate) fn is_guests(&self, deque: usize) -> bool {
        deque == self.0.shared.threads
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    fn start(&self, number: usize) -> bool {
        let (shared, start) = (self.0.shared.clone(), self.0.start.clone());
        let worker = thread::Builder::new().name(format!("talatat-{number}")).spawn(move || {
            if let Some(start) = start {
                start(number);
            }
            shared.serve(number);
        });
        match worker {
            Ok(worker) => {
                self.0.workers.lock().push(worker);
                self.0.shared.started.fetch_add(1, SeqCst);
                true
            }
            Err(_) => false,
        }
    }

    /// Says how much there is of a resource.
    pub fn set_resource(&self, name: &str, total: u64) {
        self.0.shared.agenda.lock().set_resource(name.into(), total);
    }

    /// Says how many bytes calls may reserve together.
    pub fn set_memory_limit(&self, limit: Option<u64>) {
        self.0.shared.agenda.lock().set_memory_limit(limit);
    }

    /// Bytes that calls which run, and results that are held, have reserved.
    pub fn reserved(&self) -> u64 {
        self.0.shared.agenda.lock().reserved()
    }

    /// Takes bytes, whether they are free or not, until what is given is dropped: for work that does not wait for its turn.
    pub fn hold(&self, bytes: u64) -> Held {
        let need = Arc::new(Need::default().bytes(bytes));
        self.0.shared.agenda.lock().take(&need);
        Held(Grant { pool: self.0.shared.clone(), need, runs: true })
    }

    /// What the calls wait for that could start otherwise, a line for each kind.
    pub fn stuck(&self) -> Vec<String> {
        self.0.shared.agenda.lock().stuck(wanted)
    }

    /// Whether a need can be met at all.
    ///
    /// # Errors
    /// If it is for more than there is.
    pub(crate) fn check(&self, need: &Need, name: &str) -> Result<()> {
        self.0.shared.agenda.lock().check(need, name)
    }

    /// Lets threads see a call that is ready.
    pub(crate) fn enter(&self, call: Arc<dyn Node>) {
        let shared = &self.0.shared;
        if shared.threads == 0 {
            call.run(None);
            return;
        }
        // Runs have the calling thread; calls need one of their own.
        if self.0.workers.lock().len() < shared.threads && !shared.closed.load(Acquire) {
            self.start(shared.threads - 1);
        }
        let need = call.core().need.clone().unwrap_or_default();
        let mut agenda = shared.agenda.lock();
        agenda.add(need, call);
        shared.ready.store(agenda.ready(), Relaxed);
        drop(agenda);
        shared.call();
    }

    /// Lets threads see a call from `time` on.
    pub(crate) fn enter_later(&self, time: Duration, call: Arc<dyn Node>) {
        let shared = &self.0.shared;
        if shared.threads == 0 {
            if let Some(rest) = time.checked_sub(now()) {
                thread::sleep(rest);
            }
            call.run(None);
            return;
        }
        let need = call.core().need.clone().unwrap_or_default();
        shared.agenda.lock().add_later(time, need, call);
        shared.later.store(true, Relaxed);
        shared.call();
    }
}

/// Whether nobody has begun a call or ended it.
fn wanted(call: &Arc<dyn Node>) -> bool {
    call.standing() != Standing::Done && call.standing() != Standing::Running
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.close();
        for worker in self.workers.lock().drain(..) {
            // A task may own the last handle of its own pool: a thread cannot wait for itself.
            if worker.thread().id() != thread::current().id() {
                let _ = worker.join();
            }
        }
    }
}

impl Shared {
    fn new(threads: usize) -> Shared {
        Shared {
            threads,
            deques: (0..threads + 1).map(|_| Deque::default()).collect(),
            agenda: Mutex::default(),
            ready: AtomicUsize::new(0),
            later: AtomicBool::new(false),
            offers: Mutex::default(),
            offered: AtomicUsize::new(0),
            sleep: Sleep::default(),
            guests: AtomicUsize::new(0),
            guest_sits: AtomicBool::new(false),
            started: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            watchers: Watchers::default(),
        }
    }

    /// Whether a thread may begin something, or must leave its place to one from outside.
    #[inline]
    fn may_work(&self, worker: usize) -> bool {
        worker + self.guests.load(SeqCst).min(1) < self.threads
    }

    /// Whether calls wait for a thread.
    #[inline]
    pub(crate) fn has_calls(&self) -> bool {
        self.ready.load(Relaxed) > 0 || (self.later.load(Relaxed) && self.rest().is_some_and(|rest| rest.is_zero()))
    }

    /// For how long a thread may sleep that would miss calls which wait for their time.
    pub(crate) fn most_sleep(&self) -> Option<Duration> {
        if self.later.load(Relaxed) { self.rest() } else { None }
    }

    /// There is something new to do.
    #[inline]
    pub(crate) fn call(&self) {
        self.sleep.wake_one(None, |worker| self.may_work(worker));
        if self.offered.load(SeqCst) > 0 && self.has_calls() {
            let offers = self.offers.lock().clone();
            offers.iter().for_each(|run| run.nudge());
        }
    }

    /// Adds a call that a thread of the pool has submitted to its own.
    #[inline]
    pub(crate) fn push(&self, deque: usize, call: Arc<dyn Node>) {
        self.deques[deque].push(call);
        self.sleep.wake_one(Some(deque), |worker| self.may_work(worker));
    }

    pub(crate) fn deque(&self, number: usize) -> &Deque {
        &self.deques[number]
    }

    /// Asks all threads to help with a run.
    pub(crate) fn offer(&self, run: Arc<dyn Offer>) {
        self.offers.lock().push(run);
        self.offered.fetch_add(1, SeqCst);
        self.sleep.wake_all(|worker| self.may_work(worker));
    }

    /// A run needs no more help.
    pub(crate) fn retract(&self, run: &Arc<dyn Offer>) {
        let mut offers = self.offers.lock();
        if let Some(at) = offers.iter().position(|other| Arc::ptr_eq(other, run)) {
            offers.remove(at);
            self.offered.fetch_sub(1, SeqCst);
        }
    }

    /// A thread from outside begins to work.
    pub(crate) fn guest_comes(&self) {
        self.guests.fetch_add(1, SeqCst);
    }

    /// A thread from outside is done.
    pub(crate) fn guest_goes(&self) {
        self.guests.fetch_sub(1, SeqCst);
        // A thread that slept meanwhile may not know of calls that wait for their time.
        if self.has_work() || self.later.load(Relaxed) {
            self.sleep.wake_one(None, |worker| self.may_work(worker));
        }
    }

    /// Reserves what a call needs that starts out of turn; `None` if it is not free now.
    pub(crate) fn reserve(self: &Arc<Self>, need: &Arc<Need>) -> Option<Grant> {
        self.agenda.lock().reserve(need).then(|| Grant { pool: self.clone(), need: need.clone(), runs: true })
    }

    fn has_work(&self) -> bool {
        self.has_calls() || self.offered.load(SeqCst) > 0 || self.deques.iter().any(|deque| deque.len() > 0)
    }

    /// The time until the next call that waits for it.
    fn rest(&self) -> Option<Duration> {
        self.agenda.lock().deadline().map(|deadline| deadline.saturating_sub(now()))
    }

    fn next_call(self: &Arc<Self>) -> Option<Found> {
        if self.ready.load(Relaxed) == 0 && !self.later.load(Relaxed) {
            return None;
        }
        let mut agenda = self.agenda.lock();
        let found = agenda.next(now(), wanted);
        // If nothing fits, nobody need look again before something is given back.
        self.ready.store(if found.is_some() { agenda.ready() } else { 0 }, Relaxed);
        self.later.store(agenda.deadline().is_some(), Relaxed);
        let swept = agenda.swept();
        drop(agenda);
        // A call may be the last to hold a grant, whose end takes the lock.
        drop(swept);
        let (need, call) = found?;
        let grant = (!need.is_free()).then(|| Grant { pool: self.clone(), need, runs: true });
        Some(Found::Call(call, grant))
    }

    fn find(self: &Arc<Self>, worker: usize) -> Option<Found> {
        if let Some(call) = self.deques[worker].pop(0) {
            return Some(Found::Call(call, None));
        }
        if !self.may_work(worker) {
            return None;
        }
        if let Some(found) = self.next_call() {
            return Some(found);
        }
        let count = self.deques.len();
        let others = (1..count).map(|step| (worker + step) % count);
        if let Some(call) = others.into_iter().find_map(|other| self.deques[other].steal()) {
            return Some(Found::Call(call, None));
        }
        if self.offered.load(SeqCst) > 0 {
            return self.offers.lock().last().cloned().map(Found::Run);
        }
        None
    }

    /// What a thread of the pool does until the pool is closed.
    fn serve(self: &Arc<Self>, worker: usize) {
        let _here = Here::enter(self.clone(), worker);
        let parker = Arc::new(Parker::default());
        let mut idle = 0;
        loop {
            match self.find(worker) {
                Some(found) => {
                    idle = 0;
                    // Others may have kept quiet because this thread was waking.
                    if self.has_work() {
                        self.sleep.wake_one(None, |worker| self.may_work(worker));
                    }
                    match found {
                        Found::Call(call, grant) => {
                            call.run(grant);
                        }
                        Found::Run(run) => {
                            if run.clone().help(worker + 1) {
                                self.retract(&run);
                            }
                        }
                    }
                }
                None if self.closed.load(Acquire) => return,
                None if idle < SPINS => {
                    idle += 1;
                    thread::yield_now();
                }
                None => {
                    idle = 0;
                    self.sleep.lie_down(worker, Use::Anything, &parker);
                    let work = self.has_work() && self.may_work(worker);
                    if !work && !self.closed.load(Acquire) {
                        parker.park(self.most_sleep());
                    }
                    self.sleep.get_up(&parker);
                }
            }
        }
    }

    fn close(&self) {
        self.closed.store(true, SeqCst);
        // Nobody will run what has not begun.
        let calls = self.agenda.lock().drain();
        self.ready.store(0, Relaxed);
        for call in calls {
            call.fail(Error::Dropped { operation: call.core().describe() });
        }
        self.sleep.wake_all(|_| true);
    }

    /// Whether nobody but guests runs calls.
    fn is_alone(&self) -> bool {
        self.started.load(SeqCst) == 0
    }

    /// Takes the deque for threads from outside, if it is free.
    fn sit_down(&self) -> Option<usize> {
        let free = self.guest_sits.compare_exchange(false, true, AcqRel, Acquire).is_ok();
        free.then_some(self.threads)
    }

    fn stand_up(&self) {
        self.guest_sits.store(false, SeqCst);
    }
}

/// How often a thread looks for work before it sleeps.
const SPINS: usize = if cfg!(shuttle) { 1 } else { 64 };
