//! Groups: partial aggregations, a tree that merges them, and the results.

use std::sync::Arc;

use talatat_graph::{Edge, Kernel, KeyBuilder};

use super::operation::{Narrowed, Operation};
use super::{add, frame, one_each, only_input, tree};
use crate::error::Result;
use crate::frame::expr::{Columns, Facts, Node, Shape};
use crate::frame::groupby::Grouping;
use crate::lower::Lowering;

impl Operation for Grouping {
    fn name(&self) -> &'static str {
        "frame.groupby"
    }

    fn describe(&self) -> String {
        self.shown()
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        self.key(key)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let rows = only_input(self.name(), inputs)?.rows;
        Ok(Shape { schema: self.schema.clone(), partitions: 1, rows: self.rows(rows), facts: Facts::default() })
    }

    fn narrowed(&self, _: &[Node], _: &Columns) -> Option<Narrowed> {
        Some(Narrowed { operation: Arc::new(self.clone()), reads: vec![Some(self.reads().into_iter().collect())] })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let inputs = frame(lowering, only_input(self.name(), &node.inputs)?)?;
        Ok(vec![grouped(lowering, node, self, &inputs)?])
    }
}

/// Partial aggregations, a tree that merges them in the order of partitions, and the results.
fn grouped(lowering: &mut Lowering, node: &Node, grouping: &Grouping, inputs: &[Edge]) -> Result<Edge> {
    let bytes = node.bytes();
    let key = |stage: &str| KeyBuilder::new(stage).key(node.key).finish();
    let partial = add(lowering, key("partial"), Arc::new(grouping.partial_kernel()), node);
    let parts = one_each(lowering, partial, bytes, inputs)?;
    let combine: Arc<dyn Kernel> = Arc::new(grouping.combine_kernel());
    let root = tree(lowering, key("combine"), &combine, node, bytes, parts)?;
    let finish = add(lowering, node.key, Arc::new(grouping.finish_kernel()), node);
    Ok(lowering.graph.task(finish, 0, bytes, &[root])?.into())
}
