//! Where a program's tiles become the states of a reduction.

use smallvec::SmallVec;

use super::{Accumulator, ReduceError, ReduceOp, Slab};
use crate::Block;
use crate::dtype::{Element, with_dtype};
use crate::error::Result;
use crate::program::{Arg, Compiled, TileSink};

type Dims = SmallVec<[usize; 4]>;

/// A block that is reduced, and where it is in the array.
#[derive(Clone, Copy, Debug)]
pub struct Reduced<'a> {
    /// The shape of the block.
    pub shape: &'a [usize],
    /// The index of its first element.
    pub origin: &'a [usize],
    /// Which axes are reduced.
    pub axes: &'a [bool],
    /// The shape of the array, if it is known: `argmin` and its like over all axes count in it.
    pub whole: Option<&'a [usize]>,
}

/// Evaluates a program on blocks and takes its result, which is never written, into `state`.
///
/// ```
/// use talatat_kernels::Block;
/// use talatat_kernels::dtype::DType;
/// use talatat_kernels::program::{Builder, Input, UnaryOp};
/// use talatat_kernels::reduce::{Accumulator, LaneValues, ReduceOp, Reduced, reduce};
///
/// let mut b = Builder::new(2);
/// let x = b.input(Input::identity(DType::F64, 2));
/// let root = b.unary(UnaryOp::Sqrt, x)?;
/// let program = b.finish(root)?.compile()?;
/// let x = Block::from_vec(&[2, 2], vec![1.0, 4.0, 9.0, 16.0])?;
/// let state = Accumulator::new(ReduceOp::Sum, DType::F64, 2)?;
/// let rows = Reduced { shape: &[2, 2], origin: &[0, 0], axes: &[false, true], whole: None };
/// let sums = reduce(state, &program, &[&x], rows)?;
/// assert_eq!(sums.finish()?, LaneValues::F64(vec![3.0, 7.0]));
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// Those of [`Compiled::eval`] and [`Accumulator::runs`].
pub fn reduce(state: Accumulator, program: &Compiled, blocks: &[&Block], place: Reduced<'_>) -> Result<Accumulator> {
    let ordered = state.op().is_ordered(state.input_dtype());
    let mut sink = ReduceSink::new(state, place);
    if ordered {
        // Tiles come in any order: the rows of a finished block do not.
        let args = blocks.iter().map(|block| Arg::Borrowed(block)).collect();
        sink.block(&program.eval(args, place.shape, place.origin)?)?;
    } else {
        program.eval_tiles(blocks, place.shape, place.origin, &mut sink)?;
    }
    Ok(sink.finish()?)
}

/// Sends slabs of elements to their lanes.
struct ReduceSink {
    state: Accumulator,
    /// Steps of the lane number along each axis of the block; 0 along reduced axes.
    lane_steps: Dims,
    /// Steps along each axis of the index that `argmin` counts in, and the index of the block's first element.
    index_steps: Dims,
    index_origin: usize,
    last_reduced: bool,
    parts: SmallVec<[bool; 4]>,
    error: Option<ReduceError>,
}

impl ReduceSink {
    fn new(state: Accumulator, Reduced { shape, origin, axes: reduced, whole }: Reduced<'_>) -> Self {
        let ndim = shape.len();
        let (mut lane_steps, mut index_steps) = (Dims::from_elem(0, ndim), Dims::from_elem(0, ndim));
        let (mut lane_step, mut index_step) = (1, 1);
        for axis in (0..ndim).rev() {
            if reduced[axis] {
                index_steps[axis] = index_step;
                index_step *= whole.map_or(shape[axis], |whole| whole[axis]);
            } else {
                lane_steps[axis] = lane_step;
                lane_step *= shape[axis];
            }
        }
        // An index runs on over several reduced axes only where the block is as wide as the array.
        let indexed =
            matches!(state.op(), ReduceOp::ArgMin | ReduceOp::ArgMax | ReduceOp::NanArgMin | ReduceOp::NanArgMax);
        let parts = (0..ndim)
            .map(|axis| axis > 0 && (reduced[axis] != reduced[axis - 1] || (indexed && reduced[axis])))
            .collect();
        let index_origin = origin.iter().zip(&index_steps).map(|(start, step)| start * step).sum();
        ReduceSink {
            state,
            lane_steps,
            index_steps,
            index_origin,
            last_reduced: reduced.last().copied().unwrap_or(true),
            parts,
            error: None,
        }
    }

    /// Takes a whole block, row after row.
    fn block(&mut self, block: &Block) -> Result<()> {
        let shape = block.shape().to_vec();
        with_dtype!(block.dtype(), T => {
            let view = block.view::<T>()?;
            let flat: Vec<T> = view.iter().copied().collect();
            let width = shape.last().copied().unwrap_or(1).max(1);
            let mut position = Dims::from_elem(0, shape.len());
            for row in flat.chunks(width) {
                self.slab(&position, 0, Slab::row(row));
                for axis in (0..shape.len().saturating_sub(1)).rev() {
                    position[axis] += 1;
                    if position[axis] < shape[axis] {
                        break;
                    }
                    position[axis] = 0;
                }
            }
        });
        Ok(())
    }

    /// The state of all that came.
    fn finish(self) -> Result<Accumulator, ReduceError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.state),
        }
    }

    fn take<T: Element>(
        &mut self,
        lane: usize,
        index: usize,
        steps: (usize, usize),
        slab: Slab<'_, T>,
    ) -> Result<(), ReduceError> {
        let state = &mut self.state;
        match (self.last_reduced, steps) {
            // One column that lies in one piece is a run.
            (false, (0, 1)) if slab.width() == 1 && slab.flat().is_some() => {
                state.runs(lane, Slab::row(slab.flat().unwrap_or(&[])), index as u64)
            }
            (false, (0, step)) => state.columns(lane, slab, index as u64, step as u64),
            (true, (1, 0)) => state.runs(lane, slab, index as u64),
            (last_reduced, (lane_step, index_step)) => slab.iter().enumerate().try_for_each(|(i, row)| {
                let (lane, index) = (lane + i * lane_step, (index + i * index_step) as u64);
                let row = Slab::row(row);
                if last_reduced { state.runs(lane, row, index) } else { state.columns(lane, row, index, 0) }
            }),
        }
    }
}

impl TileSink for ReduceSink {
    fn slab<T: Element>(&mut self, position: &[usize], axis: usize, slab: Slab<'_, T>) {
        let at = |steps: &Dims| position.iter().zip(steps).map(|(at, step)| at * step).sum::<usize>();
        let (lane, index) = (at(&self.lane_steps), self.index_origin + at(&self.index_steps));
        let step = |steps: &Dims| steps.get(axis).copied().unwrap_or(0);
        let steps = (step(&self.lane_steps), step(&self.index_steps));
        if let Err(error) = self.take(lane, index, steps, slab) {
            self.error.get_or_insert(error);
        }
    }

    fn parts(&self, axis: usize) -> bool {
        self.parts.get(axis).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dtype::DType;
    use crate::program::{Builder, Input, UnaryOp};
    use crate::reduce::LaneValues;

    /// Reduces a block with a program that is the identity, or nearly.
    fn reduce(op: ReduceOp, block: &Block, reduced: &[bool], computed: bool) -> LaneValues {
        let shape = block.shape().to_vec();
        let lanes = shape.iter().zip(reduced).filter(|(_, reduced)| !**reduced).map(|(n, _)| n).product();
        let mut builder = Builder::new(shape.len());
        let mut result = builder.input(Input::identity(DType::F64, shape.len()));
        if computed {
            result = builder.unary(UnaryOp::Neg, result).unwrap();
            result = builder.unary(UnaryOp::Neg, result).unwrap();
        }
        let program = builder.finish(result).unwrap().compile().unwrap();
        let state = Accumulator::new(op, DType::F64, lanes).unwrap();
        let origin = vec![0; shape.len()];
        let place = Reduced { shape: &shape, origin: &origin, axes: reduced, whole: Some(&shape) };
        super::reduce(state, &program, &[block], place).unwrap().finish().unwrap()
    }

    proptest! {
        /// Slabs of any form and memory give the bits that one element after the other gives.
        #[test]
        fn slabs_are_elements(
            shape in prop::collection::vec(prop_oneof![4 => 1_usize..7, 1 => 60_usize..90], 1..5),
            reduced in prop::collection::vec(any::<bool>(), 5),
            turned in any::<bool>(),
            op in prop::sample::select(vec![
                ReduceOp::Sum, ReduceOp::NanMean, ReduceOp::Std { ddof: 0 }, ReduceOp::Max, ReduceOp::ArgMax, ReduceOp::NanArgMin,
            ]),
            spread in prop::sample::select(vec![0, 3, 40]),
        ) {
            prop_assume!(shape.iter().product::<usize>() < 30_000);
            let mut reduced = reduced[..shape.len()].to_vec();
            if matches!(op, ReduceOp::ArgMax | ReduceOp::NanArgMin) {
                // Along one axis, or all.
                let one = reduced.iter().position(|&r| r);
                reduced.iter_mut().enumerate().for_each(|(axis, r)| *r = one.is_none_or(|one| one == axis));
            }
            let value = |at: usize| {
                let x = ((at * 7919) % 1013) as f64 * 0.37 - 100.0;
                if at.is_multiple_of(17) && spread == 3 { f64::NAN } else { x * 10f64.powi((at % 7) as i32 * spread) }
            };
            let n = shape.iter().product();
            let values = ndarray::ArrayD::from_shape_vec(shape.clone(), (0..n).map(value).collect()).unwrap();
            let block = match turned {
                true => Block::from_shared(values.clone().reversed_axes().as_standard_layout().into_owned().reversed_axes().into_shared()),
                false => Block::from_shared(values.clone().into_shared()),
            };
            let lanes: Vec<usize> = {
                let mut number = 0;
                let kept: Vec<usize> = (0..shape.len()).filter(|&axis| !reduced[axis]).collect();
                let mut of = std::collections::HashMap::new();
                values.indexed_iter().map(|(index, _)| {
                    let key: Vec<usize> = kept.iter().map(|&axis| index[axis]).collect();
                    *of.entry(key).or_insert_with(|| { number += 1; number - 1 })
                }).collect()
            };
            let mut plain = Accumulator::new(op, DType::F64, lanes.iter().max().unwrap() + 1).unwrap();
            let axis = reduced.iter().position(|&r| r);
            let all = reduced.iter().all(|&r| r);
            for (at, ((index, &x), &lane)) in values.indexed_iter().zip(&lanes).enumerate() {
                let index = if all { at } else { axis.map_or(0, |axis| index[axis]) };
                plain.runs(lane, Slab::row(&[x]), index as u64).unwrap();
            }
            if let Ok(expected) = plain.finish() {
                for computed in [false, true] {
                    let found = reduce(op, &block, &reduced, computed);
                    prop_assert_eq!(format!("{:?}", expected), format!("{:?}", found));
                }
            }
        }
    }
}
