//! The thread pool.
//!
//! A run is one mutex around the scheduler and the store. A thread locks it to hand in what it has finished and to take the
//! next tasks: one task when tasks are long, up to [`BATCH`] when they are so short that the lock would show.
//! Nothing runs and nothing is freed under the lock. The calling thread works too, so a small graph
//! never waits for another thread to wake up, and a task that computes another graph cannot starve the pool.

mod calls;
mod status;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use status::{Kind, Slot};

use super::invoke::{invoke, task_site};
use super::spilling::{keep, read_back, write_out};
use super::{Executor, RunContext};
use crate::error::{Error, Result};
use crate::events::{Event, Watch};
use crate::futures::Future;
use crate::memory::cache::Given;
use crate::memory::{Cache, Excess, Spilled};
use crate::plan::Plan;
use crate::pool::{Here, Offer, Pool, Shared};
use crate::scheduler::{Instruction, Scheduler};
use crate::store::{Leaving, Store};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::task::TaskId;
use crate::value::Value;

/// The most tasks that a thread takes at once.
const BATCH: usize = 256;

/// A batch should keep a thread busy for about this long.
const BATCH_TIME: Duration = Duration::from_micros(20);

/// While only tiny tasks are known of, no other thread is woken for less than this much work: waking costs about as much
/// as the help would spare.
const ALONE: Duration = Duration::from_micros(100);

/// Runs tasks on a fixed number of threads, the calling one included.
///
/// ```
/// use talatat_graph::{Executor, Threads};
/// let pool = Threads::new(2);
/// assert_eq!(pool.threads(), 2);
/// ```
pub struct Threads {
    threads: usize,
    pool: Pool,
}

impl Threads {
    /// A pool of `threads` threads (at least one: the caller of each run). If the system gives fewer, there are fewer.
    pub fn new(threads: usize) -> Threads {
        Threads::starting(threads, None)
    }

    /// The same; `start` is the first thing that each thread of the pool does: to name it, to bind it, or to keep a library from using more
    /// threads than the pool has. It is told the thread's number.
    pub fn with_start(threads: usize, start: impl Fn(usize) + Send + Sync + 'static) -> Threads {
        Threads::starting(threads, Some(Arc::new(start)))
    }

    fn starting(threads: usize, start: Option<Arc<dyn Fn(usize) + Send + Sync>>) -> Threads {
        let pool = Pool::new(threads, start);
        Threads { threads: pool.threads(), pool }
    }

    /// The pool, for calls that are submitted to it.
    pub fn pool(&self) -> Pool {
        self.pool.clone()
    }
}

impl Executor for Threads {
    fn name(&self) -> &str {
        "threads"
    }

    fn threads(&self) -> usize {
        self.threads
    }

    fn pool(&self) -> Result<Pool> {
        Ok(self.pool.clone())
    }

    fn execute(&self, plan: Arc<Plan>, context: &RunContext) -> Result<Vec<Value>> {
        let shared = self.pool.shared();
        let run = Arc::new(Run::new(plan, context, &self.pool, self.threads));
        let probe: Weak<Run> = Arc::downgrade(&run);
        context.board.enter(probe);
        let visit = (!Here::is(shared)).then(|| Here::visit(shared));
        run.work(0);
        let result = run.finish();
        drop(visit);
        let offer: Arc<dyn Offer> = run.clone();
        shared.retract(&offer);
        let (error, elapsed, peak) = (result.as_ref().err(), run.begin.elapsed(), run.state.lock().scheduler.peak());
        run.watch.tell(&Event::Finished { plan: &run.plan, error, elapsed, peak });
        result
    }
}

impl Offer for Run {
    fn help(self: Arc<Self>, worker: usize) -> bool {
        self.work(worker);
        self.state.lock().is_over()
    }

    fn nudge(&self) {
        // With the lock, lest a helper goes to sleep between looking and waiting.
        let _state = self.state.lock();
        self.changed.notify_all();
    }
}

/// One run of a plan.
struct Run {
    plan: Arc<Plan>,
    context: RunContext,
    watch: Watch,
    pool: Arc<Shared>,
    owner: Pool,
    /// Whether there are threads to be asked for help.
    shared: bool,
    /// What each thread is busy with.
    slots: Vec<Slot>,
    begin: Instant,
    all_tiny: bool,
    /// Whether a cache wants to know how long tasks take.
    timed: bool,
    state: Mutex<State>,
    /// Signalled when tasks become ready, when a thread leaves, and at the end.
    changed: Condvar,
}

struct State {
    scheduler: Scheduler,
    store: Store,
    /// The last task whose inputs were asked for ahead.
    prefetched: Option<TaskId>,
    error: Option<Error>,
    offered: bool,
    /// Threads that run tasks now.
    busy: usize,
    /// Threads that wait for tasks.
    idle: usize,
    /// How often threads have handed something in.
    told: usize,
    /// Annotated tasks that have been handed to the pool as calls.
    called: HashMap<TaskId, Future<Value>>,
    /// How long those took that have ended, if a cache wants to know.
    call_times: HashMap<TaskId, Duration>,
}

impl State {
    fn is_over(&self) -> bool {
        self.error.is_some() || self.scheduler.is_done()
    }
}

/// Tasks that one thread has taken, with their inputs one after the other.
#[derive(Default)]
struct Batch {
    tasks: Vec<(TaskId, usize)>,
    inputs: Vec<Value>,
    /// Annotated tasks with their inputs.
    calls: Vec<(TaskId, Vec<Value>)>,
    /// A result that is to leave memory before the tasks run.
    evict: Option<(TaskId, Vec<Leaving>)>,
    /// Blocks on disk that the next task will read.
    upcoming: Vec<Arc<Spilled>>,
    /// Results with the time that they took, if that matters.
    done: Vec<(TaskId, Duration, Value)>,
    trash: Vec<Value>,
    /// What a cache is to have.
    kept: Option<(Arc<Cache>, Vec<Given>)>,
    excesses: Vec<(TaskId, Excess)>,
    error: Option<Error>,
}

impl Batch {
    fn is_tidy(&self) -> bool {
        self.trash.is_empty() && self.upcoming.is_empty() && self.kept.is_none() && self.excesses.is_empty()
    }

    /// What should not be done under the lock: frees what died or hands it to a cache, and asks the system for what will be read soon.
    fn tidy(&mut self) {
        self.trash.clear();
        keep(self.kept.take());
        self.upcoming.drain(..).for_each(|spilled| spilled.prefetch());
    }
}

impl Run {
    fn new(plan: Arc<Plan>, context: &RunContext, pool: &Pool, threads: usize) -> Run {
        let watch = context.watch(&plan, threads);
        let watched = watch.is_on() || plan.memory_limit().is_some();
        let graph = plan.graph();
        let state = State {
            scheduler: Scheduler::metered(plan.clone(), watched),
            store: if watched { Store::metered(graph).watching(context.headroom.clone()) } else { Store::new(graph) },
            prefetched: None,
            error: None,
            offered: false,
            busy: 0,
            idle: 0,
            told: 0,
            called: HashMap::new(),
            call_times: HashMap::new(),
        };
        let state = State { store: state.store.keeping(context.cache.as_ref(), &plan), ..state };
        let all_tiny = graph.layers().iter().all(|layer| layer.tiny);
        Run {
            context: context.clone(),
            watch,
            owner: pool.clone(),
            pool: pool.shared().clone(),
            shared: threads > 1,
            slots: (0..threads).map(|_| Slot::default()).collect(),
            begin: Instant::now(),
            all_tiny,
            timed: state.store.is_timed(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            plan,
        }
    }

    /// Runs tasks until the run is over.
    fn work(self: &Arc<Self>, thread: usize) {
        let helper = thread > 0;
        let mut batch = Batch::default();
        let mut size = 1;
        let mut state = self.state.lock();
        state.busy += 1;
        loop {
            self.hand_in(&mut state, &mut batch);
            // Whoever only helps leaves when calls wait for a thread, and comes back.
            if state.is_over() || (helper && self.pool.has_calls()) {
                break;
            }
            let told = state.told;
            self.take(&mut state, &mut batch, size);
            if !batch.calls.is_empty() {
                MutexGuard::unlocked(&mut state, || self.call(&mut batch));
            }
            if batch.tasks.is_empty() && batch.evict.is_none() {
                if state.is_over() {
                    break;
                }
                // Whoever waits is not waited for at the end: nothing is left untold.
                if !batch.is_tidy() {
                    MutexGuard::unlocked(&mut state, || {
                        self.tell_excesses(&mut batch);
                        batch.tidy();
                    });
                    continue;
                }
                if !state.called.is_empty() && self.help_calls(&mut state, helper) {
                    continue;
                }
                // The lock was given away: what was told meanwhile rang no bell for this thread.
                if state.told != told {
                    continue;
                }
                state.busy -= 1;
                state.idle += 1;
                if state.busy == 0 && !state.called.is_empty() {
                    // Only calls are left to wait for: that is the first thread's business.
                    self.changed.notify_all();
                }
                match self.pool.most_sleep() {
                    Some(most) if helper => {
                        self.changed.wait_for(&mut state, most);
                    }
                    _ => self.changed.wait(&mut state),
                }
                state.idle -= 1;
                state.busy += 1;
                continue;
            }
            let more = state.scheduler.ready_tasks();
            let wake = more > 0 && state.idle > 0;
            let offer = more > 0 && !state.offered && (!self.all_tiny || self.expected(&state.scheduler) > ALONE);
            state.offered |= offer;
            let room = state.scheduler.room(&state.store);
            MutexGuard::unlocked(&mut state, || {
                keep(batch.kept.take());
                if let (Some(reclaim), Some(room)) = (&self.context.reclaim, room) {
                    reclaim.shrink(room);
                }
                if wake {
                    self.changed.notify_one();
                }
                if offer && self.shared {
                    self.pool.offer(self.clone());
                }
                batch.tidy();
                size = self.run(thread, &mut batch);
            });
        }
        // Whoever waits for the end finds nothing left and everything told.
        MutexGuard::unlocked(&mut state, || {
            self.tell_excesses(&mut batch);
            batch.tidy();
            drop(batch);
        });
        state.busy -= 1;
        drop(state);
        self.changed.notify_all();
    }

    fn tell_excesses(&self, batch: &mut Batch) {
        for (task, excess) in batch.excesses.drain(..) {
            self.watch.tell(&Event::Excess { task, excess });
        }
    }

    /// How long the tasks that have not finished will take one thread, going by those that have: zero at the start.
    fn expected(&self, scheduler: &Scheduler) -> Duration {
        let done = scheduler.finished_tasks();
        let left = self.plan.graph().len() - done;
        self.begin.elapsed().mul_f64(left as f64 / done.max(1) as f64)
    }

    /// Takes over what a batch has computed.
    fn hand_in(&self, state: &mut State, batch: &mut Batch) {
        let graph = self.plan.graph();
        state.told += usize::from(batch.evict.is_some() || !batch.done.is_empty() || batch.error.is_some());
        if let Some((result, leaving)) = batch.evict.take() {
            state.store.left(result, leaving, &mut batch.trash);
            state.scheduler.left(result, &state.store);
        }
        for (task, time, value) in batch.done.drain(..) {
            state.store.took(&self.plan, task, time, &value);
            let made = state.store.put(&self.plan, task, value, &mut batch.trash);
            state.store.release(graph, task, &mut batch.trash);
            if let Some(excess) = state.scheduler.finished(task, made, &state.store) {
                batch.excesses.push((task, excess));
            }
        }
        if batch.kept.is_none() {
            batch.kept = state.store.take_kept();
        }
        if let Some(error) = batch.error.take() {
            self.fail(state, error);
        }
    }

    fn fail(&self, state: &mut State, error: Error) {
        let (done, total) = (state.scheduler.finished_tasks(), self.plan.graph().len());
        state.error.get_or_insert(match error {
            Error::Cancelled { .. } => Error::Cancelled { done, total },
            error => error,
        });
    }

    /// Takes up to `size` tasks, or a result that is to leave memory, but leaves enough for the other threads.
    fn take(&self, state: &mut State, batch: &mut Batch, size: usize) {
        let graph = self.plan.graph();
        batch.tasks.clear();
        batch.inputs.clear();
        let share = 1 + state.scheduler.ready_tasks() / 4;
        while batch.tasks.len() + batch.calls.len() < size.min(share) {
            let task = match state.scheduler.next(&state.store) {
                Instruction::Run(task) => task,
                Instruction::Evict(result) => {
                    let leaving = state.store.leaving(self.plan.graph(), result, state.scheduler.upcoming());
                    if leaving.iter().any(|value| value.unwritten().is_some()) {
                        batch.evict = Some((result, leaving));
                        break;
                    }
                    // Nothing can go, or all of it is on disk already.
                    state.store.left(result, leaving, &mut batch.trash);
                    state.scheduler.left(result, &state.store);
                    continue;
                }
                Instruction::Refuse(task, needed) => {
                    self.fail(state, self.plan.too_large(task, needed));
                    return;
                }
                Instruction::Wait | Instruction::Done => break,
            };
            let start = batch.inputs.len();
            if let Err(source) = state.store.gather(self.plan.graph(), task, &mut batch.inputs) {
                batch.tasks.clear();
                self.fail(state, Error::Kernel { site: task_site(self.plan.graph(), task), source });
                return;
            }
            if graph.layer(task).need.as_ref().is_some_and(|need| !need.is_plain()) {
                batch.calls.push((task, batch.inputs.drain(start..).collect()));
                continue;
            }
            batch.tasks.push((task, start));
        }
        if state.scheduler.spills()
            && let Some(next) = state.scheduler.upcoming()
            && state.prefetched.replace(next) != Some(next)
        {
            state.store.on_disk_of(self.plan.graph(), next, &mut batch.upcoming);
        }
    }

    /// Runs a batch and tells how large the next one should be.
    fn run(&self, thread: usize, batch: &mut Batch) -> usize {
        let graph = self.plan.graph();
        let watched = self.watch.is_on();
        let slot = self.slots.get(thread);
        let busy =
            |kind: Kind, task: TaskId, since: Duration| slot.into_iter().for_each(|slot| slot.set(kind, task, since));
        self.tell_excesses(batch);
        if let Some((result, leaving)) = &mut batch.evict {
            let (task, start) = (*result, self.begin.elapsed());
            busy(Kind::Writes, task, start);
            match write_out(graph, task, leaving, self.context.spill.as_ref()) {
                Ok(bytes) => self.watch.tell(&Event::Evicted { task, thread, start, end: self.begin.elapsed(), bytes }),
                Err(error) => {
                    batch.error = Some(error);
                    batch.tasks.clear();
                }
            }
        }
        let start = Instant::now();
        let mut before = start.duration_since(self.begin);
        for (number, &(task, first)) in batch.tasks.iter().enumerate() {
            if self.context.cancel.is_cancelled() {
                batch.error = Some(Error::Cancelled { done: 0, total: 0 });
                break;
            }
            let end = batch.tasks.get(number + 1).map_or(batch.inputs.len(), |&(_, next)| next);
            let inputs = &mut batch.inputs[first..end];
            busy(Kind::Runs, task, before);
            if watched {
                self.watch.tell(&Event::TaskStarted { task, thread, at: before });
            }
            match self.load(task, thread, inputs).and_then(|()| invoke(graph, task, inputs, &self.context.cancel)) {
                Ok(value) => {
                    let mut time = Duration::ZERO;
                    if watched || self.timed {
                        let now = self.begin.elapsed();
                        let bytes = value.nbytes() as u64;
                        self.watch.tell(&Event::Task { task, thread, start: before, end: now, bytes });
                        time = now.saturating_sub(before);
                        before = now;
                    }
                    batch.done.push((task, time, value));
                }
                Err(error) => {
                    let end = self.begin.elapsed();
                    if !matches!(error, Error::Cancelled { .. }) {
                        self.context.board.failed(&self.plan, task);
                    }
                    self.watch.tell(&Event::Failed { task, thread, start: before, end, error: &error });
                    batch.error = Some(error);
                    break;
                }
            }
        }
        slot.into_iter().for_each(Slot::clear);
        // What the kernels did not take is shared with the store: dropped here, not under the lock.
        batch.inputs.clear();
        let mean = start.elapsed().as_nanos() as usize / batch.tasks.len().max(1);
        (BATCH_TIME.as_nanos() as usize / mean.max(1)).clamp(1, BATCH)
    }

    /// Reads back what is on disk; what others will read, too, stays in memory for them.
    #[inline]
    fn load(&self, task: TaskId, thread: usize, inputs: &mut [Value]) -> Result<()> {
        if !inputs.iter().any(|input| matches!(input, Value::Spilled(_))) {
            return Ok(());
        }
        let start = self.begin.elapsed();
        let bytes = read_back(inputs, |at, input| {
            let edge = self.plan.graph().inputs(task)[at];
            let state = &mut *self.state.lock();
            let kept = state.store.came_back(edge, input);
            state.scheduler.came_back(task, edge.task, kept, &state.store);
        })?;
        self.watch.tell(&Event::ReadBack { task, thread, start, end: self.begin.elapsed(), bytes });
        Ok(())
    }

    /// Waits until no thread runs a task of this run and empties it.
    fn finish(&self) -> Result<Vec<Value>> {
        let mut state = self.state.lock();
        if state.error.is_some() {
            let calls: Vec<Future<Value>> = state.called.values().cloned().collect();
            // Each tells the run that it has ended.
            MutexGuard::unlocked(&mut state, || calls.into_iter().for_each(|call| call.revoke()));
        }
        while state.busy > 0 || !state.called.is_empty() {
            self.changed.wait(&mut state);
        }
        let mut store = std::mem::take(&mut state.store);
        if state.error.is_none() {
            store.keep_outputs(self.plan.graph());
        }
        let kept = store.take_kept();
        let result = match state.error.take() {
            Some(error) => {
                // Threads that come late must find the run over.
                state.error = Some(error.clone());
                Err(error)
            }
            None => store.outputs(self.plan.graph()).map_err(|error| Error::InvalidGraph(error.to_string())),
        };
        drop(state);
        keep(kept);
        drop(store);
        result
    }
}
