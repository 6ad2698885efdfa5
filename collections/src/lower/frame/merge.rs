//! Joins of two frames: how [`Algorithm`]s make their tasks.

use std::sync::Arc;

use polars::prelude::{DataFrame, Expr, PlSmallStr};
use talatat_graph::{Edge, Kernel, KeyBuilder, Layer};

use super::algorithm::{Algorithm, Lead, Wish, total};
use super::frame;
use super::operation::{Narrowed, Operation};
use super::repartition::Repartition;
use super::shuffle::{Move, Size, parts_within};
use crate::error::{Error, Result};
use crate::frame::divisions::Divisions;
use crate::frame::expr::{Columns, Facts, FrameExpr, Node, Shape};
use crate::frame::kernels::join::{How, JoinKernel, Output, Side};
use crate::frame::kernels::order::{Order, OrderKey};
use crate::frame::kernels::skew::{Frequent, FrequentKernel, SampleKeysKernel};
use crate::frame::kernels::sort::SortKernel;
use crate::frame::kernels::split::{GatherKernel, HashKey, SplitBy, SplitKernel};
use crate::frame::known::{Ask, Known};
use crate::frame::step::{columns_of, refused};
use crate::frame::wire::add_to_key;
use crate::lower::Lowering;

/// A join. The partitions of the result and, unless the user does not care, its order do not depend on the way it is done.
#[derive(Clone)]
pub(crate) struct Merge {
    pub(crate) kernel: JoinKernel,
    pub(crate) wish: Wish,
    /// How it is done and why, once that has been decided.
    pub(crate) way: Option<(Algorithm, String)>,
}

/// Columns that say where a row comes from, while it is away.
const LEFT_ORIGIN: &str = "\u{1}left origin";
const RIGHT_ORIGIN: &str = "\u{1}right origin";

/// Bytes of a row in the hash table of keys.
const TABLE_ROW: u64 = 32;

/// How many partitions are looked at for frequent keys, and how many rows of each.
const SAMPLED: usize = 4;
const SAMPLE_ROWS: u32 = 2048;

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
    let layer = lowering.graph.layer(Layer::new(key, kernel).at(node.location).scratch_of_inputs(1.0));
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
        let scratch = table.rows.saturating_mul(TABLE_ROW).saturating_add(node.rows.saturating_mul(8));
        let kernel: Arc<dyn Kernel> = Arc::new(JoinKernel { lefts: 1, ..self.kernel.clone() });
        let layer = lowering.graph.layer(Layer::new(node.key, kernel).at(node.location).scratch(scratch));
        let numbered = pairs.iter().enumerate();
        let tasks =
            numbered.map(|(block, pair)| Ok(lowering.graph.task(layer, block as u32, node.bytes(), pair)?.into()));
        tasks.collect()
    }

    /// The table of the keys that are there too often for one part, from a sample of some partitions: the others need not wait for all.
    fn frequent(&self, lowering: &mut Lowering, node: &Node, side: &Side, edges: &[Edge], parts: u32) -> Result<Edge> {
        let named = |stage: &str, kernel: Arc<dyn Kernel>| {
            Layer::new(KeyBuilder::new(stage).key(node.key).finish(), kernel).at(node.location)
        };
        let bytes = u64::from(SAMPLE_ROWS) * 16;
        let kernel = SampleKeysKernel { keys: self.split_keys(side), rows: SAMPLE_ROWS };
        let layer = lowering.graph.layer(named("frame.merge.sample", Arc::new(kernel)));
        let count = edges.len().min(SAMPLED);
        let mut samples = Vec::with_capacity(count);
        for number in 0..count {
            let Some(&edge) = edges.get(number * edges.len() / count.max(1)) else { continue };
            samples.push(lowering.graph.task(layer, number as u32, bytes, &[edge])?.into());
        }
        let layer = lowering.graph.layer(named("frame.merge.frequent", Arc::new(FrequentKernel { parts })));
        Ok(lowering.graph.task(layer, 0, bytes, &samples)?.into())
    }

    /// How many partitions come out, whatever way is chosen: those of the side that leads.
    fn partitions(&self, left: &FrameExpr, right: &FrameExpr) -> usize {
        match self.kernel.how {
            How::Outer => left.partitions.max(right.partitions),
            How::Right => right.partitions,
            _ => left.partitions,
        }
    }

    /// Rows with equal keys brought together, joined, and brought back in order.
    fn shuffled(
        &self,
        lowering: &mut Lowering,
        node: &Node,
        [left, right]: [&Node; 2],
        [lefts, rights]: [Vec<Edge>; 2],
        partitions: usize,
        spread: Option<Lead>,
    ) -> Result<Vec<Edge>> {
        let ordered = self.wish.ordered;
        // Outer joins come in the order of keys, others in that of a side.
        let leads = match self.kernel.how {
            _ if !ordered => None,
            How::Outer => None,
            How::Right => Some((RIGHT_ORIGIN, 1, rights.len())),
            _ => Some((LEFT_ORIGIN, 0, lefts.len())),
        };
        // Both sides put together, and the table of the right one's keys.
        let (l, r) = (total(left), total(right));
        let both = Size { bytes: l.bytes.saturating_add(r.bytes), rows: r.rows };
        let scratch = both.copied_with(TABLE_ROW);
        let mut parts = u32::try_from(partitions).unwrap_or(u32::MAX);
        if leads.is_some() {
            parts = parts_within(lowering, parts, both.bytes, 2.0 + scratch);
        }
        let partitions = parts as usize;
        let mut kernel = JoinKernel { lefts: u32::try_from(lefts.len()).unwrap_or(u32::MAX), ..self.kernel.clone() };
        let keyed = ordered && self.kernel.how == How::Outer;
        if keyed {
            kernel.output.extend(key_columns(&self.kernel));
        }
        if let Some((column, number, _)) = leads {
            let side = if number == 0 { &mut kernel.left } else { &mut kernel.right };
            side.columns.push((column.into(), column.into()));
            kernel.output.push(Output::Column(column.into()));
        }
        let mut pieces: Vec<Vec<Edge>> = vec![Vec::with_capacity(lefts.len() + rights.len()); partitions];
        let table = match spread {
            Some(Lead::Left) => Some(self.frequent(lowering, node, &self.kernel.left, &lefts, parts)?),
            Some(Lead::Right) => Some(self.frequent(lowering, node, &self.kernel.right, &rights, parts)?),
            None => None,
        };
        let inputs = [(left, &self.kernel.left, lefts, Lead::Left), (right, &self.kernel.right, rights, Lead::Right)];
        for (number, (input, side, edges, name)) in inputs.into_iter().enumerate() {
            let origin = leads.filter(|(_, leading, _)| *leading == number).map(|(origin, ..)| origin.to_string());
            let keys = self.split_keys(side);
            let by = match spread {
                None => SplitBy::Hash(keys),
                Some(lead) if lead == name => SplitBy::Skewed(keys, Frequent::Spread(edges.len() as u64)),
                Some(_) => SplitBy::Skewed(keys, Frequent::Copied),
            };
            let split = SplitKernel { by, parts, origin };
            let key = KeyBuilder::new("frame.merge.split").key(node.key).number(number as u64);
            let key = key.number(u64::from(parts)).finish();
            let moved = Move { node, key, size: Size::of(input) };
            let cut = moved.split(lowering, split, &edges, table)?;
            pieces.iter_mut().zip(cut).for_each(|(pieces, cut)| pieces.extend(cut));
        }
        let count = self.partitions(left, right);
        let gathers = leads.is_none() && !keyed && count != partitions;
        let settled = leads.is_none() && !keyed && !gathers;
        let key = match settled {
            true => node.key,
            false => KeyBuilder::new("frame.merge.join").key(node.key).number(u64::from(parts)).finish(),
        };
        let of_all = total(node);
        let made = Size { bytes: of_all.bytes / u64::from(parts).max(1), rows: of_all.rows / u64::from(parts).max(1) };
        let layer = Layer::new(key, Arc::new(kernel)).at(node.location).scratch_of_inputs(scratch);
        let layer = lowering.graph.layer(layer);
        let mut joined = Vec::with_capacity(partitions);
        for (block, edges) in pieces.iter().enumerate() {
            joined.push(lowering.graph.task(layer, block as u32, made.bytes, edges)?.into());
        }
        if keyed {
            let names: Vec<String> = key_columns(&self.kernel).into_iter().map(|output| output.name().into()).collect();
            let key = |column: &String| OrderKey { column: column.clone(), descending: false, nulls_last: true };
            let order = Order { keys: names.iter().map(key).collect(), ties: true };
            return Move::of(node, Size::of(node)).sorted(lowering, &order, names, joined);
        }
        if gathers {
            let near = Repartition { partitions: count }.groups(partitions);
            let near = near.into_iter().map(|range| joined.get(range).unwrap_or_default().to_vec()).collect();
            return Move::of(node, Size::of(node)).take(lowering, Arc::new(GatherKernel), near, Size::of(node));
        }
        let Some((column, _, count)) = leads else { return Ok(joined) };
        let back = SplitKernel {
            by: SplitBy::Origin(column.into()),
            parts: u32::try_from(count).unwrap_or(u32::MAX),
            origin: None,
        };
        let pieces = Move::of(node, made).split(lowering, back, &joined, None)?;
        let sort = SortKernel { order: Order::ascending(column), without: vec![column.into()], within: None };
        Move::of(node, Size::of(node)).take(lowering, Arc::new(sort), pieces, Size::of(node))
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
        let way = self.way.as_ref().map(|(algorithm, why)| format!(": {} ({why})", algorithm.describe()));
        format!("merge {}{on}{}", self.kernel.how.name(), way.unwrap_or_default())
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        let algorithm = self.way.as_ref().map(|(algorithm, _)| algorithm.describe());
        let broadcast = self.wish.broadcast.map_or(0, |broadcast| 1 + u64::from(broadcast));
        add_to_key(key, &self.kernel).value(&self.wish.ordered).number(broadcast).value(&algorithm)
    }

    fn result(&self, inputs: &[Node]) -> Result<Shape> {
        let [left, right] = sides(inputs)?;
        let empty = |node: &Node| DataFrame::empty_with_schema(&node.schema);
        let joined = self.kernel.join(&empty(left), &empty(right));
        let schema = joined.map_err(|error| refused("merge", &left.schema, &error, left.location))?.schema().clone();
        let (l, r) = (total(left).rows, total(right).rows);
        let partitions = self.partitions(left, right);
        // Left rows stay where they are, each as often as it has partners.
        let stays =
            self.wish.ordered && matches!(self.kernel.how, How::Inner | How::Left | How::Semi | How::Anti | How::Cross);
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

    fn asks(&self, inputs: &[Node]) -> Vec<Ask> {
        let Ok([left, right]) = sides(inputs) else { return Vec::new() };
        let side = Algorithm::depends_on(&self.kernel, left, right, self.wish);
        side.map(|side| Ask { input: side as usize, columns: Vec::new() }).into_iter().collect()
    }

    fn decided(&self, inputs: &[Node], known: &Known) -> Option<Arc<dyn Operation>> {
        let [left, right] = sides(inputs).ok()?;
        let way = Some(Algorithm::choose(&self.kernel, left, right, self.wish, known));
        Some(Arc::new(Merge { way, ..self.clone() }))
    }

    fn spread(&self, inputs: &[Node]) -> Option<Arc<dyn Operation>> {
        let [left, right] = sides(inputs).ok()?;
        let (Algorithm::Shuffle { partitions, .. }, why) = self.way.clone()? else { return None };
        let side = Algorithm::spreadable(&self.kernel, left, right).filter(|_| partitions > 1)?;
        let way = Some((Algorithm::Shuffle { partitions, spread: Some(side) }, why));
        Some(Arc::new(Merge { way, ..self.clone() }))
    }

    fn as_merge(&self) -> Option<&Merge> {
        Some(self)
    }

    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>> {
        let [left, right] = sides(&node.inputs)?;
        let (lefts, rights) = (frame(lowering, left)?, frame(lowering, right)?);
        // What no rule has decided is done in the way that needs to know nothing.
        let undecided = || match self.kernel.how {
            How::Cross => Algorithm::BroadcastRight,
            _ => Algorithm::shuffle(left, right),
        };
        match self.way.as_ref().map_or_else(undecided, |(algorithm, _)| *algorithm) {
            // Its rows come in the order of keys.
            Algorithm::Single if self.kernel.how == How::Outer => {
                self.shuffled(lowering, node, [left, right], [lefts, rights], 1, None)
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
                let scratch =
                    node.bytes().saturating_add(total(right).rows.saturating_mul(TABLE_ROW) / rights.len() as u64);
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
            Algorithm::Shuffle { partitions, spread } => {
                self.shuffled(lowering, node, [left, right], [lefts, rights], partitions, spread)
            }
        }
    }
}
