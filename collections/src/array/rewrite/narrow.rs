//! A gather of a few indices of a source has it read around them: the source is cut there, and the chunks between are never made.

use super::rechunk::recut;
use crate::array::expr::{Expr, ExprRef};
use crate::array::gather::{Run, Runs, with_axis};
use crate::array::grid::Axis;
use crate::array::range::StepRange;

/// Of more indices than this they are not looked at.
const MOST: usize = 1 << 16;

/// So many bytes between two indices are read along with them: as cheap as another task and another request.
const GAP: u64 = 256 << 10;

/// The source cut around the indices that are taken, if that leaves out at least a half of the blocks that they lie in.
pub(super) fn around(source: &Expr, axis: usize, runs: &Runs) -> Option<ExprRef> {
    let cut = source.grid.axes().get(axis)?;
    let (bounds, length) = (cut.bounds()?, cut.length()?);
    if runs.length() > MOST || runs.length() == 0 || length == 0 {
        return None;
    }
    let others = source.grid.axes().iter().enumerate().filter(|(other, _)| *other != axis);
    let row = others.map(|(_, other)| other.longest().unwrap_or(1).max(1) as u64);
    let row = row.fold(source.dtype.size() as u64, u64::saturating_mul);
    let gap = usize::try_from(GAP / row.max(1)).unwrap_or(usize::MAX);
    // Where a source can only be cut in some places, all between two of them is read.
    let finest = match &source.op {
        crate::array::expr::Op::Custom(operation) => Some(operation.cuts(source)?.axes().get(axis)?.bounds()?.clone()),
        _ => None,
    };
    let (down, up) = (|at: usize| floor(&finest, at), |at: usize| ceil(&finest, at));
    let mut read: Vec<(usize, usize)> = Vec::new();
    for index in indices(runs) {
        let (start, end) = (down(index), up(index + 1));
        match read.last_mut() {
            Some((_, last)) if start <= last.saturating_add(gap) => *last = end.max(*last),
            _ => read.push((start, end)),
        }
    }
    let chunk = |index: usize| bounds.partition_point(|&bound| bound <= index).saturating_sub(1);
    let mut chunks: Vec<usize> = read.iter().flat_map(|(start, end)| chunk(*start)..chunk(end - 1) + 1).collect();
    chunks.dedup();
    let made: usize = chunks.iter().map(|&chunk| bounds[chunk + 1] - bounds[chunk]).sum();
    let wanted: usize = read.iter().map(|(start, end)| end - start).sum();
    if 2 * wanted > made {
        return None;
    }
    let mut cuts: Vec<usize> =
        bounds.iter().copied().chain(read.iter().flat_map(|(start, end)| [*start, *end])).collect();
    cuts.sort_unstable();
    cuts.dedup();
    recut(source, &with_axis(&source.grid, axis, Axis::Known(cuts.into())), source.location)
}

/// The indices that are taken, ascending, each once.
fn indices(runs: &Runs) -> Vec<usize> {
    let of = |run: &Run| match run {
        Run::Take { range, .. } => *range,
        Run::Fill { .. } => StepRange::all(0),
    };
    let mut indices: Vec<usize> =
        runs.list().iter().map(of).flat_map(|range| (0..range.length).map(move |at| range.at(at))).collect();
    indices.sort_unstable();
    indices.dedup();
    indices
}

/// The last place at or before an index where a source may be cut.
fn floor(finest: &Option<std::sync::Arc<[usize]>>, at: usize) -> usize {
    let Some(bounds) = finest else { return at };
    bounds.partition_point(|&bound| bound <= at).checked_sub(1).map_or(at, |place| bounds[place])
}

/// The first place at or behind an index where a source may be cut.
fn ceil(finest: &Option<std::sync::Arc<[usize]>>, at: usize) -> usize {
    let Some(bounds) = finest else { return at };
    bounds.get(bounds.partition_point(|&bound| bound < at)).copied().unwrap_or(at)
}
