//! What a run will hold and move, known before it: the plan is played through with blocks that have a size and nothing else.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::Spilled;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::scheduler::{Instruction, Scheduler};
use crate::store::Store;
use crate::task::TaskId;
use crate::value::{Block, Brief, Value};

/// What a run of a plan is projected to hold and to move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// The most bytes that are reserved or held at once.
    pub peak: u64,
    /// The task that starts or ends at the peak.
    pub task: TaskId,
    /// Bytes that go to the disk because memory is short.
    pub written: u64,
    /// Bytes that are read back.
    pub read: u64,
}

/// A block that is only its size.
struct Phantom(u64);

impl Block for Phantom {
    fn nbytes(&self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn brief(&self) -> Brief {
        Brief::default()
    }

    fn codec(&self) -> Option<&'static str> {
        Some("phantom")
    }
}

/// Plays a plan through on a number of threads, each task taking as long as the bytes it reads and makes say: the real scheduler and
/// the real books, no kernels. About as long as the scheduling of a run.
///
/// ```
/// # use std::sync::Arc;
/// use talatat_graph::memory::forecast;
/// use talatat_graph::testing::shuffle_weights;
/// use talatat_graph::{Outputs, Plan, PlanOptions};
/// let options = PlanOptions { memory_limit: Some(200_000), spill: true, outputs: Outputs::Anywhere, ..PlanOptions::default() };
/// let plan = Arc::new(Plan::new(shuffle_weights(40, 40, 1000), &options)?);
/// let forecast = forecast(&plan, 2)?;
/// assert!(forecast.peak <= 200_000 && forecast.written >= 1_400_000);
/// # Ok::<(), talatat_graph::Error>(())
/// ```
///
/// # Errors
/// If the graph is malformed.
pub fn forecast(plan: &Arc<Plan>, threads: usize) -> Result<Forecast> {
    let mut play = Play {
        scheduler: Scheduler::metered(plan.clone(), true),
        store: Store::metered(plan.graph()),
        running: BinaryHeap::new(),
        inputs: hashbrown::HashMap::new(),
        clock: 0,
        trash: Vec::new(),
        forecast: Forecast::default(),
    };
    if !plan.graph().has_bytes() {
        return Ok(play.forecast);
    }
    loop {
        if play.running.len() < threads.max(1) {
            match play.scheduler.next(&play.store) {
                Instruction::Run(task) => {
                    play.start(plan, task)?;
                    continue;
                }
                Instruction::Evict(result) => {
                    play.evict(plan, result);
                    continue;
                }
                Instruction::Wait => {}
                Instruction::Done => return Ok(play.forecast),
            }
        }
        let Some(Reverse((time, task))) = play.running.pop() else {
            return Err(Error::InvalidGraph("no task runs and none may start".into()));
        };
        play.clock = time;
        play.finish(plan, task);
    }
}

struct Play {
    scheduler: Scheduler,
    store: Store,
    /// Running tasks by the time when they will be done.
    running: BinaryHeap<Reverse<(u64, TaskId)>>,
    /// What they hold meanwhile.
    inputs: hashbrown::HashMap<TaskId, Vec<Value>>,
    clock: u64,
    trash: Vec<Value>,
    forecast: Forecast,
}

impl Play {
    fn start(&mut self, plan: &Plan, task: TaskId) -> Result<()> {
        self.note(task);
        let graph = plan.graph();
        let mut inputs = Vec::new();
        self.store.gather(graph, task, &mut inputs).map_err(|error| Error::InvalidGraph(error.to_string()))?;
        let mut bytes = graph.need(task);
        for (&edge, input) in graph.inputs(task).iter().zip(&mut inputs) {
            if let Value::Spilled(spilled) = input {
                let bytes = spilled.nbytes();
                *input = Value::block(Phantom(bytes));
                self.forecast.read += bytes;
                let kept = self.store.came_back(edge, input);
                self.scheduler.came_back(task, edge.task, kept, &self.store);
            }
            bytes = bytes.saturating_add(input.nbytes() as u64);
        }
        self.running.push(Reverse((self.clock.saturating_add(bytes).saturating_add(1), task)));
        self.inputs.insert(task, inputs);
        Ok(())
    }

    fn evict(&mut self, plan: &Plan, result: TaskId) {
        let mut leaving = self.store.leaving(plan.graph(), result, self.scheduler.upcoming());
        for value in &mut leaving {
            if let Some(Value::Block(block)) = value.unwritten() {
                let bytes = block.nbytes() as u64;
                self.forecast.written += bytes;
                value.written(Value::Spilled(Arc::new(Spilled::nowhere(bytes))));
            }
        }
        self.store.left(result, leaving, &mut self.trash);
        self.trash.clear();
        self.scheduler.left(result, &self.store);
    }

    fn finish(&mut self, plan: &Plan, task: TaskId) {
        let graph = plan.graph();
        let bytes = if graph.layer(task).borrowed { 0 } else { graph.bytes(task) };
        let value = match plan.part_count(task) {
            None => Value::block(Phantom(bytes)),
            Some(count) => {
                Value::Parts((0..count).map(|_| Value::block(Phantom(bytes / u64::from(count.max(1))))).collect())
            }
        };
        self.inputs.remove(&task);
        let made = self.store.put(plan, task, value, &mut self.trash);
        self.store.release(graph, task, &mut self.trash);
        self.trash.clear();
        let _ = self.scheduler.finished(task, made, &self.store);
        self.note(task);
    }

    fn note(&mut self, task: TaskId) {
        let peak = self.scheduler.peak().unwrap_or(0);
        if peak > self.forecast.peak {
            self.forecast.peak = peak;
            self.forecast.task = task;
        }
    }
}
