//! Expressions of frames: what a handle points at.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, Expr, PlSmallStr, Schema, SchemaRef};
use talatat_graph::{Kernel, Key, KeyBuilder};

use super::csv::CsvScan;
use super::groupby::Grouping;
use super::step::{self, Step, row_bytes};
use super::wire::add_to_key;
use crate::error::Result;
use crate::lower::Foreign;

/// An expression, shared by whoever stands on it.
pub(crate) type Node = Arc<FrameExpr>;

/// One operation on frames, with what is known of its result before anything runs.
pub(crate) struct FrameExpr {
    pub(crate) op: Op,
    pub(crate) schema: SchemaRef,
    pub(crate) key: Key,
    pub(crate) partitions: usize,
    /// A guess at the rows of one partition.
    pub(crate) rows: u64,
    pub(crate) location: &'static Location<'static>,
}

/// The operations.
pub(crate) enum Op {
    /// Reads CSV files.
    Csv(CsvScan),
    /// Partitions that are in memory.
    Data(Arc<[DataFrame]>),
    /// Partitions that a collection of another kind makes.
    #[cfg_attr(not(feature = "array"), allow(dead_code))]
    Foreign(Arc<dyn Foreign>),
    /// A partition-wise step.
    Step { input: Node, step: Step },
    /// A kernel on each partition.
    Map { input: Node, kernel: Arc<dyn Kernel> },
    /// Groups and aggregates all rows.
    GroupBy { input: Node, grouping: Grouping },
    /// The first rows.
    Head { input: Node, rows: usize },
}

impl FrameExpr {
    /// The operation's input, if it has one.
    pub(crate) fn input(&self) -> Option<&Node> {
        match &self.op {
            Op::Csv(_) | Op::Data(_) | Op::Foreign(_) => None,
            Op::Step { input, .. } | Op::Map { input, .. } | Op::GroupBy { input, .. } | Op::Head { input, .. } => {
                Some(input)
            }
        }
    }

    /// A guess at the bytes of one partition.
    pub(crate) fn bytes(&self) -> u64 {
        self.rows.saturating_mul(row_bytes(&self.schema).max(1))
    }

    /// A scan with its rewrites.
    pub(crate) fn csv(scan: CsvScan, location: &'static Location<'static>) -> Node {
        let rows = if scan.predicate.is_some() { scan.rows() / 2 } else { scan.rows() };
        Arc::new(FrameExpr {
            schema: scan.schema(),
            key: scan.key(),
            partitions: scan.blocks.len(),
            rows,
            location,
            op: Op::Csv(scan),
        })
    }

    /// Partitions in memory, under the key that made them.
    pub(crate) fn data(
        parts: Arc<[DataFrame]>,
        schema: SchemaRef,
        key: Key,
        location: &'static Location<'static>,
    ) -> Node {
        let rows = parts.iter().map(|part| part.height() as u64).max().unwrap_or(0);
        Arc::new(FrameExpr { partitions: parts.len(), op: Op::Data(parts), schema, key, rows, location })
    }

    /// A step that has been checked.
    pub(crate) fn step(input: Node, step: Step, location: &'static Location<'static>) -> Result<Node> {
        let schema = step::schema_after(&input.schema, &step, location)?;
        Ok(Self::step_with(input, step, schema, location))
    }

    pub(crate) fn step_with(input: Node, step: Step, schema: SchemaRef, location: &'static Location<'static>) -> Node {
        let key = add_to_key(KeyBuilder::new("frame.step").key(input.key), &step).finish();
        let rows = if matches!(step, Step::Filter(_)) { input.rows / 2 } else { input.rows };
        Arc::new(FrameExpr { schema, key, partitions: input.partitions, rows, location, op: Op::Step { input, step } })
    }

    /// A kernel on each partition.
    pub(crate) fn map(
        input: Node,
        kernel: Arc<dyn Kernel>,
        schema: SchemaRef,
        identity: Key,
        location: &'static Location<'static>,
    ) -> Node {
        let key = KeyBuilder::new("frame.map").key(input.key).key(identity).finish();
        let (partitions, rows) = (input.partitions, input.rows);
        Arc::new(FrameExpr { op: Op::Map { input, kernel }, schema, key, partitions, rows, location })
    }

    /// An aggregation.
    pub(crate) fn group_by(input: Node, grouping: Grouping, location: &'static Location<'static>) -> Node {
        let key = grouping.key(input.key);
        let rows = grouping.rows(input.rows);
        Arc::new(FrameExpr {
            schema: grouping.schema.clone(),
            op: Op::GroupBy { input, grouping },
            key,
            partitions: 1,
            rows,
            location,
        })
    }

    /// The first rows.
    pub(crate) fn head(input: Node, rows: usize, location: &'static Location<'static>) -> Node {
        Arc::new(FrameExpr {
            schema: input.schema.clone(),
            key: KeyBuilder::new("frame.head").key(input.key).number(rows as u64).finish(),
            partitions: 1,
            rows: rows as u64,
            location,
            op: Op::Head { input, rows },
        })
    }

    /// The same operation on another input.
    pub(crate) fn on(&self, input: Node) -> Result<Node> {
        Ok(match &self.op {
            Op::Csv(scan) => Self::csv(scan.clone(), self.location),
            Op::Data(parts) => Self::data(parts.clone(), self.schema.clone(), self.key, self.location),
            Op::Foreign(blocks) => Arc::new(FrameExpr {
                key: self.key,
                schema: self.schema.clone(),
                partitions: self.partitions,
                rows: self.rows,
                location: self.location,
                op: Op::Foreign(blocks.clone()),
            }),
            Op::Step { step, .. } => Self::step(input, step.clone(), self.location)?,
            Op::Map { kernel, .. } => Arc::new(FrameExpr {
                key: KeyBuilder::new("frame.map.on").key(self.key).key(input.key).finish(),
                schema: self.schema.clone(),
                partitions: input.partitions,
                rows: self.rows,
                location: self.location,
                op: Op::Map { input, kernel: kernel.clone() },
            }),
            Op::GroupBy { grouping, .. } => Self::group_by(input, grouping.clone(), self.location),
            Op::Head { rows, .. } => Self::head(input, *rows, self.location),
        })
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        match &self.op {
            Op::Csv(scan) => scan.describe(),
            Op::Data(parts) => format!("from_polars: {} partitions [{}]", parts.len(), names(&self.schema)),
            Op::Foreign(blocks) => blocks.describe(),
            Op::Step { step, .. } => step.describe(),
            Op::Map { kernel, .. } => format!("map_partitions {}", kernel.describe()),
            Op::GroupBy { grouping, .. } => grouping.describe(),
            Op::Head { rows, .. } => format!("head {rows}"),
        }
    }

    /// The expression as an indented tree.
    pub(crate) fn tree(&self) -> String {
        let mut text = String::new();
        let mut depth = 0;
        let mut node = Some(self);
        while let Some(expr) = node {
            text.push_str(&"  ".repeat(depth));
            text.push_str(&expr.describe());
            text.push('\n');
            depth += 1;
            node = expr.input().map(|input| &**input);
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
