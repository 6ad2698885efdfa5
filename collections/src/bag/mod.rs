//! Lazy collections of any typed items: texts, records, files, whatever has no shape of an array and no columns.
//!
//! ```
//! use talatat::prelude::*;
//!
//! let words = Bag::from_sequence(["to be", "or not", "to be"], 2).flat_map(|line| line.split(' ').map(String::from));
//! let often = words.frequencies().topk_by_key(2, |(_, count)| *count);
//! assert_eq!(often.compute()?.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [2, 2]);
//! # Ok::<(), talatat::Error>(())
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `expr` | what a bag is made of; `lower/bag.rs` makes its tasks |
//! | `items`, `facts`, `weigh`, `codec` | a partition as a block, how many bytes it holds, and how it goes to the disk and comes back |
//! | `each` | what is done partition by partition: `map`, `filter`, `flat_map` ... |
//! | `reduce`, `exact` | what becomes of all items: `fold`, `sum`, `topk`, `take` ... |
//! | `keyed` | what brings equal keys together: `groupby`, `foldby`, `frequencies`, `join` ... |
//! | `arrange` | what moves items only: `concat`, `repartition`, `partitions` |
//! | `files` | text and JSON lines, in and out |
//!
//! **Order.** A bag has an order, and no answer depends on partitions, threads or executors. What goes item by item keeps the order; what brings
//! equal keys together gives them in the order of the keys' hashes, which is the same wherever the items were, in every run of a program;
//! with each key its items are in the order of the bag.
//!
//! **Memory.** A partition is as large as its items and what the usual types own (texts, vectors, JSON values). What items of other types own is
//! not known, unless [`Bag::sized_by`] says so. Before items have been seen, plans go by guesses, which are corrected while they run. When memory is
//! short, partitions of numbers, texts, JSON values, and pairs and lists of them go to the disk; those of other types do if [`Bag::storable`] says that serde knows
//! them. They cannot leave the process: functions on them are closures.

mod arrange;
mod codec;
mod each;
mod exact;
pub(crate) mod expr;
mod facts;
mod files;
mod items;
mod keyed;
mod notebook;
mod reduce;
mod weigh;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use talatat_graph::{
    Edge, Error as GraphError, Kernel, KernelError, KernelResult, Key, KeyBuilder, TaskContext, Value, closure_kernel,
};

pub(crate) use codec::register;
pub use files::{BagWrite, JsonLinesOptions, Skipped, TextOptions, read_json_lines, read_text};
pub use reduce::Total;

use crate::collection::Collection;
use crate::delayed::{Delayed, Lower, Payload, identity, of_blocks, unique};
use crate::error::Result;
use crate::lower::{Foreign, Lowering, lower_bag};
use codec::Codec;
use expr::{BagExpr, Node, Op, Size};
use facts::Facts;
use items::{Items, Taken};
use weigh::Weigh;

/// A lazy collection of items of one type, in partitions. Cloning shares it.
///
/// Verbs take items by value where they make something of them: an item that nobody else reads is moved, others are cloned.
pub struct Bag<T> {
    node: Node,
    facts: Facts<T>,
}

impl<T> Clone for Bag<T> {
    fn clone(&self) -> Self {
        Bag { node: self.node.clone(), facts: self.facts.clone() }
    }
}

impl<T> fmt::Debug for Bag<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = std::any::type_name::<T>();
        write!(f, "Bag<{item}>({}, {} partitions, {})", self.node.name, self.node.partitions, self.node.key)
    }
}

/// What all verbs note of a step.
struct Step {
    name: String,
    key: Key,
    partitions: usize,
    size: Size,
    /// Bytes that a task needs beside what it reads and makes.
    scratch: u64,
    location: &'static Location<'static>,
}

impl<T: Payload> Bag<T> {
    /// The items of a sequence, cut into partitions of about the same length. They are in memory, now and while the bag lives.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let bag = Bag::from_sequence(0..10, 3);
    /// assert_eq!(bag.partitions(), 3);
    /// assert_eq!(bag.map(|x| x * x).compute()?, (0..10).map(|x| x * x).collect::<Vec<_>>());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn from_sequence(items: impl IntoIterator<Item = T>, partitions: usize) -> Bag<T> {
        let facts = Facts::known();
        let mut items = items.into_iter().collect::<Vec<T>>().into_iter();
        let (all, partitions) = (items.len(), partitions.max(1));
        let lengths = (0..partitions).map(|at| crate::lower::run(at, partitions, all).len());
        let blocks = lengths.map(|length| Items::value(items.by_ref().take(length).collect(), &facts)).collect();
        Bag::of_blocks("from_sequence", KeyBuilder::new("bag.from_sequence").number(unique()).finish(), blocks, facts)
    }

    /// Partitions that a function makes: it is called with each partition's number when the bag is computed.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let bag = Bag::from_fn(3, |part| (0..=part).map(|x| x as u64).collect());
    /// assert_eq!(bag.compute()?, [0, 0, 1, 0, 1, 2]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn from_fn<F>(partitions: usize, make: F) -> Bag<T>
    where
        F: Fn(usize) -> Vec<T> + Send + Sync + 'static,
    {
        let facts = Facts::known();
        let step = Step {
            name: named::<F>("bag.from_fn"),
            key: KeyBuilder::new("bag.from_fn").key(identity::<F>()).number(partitions as u64).finish(),
            partitions: partitions.max(1),
            size: Size::of(UNKNOWN, facts.guess()),
            scratch: 0,
            location: Location::caller(),
        };
        let given = facts.clone();
        let run = move |task: TaskContext, _: &mut [Value]| {
            Ok(Items::value(usize::try_from(task.block).map(&make).unwrap_or_default(), &given))
        };
        let kernel = Arc::new(closure_kernel(step.name.clone(), run));
        Bag::of(step, Op::Source(kernel), Vec::new(), facts)
    }

    /// A bag whose partitions are delayed values, in their order. The calls become tasks of the same graph.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let load = delayed(|year: i64| vec![year; 2]);
    /// let bag = Bag::from_delayed([load.call(2023_i64), load.call(2024_i64)]);
    /// assert_eq!(bag.count().compute()?, 4);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn from_delayed(parts: impl IntoIterator<Item = Delayed<Vec<T>>>) -> Bag<T> {
        let facts = Facts::known();
        let parts: Vec<Delayed<Vec<T>>> = parts.into_iter().collect();
        if parts.is_empty() {
            return Bag::from_sequence([], 1);
        }
        let key = parts.iter().fold(KeyBuilder::new("bag.from_delayed"), |key, part| key.key(part.key()));
        let step = Step {
            name: "bag.from_delayed".into(),
            key: key.finish(),
            partitions: parts.len(),
            size: Size::of(UNKNOWN, facts.guess()),
            scratch: 0,
            location: Location::caller(),
        };
        let given = facts.clone();
        let run = move |_: TaskContext, inputs: &mut [Value]| {
            let value = inputs.first_mut().map(std::mem::take).unwrap_or_default();
            Ok(Items::value(Vec::<T>::from_value(value)?, &given))
        };
        let kernel = Arc::new(closure_kernel(step.name.clone(), run));
        Bag::of(step, Op::Foreign { from: Arc::new(Parts(parts)), kernel }, Vec::new(), facts)
    }

    /// The partitions as delayed values: for what a bag has no verb for. A partition that several read is cloned for each.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let parts = Bag::from_sequence(1..=4, 2).to_delayed();
    /// let product = delayed(|part: Vec<i32>| part.iter().product::<i32>());
    /// let products: Vec<_> = parts.into_iter().map(|part| product.call(part)).collect();
    /// assert_eq!(products.compute()?, [2, 12]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn to_delayed(&self) -> Vec<Delayed<Vec<T>>> {
        let location = Location::caller();
        let part = |at: usize| {
            let key = KeyBuilder::new("bag.partition").key(self.node.key).number(at as u64).finish();
            of_blocks(key, "bag.to_delayed", location, size_of::<Vec<T>>() as u64, self.partition(at), |inputs| {
                Ok(Taken::<T>::take(inputs.first_mut())?.into_vec().into_value())
            })
        };
        (0..self.node.partitions).map(part).collect()
    }

    /// Says how many bytes an item owns beside its own (`size_of`): what its vectors, boxes and maps have allocated. For types of whose memory
    /// the library knows nothing; plans and limits count it.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// #[derive(Clone)]
    /// struct Trip { line: String, stops: Vec<u32> }
    /// let trips = Bag::from_sequence([Trip { line: "U2".into(), stops: vec![1, 2] }], 1);
    /// let trips = trips.sized_by(|trip| trip.line.capacity() + 4 * trip.stops.capacity());
    /// assert_eq!(trips.map(|trip| trip.stops.len() + trip.line.len()).compute()?, [4]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn sized_by<F>(&self, owned: F) -> Bag<T>
    where
        F: Fn(&T) -> usize + Send + Sync + 'static,
    {
        let facts = self.facts.weighed(Weigh::Each(Arc::new(owned)));
        self.each(named::<F>("bag.sized_by"), identity::<F>(), facts, self.node.size, |_, items| Ok(items.into_vec()))
    }

    /// Says that items can be written as bytes, by serde: then partitions can leave the memory for the disk when it is short. Not needed for numbers,
    /// texts, JSON values, and pairs and lists of them. It counts for this bag and what keeps its items (`filter`, `repartition`, `groupby` ...); what a
    /// function makes of them is of another type.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use talatat::prelude::*;
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct Trip { line: String, stops: Vec<u32> }
    /// let trips = Bag::from_sequence([Trip { line: "U2".into(), stops: vec![1, 2] }], 1).storable();
    /// assert_eq!(trips.groupby(|trip| trip.line.clone()).map(|(_, trips)| trips.len()).compute()?, [1]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// That what is written can be read again is tried with the first item of each partition: `untagged` and `flatten` need formats that say what they hold,
    /// and are errors of the run.
    #[track_caller]
    pub fn storable(&self) -> Bag<T>
    where
        T: Serialize + DeserializeOwned,
    {
        let codec = Codec::serde();
        let facts = self.facts.written(codec.clone());
        let none = Key::from_bits(0);
        self.each("bag.storable".into(), none, facts, self.node.size, move |_, items| {
            items.as_slice().first().map_or(Ok(()), |item| codec.check(item))?;
            Ok(items.into_vec())
        })
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> usize {
        self.node.partitions
    }

    fn of(step: Step, op: Op, inputs: Vec<Node>, facts: Facts<T>) -> Bag<T> {
        let Step { name, key, partitions, size, scratch, location } = step;
        Bag { node: Arc::new(BagExpr { name, op, inputs, key, partitions, size, scratch, location }), facts }
    }

    #[track_caller]
    fn of_blocks(name: &str, key: Key, blocks: Vec<Value>, facts: Facts<T>) -> Bag<T> {
        let bytes = blocks.iter().map(|block| block.nbytes() as u64 + block.on_disk()).max().unwrap_or(0);
        let items = blocks.iter().filter_map(|block| block.brief().extents().first().copied()).max().unwrap_or(0);
        let (size, partitions) = (Size { items, bytes }, blocks.len());
        let step = Step { name: name.into(), key, partitions, size, scratch: 0, location: Location::caller() };
        Bag::of(step, Op::Ready(blocks), Vec::new(), facts)
    }

    /// A step that makes each partition of one.
    #[track_caller]
    fn each<U: Payload>(
        &self,
        name: String,
        function: Key,
        facts: Facts<U>,
        size: Size,
        run: impl Fn(u64, Taken<T>) -> KernelResult<Vec<U>> + Send + Sync + 'static,
    ) -> Bag<U> {
        let step = self.step(name, function, size);
        let given = facts.clone();
        let run = move |task: TaskContext, inputs: &mut [Value]| {
            Ok(Items::value(run(task.block, Taken::take(inputs.first_mut())?)?, &given))
        };
        let kernel = Arc::new(closure_kernel(step.name.clone(), run));
        Bag::of(step, Op::Each(kernel), vec![self.node.clone()], facts)
    }

    /// What a step on this bag notes of itself.
    #[track_caller]
    fn step(&self, name: String, function: Key, size: Size) -> Step {
        let key = KeyBuilder::new(&name).key(function).key(self.node.key).finish();
        Step { name, key, partitions: self.node.partitions, size, scratch: 0, location: Location::caller() }
    }

    /// One partition, for a delayed value.
    fn partition(&self, at: usize) -> Lower {
        let node = self.node.clone();
        Arc::new(move |lowering| Ok(lower_bag(lowering, &node)?.get(at).copied().into_iter().collect()))
    }

    /// The only item of a bag of one partition.
    #[track_caller]
    fn only(&self) -> Delayed<T> {
        let key = KeyBuilder::new("bag.only").key(self.node.key).finish();
        of_blocks(key, "bag.only", Location::caller(), size_of::<T>() as u64, self.partition(0), |inputs| {
            let item = Taken::<T>::take(inputs.first_mut())?.into_iter().next();
            Ok(item.ok_or_else(|| KernelError::new("a result is missing"))?.into_value())
        })
    }
}

/// Items that a partition is taken to have before anything is known.
const UNKNOWN: u64 = 10_000;

/// The name of a step that calls a function: with the function's name, if it has one.
fn named<F>(operation: &str) -> String {
    match crate::delayed::short_name(std::any::type_name::<F>()) {
        name if name.ends_with("closure") => operation.into(),
        name => format!("{operation} {name}"),
    }
}

/// A kernel of all partitions of a type.
fn merging<T: Payload>(
    name: &str,
    facts: &Facts<T>,
    run: impl Fn(Vec<Taken<T>>) -> KernelResult<Vec<T>> + Send + Sync + 'static,
) -> Arc<dyn Kernel> {
    let facts = facts.clone();
    Arc::new(closure_kernel(name, move |_, inputs| {
        let inputs = inputs.iter_mut().map(|input| Taken::take(Some(input))).collect::<KernelResult<_>>()?;
        Ok(Items::value(run(inputs)?, &facts))
    }))
}

/// Delayed values as partitions.
struct Parts<T>(Vec<Delayed<Vec<T>>>);

impl<T: Payload> Foreign for Parts<T> {
    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        let mut edges = Vec::with_capacity(self.0.len());
        for part in &self.0 {
            edges.extend(part.lower(lowering)?);
        }
        Ok(edges)
    }

    fn describe(&self) -> String {
        format!("{} delayed values", self.0.len())
    }
}

impl<T: Payload> Collection for Bag<T> {
    type Output = Vec<T>;
    type Persisted = Bag<T>;

    fn blocks(&self) -> Result<usize> {
        Ok(self.node.partitions)
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        Ok(lower_bag(lowering, &self.node)?.to_vec())
    }

    fn gather(&self, blocks: Vec<Value>) -> Result<Vec<T>> {
        let mut all = Vec::new();
        for mut block in blocks {
            let items =
                Taken::<T>::take(Some(&mut block)).map_err(|error| GraphError::InvalidGraph(error.to_string()))?;
            match items {
                Taken::Own(items) if all.is_empty() => all = items,
                items => all.extend(items),
            }
        }
        Ok(all)
    }

    fn persisted(&self, blocks: Vec<Value>) -> Result<Bag<T>> {
        let key = KeyBuilder::new("bag.persisted").key(self.node.key).finish();
        Ok(Bag::of_blocks("persisted", key, blocks, self.facts.clone()))
    }

    fn describe_expression(&self, _: bool) -> String {
        self.node.describe()
    }
}
