//! Windows over rows: each partition is read with the rows around it that a window reaches.
//!
//! The rows at the end of a partition, with what reaches over it from the one before, are a small task; so windows may be longer than
//! partitions, and the large tasks wait for nothing but their own rows.

use std::sync::Arc;

use polars::prelude::{Expr, PlSmallStr, SchemaRef};
use talatat_graph::{Edge, Kernel, Key, KeyBuilder, Layer};

use super::operation::{Narrowed, Operation};
use super::{frame, only_input};
use crate::error::{Error, Result};
use crate::frame::expr::{Columns, Facts, Node, Shape};
use crate::frame::kernels::{Around, EdgeKernel, Reach, WindowKernel, made_of};
use crate::frame::step::{columns_of, row_bytes};
use crate::frame::wire::{Wire, add_to_key};
use crate::lower::Lowering;

/// The rows around a partition.
#[derive(Clone)]
pub(crate) struct Neighbours {
    pub(crate) before: Reach,
    pub(crate) after: Reach,
    /// Rows are counted within groups of these.
    pub(crate) keys: Vec<PlSmallStr>,
}

impl Neighbours {
    /// What the kernel must know to tell its inputs apart.
    pub(crate) fn around(&self, blocks: usize) -> Around {
        let blocks = blocks as u64;
        Around { blocks, before: self.before != Reach::Nothing, after: self.after != Reach::Nothing }
    }

    fn key(&self, key: KeyBuilder) -> KeyBuilder {
        let keys: Vec<&str> = self.keys.iter().map(PlSmallStr::as_str).collect();
        key.value(&self.before).value(&self.after).value(&keys)
    }

    /// The columns that say how far a window reaches.
    fn columns(&self) -> impl Iterator<Item = PlSmallStr> + '_ {
        let times = [&self.before, &self.after].into_iter().filter_map(|reach| match reach {
            Reach::Time { column, .. } => Some(PlSmallStr::from(column.as_str())),
            _ => None,
        });
        times.chain(self.keys.iter().cloned())
    }

    fn time(&self) -> Option<String> {
        [&self.before, &self.after].into_iter().find_map(|reach| match reach {
            Reach::Time { column, .. } => Some(column.clone()),
            _ => None,
        })
    }

    /// Each partition with the rows around it, as inputs of a kernel that has an [`Around`].
    fn lower(&self, lowering: &mut Lowering, node: &Node, input: &Node, columns: &[String]) -> Result<Vec<Vec<Edge>>> {
        let parts = frame(lowering, input)?;
        let mut inputs: Vec<Vec<Edge>> = parts.iter().map(|&part| vec![part]).collect();
        let before = self.edges(lowering, node, input, (&parts, columns), false)?;
        let after = self.edges(lowering, node, input, (&parts, columns), true)?;
        for (block, inputs) in inputs.iter_mut().enumerate() {
            inputs.extend(block.checked_sub(1).and_then(|block| before.get(block)));
            inputs.extend(after.get(block + 1));
        }
        Ok(inputs)
    }

    /// The rows at one end of each partition; nothing if no window reaches there.
    fn edges(
        &self,
        lowering: &mut Lowering,
        node: &Node,
        input: &Node,
        (parts, columns): (&[Edge], &[String]),
        first: bool,
    ) -> Result<Vec<Edge>> {
        let reach = if first { &self.after } else { &self.before };
        if *reach == Reach::Nothing {
            return Ok(Vec::new());
        }
        let bytes = match reach {
            Reach::Rows(rows) if self.keys.is_empty() => rows.min(&input.rows).saturating_mul(row_bytes(&input.schema)),
            _ => input.bytes(),
        };
        let keys = self.keys.iter().map(PlSmallStr::to_string).collect();
        let kernel = EdgeKernel { reach: reach.clone(), columns: columns.to_vec(), keys, first };
        let name = if first { "frame.window.first" } else { "frame.window.last" };
        let key = KeyBuilder::new(name).key(node.key).finish();
        let layer = lowering.graph.layer(Layer::new(key, Arc::new(kernel)).at(node.location));
        let mut made: Vec<Option<Edge>> = vec![None; parts.len()];
        let mut beyond: Option<Edge> = None;
        for step in 0..parts.len() {
            let block = if first { parts.len() - 1 - step } else { step };
            let inputs: Vec<Edge> = parts.get(block).copied().into_iter().chain(beyond).collect();
            let edge: Edge = lowering.graph.task(layer, block as u32, bytes, &inputs)?.into();
            beyond = Some(edge);
            if let Some(place) = made.get_mut(block) {
                *place = beyond;
            }
        }
        Ok(made.into_iter().flatten().collect())
    }
}

/// Expressions that look at the rows around: their results replace columns or are appended.
#[derive(Clone)]
pub(crate) struct Window {
    pub(crate) title: String,
    pub(crate) exprs: Vec<Expr>,
    pub(crate) neighbours: Neighbours,
}

impl Window {
    /// The columns that are read of neighbours.
    fn reads(&self) -> Columns {
        self.exprs.iter().flat_map(columns_of).chain(self.neighbours.columns()).collect()
    }
}

impl Operation for Window {
    fn name(&self) -> &'static str {
        "frame.window"
    }

    fn describe(&self) -> String {
        let exprs: Vec<String> = self.exprs.iter().map(|expr| format!("{expr}")).collect();
        format!("{} {}", self.title, exprs.join(", "))
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        add_to_key(self.neighbours.key(key), &self.exprs)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let made =
            made_of(&input.schema, &self.exprs).map_err(|error| Error::invalid(&self.title, error.to_string()))?;
        let mut schema = (*input.schema).clone();
        for (name, dtype) in made.iter() {
            schema.with_column(name.clone(), dtype.clone());
        }
        Ok(Shape { schema: Arc::new(schema), facts: input.facts.with_made(made.iter_names()), ..Shape::like(input) })
    }

    fn narrowed(&self, inputs: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let input = inputs.first()?;
        let name = |expr: &Expr| crate::frame::expr::output_name(expr, &input.schema);
        let kept: Vec<Expr> =
            self.exprs.iter().filter(|expr| name(expr).is_none_or(|name| wanted.contains(&name))).cloned().collect();
        let operation = Window { exprs: kept, ..self.clone() };
        let passed = wanted.iter().filter(|name| input.schema.contains(name)).cloned();
        let reads = passed.chain(operation.reads()).collect();
        Some(Narrowed { operation: Arc::new(operation), reads: vec![Some(reads)] })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        // Nobody reads what it would make.
        if self.exprs.is_empty() {
            return frame(lowering, input);
        }
        let columns: Vec<String> = self.reads().iter().map(PlSmallStr::to_string).collect();
        let inputs = self.neighbours.lower(lowering, node, input, &columns)?;
        let kernel = WindowKernel {
            around: self.neighbours.around(inputs.len()),
            columns,
            exprs: Wire(self.exprs.clone()),
            time: self.neighbours.time(),
        };
        tasks(lowering, node, Arc::new(kernel), &inputs)
    }
}

/// A user's function on each partition with the rows around it.
pub(crate) struct Overlap {
    /// The kernel for so many partitions.
    pub(crate) kernel: Arc<dyn Fn(Around) -> Arc<dyn Kernel> + Send + Sync>,
    pub(crate) schema: SchemaRef,
    pub(crate) identity: Key,
    pub(crate) neighbours: Neighbours,
}

impl Operation for Overlap {
    fn name(&self) -> &'static str {
        "frame.map_overlap"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        self.neighbours.key(key.key(self.identity))
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let facts = Facts { lengths: input.facts.lengths.clone(), ..Facts::default() };
        Ok(Shape { schema: self.schema.clone(), facts, ..Shape::like(input) })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let columns: Vec<String> = input.schema.iter_names().map(PlSmallStr::to_string).collect();
        let inputs = self.neighbours.lower(lowering, node, input, &columns)?;
        tasks(lowering, node, (self.kernel)(self.neighbours.around(inputs.len())), &inputs)
    }
}

fn tasks(lowering: &mut Lowering, node: &Node, kernel: Arc<dyn Kernel>, inputs: &[Vec<Edge>]) -> Result<Vec<Edge>> {
    let bytes = node.bytes();
    // The partition and the rows around it stand in one piece while it is worked on.
    let layer = lowering.graph.layer(Layer::new(node.key, kernel).at(node.location).scratch_of_inputs(1.0));
    let numbered = inputs.iter().enumerate();
    numbered.map(|(block, inputs)| Ok(lowering.graph.task(layer, block as u32, bytes, inputs)?.into())).collect()
}
