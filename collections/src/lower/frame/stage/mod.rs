//! What is measured before the rest is planned.
//!
//! How many rows a filter keeps, how many groups keys make and how many rows find partners is in no metadata, and yet it decides whether a
//! frame is sent to all partitions of another one, whether groups are merged in a tree or spread, and which join comes first. Where a few
//! partitions can be made by themselves, they are, with no columns but those that the answer needs. The session runs
//! the stage as a small graph of its own, and the rewrites then see what was found.

mod partners;
mod sample;

use std::collections::HashSet;

use talatat_graph::{Edge, Value};

use super::Lowering;
use super::chain::Chain;
use crate::collection::Collection;
use crate::error::Result;
use crate::frame::expr::{Node, Op};
use crate::frame::known::Known;
use crate::frame::rewrite::{inputs_first, reader_counts, rewrite_all};

/// The name by which settings leave it out, like a rewrite.
pub const SAMPLING: &str = "sampling";

/// A frame with fewer partitions is not sampled: it would be a large part of it.
const FEW: usize = 4;

/// One partition of so many is looked at, but no more than there is need for.
const ONE_OF: usize = 16;
const MOST: usize = 4;

/// Something to be found out by looking at a part of the data.
trait Question {
    /// What is asked, in a line.
    fn describe(&self) -> String;

    /// How many blocks answer it.
    fn blocks(&self) -> usize;

    /// The tasks that make them.
    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>>;

    /// Notes what they say.
    fn note(&self, blocks: Vec<Value>, known: &mut Known) -> Result<()>;
}

/// What is to be measured before the rest is planned: a collection like others.
pub struct Stage {
    questions: Vec<Box<dyn Question>>,
}

/// The partitions of a frame that are looked at; `None` if they cannot be made by themselves, or are too few to choose from.
fn looked_at(node: &Node) -> Option<Vec<usize>> {
    let partitions = node.partitions;
    let anywhere = reads_alone(node)?;
    if partitions < FEW {
        return None;
    }
    let count = (partitions / ONE_OF).clamp(1, MOST);
    // In the middle of equal stretches; of files whose blocks depend on those before, the first ones.
    let place = |at: usize| if anywhere { (2 * at + 1) * partitions / (2 * count) } else { at };
    Some((0..count).map(place).collect())
}

/// If partitions can be made one by one, whether any of them can be made without those before it.
pub(super) fn reads_alone(node: &Node) -> Option<bool> {
    let mut node = node;
    loop {
        match (&node.op, node.inputs.as_slice()) {
            (Op::Scan(scan), _) => return Some(scan.reads_anywhere()),
            (Op::Foreign(blocks), _) if blocks.is_there() => return Some(true),
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
        let is_left_out = |name: &str| self.options.skip_rewrites.iter().any(|skipped| skipped == name);
        if is_left_out(SAMPLING) {
            return Ok(None);
        }
        let known = self.frames.known();
        let roots = rewrite_all(self.frames.announced().to_vec(), &self.options, known, None)?;
        let roots = roots.iter().map(|root| &root.node);
        let counts = reader_counts(roots.clone());
        let mut questions: Vec<Box<dyn Question>> = Vec::new();
        let (mut asked, mut joins) = (HashSet::new(), HashSet::new());
        for node in inputs_first(roots) {
            let Op::Custom(operation) = &node.op else { continue };
            for ask in operation.asks(&node.inputs) {
                let Some(input) = node.inputs.get(ask.input) else { continue };
                let new = known.of(input, &ask.columns).is_none();
                if new && asked.insert((input.key, ask.columns.clone())) {
                    questions.extend(sample::question(input, ask.columns));
                }
            }
            let Some(chain) = Chain::ending(node, &counts).filter(|_| !is_left_out("join_order")) else { continue };
            for question in chain.open().iter().filter_map(|link| partners::question(chain.base, link)) {
                if known.partners(question.key).is_none() && joins.insert(question.key) {
                    questions.push(Box::new(question));
                }
            }
        }
        Ok((!questions.is_empty()).then_some(Stage { questions }))
    }

    /// Notes what a stage found.
    pub fn learn(&mut self, found: Measured) {
        self.frames.learn(found.0);
    }
}

impl Stage {
    /// What is measured, a line each.
    pub fn describe(&self) -> Vec<String> {
        self.questions.iter().map(|question| question.describe()).collect()
    }
}

/// What a [`Stage`] found.
pub struct Measured(Known);

impl Collection for Stage {
    type Output = Measured;
    type Persisted = Measured;

    fn blocks(&self) -> Result<usize> {
        Ok(self.questions.iter().map(|question| question.blocks()).sum())
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        let mut edges = Vec::new();
        for question in &self.questions {
            edges.extend(question.lower(lowering)?);
        }
        Ok(edges)
    }

    fn gather(&self, blocks: Vec<Value>) -> Result<Measured> {
        let mut blocks = blocks.into_iter();
        let mut known = Known::default();
        for question in &self.questions {
            question.note(blocks.by_ref().take(question.blocks()).collect(), &mut known)?;
        }
        Ok(Measured(known))
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
