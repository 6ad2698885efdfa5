//! Decides how operations are done that can be done in several ways: by what is known of their inputs when those are as they will be.

use std::sync::Arc;

use super::Root;
use super::walk::rebuilt;
use crate::error::Result;
use crate::frame::expr::{FrameExpr, Node, Op};
use crate::frame::known::Known;
use crate::lower::FrameOperation as Operation;

/// Chooses the algorithms.
pub(super) fn algorithms(roots: &[Root], known: &Known) -> Result<Vec<Node>> {
    each(roots, |operation, inputs| operation.decided(inputs, known))
}

/// Prepares for frequent keys.
pub(super) fn skew(roots: &[Root]) -> Result<Vec<Node>> {
    each(roots, |operation, inputs| operation.spread(inputs))
}

fn each(roots: &[Root], change: impl Fn(&dyn Operation, &[Node]) -> Option<Arc<dyn Operation>>) -> Result<Vec<Node>> {
    let nodes: Vec<&Node> = roots.iter().map(|root| &root.node).collect();
    rebuilt(&nodes, |node, inputs| {
        let changed = match &node.op {
            Op::Custom(operation) => change(&**operation, &inputs),
            _ => None,
        };
        match changed {
            Some(operation) => FrameExpr::custom(operation, inputs, node.location),
            None => node.on(inputs),
        }
    })
}
