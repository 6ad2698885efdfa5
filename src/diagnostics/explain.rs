//! What would run.

use std::fmt;
use std::sync::Arc;

use talatat_collections::Trace;
use talatat_graph::memory::Forecast;
use talatat_graph::{Error as GraphError, Plan, StorageBytes, format_bytes};

use super::flow::Flow;
use super::splits;
use super::stages::{Stage, Stages, changes};

/// What a computation would do, as text: the expression before and after rewriting, what the passes change in the graph, the table of
/// operations, what is read from files and written there, what is split and what is whole, the projected peak. Made by
/// [`explain`](crate::Compute::explain); nothing has run.
///
/// `{}` tells what each rule and pass has changed, `{:#}` shows expression and graph as a whole after each of them.
#[derive(Debug)]
pub struct Explained {
    pub(crate) before: String,
    pub(crate) after: String,
    /// What rules did to the expression, and how results are cut.
    pub(crate) trace: Trace,
    /// What passes did to the graph.
    pub(crate) stages: Stages,
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

    /// The rules that changed the expression, in order, each with the expression as it was then: one operation a line. (All expressions that are
    /// rewritten together; an expression that is part of another kind of collection stands here by itself.)
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(delayed(|x: i64| x + 1).call(1_i64).explain()?.rewrites().count(), 0); // there are no rules for calls
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn rewrites(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.trace.rewrites.iter().map(|rewritten| (rewritten.rule, rewritten.expression.as_str()))
    }

    /// The graph as it was lowered, and as it was after each pass.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let increment = delayed(|x: i64| x + 1);
    /// let explained = increment.call(increment.call(1_i64)).explain()?;
    /// let sizes: Vec<_> = explained.stages().iter().map(|stage| (stage.pass, stage.tasks)).collect();
    /// assert_eq!(sizes, [("lowered", 2), ("cull", 2), ("dedupe", 2), ("fuse", 1), ("check", 1)]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn stages(&self) -> &[Stage] {
        &self.stages.stages
    }

    /// Bytes that will be read from files and stores and written there, as far as operations tell: functions of one's own do not.
    pub fn storage(&self) -> StorageBytes {
        self.stages.storage
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
        if f.alternate() {
            for (rule, expression) in self.rewrites() {
                writeln!(f, "after {rule}\n{}", indented(expression))?;
            }
        }
        if self.after != self.before {
            let rules: Vec<&str> = self.rewrites().map(|(rule, _)| rule).collect();
            let by = if rules.is_empty() { String::new() } else { format!(" by {}", rules.join(", ")) };
            writeln!(f, "rewritten{by}\n{}", indented(&self.after))?;
        }
        if !self.measures.is_empty() {
            writeln!(f, "measured first, which may change what follows\n{}", indented(&self.measures.join("\n")))?;
        }
        let changes = match f.alternate() {
            true => self.stages().iter().map(Stage::to_string).collect(),
            false => changes(self.stages()),
        };
        if !changes.is_empty() {
            writeln!(f, "passes\n{}", indented(&changes))?;
        }
        write!(f, "plan\n{}", indented(&self.plan.to_string()))?;
        if !self.storage().is_none() {
            writeln!(f, "  files and stores: {}", self.storage())?;
        }
        let splits = splits::lines(&self.trace.splits);
        if !splits.is_empty() {
            write!(f, "\nsplit\n{}", indented(&splits.join("\n")))?;
        }
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
