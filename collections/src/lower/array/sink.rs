//! Where a program's tiles become the states of a reduction.

use talatat_graph::{KernelError, KernelResult};

use super::source_error;
use crate::array::dtype::{Element, with_dtype};
use crate::array::grid::Dims;
use crate::array::kernels::program::Scratch;
use crate::array::kernels::reduce::{Accumulator, ReduceOp};
use crate::array::kernels::{Block, TileSink};

/// Rows up to this length that go to one lane each are first turned into columns that go to many.
const SHORT: usize = 192;

/// How many rows are turned at once; and the distance of columns in memory, which is no power of two so that the elements of a row
/// do not all fall on the same few lines of the cache.
const ROWS: usize = 240;
const STRIDE: usize = ROWS + 8;

/// Sends runs of elements to their lanes.
pub(super) struct ReduceSink {
    state: Accumulator,
    /// Steps of the lane number along each axis of the block; 0 along reduced axes.
    lane_steps: Dims,
    /// Steps along each axis of the index that `argmin` counts in, and the index of the block's first element.
    index_steps: Dims,
    index_origin: usize,
    last_reduced: bool,
    flat_from: usize,
    columns: Option<Columns>,
    error: Option<KernelError>,
}

impl ReduceSink {
    /// A sink for a block of `shape` at `origin` of an array of the shape `whole`, if that is known.
    pub(super) fn new(
        state: Accumulator,
        shape: &[usize],
        origin: &[usize],
        reduced: &[bool],
        whole: Option<&[usize]>,
    ) -> Self {
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
        let last_reduced = reduced.last().copied().unwrap_or(true);
        let suffix = reduced.iter().rev().take_while(|&&reduced| reduced == last_reduced).count();
        // A run over several reduced axes has no index of its own unless the block is as wide as the array.
        let indexed =
            matches!(state.op(), ReduceOp::ArgMin | ReduceOp::ArgMax | ReduceOp::NanArgMin | ReduceOp::NanArgMax);
        let flat_from = if last_reduced && indexed { ndim.saturating_sub(1) } else { ndim - suffix };
        let index_origin = origin.iter().zip(&index_steps).map(|(start, step)| start * step).sum();
        let run: usize = shape[flat_from..].iter().product();
        let turned = last_reduced && (2..=SHORT).contains(&run) && lane_step >= 8;
        ReduceSink {
            state,
            lane_steps,
            index_steps,
            index_origin,
            last_reduced,
            flat_from,
            columns: turned.then(Columns::default),
            error: None,
        }
    }

    /// Takes a whole block, row after row.
    pub(super) fn block(&mut self, block: &Block) -> KernelResult<()> {
        let shape = block.shape().to_vec();
        with_dtype!(block.dtype(), T => {
            let view = block.view::<T>().map_err(source_error)?;
            let flat: Vec<T> = view.iter().copied().collect();
            let width = shape.last().copied().unwrap_or(1).max(1);
            let mut position = Dims::from_elem(0, shape.len());
            for row in flat.chunks(width) {
                TileSink::row(self, &position, row);
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
    pub(super) fn finish(mut self) -> KernelResult<Accumulator> {
        if let Some(mut columns) = self.columns.take() {
            let taken = with_dtype!(self.state.input_dtype(), T => columns.flush::<T>(&mut self.state));
            self.note(taken);
        }
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.state),
        }
    }

    fn note(&mut self, taken: KernelResult<()>) {
        if let Err(error) = taken {
            self.error.get_or_insert(error);
        }
    }
}

impl TileSink for ReduceSink {
    fn row<T: Element>(&mut self, position: &[usize], values: &[T]) {
        let lane = position.iter().zip(&self.lane_steps).map(|(at, step)| at * step).sum();
        let along: usize = position.iter().zip(&self.index_steps).map(|(at, step)| at * step).sum();
        let index = (self.index_origin + along) as u64;
        let taken = match &mut self.columns {
            Some(columns) => columns.row(&mut self.state, lane, values, index),
            None if self.last_reduced => self.state.row_to_lane::<T>(lane, values, index).map_err(source_error),
            None => self.state.row_to_lanes::<T>(lane, values, index).map_err(source_error),
        };
        self.note(taken);
    }

    fn flat_from(&self, _: usize) -> usize {
        self.flat_from
    }
}

/// Rows of neighbouring lanes, turned: an accumulator takes a long row to many lanes in one go, where many short
/// rows to one lane each would cost a call each.
#[derive(Default)]
struct Columns {
    /// The first slot of the element type: column `j` begins at `j * STRIDE`.
    scratch: Scratch,
    first_lane: usize,
    index: u64,
    width: usize,
    rows: usize,
}

impl Columns {
    fn row<T: Element>(&mut self, state: &mut Accumulator, lane: usize, values: &[T], index: u64) -> KernelResult<()> {
        let next = lane == self.first_lane + self.rows && index == self.index && values.len() == self.width;
        if self.rows == ROWS || (self.rows > 0 && !next) {
            self.flush::<T>(state)?;
        }
        if self.rows == 0 {
            (self.first_lane, self.index, self.width) = (lane, index, values.len());
        }
        let slots = T::slots_mut(&mut self.scratch);
        if slots.is_empty() {
            slots.push(vec![T::default(); SHORT * STRIDE]);
        }
        for (place, &value) in slots[0].iter_mut().skip(self.rows).step_by(STRIDE).zip(values) {
            *place = value;
        }
        self.rows += 1;
        Ok(())
    }

    fn flush<T: Element>(&mut self, state: &mut Accumulator) -> KernelResult<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows == 0 {
            return Ok(());
        }
        let buffer = T::slots(&self.scratch).first().map_or(&[][..], Vec::as_slice);
        for (column, values) in buffer.chunks(STRIDE).take(self.width).enumerate() {
            let index = self.index + column as u64;
            state.row_to_lanes::<T>(self.first_lane, &values[..rows], index).map_err(source_error)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::dtype::DType;
    use crate::array::kernels::reduce::LaneValues;
    use proptest::prelude::*;

    proptest! {
        /// Short rows through columns give the bits that rows to lanes give.
        #[test]
        fn turned_rows_are_rows(lanes in 8_usize..600, width in 1_usize..20, op in prop::sample::select(vec![ReduceOp::Sum, ReduceOp::ArgMax, ReduceOp::Std { ddof: 0 }])) {
            let value = |at: usize| ((at * 7919) % 1013) as f64 * 0.37 - 100.0;
            let values: Vec<f64> = (0..lanes * width).map(value).collect();
            let mut plain = Accumulator::new(op, DType::F64, lanes).unwrap();
            let state = Accumulator::new(op, DType::F64, lanes).unwrap();
            let mut sink = ReduceSink::new(state, &[lanes, width], &[0, 3], &[false, true], Some(&[lanes, width + 3]));
            prop_assert_eq!(sink.columns.is_some(), width > 1);
            for (lane, row) in values.chunks(width).enumerate() {
                plain.row_to_lane(lane, row, 3).unwrap();
                TileSink::row(&mut sink, &[lane, 0], row);
            }
            let (expected, found) = (plain.finish().unwrap(), sink.finish().unwrap().finish().unwrap());
            let bits = |values: &LaneValues| format!("{values:?}");
            prop_assert_eq!(bits(&expected), bits(&found));
        }
    }
}
