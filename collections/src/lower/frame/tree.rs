//! Merging in a tree.

use std::sync::Arc;

use talatat_graph::{Edge, Kernel, Key};

use super::add;
use crate::error::Result;
use crate::frame::expr::FrameExpr;
use crate::lower::Lowering;

/// How many results one task of a tree merges.
const ARITY: usize = 8;

/// Merges neighbours until one is left. The shape depends on how many there are, and on nothing else.
pub(super) fn tree(
    lowering: &mut Lowering,
    key: Key,
    kernel: &Arc<dyn Kernel>,
    node: &FrameExpr,
    bytes: u64,
    mut level: Vec<Edge>,
) -> Result<Edge> {
    let layer = add(lowering, key, kernel.clone(), node);
    let mut block = 0;
    loop {
        if let [root] = level.as_slice() {
            return Ok(*root);
        }
        let mut merged = Vec::with_capacity(level.len().div_ceil(ARITY));
        for group in level.chunks(ARITY) {
            merged.push(match group {
                [one] => *one,
                several => {
                    block += 1;
                    lowering.graph.task(layer, block, bytes, several)?.into()
                }
            });
        }
        if merged.is_empty() {
            merged.push(lowering.graph.task(layer, 0, bytes, &[])?.into());
        }
        level = merged;
    }
}
