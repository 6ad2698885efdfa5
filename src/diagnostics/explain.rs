//! What would run.

use std::fmt;

use talatat_graph::{Plan, format_bytes};

/// What a computation would do, as text: the expression before and after rewriting, the passes on the graph, the table of
/// operations, the projected peak. Made by [`explain`](crate::Compute::explain); nothing has run.
#[derive(Debug)]
pub struct Explained {
    pub(crate) before: String,
    pub(crate) after: String,
    /// What would be measured before, a line each.
    pub(crate) measures: Vec<String>,
    pub(crate) plan: Plan,
    /// The limit that the plan breaks.
    pub(crate) over: Option<u64>,
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
        self.over.is_none()
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
        if let Some(limit) = self.over {
            writeln!(
                f,
                "\nrefused: over the memory limit of {}; use smaller chunks, raise memory_limit, or compute less at a time",
                format_bytes(limit)
            )?;
        }
        Ok(())
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
