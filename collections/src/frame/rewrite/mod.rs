//! Rewrites of frame expressions: one list, one reason each. A rewrite gives expressions with the same rows and columns.
//!
//! All frames that one graph is made for are rewritten together. What several of them read is made once: a filter of one reader stays
//! above it, and it has the columns that any reader needs.

mod decide;
mod filter;
mod join_order;
mod projection;
mod prune;
mod walk;

use super::expr::Node;
use super::known::Known;
use crate::error::Result;
use crate::lower::{LoweringOptions, Trace};

pub(crate) use walk::{inputs_first, reader_counts, readers};

/// What the graph will read of the expression's result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Wanted {
    /// Rows and columns.
    All,
    /// How many rows there are.
    Rows,
}

/// An expression that is computed, and what is wanted of it.
#[derive(Clone)]
pub(crate) struct Root {
    pub(crate) node: Node,
    pub(crate) wanted: Wanted,
}

/// One rewrite.
pub struct Rewrite {
    /// The name, as settings leave it out by.
    pub name: &'static str,
    /// Why it stands where it does.
    pub reason: &'static str,
    run: fn(&[Root], &Known) -> Result<Vec<Node>>,
}

/// The rewrites, in the order they run.
pub const REWRITES: &[Rewrite] = &[
    Rewrite {
        name: "filter_pushdown",
        reason: "first: a filter that has reached the reader needs no column above it",
        run: |roots, _| filter::push(roots),
    },
    Rewrite {
        name: "statistics_pruning",
        reason: "after the filters: it asks what they leave of each file",
        run: |roots, _| prune::prune(roots),
    },
    Rewrite {
        name: "projection_pushdown",
        reason: "after all that moves or drops steps: it reads off what the others need",
        run: |roots, _| projection::push(roots),
    },
    Rewrite {
        name: "join_order",
        reason: "when filters have made frames as small as they will be and nobody carries columns in vain, but before it is decided how each join is done",
        run: join_order::order,
    },
    Rewrite {
        name: "algorithms",
        reason: "when inputs have the rows and columns that they will have: their sizes, known or sampled, choose how joins and groups are done",
        run: decide::algorithms,
    },
    Rewrite {
        name: "skewed_keys",
        reason: "after the algorithms: only in a shuffle can one key fill a part",
        run: |roots, _| decide::skew(roots),
    },
];

/// Runs all rewrites except those that are to be left out.
pub(crate) fn rewrite_all(
    roots: Vec<Root>,
    options: &LoweringOptions,
    known: &Known,
    mut trace: Option<&mut Trace>,
) -> Result<Vec<Root>> {
    let rules = REWRITES.iter().filter(|rule| !options.skip_rewrites.iter().any(|name| name == rule.name));
    rules.into_iter().try_fold(roots, |roots, rule| {
        let nodes = (rule.run)(&roots, known)?;
        if let Some(trace) = trace.as_deref_mut()
            && roots.iter().zip(&nodes).any(|(root, node)| root.node.key != node.key)
        {
            trace.rewritten(rule.name, nodes.iter().map(|node| node.tree()).collect());
        }
        Ok(roots.iter().zip(nodes).map(|(root, node)| Root { node, wanted: root.wanted }).collect())
    })
}

/// Rewrites one expression by itself.
fn rewrite(node: &Node, wanted: Wanted, options: &LoweringOptions) -> Result<Node> {
    let roots = rewrite_all(vec![Root { node: node.clone(), wanted }], options, &Known::default(), None)?;
    Ok(roots.into_iter().next().map_or_else(|| node.clone(), |root| root.node))
}

/// The expression as a tree, as it is or rewritten by itself.
pub(crate) fn described(node: &Node, wanted: Wanted, rewritten: bool) -> String {
    if !rewritten {
        return node.tree();
    }
    rewrite(node, wanted, &LoweringOptions::default()).unwrap_or_else(|_| node.clone()).tree()
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
