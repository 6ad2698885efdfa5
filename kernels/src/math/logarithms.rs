//! `log2`, `log10`, `log1p` and the inverse hyperbolic functions, which are logarithms.
//!
//! The splitting of `log2` and `log10` is FreeBSD's msun's.

use super::{LN2_HIGH, LN2_LOW, log_f64, log_tail, split_exponent};

/// What stands in the place of logarithms that are infinite or not defined.
#[inline(always)]
fn special(x: f64) -> f64 {
    if x == 0.0 {
        f64::NEG_INFINITY
    } else if x > 0.0 {
        f64::INFINITY
    } else {
        f64::NAN
    }
}

/// The upper half of the bits.
#[inline(always)]
fn upper(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & 0xffff_ffff_0000_0000)
}

#[inline(always)]
pub(super) fn log2(x: f64) -> f64 {
    const INVERSE_HIGH: f64 = 1.442_695_040_721_446_275_71;
    const INVERSE_LOW: f64 = 1.675_171_316_488_651_183_53e-10;
    let (k, m) = split_exponent(x);
    let f = m - 1.0;
    let half_square = 0.5 * f * f;
    let (s, tail) = log_tail(f);
    let high = upper(f - half_square);
    let low = (f - high) - half_square + s * (half_square + tail);
    let value = high * INVERSE_HIGH;
    let rest = (low + high) * INVERSE_LOW + low * INVERSE_HIGH;
    let sum = k + value;
    let y = (rest + ((k - sum) + value)) + sum;
    if x > 0.0 && x < f64::INFINITY { y } else { special(x) }
}

#[inline(always)]
pub(super) fn log10(x: f64) -> f64 {
    const INVERSE_HIGH: f64 = 4.342_944_818_781_688_809_39e-1;
    const INVERSE_LOW: f64 = 2.508_294_671_164_527_522_98e-11;
    const LOG2_HIGH: f64 = 3.010_299_956_636_117_713_06e-1;
    const LOG2_LOW: f64 = 3.694_239_077_158_930_786_16e-13;
    let (k, m) = split_exponent(x);
    let f = m - 1.0;
    let half_square = 0.5 * f * f;
    let (s, tail) = log_tail(f);
    let high = upper(f - half_square);
    let low = (f - high) - half_square + s * (half_square + tail);
    let value = high * INVERSE_HIGH;
    let exponent = k * LOG2_HIGH;
    let rest = k * LOG2_LOW + (low + high) * INVERSE_LOW + low * INVERSE_HIGH;
    let sum = exponent + value;
    let y = (rest + ((exponent - sum) + value)) + sum;
    if x > 0.0 && x < f64::INFINITY { y } else { special(x) }
}

#[inline(always)]
pub(super) fn log1p(x: f64) -> f64 {
    let u = 1.0 + x;
    let (k, m) = split_exponent(u);
    // Near 0 the argument itself is exact; elsewhere the rounding of 1 + x is made good.
    let near = k == 0.0;
    let lost = if k > 0.0 { 1.0 - (u - x) } else { x - (u - 1.0) };
    let correction = if near { 0.0 } else { lost / u };
    let f = if near { x } else { m - 1.0 };
    let half_square = 0.5 * f * f;
    let (s, tail) = log_tail(f);
    let y = k * LN2_HIGH - ((half_square - (s * (half_square + tail) + (k * LN2_LOW + correction))) - f);
    let y = if u > 0.0 && u < f64::INFINITY { y } else { special(u) };
    if x == 0.0 { x } else { y }
}

#[inline(always)]
pub(super) fn arcsinh(x: f64) -> f64 {
    let a = x.abs();
    let square = a * a;
    let middle = log1p(a + square / (1.0 + (1.0 + square).sqrt()));
    let y = if a > 268_435_456.0 { log_f64(a) + std::f64::consts::LN_2 } else { middle };
    y.copysign(x)
}

#[inline(always)]
pub(super) fn arccosh(x: f64) -> f64 {
    let t = x - 1.0;
    let middle = log1p(t + (t * (t + 2.0)).sqrt());
    let y = if x > 268_435_456.0 { log_f64(x) + std::f64::consts::LN_2 } else { middle };
    if x >= 1.0 { y } else { f64::NAN }
}

#[inline(always)]
pub(super) fn arctanh(x: f64) -> f64 {
    let a = x.abs();
    let y = 0.5 * log1p(2.0 * a / (1.0 - a));
    let y = if a > 1.0 { f64::NAN } else { y };
    // Where halving would round a subnormal number.
    let y = if a < 1e-300 { a } else { y };
    y.copysign(x)
}
