//! The arithmetic of `f32` and `f64`.

use super::{Inexact, Number, Real};

/// `f16`, `f32` and `f64`.
pub trait Float: Real + Inexact + num_traits::Float {
    /// Degrees from radians.
    fn degrees(self) -> Self;
    /// Radians from degrees.
    fn radians(self) -> Self;
    /// The distance to the next number away from 0, with the sign of `self` (that of -0.0 is positive); NaN of infinity.
    fn spacing(self) -> Self;
    /// The next number towards `other`.
    fn next_after(self, other: Self) -> Self;
    /// What is behind the point, with the sign of `self`; 0 of infinity.
    fn fraction(self) -> Self;
    /// `m` of `m 2^e` with `m` from 1/2 to 1; 0, infinity and NaN stay.
    fn mantissa(self) -> Self;
    /// `e` of `m 2^e` with `m` from 1/2 to 1; 0 for 0, infinity and NaN.
    fn exponent(self) -> i32;
    /// `self * 2^exponent` for an integral exponent, rounded once.
    fn load_exponent(self, exponent: Self) -> Self;
    /// 0 below 0, `at_zero` at 0, 1 above; NaN stays.
    fn heaviside(self, at_zero: Self) -> Self;
}

macro_rules! implement_float {
    ($($t:ty, $bits:ty, $steep:literal;)*) => {$(
        impl Number for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            #[inline(always)]
            fn add(self, other: Self) -> Self { self + other }
            #[inline(always)]
            fn sub(self, other: Self) -> Self { self - other }
            #[inline(always)]
            fn mul(self, other: Self) -> Self { self * other }
            #[inline(always)]
            fn power(self, exponent: Self) -> Self { self.powf(exponent) }
            #[inline(always)]
            fn neg(self) -> Self { -self }
            #[inline(always)]
            fn sign(self) -> Self {
                if self > 0.0 { 1.0 } else if self < 0.0 { -1.0 } else if self == 0.0 { 0.0 } else { self }
            }
            #[inline(always)]
            fn maximum(self, other: Self) -> Self {
                if self > other || self.is_nan() { self } else { other }
            }
            #[inline(always)]
            fn minimum(self, other: Self) -> Self {
                if self < other || self.is_nan() { self } else { other }
            }
            #[inline(always)]
            fn fmax(self, other: Self) -> Self {
                if self > other || other.is_nan() { self } else { other }
            }
            #[inline(always)]
            fn fmin(self, other: Self) -> Self {
                if self < other || other.is_nan() { self } else { other }
            }
        }

        impl Real for $t {
            #[inline(always)]
            fn floor_div(self, other: Self) -> Self {
                if other == 0.0 {
                    return self / other;
                }
                // From the remainder, as Python does: `(x / y).floor()` is one too large where
                // the division rounds up to an integer.
                let rest = self % other;
                let mut quotient = (self - rest) / other;
                if rest != 0.0 && ((other < 0.0) != (rest < 0.0)) {
                    quotient -= 1.0;
                }
                if quotient == 0.0 {
                    return (0.0 as $t).copysign(self / other);
                }
                let floor = quotient.floor();
                if quotient - floor > 0.5 { floor + 1.0 } else { floor }
            }
            #[inline(always)]
            fn modulo(self, other: Self) -> Self {
                let rest = self % other;
                if rest == 0.0 {
                    return (0.0 as $t).copysign(other);
                }
                if (other < 0.0) != (rest < 0.0) { rest + other } else { rest }
            }
            #[inline(always)]
            fn fmod(self, other: Self) -> Self { self % other }
            #[inline(always)]
            fn abs(self) -> Self { <$t>::abs(self) }
        }

        impl Inexact for $t {
            #[inline(always)]
            fn divide(self, other: Self) -> Self { self / other }
            #[inline(always)]
            fn reciprocal(self) -> Self { 1.0 / self }
            #[inline(always)]
            fn rint(self) -> Self { self.round_ties_even() }
            #[inline(always)]
            fn is_nan(self) -> bool { self != self }
            #[inline(always)]
            fn is_finite(self) -> bool { <$t>::is_finite(self) }
            #[inline(always)]
            fn is_infinite(self) -> bool { <$t>::is_infinite(self) }
        }

        impl Float for $t {
            #[inline(always)]
            fn degrees(self) -> Self { self * (180.0 / std::f64::consts::PI) as $t }
            #[inline(always)]
            fn radians(self) -> Self { self * (std::f64::consts::PI / 180.0) as $t }
            #[inline(always)]
            fn spacing(self) -> Self {
                // One step further from 0 is the next pattern of bits.
                let next = <$t>::from_bits(self.to_bits().wrapping_add(1));
                let step = if self == 0.0 { <$t>::from_bits(1) } else { next - self };
                if self.is_finite() { step } else { <$t>::NAN }
            }
            #[inline(always)]
            fn next_after(self, other: Self) -> Self {
                let bits = self.to_bits();
                let away = (other > self) == (self > 0.0);
                let step = if away { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
                let from_zero = (1 as $bits) | (other.to_bits() & (-0.0 as $t).to_bits());
                let next = <$t>::from_bits(if self == 0.0 { from_zero } else { step });
                if self.is_nan() || other.is_nan() {
                    <$t>::NAN
                } else if self == other {
                    other
                } else {
                    next
                }
            }
            #[inline(always)]
            fn fraction(self) -> Self {
                let rest = if self.is_infinite() { 0.0 } else { self - self.trunc() };
                rest.copysign(self)
            }
            #[inline(always)]
            fn mantissa(self) -> Self {
                const FIELD: u32 = <$t>::MANTISSA_DIGITS - 1;
                const EXPONENT: $bits = <$t>::INFINITY.to_bits();
                const HALF: $bits = ((<$t>::MAX_EXP - 2) as $bits) << FIELD;
                let subnormal = self.abs() < <$t>::MIN_POSITIVE;
                let scaled = if subnormal { self * $steep } else { self };
                let mantissa = <$t>::from_bits((scaled.to_bits() & !EXPONENT) | HALF);
                if self == 0.0 || !self.is_finite() { self } else { mantissa }
            }
            #[inline(always)]
            fn exponent(self) -> i32 {
                const FIELD: u32 = <$t>::MANTISSA_DIGITS - 1;
                let subnormal = self.abs() < <$t>::MIN_POSITIVE;
                let scaled = if subnormal { self * $steep } else { self };
                let biased = (scaled.abs().to_bits() >> FIELD) as i32;
                let exponent = biased - (<$t>::MAX_EXP - 2) - if subnormal { <$t>::MANTISSA_DIGITS as i32 } else { 0 };
                if self == 0.0 || !self.is_finite() { 0 } else { exponent }
            }
            #[inline(always)]
            fn load_exponent(self, exponent: Self) -> Self {
                const FIELD: u32 = <$t>::MANTISSA_DIGITS - 1;
                const MOST: i32 = 4 * <$t>::MAX_EXP;
                // A whole number of steps on the mantissa, which is a normal number: only the last factor rounds.
                let mantissa = Float::mantissa(self);
                let own = Float::exponent(self);
                let mut rest = own.saturating_add(exponent as i32).clamp(-MOST, MOST);
                let power = |n: i32| <$t>::from_bits(((n + <$t>::MAX_EXP - 1) as $bits) << FIELD);
                let up = rest.clamp(0, <$t>::MAX_EXP - 1);
                rest -= up;
                let more = rest.clamp(0, <$t>::MAX_EXP - 1);
                let down = rest.clamp(2 - <$t>::MAX_EXP, 0);
                let below = (rest - down).clamp(2 - <$t>::MAX_EXP, 0);
                // 2^down and 2^below: the first one cannot leave the normal range.
                mantissa * power(up) * power(more) * power(down) * power(below)
            }
            #[inline(always)]
            fn heaviside(self, at_zero: Self) -> Self {
                if self.is_nan() {
                    self
                } else if self == 0.0 {
                    at_zero
                } else if self < 0.0 {
                    0.0
                } else {
                    1.0
                }
            }
        }
    )*};
}

implement_float!(f32, u32, 16_777_216.0; f64, u64, 9_007_199_254_740_992.0;);
