//! Rows with what their groups say of them: brought together by keys, and back.

use std::sync::Arc;

use talatat_graph::{Edge, Kernel, KeyBuilder, Layer};

use super::operation::{Narrowed, Operation};
use super::shuffle::parts_within;
use super::{frame, one_each, only_input};
use crate::error::Result;
use crate::frame::expr::{Columns, Facts, Node, Shape};
use crate::frame::groupby::Within;
use crate::frame::kernels::Mask;
use crate::lower::Lowering;

/// Polars' lists of the rows of groups, and what goes from groups back to rows, as a share of the rows' bytes: measured where most groups
/// are of one row (`promise scratch`).
const GROUPS: f32 = 10.0;

/// The same for what finds the ends of groups: tables of keys, and numbers of groups.
const ENDS: f32 = 3.0;

fn of_groups(mask: &Mask) -> f32 {
    if mask.ends.is_some() { ENDS } else { GROUPS }
}

impl Operation for Within {
    fn name(&self) -> &'static str {
        "frame.groupby.within"
    }

    fn describe(&self) -> String {
        self.shown()
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        self.key(key)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let like = Shape::like(input);
        let lengths = if self.keeps_rows() { input.facts.lengths.clone() } else { None };
        let facts = Facts { lengths, ..Facts::default() };
        Ok(Shape { schema: self.schema.clone(), facts, ..like })
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let narrowed = self.only(wanted);
        let reads = vec![Some(narrowed.reads().into_iter().collect())];
        Some(Narrowed { operation: Arc::new(narrowed), reads })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let edges = frame(lowering, input)?;
        // Beside the rows, their numbers.
        let rows = input.bytes().saturating_add(input.rows.saturating_mul(4));
        let all = rows.saturating_mul(edges.len() as u64);
        // The columns before they are put in order, too.
        let share = 2.0 + self.mask.as_ref().map_or(GROUPS, of_groups);
        let parts = match edges.len() {
            0 | 1 => self.parts,
            _ => parts_within(lowering, self.parts, all, 2.0 + share),
        };
        let (scatter, compute, restore) = self.kernels(parts);
        let key = |stage: &str| KeyBuilder::new(stage).key(node.key).number(u64::from(parts)).finish();
        let layer = |lowering: &mut Lowering, name, kernel: Arc<dyn Kernel>, share| {
            lowering.graph.layer(Layer::new(name, kernel).at(node.location).scratch_of_inputs(share))
        };
        let split =
            layer(lowering, key("scatter"), Arc::new(scatter), 1.5 + self.before.as_ref().map_or(0.0, of_groups));
        let scattered = one_each(lowering, split, rows, &edges)?;
        let part = (all / u64::from(parts).max(1)).max(1);
        let within = layer(lowering, key("within"), Arc::new(compute), share);
        let results = (0..parts).map(|number| {
            let reads: Vec<Edge> = scattered.iter().map(|edge| Edge::part_of(edge.task, number)).collect();
            Ok(lowering.graph.task(within, number, part, &reads)?)
        });
        let results = results.collect::<Result<Vec<_>>>()?;
        let bytes = node.bytes();
        let back = layer(lowering, node.key, Arc::new(restore), 2.0);
        let partitions = (0..edges.len() as u32).map(|number| {
            let reads: Vec<Edge> = results.iter().map(|&task| Edge::part_of(task, number)).collect();
            Ok(lowering.graph.task(back, number, bytes, &reads)?.into())
        });
        partitions.collect()
    }
}
