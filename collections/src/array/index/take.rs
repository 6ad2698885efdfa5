//! Indices along one axis.

use std::panic::Location;
use std::sync::Arc;

use super::Index;
use crate::array::build::view;
use crate::array::create::constants::in_memory;
use crate::array::dtype::Element;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::{Run, Runs, gather, grown, tidy};
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::range::StepRange;
use crate::array::shape::arrange::{length_of, one_axis, part};
use crate::array::shape::edit::Places;
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};
use crate::lower::array::Pick;

type At = &'static Location<'static>;

/// A block of the result that needs more chunks than this on average is filled chunk by chunk, so that no task holds them all.
const MANY: usize = 4;

impl<T: Element> Array<T> {
    /// The elements at some indices of an axis, in the order of the indices, as often as they come; of the flat array for `..`, as
    /// with NumPy's `axis=None`. A single index drops its axis; the axes of a lazy array of indices come in its place.
    ///
    /// Chunks of the result are as long as those of the array. Indices in order reach for the blocks they name and no others; a block
    /// whose indices are scattered over many is filled from one after the other, so that memory holds.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, from_ndarray};
    /// let x = arange::<i64>(0, 6, 1)?.reshape([2, 3])?;
    /// assert_eq!(x.take([2, 0, 0], 1)?.compute()?, ndarray::array![[2, 0, 0], [5, 3, 3]].into_dyn());
    /// assert_eq!(x.take(-1, 0)?.compute()?, ndarray::array![3, 4, 5].into_dyn());
    /// let indices = from_ndarray(ndarray::array![[0_i64, 5], [4, 1]], -1)?;
    /// assert_eq!(x.take(&indices, ..)?.compute()?, ndarray::array![[0, 5], [4, 1]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis or an index is out of range (for a lazy array: when it is computed), a mask is not as long as the axis, or the
    /// axis' length is known only when computed.
    #[track_caller]
    pub fn take(&self, indices: impl Into<Index>, axis: impl Into<Axes>) -> Result<Array<T>> {
        let at = Location::caller();
        let (expr, axis) = one_axis("take", self.expr()?, &axis.into(), at)?;
        let length = length_of("take", &expr, axis, at)?;
        let taken = match indices.into() {
            Index::Places(places @ Places::One(_)) => {
                let start = places.indices("take", length, false, at)?.first().copied().unwrap_or(0);
                let one = part(&expr, axis, StepRange { start, step: 1, length: 1 }, at);
                let kept: Vec<Option<usize>> = (0..expr.ndim()).filter(|&other| other != axis).map(Some).collect();
                view("take", &one, &kept, at)?
            }
            Index::Places(places) => take_known("take", &expr, axis, &places.indices("take", length, false, at)?, at)?,
            Index::Array(indices) => pick("take", &expr, axis, vec![indices.expr()?.clone()], at)?,
        };
        Ok(Array::from_expr(taken))
    }

    /// The elements at the indices along several axes at once, each combination of them (NumPy's `x[np.ix_(..)]`): the first list for
    /// the first axis, and so on; axes without one are taken whole.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 9, 1)?.reshape([3, 3])?;
    /// assert_eq!(x.oindex([vec![0, 2], vec![1]])?.compute()?, ndarray::array![[1], [7]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::take`], and if there are more lists than axes or a single index, which would drop its axis.
    #[track_caller]
    pub fn oindex<I: Into<Places>>(&self, indices: impl IntoIterator<Item = I>) -> Result<Array<T>> {
        let at = Location::caller();
        let mut expr = self.expr()?.clone();
        for (axis, places) in indices.into_iter().enumerate() {
            let places = places.into();
            if axis >= expr.ndim() {
                let reason = format!("more lists of indices than the {} axes of the array", expr.ndim());
                return Err(Error::invalid_at("oindex", reason, at));
            }
            if matches!(places, Places::One(_)) {
                return Err(Error::invalid_at("oindex", "a single index: give a list of one, or use slice", at));
            }
            let length = length_of("oindex", &expr, axis, at)?;
            expr = take_known("oindex", &expr, axis, &places.indices("oindex", length, false, at)?, at)?;
        }
        Ok(Array::from_expr(expr))
    }
}

/// Indices that are known and in range.
pub(super) fn take_known(operation: &str, expr: &ExprRef, axis: usize, indices: &[usize], at: At) -> Result<ExprRef> {
    let runs = Runs::from(progressions(indices));
    let lost = || Error::invalid_at(operation, "the axis has a length that is known only when computed", at);
    let bounds = expr.grid.axes()[axis].bounds().ok_or_else(lost)?;
    let cut = if indices.is_sorted() {
        // What is left of each chunk; slivers are joined.
        let below = |bound: usize| indices.partition_point(|&index| index < bound);
        let lengths = bounds.windows(2).map(|pair| below(pair[1]) - below(pair[0])).filter(|&length| length > 0);
        let longest = grown(expr, axis, indices.len()).longest().unwrap_or(1);
        tidy(lengths, longest)
    } else {
        grown(expr, axis, indices.len())
    };
    let positions = cut.bounds().ok_or_else(lost)?;
    let reads: usize = positions.windows(2).map(|pair| runs.chunks(bounds, pair[0]..pair[1]).len()).sum();
    if reads <= MANY * cut.chunks() {
        return gather(operation, expr, axis, runs.list().iter().copied(), cut, at);
    }
    let indices: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
    let indices = in_memory(ndarray::ArcArray1::from_vec(indices).into_dyn(), Grid::new([cut]), at);
    pick(operation, expr, axis, vec![indices], at)
}

/// Indices as ranges: the longest with even steps, from the first on.
fn progressions(indices: &[usize]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut rest = indices;
    while let [first, others @ ..] = rest {
        let step = others.first().map_or(1, |second| *second as isize - *first as isize);
        let even = rest.windows(2).take_while(|pair| pair[1] as isize - pair[0] as isize == step).count() + 1;
        // Two that are not neighbours may each belong to another range.
        let length = if even == 2 && step.unsigned_abs() > 1 { 1 } else { even };
        runs.push(match step {
            0 => Run::same(*first, length),
            _ => Run::of(StepRange { start: *first, step: if length == 1 { 1 } else { step }, length }),
        });
        rest = &rest[length..];
    }
    runs
}

/// The elements at the indices in arrays of one shape, one for each of as many axes from `axis` on; their axes come in the place
/// of these.
pub(super) fn pick(operation: &str, expr: &ExprRef, axis: usize, indices: Vec<ExprRef>, at: At) -> Result<ExprRef> {
    let ends = axis..axis + indices.len();
    let picked = Grid::new(expr.grid.axes()[ends.clone()].iter().cloned());
    if !picked.is_known() {
        let reason = "indices into an axis whose length is known only when computed: call persist first";
        return Err(Error::invalid_at(operation, reason, at));
    }
    let (before, behind) = (&expr.grid.axes()[..ends.start], &expr.grid.axes()[ends.end..]);
    let points: &[Axis] = indices.first().map_or(&[], |index| index.grid.axes());
    let grid = Grid::new([before, points, behind].concat());
    if let Some(reason) = grid.excess() {
        return Err(Error::invalid_at(operation, reason, at));
    }
    let mut inputs = vec![expr.clone()];
    inputs.extend(indices);
    Ok(Expr::new(expr.dtype, grid, Op::Custom(Arc::new(Pick { axis, picked })), inputs, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn progressions_are_the_indices(indices in prop::collection::vec(0_usize..12, 0..30)) {
            let runs = progressions(&indices);
            let mut all = Vec::new();
            for run in &runs {
                if let Run::Take { range, each, times } = run {
                    for position in 0..range.length * each * times {
                        all.push(range.at(position / each % range.length));
                    }
                }
            }
            prop_assert_eq!(all, indices);
        }
    }
}
