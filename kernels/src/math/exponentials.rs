//! `exp2`, `expm1`, `sinh`, `cosh`, and the logarithms of sums of exponentials.

use super::logarithms::log1p;
use super::{ROUND, exp_full, expm1_kernel, fma, power_of_two, reduce_by_ln2};

/// What `LN_2` as a double lacks of ln 2.
const LN2_REST: f64 = 2.319_046_813_846_299_6e-17;

#[inline(always)]
pub(super) fn exp2(x: f64) -> f64 {
    // Beyond these bounds the result is infinite or 0; comparisons let NaN pass.
    let x = if x > 1025.0 { 1025.0 } else { x };
    let x = if x < -1080.0 { -1080.0 } else { x };
    let n = (x + ROUND) - ROUND;
    let r = x - n;
    let t = r * std::f64::consts::LN_2;
    let rest = fma(r, std::f64::consts::LN_2, -t) + r * LN2_REST;
    let y = 1.0 + (expm1_kernel(t) + rest);
    let half = fma(n, 0.5, ROUND) - ROUND;
    y * power_of_two(half) * power_of_two(n - half)
}

#[inline(always)]
pub(super) fn expm1(x: f64) -> f64 {
    let middle = if x > 710.0 { 710.0 } else { x };
    let middle = if middle < -60.0 { -60.0 } else { middle };
    let (_, n, r) = reduce_by_ln2(middle);
    let p = expm1_kernel(r);
    // Half of the result: 2^n alone is out of range at the upper end.
    let scale = power_of_two(n - 1.0);
    let y = fma(scale, p, scale - 0.5) * 2.0;
    let y = if n == 0.0 { p } else { y };
    // The sign of -0.0 is lost in the sums.
    if x == 0.0 { x } else { y }
}

/// Up to 708, where the exponential is in range.
#[inline(always)]
pub(super) fn sinh(x: f64) -> f64 {
    let a = x.abs();
    let e = expm1(a);
    // (e^a - e^-a) / 2 with e = e^a - 1.
    (0.5 * (e + e / (e + 1.0))).copysign(x)
}

/// Up to 708, where the exponential is in range.
#[inline(always)]
pub(super) fn cosh(x: f64) -> f64 {
    let a = x.abs();
    let e = exp_full(a);
    if a < 22.0 { fma(0.5, e, 0.5 / e) } else { 0.5 * e }
}

/// `log(e^a + e^b)`.
#[inline(always)]
pub(super) fn logaddexp(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    let difference = low - high;
    let y = high + log1p(exp_full(difference));
    // Equal infinities have no difference.
    let y = if a == b { a + std::f64::consts::LN_2 } else { y };
    if a.is_nan() || b.is_nan() { f64::NAN } else { y }
}

/// `log2(2^a + 2^b)`.
#[inline(always)]
pub(super) fn logaddexp2(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    let difference = low - high;
    let y = fma(log1p(exp2(difference)), std::f64::consts::LOG2_E, high);
    let y = if a == b { a + 1.0 } else { y };
    if a.is_nan() || b.is_nan() { f64::NAN } else { y }
}
