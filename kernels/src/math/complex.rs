//! Elementary functions of complex numbers.
//!
//! Branch cuts and signs of zeros are C99's; formulas of the inverse functions are Kahan's (*Branch Cuts for Complex Elementary
//! Functions*, 1987), those of their large arguments CPython's. Each part is accurate to a few units in the last place of the
//! absolute value. Of arguments with an infinite or undefined part only those that C99 gives a value that is not NaN, and that
//! follow from the formulas, are honoured.

use std::f64::consts::{FRAC_PI_2, LN_2, LOG2_E, LOG10_E};

use super::inverse::{arctan, arctan2};
use super::logarithms::{arcsinh as real_arcsinh, log1p as real_log1p};
use super::roots::hypot;
use super::{TRIGONOMETRIC_LIMIT, cos_f64, exp_full, exponentials, log_f64, sin_f64};
use crate::dtype::C128;

/// Beyond it squares come near the end of the range.
const LARGE: f64 = 1e150;

fn complex(re: f64, im: f64) -> C128 {
    C128::new(re, im)
}

fn sine(x: f64) -> f64 {
    if x.abs() <= TRIGONOMETRIC_LIMIT { sin_f64(x) } else { x.sin() }
}

fn cosine(x: f64) -> f64 {
    if x.abs() <= TRIGONOMETRIC_LIMIT { cos_f64(x) } else { x.cos() }
}

/// The number times i.
fn turned(z: C128) -> C128 {
    complex(-z.im, z.re)
}

/// The number divided by i.
fn turned_back(z: C128) -> C128 {
    complex(z.im, -z.re)
}

/// `e^x` times `(cos, sin)`, where `e^x` alone may overflow.
fn scaled(x: f64, cos: f64, sin: f64) -> C128 {
    if x > 700.0 && x.is_finite() {
        let half = exp_full(0.5 * x);
        complex(half * cos * half, half * sin * half)
    } else {
        let e = exp_full(x);
        complex(e * cos, e * sin)
    }
}

pub(crate) fn exp(z: C128) -> C128 {
    if z.im == 0.0 {
        return complex(exp_full(z.re), z.im);
    }
    if !z.im.is_finite() {
        return match z.re {
            f64::NEG_INFINITY => complex(0.0, 0.0),
            f64::INFINITY => complex(f64::INFINITY, f64::NAN),
            _ => complex(f64::NAN, f64::NAN),
        };
    }
    scaled(z.re, cosine(z.im), sine(z.im))
}

pub(super) fn exp2(z: C128) -> C128 {
    if z.im == 0.0 { complex(exponentials::exp2(z.re), z.im) } else { exp(complex(z.re * LN_2, z.im * LN_2)) }
}

pub(super) fn expm1(z: C128) -> C128 {
    let half = sine(0.5 * z.im);
    let re = exponentials::expm1(z.re) * cosine(z.im) - 2.0 * half * half;
    complex(re, exp(z).im)
}

/// `ln |z|` without cancellation where `|z|` is near 1, and without overflow.
fn log_abs(z: C128) -> f64 {
    let (a, b) = (z.re.abs(), z.im.abs());
    let (large, small) = if a > b { (a, b) } else { (b, a) };
    if large > LARGE {
        return if large == f64::INFINITY { large } else { log_f64(hypot(0.5 * a, 0.5 * b)) + LN_2 };
    }
    let size = hypot(a, b);
    if !(0.6..1.7).contains(&size) {
        return log_f64(size);
    }
    // large² + small² - 1 with the errors of the squares; the differences are exact.
    let (p, q) = (large * large, small * small);
    let (p_rest, q_rest) = (large.mul_add(large, -p), small.mul_add(small, -q));
    0.5 * real_log1p(((p - 1.0) + q) + (p_rest + q_rest))
}

pub(crate) fn log(z: C128) -> C128 {
    complex(log_abs(z), arctan2(z.im, z.re))
}

pub(super) fn log2(z: C128) -> C128 {
    let y = log(z);
    complex(y.re * LOG2_E, y.im * LOG2_E)
}

pub(super) fn log10(z: C128) -> C128 {
    let y = log(z);
    complex(y.re * LOG10_E, y.im * LOG10_E)
}

pub(super) fn log1p(z: C128) -> C128 {
    let sum = complex(1.0 + z.re, z.im);
    let small = z.re.abs() < 0.5 && z.im.abs() < 0.5;
    // |1 + z|² - 1
    let re = if small { 0.5 * real_log1p(z.re * (2.0 + z.re) + z.im * z.im) } else { log_abs(sum) };
    complex(re, arctan2(sum.im, sum.re))
}

pub(super) fn sqrt(z: C128) -> C128 {
    let (a, b) = (z.re, z.im);
    if a == 0.0 && b == 0.0 {
        return complex(0.0, b);
    }
    if b.is_infinite() {
        return complex(f64::INFINITY, b);
    }
    if a.is_infinite() {
        let undefined_or_zero = if b.is_nan() { b } else { 0.0 };
        return if a > 0.0 {
            complex(a, undefined_or_zero.copysign(b))
        } else {
            complex(undefined_or_zero, a.abs().copysign(b))
        };
    }
    // A power of 4, so that roots of it are exact.
    let size = a.abs().max(b.abs());
    let (scale, back) = if size > LARGE {
        (2_f64.powi(-600), 2_f64.powi(300))
    } else if size < 1e-150 {
        (2_f64.powi(600), 2_f64.powi(-300))
    } else {
        (1.0, 1.0)
    };
    let (a, b) = (a * scale, b * scale);
    let t = ((a.abs() + hypot(a, b)) * 0.5).sqrt();
    let other = b.abs() / (2.0 * t);
    if a >= 0.0 { complex(t * back, (other * back).copysign(b)) } else { complex(other * back, (t * back).copysign(b)) }
}

pub(super) fn sinh(z: C128) -> C128 {
    if z.im == 0.0 {
        return complex(real_sinh(z.re), z.im);
    }
    if z.re.abs() > 700.0 {
        // Half of e^|x|.
        let y = scaled(z.re.abs() - LN_2, cosine(z.im), sine(z.im));
        return complex(y.re * 1.0_f64.copysign(z.re), y.im);
    }
    complex(real_sinh(z.re) * cosine(z.im), real_cosh(z.re) * sine(z.im))
}

pub(super) fn cosh(z: C128) -> C128 {
    if z.im == 0.0 {
        return complex(real_cosh(z.re), z.im * 1.0_f64.copysign(z.re));
    }
    if z.re.abs() > 700.0 {
        let y = scaled(z.re.abs() - LN_2, cosine(z.im), sine(z.im));
        return complex(y.re, y.im * 1.0_f64.copysign(z.re));
    }
    complex(real_cosh(z.re) * cosine(z.im), real_sinh(z.re) * sine(z.im))
}

fn real_sinh(x: f64) -> f64 {
    if x.abs() <= 708.0 { exponentials::sinh(x) } else { x.sinh() }
}

fn real_cosh(x: f64) -> f64 {
    if x.abs() <= 708.0 { exponentials::cosh(x) } else { x.cosh() }
}

pub(super) fn tanh(z: C128) -> C128 {
    if z.re.abs() > 22.0 {
        if !z.im.is_finite() {
            let sign = 1.0_f64.copysign(z.re);
            return if z.re.is_infinite() { complex(sign, 0.0) } else { complex(f64::NAN, f64::NAN) };
        }
        let im = 4.0 * sine(z.im) * cosine(z.im) * exp_full(-2.0 * z.re.abs());
        return complex(1.0_f64.copysign(z.re), im);
    }
    let t = sine(z.im) / cosine(z.im);
    let beta = 1.0 + t * t;
    let s = real_sinh(z.re);
    let rho = (1.0 + s * s).sqrt();
    let divisor = 1.0 + beta * s * s;
    complex(beta * rho * s / divisor, t / divisor)
}

pub(super) fn sin(z: C128) -> C128 {
    turned_back(sinh(turned(z)))
}

pub(super) fn cos(z: C128) -> C128 {
    cosh(turned(z))
}

pub(super) fn tan(z: C128) -> C128 {
    turned_back(tanh(turned(z)))
}

/// `ln 2|z|` of a large `z`.
fn log_twice(z: C128) -> f64 {
    log_f64(hypot(0.5 * z.re, 0.5 * z.im)) + 2.0 * LN_2
}

fn is_large(z: C128) -> bool {
    z.re.abs() > LARGE || z.im.abs() > LARGE
}

pub(super) fn arcsinh(z: C128) -> C128 {
    if is_large(z) {
        return complex(log_twice(z).copysign(z.re), arctan2(z.im, z.re.abs()));
    }
    let (a, b) = (sqrt(complex(1.0 + z.im, -z.re)), sqrt(complex(1.0 - z.im, z.re)));
    complex(real_arcsinh(a.re * b.im - b.re * a.im), arctan2(z.im, a.re * b.re - a.im * b.im))
}

pub(super) fn arcsin(z: C128) -> C128 {
    turned_back(arcsinh(turned(z)))
}

pub(super) fn arccos(z: C128) -> C128 {
    if is_large(z) {
        return complex(arctan2(z.im.abs(), z.re), log_twice(z).copysign(-z.im));
    }
    let (a, b) = (sqrt(complex(1.0 - z.re, -z.im)), sqrt(complex(1.0 + z.re, z.im)));
    complex(2.0 * arctan2(a.re, b.re), real_arcsinh(b.re * a.im - b.im * a.re))
}

pub(super) fn arccosh(z: C128) -> C128 {
    if is_large(z) {
        return complex(log_twice(z), arctan2(z.im, z.re));
    }
    let (a, b) = (sqrt(complex(z.re - 1.0, z.im)), sqrt(complex(z.re + 1.0, z.im)));
    complex(real_arcsinh(a.re * b.re + a.im * b.im), 2.0 * arctan2(a.im, b.re))
}

pub(super) fn arctanh(z: C128) -> C128 {
    let (x, y) = (z.re.abs(), z.im.abs());
    let (re, im) = if is_large(z) {
        let size = hypot(0.5 * x, 0.5 * y);
        (x / 4.0 / size / size, FRAC_PI_2)
    } else if x == 1.0 && y < 1e-154 {
        if y == 0.0 { (f64::INFINITY, 0.0) } else { (-log_f64((y / 2.0).sqrt()), arctan2(2.0, -y) / 2.0) }
    } else {
        let below = 1.0 - x;
        let re = real_log1p(4.0 * x / (below * below + y * y)) / 4.0;
        (re, arctan2(2.0 * y, below * (1.0 + x) - y * y) / 2.0)
    };
    let re = if x == f64::INFINITY || y == f64::INFINITY { 0.0 } else { re };
    // On the real axis arctan2 is exact: 0, or a quarter turn beyond 1.
    let im = if y == 0.0 && x < 1.0 { arctan(y) } else { im };
    complex(re.copysign(z.re), im.copysign(z.im))
}

pub(super) fn arctan_of(z: C128) -> C128 {
    turned_back(arctanh(turned(z)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What NumPy 2 answers.
    #[test]
    fn as_numpy() {
        let z = complex(0.75, -1.25);
        type Row = (fn(C128) -> C128, f64, f64);
        let rows: &[Row] = &[
            (exp, 0.6675374464291316, -2.009000454940949),
            (log, 0.3768859011881901, -1.0303768265243125),
            (sqrt, 1.050651696260784, -0.594868882070379),
        ];
        for (f, re, im) in rows {
            let found = f(z);
            assert!((found.re - re).abs() < 4e-16 * 4.0 && (found.im - im).abs() < 4e-16 * 4.0, "{found} {re} {im}");
        }
    }

    #[test]
    fn inverses_undo() {
        let close = |a: C128, b: C128| hypot(a.re - b.re, a.im - b.im) <= 1e-13 * hypot(b.re, b.im).max(1e-3);
        for i in -20..=20 {
            for j in -20..=20 {
                let z = complex(f64::from(i) * 0.21 + 0.01, f64::from(j) * 0.17 + 0.005);
                for (name, back) in [
                    ("log", exp(log(z))),
                    ("sqrt", sqrt(z) * sqrt(z)),
                    ("arcsin", sin(arcsin(z))),
                    ("arccos", cos(arccos(z))),
                    ("arctan", tan(arctan_of(z))),
                    ("arcsinh", sinh(arcsinh(z))),
                    ("arccosh", cosh(arccosh(z))),
                    ("arctanh", tanh(arctanh(z))),
                    ("log1p", expm1(log1p(z))),
                    ("log2", exp2(log2(z))),
                ] {
                    assert!(close(back, z), "{name} of {z} and back is {back}");
                }
            }
        }
    }

    #[test]
    fn cuts_and_extremes() {
        assert_eq!(sqrt(complex(-4.0, 0.0)), complex(0.0, 2.0));
        assert_eq!(sqrt(complex(-4.0, -0.0)), complex(0.0, -2.0));
        assert_eq!(log(complex(-1.0, -0.0)).im, -std::f64::consts::PI);
        assert!(sqrt(complex(1e308, 1e308)).re.is_finite() && log(complex(1e308, 1e308)).re.is_finite());
        assert!(exp(complex(710.0, 1.5)).re.is_finite() && sinh(complex(-710.0, 1.5)).im.is_finite());
        assert_eq!(tanh(complex(1e3, 1.0)).re, 1.0);
        assert_eq!(arctanh(complex(1.0, 0.0)).re, f64::INFINITY);
        assert!((arcsinh(complex(1e200, 1e200)).re - log_twice(complex(1e200, 1e200))).abs() < 1e-12);
        // |z|² - 1 is about 1e-10.
        let near = complex(0.6, 0.8 + 1e-10);
        assert!((log(near).re - 8.000002882229018e-11).abs() < 1e-26);
    }
}
