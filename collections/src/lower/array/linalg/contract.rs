//! Products of blocks, added up in place along the contracted axes.

use std::sync::Arc;

use ndarray::{ArrayView3, ArrayViewD, Axis as NdAxis};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, TaskContext, Value};

use crate::array::build::{slice, touched};
use crate::array::dtype::{DType, with_dtype};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::kernels::{Block, linalg};
use crate::array::range::StepRange;
use crate::error::Result;
use crate::lower::array::neighbours::halo::each_of;
use crate::lower::array::{Lowering, Operation, Reads, array, blocks, encode, layer, owned, source_error};

pub(in crate::lower::array) const NAME: &str = "array.contract";

/// `array.contract`: the sum over the contracted axes of products, added to a third input if there is one; and sums of such sums.
///
/// The axes of the result are the shared ones, those of the left input, those of the right one. The left input has the shared axes, its own, the
/// contracted ones; the right input the shared axes, the contracted ones, its own: cut alike where they are the same.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Contract {
    /// How many axes both inputs and the result have.
    pub(crate) shared: usize,
    /// How many axes only the left input has.
    pub(crate) left: usize,
    /// How many axes only the right input has.
    pub(crate) right: usize,
    /// How many axes are contracted.
    pub(crate) inner: usize,
    /// Whether in an input the contracted axes and its own have changed places.
    pub(crate) turned: [bool; 2],
    pub(crate) dtype: DType,
}

/// An only chain of products would leave other threads idle.
const FEW: usize = 8;
/// So many chains are made of one then, if they are at least so long.
const CHAINS: usize = 4;

impl Contract {
    /// An input as a stack of matrices.
    fn stack<'a, T: crate::array::dtype::Element>(
        &self,
        view: &'a ndarray::CowArray<'_, T, ndarray::IxDyn>,
        own: usize,
        turned: bool,
        left: bool,
    ) -> KernelResult<ArrayView3<'a, T>> {
        if view.ndim() != self.shared + own + self.inner {
            return Err(KernelError::new(format!("a product of a block of {} axes", view.ndim())));
        }
        let shape = view.shape();
        let first = if turned == left { self.inner } else { own };
        let product = |axes: &[usize]| axes.iter().product::<usize>();
        let (lead, rest) = shape.split_at(self.shared);
        let (rows, columns) = rest.split_at(first);
        let dims = (product(lead), product(rows), product(columns));
        let stack = view.view().into_shape_with_order(dims).map_err(source_error)?;
        Ok(if turned { stack.permuted_axes([0, 2, 1]) } else { stack })
    }

    fn shape(&self, left: &[usize], right: &[usize]) -> Dims {
        let own =
            |shape: &[usize], skip: usize, count: usize| shape.iter().skip(skip).take(count).copied().collect::<Dims>();
        let skip_left = self.shared + if self.turned[0] { self.inner } else { 0 };
        let skip_right = self.shared + if self.turned[1] { 0 } else { self.inner };
        let mut shape = own(left, 0, self.shared);
        shape.extend(own(left, skip_left, self.left));
        shape.extend(own(right, skip_right, self.right));
        shape
    }
}

impl Kernel for Contract {
    fn name(&self) -> &str {
        NAME
    }

    fn describe(&self) -> String {
        Operation::describe(self)
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let [left, right, rest @ ..] = inputs else {
            return Err(KernelError::new("a product needs two blocks"));
        };
        let (left, right) = (array(left)?, array(right)?);
        let result = match rest.first_mut() {
            Some(sum) => Some(owned(sum)?),
            None => None,
        };
        with_dtype!(self.dtype, T => {
            let shape = self.shape(left.shape(), right.shape());
            let (left, right) = (left.view::<T>().map_err(source_error)?, right.view::<T>().map_err(source_error)?);
            let (left, right): (ArrayViewD<'_, T>, ArrayViewD<'_, T>) = (left, right);
            let (left, right) = (left.as_standard_layout(), right.as_standard_layout());
            let left = self.stack(&left, self.left, self.turned[0], true)?;
            let right = self.stack(&right, self.right, self.turned[1], false)?;
            let mut sum = match result {
                Some(block) => block,
                None => Block::full::<T>(&shape, T::default()).map_err(source_error)?,
            };
            let mut view = sum.view_mut::<T>().map_err(source_error)?;
            let dims = (left.len_of(NdAxis(0)), left.len_of(NdAxis(1)), right.len_of(NdAxis(2)));
            let fits = left.len_of(NdAxis(0)) == right.len_of(NdAxis(0)) && left.len_of(NdAxis(2)) == right.len_of(NdAxis(1));
            if view.shape() != shape.as_slice() || !fits {
                let found = view.shape();
                return Err(KernelError::new(format!("a product of shape {shape:?} added to {found:?}")));
            }
            let mut sums = view.view_mut().into_shape_with_order(dims).map_err(source_error)?;
            for ((left, right), sum) in left.outer_iter().zip(right.outer_iter()).zip(sums.outer_iter_mut()) {
                linalg::add_product::<T>(left, right, sum).map_err(source_error)?;
            }
            Ok(Value::block(sum))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.sum_of`: one block added to another.
#[derive(Serialize, Deserialize)]
pub(in crate::lower::array) struct SumOf {
    dtype: DType,
}

pub(in crate::lower::array) const SUM_OF: &str = "array.sum_of";

impl Kernel for SumOf {
    fn name(&self) -> &str {
        SUM_OF
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let [sum, other] = inputs else { return Err(KernelError::new("a sum needs two blocks")) };
        let mut sum = owned(sum)?;
        with_dtype!(self.dtype, T => {
            let other = array(other)?.view::<T>().map_err(source_error)?;
            linalg::add_to::<T>(sum.view_mut::<T>().map_err(source_error)?, other).map_err(source_error)?;
        });
        Ok(Value::block(sum))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

impl Operation for Contract {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(self)
    }

    fn describe(&self) -> String {
        match (self.shared, self.left, self.right, self.inner) {
            (_, 1, 1, 1) => format!("matmul {}", self.dtype),
            (shared, left, right, inner) => {
                format!("contract {inner} axes, {shared} shared, {left} and {right} more, {}", self.dtype)
            }
        }
    }

    /// Rows of the left input and columns of the right one; of numbers that are rounded only whole blocks, below.
    fn follows(&self, _: &Expr) -> Vec<Reads> {
        if self.dtype.is_inexact() {
            return Vec::new();
        }
        let reads = |own: std::ops::Range<usize>, inner_first: bool| -> Reads {
            let inner = std::iter::repeat_n(None, self.inner);
            let own = own.map(Some);
            let shared = (0..self.shared).map(Some);
            if inner_first {
                shared.chain(inner).chain(own).collect()
            } else {
                shared.chain(own).chain(inner).collect()
            }
        };
        let middle = self.shared + self.left;
        vec![reads(self.shared..middle, self.turned[0]), reads(middle..middle + self.right, !self.turned[1])]
    }

    fn sliced(&self, expr: &Expr, _: &Expr, ranges: &[StepRange]) -> Option<ExprRef> {
        let [left, right] = expr.inputs.as_slice() else { return None };
        // Whole blocks are made: a part of a product could be rounded in another way.
        let mut own = ranges.to_vec();
        let mut wanted: Vec<StepRange> = Vec::with_capacity(ranges.len());
        for (axis, range) in expr.grid.axes().iter().zip(&mut own) {
            wanted.push(whole_chunks(axis, range).unwrap_or_else(|| StepRange::all(axis.length().unwrap_or(0))));
        }
        let all = |axis: &Axis| StepRange::all(axis.length().unwrap_or(0));
        if expr.grid.axes().iter().zip(&wanted).all(|(axis, range)| all(axis) == *range) {
            return None;
        }
        let (shared, rest) = wanted.split_at(self.shared);
        let (rows, columns) = rest.split_at(self.left);
        let inner: Vec<StepRange> = {
            let skip = self.shared + if self.turned[0] { 0 } else { self.left };
            left.grid.axes().iter().skip(skip).take(self.inner).map(all).collect()
        };
        let of = |own: &[StepRange], inner_first: bool| -> Vec<StepRange> {
            let (first, second) = if inner_first { (inner.as_slice(), own) } else { (own, inner.as_slice()) };
            [shared, first, second].concat()
        };
        let left = slice(left, of(rows, self.turned[0]), expr.location);
        let right = slice(right, of(columns, !self.turned[1]), expr.location);
        let grid = Grid::new(
            expr.grid.axes().iter().zip(&wanted).map(|(axis, range)| crate::array::build::slice_axis(axis, range)),
        );
        let product = expr.with(grid, Op::Custom(Arc::new(self.clone())), [left, right]);
        Some(slice(&product, own, expr.location))
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let [left, right] = expr.inputs.as_slice() else { return Ok(Vec::new()) };
        let (left_blocks, right_blocks) = (blocks(lowering, left)?, blocks(lowering, right)?);
        let skip = self.shared + if self.turned[0] { 0 } else { self.left };
        let counts = left.grid.chunk_counts();
        let inner: SmallVec<[Vec<usize>; 4]> =
            counts.iter().skip(skip).take(self.inner).map(|&count| (0..count).collect()).collect();
        let along: SmallVec<[&[usize]; 4]> = inner.iter().map(Vec::as_slice).collect();
        let mut steps: Vec<Dims> = Vec::new();
        each_of(&along, |at| steps.push(at.into()));
        let few = expr.grid.blocks() < FEW && steps.len() >= 2 * CHAINS;
        let chains: Vec<&[Dims]> =
            if few { steps.chunks(steps.len().div_ceil(CHAINS)).collect() } else { vec![&steps] };
        let product = lowering.graph.layer(layer(expr, self.clone()));
        let sum_key = expr.key.combine(talatat_graph::Key::of(SUM_OF, &[]).bits());
        let mut sums = layer(expr, SumOf { dtype: expr.dtype });
        sums.key = sum_key;
        let sums = lowering.graph.layer(sums);
        let mut made = Vec::with_capacity(expr.grid.blocks());
        let mut number = 0;
        for block in 0..expr.grid.blocks() {
            let place = expr.grid.place(block);
            let bytes = expr.block_bytes(&place);
            let (shared, rest) = place.split_at(self.shared);
            let (rows, columns) = rest.split_at(self.left);
            let at = |own: &[usize], inner: &[usize], inner_first: bool| -> Dims {
                let (first, second) = if inner_first { (inner, own) } else { (own, inner) };
                shared.iter().chain(first).chain(second).copied().collect()
            };
            let mut total: Option<Edge> = None;
            for (chain, steps) in chains.iter().enumerate() {
                let mut sum: Option<Edge> = None;
                for step in *steps {
                    let mut edges: SmallVec<[Edge; 3]> = SmallVec::new();
                    edges.push(left_blocks[left.grid.block_at(&at(rows, step, self.turned[0]))]);
                    edges.push(right_blocks[right.grid.block_at(&at(columns, step, !self.turned[1]))]);
                    edges.extend(sum);
                    sum = Some(lowering.graph.task(product, number, bytes, &edges)?.into());
                    number += 1;
                }
                total = match (total, sum) {
                    (Some(total), Some(sum)) => {
                        let number = (block * CHAINS + chain) as u32;
                        Some(lowering.graph.task(sums, number, bytes, &[total, sum])?.into())
                    }
                    (total, sum) => total.or(sum),
                };
            }
            made.extend(total);
        }
        Ok(made)
    }
}

/// The whole chunks that a range of an axis touches; the range is from then on counted from where they begin.
fn whole_chunks(axis: &Axis, range: &mut StepRange) -> Option<StepRange> {
    let bounds = axis.bounds()?;
    if range.length == 0 || bounds.windows(2).any(|pair| pair[0] == pair[1]) {
        return None;
    }
    let (low, high) = touched(bounds, range)
        .fold((usize::MAX, 0), |(low, high), piece| (low.min(piece.chunk), high.max(piece.chunk)));
    let start = *bounds.get(low)?;
    range.start -= start;
    Some(StepRange { start, step: 1, length: bounds.get(high + 1)? - start })
}
