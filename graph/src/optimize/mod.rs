//! Passes on the graph: one list, one reason each.

mod check;
mod cull;
mod dedupe;
mod fuse;

pub use check::check;
pub use cull::cull;
pub(crate) use cull::needed;
pub use dedupe::dedupe;
pub use fuse::{FUSED, Fused, Step, fuse};

use crate::error::Result;
use crate::graph::TaskGraph;

/// One pass: a graph in, a graph out that gives the same results.
pub struct Pass {
    /// The pass's name, as plans print it and settings name it.
    pub name: &'static str,
    /// Why it stands where it does.
    pub reason: &'static str,
    run: fn(TaskGraph) -> Result<TaskGraph>,
}

/// The passes, in the order they run. The static order is made after them, by the plan.
pub const PASSES: &[Pass] = &[
    Pass {
        name: "cull",
        reason: "first: nobody should look at tasks that no output needs",
        run: |graph| Ok(cull(graph)),
    },
    Pass {
        name: "dedupe",
        reason: "before fusing: fused tasks hide that a part of them is the same",
        run: |graph| Ok(dedupe(graph)),
    },
    Pass {
        name: "fuse",
        reason: "last to change anything: it needs to know every reader",
        run: |graph| Ok(fuse(graph)),
    },
    Pass {
        name: "check",
        reason: "at the end: it changes nothing and refuses a graph that a pass has broken",
        run: |graph| check(&graph).map(|()| graph),
    },
];

/// What a pass did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassReport {
    /// The pass.
    pub name: &'static str,
    /// Tasks before it.
    pub before: usize,
    /// Tasks after it.
    pub after: usize,
}

/// Runs all passes except those named in `skip`.
pub fn optimize(graph: TaskGraph, skip: &[String]) -> Result<(TaskGraph, Vec<PassReport>)> {
    optimize_watched(graph, skip, &mut |_, _| {})
}

/// The same, showing the graph after each pass.
pub(crate) fn optimize_watched(
    mut graph: TaskGraph,
    skip: &[String],
    watch: &mut dyn FnMut(&'static str, &TaskGraph),
) -> Result<(TaskGraph, Vec<PassReport>)> {
    graph.check_outputs()?;
    let mut reports = Vec::with_capacity(PASSES.len());
    for pass in PASSES {
        if skip.iter().any(|name| name == pass.name) {
            continue;
        }
        let before = graph.len();
        graph = (pass.run)(graph)?;
        reports.push(PassReport { name: pass.name, before, after: graph.len() });
        watch(pass.name, &graph);
    }
    Ok((graph, reports))
}
