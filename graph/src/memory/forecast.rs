//! What a run will hold and move, known before it: the plan is played through with blocks that have a size and nothing else.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::Spilled;
use crate::error::{Error, Result};
use crate::executor::reads_again;
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

/// [`play`]s a plan through on a number of threads, each task taking as long as the bytes it reads and makes say.
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
    if !plan.graph().has_bytes() {
        return Ok(Forecast::default());
    }
    let bytes = |task: TaskId| plan.graph().need(task).saturating_add(plan.bytes_in(task)).saturating_add(1);
    Ok(play(plan, threads, bytes, 0.0)?.forecast)
}

/// A run as it is projected to go in time. The unit is that of the costs it was played with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Played {
    /// What it holds and moves.
    pub forecast: Forecast,
    /// How long it takes.
    pub elapsed: u64,
    /// The sum of all tasks' times.
    pub busy: u64,
    /// Time that threads have nothing to do, all threads together, by the layer of the tasks that run meanwhile: what they wait for.
    pub lost: Vec<f64>,
}

/// Plays a plan through on a number of threads: the real scheduler and the real books, no kernels. `cost` says how long a task takes,
/// `disk` how long a byte takes to the disk or back. About as long as the scheduling of a run.
///
/// ```
/// # use std::sync::Arc;
/// use talatat_graph::memory::play;
/// use talatat_graph::{Plan, PlanOptions, testing::tree_graph};
/// let plan = Arc::new(Plan::new(tree_graph(4, 4), &PlanOptions::default())?);
/// let played = play(&plan, 2, |_| 10, 0.0)?; // four leaves two by two, and a sum
/// assert_eq!((played.elapsed, played.busy), (30, 50));
/// assert_eq!(played.lost.iter().sum::<f64>(), 10.0);
/// # Ok::<(), talatat_graph::Error>(())
/// ```
///
/// # Errors
/// If the graph is malformed.
pub fn play(plan: &Arc<Plan>, threads: usize, cost: impl Fn(TaskId) -> u64, disk: f64) -> Result<Played> {
    let threads = threads.max(1);
    let mut play = Play {
        scheduler: Scheduler::metered(plan.clone(), true).lenient(),
        store: Store::metered(plan.graph()),
        running: BinaryHeap::new(),
        inputs: hashbrown::HashMap::new(),
        clock: 0,
        disk,
        writing: 0,
        trash: Vec::new(),
        played: Played { lost: vec![0.0; plan.graph().layers().len()], ..Played::default() },
    };
    loop {
        if play.running.len() < threads {
            match play.scheduler.next(&play.store) {
                Instruction::Run(task) => {
                    play.start(plan, task, cost(task))?;
                    continue;
                }
                Instruction::Evict(result) => {
                    play.evict(plan, result);
                    continue;
                }
                Instruction::Wait | Instruction::Refuse(..) => {}
                Instruction::Done => {
                    play.played.elapsed = play.clock;
                    return Ok(play.played);
                }
            }
        }
        let Some(&Reverse((time, _))) = play.running.peek() else {
            return Err(Error::InvalidGraph("no task runs and none may start".into()));
        };
        play.advance(plan, time, threads);
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
    /// The cost of a byte to the disk or back.
    disk: f64,
    /// Time that writing took since the last task started: its thread writes first.
    writing: u64,
    trash: Vec<Value>,
    played: Played,
}

impl Play {
    /// The clock goes on to when the first running task is done.
    fn advance(&mut self, plan: &Plan, time: u64, threads: usize) {
        let (running, passed) = (self.running.len(), time.saturating_sub(self.clock));
        if running < threads && passed > 0 {
            let each = passed as f64 * (threads - running) as f64 / running as f64;
            for Reverse((_, task)) in &self.running {
                self.played.lost[plan.graph().layer_id(*task).0 as usize] += each;
            }
        }
        self.clock = time;
        if let Some(Reverse((_, task))) = self.running.pop() {
            self.finish(plan, task);
        }
    }

    fn start(&mut self, plan: &Plan, task: TaskId, cost: u64) -> Result<()> {
        self.note(task);
        let graph = plan.graph();
        let mut inputs = Vec::new();
        self.store.gather(graph, task, &mut inputs).map_err(|error| Error::InvalidGraph(error.to_string()))?;
        let mut read = 0;
        for (&edge, input) in graph.inputs(task).iter().zip(&mut inputs) {
            if let Value::Spilled(spilled) = input {
                let bytes = spilled.nbytes();
                *input = Value::block(Phantom(bytes));
                read += bytes;
                let kept = self.store.came_back(edge, input);
                self.scheduler.came_back(task, edge.task, kept, &self.store);
            }
        }
        self.played.forecast.read += read;
        let time =
            cost.saturating_add((read as f64 * self.disk) as u64).saturating_add(std::mem::take(&mut self.writing));
        self.played.busy = self.played.busy.saturating_add(time);
        self.running.push(Reverse((self.clock.saturating_add(time), task)));
        self.inputs.insert(task, inputs);
        Ok(())
    }

    fn evict(&mut self, plan: &Plan, result: TaskId) {
        let mut leaving = self.store.leaving(plan.graph(), result, self.scheduler.upcoming());
        let again = reads_again(plan.graph(), result);
        for value in &mut leaving {
            if let Some(Value::Block(block)) = value.unwritten() {
                let bytes = block.nbytes() as u64;
                if !again {
                    self.played.forecast.written += bytes;
                    self.writing += (bytes as f64 * self.disk) as u64;
                }
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
        let forecast = &mut self.played.forecast;
        if peak > forecast.peak {
            (forecast.peak, forecast.task) = (peak, task);
        }
    }
}
