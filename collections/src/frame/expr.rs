//! Expressions of frames: what a handle points at.

use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, DataType, Expr, PlSmallStr, Schema, SchemaRef};
use talatat_graph::{Key, KeyBuilder};

use super::divisions::Divisions;
use super::kept::KeptParts;
use super::partition::Held;
use super::scan::{HeldScan, Scan};
use super::step::{self, Step, row_bytes};
use super::wire::add_to_key;
use crate::error::Result;
use crate::lower::{Foreign, FrameOperation as Operation};

/// An expression, shared by whoever stands on it.
pub(crate) type Node = Arc<FrameExpr>;

/// Names of columns.
pub(crate) type Columns = BTreeSet<PlSmallStr>;

/// One operation on frames, with what is known of its result before anything runs.
pub(crate) struct FrameExpr {
    pub(crate) op: Op,
    pub(crate) inputs: Vec<Node>,
    pub(crate) schema: SchemaRef,
    pub(crate) key: Key,
    pub(crate) partitions: usize,
    /// A guess at the rows of the largest partition.
    pub(crate) rows: u64,
    pub(crate) facts: Facts,
    pub(crate) location: &'static Location<'static>,
}

/// What is known for certain of partitions before they are computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// How many rows each partition has.
    pub(crate) lengths: Option<Arc<[u64]>>,
    /// The column that rows are in the order of.
    pub(crate) divisions: Option<Divisions>,
}

impl Facts {
    /// What is known of the same rows when these columns are made anew.
    pub(crate) fn with_made<'a>(&self, made: impl IntoIterator<Item = &'a PlSmallStr>) -> Facts {
        let index = self.divisions.as_ref();
        let replaced = index.is_some_and(|index| made.into_iter().any(|name| name.as_str() == index.column()));
        let divisions = if replaced { None } else { index.cloned() };
        Facts { lengths: self.lengths.clone(), divisions }
    }

    /// The rows of all partitions.
    pub(crate) fn rows(&self) -> Option<u64> {
        self.lengths.as_ref().map(|lengths| lengths.iter().sum())
    }
}

/// What an operation's result is.
pub(crate) struct Shape {
    pub(crate) schema: SchemaRef,
    pub(crate) partitions: usize,
    /// A guess at the rows of the largest partition.
    pub(crate) rows: u64,
    pub(crate) facts: Facts,
}

impl Shape {
    /// As many partitions as the input has, with other rows.
    pub(crate) fn like(input: &FrameExpr) -> Shape {
        Shape { schema: input.schema.clone(), partitions: input.partitions, rows: input.rows, facts: Facts::default() }
    }
}

/// The operations.
#[derive(Clone)]
pub(crate) enum Op {
    /// Partitions that a task can make by itself: of files, of memory.
    Scan(Arc<dyn Scan>),
    /// Partitions that a collection of another kind makes.
    Foreign(Arc<dyn Foreign>),
    /// A partition-wise step.
    Step(Step),
    /// What makes its own tasks.
    Custom(Arc<dyn Operation>),
}

impl FrameExpr {
    /// A guess at the bytes of one partition.
    pub(crate) fn bytes(&self) -> u64 {
        self.rows.saturating_mul(row_bytes(&self.schema).max(1))
    }

    /// Whether the bytes of partitions follow from what is known: the numbers of rows, and columns of fixed width.
    pub(crate) fn has_known_bytes(&self) -> bool {
        let fixed = |dtype: &DataType| dtype.is_primitive_numeric() || dtype.is_temporal() || dtype.is_bool();
        self.facts.lengths.is_some() && self.schema.iter_values().all(fixed)
    }

    /// A scan with its rewrites.
    pub(crate) fn scan(scan: impl Scan + 'static, location: &'static Location<'static>) -> Node {
        Self::scan_of(Arc::new(scan), location)
    }

    pub(crate) fn scan_of(scan: Arc<dyn Scan>, location: &'static Location<'static>) -> Node {
        Arc::new(FrameExpr {
            inputs: Vec::new(),
            schema: scan.schema(),
            key: scan.key(),
            partitions: scan.partitions(),
            rows: scan.rows(),
            facts: scan.facts(),
            location,
            op: Op::Scan(scan),
        })
    }

    /// Partitions in memory, under the key that made them.
    pub(crate) fn data(
        parts: Arc<[DataFrame]>,
        schema: SchemaRef,
        key: Key,
        location: &'static Location<'static>,
    ) -> Node {
        let parts = parts.iter().cloned().map(Held::from).collect();
        Self::scan(HeldScan { parts, schema, key, divisions: None }, location)
    }

    /// Partitions that an expression was computed to, and what was seen of its index.
    pub(crate) fn computed(&self, parts: Arc<[Held]>, ends: Option<&DataFrame>) -> Node {
        let of_parts = |index: &Divisions| match ends {
            Some(ends) => Divisions::of_ends(index.column(), ends).ok().flatten(),
            None => {
                let dtype = self.schema.get(index.column())?;
                Divisions::of_parts(index.column(), &parts, dtype).ok().flatten()
            }
        };
        let divisions = self.facts.divisions.as_ref().and_then(of_parts);
        let held = HeldScan { parts: parts.clone(), schema: self.schema.clone(), key: self.key, divisions };
        if !parts.iter().any(Held::is_elsewhere) {
            return Self::scan(held, self.location);
        }
        let (rows, facts) = (held.rows(), held.facts());
        let (schema, key, location) = (self.schema.clone(), self.key, self.location);
        Arc::new(FrameExpr {
            op: Op::Foreign(Arc::new(KeptParts { parts, schema: schema.clone(), key, location })),
            inputs: Vec::new(),
            schema,
            key,
            partitions: held.partitions(),
            rows,
            facts,
            location,
        })
    }

    /// A step that has been checked.
    pub(crate) fn step(input: Node, step: Step, location: &'static Location<'static>) -> Result<Node> {
        let schema = step::schema_after(&input.schema, &step, location)?;
        Ok(Self::step_with(input, step, schema, location))
    }

    pub(crate) fn step_with(input: Node, step: Step, schema: SchemaRef, location: &'static Location<'static>) -> Node {
        let key = add_to_key(KeyBuilder::new("frame.step").key(input.key), &step).finish();
        let divisions = input.facts.divisions.as_ref().and_then(|index| index.after(&step, &input.schema));
        let (rows, lengths) = match step.keeps_rows() {
            true => (input.rows, input.facts.lengths.clone()),
            false => (step.rows(input.rows), None),
        };
        let facts = Facts { lengths, divisions };
        Arc::new(FrameExpr {
            schema,
            key,
            partitions: input.partitions,
            rows,
            facts,
            location,
            op: Op::Step(step),
            inputs: vec![input],
        })
    }

    /// An operation that makes its own tasks.
    ///
    /// # Errors
    /// If it makes no sense of these inputs.
    pub(crate) fn custom(
        operation: Arc<dyn Operation>,
        inputs: Vec<Node>,
        location: &'static Location<'static>,
    ) -> Result<Node> {
        let shape = operation.result(&inputs)?;
        Ok(Self::shaped(operation, inputs, shape, location))
    }

    /// An operation whose result is known to be this.
    pub(crate) fn shaped(
        operation: Arc<dyn Operation>,
        inputs: Vec<Node>,
        shape: Shape,
        location: &'static Location<'static>,
    ) -> Node {
        let named = inputs.iter().fold(KeyBuilder::new(operation.name()), |key, input| key.key(input.key));
        Arc::new(FrameExpr {
            key: operation.parameters(named).finish(),
            op: Op::Custom(operation),
            inputs,
            schema: shape.schema,
            partitions: shape.partitions,
            rows: shape.rows,
            facts: shape.facts,
            location,
        })
    }

    /// The same operation on other inputs.
    pub(crate) fn on(self: &Node, inputs: Vec<Node>) -> Result<Node> {
        if inputs.len() == self.inputs.len() && inputs.iter().zip(&self.inputs).all(|(new, old)| new.key == old.key) {
            return Ok(self.clone());
        }
        match &self.op {
            Op::Scan(_) | Op::Foreign(_) => Ok(self.clone()),
            Op::Step(step) => match <[Node; 1]>::try_from(inputs) {
                Ok([input]) => Self::step(input, step.clone(), self.location),
                Err(_) => Ok(self.clone()),
            },
            Op::Custom(operation) => Self::custom(operation.clone(), inputs, self.location),
        }
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        match &self.op {
            Op::Scan(scan) => scan.describe(),
            Op::Foreign(blocks) => blocks.describe(),
            Op::Step(step) => step.describe(),
            Op::Custom(operation) => operation.describe(),
        }
    }

    /// The expression as an indented tree. What is read twice is shown once more by its first line alone.
    pub(crate) fn tree(&self) -> String {
        let mut text = String::new();
        let mut open = vec![(self, 0)];
        let mut shown = std::collections::HashSet::new();
        while let Some((expr, depth)) = open.pop() {
            text.push_str(&"  ".repeat(depth));
            text.push_str(&expr.describe());
            let again = !shown.insert(expr.key);
            if again && !expr.inputs.is_empty() {
                text.push_str(" (as above)");
            } else if !again {
                open.extend(expr.inputs.iter().rev().map(|input| (&**input, depth + 1)));
            }
            text.push('\n');
        }
        text
    }
}

/// Column names, in order.
pub(crate) fn names(schema: &Schema) -> String {
    schema.iter_names().map(PlSmallStr::as_str).collect::<Vec<_>>().join(", ")
}

/// The name of an expression's result on a frame with these columns.
pub(crate) fn output_name(expr: &Expr, schema: &Schema) -> Option<PlSmallStr> {
    match expr {
        Expr::Alias(_, name) | Expr::Column(name) => Some(name.clone()),
        _ => expr.to_field(schema).ok().map(|field| field.name().clone()),
    }
}
