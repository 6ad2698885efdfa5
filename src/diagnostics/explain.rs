//! What would run.

use std::fmt;
use std::sync::Arc;

use talatat_graph::memory::Forecast;
use talatat_graph::{Error as GraphError, Plan, format_bytes};

use super::flow::Flow;

/// What a computation would do, as text: the expression before and after rewriting, the passes on the graph, the table of
/// operations, the projected peak. Made by [`explain`](crate::Compute::explain); nothing has run.
#[derive(Debug)]
pub struct Explained {
    pub(crate) before: String,
    pub(crate) after: String,
    /// What would be measured before, a line each.
    pub(crate) measures: Vec<String>,
    pub(crate) plan: Arc<Plan>,
    /// The run on this many threads, played through.
    pub(crate) forecast: (usize, Forecast),
    /// What moves, what is split, where parallelism is lost; of very large plans it is not known.
    pub(crate) flow: Option<Flow>,
    /// What the executor says beyond that.
    pub(crate) outlook: Option<String>,
    /// Why the memory limit refuses the plan.
    pub(crate) refused: Option<GraphError>,
}

impl Explained {
    /// The expression as the user wrote it, one operation a line.
    pub fn expression(&self) -> &str {
        &self.before
    }

    /// The expression after rewriting.
    pub fn rewritten(&self) -> &str {
        &self.after
    }

    /// The plan. If the memory limit would refuse it, it is the plan without the limit.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether the memory limit allows the plan to run.
    pub fn fits(&self) -> bool {
        self.refused.is_none()
    }

    /// Where parallelism is lost, and why, with the line of the call: operations during which a fifth of the threads' time or more has nothing
    /// to do, if time goes by bytes. Empty for small plans, which are not worth it.
    pub fn warnings(&self) -> &[String] {
        self.flow.as_ref().map_or(&[], Flow::warnings)
    }

    /// What a run on the session's threads is projected to hold and to move.
    pub fn forecast(&self) -> Forecast {
        self.forecast.1
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "expression\n{}", indented(&self.before))?;
        if self.after != self.before {
            writeln!(f, "rewritten\n{}", indented(&self.after))?;
        }
        if !self.measures.is_empty() {
            writeln!(f, "measured first, which may change what follows\n{}", indented(&self.measures.join("\n")))?;
        }
        write!(f, "plan\n{}", indented(&self.plan.to_string()))?;
        let flow = self.flow.as_ref().map_or_else(String::new, Flow::to_string);
        if !flow.is_empty() {
            write!(f, "\nflow\n{}", indented(&flow))?;
        }
        if let Some(refused) = &self.refused {
            return writeln!(f, "\nrefused: {refused}");
        }
        if let Some(outlook) = &self.outlook {
            return write!(f, "\nexecutor\n{}", indented(outlook));
        }
        let (threads, Forecast { peak, task, written, read }) = self.forecast;
        // The plan says it already.
        if peak == self.plan.peak().bytes && written == 0 {
            return Ok(());
        }
        let operation = self.plan.graph().layer(task).kernel.describe();
        write!(f, "\n{threads} threads: peak {} at {operation}", format_bytes(peak))?;
        if written > 0 {
            write!(f, ", {} to the disk and {} back", format_bytes(written), format_bytes(read))?;
        }
        writeln!(f)
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
