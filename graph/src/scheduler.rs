//! The scheduler: a pure state machine. Events in, instructions out; no threads, no clock, no values.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

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
    /// No source before this number has yet to start.
    next_source: u32,
    sources_left: usize,
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
        let sources_left = waiting.iter().filter(|&&inputs| inputs == 0).count();
        let budget = (metered || plan.memory_limit().is_some()).then(|| Budget::new(&plan));
        let mut scheduler =
            Scheduler { waiting, ready: BinaryHeap::new(), next_source: 0, sources_left, finished: 0, budget, plan };
        scheduler.find_source();
        scheduler
    }

    /// What to do next. After `Run(task)` the task counts as running, after `Evict(task)` its result as being written.
    #[inline]
    pub fn next(&mut self, memory: &impl Residency) -> Instruction {
        let (task, from_heap) = match self.first_ready() {
            Some(found) => found,
            None if self.is_done() => return Instruction::Done,
            None => return Instruction::Wait,
        };
        if let Some(budget) = &mut self.budget {
            match budget.admit(&self.plan, task, memory) {
                Admission::Run => {}
                Admission::Evict(result) => return Instruction::Evict(result),
                Admission::Wait => return Instruction::Wait,
            }
        }
        if from_heap {
            self.ready.pop();
        } else {
            self.sources_left -= 1;
            self.next_source += 1;
            self.find_source();
        }
        Instruction::Run(task)
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
        self.first_ready().map(|(task, _)| task)
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
                self.ready.push(Reverse(reader));
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
        self.ready.len() + self.sources_left
    }

    /// The most bytes that were reserved or held at once, if somebody counts.
    pub fn peak(&self) -> Option<u64> {
        self.budget.as_ref().map(Budget::peak)
    }

    fn find_source(&mut self) {
        let graph = self.plan.graph();
        if self.sources_left > 0 {
            while !graph.inputs(TaskId(self.next_source)).is_empty() {
                self.next_source += 1;
            }
        }
    }
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
        fn every_task_runs_once(seed in 0_u64..100_000, tasks in 1_usize..60, limited: bool, threads in 1_usize..5) {
            let graph = random_graph(seed, tasks);
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
                        running.push(task);
                    }
                    Instruction::Wait => {
                        prop_assert!(!running.is_empty(), "nothing runs and nothing may start");
                        let task = running.swap_remove(rng.below(running.len()));
                        done[task.index()] = true;
                        scheduler.finished(task, plan.graph().bytes(task), &());
                    }
                    Instruction::Evict(_) => prop_assert!(false, "nothing is held"),
                    Instruction::Done => break,
                }
            }
            prop_assert!(done.iter().all(|&done| done));
        }
    }
}
