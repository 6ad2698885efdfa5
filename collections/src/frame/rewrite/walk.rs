//! Walks over expressions that are graphs: what is read twice is visited once.

use std::collections::{HashMap, HashSet};

use talatat_graph::Key;

use crate::error::Result;
use crate::frame::expr::Node;

/// All expressions below the roots and the roots, inputs first, each once.
pub(crate) fn inputs_first<'a>(roots: impl IntoIterator<Item = &'a Node>) -> Vec<&'a Node> {
    let mut order = Vec::new();
    let mut seen = HashSet::new();
    // An expression is opened, then its inputs, then closed.
    let mut open: Vec<(&Node, bool)> = Vec::new();
    for root in roots {
        open.push((root, false));
        while let Some((node, closing)) = open.pop() {
            if closing {
                order.push(node);
            } else if seen.insert(node.key) {
                open.push((node, true));
                open.extend(node.inputs.iter().rev().map(|input| (input, false)));
            }
        }
    }
    order
}

/// Each expression with the number of its readers, of whom a root has one more.
pub(crate) fn readers<'a>(roots: impl IntoIterator<Item = &'a Node> + Clone) -> Vec<(&'a Node, usize)> {
    let counts = reader_counts(roots.clone());
    inputs_first(roots).into_iter().map(|node| (node, counts.get(&node.key).copied().unwrap_or(0))).collect()
}

/// The same by the names of the expressions.
pub(crate) fn reader_counts<'a>(roots: impl IntoIterator<Item = &'a Node> + Clone) -> HashMap<Key, usize> {
    let mut counts: HashMap<Key, usize> = HashMap::new();
    let asked: HashSet<Key> = roots.clone().into_iter().map(|root| root.key).collect();
    asked.into_iter().for_each(|key| *counts.entry(key).or_default() += 1);
    let inputs = inputs_first(roots).into_iter().flat_map(|node| &node.inputs);
    inputs.for_each(|input| *counts.entry(input.key).or_default() += 1);
    counts
}

/// Rebuilds the roots from the sources up: `make` gets an expression and its new inputs.
pub(super) fn rebuilt(roots: &[&Node], mut make: impl FnMut(&Node, Vec<Node>) -> Result<Node>) -> Result<Vec<Node>> {
    let mut done: HashMap<Key, Node> = HashMap::new();
    let find = |done: &HashMap<Key, Node>, node: &Node| done.get(&node.key).unwrap_or(node).clone();
    for node in inputs_first(roots.iter().copied()) {
        let inputs = node.inputs.iter().map(|input| find(&done, input)).collect();
        let new = make(node, inputs)?;
        done.insert(node.key, new);
    }
    Ok(roots.iter().map(|root| find(&done, root)).collect())
}
