//! The loops of the reductions that are plain: whole-number sums, products, truth and counts.

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
