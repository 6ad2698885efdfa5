//! Who runs computations, and under which limits.

use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use talatat_collections::{Collection, Lowering, LoweringOptions, Result};
use talatat_graph::{
    Cancel, Executor, Observer, Plan, PlanOptions, Registry, RunContext, Synchronous, TaskGraph, Threads, Value, testing,
};

/// The built-in executors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutorChoice {
    /// The calling thread.
    Synchronous,
    /// A pool of threads, the calling one included.
    Threads,
    /// Refuses to compute: proves that something is lazy.
    Refuse,
    /// Writes each task and each block as bytes and reads it back, as if every task ran in another process.
    Serialize,
}

/// Who runs computations, and under which limits. Cloning is cheap; clones share the thread pool.
#[derive(Clone)]
pub struct Session {
    executor: Arc<dyn Executor>,
    plan: PlanOptions,
    lowering: LoweringOptions,
    context: RunContext,
}

static CURRENT: OnceLock<RwLock<Session>> = OnceLock::new();

impl Session {
    /// Starts building a session.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// The session that `compute()` uses.
    pub fn current() -> Session {
        Self::slot().read().clone()
    }

    /// Makes this the session that `compute()` uses, in all threads.
    pub fn make_current(&self) {
        *Self::slot().write() = self.clone();
    }

    fn slot() -> &'static RwLock<Session> {
        CURRENT.get_or_init(|| RwLock::new(SessionBuilder::default().build()))
    }

    /// The executor.
    pub fn executor(&self) -> &Arc<dyn Executor> {
        &self.executor
    }

    /// A handle that cancels all computations of this session and its clones.
    pub fn cancel_handle(&self) -> Cancel {
        self.context.cancel.clone()
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
        let mut lowering = Lowering::new(self.lowering.clone());
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

    /// The plan of a graph.
    ///
    /// # Errors
    /// If it needs more than the memory limit.
    pub fn plan_graph(&self, graph: TaskGraph) -> Result<Plan> {
        Ok(Plan::new(graph, &self.plan)?)
    }

    /// Runs a plan and returns its outputs.
    ///
    /// # Errors
    /// What a task fails with.
    pub fn run(&self, plan: Plan) -> Result<Vec<Value>> {
        Ok(self.executor.execute(Arc::new(plan), &self.context)?)
    }

    /// The blocks of a collection, computed.
    pub(crate) fn blocks<C: Collection + ?Sized>(&self, collection: &C) -> Result<Vec<Value>> {
        self.run(self.plan(collection)?)
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

/// Builds a [`Session`].
#[derive(Default)]
pub struct SessionBuilder {
    choice: Option<ExecutorChoice>,
    executor: Option<Arc<dyn Executor>>,
    threads: Option<usize>,
    plan: PlanOptions,
    lowering: LoweringOptions,
    context: RunContext,
    registry: Option<Registry>,
}

impl SessionBuilder {
    /// Chooses a built-in executor.
    pub fn executor(mut self, choice: ExecutorChoice) -> Self {
        self.choice = Some(choice);
        self
    }

    /// Plugs in another executor.
    pub fn custom_executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = Some(executor);
        self
    }

    /// How many threads the pool has; by default as many as the machine has cores.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// The most bytes that blocks may hold at once.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.plan.memory_limit = Some(bytes);
        self
    }

    /// Leaves a pass on the graph or a rewrite of expressions out, by name: for tests and for finding faults.
    pub fn skip(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.plan.skip_passes.push(name.clone());
        self.lowering.skip_rewrites.push(name);
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
    pub fn build(self) -> Session {
        let threads = self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let executor = self.executor.unwrap_or_else(|| match self.choice.unwrap_or(ExecutorChoice::Threads) {
            ExecutorChoice::Synchronous => Arc::new(Synchronous),
            ExecutorChoice::Threads => Arc::new(Threads::new(threads)),
            ExecutorChoice::Refuse => Arc::new(testing::Refuse),
            ExecutorChoice::Serialize => Arc::new(testing::Serialize),
        });
        let registry = Arc::new(self.registry.unwrap_or_else(talatat_collections::registry));
        Session {
            executor,
            plan: self.plan,
            lowering: self.lowering,
            context: RunContext { registry, ..self.context },
        }
    }
}
