//! Weighted sums of neighbours: blocks are read where they are, in strips that stay in the cache with their border.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, TaskContext, Value};

use super::halo::{Halo, Reach, views};
use super::{Lowering, Operation, array, blocks, check_dtype, encode, layer, source_error};
use crate::array::dtype::{DType, with_dtype};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Dims, Grid};
use crate::array::kernels::stencil::Weighed;
use crate::array::kernels::{Block, Scalar, pool};
use crate::array::range::StepRange;
use crate::error::Result;

pub(super) const NAME: &str = "array.weigh";

/// A strip with its border has about as many bytes: half a second-level cache.
const STRIP: usize = 256 << 10;

/// `array.weigh`: each element becomes a weighted sum of those around it, added up in the order of the weights.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Weigh {
    pub(crate) halo: Halo,
    /// Indices from the first element that the halo reaches, and the weights; those of 0 are left out.
    pub(crate) taps: Vec<(Dims, Scalar)>,
    pub(crate) dtype: DType,
}

impl Weigh {
    fn weigh<T: Weighed>(
        &self,
        reaches: &[Reach],
        sources: &[ArrayViewD<'_, T>],
        core: &[usize],
        padded: &[usize],
    ) -> KernelResult<Vec<T>> {
        let mut out: Vec<T> = pool::take(core.iter().product());
        let (Some((&rows, _)), Some(&columns)) = (core.split_first(), core.last()) else {
            // Without axes there is one element and at most one weight.
            let taps: SmallVec<[(usize, T); 1]> = self.taps.iter().map(|(_, weight)| (0, weight.get())).collect();
            let values: SmallVec<[T; 1]> = sources.iter().filter_map(|source| source.first().copied()).collect();
            T::weigh(&values, &taps, &mut out);
            return Ok(out);
        };
        if out.is_empty() {
            return Ok(out);
        }
        let border = padded[0] - rows;
        let row = padded[1..].iter().product::<usize>().max(1);
        // What strips share is put together once for each: they are much higher than that.
        let height = (STRIP / size_of::<T>() / row).max(8 * border).max(1).min(rows);
        let mut buffer: Vec<T> = pool::take((height + border) * row);
        let mut strides = Dims::from_elem(1, padded.len());
        for axis in (0..padded.len() - 1).rev() {
            strides[axis] = strides[axis + 1] * padded[axis + 1];
        }
        let offset = |at: &[usize]| -> usize { at.iter().zip(&strides).map(|(at, stride)| at * stride).sum() };
        let taps: Vec<(usize, T)> = self.taps.iter().map(|(at, weight)| (offset(at), weight.get())).collect();
        let mut within: SmallVec<[Range<usize>; 4]> = padded.iter().map(|&length| 0..length).collect();
        let inner: usize = core[1..].iter().product();
        let lines = if core.len() > 1 { inner / columns } else { 1 };
        for (strip, out) in out.chunks_mut(height * inner.max(1)).enumerate() {
            let first = strip * height;
            let count = out.len() / inner.max(1);
            within[0] = first..first + count + border;
            let mut shape: Dims = padded.into();
            shape[0] = count + border;
            let values = &mut buffer[..(count + border) * row];
            let target = ArrayViewMutD::from_shape(IxDyn(&shape), &mut *values).map_err(source_error)?;
            self.halo.fill(reaches, sources, &within, target)?;
            if core.len() == 1 {
                T::weigh(values, &taps, out);
                continue;
            }
            for (line, out) in out.chunks_exact_mut(columns).enumerate() {
                let mut rest = line % lines;
                let mut start = line / lines * strides[0];
                for axis in (1..core.len() - 1).rev() {
                    start += rest % core[axis] * strides[axis];
                    rest /= core[axis];
                }
                T::weigh(&values[start..], &taps, out);
            }
        }
        pool::give(buffer);
        Ok(out)
    }
}

impl Kernel for Weigh {
    fn name(&self) -> &str {
        NAME
    }

    fn describe(&self) -> String {
        format!("weigh {} neighbours", self.taps.len())
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let place = self.halo.place(task.block as usize);
        let reaches = self.halo.reaches(&place);
        self.halo.check(&reaches, inputs)?;
        let first = array(inputs.first().ok_or_else(|| KernelError::new("neighbours of nothing"))?)?;
        check_dtype(first.dtype(), self.dtype)?;
        let grid = self.halo.grid();
        let padded = self.halo.padded_shape(&reaches, first.shape());
        let mut core = grid.block_shape(&place);
        for ((core, axis), found) in core.iter_mut().zip(grid.axes()).zip(first.shape()) {
            if axis.length().is_none() {
                *core = *found;
            }
        }
        with_dtype!(self.dtype, T => {
            let values = self.weigh::<T>(&reaches, &views::<T>(inputs)?, &core, &padded)?;
            Ok(Value::block(Block::from_vec(&core, values).map_err(source_error)?))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

impl Operation for Weigh {
    fn name(&self) -> &'static str {
        "weigh"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.halo.grid()).value(&self.halo.parameters()).value(&self.taps)
    }

    fn describe(&self) -> String {
        format!("weigh {} neighbours", self.taps.len())
    }

    fn sliced(&self, expr: &Expr, _: &Expr, ranges: &[StepRange]) -> Option<ExprRef> {
        let make = |halo, grid: Grid, inputs: Vec<ExprRef>| {
            expr.with(grid, Op::Custom(Arc::new(Weigh { halo, ..self.clone() })), inputs)
        };
        self.halo.sliced(expr, ranges, make)
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let Some(input) = expr.inputs.first() else { return Ok(Vec::new()) };
        let sources = blocks(lowering, input)?;
        // A strip: at most a block with its border.
        let most = self.halo.largest(1_000_000).saturating_mul(expr.dtype.size() as u64);
        let layer = lowering.graph.layer(layer(expr, self.clone()).scratch(most));
        let mut made = Vec::with_capacity(expr.grid.blocks());
        for (block, edges) in self.halo.edges(&[(&input.grid, &sources)]).enumerate() {
            let bytes = expr.block_bytes(&expr.grid.place(block));
            made.push(lowering.graph.task(layer, block as u32, bytes, &edges)?.into());
        }
        Ok(made)
    }
}
