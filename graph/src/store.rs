//! The results that are alive.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::error::{KernelError, KernelResult};
use crate::graph::{Edge, TaskGraph};
use crate::memory::cache::{Given, Keeper};
use crate::memory::{Cache, Headroom, Residency, Spilled, Watch};
use crate::plan::Plan;
use crate::task::TaskId;
use crate::value::Value;

/// Holds each result from the end of its task to the end of its last reader; parts die one by one.
///
/// A [`metered`](Store::metered) store keeps books, too: the bytes that results hold, which of them are on disk, and which of those
/// that are in memory have a copy there.
#[derive(Default)]
pub struct Store {
    slots: Vec<Value>,
    readers: Vec<u32>,
    parts: HashMap<TaskId, Vec<u32>>,
    books: Option<Books>,
    /// What is to be kept after its last reader.
    keeper: Option<Box<Keeper>>,
}

/// Bytes of what a store holds.
struct Books {
    /// Bytes of each result in memory, until its last reader is done.
    resident: Vec<u64>,
    /// Bytes of each part in memory of the results that have parts.
    parts: HashMap<TaskId, Box<[u64]>>,
    /// Where on disk the values are that have been read back.
    copies: HashMap<Slot, Arc<Spilled>>,
    live: u64,
    /// What the machine has left.
    watch: Option<Watch>,
}

/// A result, or one part of it.
type Slot = (TaskId, Option<u32>);

/// What goes from a result to the disk: which part, the value, and the copy that is there already.
pub struct Leaving {
    part: Option<u32>,
    value: Value,
    copy: Option<Arc<Spilled>>,
}

impl Store {
    /// A store for a graph's results.
    pub fn new(graph: &TaskGraph) -> Store {
        let mut readers = vec![0_u32; graph.len()];
        for edge in graph.edges.iter().chain(graph.outputs()) {
            readers[edge.task.index()] += 1;
        }
        let mut slots = Vec::new();
        slots.resize_with(graph.len(), Value::default);
        Store { slots, readers, parts: HashMap::new(), books: None, keeper: None }
    }

    /// Lets a cache keep results after their last readers.
    pub fn keeping(mut self, cache: Option<&Arc<Cache>>, plan: &Plan) -> Store {
        self.keeper = cache.and_then(|cache| Keeper::new(cache, plan)).map(Box::new);
        self
    }

    /// Whether it matters how long tasks take.
    pub(crate) fn is_timed(&self) -> bool {
        self.keeper.is_some()
    }

    /// Notes how long a task took, before its result is [put](Store::put) here.
    #[inline]
    pub(crate) fn took(&mut self, plan: &Plan, task: TaskId, time: Duration, value: &Value) {
        if let Some(keeper) = &mut self.keeper {
            keeper.note(plan, task, time, value);
        }
    }

    /// The results that a cache is to have, to be given to it when no lock is held.
    #[inline]
    pub(crate) fn take_kept(&mut self) -> Option<(Arc<Cache>, Vec<Given>)> {
        self.keeper.as_mut().and_then(|keeper| keeper.take())
    }

    /// The run is over: wanted results may be kept, too.
    pub(crate) fn keep_outputs(&mut self, graph: &TaskGraph) {
        let Some(keeper) = &mut self.keeper else { return };
        for edge in graph.outputs() {
            let value = &self.slots[edge.task.index()];
            if keeper.holds(edge.task) {
                keeper.died(edge.task, value.clone(), &mut Vec::new());
            }
        }
    }

    /// A store that keeps books on bytes. Memory: 8 bytes a task more.
    pub fn metered(graph: &TaskGraph) -> Store {
        let books = Books {
            resident: vec![0; graph.len()],
            parts: HashMap::new(),
            copies: HashMap::new(),
            live: 0,
            watch: None,
        };
        Store { books: Some(books), ..Store::new(graph) }
    }

    /// Lets the store look at what the machine has left.
    pub fn watching(mut self, headroom: Option<Arc<dyn Headroom>>) -> Store {
        if let Some(books) = &mut self.books {
            books.watch = headroom.map(Watch::new);
        }
        self
    }

    /// Appends the inputs of a task to `inputs`. What nobody else reads is moved out, the rest is shared.
    ///
    /// # Errors
    /// If a result has no such part.
    #[inline]
    pub fn gather(&mut self, graph: &TaskGraph, task: TaskId, inputs: &mut Vec<Value>) -> KernelResult<()> {
        for &edge in graph.inputs(task) {
            let slot = &mut self.slots[edge.task.index()];
            let last = self.readers[edge.task.index()] == 1
                && !self.keeper.as_ref().is_some_and(|keeper| keeper.holds(edge.task));
            inputs.push(match (edge.part(), &mut *slot) {
                (Some(part), Value::Parts(values)) => {
                    let count = values.len();
                    let value = values.get_mut(part as usize).ok_or_else(|| no_part(edge, count))?;
                    let last = last || self.parts.get(&edge.task).is_some_and(|readers| readers[part as usize] == 1);
                    if last { std::mem::take(value) } else { value.clone() }
                }
                (Some(part), _) if part != 0 => return Err(no_part(edge, 1)),
                _ if last => std::mem::take(slot),
                _ => slot.clone(),
            });
        }
        Ok(())
    }

    /// Keeps a task's result for its readers, or throws it on `trash` if there are none. Gives the bytes that it holds in memory, if
    /// the store is metered.
    #[inline]
    pub fn put(&mut self, plan: &Plan, task: TaskId, value: Value, trash: &mut Vec<Value>) -> u64 {
        let mut holds = 0;
        if let Some(books) = &mut self.books
            && !plan.graph().layer(task).borrowed
        {
            holds = value.nbytes() as u64;
            if self.readers[task.index()] > 0 {
                books.resident[task.index()] = holds;
                books.live += holds;
                if let Value::Parts(values) = &value {
                    books.parts.insert(task, values.iter().map(|part| part.nbytes() as u64).collect());
                }
            }
        }
        if self.readers[task.index()] == 0 {
            trash.push(value);
            return holds;
        }
        if let Value::Parts(values) = &value {
            self.count_parts(plan, task, values.len());
            self.slots[task.index()] = value;
            self.bury_parts(task, trash);
        } else {
            self.slots[task.index()] = value;
        }
        holds
    }

    fn count_parts(&mut self, plan: &Plan, task: TaskId, count: usize) {
        let graph = plan.graph();
        let mut readers = vec![0_u32; count];
        let mut read = |edge: &Edge| match edge.part() {
            Some(part) => readers.get_mut(part as usize).into_iter().for_each(|readers| *readers += 1),
            None => readers.iter_mut().for_each(|readers| *readers += 1),
        };
        let mut last = None;
        for &reader in plan.successors().of(task) {
            // A task that reads several parts stands there several times, side by side.
            if last.replace(reader) != Some(reader) {
                graph.inputs(reader).iter().filter(|edge| edge.task == task).for_each(&mut read);
            }
        }
        graph.outputs().iter().filter(|edge| edge.task == task).for_each(&mut read);
        self.parts.insert(task, readers);
    }

    /// Drops the parts that nobody reads.
    fn bury_parts(&mut self, task: TaskId, trash: &mut Vec<Value>) {
        let (Value::Parts(values), Some(readers)) = (&mut self.slots[task.index()], self.parts.get(&task)) else {
            return;
        };
        for (part, (value, &readers)) in values.iter_mut().zip(readers).enumerate() {
            if readers == 0 {
                trash.push(std::mem::take(value));
                if let Some(books) = &mut self.books {
                    books.part_died(task, part);
                }
            }
        }
    }

    /// A task is done with its inputs: throws those that nobody else reads on `trash`.
    /// To be called after [`put`](Store::put).
    #[inline]
    pub fn release(&mut self, graph: &TaskGraph, task: TaskId, trash: &mut Vec<Value>) {
        for &edge in graph.inputs(task) {
            let at = edge.task.index();
            self.readers[at] -= 1;
            let slot = &mut self.slots[at];
            if self.readers[at] == 0 {
                if !matches!(slot, Value::Unit) {
                    match &mut self.keeper {
                        Some(keeper) => keeper.died(edge.task, std::mem::take(slot), trash),
                        None => trash.push(std::mem::take(slot)),
                    }
                }
                if !self.parts.is_empty() {
                    self.parts.remove(&edge.task);
                }
                if let Some(books) = &mut self.books {
                    books.died(edge.task);
                }
            } else if let Value::Parts(values) = slot
                && let Some(readers) = self.parts.get_mut(&edge.task)
            {
                let read = match edge.part() {
                    Some(part) => part as usize..part as usize + 1,
                    None => 0..values.len(),
                };
                for part in read {
                    readers[part] -= 1;
                    if readers[part] == 0 {
                        trash.push(std::mem::take(&mut values[part]));
                        if let Some(books) = &mut self.books {
                            books.part_died(edge.task, part);
                        }
                    }
                }
            }
        }
    }

    /// The values of a result that could go to the disk: blocks that nobody else holds, that have bytes, and that the task which
    /// needs the memory, `reader`, does not read.
    pub fn leaving(&self, graph: &TaskGraph, task: TaskId, reader: Option<TaskId>) -> Vec<Leaving> {
        let Some(books) = &self.books else { return Vec::new() };
        let edges = reader.map_or(&[][..], |reader| graph.inputs(reader));
        let read: SmallVec<[Option<u32>; 4]> =
            edges.iter().filter(|edge| edge.task == task).map(|edge| edge.part()).collect();
        let idle = |value: &Value| match value {
            Value::Block(block) => block.codec().is_some() && block.nbytes() > 0 && Arc::strong_count(block) == 1,
            _ => false,
        };
        let leave = |part, value: &Value| Leaving {
            part,
            value: value.clone(),
            copy: books.copies.get(&(task, part)).cloned(),
        };
        match &self.slots[task.index()] {
            Value::Parts(parts) => (0..)
                .zip(parts.iter())
                .filter(|&(part, value)| idle(value) && !read.contains(&Some(part)) && !read.contains(&None))
                .map(|(part, value)| leave(Some(part), value))
                .collect(),
            value if idle(value) && read.is_empty() => vec![leave(None, value)],
            _ => Vec::new(),
        }
    }

    /// Puts handles in the place of values that were written. One that a task has taken meanwhile stays.
    pub fn left(&mut self, task: TaskId, leaving: Vec<Leaving>, trash: &mut Vec<Value>) {
        for Leaving { part, value, copy } in leaving {
            let (Some(books), Value::Block(block), Some(copy)) = (&mut self.books, &value, copy) else { continue };
            let slot = match (part, &mut self.slots[task.index()]) {
                (Some(part), Value::Parts(parts)) => parts.get_mut(part as usize),
                (None, slot) => Some(slot),
                _ => None,
            };
            // Two owners: the slot and whoever wrote it.
            if let Some(slot @ Value::Block(_)) = slot
                && matches!(slot, Value::Block(held) if Arc::ptr_eq(held, block))
                && Arc::strong_count(block) == 2
            {
                books.copies.remove(&(task, part));
                match part {
                    Some(part) => books.part_died(task, part as usize),
                    None => books.died(task),
                }
                trash.push(std::mem::replace(slot, Value::Spilled(copy)));
            }
            trash.push(value);
        }
    }

    /// Appends the blocks on disk that a task will read.
    pub fn on_disk_of(&self, graph: &TaskGraph, task: TaskId, found: &mut Vec<Arc<Spilled>>) {
        for edge in graph.inputs(task) {
            let value = &self.slots[edge.task.index()];
            if let Some(Value::Spilled(spilled)) = edge.part().map_or(Some(value), |part| value.part(part)) {
                found.push(spilled.clone());
            }
        }
    }

    /// A task has read an input back from the disk: if others will read it, it stays, and the bytes that it holds from now on are given.
    pub fn came_back(&mut self, edge: Edge, value: &Value) -> u64 {
        let Some(books) = &mut self.books else { return 0 };
        let (slot, part) = match (edge.part(), &mut self.slots[edge.task.index()]) {
            (Some(part), Value::Parts(parts)) => match parts.get_mut(part as usize) {
                Some(slot) => (slot, Some(part)),
                None => return 0,
            },
            (_, slot) => (slot, None),
        };
        let Value::Spilled(copy) = slot else { return 0 };
        let bytes = value.nbytes() as u64;
        books.copies.insert((edge.task, part), copy.clone());
        *slot = value.clone();
        if let (Some(part), Some(parts)) = (part, books.parts.get_mut(&edge.task)) {
            parts[part as usize] = bytes;
        }
        books.resident[edge.task.index()] += bytes;
        books.live += bytes;
        bytes
    }

    /// The wanted results, those on disk as handles.
    ///
    /// # Errors
    /// If a result has no such part.
    pub fn outputs(&self, graph: &TaskGraph) -> KernelResult<Vec<Value>> {
        graph
            .outputs()
            .iter()
            .map(|edge| {
                let value = &self.slots[edge.task.index()];
                match edge.part() {
                    None => Ok(value.clone()),
                    Some(part) => {
                        let count = if let Value::Parts(parts) = value { parts.len() } else { 1 };
                        value.part(part).cloned().ok_or_else(|| no_part(*edge, count))
                    }
                }
            })
            .collect()
    }
}

impl Residency for Store {
    fn live(&self) -> u64 {
        self.books.as_ref().map_or(0, |books| books.live)
    }

    fn resident(&self, task: TaskId) -> u64 {
        self.books.as_ref().map_or(0, |books| books.resident[task.index()])
    }

    fn in_memory(&self, edge: Edge) -> u64 {
        let Some(books) = &self.books else { return 0 };
        let part = edge.part().and_then(|part| books.parts.get(&edge.task)?.get(part as usize).copied());
        part.unwrap_or(books.resident[edge.task.index()])
    }

    fn allowed(&self, limit: u64) -> u64 {
        let watched = self.books.as_ref().and_then(|books| Some((books, books.watch.as_ref()?)));
        watched.map_or(limit, |(books, watch)| watch.allowed(limit, books.live))
    }

    fn on_disk(&self, edge: Edge) -> u64 {
        match (edge.part(), &self.slots[edge.task.index()]) {
            (Some(part), value) => value.part(part).map_or(0, Value::on_disk),
            (None, value) => value.on_disk(),
        }
    }
}

impl Books {
    fn died(&mut self, task: TaskId) {
        self.live -= std::mem::take(&mut self.resident[task.index()]);
        let parts = if self.parts.is_empty() { None } else { self.parts.remove(&task) };
        if !self.copies.is_empty() {
            self.copies.remove(&(task, None));
            for part in 0..parts.map_or(0, |parts| parts.len() as u32) {
                self.copies.remove(&(task, Some(part)));
            }
        }
    }

    fn part_died(&mut self, task: TaskId, part: usize) {
        let bytes = self.parts.get_mut(&task).and_then(|parts| parts.get_mut(part)).map_or(0, std::mem::take);
        self.resident[task.index()] -= bytes;
        self.live -= bytes;
        if !self.copies.is_empty() {
            self.copies.remove(&(task, Some(part as u32)));
        }
    }
}

impl Leaving {
    /// The block to write, unless it is on disk already.
    pub fn unwritten(&self) -> Option<&Value> {
        self.copy.is_none().then_some(&self.value)
    }

    /// Says where it was written.
    pub fn written(&mut self, value: Value) {
        if let Value::Spilled(spilled) = value {
            self.copy = Some(spilled);
        }
    }
}

fn no_part(edge: Edge, count: usize) -> KernelError {
    KernelError::new(format!("reads part {} of a result of {count} parts", edge.part().unwrap_or(0)))
}
