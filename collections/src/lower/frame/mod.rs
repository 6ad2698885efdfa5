//! Frames as tasks.
//!
//! A run of partition-wise steps, the scan included, is one layer: a task a partition (`partition`). What other operations do stands in
//! a file each: they implement [`Operation`].

mod algorithm;
mod asof;
mod bins;
mod carry;
mod chain;
mod concat;
mod csv;
mod ends;
mod from_map;
mod functions;
mod groupby;
mod head;
mod interpolate;
mod len;
mod map;
mod merge;
mod operation;
mod partition;
mod positions;
mod rank;
mod repartition;
mod roots;
mod rows;
mod shuffle;
mod sort;
mod stage;
mod statistics;
mod tree;
mod window;
mod within;
mod write;

use std::sync::Arc;

use polars::prelude::{DataType, PlSmallStr};
use talatat_graph::{Edge, Kernel, Key, Layer, LayerId};

pub(crate) use algorithm::Wish;
pub(crate) use asof::MergeAsof;
pub(crate) use bins::Bins;
pub(crate) use carry::Carry;
pub(crate) use chain::Chain;
pub(crate) use concat::{Beside, Concat};
pub(crate) use csv::quotes;
pub(crate) use ends::ends;
pub(crate) use from_map::FromMap;
pub(crate) use functions::EachGroup;
pub(crate) use head::Head;
pub(crate) use len::{known_len, len};
pub(crate) use map::{Adds, Map};
pub(crate) use merge::Merge;
pub(crate) use operation::{Narrowed, Operation};
pub(crate) use positions::{Rows, Take};
pub(crate) use rank::Rank;
pub(crate) use repartition::{Indexed, Repartition, Selected, Tail};
pub(crate) use roots::Roots;
pub(crate) use rows::RowIndex;
pub(crate) use shuffle::Shuffle;
pub(crate) use sort::{Divided, Sort};
pub use stage::{Measured, SAMPLING, Stage};
pub(crate) use statistics::{Arranged, QuantileOf, Top};
use tree::tree;
pub(crate) use window::{Neighbours, Overlap, Window};
pub(crate) use write::Writing;

use super::Lowering;
use crate::error::{Error, Result};
use crate::frame::expr::{FrameExpr, Node, Op, Shape};

/// Makes tasks of a rewritten expression: an edge for each partition.
pub(crate) fn frame(lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
    if let Some(edges) = lowering.seen(node.key) {
        return Ok(edges.to_vec());
    }
    // Of how many rows a filter leaves, or how long texts are, there are only guesses.
    let outer = lowering.graph.estimating(!node.has_known_bytes());
    let edges = match &node.op {
        Op::Scan(_) | Op::Step(_) => partition::partitions(lowering, node),
        Op::Foreign(blocks) => blocks.lower(lowering),
        Op::Custom(operation) => operation.lower(lowering, node),
    };
    lowering.graph.estimating(outer);
    let edges = edges?;
    if let Some(trace) = &mut lowering.trace {
        trace.split(node.describe(), edges.len(), "partitions of rows".into());
    }
    Ok(lowering.note(node.key, edges).to_vec())
}

/// What an operation makes that gives some columns new values, which are float64, and leaves the rest.
fn with_floats(input: &Node, columns: &[String]) -> Shape {
    let mut schema = (*input.schema).clone();
    let names: Vec<PlSmallStr> = columns.iter().map(|name| name.as_str().into()).collect();
    for name in &names {
        schema.set_dtype(name, DataType::Float64);
    }
    Shape { schema: Arc::new(schema), facts: input.facts.with_made(&names), ..Shape::like(input) }
}

/// The input of an operation that has one.
fn only_input<'a>(operation: &str, inputs: &'a [Node]) -> Result<&'a Node> {
    match inputs {
        [input] => Ok(input),
        _ => Err(Error::invalid(operation, format!("it has one input, not {}", inputs.len()))),
    }
}

fn add(lowering: &mut Lowering, key: Key, kernel: Arc<dyn Kernel>, node: &FrameExpr) -> LayerId {
    lowering.graph.layer(Layer::new(key, kernel).at(node.location))
}

fn one_each(lowering: &mut Lowering, layer: LayerId, bytes: u64, inputs: &[Edge]) -> Result<Vec<Edge>> {
    let numbered = inputs.iter().enumerate();
    let tasks = numbered.map(|(block, &input)| Ok(lowering.graph.task(layer, block as u32, bytes, &[input])?.into()));
    tasks.collect()
}
