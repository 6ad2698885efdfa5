//! The arithmetic of `f16`: in `f32`, rounded after each operation.
//!
//! The conversions are free of branches, so that loops over them are vectorised (the crate `half` asks the processor for its
//! abilities at every element). Sums, products, quotients and roots are those rounded once: `f32` has more than twice the digits.

use super::{Float, Inexact, Number, Ordered, Real};
use crate::dtype::f16;

/// As `f32`, exactly.
#[inline(always)]
pub(crate) fn single(value: f16) -> f32 {
    let bits = u32::from(value.to_bits());
    // The exponents differ by 112. A product puts it right for subnormal numbers, too.
    let scale = f32::from_bits((127 + 112) << 23);
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * scale;
    let special = if bits & 0x7c00 == 0x7c00 { 0xff << 23 } else { 0 };
    f32::from_bits(magnitude.to_bits() | special | ((bits & 0x8000) << 16))
}

/// The nearest `f16`, ties to even; infinite from 65520 on.
#[inline(always)]
pub(crate) fn nearest_to_single(value: f32) -> f16 {
    const FIRST_NORMAL: u32 = 113 << 23;
    const TOO_LARGE: u32 = 143 << 23;
    // Its last place is that of subnormal halves: adding it rounds there.
    const ROUND: f32 = 0.5;
    let bits = value.to_bits();
    let sign = bits & 0x8000_0000;
    let magnitude = bits ^ sign;
    let subnormal = (f32::from_bits(magnitude) + ROUND).to_bits().wrapping_sub(ROUND.to_bits());
    let odd = (magnitude >> 13) & 1;
    let normal = magnitude.wrapping_sub(112 << 23).wrapping_add(0xfff + odd) >> 13;
    let finite = if magnitude < FIRST_NORMAL { subnormal } else { normal };
    let special = if magnitude > 0xff << 23 { 0x7e00 } else { 0x7c00 };
    let half = if magnitude < TOO_LARGE { finite } else { special };
    f16::from_bits((half | (sign >> 16)) as u16)
}

/// The nearest `f16`, ties to even.
#[inline(always)]
pub(crate) fn nearest(value: f64) -> f16 {
    // Through an f32 whose last bit says whether something was lost: so rounding again is rounding once.
    let near = value as f32;
    let bits = near.to_bits();
    let back = f64::from(near);
    let lost = back != value && bits & 1 == 0 && !value.is_nan();
    let odd = if back.abs() > value.abs() { bits.wrapping_sub(1) } else { bits.wrapping_add(1) };
    nearest_to_single(f32::from_bits(if lost { odd } else { bits }))
}

impl Ordered for f16 {
    #[inline(always)]
    fn less(self, other: Self) -> bool {
        single(self) < single(other)
    }

    #[inline(always)]
    fn less_equal(self, other: Self) -> bool {
        single(self) <= single(other)
    }
}

/// Makes functions of `f16` of those of `f32`.
macro_rules! in_single {
    ($trait:ident: $($name:ident($($x:ident),*);)*) => {
        $(
            #[inline(always)]
            fn $name(self $(, $x: Self)*) -> Self {
                nearest_to_single($trait::$name(single(self) $(, single($x))*))
            }
        )*
    };
}

impl Number for f16 {
    const ZERO: Self = f16::ZERO;
    const ONE: Self = f16::ONE;
    in_single! { Number: add(other); sub(other); mul(other); power(exponent); sign(); maximum(other); minimum(other); fmax(other); fmin(other); }

    #[inline(always)]
    fn neg(self) -> Self {
        f16::from_bits(self.to_bits() ^ 0x8000)
    }
}

impl Real for f16 {
    in_single! { Real: floor_div(other); modulo(other); fmod(other); }

    #[inline(always)]
    fn abs(self) -> Self {
        f16::from_bits(self.to_bits() & 0x7fff)
    }
}

impl Inexact for f16 {
    in_single! { Inexact: divide(other); reciprocal(); rint(); }

    #[inline(always)]
    fn is_nan(self) -> bool {
        self.to_bits() & 0x7fff > 0x7c00
    }

    #[inline(always)]
    fn is_finite(self) -> bool {
        self.to_bits() & 0x7fff < 0x7c00
    }

    #[inline(always)]
    fn is_infinite(self) -> bool {
        self.to_bits() & 0x7fff == 0x7c00
    }
}

impl Float for f16 {
    in_single! { Float: degrees(); radians(); fraction(); mantissa(); load_exponent(exponent); heaviside(at_zero); }

    #[inline(always)]
    fn spacing(self) -> Self {
        // The difference of neighbours is exact in f32.
        let next = f16::from_bits(self.to_bits().wrapping_add(1));
        let step = single(next) - single(self);
        if self.to_bits() & 0x7fff == 0 {
            f16::from_bits(1)
        } else if Inexact::is_finite(self) {
            nearest_to_single(step)
        } else {
            f16::NAN
        }
    }

    #[inline(always)]
    fn next_after(self, other: Self) -> Self {
        let (a, b, bits) = (single(self), single(other), self.to_bits());
        if a.is_nan() || b.is_nan() {
            f16::NAN
        } else if a == b {
            other
        } else if a == 0.0 {
            f16::from_bits(1 | (other.to_bits() & 0x8000))
        } else if (b > a) == (a > 0.0) {
            f16::from_bits(bits.wrapping_add(1))
        } else {
            f16::from_bits(bits.wrapping_sub(1))
        }
    }

    #[inline(always)]
    fn exponent(self) -> i32 {
        Float::exponent(single(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_are_exact_and_round_once() {
        for bits in 0..=u16::MAX {
            let half = f16::from_bits(bits);
            let wide = single(half);
            assert!(wide.to_bits() == half.to_f32().to_bits() || wide.is_nan() && half.is_nan(), "{bits:x}");
            let back = nearest_to_single(wide);
            assert!(back == half || half.is_nan() && back.is_nan());
            // Between halves, and next to the middle, the next f64 and the next f32.
            let next = single(f16::from_bits(bits.wrapping_add(1)));
            if !wide.is_finite() || !next.is_finite() {
                continue;
            }
            let middle = (f64::from(wide) + f64::from(next)) / 2.0;
            let negative = wide.is_sign_negative();
            let away = |x: f64| if negative { x.next_down() } else { x.next_up() };
            let back = |x: f64| if negative { x.next_up() } else { x.next_down() };
            assert_eq!(nearest(middle).to_bits(), bits + (bits & 1), "{middle:e}");
            assert_eq!(nearest(away(middle)).to_bits(), bits + 1, "{middle:e}");
            assert_eq!(nearest(back(middle)).to_bits(), bits, "{middle:e}");
            assert_eq!(nearest_to_single(middle as f32).to_bits(), bits + (bits & 1), "{middle:e}");
            assert_eq!(nearest_to_single((middle as f32).next_up()) == half, negative, "{middle:e}");
        }
        let table =
            [(65519.99, 0x7bff), (65520.0, 0x7c00), (1e10, 0x7c00), (1e300, 0x7c00), (f64::NEG_INFINITY, 0xfc00)];
        let small = [(1e-300, 0), (-0.0, 0x8000), (2.98e-8, 0), (2.9802322387695312e-8, 0), (2.99e-8, 1)];
        for (x, bits) in table.into_iter().chain(small) {
            assert_eq!(nearest(x).to_bits(), bits, "{x:e}");
        }
        assert!(nearest(f64::NAN).is_nan());
    }

    #[test]
    fn neighbours() {
        let one = f16::ONE;
        assert_eq!(one.spacing(), f16::EPSILON);
        assert_eq!(one.next_after(f16::INFINITY), f16::from_f32(1.0 + 1.0 / 1024.0));
        assert_eq!(f16::ZERO.next_after(f16::NEG_ONE).to_bits(), 0x8001);
        assert!(f16::INFINITY.spacing().is_nan());
    }
}
