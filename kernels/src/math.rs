//! Elementary functions that the compiler vectorises: exponentials, logarithms, trigonometric and hyperbolic functions
//! with their inverses, `cbrt`, `hypot`, and the Bessel function `i0`.
//!
//! Plain branch-free Rust: range reduction and polynomials with fused multiply-adds, chosen values
//! by selection. Reductions in parts follow Cody & Waite, *Software Manual for the Elementary
//! Functions*, 1980, with the error-free transformations of Dekker and Knuth; the polynomial of
//! `log` is fdlibm's (Sun, 1993), the others are minimax polynomials made for this module.
//!
//! Every multiply-add is an explicit `mul_add`, rounded once with or without hardware for it, so
//! the bits do not depend on the machine, the vector width or the position in a slice. The
//! exceptions are arguments of `sin`, `cos` and `tan` beyond 2^26 and of `sinh` and `cosh` beyond 708, which go to
//! the platform's library one by one. `f16` and `f32` are computed in `f64` and rounded.
//!
//! The results differ from a correctly rounded library by at most so many units in the last place, subnormal numbers
//! included (the tests compare with `std`):
//!
//! | units | functions |
//! |---|---|
//! | 1 | `exp exp2 log log2 cbrt hypot arctan` |
//! | 2 | `expm1 log1p log10 sin cos tanh cosh arcsin arccos arctan2` |
//! | 3 | `tan sinh arcsinh arccosh arctanh` |
//!
//! `logaddexp` and `logaddexp2` have an error of 2 units of the larger of the result and the arguments; `i0` of 1e-15 of the result.

// Coefficients have the digits they were computed with.
#![allow(clippy::excessive_precision)]

mod bessel;
pub(crate) mod complex;
mod exponentials;
mod inverse;
mod logarithms;
mod roots;
#[cfg(test)]
mod tests;

use super::loops::{map1, map1_checked};
use super::number::{CastFrom, Float, Inexact};
use crate::dtype::{C64, C128, f16};

/// Adding it rounds to an integer, which is then in the low bits: 1.5 * 2^52.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// `x * a + b`, rounded once.
#[inline(always)]
fn fma(x: f64, a: f64, b: f64) -> f64 {
    x.mul_add(a, b)
}

/// A polynomial by Horner's rule; the highest coefficient first.
#[inline(always)]
fn polynomial<const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut sum = 0.0;
    for (i, c) in coefficients.into_iter().enumerate() {
        sum = if i == 0 { c } else { fma(sum, x, c) };
    }
    sum
}

/// 2^n for an integral `n` of -1022 to 1023.
#[inline(always)]
fn power_of_two(n: f64) -> f64 {
    f64::from_bits(((n + ROUND).to_bits() << 52).wrapping_add(1023 << 52))
}

const LN2_HIGH: f64 = 6.931_471_803_691_238_164_90e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_700_02e-10;

/// `x = n ln 2 + r` with integral `n` and `|r| < 0.35`; returns `n` plus [`ROUND`], `n`, and `r`.
#[inline(always)]
fn reduce_by_ln2(x: f64) -> (f64, f64, f64) {
    let rounded = fma(x, std::f64::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    (rounded, n, fma(-n, LN2_LOW, fma(-n, LN2_HIGH, x)))
}

/// `e^r - 1` for `|r| < 0.35`: `r + r^2 p(r)`, where `p` has the least largest error (found by
/// Remez's exchange; 2^-57 of the result).
#[inline(always)]
fn expm1_kernel(r: f64) -> f64 {
    let p = polynomial(
        r,
        [
            2.499_908_041_685_262_949_3e-8,
            2.762_986_116_303_759_272_9e-7,
            2.755_758_802_614_382_821_4e-6,
            2.480_149_427_936_482_139_7e-5,
            1.984_126_950_685_587_767_9e-4,
            1.388_888_894_236_966_189_7e-3,
            8.333_333_333_492_984_128_1e-3,
            4.166_666_666_653_560_416_1e-2,
            1.666_666_666_666_641_791_7e-1,
            5.000_000_000_000_009_859e-1,
        ],
    );
    fma(r * r, p, r)
}

/// The exponential of what is not [`is_extreme`].
#[inline(always)]
fn exp_middle(x: f64) -> f64 {
    let (rounded, _, r) = reduce_by_ln2(x);
    let y = 1.0 + expm1_kernel(r);
    // n is in the low bits: it goes to the exponent.
    f64::from_bits(y.to_bits().wrapping_add(rounded.to_bits() << 52))
}

/// Whether the exponential is infinite, 0, subnormal, or NaN.
#[inline(always)]
fn is_extreme(x: f64) -> bool {
    // The negation holds for NaN too.
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    let extreme = !(x.abs() <= 708.0);
    extreme
}

/// The exponential of anything.
#[inline(always)]
fn exp_full(x: f64) -> f64 {
    // Beyond these bounds the result is infinite or 0; comparisons let NaN pass.
    let x = if x > 710.0 { 710.0 } else { x };
    let x = if x < -746.0 { -746.0 } else { x };
    let (_, n, r) = reduce_by_ln2(x);
    let y = 1.0 + expm1_kernel(r);
    // In two factors: 2^n alone is out of range at both ends.
    let half = fma(n, 0.5, ROUND) - ROUND;
    y * power_of_two(half) * power_of_two(n - half)
}

/// `x = 2^k m` with `m` from sqrt(1/2) to sqrt(2), for positive finite `x`.
#[inline(always)]
fn split_exponent(x: f64) -> (f64, f64) {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let subnormal = x < f64::MIN_POSITIVE;
    let scaled = if subnormal { x * 18_014_398_509_481_984.0 } else { x };
    let bits = scaled.to_bits().wrapping_add(0x3ff0_0000_0000_0000 - SQRT_HALF);
    let m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF));
    let k = f64::from_bits((bits >> 52) | 0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + 1023.0);
    (if subnormal { k - 54.0 } else { k }, m)
}

/// `s = f / (2 + f)` and the tail of the series: `ln(1 + f) = f - f²/2 + s (f²/2 + tail)`.
#[inline(always)]
fn log_tail(f: f64) -> (f64, f64) {
    let s = f / (2.0 + f);
    let z = s * s;
    let tail = z * polynomial(
        z,
        [
            1.479_819_860_511_658_591e-1,
            1.531_383_769_920_937_332e-1,
            1.818_357_216_161_805_012e-1,
            2.222_219_843_214_978_396e-1,
            2.857_142_874_366_239_149e-1,
            3.999_999_999_940_941_908e-1,
            6.666_666_666_666_735_130e-1,
        ],
    );
    (s, tail)
}

#[inline(always)]
fn log_f64(x: f64) -> f64 {
    let (k, m) = split_exponent(x);
    let f = m - 1.0;
    let (s, tail) = log_tail(f);
    let half_square = 0.5 * f * f;
    let y = fma(k, LN2_HIGH, -((half_square - fma(s, half_square + tail, k * LN2_LOW)) - f));
    let special = if x == 0.0 {
        f64::NEG_INFINITY
    } else if x > 0.0 {
        f64::INFINITY
    } else {
        f64::NAN
    };
    if x > 0.0 && x < f64::INFINITY { y } else { special }
}

/// Arguments of `sin` and `cos` up to here are reduced exactly enough.
const TRIGONOMETRIC_LIMIT: f64 = 67_108_864.0;

/// sin(x - q pi) for a `q` that leaves at most a little more than pi/2.
#[inline(always)]
fn sin_after(x: f64, q: f64) -> f64 {
    // pi as a sum of three numbers of falling size.
    const HIGH: f64 = std::f64::consts::PI;
    const MIDDLE: f64 = 1.224_646_799_147_353_2e-16;
    const LOW: f64 = -2.994_769_809_718_339_7e-33;
    // Exact, but for q = 1/2 and small x.
    let first = fma(-q, HIGH, x);
    let first_error = x - fma(q, HIGH, first);
    // first - q MIDDLE with all errors (Dekker's product, Knuth's sum): near a multiple of pi
    // the two cancel.
    let product = q * MIDDLE;
    let product_error = fma(q, MIDDLE, -product);
    let r = first - product;
    let back = r - first;
    let difference_error = (first - (r - back)) - (product + back);
    let low = fma(-q, LOW, difference_error - product_error) + first_error;

    // sin r = r + r^3 p(r^2), where p has the least largest error (found by Remez's exchange;
    // 2^-60 of the result); cos r, for the low part, roughly.
    let z = r * r;
    let p = polynomial(
        z,
        [
            2.721_201_815_851_660_271_6e-15,
            -7.642_994_278_196_011_178e-13,
            1.605_893_982_455_943_151_9e-10,
            -2.505_210_687_545_979_611_2e-8,
            2.755_731_921_117_070_019_8e-6,
            -1.984_126_984_120_945_13e-4,
            8.333_333_333_333_195_109_8e-3,
            -1.666_666_666_666_666_558e-1,
        ],
    );
    let cos = fma(z, -0.405, 1.0);
    r + fma(r * z, p, low * cos)
}

/// Changes the sign of `y` if the integer in the low bits of `rounded` is odd.
#[inline(always)]
fn negate_if_odd(y: f64, rounded: f64) -> f64 {
    f64::from_bits(y.to_bits() ^ (rounded.to_bits() << 63))
}

#[inline(always)]
fn sin_f64(x: f64) -> f64 {
    let rounded = fma(x, std::f64::consts::FRAC_1_PI, ROUND);
    let y = negate_if_odd(sin_after(x, rounded - ROUND), rounded);
    // The sign of -0.0 is lost in the sums.
    if x == 0.0 { x } else { y }
}

#[inline(always)]
fn cos_f64(x: f64) -> f64 {
    // sin(x + pi/2): half a turn less than the nearest odd multiple.
    let rounded = fma(x, std::f64::consts::FRAC_1_PI, 0.5) + ROUND;
    negate_if_odd(sin_after(x, (rounded - ROUND) - 0.5), rounded)
}

#[inline(always)]
fn tanh_f64(x: f64) -> f64 {
    let a = x.abs();
    let a = if a > 20.0 { 20.0 } else { a };
    // t = e^(-2|x|) - 1 without cancellation; tanh |x| = -t / (2 + t).
    let (_, n, r) = reduce_by_ln2(-2.0 * a);
    let scale = power_of_two(n);
    let p = expm1_kernel(r);
    let t = fma(scale, p, scale - 1.0);
    let t_error = fma(scale, p, (scale - 1.0) - t);
    let sum = 2.0 + t;
    let sum_error = (2.0 - sum) + t + t_error;
    // The quotient, and what is left of the errors of t, the sum and the division.
    let inverse = 1.0 / sum;
    let y = t * inverse;
    let rest = fma(-y, sum, t) + fma(-y, sum_error, t_error);
    fma(rest, inverse, y).copysign(x)
}

/// Makes the trait of the functions from a table: `name(arguments) = function of f64, "meaning"`.
macro_rules! elementary {
    ($($name:ident($($x:ident),*) = $function:path, $meaning:literal;)*) => {
        /// Floats with the functions of this module, element by element.
        pub trait Elementary: Float {
            /// Whether the exponential is infinite, 0, subnormal, or NaN.
            fn is_extreme(self) -> bool;
            /// Whether the argument is too large for `sin_element`, `cos_element` and `tan_element`.
            fn is_huge(self) -> bool;
            $(#[doc = $meaning] fn $name(self $(, $x: Self)*) -> Self;)*
        }

        elementary!(@implement f32: $($name($($x),*) = $function;)*);
        elementary!(@implement f64: $($name($($x),*) = $function;)*);
        elementary!(@implement f16: $($name($($x),*) = $function;)*);
    };
    (@implement $t:ty: $($name:ident($($x:ident),*) = $function:path;)*) => {
        impl Elementary for $t {
            #[inline(always)]
            fn is_extreme(self) -> bool { is_extreme(f64::cast_from(self)) }
            #[inline(always)]
            fn is_huge(self) -> bool { f64::cast_from(self).abs() > TRIGONOMETRIC_LIMIT }
            $(
                #[inline(always)]
                fn $name(self $(, $x: Self)*) -> Self {
                    Self::cast_from($function(f64::cast_from(self) $(, f64::cast_from($x))*))
                }
            )*
        }
    };
}

elementary! {
    exp_middle() = exp_middle, "The exponential, but for [`Elementary::is_extreme`].";
    exp_element() = exp_full, "The exponential.";
    exp2_element() = exponentials::exp2, "The power of 2.";
    expm1_element() = exponentials::expm1, "`e^x - 1`, exact near 0.";
    log_element() = log_f64, "The natural logarithm.";
    log2_element() = logarithms::log2, "The logarithm to base 2.";
    log10_element() = logarithms::log10, "The logarithm to base 10.";
    log1p_element() = logarithms::log1p, "`ln(1 + x)`, exact near 0.";
    sin_element() = sin_f64, "The sine, up to [`Elementary::is_huge`].";
    cos_element() = cos_f64, "The cosine, up to [`Elementary::is_huge`].";
    tan_element() = inverse::tan, "The tangent, up to [`Elementary::is_huge`].";
    arcsin_element() = inverse::arcsin, "The inverse sine.";
    arccos_element() = inverse::arccos, "The inverse cosine.";
    arctan_element() = inverse::arctan, "The inverse tangent.";
    arctan2_element(x) = inverse::arctan2, "The angle of the point (x, self).";
    sinh_element() = exponentials::sinh, "The hyperbolic sine, but for [`Elementary::is_extreme`].";
    cosh_element() = exponentials::cosh, "The hyperbolic cosine, but for [`Elementary::is_extreme`].";
    tanh_element() = tanh_f64, "The hyperbolic tangent.";
    arcsinh_element() = logarithms::arcsinh, "The inverse hyperbolic sine.";
    arccosh_element() = logarithms::arccosh, "The inverse hyperbolic cosine.";
    arctanh_element() = logarithms::arctanh, "The inverse hyperbolic tangent.";
    cbrt_element() = roots::cbrt, "The cube root.";
    hypot_element(other) = roots::hypot, "`sqrt(self² + other²)` without overflow.";
    logaddexp_element(other) = exponentials::logaddexp, "`ln(e^self + e^other)`.";
    logaddexp2_element(other) = exponentials::logaddexp2, "`log2(2^self + 2^other)`.";
    i0_element() = bessel::i0, "The modified Bessel function of order 0.";
}

/// `out[i] = e^x[i]`.
///
/// ```
/// use talatat_kernels::math;
/// let mut out = [0.0; 2];
/// math::exp(&[0.0, 1.0], &mut out);
/// assert_eq!(out[0], 1.0);
/// assert!((out[1] - std::f64::consts::E).abs() < 1e-15);
/// ```
pub fn exp<T: Elementary>(x: &[T], out: &mut [T]) {
    if map1_checked(x, out, T::exp_middle, T::is_extreme) {
        map1(x, out, T::exp_element);
    }
}

/// `out[i] = ln x[i]`: -inf at 0, NaN below.
pub fn log<T: Elementary>(x: &[T], out: &mut [T]) {
    map1(x, out, T::log_element);
}

/// `out[i] = sin x[i]`, in radians.
pub fn sin<T: Elementary>(x: &[T], out: &mut [T]) {
    if map1_checked(x, out, T::sin_element, T::is_huge) {
        patch(x, out, T::is_huge, <T as num_traits::Float>::sin);
    }
}

/// `out[i] = cos x[i]`, in radians.
pub fn cos<T: Elementary>(x: &[T], out: &mut [T]) {
    if map1_checked(x, out, T::cos_element, T::is_huge) {
        patch(x, out, T::is_huge, <T as num_traits::Float>::cos);
    }
}

/// `out[i] = tanh x[i]`.
pub fn tanh<T: Elementary>(x: &[T], out: &mut [T]) {
    map1(x, out, T::tanh_element);
}

/// `out[i] = tan x[i]`, in radians.
pub fn tan<T: Elementary>(x: &[T], out: &mut [T]) {
    if map1_checked(x, out, T::tan_element, T::is_huge) {
        patch(x, out, T::is_huge, <T as num_traits::Float>::tan);
    }
}

/// `out[i] = sinh x[i]`.
pub fn sinh<T: Elementary>(x: &[T], out: &mut [T]) {
    if map1_checked(x, out, T::sinh_element, T::is_extreme) {
        patch(x, out, T::is_extreme, <T as num_traits::Float>::sinh);
    }
}

/// `out[i] = cosh x[i]`.
pub fn cosh<T: Elementary>(x: &[T], out: &mut [T]) {
    if map1_checked(x, out, T::cosh_element, T::is_extreme) {
        patch(x, out, T::is_extreme, <T as num_traits::Float>::cosh);
    }
}

/// Makes the trait of the functions that complex numbers have, too: `name = loop for floats, function of complex numbers, "meaning"`.
macro_rules! analytic {
    ($($name:ident = $how:ident($function:expr), $complex:ident, $meaning:literal;)*) => {
        /// Floats and complex numbers with the functions that both have, over slices. Complex ones are computed as `complex128`.
        pub trait Analytic: Inexact {
            $(#[doc = $meaning] fn $name(x: &[Self], out: &mut [Self]);)*
        }

        analytic!(@floats f16: $($name = $how($function);)*);
        analytic!(@floats f32: $($name = $how($function);)*);
        analytic!(@floats f64: $($name = $how($function);)*);
        analytic!(@complex C64: $($name = $complex;)*);
        analytic!(@complex C128: $($name = $complex;)*);
    };
    (@floats $t:ty: $($name:ident = $how:ident($function:expr);)*) => {
        impl Analytic for $t {
            $(fn $name(x: &[Self], out: &mut [Self]) { analytic!(@$how x, out, $function) })*
        }
    };
    (@complex $t:ty: $($name:ident = $complex:ident;)*) => {
        impl Analytic for $t {
            $(fn $name(x: &[Self], out: &mut [Self]) {
                map1(x, out, |x| Self::cast_from(complex::$complex(C128::cast_from(x))));
            })*
        }
    };
    (@each $x:expr, $out:expr, $function:expr) => { map1($x, $out, $function) };
    (@whole $x:expr, $out:expr, $function:expr) => { $function($x, $out) };
}

analytic! {
    sqrt = each(<Self as num_traits::Float>::sqrt), sqrt, "Square root.";
    exp = whole(exp), exp, "Exponential.";
    exp2 = each(Self::exp2_element), exp2, "Power of 2.";
    expm1 = each(Self::expm1_element), expm1, "`e^x - 1`.";
    log = whole(log), log, "Natural logarithm.";
    log2 = each(Self::log2_element), log2, "Logarithm to base 2.";
    log10 = each(Self::log10_element), log10, "Logarithm to base 10.";
    log1p = each(Self::log1p_element), log1p, "`ln(1 + x)`.";
    sin = whole(sin), sin, "Sine.";
    cos = whole(cos), cos, "Cosine.";
    tan = whole(tan), tan, "Tangent.";
    arcsin = each(Self::arcsin_element), arcsin, "Inverse sine.";
    arccos = each(Self::arccos_element), arccos, "Inverse cosine.";
    arctan = each(Self::arctan_element), arctan_of, "Inverse tangent.";
    sinh = whole(sinh), sinh, "Hyperbolic sine.";
    cosh = whole(cosh), cosh, "Hyperbolic cosine.";
    tanh = whole(tanh), tanh, "Hyperbolic tangent.";
    arcsinh = each(Self::arcsinh_element), arcsinh, "Inverse hyperbolic sine.";
    arccosh = each(Self::arccosh_element), arccosh, "Inverse hyperbolic cosine.";
    arctanh = each(Self::arctanh_element), arctanh, "Inverse hyperbolic tangent.";
}

/// Computes the elements of odd arguments by the platform's library.
#[cold]
fn patch<T: Elementary>(x: &[T], out: &mut [T], odd: fn(T) -> bool, f: fn(T) -> T) {
    for (out, &x) in out.iter_mut().zip(x) {
        if odd(x) {
            *out = f(x);
        }
    }
}
