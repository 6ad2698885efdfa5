//! Histograms: what each block adds to the bins is the state of a sum.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelResult, KeyBuilder, TaskContext, Value};

use super::reduce::{self, merged};
use super::{Lowering, Operation, State, array, blocks, encode, largest_bytes, source_error, step};
use crate::array::expr::Expr;
use crate::array::grid::Dims;
use crate::array::kernels::Block;
use crate::array::kernels::bins::Binning;
use crate::array::kernels::reduce::ReduceOp;
use crate::error::Result;

pub(super) const COUNT: &str = "array.bins.count";

/// `array.bins.count`: what a block adds to the bins.
#[derive(Serialize, Deserialize)]
pub(super) struct Count {
    binning: Binning,
}

impl Kernel for Count {
    fn name(&self) -> &str {
        COUNT
    }

    fn describe(&self) -> String {
        format!("{} of blocks", self.binning.name())
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let arrays = inputs.iter().map(array).collect::<KernelResult<SmallVec<[&Block; 4]>>>()?;
        Ok(Value::block(State(self.binning.count(&arrays).map_err(source_error)?)))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// Counts by bins, in row-major order of the bins, or sums of weights. The inputs are those of [`Binning::count`]; the first ones are cut
/// alike, the rest has one block each.
pub(crate) struct Bins(pub(crate) Binning);

impl Operation for Bins {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.0)
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let (binning, inputs) = (&self.0, &expr.inputs);
        let sources = inputs.iter().map(|input| blocks(lowering, input)).collect::<Result<Vec<_>>>()?;
        let largest: u64 = inputs.iter().map(|input| largest_bytes(input)).sum();
        // Weights are sorted by bin, with the bin of each beside it.
        let scratch = if binning.is_weighted() { 4 * largest } else { 1 << 17 };
        let count = Count { binning: binning.clone() };
        let count = lowering.graph.layer(step(expr, COUNT, count, largest).scratch(scratch));
        let op = ReduceOp::Sum;
        let combine = lowering.graph.layer(step(expr, reduce::COMBINE, reduce::Combine { op }, largest));
        let finish = reduce::Finish { op, grid: expr.grid.clone() };
        let finish = lowering.graph.layer(step(expr, reduce::FINISH, finish, largest));
        let bytes = expr.block_bytes(&Dims::from_elem(0, expr.ndim()));
        let state_bytes = op.state_bytes(binning.summed(), (bytes / 8) as usize) as u64;
        let mut level = Vec::new();
        for block in 0..inputs.first().map_or(0, |input| input.grid.blocks()) {
            let block_of = |number: usize| if number < binning.aligned() { block } else { 0 };
            let edges: SmallVec<[Edge; 4]> =
                sources.iter().enumerate().map(|(number, source)| source[block_of(number)]).collect();
            level.push(lowering.graph.task(count, block as u32, state_bytes, &edges)?.into());
        }
        let level = merged(lowering, combine, level, state_bytes, &mut 0)?;
        Ok(vec![lowering.graph.task(finish, 0, bytes, &level)?.into()])
    }
}
