//! Between which values of its index each partition of a frame lies, for a frame that is kept.

use std::sync::Arc;

use talatat_graph::{Edge, Kernel, KeyBuilder};

use super::{add, one_each, tree};
use crate::error::Result;
use crate::frame::expr::FrameExpr;
use crate::frame::kernels::{EndsKernel, TakeKernel};
use crate::lower::Lowering;

/// Bytes of a row that tells of a partition, about.
const ROW: u64 = 256;

/// A table with a row for each of these partitions: made where they are, so that only the table has to be brought here.
pub(crate) fn ends(lowering: &mut Lowering, node: &FrameExpr, column: &str, partitions: &[Edge]) -> Result<Edge> {
    let key = |stage: &str| KeyBuilder::new(stage).key(node.key).bytes(column.as_bytes()).finish();
    let each = add(lowering, key("frame.ends"), Arc::new(EndsKernel { column: column.into() }), node);
    let rows = one_each(lowering, each, ROW, partitions)?;
    let all: Arc<dyn Kernel> = Arc::new(TakeKernel { rows: u64::MAX });
    tree(lowering, key("frame.ends.all"), &all, node, ROW.saturating_mul(rows.len() as u64), rows)
}
