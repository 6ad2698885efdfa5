//! Each left row with the nearest right one: all right rows meet each left partition.

use std::sync::Arc;

use polars::prelude::{DataFrame, Expr};
use talatat_graph::{Edge, Kernel, KeyBuilder, Layer};

use super::algorithm::total;
use super::frame;
use super::merge::{in_side, narrowed_kernel, sides, whole};
use super::operation::{Narrowed, Operation};
use crate::error::Result;
use crate::frame::expr::{Columns, Facts, Node, Shape};
use crate::frame::kernels::asof::AsofKernel;
use crate::frame::step::refused;
use crate::frame::wire::add_to_key;
use crate::lower::Lowering;

/// An as-of join. There is a row for each left row.
#[derive(Clone)]
pub(crate) struct MergeAsof {
    pub(crate) kernel: AsofKernel,
}

impl Operation for MergeAsof {
    fn name(&self) -> &'static str {
        "frame.merge_asof"
    }

    fn describe(&self) -> String {
        let keys = self.kernel.join.left.keys.join(", ");
        format!("merge_asof on {keys}: {:?}, broadcast of the right side", self.kernel.direction)
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        add_to_key(key, &self.kernel)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let [left, right] = sides(inputs)?;
        let empty = |node: &Node| DataFrame::empty_with_schema(&node.schema);
        let joined = self.kernel.join(&empty(left), &empty(right));
        let schema =
            joined.map_err(|error| refused("merge_asof", &left.schema, &error, left.location))?.schema().clone();
        let facts = Facts { lengths: left.facts.lengths.clone(), ..Facts::default() };
        Ok(Shape { schema, facts, ..Shape::like(left) })
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let (join, reads) = narrowed_kernel(&self.kernel.join, wanted)?;
        let kernel = AsofKernel { join, ..self.kernel.clone() };
        Some(Narrowed { operation: Arc::new(MergeAsof { kernel }), reads })
    }

    fn sinks(&self, inputs: &[Node], condition: &Expr) -> Vec<(usize, Expr)> {
        // Left rows are looked up one by one; right rows stay, or others would become the nearest.
        let left = inputs.first().and_then(|input| in_side(&self.kernel.join, condition, 0, input));
        left.map(|condition| (0, condition)).into_iter().collect()
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let [left, right] = sides(&node.inputs)?;
        let (lefts, rights) = (frame(lowering, left)?, frame(lowering, right)?);
        let whole = whole(lowering, node, right, rights)?;
        let scratch = total(right).rows.saturating_mul(32).saturating_add(node.rows.saturating_mul(16));
        let kernel: Arc<dyn Kernel> = Arc::new(self.kernel.clone());
        let layer = lowering.graph.layer(Layer::new(node.key, kernel).at(node.location).scratch(scratch));
        let mut made = Vec::with_capacity(lefts.len());
        for (block, edge) in lefts.into_iter().enumerate() {
            made.push(lowering.graph.task(layer, block as u32, node.bytes(), &[edge, whole])?.into());
        }
        Ok(made)
    }
}
