//! Do operations need the memory beside inputs and results that they say they need? Random computations on one thread, with every
//! allocation counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use peak_alloc::PeakAlloc;
use talatat::Session;
use talatat::config::ExecutorChoice;
use talatat::graph::{Event, Observer, Plan};

use crate::rng::Rng;
use crate::{arrays, flag, frames};

#[global_allocator]
static ALLOCATIONS: PeakAlloc = PeakAlloc;

/// Scratch memory of one operation.
#[derive(Clone, Copy, Default)]
struct Row {
    tasks: usize,
    /// Of the task that was furthest beyond what it had declared.
    declared: u64,
    measured: u64,
    reads: u64,
}

/// What one operation's tasks took, by its name.
type Table = BTreeMap<String, Row>;

/// Looks at the allocator whenever a task is done. On one thread, what happened since the last one is the task's doing.
#[derive(Default)]
struct Probe(Mutex<State>);

#[derive(Default)]
struct State {
    tasks: Vec<Declared>,
    /// How many parts results have that are read in parts.
    parts: BTreeMap<usize, u64>,
    /// Bytes of the results.
    made: Vec<u64>,
    /// Bytes that were allocated when the last task was done.
    before: usize,
    table: Table,
}

/// What a task says of its scratch memory, and what it reads: tasks, of whose parts it takes one of so many.
struct Declared {
    name: String,
    scratch: u64,
    share: f32,
    inputs: BTreeSet<(usize, Option<u32>)>,
}

impl State {
    fn start(&mut self, plan: &Plan) {
        let graph = plan.graph();
        let declared = |task| {
            let layer = graph.layer(task);
            let inputs = graph.inputs(task).iter().map(|edge| (edge.task.index(), edge.part())).collect();
            Declared { name: layer.kernel.describe(), scratch: layer.scratch, share: layer.scratch_share, inputs }
        };
        self.tasks = graph.tasks().map(declared).collect();
        self.made = vec![0; graph.len()];
        self.parts.clear();
        for (input, part) in self.tasks.iter().flat_map(|task| &task.inputs) {
            let count = self.parts.entry(*input).or_insert(1);
            *count = part.map_or(*count, |part| (u64::from(part) + 1).max(*count));
        }
    }

    fn done(&mut self, task: usize, bytes: u64) {
        let Some(declared) = self.tasks.get(task) else { return };
        let held = |&(input, part): &(usize, Option<u32>)| match part {
            Some(_) => self.made[input] / self.parts.get(&input).copied().unwrap_or(1),
            None => self.made[input],
        };
        let reads: u64 = declared.inputs.iter().map(held).sum();
        let measured = (ALLOCATIONS.peak_usage().saturating_sub(self.before) as u64).saturating_sub(bytes);
        let scratch = declared.scratch + (reads as f64 * f64::from(declared.share)) as u64;
        let row = self.table.entry(declared.name.clone()).or_default();
        row.tasks += 1;
        let beyond = |measured: u64, declared: u64| measured as i64 - declared as i64;
        if row.tasks == 1 || beyond(measured, scratch) > beyond(row.measured, row.declared) {
            *row = Row { tasks: row.tasks, declared: scratch, measured, reads };
        }
        self.made[task] = bytes;
    }
}

impl Observer for Probe {
    fn on(&self, event: &Event<'_>) {
        let Ok(mut state) = self.0.lock() else { return };
        match event {
            Event::Started { plan, .. } => state.start(plan),
            Event::Task { task, bytes, .. } => state.done(task.index(), *bytes),
            _ => {}
        }
        ALLOCATIONS.reset_peak_usage();
        state.before = ALLOCATIONS.current_usage();
    }
}

/// Runs `scratch [--graphs N] [--bytes B] [--seed S] [--least BYTES]` and prints operations whose scratch memory is at least so many bytes
/// more than declared; true if there is none.
pub(crate) fn main(words: &[&str]) -> Result<bool, String> {
    let (graphs, first) = (flag(words, "--graphs", 60_u64)?, flag(words, "--seed", 0_u64)?);
    let (bytes, least) = (flag(words, "--bytes", 64_u64 << 20)?, flag(words, "--least", 2_u64 << 20)?);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let sources = frames::Sources { folder: &folder.path().to_string_lossy(), bytes };
    sources.prepare().map_err(|error| error.to_string())?;
    let probe = Arc::new(Probe::default());
    let session = Session::builder()
        .executor(ExecutorChoice::Synchronous)
        .memory_limit(None)
        .skip("fuse")
        .observer(probe.clone())
        .build()
        .map_err(|error| error.to_string())?;
    for seed in first..first + graphs {
        let mut rng = Rng::new(seed);
        let one = || -> talatat::Result<()> {
            if seed % 2 == 0 {
                let item = arrays::random_item(&mut rng, bytes)?;
                session.run(session.plan_measured(&item)?).map(drop)
            } else {
                let frame = frames::random_frame(&mut rng, &sources)?;
                session.run(session.plan_measured(&frame)?).map(drop)
            }
        };
        session.scope(one).map_err(|error| format!("graph {seed}: {error}"))?;
    }
    let state = probe.0.lock().map_err(|error| error.to_string())?;
    let mib = |bytes: u64| bytes as f64 / 1048576.0;
    println!("| operation | tasks | reads, MiB | scratch declared | measured | |");
    println!("|---|---|---|---|---|---|");
    let mut good = true;
    for (name, row) in &state.table {
        let beyond = row.measured.saturating_sub(row.declared) >= least;
        if !beyond && row.measured < least {
            continue;
        }
        good &= !beyond;
        println!(
            "| {} | {} | {:.1} | {:.1} | {:.1} | {} |",
            name.chars().take(90).collect::<String>(),
            row.tasks,
            mib(row.reads),
            mib(row.declared),
            mib(row.measured),
            if beyond { "more" } else { "" }
        );
    }
    Ok(good)
}
