//! Which tasks go together.

use smallvec::SmallVec;
use talatat_graph::{Plan, TaskId};

use super::CutOptions;

/// Stands for the tasks that are in no unit: those whose values are there anyway, and those that the driver runs itself.
pub(super) const NONE: u32 = u32::MAX;

/// The unit of each task. Units are numbered in an order in which they can run.
pub(super) struct Cut {
    pub(super) unit_of: Vec<u32>,
    pub(super) costs: Vec<f64>,
}

/// Cuts a plan: the tasks that run `elsewhere`. The others read nothing, or nobody reads them.
///
/// Tasks are taken in the plan's order, so that neighbours are in memory together. Each unit has a level, and an edge between
/// two units always goes from a lower level to a higher one: that is why units cannot wait for each other. A task joins
/// the units of its inputs on the highest of their levels, if all of them together with it are not too long; units of one
/// level may become one, as no edge goes between them. Otherwise it goes one level up.
pub(super) fn cut(plan: &Plan, elsewhere: &[bool], predicted: &[f64], options: &CutOptions) -> Cut {
    let graph = plan.graph();
    let total: f64 = predicted.iter().zip(elsewhere).filter(|&(_, &elsewhere)| elsewhere).map(|(cost, _)| cost).sum();
    let target = options.target(total);
    let mut growing = Growing { unit_of: vec![NONE; graph.len()], ..Growing::default() };
    let mut sources = None;
    let mut seen: Vec<u32> = Vec::new();
    for task in graph.tasks().filter(|task| elsewhere[task.index()]) {
        let cost = predicted.get(task.index()).copied().unwrap_or(0.0);
        let mut top: SmallVec<[u32; 8]> = SmallVec::new();
        let mut level = 0;
        let mut reads = 0_u64;
        seen.resize(growing.units.len(), 0);
        for edge in graph.inputs(task).iter().filter(|edge| elsewhere[edge.task.index()]) {
            reads = reads.saturating_add(graph.bytes(edge.task));
            let unit = growing.find(growing.unit_of[edge.task.index()]);
            if growing.units[unit as usize].level > level {
                level = growing.units[unit as usize].level;
                top.clear();
            }
            // Task numbers are below 2^32 - 1, so that 0 is free for "never".
            let stamp = std::mem::replace(&mut seen[unit as usize], task.0 + 1);
            if stamp != task.0 + 1 && growing.units[unit as usize].level == level {
                top.push(unit);
            }
        }
        // Whoever makes less than it reads should run where the bytes are: it spares sending them.
        let room = if graph.bytes(task) < reads { 2.0 * target } else { target };
        let together: f64 = top.iter().map(|&unit| growing.units[unit as usize].cost).sum();
        let fits = |growing: &Growing, unit: u32| growing.units[unit as usize].cost + cost <= target;
        let unit = match top.split_first() {
            None => {
                let open = sources.map(|unit| growing.find(unit)).filter(|&unit| fits(&growing, unit));
                *sources.insert(open.unwrap_or_else(|| growing.add(0)))
            }
            Some((&first, rest)) if together + cost <= room => {
                rest.iter().for_each(|&other| growing.join(first, other));
                first
            }
            Some(_) => {
                let next = top.iter().filter_map(|&unit| growing.units[unit as usize].next).next_back();
                let next = next.map(|unit| growing.find(unit)).filter(|&unit| fits(&growing, unit));
                let next = next.unwrap_or_else(|| growing.add(level + 1));
                top.iter().for_each(|&unit| growing.units[unit as usize].next = Some(next));
                next
            }
        };
        growing.put(task, unit, cost);
    }
    growing.finish()
}

/// Units while they grow.
#[derive(Default)]
struct Growing {
    unit_of: Vec<u32>,
    units: Vec<Seed>,
}

struct Seed {
    /// Itself, or the unit that it has become part of.
    parent: u32,
    level: u32,
    cost: f64,
    /// The unit on the next level that last read it.
    next: Option<u32>,
    first: TaskId,
}

impl Growing {
    fn add(&mut self, level: u32) -> u32 {
        let number = self.units.len() as u32;
        self.units.push(Seed { parent: number, level, cost: 0.0, next: None, first: TaskId(u32::MAX) });
        number
    }

    fn find(&mut self, mut unit: u32) -> u32 {
        while self.units[unit as usize].parent != unit {
            let parent = self.units[unit as usize].parent;
            let above = self.units[parent as usize].parent;
            self.units[unit as usize].parent = above;
            unit = above;
        }
        unit
    }

    fn join(&mut self, into: u32, other: u32) {
        let Seed { cost, first, next, .. } = self.units[other as usize];
        self.units[other as usize].parent = into;
        let into = &mut self.units[into as usize];
        into.cost += cost;
        into.first = into.first.min(first);
        into.next = into.next.or(next);
    }

    fn put(&mut self, task: TaskId, unit: u32, cost: f64) {
        self.unit_of[task.index()] = unit;
        let unit = &mut self.units[unit as usize];
        unit.cost += cost;
        unit.first = unit.first.min(task);
    }

    /// Numbers the units: levels from below, within a level by the first task.
    fn finish(mut self) -> Cut {
        let mut roots: Vec<u32> = (0..self.units.len() as u32).filter(|&unit| self.find(unit) == unit).collect();
        roots.sort_by_key(|&unit| (self.units[unit as usize].level, self.units[unit as usize].first));
        let mut number = vec![NONE; self.units.len()];
        (0..).zip(&roots).for_each(|(at, &root)| number[root as usize] = at);
        for at in 0..self.unit_of.len() {
            if self.unit_of[at] != NONE {
                self.unit_of[at] = number[self.find(self.unit_of[at]) as usize];
            }
        }
        let costs = roots.iter().map(|&unit| self.units[unit as usize].cost).collect();
        Cut { unit_of: self.unit_of, costs }
    }
}
