//! Which grids lie between two.
//!
//! Cutting P blocks for Q others makes as many parts as the common refinement of both grids has blocks: P x Q where rows become
//! columns. Each part costs its handling, however few bytes it has. Over a grid in between the bytes are copied once more, but there are
//! about 2 P sqrt(Q) parts. The grids in between have, along each axis, numbers of chunks that are geometric means of those at
//! the ends, so their blocks are not larger than the largest at either end: a plan that has memory for the ends has it for the
//! steps.
//!
//! The idea is that of the intermediate chunks of Dask's `plan_rechunk` and of Zarr's `rechunker`; the choice is by cost.

use crate::array::grid::{Axis, Grid};

/// What the handling of a part, or of a task, costs in bytes that could be copied in that time: half a microsecond at 4 GB/s.
const PART: f64 = 2048.0;

/// With no more parts a task than this the direct way is the way.
const PARTS_PER_TASK: f64 = 8.0;

/// More steps than this never pay: parts are then as many as blocks.
const MOST_STEPS: usize = 4;

/// The grids on the cheapest way from one grid to another, without the ends; none if the direct way is the cheapest.
pub(super) fn between(from: &Grid, to: &Grid, element_bytes: u64) -> Vec<Grid> {
    let direct = handling(from, to);
    let few = parts(from, to) <= PARTS_PER_TASK * (from.blocks() + to.blocks()) as f64;
    let known = from.is_known() && to.is_known();
    let elements: f64 = from.axes().iter().map(|axis| axis.length().unwrap_or(1) as f64).product();
    let bytes = elements * element_bytes as f64;
    // Each step copies twice, into parts and out of them.
    if few || !known || direct <= 2.0 * bytes {
        return Vec::new();
    }
    let largest = from.largest_block(1).max(to.largest_block(1));
    let mut best = (2.0 * bytes + direct, Vec::new());
    for steps in 2..=MOST_STEPS {
        let grids: Vec<Grid> = (1..steps).map(|step| mean(from, to, step as f64 / steps as f64)).collect();
        if grids.iter().any(|grid| grid.largest_block(1) > largest || grid == from || grid == to) {
            continue;
        }
        let ways: Vec<&Grid> = [from].into_iter().chain(&grids).chain([to]).collect();
        let handling: f64 = ways.windows(2).map(|pair| handling(pair[0], pair[1])).sum();
        let cost = 2.0 * bytes * steps as f64 + handling;
        if cost < best.0 {
            best = (cost, grids);
        }
    }
    best.1
}

/// What a step costs beside the copying, in bytes that could be copied in that time.
fn handling(from: &Grid, to: &Grid) -> f64 {
    PART * (parts(from, to) + (from.blocks() + to.blocks()) as f64)
}

/// How many blocks the common refinement of two grids has.
fn parts(from: &Grid, to: &Grid) -> f64 {
    from.axes().iter().zip(to.axes()).map(|(axis, other)| refined(axis, other) as f64).product()
}

/// How many chunks the common refinement of two axes has.
fn refined(axis: &Axis, other: &Axis) -> usize {
    let (Some(a), Some(b)) = (axis.bounds(), other.bounds()) else { return axis.chunks() };
    let (mut i, mut j, mut count) = (1, 1, 0_usize);
    while i < a.len() && j < b.len() {
        let (left, right) = (a[i], b[j]);
        i += usize::from(left <= right);
        j += usize::from(right <= left);
        count += 1;
    }
    count.max(1)
}

/// A grid with `counts of from ^ (1 - share) x counts of to ^ share` chunks along each axis, cut where the finer of both is cut.
fn mean(from: &Grid, to: &Grid, share: f64) -> Grid {
    Grid::new(from.axes().iter().zip(to.axes()).map(|(axis, other)| {
        if axis == other {
            return axis.clone();
        }
        let finer = if axis.chunks() >= other.chunks() { axis } else { other };
        let chunks = (axis.chunks() as f64).powf(1.0 - share) * (other.chunks() as f64).powf(share);
        let every = (finer.chunks() as f64 / chunks.max(1.0)).floor().max(1.0) as usize;
        let Some(bounds) = finer.bounds() else { return axis.clone() };
        let last = bounds.len() - 1;
        Axis::Known(bounds[..last].iter().step_by(every).chain([&bounds[last]]).copied().collect())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid(axes: &[(usize, usize)]) -> Grid {
        Grid::new(axes.iter().map(|&(length, chunk)| Axis::regular(length, chunk)))
    }

    #[test]
    fn large_parts_go_directly() {
        // 100 x 100 parts of 600 kB.
        let (rows, columns) = (grid(&[(10_000, 100), (75_000, 75_000)]), grid(&[(10_000, 10_000), (75_000, 750)]));
        assert!(between(&rows, &columns, 8).is_empty());
    }

    #[test]
    fn many_small_parts_go_over_a_grid_between() {
        // 4,000 x 4,000 parts of 128 bytes.
        let (rows, columns) = (grid(&[(4_000, 1), (64_000, 64_000)]), grid(&[(4_000, 4_000), (64_000, 16)]));
        let between = between(&rows, &columns, 8);
        let text: Vec<String> = between.iter().map(Grid::to_string).collect();
        assert_eq!(text, ["(4000, 64000) in chunks 64 of 63 x 64 of 1008"]);
        assert!(parts(&rows, &between[0]) + parts(&between[0], &columns) < 600_000.0);
    }

    fn axes() -> impl Strategy<Value = Vec<(usize, usize, usize)>> {
        prop::collection::vec((1_usize..2000, 1_usize..2000, 1_usize..2000), 1..4)
    }

    proptest! {
        #[test]
        fn steps_have_no_larger_blocks(axes in axes(), size in 1_u64..16) {
            let from = grid(&axes.iter().map(|&(length, chunk, _)| (length, chunk)).collect::<Vec<_>>());
            let to = grid(&axes.iter().map(|&(length, _, chunk)| (length, chunk)).collect::<Vec<_>>());
            for step in between(&from, &to, size) {
                prop_assert_eq!(step.shape(), from.shape());
                prop_assert!(step.largest_block(1) <= from.largest_block(1).max(to.largest_block(1)));
            }
        }

        #[test]
        fn parts_are_the_blocks_of_the_refinement(a in prop::collection::vec(1_usize..5, 1..6), cut in 1_usize..6) {
            let axis = Axis::from_lengths(a.iter().copied());
            let other = Axis::regular(axis.length().unwrap_or(0), cut);
            let mut bounds: Vec<usize> = axis.bounds().into_iter().chain(other.bounds()).flat_map(|b| b.iter().copied()).collect();
            bounds.sort_unstable();
            bounds.dedup();
            prop_assert_eq!(refined(&axis, &other), bounds.len() - 1);
        }
    }
}
