//! Products of blocks, added up in place along the contracted axis.

use std::sync::Arc;

use ndarray::{ArrayView2, ArrayViewD, ArrayViewMut2, Axis as NdAxis, Ix2};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, TaskContext, Value};

use super::{Lowering, array, blocks, encode, layer, source_error};
use crate::array::dtype::{DType, with_dtype};
use crate::array::expr::{Expr, ExprRef};
use crate::array::grid::Dims;
use crate::array::kernels::{Block, linalg};
use crate::error::Result;

pub(super) const NAME: &str = "array.matmul";

/// `array.matmul`: `left @ right`, added to a third input if there is one.
#[derive(Serialize, Deserialize)]
pub(super) struct MatMul {
    dtype: DType,
}

impl Kernel for MatMul {
    fn name(&self) -> &str {
        NAME
    }

    fn describe(&self) -> String {
        format!("matmul {}", self.dtype)
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let [left, right, rest @ ..] = inputs else {
            return Err(KernelError::new("a product needs two blocks"));
        };
        let (left, right) = (array(left)?, array(right)?);
        let result = match rest.first_mut() {
            Some(sum) => match Arc::try_unwrap(sum.take::<Block>()?) {
                Ok(block) => Some(block),
                Err(shared) => Some((*shared).clone()),
            },
            None => None,
        };
        let result = with_dtype!(self.dtype, T => {
            let left = left.view::<T>().map_err(source_error)?;
            let right = right.view::<T>().map_err(source_error)?;
            let shape = linalg::product_shape(left.shape(), right.shape()).map_err(source_error)?;
            let mut sum = match result {
                Some(block) => block,
                None => Block::full::<T>(&shape, T::default()).map_err(source_error)?,
            };
            let mut view = sum.view_mut::<T>().map_err(source_error)?;
            if view.shape() != shape {
                return Err(KernelError::new(format!("a product of shape {shape:?} added to {:?}", view.shape())));
            }
            each_matrix(left, right, view.view_mut(), &mut linalg::add_product::<T>)?;
            sum
        });
        Ok(Value::block(result))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// Calls `product` for the matrices at each index of the leading axes.
fn each_matrix<T>(
    left: ArrayViewD<'_, T>,
    right: ArrayViewD<'_, T>,
    mut sum: ndarray::ArrayViewMutD<'_, T>,
    product: &mut impl FnMut(ArrayView2<'_, T>, ArrayView2<'_, T>, ArrayViewMut2<'_, T>),
) -> KernelResult<()> {
    if sum.ndim() > 2 {
        for index in 0..sum.len_of(NdAxis(0)) {
            let sum = sum.index_axis_mut(NdAxis(0), index);
            each_matrix(left.index_axis(NdAxis(0), index), right.index_axis(NdAxis(0), index), sum, product)?;
        }
        return Ok(());
    }
    let left = left.into_dimensionality::<Ix2>().map_err(source_error)?;
    let right = right.into_dimensionality::<Ix2>().map_err(source_error)?;
    product(left, right, sum.into_dimensionality::<Ix2>().map_err(source_error)?);
    Ok(())
}

pub(super) fn lower(lowering: &mut Lowering, expr: &Expr, left: &ExprRef, right: &ExprRef) -> Result<Vec<Edge>> {
    let (left_blocks, right_blocks) = (blocks(lowering, left)?, blocks(lowering, right)?);
    let depth = left.grid.axes().last().map_or(0, |axis| axis.chunks());
    let layer = lowering.graph.layer(layer(expr, MatMul { dtype: expr.dtype }));
    let ndim = expr.ndim();
    let mut made = Vec::with_capacity(expr.grid.blocks());
    for block in 0..expr.grid.blocks() {
        let place = expr.grid.place(block);
        let bytes = expr.block_bytes(&place);
        let mut sum: Option<Edge> = None;
        for step in 0..depth {
            let (mut at_left, mut at_right): (Dims, Dims) = (place.clone(), place.clone());
            at_left[ndim - 1] = step;
            at_right[ndim - 2] = step;
            let mut edges: SmallVec<[Edge; 3]> = SmallVec::new();
            edges.push(left_blocks[left.grid.block_at(&at_left)]);
            edges.push(right_blocks[right.grid.block_at(&at_right)]);
            edges.extend(sum);
            sum = Some(lowering.graph.task(layer, (block * depth + step) as u32, bytes, &edges)?.into());
        }
        made.extend(sum);
    }
    Ok(made)
}
