//! Arbitrary-precision answers to hold the kernels against.

use num_bigint::{BigInt, BigUint, Sign};

/// `x · 2^1074`, a whole number.
fn scaled(x: f64) -> BigInt {
    let bits = x.to_bits();
    let field = (bits >> 52) & 0x7ff;
    let fraction = bits & ((1 << 52) - 1);
    let mantissa = if field == 0 { fraction } else { fraction | 1 << 52 };
    let size = BigUint::from(mantissa) << (field.max(1) - 1) as usize;
    BigInt::from_biguint(if bits >> 63 == 1 { Sign::Minus } else { Sign::Plus }, size)
}

/// An exact value `numerator / (divisor · 2^scale)`.
pub(super) struct Exact {
    numerator: BigInt,
    divisor: BigInt,
    scale: usize,
}

impl Exact {
    pub(super) fn sum(values: &[f64]) -> Exact {
        Exact { numerator: values.iter().map(|&x| scaled(x)).sum(), divisor: 1.into(), scale: 1074 }
    }

    pub(super) fn mean(values: &[f64]) -> Exact {
        Exact { divisor: values.len().into(), ..Exact::sum(values) }
    }

    pub(super) fn variance(values: &[f64], ddof: usize) -> Exact {
        // Two passes: the deviations n·x - Σx are whole numbers, too.
        let n = BigInt::from(values.len());
        let sum: BigInt = values.iter().map(|&x| scaled(x)).sum();
        let numerator = values.iter().map(|&x| (&n * scaled(x) - &sum).pow(2)).sum();
        Exact { numerator, divisor: &n * &n * BigInt::from(values.len() - ddof), scale: 2148 }
    }

    /// Twice the distance from `x`, times `divisor · 2^scale`.
    fn distance(&self, x: BigInt) -> BigUint {
        (&self.numerator - ((x * &self.divisor) << (self.scale - 1074))).magnitude().clone()
    }

    fn assert_nearest(&self, x: f64, below: BigInt, above: BigInt, even: bool) {
        let here = self.distance(scaled(x));
        for neighbour in [below, above] {
            let there = self.distance(neighbour);
            assert!(here < there || here == there && even, "{x:e} is not the nearest");
        }
    }

    /// Panics unless `x` is the correctly rounded value.
    pub(super) fn assert_f64(&self, x: f64) {
        let (max, next) = (scaled(f64::MAX), BigInt::from(1) << 2098usize);
        if x.is_infinite() {
            // The nearest with the exponent unbounded would be 2^1024 or more.
            let at = if x > 0.0 { next.clone() } else { -next.clone() };
            let max = if x > 0.0 { max } else { -max };
            assert!(self.distance(at) <= self.distance(max), "{x} should be finite");
            return;
        }
        assert!(!x.is_nan());
        let neighbour = |y: f64| {
            if y.is_infinite() { &next * y.signum() as i32 } else { scaled(y) }
        };
        self.assert_nearest(x, neighbour(x.next_down()), neighbour(x.next_up()), x.to_bits() & 1 == 0);
    }

    /// Panics unless `x` is the correctly rounded value.
    pub(super) fn assert_f32(&self, x: f32) {
        let next = BigInt::from(1) << 1202usize;
        let wide = |y: f32| {
            if y.is_infinite() { &next * y.signum() as i32 } else { scaled(y.into()) }
        };
        if x.is_infinite() {
            let max = scaled(f32::MAX.copysign(x).into());
            assert!(self.distance(wide(x)) <= self.distance(max), "{x} should be finite");
            return;
        }
        assert!(!x.is_nan());
        self.assert_nearest(x.into(), wide(x.next_down()), wide(x.next_up()), x.to_bits() & 1 == 0);
    }
}
