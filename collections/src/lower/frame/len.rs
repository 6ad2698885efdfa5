//! The number of rows.

use std::sync::Arc;

use talatat_graph::{Edge, Kernel, Key, KeyBuilder, Layer};

use super::{frame, one_each, tree};
use crate::error::Result;
use crate::frame::expr::Node;
use crate::frame::kernels::{LenKernel, SumKernel};
use crate::lower::Lowering;

/// The number of rows: counted in each partition, then added up in a tree.
pub(crate) fn len(lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
    let key = |stage: &str| KeyBuilder::new(stage).key(node.key).finish();
    // Not under the frame's key, which its partitions have.
    if let Some(rows) = node.facts.rows() {
        return known_len(lowering, key("frame.len.known"), rows);
    }
    let inputs = frame(lowering, node)?;
    let count = lowering.graph.layer(Layer::new(key("frame.len"), Arc::new(LenKernel)).at(node.location).tiny(true));
    let counts = one_each(lowering, count, 0, &inputs)?;
    let sum: Arc<dyn Kernel> = Arc::new(SumKernel { known: 0 });
    Ok(vec![tree(lowering, key("frame.len.sum"), &sum, node, 0, counts)?])
}

/// A count that has been computed.
pub(crate) fn known_len(lowering: &mut Lowering, key: Key, rows: u64) -> Result<Vec<Edge>> {
    let layer = lowering.graph.layer(Layer::new(key, Arc::new(SumKernel { known: rows })).tiny(true));
    Ok(vec![lowering.graph.task(layer, 0, 0, &[])?.into()])
}
