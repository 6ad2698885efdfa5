//! What is measured before the rest is planned.
//!
//! How many rows a filter keeps and how many groups keys make is in no metadata, and yet it decides whether a frame is sent to all
//! partitions of another one, and whether groups are merged in a tree or spread. Operations ask ([`Operation::asks`](super::Operation::asks));
//! where a few partitions can be made by themselves, they are, with no columns but those that the answer needs. The session runs
//! the stage as a small graph of its own, and the rewrites then see what was found.

use std::collections::HashSet;
use std::sync::Arc;

use polars::prelude::{Expr, col};
use talatat_graph::{Edge, Key, KeyBuilder, Layer, Value};

use super::{Lowering, Roots, frame};
use crate::collection::Collection;
use crate::error::Result;
use crate::frame::Partition;
use crate::frame::expr::{FrameExpr, Node, Op};
use crate::frame::kernels::skew::{SampleKeysKernel, Samples, Seen};
use crate::frame::kernels::split::HashKey;
use crate::frame::known::Found;
use crate::frame::rewrite::{Wanted, inputs_first, rewrite_all};
use crate::frame::step::Step;

/// The name by which settings leave it out, like a rewrite.
pub const SAMPLING: &str = "sampling";

/// A frame with fewer partitions is not sampled: it would be a large part of it.
const FEW: usize = 4;

/// One partition of so many is looked at, but no more than there is need for.
const ONE_OF: usize = 16;
const MOST: usize = 4;

/// How many keys are looked at in a partition.
const ROWS: u32 = 1 << 14;

/// Samples that are to be computed before the rest is planned: a collection like others.
pub struct Stage {
    samples: Vec<Sample>,
}

/// What is asked of a frame.
struct Sample {
    node: Node,
    columns: Vec<String>,
    /// The partitions that are looked at.
    partitions: Vec<usize>,
}

impl Sample {
    fn new(node: &Node, columns: Vec<String>) -> Option<Sample> {
        let partitions = node.partitions;
        let anywhere = reads_alone(node)?;
        if partitions < FEW {
            return None;
        }
        let count = (partitions / ONE_OF).clamp(1, MOST);
        // In the middle of equal stretches; of files whose blocks depend on those before, the first ones.
        let place = |at: usize| if anywhere { (2 * at + 1) * partitions / (2 * count) } else { at };
        Some(Sample { node: node.clone(), columns, partitions: (0..count).map(place).collect() })
    }

    fn describe(&self) -> String {
        let of = match self.columns.is_empty() {
            true => "rows".to_string(),
            false => format!("groups of {}", self.columns.join(", ")),
        };
        format!("{of}, {} of {} partitions: {}", self.partitions.len(), self.node.partitions, self.node.describe())
    }
}

/// If partitions can be made one by one, whether any of them can be made without those before it.
fn reads_alone(node: &Node) -> Option<bool> {
    let mut node = node;
    loop {
        match (&node.op, node.inputs.as_slice()) {
            (Op::Scan(scan), _) => return Some(scan.reads_anywhere()),
            (Op::Step(_), [input]) => node = input,
            _ => return None,
        }
    }
}

impl Lowering {
    /// What is to be measured before what was announced is lowered; `None` if nothing is. Asking again after [`learn`](Lowering::learn)
    /// gives what new knowledge makes worth knowing.
    ///
    /// # Errors
    /// If an expression cannot be rewritten.
    pub fn stage(&self) -> Result<Option<Stage>> {
        if self.options.skip_rewrites.iter().any(|name| name == SAMPLING) {
            return Ok(None);
        }
        let roots = rewrite_all(self.frames.announced().to_vec(), &self.options, self.frames.known())?;
        let mut samples: Vec<Sample> = Vec::new();
        let mut asked: HashSet<(Key, Vec<String>)> = HashSet::new();
        for node in inputs_first(roots.iter().map(|root| &root.node)) {
            let Op::Custom(operation) = &node.op else { continue };
            for ask in operation.asks(&node.inputs) {
                let Some(input) = node.inputs.get(ask.input) else { continue };
                let new = self.frames.known().of(input, &ask.columns).is_none();
                if new && asked.insert((input.key, ask.columns.clone())) {
                    samples.extend(Sample::new(input, ask.columns));
                }
            }
        }
        Ok((!samples.is_empty()).then_some(Stage { samples }))
    }

    /// Notes what a stage found.
    pub fn learn(&mut self, stage: &Stage, found: Measured) {
        for (sample, found) in stage.samples.iter().zip(found.0) {
            self.frames.learn(&sample.node, &sample.columns, found);
        }
    }
}

impl Stage {
    /// What is measured, a line each.
    pub fn describe(&self) -> Vec<String> {
        self.samples.iter().map(Sample::describe).collect()
    }
}

/// What a [`Stage`] found.
pub struct Measured(Vec<Found>);

impl Collection for Stage {
    type Output = Measured;
    type Persisted = Measured;

    fn blocks(&self) -> Result<usize> {
        Ok(self.samples.iter().map(|sample| sample.partitions.len()).sum())
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        let mut edges = Vec::new();
        for sample in &self.samples {
            let node = &sample.node;
            let keys: Vec<HashKey> = sample.columns.iter().map(HashKey::plain).collect();
            let (read, wanted, rows) = match keys.is_empty() {
                true => (node.clone(), Wanted::Rows, 1),
                false => {
                    let columns: Vec<Expr> = sample.columns.iter().map(|name| col(name.as_str())).collect();
                    (FrameExpr::step(node.clone(), Step::Select(columns), node.location)?, Wanted::All, ROWS)
                }
            };
            let read = Roots::resolve(lowering, &read, wanted)?;
            let made = frame(lowering, &read)?;
            let key = KeyBuilder::new("frame.stage").key(node.key).value(&sample.columns).finish();
            let layer =
                lowering.graph.layer(Layer::new(key, Arc::new(SampleKeysKernel { keys, rows })).at(node.location));
            for &partition in &sample.partitions {
                let Some(&edge) = made.get(partition) else { continue };
                let bytes = u64::from(rows) * 16;
                edges.push(lowering.graph.task(layer, partition as u32, bytes, &[edge])?.into());
            }
        }
        Ok(edges)
    }

    fn gather(&self, blocks: Vec<Value>) -> Result<Measured> {
        let mut blocks = blocks.into_iter();
        let mut found = Vec::with_capacity(self.samples.len());
        for sample in &self.samples {
            let tables = blocks.by_ref().take(sample.partitions.len());
            let tables = tables.map(|mut block| Partition::take(&mut block));
            let tables = tables.collect::<std::result::Result<Vec<_>, _>>().map_err(broken)?;
            let samples = Samples::of(&tables).map_err(broken)?;
            let Seen { rows, groups } = samples.scaled(sample.node.partitions);
            found.push(Found { rows, groups, sampled: sample.partitions.len() });
        }
        Ok(Measured(found))
    }

    fn persisted(&self, blocks: Vec<Value>) -> Result<Measured> {
        self.gather(blocks)
    }

    fn describe_expression(&self, _: bool) -> String {
        self.describe().join("\n")
    }
}

fn broken(error: impl std::fmt::Display) -> crate::error::Error {
    talatat_graph::Error::InvalidGraph(error.to_string()).into()
}
