//! What runs before what, where no data say so: `checkpoint`, `wait_on`, `bind` and `clone`, as in `dask.graph_manipulation`.
//!
//! They work on any collection, by edges in its graph: what comes out is a collection again, and of delayed values delayed values
//! ([`Manipulated::delayed`]), which other calls can read. No result changes.
//!
//! ```
//! use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
//! use talatat::graph_manipulation::bind;
//! use talatat::prelude::*;
//! static TABLE: AtomicI64 = AtomicI64::new(0);
//! let fill = delayed(|| TABLE.store(42, SeqCst)).call(());
//! let read = delayed(|| TABLE.load(SeqCst)).call(());
//! assert_eq!(bind(read, fill).compute()?, 42); // reads when the table is filled
//! # Ok::<(), talatat::Error>(())
//! ```

use std::panic::Location as Line;
use std::sync::Arc;

use talatat_graph::{Edge, Key, KeyBuilder, Value};

use crate::collection::Collection;
use crate::delayed::{Delayed, Lower, Payload, foreign, unique};
use crate::error::Result;
use crate::lower::Lowering;

/// A collection with other edges in its graph. Made by [`bind`], [`clone`] and [`wait_on`].
pub struct Manipulated<C, P = Delayed<()>, O = Delayed<()>> {
    of: C,
    how: How<P, O>,
    name: &'static str,
    /// What tells it from all others.
    key: Key,
    line: &'static Line<'static>,
}

enum How<P, O> {
    /// With tasks of its own, the first of which wait for something; all but those of some collection.
    Apart { after: Option<P>, omit: Option<O> },
    /// No block is handed on before all are there.
    Together,
}

/// All of a collection computed, and nothing kept of it. Made by [`checkpoint`].
pub struct Checkpoint<C> {
    of: C,
    key: Key,
    line: &'static Line<'static>,
}

#[track_caller]
fn manipulated<C, P>(name: &'static str, of: C, how: How<P, Delayed<()>>) -> Manipulated<C, P> {
    Manipulated { of, how, name, key: KeyBuilder::new(name).number(unique()).finish(), line: Line::caller() }
}

/// Something that is done when all of a collection is computed: blocks are dropped as they come, so it takes no memory.
///
/// ```
/// use talatat::graph_manipulation::checkpoint;
/// use talatat::prelude::*;
/// let work: Vec<_> = (0..3_i64).map(|x| delayed(|x: i64| x + 1).call(x)).collect();
/// checkpoint(work).compute()?;
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn checkpoint<C: Collection>(collection: C) -> Checkpoint<C> {
    Checkpoint { of: collection, key: KeyBuilder::new("checkpoint").number(unique()).finish(), line: Line::caller() }
}

/// The same collection, none of whose blocks is handed on before all of them are there: whatever reads one of them waits for all.
///
/// ```
/// use talatat::graph_manipulation::wait_on;
/// use talatat::prelude::*;
/// let parts: Vec<_> = (0..3_i64).map(|x| delayed(|x: i64| x + 1).call(x)).collect();
/// let parts = wait_on(parts).delayed();
/// let doubled: Vec<_> = parts.into_iter().map(|x| delayed(|x: i64| 2 * x).call(x)).collect(); // none begins before all parts are there
/// assert_eq!(doubled.compute()?, [2, 4, 6]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn wait_on<C: Collection>(collection: C) -> Manipulated<C> {
    manipulated("wait_on", collection, How::Together)
}

/// The same collection with tasks of its own: nothing of it is shared with the collection itself, so it is computed again beside it. For
/// sources that are quicker read twice than kept, and with [`bind`].
///
/// ```
/// use talatat::graph_manipulation::clone;
/// use talatat::prelude::*;
/// let x = delayed(|x: i64| x + 1).call(1_i64);
/// let both = (x.clone(), clone(x));
/// assert_eq!(both.plan()?.graph().len(), 2);
/// assert_eq!(both.compute()?, (2, 2));
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn clone<C: Collection>(collection: C) -> Manipulated<C> {
    manipulated("clone", collection, How::Apart { after: None, omit: None })
}

/// The collection `children` with tasks of its own, the first of which (those that read no other task) wait until all of `parents` is computed.
/// What both need is computed twice, since `parents` cannot wait for itself: persist what is to be shared, or [omit](Manipulated::omit) it.
#[track_caller]
pub fn bind<C: Collection, P: Collection>(children: C, parents: P) -> Manipulated<C, P> {
    manipulated("bind", children, How::Apart { after: Some(parents), omit: None })
}

impl<C, P> Manipulated<C, P> {
    /// Leaves a collection out of what [`bind`] and [`clone`] do: it and all that it is made of are shared and wait for nothing, as if they had been
    /// persisted. (To [`wait_on`] it makes no difference.)
    ///
    /// ```
    /// use talatat::graph_manipulation::clone;
    /// use talatat::prelude::*;
    /// let table = delayed(|| vec![1_i64, 2, 3]).call(());
    /// let sum = delayed(|table: Vec<i64>| table.iter().sum::<i64>()).call(table.clone());
    /// let both = (sum.clone(), clone(sum).omit(table));
    /// assert_eq!(both.plan()?.graph().len(), 3); // one table, two sums
    /// assert_eq!(both.compute()?, (6, 6));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// Arrays are shared as they were asked for, whatever reads them. A frame into which rewriting moves a filter or a selection of columns is
    /// computed again for that reader, with its own tasks.
    pub fn omit<O: Collection>(self, shared: O) -> Manipulated<C, P, O> {
        let Manipulated { of, how, name, key, line } = self;
        let how = match how {
            How::Apart { after, .. } => How::Apart { after, omit: Some(shared) },
            How::Together => How::Together,
        };
        Manipulated { of, how, name, key, line }
    }
}

impl<C: Collection, P: Collection, O: Collection> Collection for Manipulated<C, P, O> {
    type Output = C::Output;
    type Persisted = C::Persisted;

    fn blocks(&self) -> Result<usize> {
        self.of.blocks()
    }

    fn announce(&self, lowering: &mut Lowering) -> Result<()> {
        match &self.how {
            How::Apart { after, omit } => {
                after.as_ref().map_or(Ok(()), |after| after.announce(lowering))?;
                omit.as_ref().map_or(Ok(()), |omit| omit.announce(lowering))
            }
            How::Together => self.of.announce(lowering),
        }
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        if let Some(edges) = lowering.seen(self.key) {
            return Ok(edges.to_vec());
        }
        let edges = match &self.how {
            How::Together => {
                let edges = self.of.lower(lowering)?;
                let all = lowering.barrier(self.key, &edges, self.line)?;
                lowering.held_back(self.key, &edges, all, self.line)?
            }
            How::Apart { after, omit } => {
                let shared = omit.as_ref().map(|omit| omit.lower(lowering)).transpose()?;
                let after = match after {
                    None => None,
                    Some(parents) => {
                        let edges = parents.lower(lowering)?;
                        Some(lowering.barrier(self.key, &edges, self.line)?)
                    }
                };
                let mark = lowering.graph.mark();
                let edges = lowering.apart(shared.as_deref(), |lowering| {
                    self.of.announce(lowering)?;
                    self.of.lower(lowering)
                })?;
                lowering.graph.set_apart(mark, self.key, after)?;
                edges
            }
        };
        Ok(lowering.note(self.key, edges).to_vec())
    }

    fn gather(&self, blocks: Vec<Value>) -> Result<Self::Output> {
        self.of.gather(blocks)
    }

    fn persisted(&self, blocks: Vec<Value>) -> Result<Self::Persisted> {
        self.of.persisted(blocks)
    }

    fn looks(&self, lowering: &mut Lowering, blocks: &[Edge]) -> Result<Vec<Edge>> {
        self.of.looks(lowering, blocks)
    }

    fn persisted_seen(&self, blocks: Vec<Value>, seen: &mut dyn Iterator<Item = Value>) -> Result<Self::Persisted> {
        self.of.persisted_seen(blocks, seen)
    }

    fn check_storable(&self) -> Result<()> {
        self.of.check_storable()
    }

    fn describe_expression(&self, rewritten: bool) -> String {
        let mut text = format!("{}\n{}", self.name, below(&self.of.describe_expression(rewritten)));
        if let How::Apart { after, omit } = &self.how {
            if let Some(parents) = after {
                text += &format!("after\n{}", below(&parents.describe_expression(rewritten)));
            }
            if let Some(omit) = omit {
                text += &format!("sharing\n{}", below(&omit.describe_expression(rewritten)));
            }
        }
        text
    }
}

impl<C: Collection> Collection for Checkpoint<C> {
    type Output = ();
    type Persisted = Delayed<()>;

    fn blocks(&self) -> Result<usize> {
        Ok(1)
    }

    fn announce(&self, lowering: &mut Lowering) -> Result<()> {
        self.of.announce(lowering)
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        if let Some(edges) = lowering.seen(self.key) {
            return Ok(edges.to_vec());
        }
        let edges = self.of.lower(lowering)?;
        let all = lowering.barrier(self.key, &edges, self.line)?;
        Ok(lowering.note(self.key, vec![all]).to_vec())
    }

    fn gather(&self, _: Vec<Value>) -> Result<()> {
        Ok(())
    }

    fn persisted(&self, _: Vec<Value>) -> Result<Delayed<()>> {
        Ok(Delayed::ready(()))
    }

    fn describe_expression(&self, rewritten: bool) -> String {
        format!("checkpoint\n{}", below(&self.of.describe_expression(rewritten)))
    }
}

fn below(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

impl<T, P, O> Manipulated<Delayed<T>, P, O>
where
    T: Payload,
    P: Collection + Send + Sync + 'static,
    O: Collection + Send + Sync + 'static,
{
    /// As a delayed value, for other calls.
    pub fn delayed(self) -> Delayed<T> {
        let (key, name, line) = (self.key, self.name, self.line);
        foreign(key, name, line, 0, Arc::new(move |lowering: &mut Lowering| self.lower(lowering)))
    }
}

impl<T, P, O> Manipulated<Vec<Delayed<T>>, P, O>
where
    T: Payload,
    P: Collection + Send + Sync + 'static,
    O: Collection + Send + Sync + 'static,
{
    /// As delayed values, for other calls.
    pub fn delayed(self) -> Vec<Delayed<T>> {
        let (key, name, line, count) = (self.key, self.name, self.line, self.of.len());
        let lower: Lower = Arc::new(move |lowering: &mut Lowering| self.lower(lowering));
        (0..count).map(|number| foreign(key, name, line, number, lower.clone())).collect()
    }
}

impl<C: Collection + Send + Sync + 'static> Checkpoint<C> {
    /// As a delayed value, for other calls.
    pub fn delayed(self) -> Delayed<()> {
        let (key, line) = (self.key, self.line);
        foreign(key, "checkpoint", line, 0, Arc::new(move |lowering: &mut Lowering| self.lower(lowering)))
    }
}
