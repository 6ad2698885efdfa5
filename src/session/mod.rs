//! Who runs computations, and under which limits.

mod builder;
mod reclaim;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use talatat_collections::config::{Settings, set_chunk_target, with_chunk_target};
use talatat_collections::{Collection, Lowering, LoweringOptions, Result, Trace};
use talatat_graph::{
    Cancel, Error as GraphError, Executor, Held, Need, Observer, Observing, Outputs, Plan, PlanOptions, Pool,
    RunContext, Submit, TaskGraph, Value, in_call,
    memory::{Forecast, SpillSpace, play},
};

use crate::diagnostics::{
    Detail, Explained, FailedTask, Flow, LivePage, Prediction, Profile, Recorder, Report, Stages, Status, Tell,
    Watchdog, compare_and_learn, predict, task_times,
};
use crate::futures::failure;
use crate::kept::Kept;

pub use builder::SessionBuilder;

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
    /// Whom to tell what runs wait for, when they do so for so long.
    watchdog: Option<(Duration, Tell)>,
    /// A page in the browser that shows what runs.
    live: Option<Arc<LivePage>>,
    /// Lets the observers hear of submitted calls.
    observing: Vec<Arc<Observing>>,
}

/// When a plan runs.
enum Turn {
    /// At once, on this thread, with its memory reserved.
    Now(Option<Held>),
    /// When others have given memory back, and then on this thread if no other one is quicker.
    Later(Pool),
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

    /// The same session, watched by one more observer. Of submitted calls it sees those of all sessions that share the threads.
    pub fn observed(mut self, observer: Arc<dyn Observer>) -> Session {
        if let Ok(pool) = &self.pool {
            self.observing.push(Arc::new(pool.observe(observer.clone())));
        }
        self.observed_runs(observer)
    }

    /// The same session, its runs watched by one more observer.
    fn observed_runs(mut self, observer: Arc<dyn Observer>) -> Session {
        self.context.observers.push(observer);
        self
    }

    /// What the computations of this session and its clones are doing at this moment: what runs and for how long, which tasks wait for
    /// memory and how much is lacking, which for inputs and for which. The answer to "why is nothing running?", for instance from
    /// another thread or a debugger. O(tasks), for which the scheduler is held up.
    ///
    /// ```
    /// use talatat::Session;
    /// let session = Session::builder().build()?;
    /// assert_eq!(session.status().to_string(), "nothing is being computed\n");
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn status(&self) -> Status {
        let cache = self.context.cache.as_ref().map(|cache| cache.levels());
        Status { runs: self.context.board.statuses(), cache }
    }

    /// Where the page is that shows this session at work, if there is one.
    pub fn live_address(&self) -> Option<std::net::SocketAddr> {
        self.live.as_ref().map(|page| page.address())
    }

    /// The task that failed last in this session or its clones, to be run again alone, on this thread and with its inputs: for a
    /// debugger, or with other inputs. `None` if none has failed. Its plan stays in memory until another task fails.
    ///
    /// ```
    /// use talatat::{Compute, Session, delayed::{delayed, try_delayed}};
    /// let session = Session::builder().build()?;
    /// let half = try_delayed(|x: i64| if x % 2 == 0 { Ok(x / 2) } else { Err(std::io::Error::other("odd")) });
    /// let value = half.call(delayed(|x: i64| x + 1).call(2_i64));
    /// assert!(value.compute_on(&session).is_err());
    /// let failed = session.last_failure().ok_or("a task has failed")?;
    /// let error = failed.rerun().unwrap_err();
    /// assert!(error.to_string().contains("odd"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn last_failure(&self) -> Option<FailedTask> {
        let (plan, task) = self.context.board.failure()?;
        Some(FailedTask::new(plan, task, self.context.registry.clone()))
    }

    /// The graph of a collection as it is lowered, before the graph's passes.
    ///
    /// # Errors
    /// If an operation on the way was called with arguments that cannot work.
    pub fn graph<C: Collection + ?Sized>(&self, collection: &C) -> Result<TaskGraph> {
        let mut lowering = self.lowering();
        let edges = collection.lower(&mut lowering)?;
        let graph = lowering.finish(edges);
        graph.check_outputs()?;
        Ok(graph)
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
        Ok(Plan::new(self.supplied(graph)?, &self.plan_options())?)
    }

    /// The graph with what is kept of it in the place of tasks.
    fn supplied(&self, graph: TaskGraph) -> Result<TaskGraph> {
        // Collections may be anybody's: what follows looks at outputs without asking.
        graph.check_outputs()?;
        Ok(match &self.context.cache {
            Some(cache) => cache.supply(graph),
            None => graph,
        })
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
        lowering.trace = Some(Trace::default());
        let edges = collection.lower(&mut lowering)?;
        let (before, after) = (collection.describe_expression(false), collection.describe_lowered(&lowering));
        let trace = lowering.trace.take().unwrap_or_default();
        let graph = self.supplied(lowering.finish(edges))?;
        let watched = |graph: TaskGraph, options: &PlanOptions| {
            let mut stages = Stages::default();
            stages.note("lowered", &graph);
            Plan::watched(graph, options, &mut |pass, graph| stages.note(pass, graph)).map(|plan| (plan, stages))
        };
        let ((plan, stages), refused) = match watched(graph.clone(), &self.plan_options()) {
            Err(refused @ GraphError::Memory { .. }) => {
                let unlimited = PlanOptions { memory_limit: None, ..self.plan.clone() };
                (watched(graph, &unlimited)?, Some(refused))
            }
            planned => (planned?, None),
        };
        let (plan, threads) = (Arc::new(plan), self.executor.threads());
        let outlook = self.executor.outlook(&plan, &self.times(&plan));
        // Playing through takes about as long as scheduling; of larger graphs the peak of one thread is enough to know.
        let (forecast, flow) = if plan.graph().len() > FORECAST_TASKS {
            (Forecast { peak: plan.peak().bytes, task: plan.peak().task, ..Forecast::default() }, None)
        } else {
            let bytes = |task| plan.graph().need(task).saturating_add(plan.bytes_in(task)).saturating_add(1);
            let played = play(&plan, threads, bytes, 0.0)?;
            (played.forecast, Some(Flow::of(&plan, threads, &played)))
        };
        Ok(Explained {
            before,
            after,
            trace,
            stages,
            measures: Vec::new(),
            plan,
            forecast: (threads, forecast),
            flow,
            outlook,
            refused,
        })
    }

    /// Runs a plan and returns its outputs, in memory.
    ///
    /// # Errors
    /// What a task fails with.
    pub fn run(&self, plan: Plan) -> Result<Vec<Value>> {
        let (plan, turn) = self.turn(plan);
        self.run_in(turn, Arc::new(plan))
    }

    /// When a plan may run beside what has been submitted, and with how much of the memory limit.
    fn turn(&self, plan: Plan) -> (Plan, Turn) {
        let (Some(limit), Ok(pool)) = (plan.memory_limit(), &self.pool) else { return (plan, Turn::Now(None)) };
        let reserved = pool.reserved();
        let plan = plan.limited_to(limit.saturating_sub(reserved));
        if reserved == 0 || in_call() {
            // Runs in the background wait until there is room beside this one. (What a call computes is within what it has reserved, or
            // comes on top: if it waited for others, they might wait for it.)
            let held = pool.hold(plan.base());
            return (plan, Turn::Now(Some(held)));
        }
        (plan, Turn::Later(pool.clone()))
    }

    fn run_in(&self, turn: Turn, plan: Arc<Plan>) -> Result<Vec<Value>> {
        match turn {
            Turn::Now(_held) => self.run_here(plan),
            Turn::Later(pool) => {
                let mut call = Submit::new("compute");
                call.need(Need::default().bytes(plan.base()));
                let session = self.clone();
                Ok(call.once(&pool, move || session.run_here(plan).map_err(failure))?.result()?)
            }
        }
    }

    /// Runs a plan that has its turn.
    pub(crate) fn run_here(&self, plan: Arc<Plan>) -> Result<Vec<Value>> {
        let values = self.execute(plan.clone())?;
        plan.admit_results(&values)?;
        Ok(values.into_iter().map(Value::loaded).collect::<std::result::Result<_, _>>()?)
    }

    /// Runs a plan: every run of a session comes here.
    fn execute(&self, plan: Arc<Plan>) -> talatat_graph::Result<Vec<Value>> {
        let times = self.times(&plan);
        if self.watchdog.is_none() && times.is_empty() {
            return self.executor.execute(plan, &self.context);
        }
        let mut context = RunContext { times, ..self.context.clone() };
        let _watchdog = self.watchdog.as_ref().map(|(patience, tell)| {
            // A board of its own: each run has its own watchdog.
            context.board = context.board.within();
            Watchdog::new(*patience).start(context.board.clone(), tell.clone())
        });
        self.executor.execute(plan, &context)
    }

    /// What each task is expected to take by earlier runs, for executors that send tasks elsewhere.
    fn times(&self, plan: &Plan) -> Vec<f64> {
        match self.settings.costs_file() {
            Some(file) if self.executor.elsewhere() => task_times(plan, self.executor.threads(), Some(&file)),
            _ => Vec::new(),
        }
    }

    /// Computes the blocks of a collection and keeps them: in memory as long as they take no more than half of the memory limit, with
    /// those that are kept already; else on disk. Gives what was seen of them, too.
    ///
    /// # Errors
    /// As [`plan`](Session::plan) and [`run`](Session::run).
    pub(crate) fn keep<C: Collection + ?Sized>(&self, collection: &C) -> Result<(Vec<Value>, Vec<Value>)> {
        let options = PlanOptions { outputs: Outputs::Anywhere, ..self.plan_options() };
        let mut lowering = self.measured(collection)?;
        let mut edges = collection.lower(&mut lowering)?;
        let blocks = edges.len();
        edges.extend(collection.looks(&mut lowering, &edges)?);
        let plan = Plan::new(self.supplied(lowering.finish(edges))?, &options)?;
        let mut values = self.execute(Arc::new(plan))?;
        let seen = values.split_off(blocks.min(values.len()));
        if let (Some(limit), Some(space)) = (self.plan.memory_limit, &self.context.spill) {
            self.kept.admit(&mut values, limit / 2, space)?;
        }
        Ok((values, seen))
    }

    /// [`run`](Session::run), with a report of what was measured.
    ///
    /// # Errors
    /// What a task fails with.
    pub fn run_reported(&self, plan: Plan) -> Result<(Vec<Value>, Report)> {
        let (values, recorder) = self.run_recorded(plan, Detail::Sums);
        Ok((values?, self.report(&recorder)))
    }

    /// [`run`](Session::run), with a profile of what each thread did when. If a task fails, the profile shows how far the run came.
    pub fn run_profiled(&self, plan: Plan) -> (Result<Vec<Value>>, Profile) {
        let (values, recorder) = self.run_recorded(plan, Detail::Timeline);
        (values, Profile::of(&recorder, self.report(&recorder)))
    }

    /// The report of a run that is over, beside what was predicted; later predictions go by it.
    fn report(&self, recorder: &Recorder) -> Report {
        let mut report = Report::of(recorder);
        if let Some(file) = self.settings.costs_file() {
            report.note = compare_and_learn(recorder, &mut report, &file, !self.executor.elsewhere());
        }
        report
    }

    /// How long computing a collection will take, going by earlier runs. Nothing runs.
    ///
    /// # Errors
    /// As [`plan`](Session::plan).
    pub fn predict<C: Collection + ?Sized>(&self, collection: &C) -> Result<Prediction> {
        self.predict_plan(&Arc::new(self.plan(collection)?))
    }

    /// How long a plan will take, going by earlier runs.
    ///
    /// # Errors
    /// If the graph is malformed.
    pub fn predict_plan(&self, plan: &Arc<Plan>) -> Result<Prediction> {
        Ok(predict(plan, self.executor.threads(), self.settings.costs_file().as_deref())?)
    }

    /// Runs a plan and records it.
    fn run_recorded(&self, plan: Plan, detail: Detail) -> (Result<Vec<Value>>, Arc<Recorder>) {
        let (plan, turn) = self.turn(plan);
        let plan = Arc::new(plan);
        let recorder = Recorder::named(&plan, self.executor.threads(), self.executor.lanes(), detail);
        let recorder = Arc::new(recorder);
        // A board of its own: what is sampled is this run.
        let mut session = self.clone().observed_runs(recorder.clone());
        let sampler = (detail == Detail::Timeline).then(|| {
            let board = session.context.board.within();
            session.context.board = board.clone();
            recorder.sample_each(board)
        });
        let values = session.run_in(turn, plan);
        drop(sampler);
        (values, recorder)
    }

    pub(crate) fn lowering(&self) -> Lowering {
        let mut lowering = Lowering::new(self.lowering.clone());
        lowering.registry = Some(self.context.registry.clone());
        lowering
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({}, {} threads)", self.executor.name(), self.executor.threads())
    }
}
