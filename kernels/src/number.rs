//! Arithmetic of the element types as kernels need it: NumPy's rules, no panics.
//!
//! Integers wrap on overflow. Division of integers by zero gives 0. `float16` is computed in `float32` and rounded after each
//! operation.

mod complex;
mod float;
mod half;

use std::cmp::Ordering;

pub use float::Float;

use crate::dtype::{C64, C128, Element, f16};

/// NumPy's order: comparisons with NaN are false, complex numbers are ordered by their real, then by their imaginary parts.
pub trait Ordered: Copy + PartialEq {
    /// `self < other`.
    fn less(self, other: Self) -> bool;
    /// `self <= other`.
    fn less_equal(self, other: Self) -> bool;
    /// `self > other`.
    #[inline(always)]
    fn greater(self, other: Self) -> bool {
        other.less(self)
    }
    /// `self >= other`.
    #[inline(always)]
    fn greater_equal(self, other: Self) -> bool {
        other.less_equal(self)
    }
    /// Which is less; `None` if one is NaN.
    #[inline(always)]
    fn compare(self, other: Self) -> Option<Ordering> {
        if self.less(other) {
            Some(Ordering::Less)
        } else if other.less(self) {
            Some(Ordering::Greater)
        } else {
            (self == other).then_some(Ordering::Equal)
        }
    }
}

macro_rules! implement_order {
    ($($t:ty),*) => {$(
        impl Ordered for $t {
            #[inline(always)]
            fn less(self, other: Self) -> bool { self < other }
            #[inline(always)]
            fn less_equal(self, other: Self) -> bool { self <= other }
        }
    )*};
}

implement_order!(bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

/// Integers, floats and complex numbers.
pub trait Number: Element {
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Sum; integers wrap.
    fn add(self, other: Self) -> Self;
    /// Difference; integers wrap.
    fn sub(self, other: Self) -> Self;
    /// Product; integers wrap.
    fn mul(self, other: Self) -> Self;
    /// Power. Integers by squaring, wrapping; a negative exponent of an integer gives the
    /// truncated value: 1 for 1, ±1 for -1, else 0 (NumPy refuses).
    fn power(self, exponent: Self) -> Self;
    /// Negation; integers wrap (also unsigned ones).
    fn neg(self) -> Self;
    /// -1, 0 or 1, of a complex number what has its angle and the absolute value 1; NaN stays NaN, zeros become +0.
    fn sign(self) -> Self;
    /// The larger; NaN wins.
    fn maximum(self, other: Self) -> Self;
    /// The smaller; NaN wins.
    fn minimum(self, other: Self) -> Self;
    /// The larger; NaN loses.
    fn fmax(self, other: Self) -> Self;
    /// The smaller; NaN loses.
    fn fmin(self, other: Self) -> Self;
    /// The square.
    #[inline(always)]
    fn square(self) -> Self {
        self.mul(self)
    }
}

/// Integers and floats.
pub trait Real: Number {
    /// Quotient rounded towards negative infinity; `x // 0` is 0 for integers.
    fn floor_div(self, other: Self) -> Self;
    /// Remainder with the sign of the divisor; `x % 0` is 0 for integers.
    fn modulo(self, other: Self) -> Self;
    /// Remainder with the sign of the dividend, as in C; of an integer by 0, 0.
    fn fmod(self, other: Self) -> Self;
    /// Absolute value; the least signed integer wraps to itself.
    fn abs(self) -> Self;
}

/// Floats and complex numbers.
pub trait Inexact: Number {
    /// True division.
    fn divide(self, other: Self) -> Self;
    /// 1 / x.
    fn reciprocal(self) -> Self;
    /// To the nearest integer, halves to the even one; of complex numbers each part.
    fn rint(self) -> Self;
    /// Whether it is NaN, or a part of it.
    fn is_nan(self) -> bool;
    /// Whether it is neither infinite nor NaN, nor a part of it.
    fn is_finite(self) -> bool;
    /// Whether it is infinite, or a part of it.
    fn is_infinite(self) -> bool;
}

/// Integers.
pub trait Integer: Real {
    /// Bitwise and.
    fn bit_and(self, other: Self) -> Self;
    /// Bitwise or.
    fn bit_or(self, other: Self) -> Self;
    /// Bitwise exclusive or.
    fn bit_xor(self, other: Self) -> Self;
    /// Bitwise complement.
    fn bit_not(self) -> Self;
    /// Left shift; 0 if the count is negative or not less than the number of bits, as in NumPy.
    fn shift_left(self, count: Self) -> Self;
    /// The greatest common divisor; 0 of two zeros.
    fn gcd(self, other: Self) -> Self;
    /// The least common multiple; 0 if one is 0; wraps.
    fn lcm(self, other: Self) -> Self;
    /// Right shift, keeping the sign; all sign bits if the count is negative or not less than
    /// the number of bits, as in NumPy.
    fn shift_right(self, count: Self) -> Self;
}

macro_rules! implement_integer {
    ($signed:tt: $($t:ty, $unsigned:ty;)*) => {$(
        impl Number for $t {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            #[inline(always)]
            fn add(self, other: Self) -> Self { self.wrapping_add(other) }
            #[inline(always)]
            fn sub(self, other: Self) -> Self { self.wrapping_sub(other) }
            #[inline(always)]
            fn mul(self, other: Self) -> Self { self.wrapping_mul(other) }
            #[inline(always)]
            fn power(self, exponent: Self) -> Self {
                if implement_integer!(@negative $signed, exponent) {
                    return match self.wrapping_add(1) {
                        2 => 1,
                        0 => if exponent & 1 == 0 { 1 } else { self },
                        _ => 0,
                    };
                }
                let (mut base, mut rest, mut result) = (self, exponent as $unsigned, 1 as $t);
                while rest != 0 {
                    if rest & 1 == 1 {
                        result = result.wrapping_mul(base);
                    }
                    base = base.wrapping_mul(base);
                    rest >>= 1;
                }
                result
            }
            #[inline(always)]
            fn neg(self) -> Self { self.wrapping_neg() }
            #[inline(always)]
            fn sign(self) -> Self { implement_integer!(@sign $signed, self) }
            #[inline(always)]
            fn maximum(self, other: Self) -> Self { if self > other { self } else { other } }
            #[inline(always)]
            fn minimum(self, other: Self) -> Self { if self < other { self } else { other } }
            #[inline(always)]
            fn fmax(self, other: Self) -> Self { self.maximum(other) }
            #[inline(always)]
            fn fmin(self, other: Self) -> Self { self.minimum(other) }
        }

        impl Real for $t {
            #[inline(always)]
            fn floor_div(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let quotient = self.wrapping_div(other);
                let inexact = self.wrapping_rem(other) != 0;
                if inexact && implement_integer!(@opposite $signed, self, other) {
                    quotient.wrapping_sub(1)
                } else {
                    quotient
                }
            }
            #[inline(always)]
            fn modulo(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let rest = self.wrapping_rem(other);
                if rest != 0 && implement_integer!(@opposite $signed, self, other) {
                    rest.wrapping_add(other)
                } else {
                    rest
                }
            }
            #[inline(always)]
            fn fmod(self, other: Self) -> Self {
                if other == 0 { 0 } else { self.wrapping_rem(other) }
            }
            #[inline(always)]
            fn abs(self) -> Self { implement_integer!(@abs $signed, self) }
        }

        impl Integer for $t {
            #[inline(always)]
            fn bit_and(self, other: Self) -> Self { self & other }
            #[inline(always)]
            fn bit_or(self, other: Self) -> Self { self | other }
            #[inline(always)]
            fn bit_xor(self, other: Self) -> Self { self ^ other }
            #[inline(always)]
            fn bit_not(self) -> Self { !self }
            #[inline(always)]
            fn shift_left(self, count: Self) -> Self {
                // A negative count is a huge unsigned one.
                if (count as $unsigned) < <$t>::BITS as $unsigned {
                    self.wrapping_shl(count as u32)
                } else {
                    0
                }
            }
            #[inline(always)]
            fn gcd(self, other: Self) -> Self {
                let (mut a, mut b) = (Real::abs(self) as $unsigned, Real::abs(other) as $unsigned);
                while b != 0 {
                    (a, b) = (b, a % b);
                }
                a as $t
            }
            #[inline(always)]
            fn lcm(self, other: Self) -> Self {
                let gcd = Integer::gcd(self, other) as $unsigned;
                if gcd == 0 {
                    return 0;
                }
                (Real::abs(self) as $unsigned / gcd).wrapping_mul(Real::abs(other) as $unsigned) as $t
            }
            #[inline(always)]
            fn shift_right(self, count: Self) -> Self {
                if (count as $unsigned) < <$t>::BITS as $unsigned {
                    self.wrapping_shr(count as u32)
                } else {
                    implement_integer!(@fill $signed, self)
                }
            }
        }
    )*};
    (@opposite signed, $a:expr, $b:expr) => { ($a < 0) != ($b < 0) };
    (@opposite unsigned, $a:expr, $b:expr) => { false };
    (@negative signed, $a:expr) => { $a < 0 };
    (@negative unsigned, $a:expr) => { false };
    (@abs signed, $a:expr) => { $a.wrapping_abs() };
    (@abs unsigned, $a:expr) => { $a };
    (@sign signed, $a:expr) => { $a.signum() };
    (@sign unsigned, $a:expr) => { if $a > 0 { 1 } else { 0 } };
    (@fill signed, $a:expr) => { if $a < 0 { -1 } else { 0 } };
    (@fill unsigned, $a:expr) => { 0 };
}

implement_integer!(signed: i8, u8; i16, u16; i32, u32; i64, u64;);
implement_integer!(unsigned: u8, u8; u16, u16; u32, u32; u64, u64;);

/// A conversion between element types, as NumPy's `astype`.
///
/// To `bool`: whether it is not zero (NaN is true). Between integers: the low bits. From float to
/// integer: towards zero, clamped to the range, NaN to 0; NumPy leaves the values out of range to
/// the processor.
pub trait CastFrom<S> {
    /// Converts one element.
    fn cast_from(value: S) -> Self;
}

macro_rules! implement_casts {
    ($($to:ty),*) => {$(
        implement_casts!(@from $to: i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);
        impl CastFrom<bool> for $to {
            #[inline(always)]
            fn cast_from(value: bool) -> Self { u8::from(value) as $to }
        }
        impl CastFrom<f16> for $to {
            #[inline(always)]
            fn cast_from(value: f16) -> Self { half::single(value) as $to }
        }
        implement_casts!(@parts $to: C64, C128);
    )*};
    (@from $to:ty: $($from:ty),*) => {$(
        impl CastFrom<$from> for $to {
            #[inline(always)]
            fn cast_from(value: $from) -> Self { value as $to }
        }
    )*};
    // From complex numbers the real part, as NumPy does with a warning.
    (@parts $to:ty: $($from:ty),*) => {$(
        impl CastFrom<$from> for $to {
            #[inline(always)]
            fn cast_from(value: $from) -> Self { Self::cast_from(value.re) }
        }
    )*};
    (@half $($from:ty),*) => {$(
        impl CastFrom<$from> for f16 {
            #[inline(always)]
            fn cast_from(value: $from) -> Self { half::nearest(f64::cast_from(value)) }
        }
    )*};
    (@complex $to:ty, $part:ty: $($from:ty),*) => {$(
        impl CastFrom<$from> for $to {
            #[inline(always)]
            fn cast_from(value: $from) -> Self { Self::new(<$part>::cast_from(value), 0.0) }
        }
    )*};
    (@truth $($from:ty),*) => {$(
        impl CastFrom<$from> for bool {
            #[inline(always)]
            fn cast_from(value: $from) -> Self { value != <$from>::ZERO }
        }
    )*};
}

implement_casts!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);
implement_casts!(@half bool, i8, i16, i32, i64, u8, u16, u32, u64, f64);
implement_casts!(@parts f16: C64, C128);
implement_casts!(@complex C64, f32: bool, i8, i16, i32, i64, u8, u16, u32, u64, f16, f32, f64);
implement_casts!(@complex C128, f64: bool, i8, i16, i32, i64, u8, u16, u32, u64, f16, f32, f64);
implement_casts!(@truth i8, i16, i32, i64, u8, u16, u32, u64, f16, f32, f64, C64, C128);

impl CastFrom<f32> for f16 {
    #[inline(always)]
    fn cast_from(value: f32) -> Self {
        half::nearest_to_single(value)
    }
}

macro_rules! implement_same {
    ($($t:ty),*) => {$(
        impl CastFrom<$t> for $t {
            #[inline(always)]
            fn cast_from(value: $t) -> Self { value }
        }
    )*};
}

implement_same!(bool, f16, C64, C128);

impl CastFrom<C128> for C64 {
    #[inline(always)]
    fn cast_from(value: C128) -> Self {
        C64::new(value.re as f32, value.im as f32)
    }
}

impl CastFrom<C64> for C128 {
    #[inline(always)]
    fn cast_from(value: C64) -> Self {
        C128::new(f64::from(value.re), f64::from(value.im))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_division_floors_and_never_panics() {
        for a in [i8::MIN, -7, -1, 0, 1, 7, i8::MAX] {
            for b in [i8::MIN, -3, -1, 0, 1, 3, i8::MAX] {
                let (quotient, rest) = (a.floor_div(b), a.modulo(b));
                if b == 0 {
                    assert_eq!((quotient, rest), (0, 0));
                    continue;
                }
                let wide = (f64::from(a) / f64::from(b)).floor();
                assert_eq!(quotient, wide as i64 as i8, "{a} // {b}");
                assert_eq!(rest, (f64::from(a) - wide * f64::from(b)) as i8, "{a} % {b}");
            }
        }
    }

    #[test]
    fn float_division_like_python() {
        assert_eq!(Real::floor_div(1.0_f64, 0.1), 9.0);
        assert_eq!((-7.0_f64).floor_div(2.0), -4.0);
        assert_eq!((-7.0_f64).modulo(2.0), 1.0);
        assert_eq!(7.0_f64.modulo(-2.0), -1.0);
        assert_eq!(1.0_f64.floor_div(0.0), f64::INFINITY);
        assert!(1.0_f64.modulo(0.0).is_nan());
        assert!((-0.0_f64).modulo(-3.0).is_sign_negative());
        assert_eq!(1.0_f64.modulo(f64::NEG_INFINITY), f64::NEG_INFINITY);
    }

    #[test]
    fn integer_powers() {
        assert_eq!(3_i64.power(4), 81);
        assert_eq!(2_u8.power(8), 0);
        assert_eq!(0_i32.power(0), 1);
        assert_eq!((-1_i32).power(-3), -1);
        assert_eq!((-1_i32).power(-4), 1);
        assert_eq!(1_i32.power(-4), 1);
        assert_eq!(5_i32.power(-1), 0);
        assert_eq!(i64::MIN.power(i64::MAX), 0);
    }

    #[test]
    fn shifts_beyond_the_width() {
        assert_eq!(1_i32.shift_left(31), i32::MIN);
        assert_eq!(1_i32.shift_left(32), 0);
        assert_eq!(1_i32.shift_left(-1), 0);
        assert_eq!((-8_i32).shift_right(1), -4);
        assert_eq!((-8_i32).shift_right(99), -1);
        assert_eq!(8_u8.shift_right(200), 0);
    }

    #[test]
    fn parts_of_floats() {
        for x in [1.0, -0.75, 12.5, 5e-324, -3e-310, f64::MAX, f64::MIN_POSITIVE, 0.0, -0.0] {
            let (m, e) = (x.mantissa(), Float::exponent(x));
            assert!(m == 0.0 || (0.5..1.0).contains(&m.abs()), "{x:e}: {m}");
            assert_eq!(m.load_exponent(f64::from(e)).to_bits(), x.to_bits(), "{x:e}");
            assert_eq!(x.trunc() + x.fraction(), x);
        }
        for x in [1.5_f32, 1e-45, f32::MAX] {
            assert_eq!(x.mantissa().load_exponent(Float::exponent(x) as f32), x);
        }
        assert_eq!(1.0_f64.load_exponent(1024.0), f64::INFINITY);
        assert_eq!(5e-324_f64.load_exponent(2000.0), 2_f64.powi(926));
        assert_eq!(f64::MAX.load_exponent(-2098.0), 5e-324);
        assert_eq!(1.0_f64.load_exponent(-2000.0), 0.0);
        // Rounded once: 3 halves of the least number, to even.
        assert_eq!(3.0_f64.load_exponent(-1075.0), 1e-323);
        assert_eq!(f64::INFINITY.load_exponent(-5.0), f64::INFINITY);
        assert_eq!((f64::INFINITY.mantissa(), Float::exponent(f64::INFINITY)), (f64::INFINITY, 0));
        assert!(f64::NEG_INFINITY.fraction().is_sign_negative());
    }

    #[test]
    fn neighbours() {
        assert_eq!(0.0_f64.next_after(-1.0), -5e-324);
        assert_eq!(0.0_f64.next_after(1.0), 5e-324);
        assert_eq!((-1.0_f64).next_after(0.0), -1.0 + f64::EPSILON / 2.0);
        assert_eq!(f64::INFINITY.next_after(0.0), f64::MAX);
        assert_eq!(f64::MAX.next_after(f64::INFINITY), f64::INFINITY);
        assert!(0.0_f64.next_after(-0.0).is_sign_negative());
        assert_eq!((0.0_f64.spacing(), (-0.0_f64).spacing()), (5e-324, 5e-324));
        assert_eq!((-1.0_f32).spacing(), -f32::EPSILON);
        assert!(f64::INFINITY.spacing().is_nan());
    }

    #[test]
    fn divisors() {
        assert_eq!((Integer::gcd(i8::MIN, 96), Integer::gcd(0_i8, -3)), (32, 3));
        assert_eq!((Integer::lcm(21_u8, 6), Integer::lcm(-4_i64, 6)), (42, 12));
        assert_eq!(i8::MIN.fmod(-1), 0);
    }

    #[test]
    fn extremes_and_nan() {
        let nan = f64::NAN;
        assert!(Number::maximum(nan, 1.0).is_nan() && Number::maximum(1.0, nan).is_nan());
        assert!(Number::minimum(nan, 1.0).is_nan() && Number::minimum(1.0, nan).is_nan());
        assert_eq!((Number::fmax(nan, 1.0), Number::fmax(1.0, nan)), (1.0, 1.0));
        assert_eq!((Number::fmin(nan, 1.0), Number::fmin(1.0, nan)), (1.0, 1.0));
        assert!(nan.sign().is_nan());
        assert_eq!(Real::abs(i8::MIN), i8::MIN);
    }

    #[test]
    fn casts() {
        assert!(bool::cast_from(f64::NAN) && !bool::cast_from(-0.0));
        assert_eq!(i8::cast_from(300_i64), 44);
        assert_eq!(u8::cast_from(-1.0_f64), 0);
        assert_eq!(i32::cast_from(f64::NAN), 0);
        assert_eq!(f32::cast_from(true), 1.0);
    }
}
