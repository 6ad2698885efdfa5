//! Leaves out reading what statistics show to hold no row that the filter keeps: row groups, folders.

use super::Root;
use super::walk::rebuilt;
use crate::error::Result;
use crate::frame::expr::{FrameExpr, Node, Op};

/// Asks each scan.
pub(super) fn prune(roots: &[Root]) -> Result<Vec<Node>> {
    let nodes: Vec<&Node> = roots.iter().map(|root| &root.node).collect();
    rebuilt(&nodes, |node, inputs| match &node.op {
        Op::Scan(scan) => {
            Ok(scan.pruned().map_or_else(|| node.clone(), |scan| FrameExpr::scan_of(scan, node.location)))
        }
        _ => node.on(inputs),
    })
}
