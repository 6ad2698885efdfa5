//! The scheduler: a pure state machine. Events in, instructions out; no threads, no clock, no values.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::memory::budget::Budget;
use crate::plan::Plan;
use crate::task::TaskId;

/// What an executor should do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instruction {
    /// Run this task; all of its inputs have been computed.
    Run(TaskId),
    /// Nothing may start until a running task finishes.
    Wait,
    /// All tasks have finished.
    Done,
}

/// Decides which task runs next: always the first one in the plan's order that is ready, if its bytes fit.
///
/// Memory: 4 bytes a task, and under a memory limit 9 more. A task costs O(1) plus O(log r) for a heap of the r tasks
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
/// assert_eq!(scheduler.next(), Instruction::Run(TaskId(0)));
/// assert_eq!(scheduler.next(), Instruction::Wait);
/// scheduler.finished(TaskId(0), 0, 0);
/// assert_eq!(scheduler.next(), Instruction::Run(TaskId(1)));
/// scheduler.finished(TaskId(1), 0, 0);
/// assert_eq!(scheduler.next(), Instruction::Done);
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
        let graph = plan.graph();
        let waiting: Vec<u32> = graph.tasks().map(|task| graph.inputs(task).len() as u32).collect();
        let sources_left = waiting.iter().filter(|&&inputs| inputs == 0).count();
        let budget = plan
            .memory_limit()
            .map(|limit| Budget::new(limit, plan.peak().bytes, graph.tasks().map(|task| graph.need(task)).collect()));
        let mut scheduler =
            Scheduler { waiting, ready: BinaryHeap::new(), next_source: 0, sources_left, finished: 0, budget, plan };
        scheduler.find_source();
        scheduler
    }

    /// What to do next. After `Run(task)` the task counts as running.
    #[inline]
    #[allow(clippy::should_implement_trait)] // not an iterator: it may say `Wait` and later go on
    pub fn next(&mut self) -> Instruction {
        let source = (self.sources_left > 0).then_some(TaskId(self.next_source));
        let inner = self.ready.peek().map(|&Reverse(task)| task);
        let (task, from_heap) = match (source, inner) {
            (Some(source), Some(inner)) => (source.min(inner), inner < source),
            (Some(source), None) => (source, false),
            (None, Some(inner)) => (inner, true),
            (None, None) if self.is_done() => return Instruction::Done,
            (None, None) => return Instruction::Wait,
        };
        if let Some(budget) = &mut self.budget
            && !budget.admit(task)
        {
            return Instruction::Wait;
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

    /// A running task has finished: its result holds `holds` bytes, and `freed` bytes of its inputs died with it.
    #[inline]
    pub fn finished(&mut self, task: TaskId, holds: u64, freed: u64) {
        self.finished += 1;
        for &reader in self.plan.successors().of(task) {
            let waiting = &mut self.waiting[reader.index()];
            *waiting -= 1;
            if *waiting == 0 {
                self.ready.push(Reverse(reader));
            }
        }
        if let Some(budget) = &mut self.budget {
            budget.finished(task, holds, freed);
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

    /// The most bytes that were reserved or held at once, if there is a limit.
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
                match if running.len() < threads { scheduler.next() } else { Instruction::Wait } {
                    Instruction::Run(task) => {
                        prop_assert!(!done[task.index()] && !running.contains(&task));
                        prop_assert!(plan.graph().inputs(task).iter().all(|edge| done[edge.task.index()]));
                        running.push(task);
                    }
                    Instruction::Wait => {
                        prop_assert!(!running.is_empty(), "nothing runs and nothing may start");
                        let task = running.swap_remove(rng.below(running.len()));
                        done[task.index()] = true;
                        scheduler.finished(task, plan.graph().bytes(task), 0);
                    }
                    Instruction::Done => break,
                }
            }
            prop_assert!(done.iter().all(|&done| done));
        }
    }
}
