//! `compute`, `persist`, `explain`: what makes lazy things happen.

use std::path::Path;

use talatat_collections::{Collection, Lowering, Result};
use talatat_graph::{Edge, Plan, Value};

use crate::diagnostics::{Explained, Report, draw};
use crate::session::Session;

/// Computing of collections, on the current [`Session`] or a given one.
pub trait Compute: Collection {
    /// Computes the collection and brings the result here.
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
        self.gather(session.run(session.plan(self)?)?)
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
        let (blocks, report) = session.run_reported(session.plan(self)?)?;
        Ok((self.gather(blocks)?, report))
    }

    /// Computes the collection and keeps its blocks where they are: later graphs start from them.
    ///
    /// # Errors
    /// As [`compute`](Compute::compute).
    fn persist(&self) -> Result<Self>
    where
        Self: Sized,
    {
        self.persist_on(&Session::current()?)
    }

    /// [`persist`](Compute::persist) on a session.
    ///
    /// # Errors
    /// As [`compute`](Compute::compute).
    fn persist_on(&self, session: &Session) -> Result<Self>
    where
        Self: Sized,
    {
        self.persisted(session.run(session.plan(self)?)?)
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

    /// Draws the graph as it was asked for, before the passes on it, into a `.svg` or `.dot` file.
    ///
    /// # Errors
    /// As [`explain`](Compute::explain), and if the file has another extension or cannot be written.
    #[track_caller]
    fn visualize(&self, path: impl AsRef<Path>) -> Result<()> {
        let session = Session::current()?;
        draw(&session.graph(self)?, path)
    }

    /// Draws what would run, after the passes on the graph: culled, deduplicated, fused, and numbered in the order of execution.
    ///
    /// # Errors
    /// As [`visualize`](Compute::visualize).
    #[track_caller]
    fn visualize_plan(&self, path: impl AsRef<Path>) -> Result<()> {
        let session = Session::current()?;
        draw(session.explain(self)?.plan().graph(), path)
    }
}

impl<C: Collection + ?Sized> Compute for C {}

/// Several collections that are computed in one graph: a tuple or a slice of them.
pub trait ComputeAll {
    /// The results, in the same form.
    type Output;

    /// Lowers all into one graph; `counts` gets the number of blocks of each.
    ///
    /// # Errors
    /// As [`Collection::lower`].
    fn lower_all(&self, lowering: &mut Lowering, counts: &mut Vec<usize>) -> Result<Vec<Edge>>;

    /// Puts the results together; `blocks` are those of each collection.
    ///
    /// # Errors
    /// As [`Collection::gather`].
    fn gather_all(&self, blocks: Vec<Vec<Value>>) -> Result<Self::Output>;
}

/// Computes several collections at once: what they have in common is computed once.
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
pub fn compute_all<A: ComputeAll>(collections: A) -> Result<A::Output> {
    compute_all_on(&Session::current()?, collections)
}

/// [`compute_all`] on a session.
///
/// # Errors
/// As [`Compute::compute`].
pub fn compute_all_on<A: ComputeAll>(session: &Session, collections: A) -> Result<A::Output> {
    let mut lowering = session.lowering();
    let mut counts = Vec::new();
    let edges = collections.lower_all(&mut lowering, &mut counts)?;
    let mut values = session.run(session.plan_graph(lowering.finish(edges))?)?.into_iter();
    let blocks = counts.into_iter().map(|count| values.by_ref().take(count).collect()).collect();
    collections.gather_all(blocks)
}

impl<C: Collection> ComputeAll for [C] {
    type Output = Vec<C::Output>;

    fn lower_all(&self, lowering: &mut Lowering, counts: &mut Vec<usize>) -> Result<Vec<Edge>> {
        let mut edges = Vec::new();
        for collection in self {
            let blocks = collection.lower(lowering)?;
            counts.push(blocks.len());
            edges.extend(blocks);
        }
        Ok(edges)
    }

    fn gather_all(&self, blocks: Vec<Vec<Value>>) -> Result<Self::Output> {
        self.iter().zip(blocks).map(|(collection, blocks)| collection.gather(blocks)).collect()
    }
}

impl<A: ComputeAll + ?Sized> ComputeAll for &A {
    type Output = A::Output;

    fn lower_all(&self, lowering: &mut Lowering, counts: &mut Vec<usize>) -> Result<Vec<Edge>> {
        (**self).lower_all(lowering, counts)
    }

    fn gather_all(&self, blocks: Vec<Vec<Value>>) -> Result<Self::Output> {
        (**self).gather_all(blocks)
    }
}

macro_rules! compute_tuples {
    ($(($($name:ident $index:tt),*);)*) => {$(
        impl<$($name: Collection),*> ComputeAll for ($($name,)*) {
            type Output = ($($name::Output,)*);

            fn lower_all(&self, lowering: &mut Lowering, counts: &mut Vec<usize>) -> Result<Vec<Edge>> {
                let mut edges = Vec::new();
                $({
                    let blocks = self.$index.lower(lowering)?;
                    counts.push(blocks.len());
                    edges.extend(blocks);
                })*
                Ok(edges)
            }

            fn gather_all(&self, blocks: Vec<Vec<Value>>) -> Result<Self::Output> {
                let mut blocks = blocks.into_iter();
                Ok(($(self.$index.gather(blocks.next().unwrap_or_default())?,)*))
            }
        }
    )*};
}

compute_tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
}
