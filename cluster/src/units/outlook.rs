//! What a run in units is going to be like, before it runs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::time::Duration;

use hashbrown::HashSet;
use talatat_graph::{Edge, Plan, format_bytes};

use super::{Source, Units};

/// What the engine takes for each of its tasks, whatever it does: measured with `distributed` on two cores.
const ENGINE: f64 = 1.6e-3;

/// What a run in units is going to be like, as far as costs are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Units.
    pub units: usize,
    /// Tasks in them.
    pub tasks: usize,
    /// How many units can run at once.
    pub slots: usize,
    /// Bytes that units read of other units and of what is kept: what is sent at most between workers. (A unit runs where most of what it
    /// reads is.)
    pub between: u64,
    /// Bytes that the driver gets in the end.
    pub gathered: u64,
    /// How long it will take if nothing has to be waited for but other units and the engine.
    pub elapsed: Duration,
}

impl Units {
    /// Plays the units through: the first that is ready starts on the first slot that is free. O(units + edges between them).
    ///
    /// ```
    /// use talatat_cluster::units::{Costs, CutOptions, Units};
    /// use talatat_graph::{Plan, PlanOptions, testing::tree_graph};
    /// let plan = Plan::new(tree_graph(100_000, 8), &PlanOptions::default())?;
    /// let units = Units::cut(&plan, &Costs::default(), &CutOptions::slots(4));
    /// println!("{}", units.outlook(&plan, 4));
    /// # Ok::<(), talatat_graph::Error>(())
    /// ```
    pub fn outlook(&self, plan: &Plan, slots: usize) -> Outlook {
        let graph = plan.graph();
        let mut between = 0_u64;
        // Units come after those that they read: one pass in their order is a schedule.
        let mut ends = vec![0.0_f64; self.units.len()];
        let mut free: BinaryHeap<Reverse<Moment>> = (0..slots.max(1)).map(|_| Reverse(Moment(0.0))).collect();
        // The engine hands units out one after the other.
        let mut handed = 0.0;
        for (number, unit) in self.units.iter().enumerate() {
            let mut read = HashSet::new();
            let mut ready = 0.0_f64;
            for input in &unit.inputs {
                if let Source::Unit { unit: other, .. } = input.source {
                    ready = ready.max(ends.get(other as usize).copied().unwrap_or(0.0));
                }
                // A result in parts is sent as a whole.
                let sent = input.part.map_or(input.edge, |_| Edge::whole(input.edge.task));
                if read.insert(sent) {
                    between = between.saturating_add(plan.bytes_of(sent));
                }
            }
            handed += ENGINE;
            let Reverse(Moment(slot)) = free.pop().unwrap_or(Reverse(Moment(0.0)));
            let end = ready.max(slot).max(handed) + unit.cost;
            free.push(Reverse(Moment(end)));
            if let Some(place) = ends.get_mut(number) {
                *place = end;
            }
        }
        let outputs: HashSet<_> = graph.outputs().iter().copied().collect();
        Outlook {
            units: self.units.len(),
            tasks: self.units.iter().map(|unit| unit.tasks.len()).sum(),
            slots: slots.max(1),
            between,
            gathered: outputs.into_iter().fold(0, |bytes, edge| plan.bytes_of(edge).saturating_add(bytes)),
            elapsed: Duration::try_from_secs_f64(ends.into_iter().fold(0.0, f64::max)).unwrap_or(Duration::MAX),
        }
    }
}

/// A time, in an order.
#[derive(PartialEq)]
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

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outlook { units, tasks, slots, between, gathered, elapsed } = self;
        writeln!(f, "{units} units of {tasks} tasks on {slots} threads")?;
        writeln!(f, "at most {} between workers, {} to the driver", format_bytes(*between), format_bytes(*gathered))?;
        write!(f, "predicted {elapsed:.2?}")
    }
}
