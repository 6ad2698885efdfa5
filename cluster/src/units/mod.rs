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

use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use talatat_graph::{Edge, Plan, TaskId};

pub use cost::{Costs, Rate};

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
    /// The units.
    pub units: Vec<Unit>,
    /// The plan's outputs, in their order.
    pub outputs: Vec<Input>,
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
    /// It is there before the run: the kernel of this task only hands it out ([`Kernel::held`](talatat_graph::Kernel::held)).
    Held(TaskId),
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
        let graph = plan.graph();
        let held: Vec<bool> = graph
            .tasks()
            .map(|task| graph.inputs(task).is_empty() && graph.layer(task).kernel.held(graph.block(task)).is_some())
            .collect();
        let cut = cut::cut(plan, &held, costs, options);
        let mut units: Vec<Unit> = cut.costs.iter().map(|&cost| Unit { cost, ..Unit::default() }).collect();
        for (task, &unit) in graph.tasks().zip(&cut.unit_of) {
            if let Some(unit) = units.get_mut(unit as usize) {
                unit.tasks.push(task);
            }
        }
        let places = exports(plan, &cut, &mut units);
        let input = |edge: Edge| {
            let unit = cut.unit_of[edge.task.index()];
            if unit == cut::HELD {
                return Input { edge, source: Source::Held(edge.task), part: edge.part() };
            }
            let whole = places.get(&Edge::whole(edge.task));
            let (output, part) = match whole {
                Some(&output) => (output, edge.part()),
                None => (places.get(&edge).copied().unwrap_or_default(), None),
            };
            Input { edge, source: Source::Unit { unit, output }, part }
        };
        for (number, unit) in (0..).zip(&mut units) {
            let mut seen = HashSet::new();
            let edges = unit.tasks.iter().flat_map(|&task| graph.inputs(task));
            let foreign = edges.filter(|edge| cut.unit_of[edge.task.index()] != number && seen.insert(**edge));
            unit.inputs = foreign.map(|&edge| input(edge)).collect();
        }
        let outputs = graph.outputs().iter().map(|&edge| input(edge)).collect();
        Units { units, outputs }
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
