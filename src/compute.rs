//! `compute`, `persist`, `explain`: what makes lazy things happen.

use std::path::Path;

use talatat_collections::durable::Durable;
use talatat_collections::{Collection, Result};
use talatat_graph::{Future, Plan};

use crate::diagnostics::{Explained, Prediction, Profile, Report, draw, draw_timed, task_times};
use crate::session::Session;

/// Computing of collections, on the current [`Session`] or a given one.
///
/// Tuples, vectors and slices of collections are collections, too: they become one graph, are rewritten together, and what they
/// share is computed once.
///
/// ```
/// use talatat::prelude::*;
/// let slow = delayed(|x: i64| x * x).named("square").call(7_i64);
/// let both = (delayed(|x: i64| x + 1).call(slow.clone()), delayed(|x: i64| x - 1).call(slow));
/// assert_eq!(both.plan()?.graph().len(), 3);
/// println!("{}", both.explain()?);
/// let ((more, less), report) = both.compute_reported()?;
/// assert_eq!((more, less), (50, 48));
/// assert_eq!(report.operations.iter().map(|operation| operation.tasks).sum::<usize>(), 3);
/// # Ok::<(), talatat::Error>(())
/// ```
pub trait Compute: Collection {
    /// Computes the collection and brings the result here. Where the size of a frame decides how it is best done and no metadata tell it,
    /// a sample is computed before.
    ///
    /// # Errors
    /// If the collection was built of calls that cannot work, a task fails, memory does not suffice, or a setting cannot be used.
    fn compute(&self) -> Result<Self::Output> {
        self.compute_on(&Session::current()?)
    }

    /// [`compute`](Compute::compute) on a session.
    ///
    /// # Errors
    /// As [`compute`](Compute::compute).
    fn compute_on(&self, session: &Session) -> Result<Self::Output> {
        self.gather(session.run(session.plan_measured(self)?)?)
    }

    /// Computes the collection in the background: see [`Session::submit_compute`].
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let future = delayed(|x: i64| x + 1).call(41_i64).submit()?;
    /// let other = Session::current()?.submit(|x: i64| x * 2, future)?;
    /// assert_eq!(other.result()?, 84);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`compute`](Compute::compute), as far as planning can tell.
    #[track_caller]
    fn submit(&self) -> Result<Future<Self::Output>>
    where
        Self: Clone + Send + Sync + Sized + 'static,
        Self::Output: Clone + Send + Sync,
    {
        Session::current()?.submit_compute(self)
    }

    /// [`compute`](Compute::compute), with a table of what ran: measured times and bytes next to what the plan promised.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let (value, report) = delayed(|x: i64| x + 1).call(1_i64).compute_reported()?;
    /// assert_eq!(value, 2);
    /// assert_eq!(report.operations[0].tasks, 1);
    /// println!("{report}");
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`compute`](Compute::compute).
    fn compute_reported(&self) -> Result<(Self::Output, Report)> {
        let session = Session::current()?;
        let (blocks, report) = session.run_reported(session.plan_measured(self)?)?;
        Ok((self.gather(blocks)?, report))
    }

    /// [`compute`](Compute::compute), with a [`Profile`] of what each thread did when, for a browser or Perfetto.
    ///
    /// ```no_run
    /// use talatat::prelude::*;
    /// let (value, profile) = delayed(|x: i64| x + 1).call(1_i64).compute_profiled()?;
    /// profile.save("profile.html")?;
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`compute`](Compute::compute). ([`Session::run_profiled`] gives the profile of a run that failed, too.)
    fn compute_profiled(&self) -> Result<(Self::Output, Profile)> {
        let session = Session::current()?;
        let (blocks, profile) = session.run_profiled(session.plan_measured(self)?);
        Ok((self.gather(blocks?)?, profile))
    }

    /// Computes the collection and keeps its blocks where they are: later graphs start from them. What does not fit into half of
    /// the memory limit is on disk meanwhile.
    ///
    /// # Errors
    /// As [`compute`](Compute::compute).
    fn persist(&self) -> Result<Self::Persisted> {
        self.persist_on(&Session::current()?)
    }

    /// [`persist`](Compute::persist) on a session.
    ///
    /// # Errors
    /// As [`compute`](Compute::compute).
    fn persist_on(&self, session: &Session) -> Result<Self::Persisted> {
        let (blocks, seen) = session.keep(self)?;
        self.persisted_seen(blocks, &mut seen.into_iter())
    }

    /// The same collection with its blocks kept in a store (a folder, `s3://...`, `memory://...`) under names that say what was computed:
    /// blocks that are there are read, the others are computed and put there one by one. A program that ended in the middle continues when
    /// it is started again. See [`Durable`] for what names are made of, and for what happens to files that are damaged.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let square = delayed(|x: i64| x * x).versioned("square", 1);
    /// let squares: Vec<_> = (0..4_i64).map(|x| square.call(x)).collect();
    /// squares[..3].durable("memory://docs/squares")?.compute()?;
    /// // Later, perhaps in another process:
    /// let durable = squares.durable("memory://docs/squares")?;
    /// assert!(durable.explain()?.to_string().contains("3 of 4 blocks are in memory://docs/squares"));
    /// assert_eq!(durable.compute()?, [0, 1, 4, 9]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the place cannot be understood. (What cannot be kept shows when it is planned.)
    #[track_caller]
    fn durable(&self, place: &str) -> Result<Durable<&Self>> {
        Durable::new(self, place)
    }

    /// Computes the collection block by block into a store, as far as the blocks are not there, and gives the collection that stands on
    /// them: later graphs read from the store what they need of it, and nothing stays in memory. (For what is used often,
    /// `.persist_to(place)?.persist()?` keeps it in memory as well.)
    ///
    /// Functions without a [version](crate::delayed::DelayedFn::versioned) are taken to be the same in this build of the program
    /// only; results of other types than numbers must be [storable](crate::delayed::Delayed::storable).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let slow = delayed(|x: i64| x * x).versioned("slow", 1).call(7_i64);
    /// let kept = slow.persist_to("memory://docs/slow")?; // computed, unless it is there
    /// assert_eq!(delayed(|x: i64| x + 1).call(kept).compute()?, 50);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`compute`](Compute::compute); if the store fails; if a task's result has no name that another run would know, or cannot be written
    /// as bytes: the message says how to mend that.
    #[track_caller]
    fn persist_to(&self, place: &str) -> Result<Self::Persisted> {
        self.persist_to_on(place, &Session::current()?)
    }

    /// [`persist_to`](Compute::persist_to) on a session.
    ///
    /// # Errors
    /// As [`persist_to`](Compute::persist_to).
    #[track_caller]
    fn persist_to_on(&self, place: &str, session: &Session) -> Result<Self::Persisted> {
        let durable = self.durable(place)?.left_there();
        let (blocks, seen) = session.keep(&durable)?;
        durable.persisted_seen(blocks, &mut seen.into_iter())
    }

    /// The plan: what would run, in which order, with how many bytes.
    ///
    /// # Errors
    /// If the collection was built of calls that cannot work, or the plan needs more than the memory limit.
    fn plan(&self) -> Result<Plan> {
        Session::current()?.plan(self)
    }

    /// What computing would do, as text: the expression before and after rewriting, the passes on the graph, the
    /// operations with their tasks and bytes, and the projected peak. Runs nothing.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let text = delayed(|x: i64| x + 1).named("increment").call(1_i64).explain()?.to_string();
    /// assert!(text.contains("increment"));
    /// assert!(text.contains("projected peak"));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the collection was built of calls that cannot work. (A plan over the memory limit is shown, and the text says so.)
    fn explain(&self) -> Result<Explained> {
        Session::current()?.explain(self)
    }

    /// [`explain`](Compute::explain) after measuring what no metadata tell: computes the samples of frames that decide, but nothing else.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let text = delayed(|x: i64| x + 1).named("increment").call(1_i64).explain_measured()?.to_string();
    /// assert!(text.contains("increment"));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`explain`](Compute::explain).
    fn explain_measured(&self) -> Result<Explained> {
        Session::current()?.explain_measured(self)
    }

    /// How long computing would take, going by what its operations cost in earlier runs that were reported or profiled; how the time falls
    /// with the number of threads; core-seconds, and money at a stated price. Runs nothing.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let square = delayed(|x: i64| x * x).named("square").call(7_i64);
    /// square.compute_reported()?; // learns what it costs
    /// println!("{}", square.predict()?.priced(0.05));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`plan`](Compute::plan).
    fn predict(&self) -> Result<Prediction> {
        Session::current()?.predict(self)
    }

    /// Draws the graph as it was asked for, before the passes on it, into a `.svg`, `.dot` or `.html` file. The last is a page to zoom and to
    /// point at (operation, line of the call, bytes), coloured by operation, order or bytes; graphs of more than some hundred tasks are drawn
    /// by layer.
    ///
    /// # Errors
    /// As [`explain`](Compute::explain), and if the file has another extension or cannot be written.
    #[track_caller]
    fn visualize(&self, path: impl AsRef<Path>) -> Result<()> {
        let session = Session::current()?;
        draw(&session.graph(self)?, path)
    }

    /// Draws what would run, after the passes on the graph: culled, deduplicated, fused, and numbered in the order of execution. In a `.html`
    /// file it can be coloured by time, too, if earlier runs tell how long its operations take.
    ///
    /// # Errors
    /// As [`visualize`](Compute::visualize).
    #[track_caller]
    fn visualize_plan(&self, path: impl AsRef<Path>) -> Result<()> {
        let session = Session::current()?;
        let explained = session.explain(self)?;
        let (plan, file) = (explained.plan(), session.settings().costs_file());
        draw_timed(plan.graph(), &task_times(plan, session.executor().threads(), file.as_deref()), path)
    }
}

impl<C: Collection + ?Sized> Compute for C {}

/// Computes several collections at once, a tuple, vector or slice of them: what they have in common is computed once. The same as
/// [`compute`](Compute::compute) on them.
///
/// ```
/// use talatat::prelude::*;
/// let slow = delayed(|x: i64| x * x).call(7_i64);
/// let more = delayed(|x: i64| x + 1).call(slow.clone());
/// let less = delayed(|x: i64| x - 1).call(slow);
/// assert_eq!(compute_all((more, less))?, (50, 48));
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// As [`Compute::compute`].
pub fn compute_all<C: Collection>(collections: C) -> Result<C::Output> {
    collections.compute()
}

/// [`compute_all`] on a session.
///
/// # Errors
/// As [`Compute::compute`].
pub fn compute_all_on<C: Collection>(session: &Session, collections: C) -> Result<C::Output> {
    collections.compute_on(session)
}
