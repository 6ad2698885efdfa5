//! How long tasks are expected to take.

use std::collections::HashMap;
use std::time::Duration;

use talatat_graph::{Edge, Plan, TaskId};

/// What one operation takes: so much a task, so much a byte read or made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// For each task.
    pub task: Duration,
    /// Bytes read and made in a second.
    pub bytes_per_second: f64,
}

impl Rate {
    /// What is assumed of an operation that nobody has measured: two microseconds a task, 1 GB a second.
    pub const UNMEASURED: Rate = Rate { task: Duration::from_micros(2), bytes_per_second: 1e9 };

    fn of(self, bytes: u64) -> f64 {
        self.task.as_secs_f64() + bytes as f64 / self.bytes_per_second.max(1.0)
    }
}

/// A table of measured rates, by the name of the operation. What is not in it is predicted from bytes.
///
/// ```
/// use std::time::Duration;
/// use talatat_cluster::units::{Costs, Rate};
/// let rate = Rate { task: Duration::from_micros(10), bytes_per_second: 5e9 };
/// let costs = Costs::default().measured("array.reduce", rate);
/// assert_eq!(costs.rate("array.reduce"), rate);
/// assert_eq!(costs.rate("array.sort"), Rate::UNMEASURED);
/// ```
#[derive(Clone, Debug)]
pub struct Costs {
    rates: HashMap<String, Rate>,
    unmeasured: Rate,
}

impl Default for Costs {
    fn default() -> Costs {
        Costs { rates: HashMap::new(), unmeasured: Rate::UNMEASURED }
    }
}

impl Costs {
    /// Says what is assumed of operations that are not in the table.
    pub fn otherwise(mut self, rate: Rate) -> Costs {
        self.unmeasured = rate;
        self
    }

    /// Adds a measured operation.
    pub fn measured(mut self, operation: impl Into<String>, rate: Rate) -> Costs {
        self.rates.insert(operation.into(), rate);
        self
    }

    /// The rate of an operation.
    pub fn rate(&self, operation: &str) -> Rate {
        self.rates.get(operation).copied().unwrap_or(self.unmeasured)
    }

    /// The seconds that each task of a plan is expected to take. O(tasks + edges).
    pub fn predict(&self, plan: &Plan) -> Vec<f64> {
        let graph = plan.graph();
        let rates: Vec<Rate> = graph.layers().iter().map(|layer| self.of_kernel(&*layer.kernel)).collect();
        // Of a result in parts a reader reads its share.
        let mut parts = vec![1_u64; graph.len()];
        for edge in graph.tasks().flat_map(|task| graph.inputs(task)) {
            let count = edge.part().map_or(1, |part| u64::from(part) + 1);
            parts[edge.task.index()] = parts[edge.task.index()].max(count);
        }
        let share = |edge: &Edge| match edge.part() {
            None => graph.bytes(edge.task),
            Some(_) => graph.bytes(edge.task) / parts[edge.task.index()],
        };
        let cost = |task: TaskId| {
            let read = graph.inputs(task).iter().map(share).fold(0, u64::saturating_add);
            rates[graph.layer_id(task).0 as usize].of(read.saturating_add(graph.bytes(task)))
        };
        graph.tasks().map(cost).collect()
    }

    /// The steps of a fused kernel one after the other: its bytes go through each of them.
    fn of_kernel(&self, kernel: &dyn talatat_graph::Kernel) -> Rate {
        let Some(fused) = kernel.fused() else { return self.rate(kernel.name()) };
        let rates = fused.layers().iter().map(|layer| self.rate(layer.kernel.name()));
        let (task, per_byte) = rates.fold((Duration::ZERO, 0.0), |(task, per_byte), rate| {
            (task + rate.task, per_byte + rate.bytes_per_second.max(1.0).recip())
        });
        Rate { task, bytes_per_second: per_byte.recip() }
    }
}
