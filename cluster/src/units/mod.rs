//! Cuts a plan into units: tasks that run together, on one machine, as one task of the engine.
//!
//! ```text
//! Plan -> Costs::predict (seconds a task) -> cut (a unit for each task, levels) -> Units (what goes in and out of each)
//! ```
//!
//! An engine needs a millisecond or so for each task, whatever it does; a kernel needs microseconds. So an engine is given units of about
//! 50 milliseconds, and fewer tasks than that only where all workers could not be busy otherwise.

mod cost;
mod cut;
mod outlook;

use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use talatat_graph::{Edge, Plan, TaskGraph, TaskId};

pub use cost::{Costs, Rate};
pub use outlook::Outlook;

/// How large units should be.
#[derive(Clone, Copy, Debug)]
pub struct CutOptions {
    /// How many units can run at once.
    pub slots: usize,
    /// How many units each slot should get, so that what takes longer than predicted can be made up for.
    pub per_slot: usize,
    /// Below this a unit is not worth its engine's task.
    pub shortest: Duration,
    /// Above this a unit gains nothing.
    pub longest: Duration,
}

impl Default for CutOptions {
    fn default() -> Self {
        let (shortest, longest) = (Duration::from_millis(5), Duration::from_millis(100));
        CutOptions { slots: 1, per_slot: 8, shortest, longest }
    }
}

impl CutOptions {
    /// Units for so many slots.
    pub fn slots(slots: usize) -> CutOptions {
        CutOptions { slots: slots.max(1), ..CutOptions::default() }
    }

    /// Seconds that a unit should take if all of them take `total`.
    fn target(&self, total: f64) -> f64 {
        let wanted = total / (self.slots.max(1) * self.per_slot.max(1)) as f64;
        wanted.min(self.longest.as_secs_f64()).max(self.shortest.as_secs_f64())
    }
}

/// A plan in units. A unit reads only units with smaller numbers.
#[derive(Clone, Debug)]
pub struct Units {
    /// What the driver runs itself before the units ([`Kernel::once`](talatat_graph::Kernel::once)).
    pub first: Vec<TaskId>,
    /// The units.
    pub units: Vec<Unit>,
    /// What the driver runs itself when the units are done, for the same reason.
    pub last: Vec<Last>,
    /// The plan's outputs, in their order.
    pub outputs: Vec<Input>,
}

/// A task that the driver runs itself, after the units.
#[derive(Clone, Debug)]
pub struct Last {
    /// The task.
    pub task: TaskId,
    /// What it reads.
    pub inputs: Vec<Input>,
}

/// Tasks that run together.
#[derive(Clone, Debug, Default)]
pub struct Unit {
    /// The tasks, in the plan's order.
    pub tasks: Vec<TaskId>,
    /// What they read of other units, each once.
    pub inputs: Vec<Input>,
    /// What others read of them: results, or parts of them where nobody wants the whole.
    pub outputs: Vec<Edge>,
    /// How many seconds they are expected to take one thread.
    pub cost: f64,
}

/// A value that comes from elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Input {
    /// What is read, as the plan names it.
    pub edge: Edge,
    /// Where it is.
    pub source: Source,
    /// The part of what is there.
    pub part: Option<u32>,
}

/// Where a value is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// One of the outputs of a unit.
    Unit {
        /// The unit.
        unit: u32,
        /// Which output.
        output: u32,
    },
    /// It is there before the units run: the kernel of this task only hands it out ([`Kernel::held`](talatat_graph::Kernel::held)), or it is
    /// one of the [`first`](Units::first) and gives nothing.
    Held(TaskId),
    /// The driver makes it when the units are done: its position among the [`last`](Units::last).
    Last(usize),
}

impl Units {
    /// Cuts a plan into units. O(tasks + edges).
    ///
    /// ```
    /// use talatat_cluster::units::{Costs, CutOptions, Units};
    /// use talatat_graph::{Plan, PlanOptions, testing::tree_graph};
    /// let plan = Plan::new(tree_graph(100_000, 8), &PlanOptions::default())?;
    /// let units = Units::cut(&plan, &Costs::default(), &CutOptions::slots(4));
    /// assert!((4..64).contains(&units.units.len()));
    /// # Ok::<(), talatat_graph::Error>(())
    /// ```
    pub fn cut(plan: &Plan, costs: &Costs, options: &CutOptions) -> Units {
        Units::cut_by(plan, &costs.predict(plan), options)
    }

    /// The same by the seconds that each task is expected to take. O(tasks + edges).
    pub fn cut_by(plan: &Plan, predicted: &[f64], options: &CutOptions) -> Units {
        let graph = plan.graph();
        let places: Vec<Place> = graph.tasks().map(|task| Place::of(graph, task)).collect();
        let elsewhere: Vec<bool> = places.iter().map(|&place| place == Place::Unit).collect();
        let cut = cut::cut(plan, &elsewhere, predicted, options);
        let mut units: Vec<Unit> = cut.costs.iter().map(|&cost| Unit { cost, ..Unit::default() }).collect();
        for (task, &unit) in graph.tasks().zip(&cut.unit_of) {
            if let Some(unit) = units.get_mut(unit as usize) {
                unit.tasks.push(task);
            }
        }
        let exported = exports(plan, &cut, &mut units);
        let first =
            graph.tasks().filter(|&task| places[task.index()] == Place::Before && graph.layer(task).kernel.once());
        let first: Vec<TaskId> = first.collect();
        let driver: Vec<TaskId> = graph.tasks().filter(|task| places[task.index()] == Place::Last).collect();
        let input = |edge: Edge| {
            let unit = cut.unit_of[edge.task.index()];
            let here = |source| Input { edge, source, part: edge.part() };
            if places[edge.task.index()] == Place::Last {
                return here(Source::Last(driver.binary_search(&edge.task).unwrap_or_default()));
            }
            if unit == cut::NONE {
                return here(Source::Held(edge.task));
            }
            let whole = exported.get(&Edge::whole(edge.task));
            let (output, part) = match whole {
                Some(&output) => (output, edge.part()),
                None => (exported.get(&edge).copied().unwrap_or_default(), None),
            };
            Input { edge, source: Source::Unit { unit, output }, part }
        };
        for (number, unit) in (0..).zip(&mut units) {
            let mut seen = HashSet::new();
            let edges = unit.tasks.iter().flat_map(|&task| graph.inputs(task));
            let foreign = edges.filter(|edge| cut.unit_of[edge.task.index()] != number && seen.insert(**edge));
            unit.inputs = foreign.map(|&edge| input(edge)).collect();
        }
        let reads = |&task: &TaskId| graph.inputs(task).iter().map(|&edge| input(edge)).collect();
        let last = driver.iter().map(|task| Last { task: *task, inputs: reads(task) }).collect();
        let outputs = graph.outputs().iter().map(|&edge| input(edge)).collect();
        Units { first, units, last, outputs }
    }
}

impl Units {
    /// What each unit is expected to take one thread, in seconds, as it was cut.
    pub fn seconds(&self) -> Vec<f64> {
        self.units.iter().map(|unit| unit.cost).collect()
    }
}

/// Where a task runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a unit.
    Unit,
    /// Nowhere: its value is there, or the driver makes it before the units run.
    Before,
    /// In the driver's process, after the units.
    Last,
}

impl Place {
    fn of(graph: &TaskGraph, task: TaskId) -> Place {
        let kernel = &graph.layer(task).kernel;
        match (graph.inputs(task).is_empty(), kernel.once()) {
            (true, true) => Place::Before,
            (true, false) if kernel.held(graph.block(task)).is_some() => Place::Before,
            (false, true) => Place::Last,
            _ => Place::Unit,
        }
    }
}

/// Finds what each unit gives to others, and where among its outputs it is.
fn exports(plan: &Plan, cut: &cut::Cut, units: &mut [Unit]) -> HashMap<Edge, u32> {
    let graph = plan.graph();
    let mut crossing: Vec<Edge> = graph.outputs().to_vec();
    for task in graph.tasks() {
        let unit = cut.unit_of[task.index()];
        crossing.extend(graph.inputs(task).iter().filter(|edge| cut.unit_of[edge.task.index()] != unit));
    }
    // The whole sorts behind all parts: from the back it comes first.
    crossing.sort_unstable();
    crossing.dedup();
    let mut places: HashMap<Edge, u32> = HashMap::with_capacity(crossing.len());
    for edge in crossing.into_iter().rev() {
        let Some(unit) = units.get_mut(cut.unit_of[edge.task.index()] as usize) else { continue };
        if edge.part().is_none() || !places.contains_key(&Edge::whole(edge.task)) {
            places.insert(edge, unit.outputs.len() as u32);
            unit.outputs.push(edge);
        }
    }
    places
}
