//! Reductions of groups of rows: each index of an axis belongs to a group, and each group is reduced by itself.
//!
//! A block is seen as `[outer, rows, inner]` around the grouped axis, the result as `[outer, groups, inner]`. Where `inner` is wide, neighbouring
//! rows of one group go to their lanes as they lie; where it is narrow, the rows are first sorted by group, in the order of the index.

use std::ops::Range;

use super::{Accumulator, LaneValues, ReduceOp, Reducible, Slab};
use crate::Block;
use crate::dtype::{Element, with_dtype};
use crate::error::{KernelError, Result};
use crate::pool;

/// Rows at least this wide are taken as they lie.
const WIDE: usize = 32;

/// About so many lanes are reduced at a time when whole groups are: their states stay in the cache.
const TILE: usize = 4096;

/// A block and the groups of its rows.
#[derive(Clone, Copy, Debug)]
pub struct Grouped<'a> {
    /// The block.
    pub block: &'a Block,
    /// The group of each index along the axis.
    pub codes: &'a [u32],
}

/// The shape of a block around an axis, and the rows of each group.
struct Rows {
    outer: usize,
    rows: usize,
    inner: usize,
    /// The indices along the axis in the order of their groups; those of group `g` are `order[starts[g]..starts[g + 1]]`.
    order: Vec<usize>,
    starts: Vec<usize>,
}

impl Rows {
    fn new(grouped: Grouped<'_>, axis: usize, groups: &Range<u32>) -> Result<Rows> {
        let shape = grouped.block.shape();
        let rows = *shape.get(axis).ok_or(KernelError::Axis { axis, ndim: shape.len() })?;
        if rows != grouped.codes.len() {
            let operation = "the groups of an axis".to_owned();
            return Err(KernelError::ShapeMismatch {
                operation,
                expected: vec![rows],
                found: vec![grouped.codes.len()],
            });
        }
        // A counting sort, which keeps the order within a group.
        let count = groups.len();
        let mut starts = vec![0; count + 1];
        let inside = || grouped.codes.iter().enumerate().filter(|(_, code)| groups.contains(code));
        inside().for_each(|(_, code)| starts[(code - groups.start) as usize + 1] += 1);
        for group in 0..count {
            starts[group + 1] += starts[group];
        }
        let mut next = starts.clone();
        let mut order = vec![0; starts[count]];
        for (row, code) in inside() {
            let slot = &mut next[(code - groups.start) as usize];
            order[*slot] = row;
            *slot += 1;
        }
        let (outer, inner) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
        Ok(Rows { outer, rows, inner, order, starts })
    }

    /// Takes the lanes `columns` of the rows `outer`, whose lanes begin at 0.
    fn take<T: Reducible>(
        &self,
        state: &mut Accumulator,
        values: &[T],
        outer: Range<usize>,
        groups: Range<usize>,
        columns: Range<usize>,
        buffer: &mut Vec<T>,
    ) -> Result<()> {
        let width = columns.len();
        for (slot, at) in outer.enumerate() {
            let values = &values[at * self.rows * self.inner..(at + 1) * self.rows * self.inner];
            for (position, group) in groups.clone().enumerate() {
                let rows = &self.order[self.starts[group]..self.starts[group + 1]];
                if rows.is_empty() || width == 0 {
                    continue;
                }
                let lane = (slot * groups.len() + position) * width;
                if width >= WIDE {
                    for run in rows.chunk_by(|a, b| a + 1 == *b) {
                        let part = &values[run[0] * self.inner + columns.start..];
                        let slab = Slab::new(part, run.len(), width, self.inner);
                        state.columns(lane, slab.unwrap_or(Slab::row(&[])), 0, 1)?;
                    }
                    continue;
                }
                buffer.clear();
                for row in rows {
                    let start = row * self.inner;
                    buffer.extend_from_slice(&values[start + columns.start..start + columns.end]);
                }
                if width == 1 {
                    state.runs(lane, Slab::row(buffer), 0)?;
                } else {
                    let slab = Slab::new(buffer, rows.len(), width, width);
                    state.columns(lane, slab.unwrap_or(Slab::row(&[])), 0, 1)?;
                }
            }
        }
        Ok(())
    }
}

/// Takes the rows of some groups into a state of `[outer, groups, inner]` lanes; rows of other groups are left out.
///
/// ```
/// use talatat_kernels::Block;
/// use talatat_kernels::dtype::DType;
/// use talatat_kernels::reduce::{Accumulator, Grouped, LaneValues, ReduceOp, group_into};
/// let block = Block::from_vec(&[4], vec![1_i64, 2, 3, 4])?;
/// let mut state = Accumulator::new(ReduceOp::Sum, DType::I64, 2)?;
/// group_into(&mut state, Grouped { block: &block, codes: &[0, 1, 0, 7] }, 0, 0..2)?;
/// assert_eq!(state.finish()?, LaneValues::I64(vec![4, 2]));
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If there is not one code for each index of the axis, or the state has other lanes or another dtype. Positions
/// ([`ReduceOp::ArgMin`] and its like) have no meaning here.
pub fn group_into(state: &mut Accumulator, grouped: Grouped<'_>, axis: usize, groups: Range<u32>) -> Result<()> {
    let rows = Rows::new(grouped, axis, &groups)?;
    let expected = rows.outer * groups.len() * rows.inner;
    if state.lanes() != expected {
        let operation = "lanes of groups".to_owned();
        return Err(KernelError::ShapeMismatch { operation, expected: vec![expected], found: vec![state.lanes()] });
    }
    with_dtype!(grouped.block.dtype(), T => {
        let view = grouped.block.view::<T>()?;
        let values = view.as_standard_layout();
        let values = values.as_slice().unwrap_or_default();
        rows.take(state, values, 0..rows.outer, 0..groups.len(), 0..rows.inner, &mut Vec::new())
    })
}

/// The reduction of some groups whose rows are all in these blocks, which follow each other along the axis. States never leave the cache.
///
/// ```
/// use talatat_kernels::Block;
/// use talatat_kernels::reduce::{Grouped, ReduceOp, group_whole};
/// let block = Block::from_vec(&[4], vec![1.0, 2.0, 3.0, 4.0])?;
/// let means = group_whole(ReduceOp::Mean, &[Grouped { block: &block, codes: &[0, 1, 0, 1] }], 0, 0..2)?;
/// assert_eq!(means, Block::from_vec(&[2], vec![2.0, 3.0])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// As [`group_into`], and if the blocks differ in their other axes or dtypes, or a group without rows has no result.
pub fn group_whole(op: ReduceOp, blocks: &[Grouped<'_>], axis: usize, groups: Range<u32>) -> Result<Block> {
    let first = blocks.first().ok_or(KernelError::Arguments { operation: "groups", expected: 1, found: 0 })?.block;
    let mut shape = first.shape().to_vec();
    for other in blocks {
        let same = other.block.shape().iter().zip(&shape).enumerate().all(|(other, (a, b))| other == axis || a == b);
        if !same || other.block.ndim() != shape.len() {
            let (expected, found) = (shape, other.block.shape().to_vec());
            return Err(KernelError::ShapeMismatch { operation: "blocks of groups".to_owned(), expected, found });
        }
    }
    let rows = blocks.iter().map(|grouped| Rows::new(*grouped, axis, &groups)).collect::<Result<Vec<_>>>()?;
    shape[axis] = groups.len();
    with_dtype!(op.output_dtype(first.dtype()), U => {
        let mut flat: Vec<U> = pool::take(shape.iter().product());
        with_dtype!(first.dtype(), T => whole::<T, U>(op, blocks, &rows, groups.len(), &mut flat)?);
        Block::from_vec(&shape, flat)
    })
}

fn whole<T: Element, U: Element>(
    op: ReduceOp,
    blocks: &[Grouped<'_>],
    rows: &[Rows],
    groups: usize,
    flat: &mut [U],
) -> Result<()> {
    let views = blocks.iter().map(|grouped| grouped.block.view::<T>()).collect::<Result<Vec<_>>>()?;
    let standard: Vec<_> = views.iter().map(|view| view.as_standard_layout()).collect();
    let values: Vec<&[T]> = standard.iter().map(|view| view.as_slice().unwrap_or_default()).collect();
    let [first, ..] = rows else { return Ok(()) };
    let (outer, inner) = (first.outer, first.inner);
    let mut buffer = Vec::new();
    let mut reduce = |outer: Range<usize>, groups: Range<usize>, columns: Range<usize>| -> Result<LaneValues> {
        let mut state = Accumulator::new(op, T::DTYPE, outer.len() * groups.len() * columns.len())?;
        for (rows, values) in rows.iter().zip(&values) {
            rows.take(&mut state, values, outer.clone(), groups.clone(), columns.clone(), &mut buffer)?;
        }
        Ok(state.finish()?)
    };
    let put = |lanes: &LaneValues, target: &mut [U]| {
        if let Some(lanes) = <U as Reducible>::lanes(lanes) {
            target.copy_from_slice(lanes);
        }
    };
    if inner >= WIDE {
        for (row, target) in flat.chunks_exact_mut(inner).enumerate() {
            let (at, group) = (row / groups, row % groups);
            let tiles = inner.div_ceil(TILE);
            for tile in 0..tiles {
                // Tiles of about the same width, none of them narrow.
                let columns = tile * inner / tiles..(tile + 1) * inner / tiles;
                put(&reduce(at..at + 1, group..group + 1, columns.clone())?, &mut target[columns]);
            }
        }
        return Ok(());
    }
    let lanes = groups * inner;
    let most = (TILE / lanes.max(1)).max(1);
    for start in (0..outer).step_by(most) {
        let end = (start + most).min(outer);
        put(&reduce(start..end, 0..groups, 0..inner)?, &mut flat[start * lanes..end * lanes]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reduce::{Reduced, reduce};

    /// Each group's rows on their own through an ordinary reduction.
    fn plain(op: ReduceOp, block: &Block, codes: &[u32], axis: usize, groups: usize) -> Block {
        let view = block.view::<f64>().unwrap();
        let mut shape = block.shape().to_vec();
        let parts: Vec<_> = (0..groups as u32)
            .map(|group| {
                let rows: Vec<usize> = (0..codes.len()).filter(|&row| codes[row] == group).collect();
                let part = Block::from_array(view.select(ndarray::Axis(axis), &rows));
                let mut builder = crate::program::Builder::new(part.ndim());
                let input = builder.input(crate::program::Input::identity(part.dtype(), part.ndim()));
                let program = builder.finish(input).unwrap().compile().unwrap();
                let axes: Vec<bool> = (0..part.ndim()).map(|other| other == axis).collect();
                let lanes = part.shape().iter().zip(&axes).filter(|(_, axis)| !**axis).map(|(n, _)| n).product();
                let state = Accumulator::new(op, part.dtype(), lanes).unwrap();
                let origin = vec![0; part.ndim()];
                let place = Reduced { shape: part.shape(), origin: &origin, axes: &axes, whole: None };
                let LaneValues::F64(values) = reduce(state, &program, &[&part], place).unwrap().finish().unwrap()
                else {
                    panic!("floats")
                };
                let mut one = part.shape().to_vec();
                one[axis] = 1;
                ndarray::ArrayD::from_shape_vec(one, values).unwrap()
            })
            .collect();
        shape[axis] = groups;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        Block::from_array(ndarray::concatenate(ndarray::Axis(axis), &views).unwrap().as_standard_layout().into_owned())
    }

    proptest! {
        #[test]
        fn groups_are_reduced_as_each_by_itself(
            outer in 0_usize..4, inner in prop::sample::select(vec![0_usize, 1, 2, 40, 5000]), codes in prop::collection::vec(0_u32..4, 1..30),
            cut in 0_usize..30, op in prop::sample::select(vec![ReduceOp::Sum, ReduceOp::Mean, ReduceOp::Prod, ReduceOp::Std { ddof: 1 }])
        ) {
            let shape = [outer, codes.len(), inner];
            let x = ndarray::ArrayD::from_shape_fn(shape.as_slice(), |at| ((at[0] * 31 + at[1] * 17 + at[2] * 7) % 13) as f64 / 4.0 - 1.0);
            let block = Block::from_array(x.clone());
            // Group 4 has no rows.
            let expected = plain(op, &block, &codes, 1, 5);
            let cut = cut.min(codes.len());
            let (a, b) = x.view().split_at(ndarray::Axis(1), cut);
            let copy = |view: ndarray::ArrayViewD<'_, f64>| Block::from_vec(view.shape(), view.iter().copied().collect()).unwrap();
            let (a, b) = (copy(a), copy(b));
            let parts = [Grouped { block: &a, codes: &codes[..cut] }, Grouped { block: &b, codes: &codes[cut..] }];
            let found = group_whole(op, &parts, 1, 0..5).unwrap();
            prop_assert_eq!(bits(&found), bits(&expected));
            let mut state = Accumulator::new(op, block.dtype(), outer * 5 * inner).unwrap();
            for part in parts {
                group_into(&mut state, part, 1, 0..5).unwrap();
            }
            let LaneValues::F64(values) = state.finish().unwrap() else { panic!("floats") };
            prop_assert_eq!(bits(&Block::from_vec(&[outer, 5, inner], values).unwrap()), bits(&expected));
            // Groups in the middle alone.
            let some = group_whole(op, &parts, 1, 1..3).unwrap();
            let middle = expected.view::<f64>().unwrap().slice_axis(ndarray::Axis(1), (1..3).into()).to_owned();
            prop_assert_eq!(bits(&some), bits(&Block::from_array(middle)));
        }
    }

    fn bits(block: &Block) -> Vec<u64> {
        block.view::<f64>().unwrap().iter().map(|x| if x.is_nan() { u64::MAX } else { x.to_bits() }).collect()
    }

    #[test]
    fn codes_that_do_not_fit_are_refused() {
        let block = Block::from_vec(&[2], vec![1.0, 2.0]).unwrap();
        assert!(group_whole(ReduceOp::Sum, &[Grouped { block: &block, codes: &[0] }], 0, 0..1).is_err());
        assert!(group_whole(ReduceOp::Sum, &[Grouped { block: &block, codes: &[0, 0] }], 1, 0..1).is_err());
        assert!(group_whole(ReduceOp::Sum, &[], 0, 0..1).is_err());
        let mut state = Accumulator::new(ReduceOp::Sum, block.dtype(), 3).unwrap();
        assert!(group_into(&mut state, Grouped { block: &block, codes: &[0, 0] }, 0, 0..1).is_err());
    }
}
