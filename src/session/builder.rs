//! A session from what is said in code, in the environment and in files.

use std::sync::Arc;
use std::time::Duration;

use talatat_collections::config::{Compression, Costs, ExecutorChoice, FreeMemory, Progress, Settings};
use talatat_collections::{Error, LoweringOptions, Result};
use talatat_graph::{
    Cancel, Executor, Observer, Outputs, PlanOptions, Pool, Registry, RunContext, Synchronous, Threads,
    memory::{Cache, Headroom, Reclaim, SpillSpace},
    testing,
};

use super::Session;
use super::reclaim::{GiveBack, Keepers, trim};
use crate::diagnostics::{LivePage, ProgressBar, Tell};

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
    watchdog: Option<(Duration, Tell)>,
    live: Option<u16>,
    resources: Vec<(String, u64)>,
    start: Option<ThreadStart>,
    /// Bytes of results that are kept for later graphs.
    cache: u64,
    give_back: Option<GiveBack>,
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

    /// What makes the program's allocator give freed pages back to the system. It is called when a run under a memory limit has little left while the
    /// process has grown. By default glibc's `malloc_trim`: a program with another
    /// allocator says here what does the same, such as `talatat_allocator::give_back`.
    ///
    /// ```
    /// use talatat::Session;
    /// let session = Session::builder().memory_limit(1 << 30).give_back(talatat_allocator::give_back).build()?;
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn give_back(mut self, give_back: impl Fn() + Send + Sync + 'static) -> Self {
        self.give_back = Some(Arc::new(give_back));
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

    /// How many threads the pool has, at least one and at most 65,536; by default as many as there are cores for this process.
    pub fn threads(self, threads: usize) -> Self {
        self.change(move |settings| settings.threads = threads.clamp(1, 65_536))
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

    /// Keeps results of calls that took long and are small, up to so many bytes in all, for later computations that need them again: those
    /// with the highest cost a byte and the most uses stay. Off by default.
    ///
    /// It is opportunistic: it is within the memory limit, and running graphs come first and get the memory as soon as they need it. Kept are
    /// results of pure [`delayed`](crate::delayed::delayed) calls whose bytes are known: numbers, and
    /// [storable](crate::delayed::Delayed::storable) values. What must stay is [persisted](crate::Compute::persist). [`status`](Session::status) says what the cache holds.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let session = Session::builder().cache(100 << 20).build()?;
    /// let slow = delayed(|x: u64| (0..x).fold(0_u64, |sum, i| sum.wrapping_add(i * i))).call(1_000_000_u64);
    /// let first = slow.compute_on(&session)?;
    /// assert_eq!(slow.compute_on(&session)?, first); // not computed again
    /// assert_eq!(session.status().cache.map(|cache| cache.hits), Some(1));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn cache(mut self, bytes: u64) -> Self {
        self.cache = bytes;
        self
    }

    /// How blocks are written that do not fit.
    pub fn spill_compression(self, compression: Compression) -> Self {
        self.change(move |settings| settings.spill_compression = compression)
    }

    /// Whether a bar shows how far a computation is.
    pub fn progress(self, progress: Progress) -> Self {
        self.change(move |settings| settings.progress = progress)
    }

    /// Where it is kept between runs how long operations take, for [`predict`](crate::Compute::predict).
    pub fn costs(self, costs: Costs) -> Self {
        self.change(move |settings| settings.costs = costs)
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

    /// Says on the standard error stream what a computation waits for when none of its tasks has finished for so long; then after twice
    /// that time, and so on. It costs a thread for each computation.
    ///
    /// ```
    /// use std::time::Duration;
    /// use talatat::Session;
    /// let session = Session::builder().watchdog(Duration::from_secs(60)).build()?;
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn watchdog(self, patience: Duration) -> Self {
        self.watchdog_to(patience, |text| eprint!("{text}"))
    }

    /// [`watchdog`](SessionBuilder::watchdog), with somebody else to tell: a log, an alarm.
    pub fn watchdog_to(mut self, patience: Duration, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.watchdog = Some((patience, Arc::new(tell)));
        self
    }

    /// Shows the session at work on a page for the browser: what each thread runs, progress, memory. It is at `http://127.0.0.1:PORT/`
    /// ([`Session::live_address`]), for programs of this machine alone, as long as the session lives; port 0 is one that is free. While
    /// nobody looks it costs nothing.
    ///
    /// ```
    /// use talatat::Session;
    /// let session = Session::builder().live_page(0).build()?;
    /// assert!(session.live_address().is_some_and(|address| address.ip().is_loopback()));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn live_page(mut self, port: u16) -> Self {
        self.live = Some(port);
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
    /// If the environment or the settings' file hold something that cannot be used, or the port of the live page is taken.
    #[track_caller]
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
        let cached = self.cache.min(settings.memory_limit.unwrap_or(u64::MAX));
        let cache = (cached > 0).then(|| Arc::new(Cache::new(cached)));
        let give_back = self.give_back.unwrap_or_else(|| Arc::new(trim));
        let reclaim = settings.memory_limit;
        let reclaim = reclaim.map(|limit| Arc::new(Keepers::new(cache.clone(), limit, give_back)) as Arc<dyn Reclaim>);
        let headroom = settings.memory_limit.map(|_| Arc::new(FreeMemory) as Arc<dyn Headroom>);
        let on_stderr = || Arc::new(|text: &str| eprint!("{text}")) as Tell;
        let watchdog = self.watchdog.or_else(|| Some((settings.watchdog?, on_stderr())));
        let mut context = RunContext { registry, spill, reclaim, headroom, cache, ..self.context };
        let given = context.observers.clone();
        if shows_progress(settings.progress) {
            context.observers.push(Arc::new(ProgressBar::new()));
        }
        let caller = std::panic::Location::caller();
        let live = self.live.map(|port| {
            let page = LivePage::serve(context.board.clone(), port);
            let mend =
                |error| Error::invalid_at("live_page", format!("port {port}: {error}; give another one, or 0"), caller);
            page.map(Arc::new).map_err(mend)
        });
        // Every thread's task, and as much again for what waits for its readers.
        let task_bytes = settings.memory_limit.map(|limit| limit / (2 * executor.threads().max(1) as u64));
        let pool = executor.pool();
        if let Ok(pool) = &pool {
            pool.set_memory_limit(settings.memory_limit);
            self.resources.iter().for_each(|(name, count)| pool.set_resource(name, *count));
        }
        let observe = |pool: &Pool| given.into_iter().map(|observer| Arc::new(pool.observe(observer))).collect();
        Ok(Session {
            observing: pool.as_ref().map(observe).unwrap_or_default(),
            live: live.transpose()?,
            pool,
            plan: PlanOptions {
                memory_limit: settings.memory_limit,
                spill: context.spill.is_some(),
                outputs: Outputs::InMemory,
                elsewhere: executor.elsewhere(),
                skip_passes: self.skip.clone(),
            },
            lowering: LoweringOptions { skip_rewrites: self.skip, task_bytes },
            executor,
            context,
            kept: Arc::default(),
            watchdog,
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
