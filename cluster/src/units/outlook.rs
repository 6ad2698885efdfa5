//! What a run in units is going to be like, before it runs.

use std::fmt;
use std::time::Duration;

use hashbrown::HashSet;
use talatat_graph::{Edge, Plan, Result, format_bytes};

use super::Units;
use crate::simulator::{Machines, Rates, simulate};

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
    /// How long it will take, as the [simulator](crate::simulator) says.
    pub elapsed: Duration,
}

impl Units {
    /// What a run on machines is going to be like; `seconds` is what each unit takes one thread. O(units + edges between them).
    ///
    /// ```
    /// use talatat_cluster::simulator::Machines;
    /// use talatat_cluster::units::{Costs, CutOptions, Units};
    /// use talatat_graph::{Plan, PlanOptions, testing::tree_graph};
    /// let plan = Plan::new(tree_graph(100_000, 8), &PlanOptions::default())?;
    /// let units = Units::cut(&plan, &Costs::default(), &CutOptions::slots(4));
    /// println!("{}", units.outlook(&plan, &units.seconds(), Machines::new(4))?);
    /// # Ok::<(), talatat_graph::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`simulate`].
    pub fn outlook(&self, plan: &Plan, seconds: &[f64], machines: Machines) -> Result<Outlook> {
        let mut between = 0_u64;
        for unit in &self.units {
            // A result in parts is sent as a whole.
            let sent = unit.inputs.iter().map(|input| input.part.map_or(input.edge, |_| Edge::whole(input.edge.task)));
            let sent: HashSet<Edge> = sent.collect();
            between = sent.into_iter().fold(between, |bytes, edge| bytes.saturating_add(plan.bytes_of(edge)));
        }
        let outputs: HashSet<_> = plan.graph().outputs().iter().copied().collect();
        Ok(Outlook {
            units: self.units.len(),
            tasks: self.units.iter().map(|unit| unit.tasks.len()).sum(),
            slots: machines.slots(),
            between,
            gathered: outputs.into_iter().fold(0, |bytes, edge| plan.bytes_of(edge).saturating_add(bytes)),
            elapsed: simulate(plan, self, seconds, machines, &Rates::MEASURED)?.duration(),
        })
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
