//! The loops of minima and maxima.

use multiversion::multiversion;

use super::lanes::Reducible;
use super::slab::Slab;

/// Lanes, or running values of one lane, that are worked on together.
const WIDE: usize = 32;
const NARROW: usize = 8;

/// Whether `x` takes the place of `best`. NaN wins, or with `SKIP` loses.
#[inline(always)]
pub(super) fn wins<T: Reducible, const MAX: bool, const SKIP: bool>(x: T, best: T) -> bool {
    let beyond = if MAX { x.greater(best) } else { x.less(best) };
    beyond | if SKIP { best.is_nan() } else { x.is_nan() }
}

#[inline(always)]
fn better<T: Reducible, const MAX: bool, const SKIP: bool>(best: T, x: T) -> T {
    if wins::<T, MAX, SKIP>(x, best) { x } else { best }
}

/// What a minimum or maximum starts from.
pub(super) fn extreme_start<T: Reducible, const MAX: bool, const SKIP: bool>() -> T {
    match T::NAN {
        Some(nan) if SKIP => nan,
        _ if MAX => T::LEAST,
        _ => T::MOST,
    }
}

/// The minimum or maximum of a row.
#[inline(always)]
pub(super) fn extreme<T: Reducible, const MAX: bool, const SKIP: bool>(row: &[T]) -> T {
    let start = extreme_start::<T, MAX, SKIP>();
    let (wide, rest) = row.as_chunks::<WIDE>();
    let (narrow, rest) = rest.as_chunks::<NARROW>();
    let mut bests = [start; NARROW];
    if !wide.is_empty() {
        let mut values = [start; WIDE];
        for group in wide {
            for j in 0..WIDE {
                values[j] = better::<T, MAX, SKIP>(values[j], group[j]);
            }
        }
        for half in [16, 8] {
            for j in 0..half {
                values[j] = better::<T, MAX, SKIP>(values[j], values[j + half]);
            }
        }
        bests.copy_from_slice(&values[..NARROW]);
    }
    for group in narrow {
        for j in 0..NARROW {
            bests[j] = better::<T, MAX, SKIP>(bests[j], group[j]);
        }
    }
    match row.last_chunk::<NARROW>() {
        // Some of these have been seen, which does no harm.
        Some(last) if !rest.is_empty() => {
            for j in 0..NARROW {
                bests[j] = better::<T, MAX, SKIP>(bests[j], last[j]);
            }
        }
        Some(_) => {}
        None => return rest.iter().fold(start, |best, &x| better::<T, MAX, SKIP>(best, x)),
    }
    for half in [4, 2, 1] {
        for j in 0..half {
            bests[j] = better::<T, MAX, SKIP>(bests[j], bests[j + half]);
        }
    }
    bests[0]
}

/// Takes row `i` into lane `i`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn run_extremes<T: Reducible, const MAX: bool, const SKIP: bool>(lanes: &mut [T], slab: Slab<'_, T>) {
    for (best, row) in lanes.iter_mut().zip(slab.iter()) {
        *best = better::<T, MAX, SKIP>(*best, extreme::<T, MAX, SKIP>(row));
    }
}

/// Takes element `j` of every row into lane `j`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn column_extremes<T: Reducible, const MAX: bool, const SKIP: bool>(lanes: &mut [T], slab: Slab<'_, T>) {
    let (groups, rest) = lanes.as_chunks_mut::<WIDE>();
    let whole = groups.len() * WIDE;
    for (start, lanes) in (0..).step_by(WIDE).zip(groups) {
        let mut bests = *lanes;
        for row in slab.iter() {
            let Some(row) = row.get(start..).and_then(|row| row.first_chunk::<WIDE>()) else { break };
            for j in 0..WIDE {
                bests[j] = better::<T, MAX, SKIP>(bests[j], row[j]);
            }
        }
        *lanes = bests;
    }
    if !rest.is_empty() {
        for row in slab.iter() {
            for (best, &x) in rest.iter_mut().zip(row.get(whole..).unwrap_or(&[])) {
                *best = better::<T, MAX, SKIP>(*best, x);
            }
        }
    }
}
