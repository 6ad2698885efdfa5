//! Puts joins that leave few rows before those that leave many, where rows and their order stay the same.

use super::Root;
use super::walk::{reader_counts, rebuilt};
use crate::error::Result;
use crate::frame::expr::Node;
use crate::frame::known::Known;
use crate::lower::frame::Chain;

/// Orders each chain of joins by what samples say of their partners.
pub(super) fn order(roots: &[Root], known: &Known) -> Result<Vec<Node>> {
    let nodes: Vec<&Node> = roots.iter().map(|root| &root.node).collect();
    let mut counts = reader_counts(nodes.iter().copied());
    rebuilt(&nodes, |node, inputs| {
        let same = node.on(inputs)?;
        let chain = Chain::ending(&same, &counts).map(|chain| chain.reordered(known)).transpose()?.flatten();
        let new = chain.unwrap_or(same);
        // What had several readers has them under its new name, too.
        if let Some(&count) = counts.get(&node.key) {
            counts.insert(new.key, count);
        }
        Ok(new)
    })
}
