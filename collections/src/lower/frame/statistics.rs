//! Statistics of whole frames: quantiles by selection, the first rows of an order, tables put together from cells.

use std::sync::Arc;

use polars::prelude::{DataType, Field, QuantileMethod, Schema};
use talatat_graph::{Edge, Kernel, KeyBuilder, Layer};

use super::operation::{Narrowed, Operation};
use super::{add, frame, one_each, only_input, tree};
use crate::error::Result;
use crate::frame::expr::{Columns, Facts, Node, Shape};
use crate::frame::kernels::{ArrangeKernel, GroupKernel, QuantileKernel, Quantiles};
use crate::lower::Lowering;

/// One partition of so many rows.
fn known(rows: u64) -> Facts {
    Facts { lengths: Some([rows].into()), ..Facts::default() }
}

/// How a quantile is found.
#[derive(Clone)]
pub(crate) struct QuantileOf {
    pub(crate) asked: Quantiles,
    /// By samples alone.
    pub(crate) nearly: bool,
}

impl Operation for QuantileOf {
    fn name(&self) -> &'static str {
        "frame.quantile"
    }

    fn describe(&self) -> String {
        let columns = self.asked.columns.join(", ");
        let how = if self.nearly { "by samples" } else { "by selection" };
        format!("quantiles {:?} of [{columns}] {how}", self.asked.quantiles)
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        let method: &str = match self.asked.method.0 {
            QuantileMethod::Nearest => "nearest",
            QuantileMethod::Lower => "lower",
            QuantileMethod::Higher => "higher",
            QuantileMethod::Midpoint => "midpoint",
            QuantileMethod::Linear => "linear",
            QuantileMethod::Equiprobable => "equiprobable",
        };
        let bits: Vec<u64> = self.asked.quantiles.iter().map(|quantile| quantile.to_bits()).collect();
        key.value(&self.asked.columns).value(&bits).value(method).number(u64::from(self.nearly))
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        only_input(self.name(), inputs)?;
        let field = |name: &str| Field::new(name.into(), DataType::Float64);
        let columns = self.asked.columns.iter().map(|name| field(name));
        let schema: Schema = std::iter::once(field("quantile")).chain(columns).collect();
        let rows = self.asked.quantiles.len() as u64;
        Ok(Shape { schema: Arc::new(schema), partitions: 1, rows, facts: known(rows) })
    }

    fn narrowed(&self, _: &[Node], _: &Columns) -> Option<Narrowed> {
        let reads: Columns = self.asked.columns.iter().map(|name| name.as_str().into()).collect();
        Some(Narrowed { operation: Arc::new(self.clone()), reads: vec![Some(reads)] })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let edges = frame(lowering, input)?;
        let bytes = node.bytes();
        // A sorted copy of a column, of samples at most 1024 rows, of what lies between two of them a small part.
        let few = (self.asked.columns.len() as u64).saturating_mul(32 << 10).min(input.bytes().max(1));
        let key = |stage: &str| KeyBuilder::new(stage).key(node.key).finish();
        let layer = |lowering: &mut Lowering, name, kernel: QuantileKernel, scratch| {
            let kernel: Arc<dyn Kernel> = Arc::new(kernel);
            lowering.graph.layer(Layer::new(name, kernel).at(node.location).scratch(scratch))
        };
        let asked = || self.asked.clone();
        let sample = layer(lowering, key("sample"), QuantileKernel::Sample(asked()), input.bytes());
        let samples = one_each(lowering, sample, few, &edges)?;
        if self.nearly {
            let guess = layer(lowering, node.key, QuantileKernel::Guess(asked()), few);
            return Ok(vec![lowering.graph.task(guess, 0, bytes, &samples)?.into()]);
        }
        let bound = layer(lowering, key("bounds"), QuantileKernel::Bounds(asked()), few);
        let bounds: Edge = lowering.graph.task(bound, 0, bytes, &samples)?.into();
        let pick = layer(lowering, key("pick"), QuantileKernel::Pick(asked()), input.bytes());
        let mut reads = Vec::with_capacity(edges.len() + 1);
        for (block, &edge) in edges.iter().enumerate() {
            reads.push(lowering.graph.task(pick, block as u32, few, &[edge, bounds])?.into());
        }
        reads.push(bounds);
        let result = layer(lowering, node.key, QuantileKernel::Result(asked()), few);
        Ok(vec![lowering.graph.task(result, 0, bytes, &reads)?.into()])
    }
}

/// The first rows in the order of some columns.
#[derive(Clone)]
pub(crate) struct Top {
    pub(crate) by: Vec<String>,
    pub(crate) descending: bool,
    pub(crate) rows: u64,
}

impl Operation for Top {
    fn name(&self) -> &'static str {
        "frame.top"
    }

    fn describe(&self) -> String {
        let which = if self.descending { "largest" } else { "smallest" };
        format!("{} {which} by [{}]", self.rows, self.by.join(", "))
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.by).number(u64::from(self.descending)).number(self.rows)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let input = only_input(self.name(), inputs)?;
        let facts = input.facts.rows().map(|rows| known(rows.min(self.rows))).unwrap_or_default();
        Ok(Shape { partitions: 1, rows: self.rows, facts, ..Shape::like(input) })
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let mut reads = wanted.clone();
        reads.extend(self.by.iter().map(|name| name.as_str().into()));
        Some(Narrowed { operation: Arc::new(self.clone()), reads: vec![Some(reads)] })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let input = only_input(self.name(), &node.inputs)?;
        let edges = frame(lowering, input)?;
        let sorted = self.by.iter().map(|name| (name.clone(), self.descending)).collect();
        let kernel: Arc<dyn Kernel> =
            Arc::new(GroupKernel { sorted, limit: Some(self.rows), ..GroupKernel::new("frame.top") });
        let bytes = node.bytes();
        let key = |stage: &str| KeyBuilder::new(stage).key(node.key).finish();
        let each = Layer::new(key("each"), kernel.clone()).at(node.location).scratch(input.bytes());
        let each = lowering.graph.layer(each);
        let tops = one_each(lowering, each, bytes.min(input.bytes().max(1)), &edges)?;
        let root = tree(lowering, key("tree"), &kernel, node, bytes, tops)?;
        let last = add(lowering, node.key, kernel, node);
        Ok(vec![lowering.graph.task(last, 0, bytes, &[root])?.into()])
    }
}

/// A table of cells of others, each one partition.
#[derive(Clone)]
pub(crate) struct Arranged {
    pub(crate) kernel: ArrangeKernel,
    pub(crate) shown: &'static str,
}

impl Operation for Arranged {
    fn name(&self) -> &'static str {
        "frame.arrange"
    }

    fn describe(&self) -> String {
        self.shown.into()
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.kernel)
    }

    fn result(&self, _: &[Node]) -> Result<Shape> {
        let numbers = self.kernel.columns.iter().map(|(name, _)| Field::new(name.as_str().into(), DataType::Float64));
        let labels = Field::new(self.kernel.labels.0.as_str().into(), DataType::String);
        let schema: Schema = std::iter::once(labels).chain(numbers).collect();
        let rows = self.kernel.labels.1.len() as u64;
        Ok(Shape { schema: Arc::new(schema), partitions: 1, rows, facts: known(rows) })
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let mut reads = Vec::with_capacity(node.inputs.len());
        for input in &node.inputs {
            reads.extend(frame(lowering, input)?);
        }
        let layer = add(lowering, node.key, Arc::new(self.kernel.clone()), node);
        Ok(vec![lowering.graph.task(layer, 0, node.bytes(), &reads)?.into()])
    }
}
