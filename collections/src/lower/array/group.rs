//! Reductions of groups along an axis.
//!
//! For each block of the result, which has some of the groups, only the blocks that hold rows of those groups are read: all of them by
//! one task that never lets a state out of the cache, where they are not too many bytes; otherwise each gives a state of its own, and
//! these are merged as a tree.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, TaskContext, Value};

use super::operation::all_but;
use super::reduce::{ARITY, COMBINE, Combine, FINISH, Finish, merged};
use super::{Lowering, Operation, Reads, State, array, blocks, encode, largest_bytes, only_input, source_error, step};
use crate::array::dtype::DType;
use crate::array::expr::Expr;
use crate::array::grid::Axis;
use crate::array::kernels::reduce::{Accumulator, Grouped, ReduceOp, group_into, group_whole};
use crate::config::chunk_target;
use crate::error::{Error, Result};

pub(super) const WHOLE: &str = "array.group.whole";
pub(super) const PARTIAL: &str = "array.group.partial";

/// Which group each index of an axis is in, and how groups and axis are cut.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Codes {
    /// The group of each index; indices of a group that there is none of are left out.
    pub(crate) codes: Arc<[u32]>,
    /// The chunks of the axis.
    pub(crate) from: Axis,
    /// The chunks of the groups.
    pub(crate) groups: Axis,
}

impl Codes {
    /// The codes of a chunk of the axis.
    fn chunk(&self, chunk: usize) -> KernelResult<&[u32]> {
        let lost = || KernelError::new("codes of a chunk that is not there");
        let bounds = self.from.bounds().ok_or_else(lost)?;
        let range = *bounds.get(chunk).ok_or_else(lost)?..*bounds.get(chunk + 1).ok_or_else(lost)?;
        self.codes.get(range).ok_or_else(lost)
    }

    /// The groups in a chunk of the groups.
    fn range(&self, chunk: usize) -> KernelResult<Range<u32>> {
        let lost = || KernelError::new("groups of a chunk that is not there");
        let bounds = self.groups.bounds().ok_or_else(lost)?;
        Ok(*bounds.get(chunk).ok_or_else(lost)? as u32..*bounds.get(chunk + 1).ok_or_else(lost)? as u32)
    }

    /// For each chunk of the groups the chunks of the axis that hold some of them.
    pub(crate) fn reads(&self) -> Vec<BTreeSet<usize>> {
        let mut reads = vec![BTreeSet::new(); self.groups.chunks()];
        let Some(bounds) = self.groups.bounds() else { return reads };
        for chunk in 0..self.from.chunks() {
            for &code in self.chunk(chunk).unwrap_or_default() {
                let group = bounds.partition_point(|&bound| bound <= code as usize);
                if let Some(reads) = group.checked_sub(1).and_then(|group| reads.get_mut(group)) {
                    reads.insert(chunk);
                }
            }
        }
        reads
    }
}

/// `array.group.whole`: groups whose rows are all in the blocks given.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Whole {
    op: ReduceOp,
    axis: usize,
    codes: Codes,
    /// For each chunk of the groups the chunks of the axis that the blocks are.
    reads: Vec<Vec<usize>>,
}

impl Kernel for Whole {
    fn name(&self) -> &str {
        WHOLE
    }

    fn describe(&self) -> String {
        format!("{} of whole groups", self.op)
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let chunk = task.block as usize % self.reads.len().max(1);
        let reads = self.reads.get(chunk).ok_or_else(|| KernelError::new("groups of a chunk that is not there"))?;
        let parts = reads
            .iter()
            .zip(inputs.iter())
            .map(|(&read, input)| Ok(Grouped { block: array(input)?, codes: self.codes.chunk(read)? }));
        let parts = parts.collect::<KernelResult<Vec<_>>>()?;
        Ok(Value::block(group_whole(self.op, &parts, self.axis, self.codes.range(chunk)?).map_err(source_error)?))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.group.partial`: the state of some groups after a block.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Partial {
    op: ReduceOp,
    input: DType,
    axis: usize,
    codes: Codes,
}

impl Kernel for Partial {
    fn name(&self) -> &str {
        PARTIAL
    }

    fn describe(&self) -> String {
        format!("{} of groups", self.op)
    }

    /// The task's number is that of the chunk of the axis times the chunks of groups, plus that of the chunk of groups. Ordered
    /// reductions get the state of the block before as a second input.
    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let chunks = self.codes.groups.chunks().max(1);
        let (chunk, group) = (task.block as usize / chunks, task.block as usize % chunks);
        let (block, before) = inputs.split_first_mut().ok_or_else(|| KernelError::new("there is no block"))?;
        let grouped = Grouped { block: array(block)?, codes: self.codes.chunk(chunk)? };
        let groups = self.codes.range(group)?;
        let mut state = match before.first_mut() {
            Some(before) => State::take(before)?,
            None => {
                let shape = grouped.block.shape().iter().enumerate();
                let lanes = shape.map(|(axis, &length)| if axis == self.axis { groups.len() } else { length });
                Accumulator::new(self.op, self.input, lanes.product()).map_err(source_error)?
            }
        };
        group_into(&mut state, grouped, self.axis, groups).map_err(source_error)?;
        Ok(Value::block(State(state)))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// The input with the groups of one axis in place of its indices, each reduced.
#[derive(Clone)]
pub(crate) struct GroupBy {
    pub(crate) op: ReduceOp,
    pub(crate) axis: usize,
    pub(crate) codes: Codes,
}

impl Operation for GroupBy {
    fn name(&self) -> &'static str {
        "groupby"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&(self.op, self.axis)).value(&self.codes.codes[..])
    }

    fn describe(&self) -> String {
        let (reads, groups) = (self.codes.reads(), self.codes.groups.length().unwrap_or(0));
        let strategy = match reads.as_slice() {
            reads if reads.iter().all(|chunks| chunks.len() <= 1) => "within blocks".to_owned(),
            [_] => "map and reduce".to_owned(),
            reads => {
                let most = reads.iter().map(BTreeSet::len).max().unwrap_or(0);
                format!("{} cohorts of at most {most} of {} chunks", reads.len(), self.codes.from.chunks())
            }
        };
        format!("{} of {groups} groups along {}, {strategy}", self.op, self.axis)
    }

    fn follows(&self, expr: &Expr) -> Vec<Reads> {
        vec![all_but(self.axis, expr.ndim())]
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let input = only_input(expr)?;
        let sources = blocks(lowering, input)?;
        // Groups without rows are made of any block.
        let reads: Vec<Vec<usize>> =
            self.codes.reads().into_iter().map(|chunks| chunks.into_iter().collect()).collect();
        let reads: Vec<Vec<usize>> =
            reads.into_iter().map(|chunks| if chunks.is_empty() { vec![0] } else { chunks }).collect();
        let largest = largest_bytes(input);
        let (op, axis, codes) = (self.op, self.axis, self.codes.clone());
        // The rows of a group are gathered where they are narrow, states take a tile.
        let scratch = 1 << 18;
        let whole = Whole { op, axis, codes: codes.clone(), reads: reads.clone() };
        let whole = lowering.graph.layer(step(expr, WHOLE, whole, largest).scratch(scratch));
        let partial = Partial { op, input: input.dtype, axis, codes };
        let partial = lowering.graph.layer(step(expr, PARTIAL, partial, largest).scratch(scratch));
        let combine = lowering.graph.layer(step(expr, COMBINE, Combine { op }, largest));
        let finish = lowering.graph.layer(step(expr, FINISH, Finish { op, grid: expr.grid.clone() }, largest));
        let (ordered, mut combined) = (op.is_ordered(input.dtype), 0);
        let mut made = Vec::with_capacity(expr.grid.blocks());
        for block in 0..expr.grid.blocks() {
            let place = expr.grid.place(block);
            let result = expr.block_bytes(&place);
            let mut read = 0_u64;
            let parts: SmallVec<[Edge; 8]> = reads[place[axis]]
                .iter()
                .map(|&chunk| {
                    let mut at = place.clone();
                    at[axis] = chunk;
                    read = read.saturating_add(input.block_bytes(&at));
                    sources[input.grid.block_at(&at)]
                })
                .collect();
            let lanes = result / expr.dtype.size() as u64;
            let state = op.state_bytes(input.dtype, lanes as usize) as u64;
            // States that together take more than the blocks they are of are no help.
            let states = state.saturating_mul(parts.len().min(ARITY) as u64);
            if parts.len() == 1 || read <= 2 * chunk_target() || read <= states {
                // The kernel knows by the task's number which groups these are.
                let number = number(block * reads.len() + place[axis], expr)?;
                made.push(lowering.graph.task(whole, number, result, &parts)?.into());
                continue;
            }
            let mut level: Vec<Edge> = Vec::with_capacity(parts.len());
            for (part, &chunk) in parts.iter().zip(&reads[place[axis]]) {
                let mut edges: SmallVec<[Edge; 2]> = SmallVec::from_slice(&[*part]);
                if ordered {
                    edges.extend(level.pop());
                }
                let number = number(chunk * reads.len() + place[axis], expr)?;
                level.push(lowering.graph.task(partial, number, state, &edges)?.into());
            }
            let level = merged(lowering, combine, level, state, &mut combined)?;
            made.push(lowering.graph.task(finish, block as u32, result, &level)?.into());
        }
        Ok(made)
    }
}

fn number(number: usize, expr: &Expr) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::invalid_at("groupby", "too many blocks: use larger chunks", expr.location))
}
