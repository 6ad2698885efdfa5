//! How long a plan in units takes on machines that need not be there.
//!
//! ```text
//! Plan -> Units::cut -> a graph of units -> Scheduler (which unit is next) -> the engine (one after the other) -> network -> slots
//! ```
//!
//! The units are those that would be handed to the engine, and which of them is next the graph crate's own scheduler says. What is modelled is the rest: an
//! engine that hands out one unit after the other, each to where it can start first; links that send and receive so many bytes in a second;
//! results that travel as a whole, once to each worker that reads any of them, or, to see what that would gain, part by part.
//!
//! What it does not know: memory that runs short, machines that are slower than others or lost, and what an engine does about a wrong choice later (stealing).

pub mod workloads;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use talatat_graph::{
    Edge, GraphBuilder, Instruction, Key, Layer, PASSES, Plan, PlanOptions, Result, Scheduler, TaskId, Value,
    closure_kernel,
};

use crate::units::{Source, Unit, Units};

/// Workers, each of so many threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machines {
    /// Workers' processes.
    pub workers: usize,
    /// Units that each runs at once.
    pub threads: usize,
}

impl Machines {
    /// Workers of one thread.
    pub fn new(workers: usize) -> Machines {
        Machines { workers: workers.max(1), threads: 1 }
    }

    /// How many units run at once.
    pub fn slots(&self) -> usize {
        self.workers.max(1) * self.threads.max(1)
    }
}

/// What an engine and a network take, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Of the engine's scheduler for each unit.
    pub unit: f64,
    /// More, for each unit that it reads.
    pub edge: f64,
    /// From the driver to the engine and back, whatever is asked for.
    pub round_trip: f64,
    /// From a unit's start until the first byte that it reads from another worker is there.
    pub latency: f64,
    /// Bytes that a worker sends, and that it receives, in a second.
    pub bandwidth: f64,
    /// Whether parts of a result travel one by one. As the engine is used today, whoever reads one part gets all of them, once.
    pub parts: bool,
}

impl Rates {
    /// `distributed` 2026.8.0 on two cores that it shares with two workers and the driver, over the loopback device: 1.6 ms a task by the clock (1.3 of
    /// the scheduler's processor), 17 microseconds for each that it reads (`benches/engine.py`), blocks at 0.3 to 1.2 GB/s. The latency is not
    /// measured but taken to be a connection's.
    pub const MEASURED: Rates =
        Rates { unit: 1.6e-3, edge: 17e-6, round_trip: 10.5e-3, latency: 2e-3, bandwidth: 0.6e9, parts: false };

    /// An engine that takes no time and a network that is not felt.
    pub const FREE: Rates =
        Rates { unit: 0.0, edge: 0.0, round_trip: 0.0, latency: 0.0, bandwidth: f64::INFINITY, parts: false };
}

/// What came of it. Whatever the machines, it takes at least as long as the engine, the work, the longest chain, and the busiest link do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Simulated {
    /// Seconds from handing it in until the results are here.
    pub elapsed: f64,
    /// Seconds in which the engine's scheduler is busy.
    pub engine: f64,
    /// Seconds that the units take, shared out among all slots.
    pub work: f64,
    /// Seconds of the longest chain of units that wait for each other.
    pub chain: f64,
    /// Seconds in which the busiest link sends or receives.
    pub link: f64,
    /// Bytes between workers.
    pub sent: u64,
}

/// What a run cannot be faster than.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The engine's scheduler: more machines change nothing, fewer units would.
    Engine,
    /// The work: more machines help.
    Work,
    /// Units that wait for each other.
    Chain,
    /// The network.
    Network,
}

impl Simulated {
    /// The largest of what it cannot be faster than.
    pub fn bound(&self) -> Bound {
        let bounds = [
            (self.work, Bound::Work),
            (self.engine, Bound::Engine),
            (self.chain, Bound::Chain),
            (self.link, Bound::Network),
        ];
        bounds.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).map_or(Bound::Work, |(_, bound)| bound)
    }

    /// As a duration.
    pub fn duration(&self) -> Duration {
        Duration::try_from_secs_f64(self.elapsed).unwrap_or(Duration::MAX)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Bound::Engine => "engine",
            Bound::Work => "work",
            Bound::Chain => "chain",
            Bound::Network => "network",
        })
    }
}

/// Plays units through. `seconds` is what each takes one thread. O(edges between units, times a few, plus units times log of slots).
///
/// ```
/// use talatat_cluster::simulator::{Machines, Rates, simulate};
/// use talatat_cluster::units::{Costs, CutOptions, Units};
/// use talatat_graph::{Plan, PlanOptions, testing::tree_graph};
/// let plan = Plan::new(tree_graph(100_000, 8), &PlanOptions::default())?;
/// let machines = Machines::new(1000);
/// let units = Units::cut(&plan, &Costs::default(), &CutOptions::slots(machines.slots()));
/// let simulated = simulate(&plan, &units, &units.seconds(), machines, &Rates::MEASURED)?;
/// assert!(simulated.elapsed >= simulated.engine);
/// # Ok::<(), talatat_graph::Error>(())
/// ```
///
/// # Errors
/// If there are units that wait for each other in a circle, which no cut makes.
pub fn simulate(plan: &Plan, units: &Units, seconds: &[f64], machines: Machines, rates: &Rates) -> Result<Simulated> {
    let sizes: Vec<u64> = (units.units.iter())
        .map(|unit| unit.outputs.iter().fold(0_u64, |bytes, &edge| bytes.saturating_add(plan.bytes_of(edge))))
        .collect();
    let reads = |unit: &Unit| {
        let mut reads = reads(plan, unit);
        if !rates.parts {
            reads.iter_mut().for_each(|read| read.bytes = sizes.get(read.unit as usize).copied().unwrap_or(0));
        }
        reads
    };
    let reads: Vec<Vec<Read>> = units.units.iter().map(reads).collect();
    let mut scheduler = Scheduler::new(Arc::new(plan_of(&reads)?));
    let seconds = |unit: usize| seconds.get(unit).copied().unwrap_or(0.0).max(0.0);
    let mut world = World::new(machines, *rates, units.units.len());
    // The graph has to get there first.
    world.engine = rates.round_trip / 2.0;
    let mut running: BinaryHeap<Reverse<(Moment, TaskId)>> = BinaryHeap::new();
    let mut clock = 0.0;
    let mut found = Simulated::default();
    let mut chains = vec![0.0_f64; units.units.len()];
    loop {
        match scheduler.next(&()) {
            Instruction::Run(task) => {
                let unit = task.index();
                let reads = reads.get(unit).map_or(&[][..], Vec::as_slice);
                let takes = rates.unit + rates.edge * reads.len() as f64;
                found.engine += takes;
                world.engine = world.engine.max(clock) + takes;
                let before =
                    reads.iter().filter_map(|read| chains.get(read.unit as usize).copied()).fold(0.0, f64::max);
                chains.get_mut(unit).into_iter().for_each(|chain| *chain = before + seconds(unit));
                let end = world.run(task.0, reads, seconds(unit));
                running.push(Reverse((Moment(end), task)));
            }
            Instruction::Done => break,
            // Without a memory limit nothing is evicted and nothing refused.
            Instruction::Wait | Instruction::Evict(_) | Instruction::Refuse(..) => {
                let Some(Reverse((Moment(end), task))) = running.pop() else { break };
                clock = end;
                scheduler.finished(task, 0, &());
            }
        }
    }
    let wanted: HashSet<Edge> = plan.graph().outputs().iter().copied().collect();
    let gathered = wanted.into_iter().fold(0, |bytes, edge| plan.bytes_of(edge).saturating_add(bytes));
    found.elapsed = world.ends.iter().copied().fold(world.engine, f64::max)
        + rates.round_trip / 2.0
        + gathered as f64 / rates.bandwidth;
    found.work = (0..units.units.len()).map(seconds).sum::<f64>() / machines.slots() as f64;
    found.chain = chains.into_iter().fold(0.0, f64::max);
    found.link = world.links.iter().map(|link| link.sending.max(link.receiving)).fold(0.0, f64::max);
    found.sent = world.sent;
    Ok(found)
}

/// What a unit reads of another one.
#[derive(Clone, Copy)]
struct Read {
    unit: u32,
    bytes: u64,
}

/// The units that a unit reads, each once.
fn reads(plan: &Plan, unit: &Unit) -> Vec<Read> {
    let reads = unit.inputs.iter().filter_map(|input| match input.source {
        Source::Unit { unit, .. } => Some(Read { unit, bytes: plan.bytes_of(input.edge) }),
        Source::Held(_) | Source::Last(_) => None,
    });
    let mut reads: Vec<Read> = reads.collect();
    reads.sort_by_key(|read| read.unit);
    reads.dedup_by(|next, kept| {
        let same = next.unit == kept.unit;
        kept.bytes = kept.bytes.saturating_add(if same { next.bytes } else { 0 });
        same
    });
    reads
}

/// Units as tasks, in their order.
fn plan_of(reads: &[Vec<Read>]) -> Result<Plan> {
    let mut graph = GraphBuilder::new();
    let kernel = Arc::new(closure_kernel("unit", |_, _| Ok(Value::Unit)));
    let layer = graph.layer(Layer::new(Key::of("unit", &[]), kernel));
    for (number, reads) in (0..).zip(reads) {
        let edges: Vec<Edge> = reads.iter().map(|read| Edge::whole(TaskId(read.unit))).collect();
        let unit = graph.task(layer, number, 0, &edges)?;
        graph.output(unit.into());
    }
    let skip = PASSES.iter().map(|pass| pass.name).filter(|&name| name != "check").chain(["order"]);
    Plan::new(graph.build(), &PlanOptions { skip_passes: skip.map(String::from).collect(), ..PlanOptions::default() })
}

/// Machines at work.
struct World {
    machines: Machines,
    rates: Rates,
    /// When the engine is free.
    engine: f64,
    /// When each slot is free, and the slots by that; what has changed since stands there, too.
    slots: Vec<f64>,
    free: BinaryHeap<Reverse<(Moment, usize)>>,
    links: Vec<Link>,
    /// When each unit is done.
    ends: Vec<f64>,
    /// Workers that have a unit's results, the one that made them first, and no more than a few.
    copies: Vec<Vec<u32>>,
    /// All of them, and since when.
    present: HashMap<(u32, u32), f64>,
    sent: u64,
}

/// A worker's link: when it is free in each direction, and for how long it was not.
#[derive(Clone, Copy, Default)]
struct Link {
    sends: f64,
    receives: f64,
    sending: f64,
    receiving: f64,
}

/// Results are fetched from one of so many workers.
const COPIES: usize = 8;
/// The makers of so many inputs are asked whether the unit would start there first.
const CANDIDATES: usize = 8;

impl World {
    fn new(machines: Machines, rates: Rates, units: usize) -> World {
        let slots = vec![0.0; machines.slots()];
        let free = (0..slots.len()).map(|slot| Reverse((Moment(0.0), slot))).collect();
        let links = vec![Link::default(); machines.workers.max(1)];
        let (ends, copies) = (vec![0.0; units], vec![Vec::new(); units]);
        World { machines, rates, engine: 0.0, slots, free, links, ends, copies, present: HashMap::new(), sent: 0 }
    }

    /// Runs a unit that the engine hands out now, and tells when it is done.
    fn run(&mut self, unit: u32, reads: &[Read], seconds: f64) -> f64 {
        let slot = self.choose(reads);
        let worker = slot / self.machines.threads.max(1);
        let mut arrived = self.engine;
        for &read in reads {
            arrived = arrived.max(self.fetch(read, worker as u32));
        }
        let end = self.slots.get(slot).copied().unwrap_or(0.0).max(arrived) + seconds;
        self.slots.get_mut(slot).into_iter().for_each(|free| *free = end);
        self.free.push(Reverse((Moment(end), slot)));
        self.ends.get_mut(unit as usize).into_iter().for_each(|place| *place = end);
        self.copies.get_mut(unit as usize).into_iter().for_each(|copies| copies.push(worker as u32));
        self.present.insert((unit, worker as u32), end);
        end
    }

    /// The slot where a unit can start first: the one that is free first, or one where some of its inputs are.
    fn choose(&mut self, reads: &[Read]) -> usize {
        let first = loop {
            let Some(&Reverse((Moment(when), slot))) = self.free.peek() else { break 0 };
            if self.slots.get(slot).is_some_and(|&free| free <= when) {
                break slot;
            }
            self.free.pop();
        };
        let mut largest: Vec<Read> = reads.to_vec();
        if largest.len() > CANDIDATES {
            largest.select_nth_unstable_by_key(CANDIDATES, |read| (Reverse(read.bytes), read.unit));
            largest.truncate(CANDIDATES);
        }
        let makers = largest.iter().filter_map(|read| self.copies.get(read.unit as usize)?.first().copied());
        let threads = self.machines.threads.max(1);
        let on = |worker: u32| {
            let slots = worker as usize * threads..(worker as usize + 1) * threads;
            slots.min_by(|&a, &b| self.slots[a].total_cmp(&self.slots[b])).unwrap_or(first)
        };
        // When the unit could start there, and how much has to be sent.
        let start = |slot: usize| {
            let worker = (slot / threads) as u32;
            let lacking = reads.iter().filter(|read| !self.present.contains_key(&(read.unit, worker)));
            let bytes = lacking.fold(0_u64, |bytes, read| bytes.saturating_add(read.bytes));
            let link = self.links.get(worker as usize).map_or(0.0, |link| link.receives);
            let sent = if bytes == 0 { 0.0 } else { link.max(self.engine) + bytes as f64 / self.rates.bandwidth };
            (Moment(self.slots[slot].max(self.engine).max(sent)), bytes)
        };
        let mut candidates: Vec<usize> = std::iter::once(first).chain(makers.map(on)).collect();
        candidates.dedup();
        candidates.into_iter().min_by_key(|&slot| start(slot)).unwrap_or(first)
    }

    /// When what is read of a unit is at a worker.
    fn fetch(&mut self, Read { unit, bytes }: Read, worker: u32) -> f64 {
        if let Some(&since) = self.present.get(&(unit, worker)) {
            return since;
        }
        let made = self.ends.get(unit as usize).copied().unwrap_or(0.0);
        let Some(copies) = self.copies.get_mut(unit as usize) else { return made };
        let sends = |&from: &u32| Moment(self.links.get(from as usize).map_or(0.0, |link| link.sends));
        let from = copies.iter().copied().min_by_key(sends);
        if copies.len() < COPIES && !self.rates.parts {
            copies.push(worker);
        }
        let Some(from) = from else { return made };
        let takes = bytes as f64 / self.rates.bandwidth;
        let since = self.present.get(&(unit, from)).copied().unwrap_or(made).max(self.engine);
        // Each end is busy for so long. They need not be at the same time: links are shared by many results that are on their way.
        let mut end = since;
        if let Some(link) = self.links.get_mut(from as usize) {
            link.sends = link.sends.max(since) + takes;
            link.sending += takes;
            end = end.max(link.sends);
        }
        if let Some(link) = self.links.get_mut(worker as usize) {
            link.receives = link.receives.max(since) + takes;
            link.receiving += takes;
            end = end.max(link.receives);
        }
        self.sent = self.sent.saturating_add(bytes);
        if !self.rates.parts {
            self.present.insert((unit, worker), end + self.rates.latency);
        }
        end + self.rates.latency
    }
}

/// A time, in an order.
#[derive(Clone, Copy, PartialEq)]
struct Moment(f64);

impl Eq for Moment {}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
