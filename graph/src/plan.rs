//! A graph that is ready to run.

use std::fmt;

use hashbrown::{HashMap, HashSet};

use crate::bytes::format_bytes as bytes;
use crate::error::{Error, Result, Shortage};
use crate::graph::{Edge, Successors, TaskGraph};
use crate::memory::Peak;
use crate::memory::projection::{PartCounts, project_parts};
use crate::optimize::{PassReport, optimize_watched};
use crate::order::order;
use crate::task::TaskId;
use crate::value::Value;

/// How to plan.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// The most bytes that may be live at once. A plan whose projected peak is higher is refused, unless results may leave memory.
    pub memory_limit: Option<u64>,
    /// Whether results may go to the disk when memory is short: the executor is then given a
    /// [`SpillSpace`](crate::memory::SpillSpace).
    pub spill: bool,
    /// Where the results are wanted.
    pub outputs: Outputs,
    /// Whether tasks run in other processes: the limit is then for the results that come here, and for nothing else.
    pub elsewhere: bool,
    /// Names of passes to leave out: those of [`PASSES`](crate::PASSES) and `order`.
    pub skip_passes: Vec<String>,
}

/// Where results are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outputs {
    /// In memory, all of them at once.
    #[default]
    InMemory,
    /// In memory, on disk, or on the machines that made them.
    Anywhere,
}

/// An optimized graph whose task numbers are its order of execution, with its projected peak.
pub struct Plan {
    graph: TaskGraph,
    successors: Successors,
    peak: Peak,
    parts: PartCounts,
    passes: Vec<PassReport>,
    memory_limit: Option<u64>,
    /// What nothing may need more of, whoever else runs: the limit before it was shared.
    most: Option<u64>,
    may_spill: bool,
    outputs: Outputs,
    /// The most that one task needs with its inputs, if the plan does not fit without spilling.
    working_set: Option<Peak>,
    /// Whether the plan fits only if guesses are too high.
    unsure: bool,
}

impl Plan {
    /// Optimizes and orders a graph.
    ///
    /// # Errors
    /// [`Error::Memory`] if the plan cannot run under the limit even one task at a time; [`Error::InvalidGraph`].
    pub fn new(graph: TaskGraph, options: &PlanOptions) -> Result<Plan> {
        Plan::watched(graph, options, &mut |_, _| {})
    }

    /// [`new`](Plan::new), showing the graph as it stands after each pass.
    ///
    /// ```
    /// use talatat_graph::{Plan, PlanOptions, testing::tree_graph};
    /// let mut sizes = Vec::new();
    /// Plan::watched(tree_graph(4, 2), &PlanOptions::default(), &mut |pass, graph| sizes.push((pass, graph.len())))?;
    /// assert_eq!(sizes, [("cull", 7), ("dedupe", 7), ("fuse", 7), ("check", 7), ("order", 7)]);
    /// # Ok::<(), talatat_graph::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Plan::new).
    pub fn watched(
        graph: TaskGraph,
        options: &PlanOptions,
        watch: &mut dyn FnMut(&'static str, &TaskGraph),
    ) -> Result<Plan> {
        let (mut graph, mut passes) = optimize_watched(graph, &options.skip_passes, watch)?;
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
            watch("order", &graph);
        }
        let parts = PartCounts::new(&graph);
        let peak = if graph.has_bytes() { project_parts(&graph, &parts, graph.tasks()) } else { Peak::default() };
        let mut plan = Plan {
            memory_limit: options.memory_limit.filter(|_| !options.elsewhere),
            most: options.memory_limit.filter(|_| !options.elsewhere),
            may_spill: options.spill && options.memory_limit.is_some() && !options.elsewhere,
            outputs: options.outputs,
            working_set: None,
            unsure: false,
            graph,
            successors,
            peak,
            parts,
            passes,
        };
        plan.fit(options)?;
        Ok(plan)
    }

    /// Finds out whether the plan fits its limit, and if not, whether it does when results may leave memory.
    fn fit(&mut self, options: &PlanOptions) -> Result<()> {
        let Some(limit) = options.memory_limit.filter(|&limit| self.peak.bytes > limit) else { return Ok(()) };
        let refused = |at, needed, shortage| Err(self.refusal(at, needed, limit, shortage));
        if options.elsewhere {
            return match self.wanted_here(options).filter(|&(_, bytes)| bytes > limit) {
                Some((first, bytes)) => refused(first, bytes, Shortage::Results),
                None => Ok(()),
            };
        }
        if !options.spill {
            return refused(self.peak.task, self.peak.bytes, Shortage::Peak);
        }
        // Guesses are no reason to refuse: what they are worth shows when it runs.
        let guessed = |task: TaskId| self.graph.layer(task).estimated;
        let known = |task: TaskId| !guessed(task) && !self.graph.inputs(task).iter().any(|edge| guessed(edge.task));
        let surely = self.parts.largest_working_set(&self.graph, known);
        if surely.bytes > limit {
            return refused(surely.task, surely.bytes, Shortage::Task);
        }
        if let Some((first, bytes)) = self.wanted_here(options).filter(|&(_, bytes)| bytes > limit) {
            return refused(first, bytes, Shortage::Results);
        }
        let mut largest = self.parts.largest_working_set(&self.graph, |_| true);
        self.unsure = largest.bytes > limit;
        largest.bytes = largest.bytes.min(limit);
        self.working_set = Some(largest);
        Ok(())
    }

    /// The error of a task that turns out to need more than the limit.
    pub(crate) fn too_large(&self, task: TaskId, needed: u64) -> Error {
        self.refusal(task, needed, self.most.unwrap_or(u64::MAX), Shortage::Task)
    }

    /// The error of a plan or a run that does not fit the limit.
    fn refusal(&self, at: TaskId, needed: u64, limit: u64, shortage: Shortage) -> Error {
        Error::Memory { operation: self.graph.layer(at).kernel.describe(), needed, limit, shortage }
    }

    /// Whether results that are wanted in memory, and are on disk so far, have room there.
    ///
    /// # Errors
    /// [`Error::Memory`] if they have not: their bytes were guesses when the plan was made.
    pub fn admit_results(&self, values: &[Value]) -> Result<()> {
        let Some(limit) = self.most.filter(|_| values.iter().any(|value| value.on_disk() > 0)) else { return Ok(()) };
        let mut seen = HashSet::new();
        let distinct = self.graph.outputs().iter().zip(values).filter(|(edge, _)| seen.insert(**edge));
        let bytes = distinct.map(|(_, value)| value.on_disk().saturating_add(value.nbytes() as u64)).sum::<u64>();
        match self.graph.outputs().first() {
            Some(first) if bytes > limit => Err(self.refusal(first.task, bytes, limit, Shortage::Results)),
            _ => Ok(()),
        }
    }

    /// The bytes of results that must be in memory at once, and the first of them; `None` if they need not, or are guesses.
    fn wanted_here(&self, options: &PlanOptions) -> Option<(TaskId, u64)> {
        let guessed = |task: TaskId| self.graph.layer(task).estimated;
        if options.outputs != Outputs::InMemory || self.graph.outputs().iter().any(|edge| guessed(edge.task)) {
            return None;
        }
        Some((self.graph.outputs().first()?.task, self.parts.output_bytes(&self.graph)))
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

    /// Whether results may go to the disk when memory is short.
    pub fn may_spill(&self) -> bool {
        self.may_spill
    }

    /// Where the results are wanted.
    pub fn outputs(&self) -> Outputs {
        self.outputs
    }

    /// Whether results must go to the disk for the plan to stay within its limit.
    pub fn must_spill(&self) -> bool {
        self.working_set.is_some()
    }

    /// Whether one task does not fit if the guesses of bytes are right.
    pub fn is_unsure(&self) -> bool {
        self.unsure
    }

    /// Bytes that a run must have in any case: the projected peak, or if the plan must spill, what its largest task needs with
    /// its inputs.
    pub fn base(&self) -> u64 {
        self.working_set.unwrap_or(self.peak).bytes
    }

    /// The same plan, run within a smaller limit: at least what it needs in any case, at most the limit it was made for.
    pub fn limited_to(mut self, bytes: u64) -> Plan {
        self.memory_limit = self.memory_limit.map(|limit| bytes.max(self.base()).min(limit));
        self
    }

    /// Whether a task's result is read in parts.
    pub(crate) fn has_parts(&self, task: TaskId) -> bool {
        self.parts.has(task)
    }

    /// How many parts a task's result has, if it is read in parts.
    pub(crate) fn part_count(&self, task: TaskId) -> Option<u32> {
        self.parts.count(task)
    }

    /// Bytes of what an edge names, as the layer that makes it promised; of a part of a result its share.
    pub fn bytes_of(&self, edge: Edge) -> u64 {
        if self.graph.bytes.is_empty() { 0 } else { self.parts.bytes(&self.graph, edge) }
    }

    /// Bytes that a task reads, as the layers that make them promised; of a part of a result its share.
    pub fn bytes_in(&self, task: TaskId) -> u64 {
        let of = |edge: &crate::graph::Edge| match (edge.part(), self.part_count(edge.task)) {
            (Some(_), Some(count)) => self.graph.bytes(edge.task) / u64::from(count.max(1)),
            _ => self.graph.bytes(edge.task),
        };
        if self.graph.bytes.is_empty() {
            0
        } else {
            self.graph.inputs(task).iter().map(of).fold(0, u64::saturating_add)
        }
    }

    /// How much of what the limit allows beyond the base a task takes that runs ahead of the plan's order.
    pub(crate) fn weight(&self, task: TaskId) -> u64 {
        if self.must_spill() { self.parts.working_set(&self.graph, task) } else { self.parts.need(&self.graph, task) }
    }

    /// What each pass did.
    pub fn passes(&self) -> &[PassReport] {
        &self.passes
    }

    /// What a task must fit into, however little others leave just now.
    pub(crate) fn most(&self) -> Option<u64> {
        self.most
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
            let read = self.graph.inputs(task).iter().map(|&edge| self.parts.bytes(&self.graph, edge));
            summary.bytes_made = summary.bytes_made.saturating_add(self.graph.bytes(task));
            summary.bytes_read = read.fold(summary.bytes_read, u64::saturating_add);
            summary.largest = summary.largest.max(self.parts.need(&self.graph, task));
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
            Some(limit) if self.must_spill() => {
                writeln!(
                    f,
                    ", limit {}: results go to the disk; the largest task needs {}",
                    bytes(limit),
                    bytes(self.base())
                )
            }
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
