//! The scheduler: a pure state machine. Events in, instructions out; no threads, no clock, no values.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::layer::Layer;
use crate::memory::Residency;
use crate::memory::budget::{Admission, Budget, Excess};
use crate::plan::Plan;
use crate::status::{HeldUp, Running, Waiting};
use crate::task::TaskId;

/// What an executor should do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instruction {
    /// Run this task; all of its inputs have been computed.
    Run(TaskId),
    /// Memory is short: write this task's result to the disk, say [`left`](Scheduler::left), and ask again.
    Evict(TaskId),
    /// Nothing may start until a running task finishes.
    Wait,
    /// Give up: this task needs so many bytes at once, which is more than the memory limit.
    Refuse(TaskId, u64),
    /// All tasks have finished.
    Done,
}

/// Decides which task runs next: always the first one in the plan's order that is ready, if its bytes fit; and what leaves memory
/// if they do not. Where results are and how large it asks the [`Store`](crate::Store).
///
/// Memory: 4 bytes a task, and under a memory limit 1 more. A task costs O(1) plus O(log r) for a heap of the r tasks
/// that became ready and have not started; sources are not put on the heap but found in order.
///
/// ```
/// # use std::sync::Arc;
/// # use talatat_graph::*;
/// # let mut graph = GraphBuilder::new();
/// # let layer = graph.layer(Layer::new(Key::of("one", &[]), Arc::new(closure_kernel("one", |_, _| Ok(Value::Unit)))));
/// # let a = graph.task(layer, 0, 0, &[])?;
/// # let b = graph.task(layer, 1, 0, &[a.into(), a.into()])?;
/// # graph.output(b.into());
/// # let plan = Arc::new(Plan::new(graph.build(), &PlanOptions { skip_passes: vec!["fuse".into()], ..Default::default() })?);
/// let mut scheduler = Scheduler::new(plan);
/// let nothing_to_ask = ();
/// assert_eq!(scheduler.next(&nothing_to_ask), Instruction::Run(TaskId(0)));
/// assert_eq!(scheduler.next(&nothing_to_ask), Instruction::Wait);
/// scheduler.finished(TaskId(0), 0, &nothing_to_ask);
/// assert_eq!(scheduler.next(&nothing_to_ask), Instruction::Run(TaskId(1)));
/// scheduler.finished(TaskId(1), 0, &nothing_to_ask);
/// assert_eq!(scheduler.next(&nothing_to_ask), Instruction::Done);
/// # Ok::<(), Error>(())
/// ```
pub struct Scheduler {
    plan: Arc<Plan>,
    /// Inputs that have not been computed.
    waiting: Vec<u32>,
    /// Tasks with inputs, all computed, that have not started.
    ready: BinaryHeap<Reverse<TaskId>>,
    /// The same, of layers with a priority, sources as well.
    ranked: BinaryHeap<(i32, Reverse<TaskId>)>,
    /// No source before this number has yet to start.
    next_source: u32,
    sources_left: usize,
    /// Whether any layer has a priority.
    ranks: bool,
    finished: usize,
    budget: Option<Budget>,
}

impl Scheduler {
    /// A scheduler for a plan, under the plan's memory limit.
    pub fn new(plan: Arc<Plan>) -> Scheduler {
        Scheduler::metered(plan, false)
    }

    /// The same; `metered` notes the peak even if there is no limit.
    pub fn metered(plan: Arc<Plan>, metered: bool) -> Scheduler {
        let graph = plan.graph();
        let waiting: Vec<u32> = graph.tasks().map(|task| graph.inputs(task).len() as u32).collect();
        let ranks = graph.layers().iter().any(|layer| rank(layer) != 0);
        let is_source = |task: TaskId| waiting[task.index()] == 0;
        let mut sources_left = waiting.iter().filter(|&&inputs| inputs == 0).count();
        let mut ranked = BinaryHeap::new();
        if ranks {
            let first = graph.tasks().filter(|&task| is_source(task) && rank(graph.layer(task)) != 0);
            ranked.extend(first.map(|task| (rank(graph.layer(task)), Reverse(task))));
            sources_left -= ranked.len();
        }
        let budget = (metered || plan.memory_limit().is_some()).then(|| Budget::new(&plan));
        let mut scheduler = Scheduler {
            waiting,
            ready: BinaryHeap::new(),
            ranked,
            ranks,
            next_source: 0,
            sources_left,
            finished: 0,
            budget,
            plan,
        };
        scheduler.find_source();
        scheduler
    }

    /// Never says [`Refuse`](Instruction::Refuse).
    pub(crate) fn lenient(mut self) -> Scheduler {
        self.budget.iter_mut().for_each(Budget::lenient);
        self
    }

    /// What to do next. After `Run(task)` the task counts as running, after `Evict(task)` its result as being written.
    #[inline]
    pub fn next(&mut self, memory: &impl Residency) -> Instruction {
        if self.ranks {
            return self.next_by_rank(memory);
        }
        let Some((task, from_heap)) = self.first_ready() else { return self.nothing() };
        match self.admit(task, memory) {
            Admission::Run => {}
            Admission::Evict(result) => return Instruction::Evict(result),
            Admission::Wait => return Instruction::Wait,
            Admission::Never(bytes) => return Instruction::Refuse(task, bytes),
        }
        self.start_plain(from_heap);
        Instruction::Run(task)
    }

    fn nothing(&self) -> Instruction {
        if self.is_done() { Instruction::Done } else { Instruction::Wait }
    }

    #[inline]
    fn admit(&mut self, task: TaskId, memory: &impl Residency) -> Admission {
        self.budget.as_mut().map_or(Admission::Run, |budget| budget.admit(&self.plan, task, memory))
    }

    #[inline]
    fn start_plain(&mut self, from_heap: bool) {
        if from_heap {
            self.ready.pop();
        } else {
            self.sources_left -= 1;
            self.next_source += 1;
            self.find_source();
        }
    }

    /// The next task where some have priorities: the highest first. If memory is too short for that, the first in the plan's order, which is
    /// always possible in the end.
    fn next_by_rank(&mut self, memory: &impl Residency) -> Instruction {
        let plain = self.first_ready();
        let ranked = self.ranked.peek().map(|&(rank, Reverse(task))| (rank, task));
        let plain_first = plain.is_some() && ranked.is_none_or(|(rank, _)| rank < 0);
        let Some(task) = (if plain_first { plain.map(|(task, _)| task) } else { ranked.map(|(_, task)| task) }) else {
            return self.nothing();
        };
        match self.admit(task, memory) {
            Admission::Run => {
                match plain {
                    Some((_, from_heap)) if plain_first => self.start_plain(from_heap),
                    _ => drop(self.ranked.pop()),
                }
                return Instruction::Run(task);
            }
            Admission::Evict(result) => return Instruction::Evict(result),
            Admission::Wait => {}
            Admission::Never(bytes) => return Instruction::Refuse(task, bytes),
        }
        let least = self.ranked.iter().map(|&(_, Reverse(task))| task).min();
        let Some(first) = plain.map(|(task, _)| task).into_iter().chain(least).min() else { return Instruction::Wait };
        match self.admit(first, memory) {
            Admission::Run => {}
            Admission::Evict(result) => return Instruction::Evict(result),
            Admission::Wait => return Instruction::Wait,
            Admission::Never(bytes) => return Instruction::Refuse(first, bytes),
        }
        match plain {
            Some((task, from_heap)) if task == first => self.start_plain(from_heap),
            _ => self.ranked.retain(|&(_, Reverse(task))| task != first),
        }
        Instruction::Run(first)
    }

    /// Bytes of the memory limit, if there is one, that nothing holds or has reserved.
    #[inline]
    pub fn room(&self, memory: &impl Residency) -> Option<u64> {
        self.budget.as_ref().and_then(|budget| budget.room(memory))
    }

    /// Whether results may be on disk.
    #[inline]
    pub fn spills(&self) -> bool {
        self.budget.as_ref().is_some_and(Budget::has_spilled)
    }

    /// The task that is next if its bytes fit.
    pub fn upcoming(&self) -> Option<TaskId> {
        let ranked = self.ranked.peek().filter(|&&(rank, _)| rank > 0).map(|&(_, Reverse(task))| task);
        ranked.or_else(|| self.first_ready().map(|(task, _)| task))
    }

    /// Why the first ready task does not start, if memory is short.
    pub(crate) fn held_up(&self, memory: &impl Residency) -> Option<HeldUp> {
        let (task, _) = self.first_ready()?;
        self.budget.as_ref()?.lacks(&self.plan, task, memory)
    }

    /// Bytes that running tasks have reserved, if somebody counts.
    pub(crate) fn reserved(&self) -> u64 {
        self.budget.as_ref().map_or(0, Budget::reserved)
    }

    /// The first wanted result that waits, and what for. O(tasks).
    pub(crate) fn wanted(&self, running: &[Running]) -> Option<Waiting> {
        let graph = self.plan.graph();
        let waits = |task: TaskId| self.waiting[task.index()] > 0;
        let is_ready = |task: TaskId| {
            if graph.inputs(task).is_empty() {
                task.0 >= self.next_source
            } else {
                self.ready.iter().any(|&Reverse(ready)| ready == task)
            }
        };
        let runs = |task: TaskId| running.iter().any(|running| running.task == task && !running.writes);
        let result = graph.outputs().iter().map(|edge| edge.task).find(|&task| waits(task))?;
        let mut at = result;
        while let Some(edge) = graph.inputs(at).iter().find(|edge| waits(edge.task)) {
            at = edge.task;
        }
        let mut waiting = Waiting { result, at, inputs: Vec::new(), lacking: self.waiting[at.index()] as usize };
        let ready_or_running = |task: &TaskId| runs(*task) || is_ready(*task);
        for task in graph.inputs(at).iter().map(|edge| edge.task).filter(ready_or_running) {
            if !waiting.inputs.contains(&task) && waiting.inputs.len() < Waiting::MOST {
                waiting.inputs.push(task);
            }
        }
        Some(waiting)
    }

    /// The first ready task, and whether it is on the heap.
    #[inline]
    fn first_ready(&self) -> Option<(TaskId, bool)> {
        let source = (self.sources_left > 0).then_some(TaskId(self.next_source));
        let inner = self.ready.peek().map(|&Reverse(task)| task);
        match (source, inner) {
            (Some(source), Some(inner)) => Some((source.min(inner), inner < source)),
            (Some(source), None) => Some((source, false)),
            (None, inner) => inner.map(|inner| (inner, true)),
        }
    }

    /// A running task has finished: its result, which holds `made` bytes, is in the store, and the store was told that the task is
    /// done with its inputs. If the task made more than it declared, says so.
    #[inline]
    pub fn finished(&mut self, task: TaskId, made: u64, memory: &impl Residency) -> Option<Excess> {
        self.finished += 1;
        for &reader in self.plan.successors().of(task) {
            let waiting = &mut self.waiting[reader.index()];
            *waiting -= 1;
            if *waiting == 0 {
                match if self.ranks { rank(self.plan.graph().layer(reader)) } else { 0 } {
                    0 => self.ready.push(Reverse(reader)),
                    rank => self.ranked.push((rank, Reverse(reader))),
                }
            }
        }
        self.budget.as_mut().and_then(|budget| budget.finished(&self.plan, task, made, memory))
    }

    /// A result that was to leave memory has left, or could not.
    pub fn left(&mut self, task: TaskId, memory: &impl Residency) {
        if let Some(budget) = &mut self.budget {
            budget.left(task, memory);
        }
    }

    /// A running task has read back `result`, and `bytes` of it stay in the store for other readers.
    pub fn came_back(&mut self, task: TaskId, result: TaskId, bytes: u64, memory: &impl Residency) {
        if let Some(budget) = &mut self.budget {
            budget.came_back(&self.plan, task, result, bytes, memory);
        }
    }

    /// Whether all tasks have finished.
    pub fn is_done(&self) -> bool {
        self.finished == self.waiting.len()
    }

    /// How many tasks have finished.
    pub fn finished_tasks(&self) -> usize {
        self.finished
    }

    /// How many tasks could start if memory were no matter.
    #[inline]
    pub fn ready_tasks(&self) -> usize {
        self.ready.len() + self.ranked.len() + self.sources_left
    }

    /// The most bytes that were reserved or held at once, if somebody counts.
    pub fn peak(&self) -> Option<u64> {
        self.budget.as_ref().map(Budget::peak)
    }

    fn find_source(&mut self) {
        let graph = self.plan.graph();
        if self.sources_left > 0 {
            let plain = |task| graph.inputs(task).is_empty() && !(self.ranks && rank(graph.layer(task)) != 0);
            while !plain(TaskId(self.next_source)) {
                self.next_source += 1;
            }
        }
    }
}

/// The priority of a layer's tasks.
fn rank(layer: &Layer) -> i32 {
    layer.need.as_ref().map_or(0, |need| need.priority)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::testing::{Rng, random_graph};
    use crate::plan::PlanOptions;
    use proptest::prelude::*;

    proptest! {
        /// Whatever finishes first: every task runs once, after its inputs, and nothing waits for ever,
        /// with the tightest limit that a plan accepts as well as without one.
        #[test]
        fn every_task_runs_once(seed in 0_u64..100_000, tasks in 1_usize..60, limited: bool, ranked: bool, threads in 1_usize..5) {
            let mut graph = random_graph(seed, tasks);
            if ranked {
                let mut rng = Rng::new(seed);
                for layer in &mut graph.layers {
                    layer.need = Some(std::sync::Arc::new(crate::Need::default().priority(rng.below(5) as i32 - 2)));
                }
            }
            let free = Plan::new(graph.clone(), &PlanOptions::default()).unwrap();
            let limit = limited.then_some(free.peak().bytes);
            let plan = Arc::new(Plan::new(graph, &PlanOptions { memory_limit: limit, ..PlanOptions::default() }).unwrap());
            let mut scheduler = Scheduler::new(plan.clone());
            let mut rng = Rng::new(seed);
            let mut running: Vec<TaskId> = Vec::new();
            let mut done = vec![false; plan.graph().len()];
            loop {
                match if running.len() < threads { scheduler.next(&()) } else { Instruction::Wait } {
                    Instruction::Run(task) => {
                        prop_assert!(!done[task.index()] && !running.contains(&task));
                        prop_assert!(plan.graph().inputs(task).iter().all(|edge| done[edge.task.index()]));
                        let rank = |task: TaskId| super::rank(plan.graph().layer(task));
                        let may_start = |other: &TaskId| {
                            let ready = plan.graph().inputs(*other).iter().all(|edge| done[edge.task.index()]);
                            ready && !done[other.index()] && !running.contains(other)
                        };
                        // Without a limit nothing of higher priority is passed by.
                        prop_assert!(limited || plan.graph().tasks().filter(may_start).all(|other| rank(other) <= rank(task)));
                        running.push(task);
                    }
                    Instruction::Wait => {
                        prop_assert!(!running.is_empty(), "nothing runs and nothing may start");
                        let task = running.swap_remove(rng.below(running.len()));
                        done[task.index()] = true;
                        scheduler.finished(task, plan.graph().bytes(task), &());
                    }
                    Instruction::Evict(_) => prop_assert!(false, "nothing is held"),
                    Instruction::Refuse(..) => prop_assert!(false, "a plan's own bytes fit"),
                    Instruction::Done => break,
                }
            }
            prop_assert!(done.iter().all(|&done| done));
        }
    }
}
