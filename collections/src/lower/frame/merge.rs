//! Joins of two frames: how [`Algorithm`]s make their tasks.

use std::sync::Arc;

use polars::prelude::{DataFrame, Expr, PlSmallStr};
use talatat_graph::{Edge, Kernel, KeyBuilder, Layer};

use super::algorithm::{Algorithm, total};
use super::frame;
use super::operation::{Narrowed, Operation};
use super::shuffle::{Move, Size};
use crate::error::{Error, Result};
use crate::frame::divisions::Divisions;
use crate::frame::expr::{Columns, Facts, FrameExpr, Node, Shape};
use crate::frame::kernels::join::{How, JoinKernel, Output, Side};
use crate::frame::kernels::order::{Order, OrderKey};
use crate::frame::kernels::sort::SortKernel;
use crate::frame::kernels::split::{GatherKernel, HashKey, SplitBy, SplitKernel};
use crate::frame::step::{columns_of, refused};
use crate::frame::wire::add_to_key;
use crate::lower::Lowering;

/// A join, with the way it is done. That is chosen once, from the sizes of the frames it was asked for.
#[derive(Clone)]
pub(crate) struct Merge {
    pub(crate) kernel: JoinKernel,
    pub(crate) algorithm: Algorithm,
    pub(crate) why: String,
    /// Whether rows come in pandas' order; if not, in that of the algorithm.
    pub(crate) ordered: bool,
}

/// Columns that say where a row comes from, while it is away.
const LEFT_ORIGIN: &str = "\u{1}left origin";
const RIGHT_ORIGIN: &str = "\u{1}right origin";

pub(super) fn sides(inputs: &[Node]) -> Result<[&Node; 2]> {
    match inputs {
        [left, right] => Ok([left, right]),
        _ => Err(Error::invalid("merge", format!("it has two inputs, not {}", inputs.len()))),
    }
}

/// All of a side as one block, shared by all who read it.
pub(super) fn whole(lowering: &mut Lowering, node: &FrameExpr, side: &Node, edges: Vec<Edge>) -> Result<Edge> {
    if let [only] = edges.as_slice() {
        return Ok(*only);
    }
    let key = KeyBuilder::new("frame.merge.whole").key(side.key).finish();
    let bytes = total(side).bytes;
    let kernel: Arc<dyn Kernel> = Arc::new(GatherKernel);
    let layer = lowering.graph.layer(Layer::new(key, kernel).at(node.location).scratch(bytes));
    Ok(lowering.graph.task(layer, 0, bytes, &edges)?.into())
}

/// A condition on the result in the names of one side, if all that it reads is there, in the types it has in the result.
pub(super) fn in_side(kernel: &JoinKernel, condition: &Expr, number: usize, input: &Node) -> Option<Expr> {
    let side = if number == 0 { &kernel.left } else { &kernel.right };
    let key = |name: &str| {
        kernel.output.iter().find_map(|output| match output {
            Output::Key(number, key) if key == name => Some(*number),
            _ => None,
        })
    };
    let name = |output: &PlSmallStr| -> Option<PlSmallStr> {
        if let Some(key) = key(output) {
            let (column, dtype) = (side.keys.get(key)?, kernel.types.get(key)?);
            return (input.schema.get(column.as_str()) == Some(&dtype.0)).then(|| column.as_str().into());
        }
        side.columns.iter().find(|(_, to)| to == output.as_str()).map(|(from, _)| from.as_str().into())
    };
    if !columns_of(condition).iter().all(|output| name(output).is_some()) {
        return None;
    }
    Some(condition.clone().map_expr(|part| match &part {
        Expr::Column(output) => name(output).map_or_else(|| part.clone(), Expr::Column),
        _ => part,
    }))
}

/// A join that gives only these columns, and what it reads of each side.
pub(super) fn narrowed_kernel(all: &JoinKernel, wanted: &Columns) -> Option<(JoinKernel, Vec<Option<Columns>>)> {
    let mut kernel = all.clone();
    kernel.output.retain(|output| wanted.contains(output.name()));
    // Without any column the number of rows would be lost.
    if kernel.output.is_empty() {
        kernel.output.extend(all.output.first().cloned());
    }
    let kept: Vec<String> = kernel.output.iter().map(|output| output.name().to_string()).collect();
    for side in [&mut kernel.left, &mut kernel.right] {
        side.columns.retain(|(_, to)| kept.contains(to));
    }
    let reads = |side: &Side| -> Columns {
        let columns = side.columns.iter().map(|(from, _)| from);
        side.keys.iter().chain(columns).map(|name| name.as_str().into()).collect()
    };
    let reads = [reads(&kernel.left), reads(&kernel.right)];
    // A cross join has no keys, and a side of which it reads nothing would lose its rows.
    let all_there = reads.iter().all(|columns| !columns.is_empty());
    all_there.then(|| (kernel, reads.into_iter().map(Some).collect()))
}

impl Merge {
    fn split_keys(&self, side: &Side) -> Vec<HashKey> {
        let key = |(column, dtype): (&String, &crate::frame::wire::WireDtype)| HashKey {
            column: column.clone(),
            cast: Some(dtype.clone()),
        };
        side.keys.iter().zip(&self.kernel.types).map(key).collect()
    }

    /// A task for each pair of inputs.
    fn joined(&self, lowering: &mut Lowering, node: &FrameExpr, pairs: &[[Edge; 2]], table: Size) -> Result<Vec<Edge>> {
        // The keys' hash table, and the numbers of the rows that come out.
        let scratch = table.rows.saturating_mul(32).saturating_add(node.rows.saturating_mul(8));
        let kernel: Arc<dyn Kernel> = Arc::new(JoinKernel { lefts: 1, ..self.kernel.clone() });
        let layer = lowering.graph.layer(Layer::new(node.key, kernel).at(node.location).scratch(scratch));
        let numbered = pairs.iter().enumerate();
        let tasks =
            numbered.map(|(block, pair)| Ok(lowering.graph.task(layer, block as u32, node.bytes(), pair)?.into()));
        tasks.collect()
    }

    /// Rows with equal keys brought together, joined, and brought back in order.
    fn shuffled(
        &self,
        lowering: &mut Lowering,
        node: &Node,
        [left, right]: [&Node; 2],
        [lefts, rights]: [Vec<Edge>; 2],
        partitions: usize,
    ) -> Result<Vec<Edge>> {
        let parts = u32::try_from(partitions).unwrap_or(u32::MAX);
        // Outer joins come in the order of keys, others in that of a side.
        let leads = match self.kernel.how {
            _ if !self.ordered => None,
            How::Outer => None,
            How::Right => Some((RIGHT_ORIGIN, 1, rights.len())),
            _ => Some((LEFT_ORIGIN, 0, lefts.len())),
        };
        let mut kernel = JoinKernel { lefts: u32::try_from(lefts.len()).unwrap_or(u32::MAX), ..self.kernel.clone() };
        let keyed = self.ordered && self.kernel.how == How::Outer;
        if keyed {
            kernel.output.extend(key_columns(&self.kernel));
        }
        if let Some((column, number, _)) = leads {
            let side = if number == 0 { &mut kernel.left } else { &mut kernel.right };
            side.columns.push((column.into(), column.into()));
            kernel.output.push(Output::Column(column.into()));
        }
        let mut pieces: Vec<Vec<Edge>> = vec![Vec::with_capacity(lefts.len() + rights.len()); partitions];
        let inputs = [(left, &self.kernel.left, lefts, LEFT_ORIGIN), (right, &self.kernel.right, rights, RIGHT_ORIGIN)];
        for (number, (input, side, edges, origin)) in inputs.into_iter().enumerate() {
            let origin = leads.filter(|(_, leading, _)| *leading == number).map(|_| origin.to_string());
            let split = SplitKernel { by: SplitBy::Hash(self.split_keys(side)), parts, origin };
            let key = KeyBuilder::new("frame.merge.split").key(node.key).number(number as u64).finish();
            let moved = Move { node, key, size: Size::of(input) };
            let cut = moved.split(lowering, split, &edges, None)?;
            pieces.iter_mut().zip(cut).for_each(|(pieces, cut)| pieces.extend(cut));
        }
        let each = |all: u64| all / (partitions as u64).max(1);
        let (l, r) = (total(left), total(right));
        let scratch = each(l.bytes.saturating_add(r.bytes)).saturating_add(each(r.rows.saturating_mul(32)));
        let settled = leads.is_none() && !keyed;
        let key = if settled { node.key } else { KeyBuilder::new("frame.merge.join").key(node.key).finish() };
        let layer = lowering.graph.layer(Layer::new(key, Arc::new(kernel)).at(node.location).scratch(scratch));
        let mut joined = Vec::with_capacity(partitions);
        for (block, edges) in pieces.iter().enumerate() {
            joined.push(lowering.graph.task(layer, block as u32, node.bytes(), edges)?.into());
        }
        if keyed {
            let names: Vec<String> = key_columns(&self.kernel).into_iter().map(|output| output.name().into()).collect();
            let key = |column: &String| OrderKey { column: column.clone(), descending: false, nulls_last: true };
            let order = Order { keys: names.iter().map(key).collect(), ties: true };
            return Move::of(node, Size::of(node)).sorted(lowering, &order, names, joined);
        }
        let Some((column, _, count)) = leads else { return Ok(joined) };
        let back = SplitKernel {
            by: SplitBy::Origin(column.into()),
            parts: u32::try_from(count).unwrap_or(u32::MAX),
            origin: None,
        };
        let moved = Move::of(node, Size::of(node));
        let pieces = moved.split(lowering, back, &joined, None)?;
        let sort = SortKernel { order: Order::ascending(column), without: vec![column.into()], within: None };
        moved.take(lowering, Arc::new(sort), pieces, Size::of(node))
    }
}

/// The keys as columns of their own, to sort by.
fn key_columns(kernel: &JoinKernel) -> Vec<Output> {
    (0..kernel.types.len()).map(|number| Output::Key(number, format!("\u{1}order {number}"))).collect()
}

impl Operation for Merge {
    fn name(&self) -> &'static str {
        "frame.merge"
    }

    fn describe(&self) -> String {
        let keys = self.kernel.left.keys.iter().zip(&self.kernel.right.keys);
        let keys: Vec<String> =
            keys.map(|(left, right)| if left == right { left.clone() } else { format!("{left} = {right}") }).collect();
        let on = if keys.is_empty() { String::new() } else { format!(" on {}", keys.join(", ")) };
        format!("merge {}{on}: {} ({})", self.kernel.how.name(), self.algorithm.describe(), self.why)
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        let partitions = match self.algorithm {
            Algorithm::Shuffle { partitions } => partitions as u64 + 4,
            Algorithm::Sorted => 3,
            Algorithm::Single => 0,
            Algorithm::BroadcastRight => 1,
            Algorithm::BroadcastLeft => 2,
        };
        add_to_key(key, &self.kernel).number(partitions).value(&self.ordered)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let [left, right] = sides(inputs)?;
        let empty = |node: &Node| DataFrame::empty_with_schema(&node.schema);
        let joined = self.kernel.join(&empty(left), &empty(right));
        let schema = joined.map_err(|error| refused("merge", &left.schema, &error, left.location))?.schema().clone();
        let (l, r) = (total(left).rows, total(right).rows);
        let partitions = match self.algorithm {
            Algorithm::Single => 1,
            Algorithm::BroadcastRight | Algorithm::Sorted => left.partitions,
            Algorithm::BroadcastLeft => right.partitions,
            Algorithm::Shuffle { partitions } => match self.kernel.how {
                _ if !self.ordered => partitions,
                How::Outer => partitions,
                How::Right => right.partitions,
                _ => left.partitions,
            },
        };
        // Left rows stay where they are, each as often as it has partners.
        let stays = matches!(self.kernel.how, How::Inner | How::Left | How::Semi | How::Anti | How::Cross)
            && !matches!(self.algorithm, Algorithm::Shuffle { .. });
        let divisions = left.facts.divisions.as_ref().filter(|_| stays).and_then(|index| {
            let key = |output: &Output| match output {
                Output::Key(number, name) => {
                    self.kernel.left.keys.get(*number).map(|from| (from.clone(), name.clone()))
                }
                _ => None,
            };
            let keys = self.kernel.output.iter().filter_map(key);
            let mut names = keys.chain(self.kernel.left.columns.iter().cloned());
            let (from, to) = names.find(|(from, _)| from == index.column())?;
            // A key that has been cast may have another order: texts of numbers do.
            (left.schema.get(from.as_str()) == schema.get(to.as_str())).then(|| index.renamed(&to))
        });
        let facts = Facts { lengths: None, divisions };
        let rows = match self.kernel.how {
            How::Cross => l.saturating_mul(r),
            How::Semi | How::Anti | How::Left => l,
            How::Right => r,
            How::Inner => l.max(r),
            How::Outer => l.saturating_add(r),
        };
        Ok(Shape { schema, partitions, rows: rows.div_ceil(partitions.max(1) as u64), facts })
    }

    fn narrowed(&self, _: &[Node], wanted: &Columns) -> Option<Narrowed> {
        let (kernel, reads) = narrowed_kernel(&self.kernel, wanted)?;
        Some(Narrowed { operation: Arc::new(Merge { kernel, ..self.clone() }), reads })
    }

    fn sinks(&self, inputs: &[Node], condition: &Expr) -> Vec<(usize, Expr)> {
        // Fewer rows may be unique where all are not.
        if self.kernel.left.unique || self.kernel.right.unique {
            return Vec::new();
        }
        let below = |number: usize| {
            let input = inputs.get(number)?;
            Some((number, in_side(&self.kernel, condition, number, input)?))
        };
        let both: Vec<(usize, Expr)> = [below(0), below(1)].into_iter().flatten().collect();
        let (left, right) = (both.iter().any(|(at, _)| *at == 0), both.iter().any(|(at, _)| *at == 1));
        let passes = match self.kernel.how {
            How::Inner | How::Cross => left || right,
            How::Left | How::Semi | How::Anti => left,
            How::Right => right,
            How::Outer => left && right,
        };
        // A condition on keys goes to both sides: rows whose keys do not fulfil it have no partners that do.
        if passes { both } else { Vec::new() }
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let [left, right] = sides(&node.inputs)?;
        let (lefts, rights) = (frame(lowering, left)?, frame(lowering, right)?);
        match self.algorithm {
            // Its rows come in the order of keys.
            Algorithm::Single if self.kernel.how == How::Outer => {
                self.shuffled(lowering, node, [left, right], [lefts, rights], 1)
            }
            Algorithm::Single | Algorithm::BroadcastRight => {
                let whole = whole(lowering, node, right, rights)?;
                let pairs: Vec<[Edge; 2]> = lefts.into_iter().map(|left| [left, whole]).collect();
                self.joined(lowering, node, &pairs, total(right))
            }
            Algorithm::BroadcastLeft => {
                let whole = whole(lowering, node, left, lefts)?;
                let pairs: Vec<[Edge; 2]> = rights.into_iter().map(|right| [whole, right]).collect();
                self.joined(lowering, node, &pairs, total(left))
            }
            Algorithm::Sorted => {
                let none = || Error::invalid_at("merge", "a side has no partitions", node.location);
                let first = rights.first().copied().ok_or_else(none)?;
                let scratch = node.bytes().saturating_add(total(right).rows.saturating_mul(32) / rights.len() as u64);
                let kernel: Arc<dyn Kernel> = Arc::new(JoinKernel { lefts: 1, ..self.kernel.clone() });
                let layer = lowering.graph.layer(Layer::new(node.key, kernel).at(node.location).scratch(scratch));
                let meets = Divisions::overlaps(left.facts.divisions.as_ref(), right.facts.divisions.as_ref());
                let mut made = Vec::with_capacity(lefts.len());
                for (block, edge) in lefts.into_iter().enumerate() {
                    let partners = rights.iter().enumerate().filter(|(at, _)| meets(block, *at)).map(|(_, edge)| *edge);
                    let mut edges: Vec<Edge> = [edge].into_iter().chain(partners).collect();
                    // One that holds no partner shows the columns.
                    if edges.len() == 1 {
                        edges.push(first);
                    }
                    made.push(lowering.graph.task(layer, block as u32, node.bytes(), &edges)?.into());
                }
                Ok(made)
            }
            Algorithm::Shuffle { partitions } => {
                self.shuffled(lowering, node, [left, right], [lefts, rights], partitions)
            }
        }
    }
}
