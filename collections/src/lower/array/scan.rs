//! Running sums: one pass over each block, after what the blocks before it handed on. Where there are few lines of blocks side by
//! side, small tasks hand on the totals of blocks, so that the passes need not wait for each other.
//!
//! Products of floats go along the axis as a chain, since a part of the axis may overflow where the whole does not.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelResult, KeyBuilder, TaskContext, Value};

use super::operation::all_but;
use super::{
    Lowering, Operation, Reads, array, blocks, encode, largest_bytes, missing, only_input, source_error, step,
};
use crate::array::build::slice;
use crate::array::expr::{Expr, ExprRef};
use crate::array::grid::Grid;
use crate::array::kernels::scan::{SEGMENT, ScanOp, carry, scan, totals};
use crate::array::kernels::{Arg, Block};
use crate::array::range::StepRange;
use crate::error::Result;

pub(super) const TOTALS: &str = "array.scan.totals";
pub(super) const CARRY: &str = "array.scan.carry";
pub(super) const RUN: &str = "array.scan.run";

/// With so many lines of blocks, each line is work enough for a thread.
const MANY_LINES: usize = 4;

/// What the three kernels share.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Along {
    op: ScanOp,
    axis: usize,
    grid: Grid,
}

impl Along {
    /// The index along the axis of a block's first element.
    fn origin(&self, task: TaskContext) -> usize {
        self.grid.block_origin(&self.grid.place(task.block as usize)).get(self.axis).copied().unwrap_or(0)
    }
}

/// `array.scan.totals`: the results of a block's segments.
#[derive(Serialize, Deserialize)]
pub(super) struct Totals(Along);

impl Kernel for Totals {
    fn name(&self) -> &str {
        TOTALS
    }

    fn describe(&self) -> String {
        format!("{} of segments", self.0.op.name())
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let block = array(inputs.first().ok_or_else(missing)?)?;
        let totals = totals(self.0.op, block, self.0.axis, self.0.origin(task));
        Ok(Value::block(totals.map_err(source_error)?))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.scan.carry`: what the blocks up to this one hand on; of totals, block, and what those before it handed on.
#[derive(Serialize, Deserialize)]
pub(super) struct Carry(Along);

impl Kernel for Carry {
    fn name(&self) -> &str {
        CARRY
    }

    fn describe(&self) -> String {
        format!("{} handed on", self.0.op.name())
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let [totals, block, before @ ..] = &*inputs else { return Err(missing()) };
        let before = before.first().map(array).transpose()?;
        let carry = carry(self.0.op, before, array(totals)?, array(block)?, self.0.axis, self.0.origin(task));
        Ok(Value::block(carry.map_err(source_error)?))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.scan.run`: the running results of a block, and what it hands on; of the block, and what those before it handed on.
#[derive(Serialize, Deserialize)]
pub(super) struct Run(Along);

impl Kernel for Run {
    fn name(&self) -> &str {
        RUN
    }

    fn describe(&self) -> String {
        self.0.op.name().into()
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let (block, before) = inputs.split_first_mut().ok_or_else(missing)?;
        let before = before.first().map(array).transpose()?;
        // A block that nobody else holds is written over.
        let owned = Arc::try_unwrap(block.take::<Block>()?);
        let block = match owned {
            Ok(block) => Arg::Dying(block),
            Err(ref shared) => Arg::Borrowed(shared),
        };
        let parts = scan(self.0.op, block, before, self.0.axis, self.0.origin(task)).map_err(source_error)?;
        Ok(Value::Parts(parts.map(Value::block).into()))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// Running results of the input along an axis, whose length is known; the input is of the type of its sum.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Scan {
    pub(crate) op: ScanOp,
    pub(crate) axis: usize,
}

impl Scan {
    /// Whether the blocks along the axis go one after the other, each read once. Else they are first read for their totals, so
    /// that none has to wait for the whole block before it. The bits are the same.
    fn chained(self, expr: &Expr) -> bool {
        let along = expr.grid.axes()[self.axis].chunks().max(1);
        let lines = expr.grid.blocks() / along;
        self.op.is_chained(expr.dtype) || along < 3 || lines >= MANY_LINES
    }
}

impl Operation for Scan {
    fn name(&self) -> &'static str {
        self.op.name()
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(self)
    }

    fn describe(&self) -> String {
        format!("{} along {}", self.op.name(), self.axis)
    }

    fn follows(&self, expr: &Expr) -> Vec<Reads> {
        vec![all_but(self.axis, expr.ndim())]
    }

    /// Nothing depends on what comes behind it.
    fn sliced(&self, expr: &Expr, part: &Expr, ranges: &[StepRange]) -> Option<ExprRef> {
        let (input, range) = (only_input(expr).ok()?, ranges.get(self.axis)?);
        let end = range.start.max(range.last()?) + 1;
        let axis = expr.grid.axes().get(self.axis)?;
        if axis.length().is_none_or(|length| end >= length) {
            return None;
        }
        let mut first: Vec<StepRange> =
            expr.grid.axes().iter().map(|axis| StepRange::all(axis.length().unwrap_or(0))).collect();
        first[self.axis] = StepRange::all(end);
        let input = slice(input, first, part.location);
        let scanned = expr.with(input.grid.clone(), expr.op.clone(), [input]);
        Some(slice(&scanned, ranges.to_vec(), part.location))
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let input = only_input(expr)?;
        let sources = blocks(lowering, input)?;
        let (grid, axis) = (&expr.grid, self.axis);
        let along = Along { op: self.op, axis, grid: grid.clone() };
        let largest = largest_bytes(expr);
        let run = lowering.graph.layer(step(expr, RUN, Run(along.clone()), largest));
        let apart = (!self.chained(expr)).then(|| {
            let totals = lowering.graph.layer(step(expr, TOTALS, Totals(along.clone()), largest));
            (totals, lowering.graph.layer(step(expr, CARRY, Carry(along), largest)))
        });
        let last = grid.axes()[axis].chunks() - 1;
        // What the blocks so far hand on, for each line of blocks.
        let mut before: Vec<Option<Edge>> = vec![None; grid.blocks()];
        let mut made = Vec::with_capacity(grid.blocks());
        for block in 0..grid.blocks() {
            let mut place = grid.place(block);
            let bytes = expr.block_bytes(&place);
            let length = grid.block_shape(&place)[axis];
            let row = bytes / length.max(1) as u64;
            let at = std::mem::take(&mut place[axis]);
            let line = &mut before[grid.block_at(&place)];
            let edges: SmallVec<[Edge; 2]> = std::iter::once(sources[block]).chain(*line).collect();
            let result = lowering.graph.task(run, block as u32, bytes + 3 * row, &edges)?;
            made.push(Edge::part_of(result, 0));
            // An empty block hands nothing on.
            if at == last || length == 0 {
                continue;
            }
            *line = Some(match apart {
                None => Edge::part_of(result, 1),
                Some((totals, carry)) => {
                    let segments = (length / SEGMENT + 1) as u64;
                    let totals = lowering.graph.task(totals, block as u32, segments * row, &[sources[block]])?.into();
                    let edges: SmallVec<[Edge; 3]> = [totals, sources[block]].into_iter().chain(*line).collect();
                    lowering.graph.task(carry, block as u32, 3 * row, &edges)?.into()
                }
            });
        }
        Ok(made)
    }
}
