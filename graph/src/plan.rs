//! A graph that is ready to run.

use std::fmt;

use hashbrown::HashMap;

use crate::bytes::format_bytes as bytes;
use crate::error::{Error, Result};
use crate::graph::{Successors, TaskGraph};
use crate::memory::projection::{Peak, project};
use crate::optimize::{PassReport, optimize};
use crate::order::order;

/// How to plan.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// The most bytes that may be live at once; a plan whose projected peak is higher is refused.
    pub memory_limit: Option<u64>,
    /// Names of passes to leave out: those of [`PASSES`](crate::PASSES) and `order`.
    pub skip_passes: Vec<String>,
}

/// An optimized graph whose task numbers are its order of execution, with its projected peak.
pub struct Plan {
    graph: TaskGraph,
    successors: Successors,
    peak: Peak,
    passes: Vec<PassReport>,
    memory_limit: Option<u64>,
}

impl Plan {
    /// Optimizes and orders a graph.
    ///
    /// # Errors
    /// [`Error::Memory`] if the plan cannot run under the limit even one task at a time; [`Error::InvalidGraph`].
    pub fn new(graph: TaskGraph, options: &PlanOptions) -> Result<Plan> {
        let (mut graph, mut passes) = optimize(graph, &options.skip_passes)?;
        let mut successors = graph.successors();
        // Where no result has bytes there is nothing to order by: the graph's own order is as good as any.
        let ordered = !graph.bytes.is_empty() && !options.skip_passes.iter().any(|name| name == "order");
        if ordered {
            let order = order(&graph, &successors);
            if order.iter().enumerate().any(|(at, task)| task.index() != at) {
                drop(successors);
                graph = graph.select(&order, |edge| edge);
                successors = graph.successors();
            }
            passes.push(PassReport { name: "order", before: graph.len(), after: graph.len() });
        }
        let peak = project(&graph, graph.tasks());
        if let Some(limit) = options.memory_limit
            && peak.bytes > limit
        {
            let operation = graph.layer(peak.task).kernel.describe();
            return Err(Error::Memory { operation, needed: peak.bytes, limit });
        }
        Ok(Plan { graph, successors, peak, passes, memory_limit: options.memory_limit })
    }

    /// The graph; tasks are numbered in the order in which one thread would run them.
    pub fn graph(&self) -> &TaskGraph {
        &self.graph
    }

    /// The readers of each task.
    pub fn successors(&self) -> &Successors {
        &self.successors
    }

    /// The projected peak of one thread's run.
    pub fn peak(&self) -> Peak {
        self.peak
    }

    /// What each pass did.
    pub fn passes(&self) -> &[PassReport] {
        &self.passes
    }

    /// The limit that the plan was made for.
    pub fn memory_limit(&self) -> Option<u64> {
        self.memory_limit
    }

    /// Tasks and bytes of each operation, in order of first use.
    pub fn operations(&self) -> Vec<OperationSummary> {
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut of_layer: Vec<Option<usize>> = vec![None; self.graph.layers().len()];
        let mut summaries: Vec<OperationSummary> = Vec::new();
        for task in self.graph.tasks() {
            let layer = self.graph.layer_id(task).0 as usize;
            let at = *of_layer[layer].get_or_insert_with(|| {
                let name = self.graph.layers()[layer].kernel.describe();
                *index.entry(name.clone()).or_insert_with(|| {
                    summaries.push(OperationSummary { operation: name, ..OperationSummary::default() });
                    summaries.len() - 1
                })
            });
            let summary = &mut summaries[at];
            summary.tasks += 1;
            summary.bytes_made += self.graph.bytes(task);
            summary.bytes_read += self.graph.inputs(task).iter().map(|edge| self.graph.bytes(edge.task)).sum::<u64>();
            summary.largest = summary.largest.max(self.graph.need(task));
        }
        summaries
    }
}

/// One line of a plan's table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationSummary {
    /// The operation.
    pub operation: String,
    /// How many tasks run it.
    pub tasks: usize,
    /// Bytes of all results that its tasks read (a part counts as the whole).
    pub bytes_read: u64,
    /// Bytes of all its results.
    pub bytes_made: u64,
    /// The most bytes that one of its tasks needs beside its inputs.
    pub largest: u64,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for pass in &self.passes {
            writeln!(f, "{:8} {} -> {} tasks", pass.name, pass.before, pass.after)?;
        }
        let rows = self.operations();
        let width = rows.iter().map(|row| row.operation.chars().count()).max().unwrap_or(0).clamp(9, 72);
        writeln!(f, "{:width$} {:>9} {:>11} {:>11} {:>11}", "operation", "tasks", "reads", "makes", "largest")?;
        for row in rows {
            let name: String = row.operation.chars().take(width).collect();
            writeln!(
                f,
                "{:width$} {:>9} {:>11} {:>11} {:>11}",
                name,
                row.tasks,
                bytes(row.bytes_read),
                bytes(row.bytes_made),
                bytes(row.largest)
            )?;
        }
        write!(f, "projected peak {}", bytes(self.peak.bytes))?;
        if !self.graph.is_empty() {
            write!(f, " in {}", self.graph.layer(self.peak.task).kernel.describe())?;
        }
        match self.memory_limit {
            Some(limit) => writeln!(f, ", limit {}", bytes(limit)),
            None => writeln!(f, ", no limit"),
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan({} tasks, projected peak {})", self.graph.len(), bytes(self.peak.bytes))
    }
}
