//! Calls that begin at once: a session's futures.

use std::sync::Arc;
use std::time::Instant;

use talatat_collections::delayed::{Args, Callable, DelayedFn, Payload, Plain, Try, submit};
use talatat_collections::{Collection, Error, Result};
use talatat_graph::{Failure, Future, KernelError, Need, Plan, Submit};

use crate::diagnostics::{Profile, Recorder, Report};
use crate::session::Session;

impl Session {
    /// Calls a function on a thread of this session, as soon as one is free and the arguments are there. `args` is a tuple of arguments or a
    /// single one; futures may stand in for plain values, alone or inside vectors and options. Plain values are moved.
    ///
    /// Calls may submit calls: waiting for them within a call takes no thread away.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let session = Session::builder().threads(2).build()?;
    /// let parts = session.map(|x: i64| x * x, 1..=3_i64)?;
    /// let total = session.submit(|parts: Vec<i64>| parts.iter().sum::<i64>(), parts)?;
    /// assert_eq!(total.result()?, 14);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an argument is lazy (a [`Delayed`](crate::delayed::Delayed)), or the executor never computes.
    #[track_caller]
    pub fn submit<F, A>(&self, function: F, args: A) -> Result<Future<F::Output>>
    where
        A: Args,
        F: Callable<A::Values, Plain> + Send + 'static,
    {
        submit(self.pool()?, function, args)
    }

    /// [`submit`](Session::submit) for functions that return a `Result`: an `Err` is the future's error, with the call's name and line.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let session = Session::builder().threads(1).build()?;
    /// let parse = |text: String| text.parse::<i64>();
    /// assert_eq!(session.try_submit(parse, "42".to_string())?.result()?, 42);
    /// assert!(session.try_submit(parse, "many".to_string())?.result().is_err());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`submit`](Session::submit).
    #[track_caller]
    pub fn try_submit<F, A>(&self, function: F, args: A) -> Result<Future<F::Output>>
    where
        A: Args,
        F: Callable<A::Values, Try> + Send + 'static,
    {
        submit(self.pool()?, function, args)
    }

    /// [`submit`](Session::submit) for a function with a name and annotations.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let session = Session::builder().threads(2).resource("gpu", 2).build()?;
    /// let train = delayed(|seed: u64| seed * 10).named("train").needs(Need::default().resource("gpu", 1));
    /// let models = (0..4).map(|seed: u64| session.submit_call(&train, seed)).collect::<talatat::Result<Vec<_>>>()?;
    /// assert_eq!(gather(models)?, [0, 10, 20, 30]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`submit`](Session::submit), and if the annotations ask for what there is not.
    #[track_caller]
    pub fn submit_call<F, M, A>(&self, function: &DelayedFn<F, M>, args: A) -> Result<Future<F::Output>>
    where
        A: Args,
        F: Callable<A::Values, M> + Send + Sync + 'static,
        M: Send + Sync + 'static,
    {
        function.submit_to(self.pool()?, args)
    }

    /// Submits a call for each of some arguments.
    ///
    /// # Errors
    /// As [`submit`](Session::submit).
    #[track_caller]
    pub fn map<F, A>(&self, function: F, args: impl IntoIterator<Item = A>) -> Result<Vec<Future<F::Output>>>
    where
        A: Args,
        F: Callable<A::Values, Plain> + Clone + Send + 'static,
    {
        let (pool, mut futures) = (self.pool()?, Vec::new());
        for args in args {
            futures.push(submit(pool, function.clone(), args)?);
        }
        Ok(futures)
    }

    /// Futures of values that are there: for calls that take futures.
    pub fn scatter<T: Payload>(&self, values: impl IntoIterator<Item = T>) -> Vec<Future<T>> {
        values.into_iter().map(Future::ready).collect()
    }

    /// Records the submitted calls that end while `work` runs: a table by the calls' names, and a timeline of each thread, as of tasks
    /// ([`Profile`], [`Profile::report`]). A call that waited for others on its thread has their time in its own. Calls of all sessions that share the
    /// threads are seen; what graphs run is not (see [`run_profiled`](Session::run_profiled)).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let session = Session::builder().threads(2).build()?;
    /// let square = delayed(|x: i64| x * x).named("square");
    /// let (squares, profile) = session.record_calls(|| {
    ///     gather((0..5_i64).map(|x| session.submit_call(&square, x)).collect::<talatat::Result<Vec<_>>>()?)
    ///         .map_err(talatat::Error::from)
    /// })?;
    /// assert_eq!(squares?, [0, 1, 4, 9, 16]);
    /// assert_eq!((profile.report().operations[0].operation.as_str(), profile.report().operations[0].tasks), ("square", 5));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the executor never computes.
    pub fn record_calls<R>(&self, work: impl FnOnce() -> R) -> Result<(R, Profile)> {
        let recorder = Arc::new(Recorder::of_calls(self.executor().threads())?);
        let (begin, watching) = (Instant::now(), self.pool()?.observe(recorder.clone()));
        let result = work();
        drop(watching);
        recorder.finish(begin.elapsed());
        Ok((result, Profile::of(&recorder, Report::of(&recorder))))
    }

    /// Computes a collection in the background: plans it here, runs it on the session's threads, and gives a future of what
    /// [`compute`](crate::Compute::compute) gives. It starts when its bytes are free: what several such runs hold together keeps to the
    /// memory limit.
    ///
    /// # Errors
    /// As [`compute`](crate::Compute::compute), as far as planning can tell.
    #[track_caller]
    pub fn submit_compute<C>(&self, collection: &C) -> Result<Future<C::Output>>
    where
        C: Collection + Clone + Send + Sync + 'static,
        C::Output: Clone + Send + Sync,
    {
        let pool = self.pool()?;
        let plan = self.plan_measured(collection)?;
        let mut call = Submit::new("compute");
        let mut need = Need::default();
        if let Some(limit) = plan.memory_limit() {
            need = need.bytes(share(&plan, limit));
        }
        let plan = plan.limited_to(need.reserved_bytes());
        call.need(need);
        let (session, collection) = (self.clone(), collection.clone());
        Ok(call.once(pool, move || {
            let blocks = session.run_here(Arc::new(plan)).map_err(failure)?;
            collection.gather(blocks).map_err(failure)
        })?)
    }
}

/// How much of the memory limit a run in the background gets: room to run ahead, but not all that there is.
fn share(plan: &Plan, limit: u64) -> u64 {
    plan.base().saturating_mul(2).max(limit / 8).min(limit)
}

/// An error of a collection as one of a call.
pub(crate) fn failure(error: Error) -> Failure {
    match error {
        Error::Graph(error) => Failure::Other(error),
        other => Failure::Own(KernelError::from_source(other)),
    }
}
