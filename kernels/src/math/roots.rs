//! `cbrt` and `hypot`.

use super::fma;

/// The cube root: a guess by the exponent, a polynomial, and a step of Newton's (FreeBSD's msun).
#[inline(always)]
pub(super) fn cbrt(x: f64) -> f64 {
    let a = x.abs();
    let subnormal = a < f64::MIN_POSITIVE;
    let scaled = if subnormal { a * 18_014_398_509_481_984.0 } else { a };
    let start = if subnormal { 696_219_795 } else { 715_094_163_u32 };
    let guess = ((scaled.to_bits() >> 32) as u32) / 3 + start;
    let t = f64::from_bits(u64::from(guess) << 32);
    let r = (t * t) * (t / a);
    let t = t
        * ((1.875_951_824_271_770_096_43 + r * (-1.884_979_795_433_771_698_75 + r * 1.621_429_720_105_354_466_140))
            + ((r * r) * r) * (-0.758_397_934_778_766_047_437 + r * 0.145_996_192_886_612_446_982));
    // To 23 bits, so that its square is exact.
    let t = f64::from_bits(t.to_bits().wrapping_add(0x8000_0000) & 0xffff_ffff_c000_0000);
    let r = a / (t * t);
    let r = (r - t) / ((t + t) + r);
    let y = (t + t * r).copysign(x);
    if a > 0.0 && a < f64::INFINITY { y } else { x }
}

/// `sqrt(a² + b²)` without overflow: the root of the fused sum, and what is left of its square (Borges, 2019).
#[inline(always)]
pub(super) fn hypot(a: f64, b: f64) -> f64 {
    let (a, b) = (a.abs(), b.abs());
    let (large, small) = if a > b { (a, b) } else { (b, a) };
    // 2^600 and 2^-600.
    const UP: f64 = f64::from_bits((1023 + 600) << 52);
    const DOWN: f64 = f64::from_bits((1023 - 600) << 52);
    let scale = if large > 1.0e150 {
        DOWN
    } else if small < 1.0e-140 {
        UP
    } else {
        1.0
    };
    let far = scale == UP && large > 1.0e-100;
    let scale = if far { 1.0 } else { scale };
    let back = if scale == UP {
        DOWN
    } else if scale == DOWN {
        UP
    } else {
        1.0
    };
    let (x, y) = (large * scale, small * scale);
    let h = fma(x, x, y * y).sqrt();
    let (h_square, x_square) = (h * h, x * x);
    let rest = fma(-y, y, h_square - x_square) + fma(h, h, -h_square) - fma(x, x, -x_square);
    let root = if h > 0.0 { h - rest / (2.0 * h) } else { h };
    // The smaller one is too small to be seen.
    let root = if far { x } else { root };
    let y = root * back;
    let y = if a.is_nan() || b.is_nan() { f64::NAN } else { y };
    if a == f64::INFINITY || b == f64::INFINITY { f64::INFINITY } else { y }
}
