//! Results that outlive the program: each block in a file of its own, under a name that says what was computed.
//!
//! | file | what it does |
//! |---|---|
//! | here | a collection whose blocks are taken from a store, or computed and put there |
//! | `stored` | a block in a store, as a value |
//! | `file` | what is in such a file, and whether it is whole |
//!
//! The name of a block is a hash of its task and of all tasks behind it ([`contents`]): of operations by their parameters, of files by their
//! names, sizes and versions, of calls by function and arguments. What has no such name, since nothing can tell whether another run would
//! compute the same (closures that have captured values, impure functions), is refused, with words on how to mend it.

mod file;
mod stored;

use std::fmt;
use std::panic::Location as Line;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use talatat_graph::{Edge, Error as GraphError, Key, Value, contents};

use crate::collection::Collection;
use crate::error::Result;
use crate::lower::{Keeping, Lowering, Source};
use crate::storage::{Location, StorageError, check_writable, objects};

pub(crate) use file::Head;
use file::Trouble;
pub(crate) use stored::Stored;

/// A collection whose blocks are kept in a store: those that are there are read instead of being computed, and the others are put there as
/// soon as each is computed. So a program that ended in the middle, by an error or by the power, continues when it is started again. What it
/// computes is the same as of the collection itself, and it can be planned and explained like any other.
///
/// Any store will do: a folder, `s3://...`, `memory://...`. A file appears when it is complete, so several programs may use one store at
/// once: both may compute the same block, and either's is as good. A file that is damaged, cut short or of another version of the format is
/// computed again and replaced; [`survey`](Durable::survey) and `explain` name it. (A wrong checksum of the values is only noticed when they are
/// read, and is an error then, which says which file to remove.) Nothing is ever removed: that is for whoever owns the store.
///
/// Under other settings that change the graph, with a new version of this library, and with a new build of the program where functions are
/// called that have no [version](crate::delayed::DelayedFn::versioned), results have other names and are computed anew. Tables of databases are
/// taken to be what they were; add what tells their state to the address of the store.
///
/// Cost: the collection is lowered twice, blocks in memory that it reads are hashed, the store is listed once and each block that is found is
/// looked at with one short read.
pub struct Durable<C> {
    inner: C,
    place: Location,
    /// Whether blocks stay in the store, instead of being handed on.
    leave: bool,
    line: &'static Line<'static>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    keys: OnceLock<Vec<Key>>,
    survey: Mutex<Survey>,
}

/// What was in the store when a graph was last made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// Where.
    pub place: String,
    /// Blocks of the collection.
    pub blocks: usize,
    /// Blocks that were there, and need not be computed.
    pub found: usize,
    /// Files that are there and of no use: which, and why. Their blocks are computed again.
    pub damaged: Vec<String>,
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} blocks are in {}", self.found, self.blocks, self.place)?;
        self.damaged.iter().try_for_each(|file| write!(f, "\ncomputed again: {file}"))
    }
}

impl<C: Clone> Clone for Durable<C> {
    fn clone(&self) -> Self {
        Durable { inner: self.inner.clone(), place: self.place.clone(), state: self.state.clone(), ..*self }
    }
}

impl<C: Collection> Durable<C> {
    /// Keeps the blocks of a collection at a path or URL. Nothing is read or written yet.
    ///
    /// # Errors
    /// If the place cannot be understood.
    #[track_caller]
    pub fn new(collection: C, place: &str) -> Result<Durable<C>> {
        Ok(Durable::at(collection, Location::parse(place)?))
    }

    /// The same at a place with settings of its own, such as credentials.
    #[track_caller]
    pub fn at(collection: C, place: Location) -> Durable<C> {
        Durable { inner: collection, place, leave: false, line: Line::caller(), state: Arc::default() }
    }

    /// Leaves the blocks in the store: computing gives handles on them, which need no memory.
    pub fn left_there(self) -> Durable<C> {
        Durable { leave: true, ..self }
    }

    /// What was found when the collection was last planned.
    pub fn survey(&self) -> Survey {
        self.state.survey.lock().clone()
    }

    /// The names of the blocks: those of the collection as it is lowered alone, whatever it is computed with.
    fn keys(&self, lowering: &Lowering) -> Result<&[Key]> {
        if let Some(keys) = self.state.keys.get() {
            return Ok(keys);
        }
        self.inner.check_storable()?;
        let mut alone = Lowering::new(lowering.options.clone());
        self.inner.announce(&mut alone)?;
        let edges = self.inner.lower(&mut alone)?;
        let keys = contents(&alone.finish(edges))?;
        Ok(self.state.keys.get_or_init(|| keys))
    }

    /// What the store has of the blocks.
    fn look(&self, keys: &[Key]) -> Result<Vec<Option<Head>>> {
        let there = objects(&self.place)?;
        let mut damaged = Vec::new();
        let mut heads = Vec::with_capacity(keys.len());
        for &key in keys {
            let name = stored::name(key);
            let head = match there.get(&name).map(|object| file::look(object, key)) {
                None => None,
                Some(Err(Trouble::Storage(StorageError::Changed { .. } | StorageError::NotFound { .. }))) => {
                    // Somebody else is at work here.
                    stored::opened(&self.place.join(&name)?, |object| file::look(object, key)).ok()
                }
                Some(Ok(head)) => Some(head),
                Some(Err(Trouble::Damaged(how))) => {
                    damaged.push(format!("{} {how}", self.place.join(&name)?));
                    None
                }
                Some(Err(Trouble::Storage(error))) => return Err(error.into()),
            };
            heads.push(head);
        }
        damaged.dedup();
        let found = heads.iter().flatten().count();
        *self.state.survey.lock() = Survey { place: self.place.to_string(), blocks: keys.len(), found, damaged };
        Ok(heads)
    }
}

impl<C: Collection> Collection for Durable<C> {
    type Output = C::Output;
    type Persisted = C::Persisted;

    fn blocks(&self) -> Result<usize> {
        self.inner.blocks()
    }

    fn announce(&self, lowering: &mut Lowering) -> Result<()> {
        self.inner.announce(lowering)
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        let keys = self.keys(lowering)?;
        let heads = self.look(keys)?;
        let made = if heads.iter().all(Option::is_some) {
            Vec::new()
        } else {
            check_writable(&self.place.join("any")?)?;
            self.inner.lower(lowering)?
        };
        let sources = heads.into_iter().enumerate().map(|(block, head)| match head {
            Some(head) => Ok(Source::Stored(head)),
            None => made.get(block).map(|&edge| Source::Made(edge, keys[block])).ok_or_else(|| {
                GraphError::InvalidGraph(format!("a collection of {} blocks made {}", keys.len(), made.len())).into()
            }),
        });
        let sources = sources.collect::<Result<Vec<_>>>()?;
        let keeping =
            Keeping { place: &self.place, registry: lowering.registry.clone(), leave: self.leave, line: self.line };
        keeping.lower(lowering, &sources)
    }

    fn gather(&self, blocks: Vec<Value>) -> Result<Self::Output> {
        self.inner.gather(blocks)
    }

    fn persisted(&self, blocks: Vec<Value>) -> Result<Self::Persisted> {
        self.inner.persisted(blocks)
    }

    fn looks(&self, lowering: &mut Lowering, blocks: &[Edge]) -> Result<Vec<Edge>> {
        self.inner.looks(lowering, blocks)
    }

    fn persisted_seen(&self, blocks: Vec<Value>, seen: &mut dyn Iterator<Item = Value>) -> Result<Self::Persisted> {
        self.inner.persisted_seen(blocks, seen)
    }

    fn check_storable(&self) -> Result<()> {
        self.inner.check_storable()
    }

    fn describe_expression(&self, rewritten: bool) -> String {
        format!("durable in {}\n{}", self.place, below(&self.inner.describe_expression(rewritten)))
    }

    fn describe_lowered(&self, lowering: &Lowering) -> String {
        let survey = self.survey().to_string();
        let survey = survey.lines().map(|line| format!("durable: {line}\n"));
        survey.chain([below(&self.inner.describe_lowered(lowering))]).collect()
    }
}

fn below(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
