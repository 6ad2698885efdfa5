//! Who runs computations, and under which limits.

use std::cell::RefCell;
use std::sync::Arc;

use parking_lot::RwLock;
use talatat_collections::config::{
    Compression, ExecutorChoice, FreeMemory, Progress, Settings, set_chunk_target, with_chunk_target,
};
use talatat_collections::{Collection, Lowering, LoweringOptions, Pools, Result};
use talatat_graph::{
    Cancel, Error as GraphError, Executor, Need, Observer, Outputs, Plan, PlanOptions, Pool, Registry, RunContext,
    Submit, Synchronous, TaskGraph, Threads, Value, in_call,
    memory::{Forecast, Headroom, Reclaim, SpillSpace, forecast},
    testing,
};

use crate::diagnostics::{Explained, ProgressBar, Report, Reporter};
use crate::futures::failure;
use crate::kept::Kept;

/// Who runs computations, and under which limits. Cloning is cheap; clones share the thread pool.
///
/// ```
/// use talatat::{Compute, Session, delayed::delayed};
/// let session = Session::builder().threads(2).memory_limit(1 << 30).build()?;
/// assert_eq!(delayed(|x: i64| x + 1).call(1_i64).compute_on(&session)?, 2);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone)]
pub struct Session {
    settings: Arc<Settings>,
    executor: Arc<dyn Executor>,
    /// Where submitted calls run.
    pool: std::result::Result<Pool, GraphError>,
    plan: PlanOptions,
    lowering: LoweringOptions,
    context: RunContext,
    /// What `persist` has kept in memory.
    kept: Arc<Kept>,
}

/// The most tasks of a graph that `explain` plays through.
const FORECAST_TASKS: usize = 1_000_000;

/// The session of all threads.
static CURRENT: RwLock<Option<Session>> = RwLock::new(None);

thread_local! {
    /// The sessions of the scopes that this thread is in.
    static SCOPES: RefCell<Vec<Session>> = const { RefCell::new(Vec::new()) };
}

impl Session {
    /// Starts building a session.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// The session that `compute()` uses: that of the innermost [`scope`](Session::scope) of this thread, else the one that
    /// [`make_current`](Session::make_current) set, else one made of the environment and the settings' file.
    ///
    /// # Errors
    /// If there is none yet and the environment or the file hold a setting that cannot be used.
    pub fn current() -> Result<Session> {
        // At the end of a thread there are no scopes any more.
        if let Ok(Some(session)) = SCOPES.try_with(|scopes| scopes.borrow().last().cloned()) {
            return Ok(session);
        }
        if let Some(session) = &*CURRENT.read() {
            return Ok(session.clone());
        }
        let mut slot = CURRENT.write();
        if let Some(session) = &*slot {
            return Ok(session.clone());
        }
        let session = Session::builder().build()?;
        set_chunk_target(session.settings.chunk_target);
        Ok(slot.insert(session).clone())
    }

    /// Makes this the session that `compute()` uses, in all threads, and its chunk target the one of arrays made from now on.
    pub fn make_current(&self) {
        set_chunk_target(self.settings.chunk_target);
        // The old session may end a thread pool: not under the lock.
        let _old = CURRENT.write().replace(self.clone());
    }

    /// Makes this the session that `compute()` uses while `work` runs, in this thread; its chunk target counts, too.
    ///
    /// ```
    /// use talatat::{Compute, ExecutorChoice, Session, delayed::delayed};
    /// let lazy = Session::builder().executor(ExecutorChoice::Refuse).build()?;
    /// let one = delayed(|| 1_i64).call(());
    /// assert!(lazy.scope(|| one.compute()).is_err());
    /// assert_eq!(one.compute()?, 1);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn scope<R>(&self, work: impl FnOnce() -> R) -> R {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                let _old = SCOPES.with_borrow_mut(Vec::pop);
            }
        }
        SCOPES.with_borrow_mut(|scopes| scopes.push(self.clone()));
        let _leave = Leave;
        with_chunk_target(self.settings.chunk_target, work)
    }

    /// The settings that were used.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Bytes that were written to the disk and read back so far because memory was short.
    pub fn spill_traffic(&self) -> (u64, u64) {
        self.context.spill.as_ref().map_or((0, 0), SpillSpace::traffic)
    }

    /// Bytes of the disk that blocks take now because memory is short.
    pub fn spill_used(&self) -> u64 {
        self.context.spill.as_ref().map_or(0, SpillSpace::used)
    }

    /// The executor.
    pub fn executor(&self) -> &Arc<dyn Executor> {
        &self.executor
    }

    /// The threads on which submitted calls run.
    ///
    /// # Errors
    /// If the executor never computes.
    pub(crate) fn pool(&self) -> Result<&Pool> {
        Ok(self.pool.as_ref().map_err(Clone::clone)?)
    }

    /// A handle that cancels all computations of this session and its clones.
    pub fn cancel_handle(&self) -> Cancel {
        self.context.cancel.clone()
    }

    /// The same session, cancelled by another handle.
    pub fn with_cancel(mut self, cancel: Cancel) -> Session {
        self.context.cancel = cancel;
        self
    }

    /// The same session, watched by one more observer.
    pub fn observed(mut self, observer: Arc<dyn Observer>) -> Session {
        self.context.observers.push(observer);
        self
    }

    /// The graph of a collection as it is lowered, before the graph's passes.
    ///
    /// # Errors
    /// If an operation on the way was called with arguments that cannot work.
    pub fn graph<C: Collection + ?Sized>(&self, collection: &C) -> Result<TaskGraph> {
        let mut lowering = self.lowering();
        let edges = collection.lower(&mut lowering)?;
        Ok(lowering.finish(edges))
    }

    /// The plan of a collection.
    ///
    /// # Errors
    /// As [`graph`](Session::graph), and if the plan needs more than the memory limit.
    pub fn plan<C: Collection + ?Sized>(&self, collection: &C) -> Result<Plan> {
        self.plan_graph(self.graph(collection)?)
    }

    /// The plan of a collection, after measuring what decides how it is best computed: samples of frames whose sizes no metadata tell are
    /// computed here. What fails to be measured is planned without; if it has to be computed, it fails then.
    ///
    /// # Errors
    /// As [`plan`](Session::plan).
    pub fn plan_measured<C: Collection + ?Sized>(&self, collection: &C) -> Result<Plan> {
        let mut lowering = self.measured(collection)?;
        let edges = collection.lower(&mut lowering)?;
        self.plan_graph(lowering.finish(edges))
    }

    /// A lowering that knows what stages found.
    fn measured<C: Collection + ?Sized>(&self, collection: &C) -> Result<Lowering> {
        let mut lowering = self.lowering();
        collection.announce(&mut lowering)?;
        #[cfg(feature = "frame")]
        while let Some(stage) = lowering.stage()? {
            let found = self.plan(&stage).and_then(|plan| self.run(plan)).and_then(|blocks| stage.gather(blocks));
            let Ok(found) = found else { break };
            lowering.learn(found);
        }
        Ok(lowering)
    }

    /// The plan of a graph.
    ///
    /// # Errors
    /// If it needs more than the memory limit.
    pub fn plan_graph(&self, graph: TaskGraph) -> Result<Plan> {
        Ok(Plan::new(graph, &self.plan_options())?)
    }

    /// What plans are made with: of the memory limit what persisted blocks leave.
    fn plan_options(&self) -> PlanOptions {
        let memory_limit = self.plan.memory_limit.map(|limit| limit.saturating_sub(self.kept.bytes()).max(1));
        if let Ok(pool) = &self.pool {
            pool.set_memory_limit(memory_limit);
        }
        PlanOptions { memory_limit, ..self.plan.clone() }
    }

    /// What computing a collection would do, as text. A plan that the memory limit refuses is explained all the same. Nothing runs: of
    /// what would be measured first, the text says that it would be.
    ///
    /// # Errors
    /// As [`graph`](Session::graph).
    pub fn explain<C: Collection + ?Sized>(&self, collection: &C) -> Result<Explained> {
        let mut lowering = self.lowering();
        collection.announce(&mut lowering)?;
        #[cfg(feature = "frame")]
        let measures = lowering.stage()?.map_or_else(Vec::new, |stage| stage.describe());
        #[cfg(not(feature = "frame"))]
        let measures = Vec::new();
        Ok(Explained { measures, ..self.explained(collection, lowering)? })
    }

    /// [`explain`](Session::explain) after measuring: what was found, and what it decided.
    ///
    /// # Errors
    /// As [`graph`](Session::graph).
    pub fn explain_measured<C: Collection + ?Sized>(&self, collection: &C) -> Result<Explained> {
        self.explained(collection, self.measured(collection)?)
    }

    fn explained<C: Collection + ?Sized>(&self, collection: &C, mut lowering: Lowering) -> Result<Explained> {
        let edges = collection.lower(&mut lowering)?;
        let (before, after) = (collection.describe_expression(false), collection.describe_lowered(&lowering));
        let graph = lowering.finish(edges);
        let (plan, refused) = match Plan::new(graph.clone(), &self.plan_options()) {
            Err(refused @ GraphError::Memory { .. }) => {
                let unlimited = PlanOptions { memory_limit: None, ..self.plan.clone() };
                (Plan::new(graph, &unlimited)?, Some(refused))
            }
            plan => (plan?, None),
        };
        let (plan, threads) = (Arc::new(plan), self.executor.threads());
        // Playing through takes about as long as scheduling; of larger graphs the peak of one thread is enough to know.
        let forecast = if plan.graph().len() > FORECAST_TASKS {
            Forecast { peak: plan.peak().bytes, task: plan.peak().task, ..Forecast::default() }
        } else {
            forecast(&plan, threads)?
        };
        Ok(Explained { before, after, measures: Vec::new(), plan, forecast: (threads, forecast), refused })
    }

    /// Runs a plan and returns its outputs, in memory.
    ///
    /// # Errors
    /// What a task fails with.
    pub fn run(&self, plan: Plan) -> Result<Vec<Value>> {
        let (Some(limit), Ok(pool)) = (plan.memory_limit(), &self.pool) else { return self.run_here(plan) };
        let reserved = pool.reserved();
        let plan = plan.limited_to(limit.saturating_sub(reserved));
        if reserved == 0 || in_call() {
            // Runs in the background wait until there is room beside this one. (What a call computes is within what it has reserved, or
            // comes on top: if it waited for others, they might wait for it.)
            let _held = pool.hold(plan.base());
            return self.run_here(plan);
        }
        // This one waits for its turn, and then runs on this thread if no other one is quicker.
        let mut call = Submit::new("compute");
        call.need(Need::default().bytes(plan.base()));
        let session = self.clone();
        Ok(call.once(pool, move || session.run_here(plan).map_err(failure))?.result()?)
    }

    /// [`run`](Session::run), with what it needs reserved already.
    pub(crate) fn run_here(&self, plan: Plan) -> Result<Vec<Value>> {
        let values = self.executor.execute(Arc::new(plan), &self.context)?;
        Ok(values.into_iter().map(Value::loaded).collect::<std::result::Result<_, _>>()?)
    }

    /// Computes the blocks of a collection and keeps them: in memory as long as they take no more than half of the memory limit, with
    /// those that are kept already; else on disk.
    ///
    /// # Errors
    /// As [`plan`](Session::plan) and [`run`](Session::run).
    pub(crate) fn keep<C: Collection + ?Sized>(&self, collection: &C) -> Result<Vec<Value>> {
        let options = PlanOptions { outputs: Outputs::Anywhere, ..self.plan_options() };
        let mut lowering = self.measured(collection)?;
        let edges = collection.lower(&mut lowering)?;
        let plan = Plan::new(lowering.finish(edges), &options)?;
        let mut values = self.executor.execute(Arc::new(plan), &self.context)?;
        if let (Some(limit), Some(space)) = (self.plan.memory_limit, &self.context.spill) {
            self.kept.admit(&mut values, limit / 2, space)?;
        }
        Ok(values)
    }

    /// [`run`](Session::run), with a report of what was measured.
    ///
    /// # Errors
    /// What a task fails with.
    pub fn run_reported(&self, plan: Plan) -> Result<(Vec<Value>, Report)> {
        let reporter = Arc::new(Reporter::new(&plan));
        let before = self.spill_traffic();
        let values = self.clone().observed(reporter.clone()).run(plan)?;
        let after = self.spill_traffic();
        Ok((values, Report { spilled: (after.0 - before.0, after.1 - before.1), ..reporter.report() }))
    }

    pub(crate) fn lowering(&self) -> Lowering {
        Lowering::new(self.lowering.clone())
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({}, {} threads)", self.executor.name(), self.executor.threads())
    }
}

/// What the code says about a setting.
type Change = Box<dyn FnOnce(&mut Settings)>;

/// Builds a [`Session`]. What is said here goes over the environment and the settings' file.
#[derive(Default)]
pub struct SessionBuilder {
    base: Option<Settings>,
    changes: Vec<Change>,
    executor: Option<Arc<dyn Executor>>,
    skip: Vec<String>,
    context: RunContext,
    registry: Option<Registry>,
    resources: Vec<(String, u64)>,
    start: Option<ThreadStart>,
}

/// What each thread does first.
type ThreadStart = Box<dyn Fn(usize) + Send + Sync>;

impl SessionBuilder {
    /// Starts from these settings instead of the environment and the file.
    ///
    /// ```
    /// use talatat::{Session, config::Settings};
    /// let session = Session::builder().settings(Settings::default()).threads(1).build()?;
    /// assert_eq!(session.settings().threads, 1);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn settings(mut self, settings: Settings) -> Self {
        self.base = Some(settings);
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Settings) + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Chooses a built-in executor.
    pub fn executor(self, choice: ExecutorChoice) -> Self {
        self.change(move |settings| settings.executor = choice)
    }

    /// Plugs in another executor.
    pub fn custom_executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = Some(executor);
        self
    }

    /// How many threads the pool has, at least one; by default as many as there are cores for this process.
    pub fn threads(self, threads: usize) -> Self {
        self.change(move |settings| settings.threads = threads.max(1))
    }

    /// Says how much there is of something that calls take beside a thread, such as two graphics cards: no more calls than that run at once
    /// that are annotated with it ([`Need::resource`](crate::Need::resource)).
    pub fn resource(mut self, name: impl Into<String>, count: u64) -> Self {
        self.resources.push((name.into(), count));
        self
    }

    /// What each thread of the pool does first. So a library with threads of its own can be kept within the budget of this session: a task
    /// that uses rayon, for example, then runs rayon's work on its own thread.
    ///
    /// ```
    /// use talatat::Session;
    /// let session = Session::builder()
    ///     .threads(2)
    ///     .thread_start(|_| {
    ///         // A rayon pool of one thread, which is this one.
    ///         let _ = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
    ///     })
    ///     .build()?;
    /// let ran = session.submit(|| (rayon::current_num_threads(), rayon::join(|| 1, || 2)), ())?;
    /// while !ran.is_done() {
    ///     std::thread::yield_now(); // `result` would run the call here, on a thread that is not the session's
    /// }
    /// assert_eq!(ran.result()?, (1, (1, 2)));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn thread_start(mut self, start: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.start = Some(Box::new(start));
        self
    }

    /// The most bytes that blocks may hold in memory at once, or `None` for no limit; by default three quarters of what the machine or its
    /// control group has.
    pub fn memory_limit(self, bytes: impl Into<Option<u64>>) -> Self {
        let bytes = bytes.into();
        self.change(move |settings| settings.memory_limit = bytes)
    }

    /// Where blocks go that do not fit; by default `$TMPDIR`, else `/var/tmp`.
    pub fn spill_folder(self, folder: impl Into<std::path::PathBuf>) -> Self {
        let folder = folder.into();
        self.change(move |settings| settings.spill_folder = Some(folder))
    }

    /// The most bytes of disk that blocks may take that do not fit, or `None` for no limit; 0 keeps all blocks in memory.
    pub fn spill_limit(self, bytes: impl Into<Option<u64>>) -> Self {
        let bytes = bytes.into();
        self.change(move |settings| settings.spill_limit = bytes)
    }

    /// How blocks are written that do not fit.
    pub fn spill_compression(self, compression: Compression) -> Self {
        self.change(move |settings| settings.spill_compression = compression)
    }

    /// Whether a bar shows how far a computation is.
    pub fn progress(self, progress: Progress) -> Self {
        self.change(move |settings| settings.progress = progress)
    }

    /// Bytes of a chunk where the chunks are left to the library; counts for the session that is current when an array is made.
    pub fn chunk_target(self, bytes: u64) -> Self {
        self.change(move |settings| settings.chunk_target = bytes.max(1))
    }

    /// Leaves a pass on the graph or a rewrite of expressions out, by name: for tests and for finding faults.
    pub fn skip(mut self, name: impl Into<String>) -> Self {
        self.skip.push(name.into());
        self
    }

    /// Lets an observer watch all computations.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.context.observers.push(observer);
        self
    }

    /// Lets a handle cancel all computations.
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.context.cancel = cancel;
        self
    }

    /// Replaces the registry of kernels and blocks, e.g. by the built-in one with kernels of one's own.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// The session.
    ///
    /// # Errors
    /// If the environment or the settings' file hold something that cannot be used.
    pub fn build(self) -> Result<Session> {
        let mut settings = match self.base {
            Some(settings) => settings,
            None => Settings::load()?,
        };
        self.changes.into_iter().for_each(|change| change(&mut settings));
        let executor = self.executor.unwrap_or_else(|| match settings.executor {
            ExecutorChoice::Synchronous => Arc::new(Synchronous),
            ExecutorChoice::Threads => Arc::new(match self.start {
                Some(start) => Threads::with_start(settings.threads, start),
                None => Threads::new(settings.threads),
            }),
            ExecutorChoice::Refuse => Arc::new(testing::Refuse),
            ExecutorChoice::Serialize => Arc::new(testing::Serialize),
        });
        let registry = Arc::new(self.registry.unwrap_or_else(talatat_collections::registry));
        let spill = settings.spill_place().map(|folder| {
            let space = SpillSpace::new(folder, registry.clone()).quota(settings.spill_limit);
            space.compression(settings.spill_compression)
        });
        let reclaim = settings.memory_limit.map(|_| Arc::new(Pools) as Arc<dyn Reclaim>);
        let headroom = settings.memory_limit.map(|_| Arc::new(FreeMemory) as Arc<dyn Headroom>);
        let mut context = RunContext { registry, spill, reclaim, headroom, ..self.context };
        if shows_progress(settings.progress) {
            context.observers.push(Arc::new(ProgressBar::new()));
        }
        let pool = executor.pool();
        if let Ok(pool) = &pool {
            pool.set_memory_limit(settings.memory_limit);
            self.resources.iter().for_each(|(name, count)| pool.set_resource(name, *count));
        }
        Ok(Session {
            executor,
            pool,
            plan: PlanOptions {
                memory_limit: settings.memory_limit,
                spill: context.spill.is_some(),
                outputs: Outputs::InMemory,
                skip_passes: self.skip.clone(),
            },
            lowering: LoweringOptions { skip_rewrites: self.skip },
            context,
            kept: Arc::default(),
            settings: Arc::new(settings),
        })
    }
}

fn shows_progress(progress: Progress) -> bool {
    use std::io::IsTerminal;
    match progress {
        Progress::Auto => std::io::stderr().is_terminal(),
        Progress::On => true,
        Progress::Off => false,
    }
}
