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
pub struct Manipulated<C, P = Delayed<()>> {
    of: C,
    how: How<P>,
    name: &'static str,
    /// What tells it from all others.
    key: Key,
    line: &'static Line<'static>,
}

enum How<P> {
    /// With tasks of its own, the first of which wait for something.
    Apart(Option<P>),
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
fn manipulated<C, P>(name: &'static str, of: C, how: How<P>) -> Manipulated<C, P> {
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
    manipulated("clone", collection, How::Apart(None))
}

/// The collection `children` with tasks of its own, the first of which (those that read no other task) wait until all of `parents` is computed.
/// What both need is computed twice, since `parents` cannot wait for itself: persist what is to be shared.
#[track_caller]
pub fn bind<C: Collection, P: Collection>(children: C, parents: P) -> Manipulated<C, P> {
    manipulated("bind", children, How::Apart(Some(parents)))
}

impl<C: Collection, P: Collection> Collection for Manipulated<C, P> {
    type Output = C::Output;
    type Persisted = C::Persisted;

    fn blocks(&self) -> Result<usize> {
        self.of.blocks()
    }

    fn announce(&self, lowering: &mut Lowering) -> Result<()> {
        match &self.how {
            How::Apart(None) => Ok(()),
            How::Apart(Some(parents)) => parents.announce(lowering),
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
            How::Apart(parents) => {
                let after = match parents {
                    None => None,
                    Some(parents) => {
                        let edges = parents.lower(lowering)?;
                        Some(lowering.barrier(self.key, &edges, self.line)?)
                    }
                };
                let mark = lowering.graph.mark();
                let edges = lowering.apart(|lowering| {
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
        if let How::Apart(Some(parents)) = &self.how {
            text += &format!("after\n{}", below(&parents.describe_expression(rewritten)));
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

impl<T: Payload, P: Collection + Send + Sync + 'static> Manipulated<Delayed<T>, P> {
    /// As a delayed value, for other calls.
    pub fn delayed(self) -> Delayed<T> {
        let (key, name, line) = (self.key, self.name, self.line);
        foreign(key, name, line, 0, Arc::new(move |lowering: &mut Lowering| self.lower(lowering)))
    }
}

impl<T: Payload, P: Collection + Send + Sync + 'static> Manipulated<Vec<Delayed<T>>, P> {
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
