//! Runs in which processes are killed and frozen: what comes of them?
//!
//! A round is a random graph with shuffles, run on an [`Engine`] while faults strike at moments that are counted in tasks that are done.
//! Its results must be the bits that one thread computes here; or, where something is lost that cannot be made again, the error must say so.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use talatat_graph::testing::Rng;
use talatat_graph::{
    Edge, Error, Event, Executor, GraphBuilder, Kernel, KernelError, KernelResult, Key, Layer, Observer, Outputs, Plan,
    PlanOptions, Registry, Result, RunContext, Synchronous, TaskContext, TaskGraph, Value,
};

use super::engine::{Engine, signal};
use super::{Act, registry};
use crate::units::{Costs, Rate};
use crate::{Cluster, ClusterBuilder};

/// What may happen during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Nothing.
    Nothing,
    /// A worker's process is killed; another one is started in its place.
    WorkerKilled,
    /// A worker's process is stopped and does not go on.
    WorkerFrozen,
    /// All workers' processes are killed at once.
    AllKilled,
    /// The driver's helper is killed.
    HelperKilled,
    /// The scheduler is killed and started again, with new workers.
    SchedulerRestarted,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 6] = [
        Fault::Nothing,
        Fault::WorkerKilled,
        Fault::WorkerFrozen,
        Fault::AllKilled,
        Fault::HelperKilled,
        Fault::SchedulerRestarted,
    ];

    /// Whether what was persisted is lost by it.
    pub fn loses_what_is_kept(self) -> bool {
        matches!(self, Fault::HelperKilled | Fault::SchedulerRestarted)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Fault::Nothing => "nothing",
            Fault::WorkerKilled => "a worker killed",
            Fault::WorkerFrozen => "a worker frozen",
            Fault::AllKilled => "all workers killed",
            Fault::HelperKilled => "the helper killed",
            Fault::SchedulerRestarted => "the scheduler restarted",
        })
    }
}

/// How a round ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With the bits that one thread computes here.
    Same,
    /// With an error that says that persisted results are lost.
    Lost,
    /// With another error that says what could not be reached.
    Error(String),
    /// With other bits, or with an error that blames what is not to blame.
    Wrong(String),
}

/// What a round was.
#[derive(Clone, Debug)]
pub struct Round {
    /// Decides all of it.
    pub seed: u64,
    /// What happened.
    pub faults: Vec<Fault>,
    /// Whether it started from results that had been persisted.
    pub persisted: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub elapsed: Duration,
}

impl Round {
    /// Whether it ended as it must: with the same bits, or, if what was persisted had to be lost, with the error that says so.
    pub fn is_good(&self) -> bool {
        let may_lose = self.persisted && self.faults.iter().any(|fault| fault.loses_what_is_kept());
        self.outcome == Outcome::Same || self.outcome == Outcome::Lost && may_lose
    }
}

/// The engine and the driver that rounds are run on, one after the other.
pub struct Field {
    engine: Arc<Mutex<Engine>>,
    cluster: Arc<Cluster>,
    workers: usize,
}

/// Bytes of each blob.
const BYTES: usize = 1 << 16;
/// How often workers are asked for until they are all there again, and how long is waited in between.
const HEALING: (usize, Duration) = (600, Duration::from_millis(100));

impl Field {
    /// Starts an engine and connects to it.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(python: &Path, workers: usize) -> Result<Field> {
        let engine = Engine::start(python, workers).map_err(|error| unavailable(error.to_string()))?;
        // By these rates a unit has two or three tasks.
        let rate = Rate { task: Duration::from_millis(4), bytes_per_second: 1e12 };
        let builder: ClusterBuilder = Cluster::builder().python(python).costs(Costs::default().otherwise(rate));
        let cluster = builder.timeout(Duration::from_secs(60)).connect(&engine.address())?;
        let field = Field { engine: Arc::new(Mutex::new(engine)), cluster: Arc::new(cluster), workers };
        field.heal()?;
        Ok(field)
    }

    /// Kills all of it.
    pub fn kill(&self) {
        self.engine.lock().kill();
    }

    /// A round in which one thing happens, or, without `fault`, what the seed says, perhaps two things.
    ///
    /// # Errors
    /// If the round cannot be begun: what happens in it is in the round.
    pub fn round(&self, seed: u64, fault: Option<Fault>) -> Result<Round> {
        let mut rng = Rng::new(seed);
        let any = |rng: &mut Rng| Fault::ALL[rng.below(Fault::ALL.len())];
        let faults = match fault {
            Some(fault) => vec![fault],
            None => (0..1 + rng.below(4) / 3).map(|_| any(&mut rng)).collect(),
        };
        let victims: Vec<u32> = self.heal()?.into_iter().map(|worker| worker.pid).collect();
        let persisted = rng.below(4) == 0;
        let (mut here, mut there) = (Vec::new(), Vec::new());
        if persisted {
            let plan = |outputs| plan(graph(&mut rng.clone(), &[]), outputs);
            here = Synchronous.execute(plan(Outputs::InMemory)?, &context(Vec::new()))?;
            there = self.cluster.execute(plan(Outputs::Anywhere)?, &context(Vec::new()))?;
            rng = Rng::new(rng.next_u64());
        }
        let local = plan(graph(&mut rng.clone(), &here), Outputs::InMemory)?;
        let remote = plan(graph(&mut rng, &there), Outputs::InMemory)?;
        let expected = bits(&Synchronous.execute(local, &context(Vec::new()))?)?;
        let tasks = remote.graph().len();
        let mut strikes: Vec<Strike> = (faults.iter())
            .map(|&fault| Strike { at: rng.below(tasks), fault, victim: rng.below(self.workers) })
            .collect();
        strikes.sort_by_key(|strike| std::cmp::Reverse(strike.at));
        let saboteur = Arc::new(Saboteur {
            engine: self.engine.clone(),
            cluster: self.cluster.clone(),
            state: Mutex::new(Sabotage { seen: 0, strikes, victims, frozen: Vec::new() }),
        });
        let begin = Instant::now();
        let result = self.cluster.execute(remote, &context(vec![saboteur.clone()]));
        let elapsed = begin.elapsed();
        saboteur.state.lock().frozen.drain(..).for_each(|pid| signal(pid, "KILL"));
        Ok(Round { seed, faults, persisted, outcome: outcome(result, &expected)?, elapsed })
    }

    /// Waits until all workers are there.
    fn heal(&self) -> Result<Vec<crate::wire::WorkerInfo>> {
        let (times, pause) = HEALING;
        for _ in 0..times {
            match self.cluster.refresh() {
                Ok(workers) if workers.len() == self.workers => return Ok(workers),
                _ => std::thread::sleep(pause),
            }
        }
        Err(unavailable(format!("{} workers do not come back", self.workers)))
    }
}

fn outcome(result: Result<Vec<Value>>, expected: &[Vec<u8>]) -> Result<Outcome> {
    Ok(match result {
        Ok(values) if bits(&values)? == expected => Outcome::Same,
        Ok(_) => Outcome::Wrong("other bits".into()),
        Err(Error::Unavailable { reason, .. }) if reason.contains("persist it again") => Outcome::Lost,
        Err(Error::Unavailable { reason, .. }) => Outcome::Error(reason),
        Err(other) => Outcome::Wrong(other.to_string()),
    })
}

/// Does damage as tasks are done.
struct Saboteur {
    engine: Arc<Mutex<Engine>>,
    cluster: Arc<Cluster>,
    state: Mutex<Sabotage>,
}

struct Sabotage {
    seen: usize,
    /// The next one last.
    strikes: Vec<Strike>,
    /// The workers' processes.
    victims: Vec<u32>,
    frozen: Vec<u32>,
}

/// What happens when so many tasks are done.
struct Strike {
    at: usize,
    fault: Fault,
    victim: usize,
}

impl Observer for Saboteur {
    fn on(&self, event: &Event<'_>) {
        let state = &mut *self.state.lock();
        match event {
            Event::Started { .. } => {}
            Event::Task { .. } => state.seen += 1,
            _ => return,
        }
        while let Some(strike) = state.strikes.pop_if(|strike| strike.at <= state.seen) {
            self.strike(&strike, state);
        }
    }
}

impl Saboteur {
    fn strike(&self, strike: &Strike, state: &mut Sabotage) {
        let victim = state.victims.get(strike.victim).copied();
        match strike.fault {
            Fault::Nothing => {}
            Fault::WorkerKilled => victim.into_iter().for_each(|pid| signal(pid, "KILL")),
            Fault::WorkerFrozen => {
                victim.into_iter().for_each(|pid| signal(pid, "STOP"));
                state.frozen.extend(victim);
            }
            Fault::AllKilled => state.victims.iter().for_each(|&pid| signal(pid, "KILL")),
            Fault::HelperKilled => signal(self.cluster.helper_pid(), "KILL"),
            Fault::SchedulerRestarted => {
                // The numbers of processes that are gone are not to be used again.
                state.victims.clear();
                state.frozen.clear();
                let restarted = self.engine.lock().restart();
                if let Err(error) = restarted {
                    eprintln!("the scheduler cannot be started again: {error}");
                }
            }
        }
    }
}

/// A random graph of some forty to a hundred tasks: shuffles, trees, and tasks that read two of the level below. It starts from values that
/// are there, or from tasks that read nothing.
fn graph(rng: &mut Rng, sources: &[Value]) -> TaskGraph {
    let mut acts = Acts::default();
    let mut level: Vec<Edge> = if sources.is_empty() {
        (0..4 + rng.below(6)).map(|_| acts.add(rng, 0, &[])).collect()
    } else {
        acts.hand(sources)
    };
    for _ in 0..2 + rng.below(3) {
        level = match rng.below(4) {
            0 => (0..level.len())
                .map(|at| {
                    let other = level[rng.below(level.len())];
                    acts.add(rng, 0, &[level[at], other])
                })
                .collect(),
            1 if level.len() > 4 => level.chunks(2).map(|pair| acts.add(rng, 0, pair)).collect(),
            _ => {
                let count = 3 + rng.below(6) as u32;
                let splits: Vec<Edge> = level.iter().map(|&edge| acts.add(rng, count, &[edge])).collect();
                let of = |part| splits.iter().map(|split| Edge::part_of(split.task, part)).collect::<Vec<Edge>>();
                (0..count).map(|part| acts.add(rng, 0, &of(part))).collect()
            }
        };
    }
    level.iter().for_each(|&edge| acts.0.output(edge));
    acts.0.build()
}

#[derive(Default)]
struct Acts(GraphBuilder);

impl Acts {
    fn add(&mut self, rng: &mut Rng, parts: u32, inputs: &[Edge]) -> Edge {
        let act = Act::Mix { parts, bytes: BYTES, micros: rng.below(20_000) as u64 };
        let bytes = (BYTES * parts.max(1) as usize) as u64;
        self.task(Arc::new(act), bytes, false, inputs)
    }

    fn hand(&mut self, values: &[Value]) -> Vec<Edge> {
        values.iter().map(|value| self.task(Arc::new(Hand(value.clone())), 0, true, &[])).collect()
    }

    fn task(&mut self, kernel: Arc<dyn Kernel>, bytes: u64, borrowed: bool, inputs: &[Edge]) -> Edge {
        let block = self.0.len() as u32;
        let layer = self.0.layer(Layer::new(Key::of("act", &[]).block(u64::from(block)), kernel).borrowed(borrowed));
        // Inputs are edges of this graph, so that this cannot fail.
        self.0.task(layer, block, bytes, inputs).map_or(Edge::whole(talatat_graph::TaskId(block)), Edge::whole)
    }
}

/// Hands out what is there.
struct Hand(Value);

impl Kernel for Hand {
    fn name(&self) -> &str {
        "testing.hand"
    }

    fn run(&self, _: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        self.0.clone().loaded().map_err(KernelError::from_source)
    }

    fn held(&self, _: u64) -> Option<Value> {
        Some(self.0.clone())
    }
}

fn plan(graph: TaskGraph, outputs: Outputs) -> Result<Arc<Plan>> {
    Ok(Arc::new(Plan::new(graph, &PlanOptions { outputs, ..PlanOptions::default() })?))
}

fn context(observers: Vec<Arc<dyn Observer>>) -> RunContext {
    RunContext { registry: Arc::new(registry()), observers, ..RunContext::default() }
}

fn bits(values: &[Value]) -> Result<Vec<Vec<u8>>> {
    let registry: Registry = registry();
    let encoded = values.iter().map(|value| {
        let mut bytes = Vec::new();
        registry.encode_value(value, &mut bytes).map(|()| bytes)
    });
    encoded.collect()
}

fn unavailable(reason: String) -> Error {
    Error::Unavailable { executor: "campaign".into(), reason }
}

/// What came of many rounds, by what happened in them.
#[derive(Default)]
pub struct Table(BTreeMap<String, Row>);

#[derive(Default)]
struct Row {
    same: usize,
    lost: usize,
    errors: usize,
    wrong: usize,
    hung: usize,
    times: Vec<Duration>,
}

impl Table {
    /// Adds a round.
    pub fn add(&mut self, round: &Round) {
        let row = self.row(&round.faults);
        row.times.push(round.elapsed);
        match round.outcome {
            Outcome::Same => row.same += 1,
            Outcome::Lost if round.is_good() => row.lost += 1,
            Outcome::Lost | Outcome::Wrong(_) => row.wrong += 1,
            Outcome::Error(_) => row.errors += 1,
        }
    }

    /// Adds a round that did not end.
    pub fn add_hung(&mut self, faults: &[Fault]) {
        self.row(faults).hung += 1;
    }

    fn row(&mut self, faults: &[Fault]) -> &mut Row {
        let name = match faults {
            [one] => one.to_string(),
            _ => "two of these".into(),
        };
        self.0.entry(name).or_default()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| what happened | runs | same bits | persisted results lost, and said so | other error | wrong | hung | median, longest |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for (name, row) in &self.0 {
            let Row { same, lost, errors, wrong, hung, times } = row;
            let mut times = times.clone();
            times.sort_unstable();
            let seconds = |time: Option<&Duration>| time.map_or(0.0, Duration::as_secs_f64);
            let (median, longest) = (seconds(times.get(times.len() / 2)), seconds(times.last()));
            let runs = same + lost + errors + wrong + hung;
            writeln!(
                f,
                "| {name} | {runs} | {same} | {lost} | {errors} | {wrong} | {hung} | {median:.1} s, {longest:.1} s |"
            )?;
        }
        Ok(())
    }
}
