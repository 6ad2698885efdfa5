//! Merging in a tree.

use std::sync::Arc;

use talatat_graph::{Edge, Kernel, Key, LayerId};

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
    level: Vec<Edge>,
) -> Result<Edge> {
    let layer = add(lowering, key, kernel.clone(), node);
    let level = merged_until(lowering, layer, bytes, level, 1)?;
    match level.first() {
        Some(root) => Ok(*root),
        None => Ok(lowering.graph.task(layer, 0, bytes, &[])?.into()),
    }
}

/// Merges neighbours until no more are left than one task merges: another one makes the result of them.
pub(super) fn shrunk(
    lowering: &mut Lowering,
    key: Key,
    kernel: &Arc<dyn Kernel>,
    node: &FrameExpr,
    bytes: u64,
    level: Vec<Edge>,
) -> Result<Vec<Edge>> {
    if level.len() <= ARITY {
        return Ok(level);
    }
    let layer = add(lowering, key, kernel.clone(), node);
    merged_until(lowering, layer, bytes, level, ARITY)
}

fn merged_until(
    lowering: &mut Lowering,
    layer: LayerId,
    bytes: u64,
    mut level: Vec<Edge>,
    few: usize,
) -> Result<Vec<Edge>> {
    let mut block = 0;
    while level.len() > few {
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
        level = merged;
    }
    Ok(level)
}
