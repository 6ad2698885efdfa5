//! What a session is doing now, in words: what runs, what waits, and what for.

use std::fmt;
use std::time::Duration;

use talatat_graph::memory::CacheLevels;
use talatat_graph::{HeldUp, RunStatus, Running, TaskId, Waiting, format_bytes};

/// What a session is doing: its runs, with their running tasks and what the others wait for. `Display` says it in words. Made by
/// [`Session::status`](crate::Session::status).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Status {
    /// The runs that are going on, those that started first before the others. (The run of a task that computes something itself is one of
    /// its own.)
    pub runs: Vec<RunStatus>,
    /// What is kept of earlier runs, if the session has a [cache](crate::SessionBuilder::cache).
    pub cache: Option<CacheLevels>,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.runs.is_empty() {
            writeln!(f, "nothing is being computed")?;
        }
        self.runs.iter().try_for_each(|run| describe(run, f))?;
        let Some(CacheLevels { results, bytes, hits }) = self.cache else { return Ok(()) };
        writeln!(f, "cache: {results} results, {}, used {hits} times", format_bytes(bytes))
    }
}

/// The most running tasks that are listed.
const LISTED: usize = 16;

fn describe(run: &RunStatus, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let total = run.plan.graph().len();
    writeln!(f, "{} of {total} tasks done in {}, on {} threads", run.finished, seconds(run.elapsed), run.threads)?;
    if run.cancelled {
        writeln!(f, "  cancelled: it ends when the running tasks do; a task cannot be stopped from outside")?;
    }
    if run.running.is_empty() {
        writeln!(f, "  no task is running")?;
    }
    let mut running = run.running.clone();
    running.sort_by_key(|running| std::cmp::Reverse(running.age));
    for &Running { task, thread, age, writes } in running.iter().take(LISTED) {
        let what = if writes { "its result is being written to the disk" } else { "running" };
        writeln!(f, "  {}: {what} on thread {thread} for {}{}", name(run, task), seconds(age), place(run, task))?;
    }
    if running.len() > LISTED {
        writeln!(f, "  and {} more", running.len() - LISTED)?;
    }
    if run.ready > 0 {
        let ready =
            if run.ready == 1 { "1 task is ready".to_string() } else { format!("{} tasks are ready", run.ready) };
        match run.held_up {
            None if run.cancelled => writeln!(f, "  {ready} and will not start")?,
            None => writeln!(f, "  {ready} and {} for a thread", if run.ready == 1 { "waits" } else { "wait" })?,
            Some(held_up) => memory(run, &ready, held_up, f)?,
        }
    }
    if let Some(Waiting { result, at, inputs, lacking }) = &run.wanted {
        let waits = if result == at { String::new() } else { format!(" at {}{}", name(run, *at), place(run, *at)) };
        write!(f, "  {} tasks wait for inputs; the wanted {} waits{waits} for ", run.waiting(), name(run, *result))?;
        let doing = |task: TaskId| if runs(run, task) { "running" } else { "ready" };
        let named: Vec<String> = inputs.iter().map(|&task| format!("{} ({})", name(run, task), doing(task))).collect();
        let more = lacking.saturating_sub(named.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        writeln!(f, "{}{more}", named.join(", "))?;
    }
    Ok(())
}

fn memory(run: &RunStatus, ready: &str, held_up: HeldUp, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let HeldUp { task, needs, lacks, ahead } = held_up;
    let (needs, lacks) = (format_bytes(needs), format_bytes(lacks));
    write!(f, "  {ready}; the first, {}{}, waits for memory: it needs {needs}", name(run, task), place(run, task))?;
    if ahead {
        write!(f, ", {lacks} more than what may be taken ahead of the order")?;
    } else {
        write!(f, " and lacks {lacks}")?;
    }
    write!(f, " (results hold {}, running tasks have reserved {}", format_bytes(run.held), format_bytes(run.reserved))?;
    match run.plan.memory_limit() {
        Some(limit) => writeln!(f, ", the limit is {})", format_bytes(limit)),
        None => writeln!(f, ")"),
    }
}

fn runs(run: &RunStatus, task: TaskId) -> bool {
    run.running.iter().any(|running| running.task == task && !running.writes)
}

fn name(run: &RunStatus, task: TaskId) -> String {
    let graph = run.plan.graph();
    format!("{}/{}", graph.layer(task).kernel.describe(), graph.block(task))
}

fn place(run: &RunStatus, task: TaskId) -> String {
    let place = run.plan.graph().location(task);
    place.map_or_else(String::new, |place| format!(" (called at {}:{})", place.file(), place.line()))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
