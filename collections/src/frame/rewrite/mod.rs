//! Rewrites of frame expressions: one list, one reason each. A rewrite gives an expression with the same rows and columns.

mod filter;
mod projection;

use super::expr::Node;
use crate::error::Result;
use crate::lower::LoweringOptions;

/// What the graph will read of the expression's result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// Rows and columns.
    All,
    /// How many rows there are.
    Rows,
}

/// One rewrite.
pub struct Rewrite {
    /// The name, as settings leave it out by.
    pub name: &'static str,
    /// Why it stands where it does.
    pub reason: &'static str,
    run: fn(&Node, Wanted) -> Result<Node>,
}

/// The rewrites, in the order they run.
pub const REWRITES: &[Rewrite] = &[
    Rewrite {
        name: "filter_pushdown",
        reason: "first: a filter that has reached the reader needs no column above it",
        run: |node, _| filter::push(node),
    },
    Rewrite {
        name: "projection_pushdown",
        reason: "last: it reads off what all other steps need",
        run: projection::push,
    },
];

/// Runs all rewrites except those that are to be left out.
pub(crate) fn rewrite(node: &Node, wanted: Wanted, options: &LoweringOptions) -> Result<Node> {
    let rules = REWRITES.iter().filter(|rule| !options.skip_rewrites.iter().any(|name| name == rule.name));
    rules.into_iter().try_fold(node.clone(), |node, rule| (rule.run)(&node, wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_a_name_and_a_reason() {
        for (at, rule) in REWRITES.iter().enumerate() {
            assert!(!rule.reason.is_empty());
            assert!(REWRITES[..at].iter().all(|other| other.name != rule.name));
        }
    }
}
