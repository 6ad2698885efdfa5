//! Against `std`, and identities where it loses digits.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Distance in units of the last place; infinite where one is NaN and the other is not.
fn ulps(a: f64, b: f64) -> f64 {
    if a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()) {
        return 0.0;
    }
    if a == 0.0 && b == 0.0 {
        return f64::INFINITY; // the signs differ
    }
    let ordered = |x: f64| {
        let bits = x.to_bits() as i64;
        i128::from(if bits < 0 { i64::MIN - bits } else { bits })
    };
    if a.is_nan() || b.is_nan() { f64::INFINITY } else { (ordered(a) - ordered(b)).abs() as f64 }
}

/// Ordinary, extreme and special arguments: all exponents, ranges around 0, multiples of pi/2.
fn arguments() -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut x = vec![0.0, f64::INFINITY, f64::NAN, f64::MIN_POSITIVE, 5e-324, f64::MAX, 1.0, 0.5, 2.0];
    x.extend([709.78, 709.79, 744.44, 745.13, 745.14, 708.3965, 0.3465735, 20.0, 22.0, 18.99]);
    x.extend((0..100_000).map(|_| f64::from_bits(rng.random::<u64>())));
    for bound in [1.0, 20.0, 800.0, 1e5, 6e7] {
        x.extend((0..100_000).map(|_| rng.random_range(0.0..bound)));
    }
    x.extend((1..50_000).map(|i| f64::from(i) * std::f64::consts::FRAC_PI_2));
    x.extend((1..50_000).map(|i| f64::from(i * 800) * std::f64::consts::FRAC_PI_4));
    x.extend((0..10_000).map(|i| 1.0 + f64::from(i) * f64::EPSILON));
    x.extend(x.clone().iter().map(|x| -x));
    x
}

fn worst(name: &str, f: fn(&[f64], &mut [f64]), expected: fn(f64) -> f64, bound: f64) {
    let x = arguments();
    let mut out = vec![0.0; x.len()];
    let mut largest = 0.0_f64;
    f(&x, &mut out);
    for (x, y) in x.iter().zip(out) {
        let error = ulps(y, expected(*x));
        largest = largest.max(error);
        assert!(error <= bound, "{name}({x:e}) = {y:e}, expected {:e}", expected(*x));
    }
}

fn worst_f32(name: &str, f: fn(&[f32], &mut [f32]), expected: fn(f64) -> f64) {
    let x: Vec<f32> = arguments().iter().map(|&x| x as f32).collect();
    let mut out = vec![0.0; x.len()];
    f(&x, &mut out);
    for (x, y) in x.iter().zip(out) {
        let wanted = expected(f64::from(*x)) as f32;
        let near = (y - wanted).abs() <= wanted.abs() * f32::EPSILON + f32::from_bits(1);
        assert!(near || y == wanted || (y.is_nan() && wanted.is_nan()), "{name}({x:e}) = {y:e}, expected {wanted:e}");
    }
}

#[test]
fn exp_is_accurate() {
    worst("exp", exp, f64::exp, 1.0);
    worst_f32("exp", exp, f64::exp);
}

#[test]
fn log_is_accurate() {
    worst("log", log, f64::ln, 1.0);
    worst_f32("log", log, f64::ln);
}

#[test]
fn sin_is_accurate() {
    worst("sin", sin, f64::sin, 2.0);
    worst_f32("sin", sin, f64::sin);
}

#[test]
fn cos_is_accurate() {
    worst("cos", cos, f64::cos, 2.0);
    worst_f32("cos", cos, f64::cos);
}

#[test]
fn tanh_is_accurate() {
    worst("tanh", tanh, f64::tanh, 2.0);
    worst_f32("tanh", tanh, f64::tanh);
}

/// The functions that have no loop of their own here: the bound, and what `std` says.
#[test]
fn the_others_are_accurate() {
    /// One function: name, ours, that of `std`, the bound.
    type Row = (&'static str, fn(f64) -> f64, fn(f64) -> f64, f64);
    let rows: &[Row] = &[
        ("exp2", f64::exp2_element, f64::exp2, 1.0),
        ("expm1", f64::expm1_element, f64::exp_m1, 2.0),
        ("log2", f64::log2_element, f64::log2, 1.0),
        ("log10", f64::log10_element, f64::log10, 2.0),
        ("log1p", f64::log1p_element, f64::ln_1p, 2.0),
        ("arcsin", f64::arcsin_element, f64::asin, 2.0),
        ("arccos", f64::arccos_element, f64::acos, 2.0),
        ("arctan", f64::arctan_element, f64::atan, 1.0),
        ("cbrt", f64::cbrt_element, f64::cbrt, 1.0),
    ];
    let mut wrong = Vec::new();
    for (name, ours, expected, bound) in rows {
        let mut worst = (0.0, 0.0);
        for x in arguments() {
            let error = ulps(ours(x), expected(x));
            if error > worst.0 {
                worst = (error, x);
            }
        }
        println!("{name}: {} at {:e}: {:e}, {:e}", worst.0, worst.1, ours(worst.1), expected(worst.1));
        if worst.0 > *bound {
            wrong.push(*name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn tan_and_the_hyperbolic_functions_are_accurate() {
    worst("tan", tan, f64::tan, 3.0);
    worst("sinh", sinh, f64::sinh, 3.0);
    worst("cosh", cosh, f64::cosh, 2.0);
    worst_f32("tan", tan, f64::tan);
    worst_f32("sinh", sinh, f64::sinh);
    worst_f32("cosh", cosh, f64::cosh);
}

/// The inverse hyperbolic functions undo the others, where that is well conditioned; `std`'s lose digits near 1.
#[test]
fn inverse_hyperbolic_functions_are_accurate() {
    for i in 0..20_000 {
        let y = 1e-6 + f64::from(i) * 1e-3;
        let (arcsinh, arccosh) = (y.sinh().arcsinh_element(), y.cosh().arccosh_element());
        assert!(ulps(arcsinh, y) <= 4.0 || y > 18.0 && (arcsinh - y).abs() < 1e-14, "arcsinh(sinh {y}) = {arcsinh}");
        assert!(y < 1.0 || (arccosh - y).abs() <= 4e-15 * y, "arccosh(cosh {y}) = {arccosh}");
        let t = 1.0 - (-0.01 * y).exp();
        assert!(ulps(t.arctanh_element(), 0.5 * (t.ln_1p() - (-t).ln_1p())) <= 3.0, "arctanh {t}");
    }
    assert_eq!(1.0_f64.arccosh_element(), 0.0);
    assert!(0.5_f64.arccosh_element().is_nan() && f64::NAN.arccosh_element().is_nan());
    // acosh(1 + t) = sqrt(2 t) (1 - t / 12 ..)
    let t = 2_f64.powi(-40);
    assert!(ulps((1.0 + t).arccosh_element(), (2.0 * t).sqrt() * (1.0 - t / 12.0)) <= 2.0);
    assert_eq!(1.0_f64.arctanh_element(), f64::INFINITY);
    assert!(1.5_f64.arctanh_element().is_nan() && f64::NAN.arctanh_element().is_nan());
    for x in [0.0, -0.0, 5e-324, -1e-310, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(x.arcsinh_element().to_bits(), x.to_bits());
    }
}

#[test]
fn functions_of_two_arguments_are_accurate() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut pairs: Vec<(f64, f64)> = Vec::new();
    for _ in 0..200_000 {
        pairs.push((f64::from_bits(rng.random::<u64>()), f64::from_bits(rng.random::<u64>())));
        pairs.push((rng.random_range(-10.0..10.0), rng.random_range(-10.0..10.0)));
    }
    let odd = [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324, 1e308, -3e-310, 1e-150];
    pairs.extend(odd.iter().flat_map(|&a| odd.map(|b| (a, b))));
    pairs.extend((0..50_000).map(|i| (f64::from(i) * 1e-310, f64::from(50_000 - i) * 1e-310)));
    for (a, b) in pairs {
        let found = a.hypot_element(b);
        assert!(ulps(found, a.hypot(b)) <= 1.0, "hypot({a:e}, {b:e}) = {found:e}, expected {:e}", a.hypot(b));
        let found = a.arctan2_element(b);
        assert!(ulps(found, a.atan2(b)) <= 2.0, "arctan2({a:e}, {b:e}) = {found:e}, expected {:e}", a.atan2(b));
        if a.abs() < 100.0 && b.abs() < 100.0 {
            let expected = a.max(b) + (-(a - b).abs()).exp().ln_1p();
            let room = 2.0 * f64::EPSILON * expected.abs().max(a.abs()).max(b.abs()).max(0.5);
            assert!((a.logaddexp_element(b) - expected).abs() <= room, "logaddexp({a:e}, {b:e})");
            let expected = a.max(b) + (-(a - b).abs()).exp2().ln_1p() * std::f64::consts::LOG2_E;
            assert!((a.logaddexp2_element(b) - expected).abs() <= 2.0 * room, "logaddexp2({a:e}, {b:e})");
        }
    }
    let infinity = f64::INFINITY;
    assert_eq!(infinity.logaddexp_element(infinity), infinity);
    assert_eq!((-infinity).logaddexp_element(-infinity), -infinity);
    assert_eq!((-infinity).logaddexp2_element(3.0), 3.0);
    assert!(f64::NAN.logaddexp_element(infinity).is_nan());
}

#[test]
fn bessel_function() {
    for (x, expected) in [(0.0, 1.0), (1.0, 1.266_065_877_752_008_4), (-10.0, 2_815.716_628_466_254)] {
        let found = f64::i0_element(x);
        assert!((found - expected).abs() <= 4e-16 * expected, "i0({x}) = {found}");
    }
}

#[test]
fn the_result_does_not_depend_on_the_position() {
    let x = &arguments()[..4000];
    let mut all = vec![0.0; x.len()];
    type Function = fn(&[f64], &mut [f64]);
    for f in [exp as Function, log, sin, cos, tanh] {
        f(x, &mut all);
        for (x, all) in x.iter().zip(&all) {
            let mut one = [0.0];
            f(&[*x], &mut one);
            assert!(one[0].to_bits() == all.to_bits() || (one[0].is_nan() && all.is_nan()));
        }
    }
}
