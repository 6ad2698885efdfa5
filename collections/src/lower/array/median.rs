//! Medians along an axis in one chunk.

use ndarray::{ArrayD, ArrayView1, Axis as NdAxis};
use serde::{Deserialize, Serialize};
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, TaskContext, Value};

use super::{Lowering, Operation, array, blocks, encode, layer, source_error};
use crate::array::dtype::{C128, Element, with_dtype};
use crate::array::expr::Expr;
use crate::array::kernels::{Block, Scalar};
use crate::error::Result;

pub(super) const NAME: &str = "array.median";

/// `array.median`: the medians of a block along an axis, which stays with length 1.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Median {
    pub(crate) axis: usize,
}

impl Kernel for Median {
    fn name(&self) -> &str {
        NAME
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let block = array(inputs.first().ok_or_else(|| KernelError::new("a median of nothing"))?)?;
        if self.axis >= block.ndim() {
            return Err(KernelError::new(format!("a median along axis {} of {} axes", self.axis, block.ndim())));
        }
        with_dtype!(block.dtype(), T => {
            let view = block.view::<T>().map_err(source_error)?;
            let mut values = Vec::new();
            let medians: ArrayD<<T as Element>::Float> =
                view.map_axis(NdAxis(self.axis), |lane| Scalar::from(median(&lane, &mut values)).get());
            Ok(Value::block(Block::from_array(medians.insert_axis(NdAxis(self.axis)))))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// The middle value, or the mean of the middle two; NaN if one is NaN or there are none.
fn median<T: Element>(lane: &ArrayView1<'_, T>, values: &mut Vec<T>) -> C128 {
    values.clear();
    values.extend(lane);
    // Only NaN differs from itself.
    #[allow(clippy::eq_op)]
    if values.is_empty() || values.iter().any(|value| value != value) {
        return C128::new(f64::NAN, f64::NAN);
    }
    let wide = |value: T| -> C128 { Into::<Scalar>::into(value).get() };
    let order = |a: &T, b: &T| a.compare(*b).unwrap_or(std::cmp::Ordering::Equal);
    let middle = values.len() / 2;
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, order);
    match below.iter().copied().max_by(order) {
        Some(lower) if lane.len().is_multiple_of(2) => (wide(lower) + wide(upper)) / 2.0,
        _ => wide(upper),
    }
}

impl Operation for Median {
    fn name(&self) -> &'static str {
        "median"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&self.axis)
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let Some(input) = expr.inputs.first() else { return Ok(Vec::new()) };
        let sources = blocks(lowering, input)?;
        let layer = lowering.graph.layer(layer(expr, self.clone()));
        let tasks = sources.iter().enumerate().map(|(block, source)| {
            let bytes = expr.block_bytes(&expr.grid.place(block));
            Ok(lowering.graph.task(layer, block as u32, bytes, &[*source])?.into())
        });
        tasks.collect()
    }
}
