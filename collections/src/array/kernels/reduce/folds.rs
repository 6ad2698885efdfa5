//! The loops of the reductions that need no exact sums: whole-number sums, products, minima, maxima,
//! their positions, truth and counts.

use multiversion::multiversion;

use super::lanes::Reducible;

const GROUP: usize = 32;
/// Index of a lane that has none yet.
pub(super) const NOWHERE: u64 = u64::MAX;

/// Runs the expression with the constants `MAX` and `SKIP` of two run-time flags.
macro_rules! with_kind {
    ($max:expr, $skip:expr, $call:ident::<$T:ty>($($argument:expr),*)) => {
        match ($max, $skip) {
            (false, false) => $call::<$T, false, false>($($argument),*),
            (false, true) => $call::<$T, false, true>($($argument),*),
            (true, false) => $call::<$T, true, false>($($argument),*),
            (true, true) => $call::<$T, true, true>($($argument),*),
        }
    };
}
pub(super) use with_kind;

/// Whether `x` takes the place of `best`. NaN wins, or with `SKIP` loses.
#[inline(always)]
fn wins<T: Reducible, const MAX: bool, const SKIP: bool>(x: T, best: T) -> bool {
    let beyond = if MAX { x > best } else { x < best };
    beyond | if SKIP { best.is_nan() } else { x.is_nan() }
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
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn extreme<T: Reducible, const MAX: bool, const SKIP: bool>(values: &[T]) -> T {
    let mut best = extreme_start::<T, MAX, SKIP>();
    if T::NAN.is_none() {
        // Integers: the compiler knows how.
        return values.iter().fold(best, |best, &x| if wins::<T, MAX, SKIP>(x, best) { x } else { best });
    }
    let (groups, rest) = values.as_chunks::<GROUP>();
    if !groups.is_empty() {
        let mut bests = [best; GROUP];
        for group in groups {
            for j in 0..GROUP {
                bests[j] = if wins::<T, MAX, SKIP>(group[j], bests[j]) { group[j] } else { bests[j] };
            }
        }
        for x in bests {
            best = if wins::<T, MAX, SKIP>(x, best) { x } else { best };
        }
    }
    for &x in rest {
        best = if wins::<T, MAX, SKIP>(x, best) { x } else { best };
    }
    best
}

/// The minima or maxima of lanes and a row.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn extremes<T: Reducible, const MAX: bool, const SKIP: bool>(bests: &mut [T], values: &[T]) {
    for (best, &x) in bests.iter_mut().zip(values) {
        *best = if wins::<T, MAX, SKIP>(x, *best) { x } else { *best };
    }
}

/// Index of the first value equal to `wanted` (or NaN, if that is).
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
fn find<T: Reducible>(values: &[T], wanted: T) -> Option<usize> {
    let nan = wanted.is_nan();
    for (piece, start) in values.chunks(4 * GROUP).zip((0..).step_by(4 * GROUP)) {
        let hit = piece.iter().fold(false, |hit, &x| hit | (x == wanted) | (nan & x.is_nan()));
        if hit {
            return piece.iter().position(|&x| x == wanted || nan && x.is_nan()).map(|j| start + j);
        }
    }
    None
}

/// Whether `(x, i)` takes the place of `(best, at)`: the better value, or the same one earlier.
#[inline(always)]
fn moves<T: Reducible, const MAX: bool, const SKIP: bool>(x: T, i: u64, best: T, at: u64) -> bool {
    let beyond = if MAX { x > best } else { x < best };
    let earlier = i < at;
    let same = (x == best) & earlier;
    if SKIP {
        !x.is_nan() & ((at == NOWHERE) | beyond | same)
    } else {
        (at == NOWHERE) | (x.is_nan() & (!best.is_nan() | earlier)) | (!best.is_nan() & (beyond | same))
    }
}

/// Takes a row into the position of one lane.
pub(super) fn locate<T: Reducible, const MAX: bool, const SKIP: bool>(
    best: &mut T,
    at: &mut u64,
    values: &[T],
    first: u64,
) {
    let x = extreme::<T, MAX, SKIP>(values);
    // The first of the row can do no worse than the row's true position: a cheap test before looking.
    if moves::<T, MAX, SKIP>(x, first, *best, *at)
        && let Some(j) = find(values, x)
        && moves::<T, MAX, SKIP>(x, first + j as u64, *best, *at)
    {
        (*best, *at) = (x, first + j as u64);
    }
}

/// Takes candidates, one for each lane, with their indices.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn locate_each<T: Reducible, const MAX: bool, const SKIP: bool>(
    bests: &mut [T],
    ats: &mut [u64],
    values: &[T],
    index: u64,
) {
    for ((best, at), &x) in bests.iter_mut().zip(ats).zip(values) {
        let take = moves::<T, MAX, SKIP>(x, index, *best, *at);
        *best = if take { x } else { *best };
        *at = if take { index } else { *at };
    }
}

/// Takes another state's positions.
pub(super) fn locate_merge<T: Reducible, const MAX: bool, const SKIP: bool>(
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

/// The sum modulo 2^64.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn whole_total<T: Reducible>(values: &[T]) -> u64 {
    values.iter().fold(0, |sum: u64, x| sum.wrapping_add(x.wrap()))
}

/// Adds modulo 2^64, lane by lane.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn whole_add<T: Reducible>(sums: &mut [u64], values: &[T]) {
    for (sum, x) in sums.iter_mut().zip(values) {
        *sum = sum.wrapping_add(x.wrap());
    }
}

/// The number of true values.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn count_true<T: Reducible>(values: &[T]) -> u64 {
    values.iter().fold(0, |sum, x| sum + u64::from(x.truth()))
}

/// Whether some value has the given truth; stops soon after the first.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn some<T: Reducible>(values: &[T], truth: bool) -> bool {
    values.chunks(8 * GROUP).any(|piece| piece.iter().fold(false, |hit, x| hit | (x.truth() == truth)))
}

/// Takes the truth of values into flags: all of them, or any.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn flag<T: Reducible, const ALL: bool>(flags: &mut [bool], values: &[T]) {
    for (flag, x) in flags.iter_mut().zip(values) {
        *flag = if ALL { *flag & x.truth() } else { *flag | x.truth() };
    }
}

/// Counts the true values, lane by lane.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn count_each<T: Reducible>(counts: &mut [u64], values: &[T]) {
    for (count, x) in counts.iter_mut().zip(values) {
        *count = count.wrapping_add(u64::from(x.truth()));
    }
}

/// Multiplies modulo 2^64, lane by lane.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn whole_multiply<T: Reducible>(products: &mut [u64], values: &[T]) {
    for (product, x) in products.iter_mut().zip(values) {
        *product = product.wrapping_mul(x.wrap());
    }
}

/// The product in the order of the row, after `start`; NaN counts as one with `skip`.
pub(super) fn product<T: Reducible>(start: T, values: &[T], skip: bool) -> T {
    values.iter().fold(start, |product, &x| product.times(if skip && x.is_nan() { T::ONE } else { x }))
}

/// Multiplies lane by lane; NaN counts as one with `skip`.
pub(super) fn multiply<T: Reducible>(products: &mut [T], values: &[T], skip: bool) {
    for (product, &x) in products.iter_mut().zip(values) {
        *product = product.times(if skip && x.is_nan() { T::ONE } else { x });
    }
}
