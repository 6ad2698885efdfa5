//! The loops of positions: where a lane's minimum or maximum is.

use multiversion::multiversion;

use super::extremes::extreme;
use super::folds::NOWHERE;
use super::lanes::Reducible;
use super::slab::{BLOCK, Slab, Target};

/// Lanes that are worked on together.
const GROUP: usize = 16;

/// Whether `(x, i)` takes the place of `(best, at)`: the better value, or the same one earlier.
#[inline(always)]
fn moves<T: Reducible, const MAX: bool, const SKIP: bool>(x: T, i: u64, best: T, at: u64) -> bool {
    let beyond = if MAX { x.greater(best) } else { x.less(best) };
    let earlier = i < at;
    let same = (x == best) & earlier;
    if SKIP {
        !x.is_nan() & ((at == NOWHERE) | beyond | same)
    } else {
        (at == NOWHERE) | (x.is_nan() & (!best.is_nan() | earlier)) | (!best.is_nan() & (beyond | same))
    }
}

/// Takes a slab whose first row or column is of index `from` and whose next are `step` further each.
pub(super) fn take_positions<T: Reducible, const MAX: bool, const SKIP: bool>(
    bests: &mut [T],
    ats: &mut [u64],
    target: Target,
    slab: Slab<'_, T>,
    [from, step]: [u64; 2],
) {
    slab.for_blocks(target, 2 * BLOCK, |target, block, [row, column]| {
        let lanes = target.lanes(&block);
        let (Some(bests), Some(ats)) = (bests.get_mut(lanes.clone()), ats.get_mut(lanes)) else {
            return;
        };
        match target {
            Target::Runs(_) => runs::<T, MAX, SKIP>(bests, ats, block, from + column as u64),
            Target::Columns(_) => columns::<T, MAX, SKIP>(bests, ats, block, [from + row as u64 * step, step]),
        }
    });
}

/// Index of the first value equal to `wanted` (or NaN, if that is).
#[inline(always)]
fn find<T: Reducible>(values: &[T], wanted: T) -> Option<usize> {
    let nan = wanted.is_nan();
    let hits = |x: T| (x == wanted) | (nan & x.is_nan());
    let (groups, rest) = values.as_chunks::<GROUP>();
    for (start, group) in (0..).step_by(GROUP).zip(groups) {
        let mut mask = 0u32;
        for (j, &x) in group.iter().enumerate() {
            mask |= u32::from(hits(x)) << j;
        }
        if mask != 0 {
            return Some(start + mask.trailing_zeros() as usize);
        }
    }
    rest.iter().position(|&x| hits(x)).map(|j| groups.len() * GROUP + j)
}

/// Takes row `i` into lane `i`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
fn runs<T: Reducible, const MAX: bool, const SKIP: bool>(
    bests: &mut [T],
    ats: &mut [u64],
    slab: Slab<'_, T>,
    first: u64,
) {
    for ((best, at), row) in bests.iter_mut().zip(ats).zip(slab.iter()) {
        let x = extreme::<T, MAX, SKIP>(row);
        // The first of the row can do no worse than the row's true position: a cheap test before looking.
        if moves::<T, MAX, SKIP>(x, first, *best, *at)
            && let Some(j) = find(row, x)
            && moves::<T, MAX, SKIP>(x, first + j as u64, *best, *at)
        {
            (*best, *at) = (x, first + j as u64);
        }
    }
}

/// Takes element `j` of every row into lane `j`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
fn columns<T: Reducible, const MAX: bool, const SKIP: bool>(
    bests: &mut [T],
    ats: &mut [u64],
    slab: Slab<'_, T>,
    [from, step]: [u64; 2],
) {
    let whole = bests.len() / GROUP * GROUP;
    for start in (0..whole).step_by(GROUP) {
        // The best of these rows first, where a later row must be strictly better; then against the lanes.
        let mut rows = slab.iter().zip(0_i64..);
        let mut values = [T::default(); GROUP];
        let mut places = [0_i64; GROUP];
        if let Some((row, _)) = rows.next()
            && let Some(row) = row.get(start..).and_then(|row| row.first_chunk::<GROUP>())
        {
            values = *row;
        }
        for (row, place) in rows {
            let Some(row) = row.get(start..).and_then(|row| row.first_chunk::<GROUP>()) else { break };
            for j in 0..GROUP {
                let (x, best) = (row[j], values[j]);
                let beyond = if MAX { x.greater(best) } else { x.less(best) };
                let takes = beyond | if SKIP { best.is_nan() & !x.is_nan() } else { x.is_nan() & !best.is_nan() };
                values[j] = if takes { x } else { best };
                places[j] = if takes { place } else { places[j] };
            }
        }
        if let Some(bests) = bests.get_mut(start..).and_then(|bests| bests.first_chunk_mut::<GROUP>())
            && let Some(ats) = ats.get_mut(start..).and_then(|ats| ats.first_chunk_mut::<GROUP>())
        {
            for j in 0..GROUP {
                let index = from + places[j] as u64 * step;
                let takes = moves::<T, MAX, SKIP>(values[j], index, bests[j], ats[j]);
                bests[j] = if takes { values[j] } else { bests[j] };
                ats[j] = if takes { index } else { ats[j] };
            }
        }
    }
    for (row, place) in slab.iter().zip(0_u64..) {
        let lanes = bests.iter_mut().zip(ats.iter_mut()).zip(row).skip(whole);
        for ((best, at), &x) in lanes {
            if moves::<T, MAX, SKIP>(x, from + place * step, *best, *at) {
                (*best, *at) = (x, from + place * step);
            }
        }
    }
}

/// Takes another state's positions.
pub(super) fn merge_positions<T: Reducible, const MAX: bool, const SKIP: bool>(
    bests: &mut [T],
    ats: &mut [u64],
    values: &[T],
    indices: &[u64],
) {
    for (((best, at), &x), &i) in bests.iter_mut().zip(ats).zip(values).zip(indices) {
        if i != NOWHERE && moves::<T, MAX, SKIP>(x, i, *best, *at) {
            (*best, *at) = (x, i);
        }
    }
}
