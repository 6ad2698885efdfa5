//! Which result should leave memory: the one whose next use is furthest away (Belady, "A study of replacement algorithms for a
//! virtual-storage computer", 1966). The order of tasks is known, so the next use is known, too.

use std::collections::BinaryHeap;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::Residency;
use crate::plan::Plan;
use crate::task::TaskId;

/// The next use of a result that is wanted at the end only.
const AT_THE_END: u32 = u32::MAX;

/// The results in memory by their next use. An entry may be out of date: it is looked at when it comes to the top.
///
/// Memory: 4 bytes a task and 8 for each entry; O(log n) for each result that comes, goes, or is read.
#[derive(Debug)]
pub(super) struct Victims {
    heap: BinaryHeap<(u32, TaskId)>,
    /// How many of a result's readers are known to have started.
    started: Vec<u32>,
    /// Results that are being written, with the bytes that this will free.
    leaving: HashMap<TaskId, u64>,
    leaving_bytes: u64,
    /// Results that could not leave, until one of their readers is done.
    stuck: HashSet<TaskId>,
}

impl Victims {
    pub(super) fn new(tasks: usize) -> Victims {
        Victims {
            heap: BinaryHeap::new(),
            started: vec![0; tasks],
            leaving: HashMap::new(),
            leaving_bytes: 0,
            stuck: HashSet::new(),
        }
    }

    /// Bytes that writes under way will free.
    pub(super) fn leaving_bytes(&self) -> u64 {
        self.leaving_bytes
    }

    /// A result may be a victim: it is new, came back, or was read.
    pub(super) fn consider(
        &mut self,
        plan: &Plan,
        task: TaskId,
        memory: &impl Residency,
        waits: impl Fn(TaskId) -> bool,
    ) {
        if memory.resident(task) > 0 {
            self.stuck.remove(&task);
            let next = self.next_use(plan, task, waits);
            self.heap.push((next, task));
        }
    }

    /// The result to write next: one whose next use lies behind `before`, or one of whose parts only some are for `before`.
    pub(super) fn choose(
        &mut self,
        plan: &Plan,
        before: TaskId,
        memory: &impl Residency,
        waits: impl Fn(TaskId) -> bool,
    ) -> Option<TaskId> {
        // Results that are for `before` as a whole, and stand in the heap among those of which it reads parts.
        let mut passed: SmallVec<[(u32, TaskId); 4]> = SmallVec::new();
        let chosen = loop {
            let Some(&(noted, task)) = self.heap.peek() else { break None };
            let bytes = memory.resident(task);
            if bytes == 0 || self.leaving.contains_key(&task) || self.stuck.contains(&task) {
                self.heap.pop();
                continue;
            }
            let next = self.next_use(plan, task, &waits);
            if next != noted {
                self.heap.pop();
                self.heap.push((next, task));
                continue;
            }
            if next < before.0 {
                break None;
            }
            self.heap.pop();
            if next == before.0 && !plan.has_parts(task) {
                passed.push((next, task));
                continue;
            }
            self.leaving.insert(task, bytes);
            self.leaving_bytes += bytes;
            break Some(task);
        };
        self.heap.extend(passed);
        chosen
    }

    /// Writing is over; what is still in memory could not leave.
    pub(super) fn left(&mut self, task: TaskId, memory: &impl Residency) {
        self.leaving_bytes -= self.leaving.remove(&task).unwrap_or(0);
        if memory.resident(task) > 0 {
            self.stuck.insert(task);
        }
    }

    fn next_use(&mut self, plan: &Plan, task: TaskId, waits: impl Fn(TaskId) -> bool) -> u32 {
        let readers = plan.successors().of(task);
        let started = &mut self.started[task.index()];
        while let Some(&reader) = readers.get(*started as usize) {
            if waits(reader) {
                return reader.0;
            }
            *started += 1;
        }
        AT_THE_END
    }
}
