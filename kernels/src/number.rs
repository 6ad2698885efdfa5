//! Arithmetic of the element types as kernels need it: NumPy's rules, no panics.
//!
//! Integers wrap on overflow. Division of integers by zero gives 0.

use crate::dtype::Element;

/// Integers and floats.
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
    /// Quotient rounded towards negative infinity; `x // 0` is 0 for integers.
    fn floor_div(self, other: Self) -> Self;
    /// Remainder with the sign of the divisor; `x % 0` is 0 for integers.
    fn modulo(self, other: Self) -> Self;
    /// Power. Integers by squaring, wrapping; a negative exponent of an integer gives the
    /// truncated value: 1 for 1, ±1 for -1, else 0 (NumPy refuses).
    fn power(self, exponent: Self) -> Self;
    /// Negation; integers wrap (also unsigned ones).
    fn neg(self) -> Self;
    /// Absolute value; the least signed integer wraps to itself.
    fn abs(self) -> Self;
    /// -1, 0 or 1; NaN stays NaN, zeros become +0.
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

/// Integers.
pub trait Integer: Number {
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
            fn abs(self) -> Self { implement_integer!(@abs $signed, self) }
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

/// `f32` and `f64`.
pub trait Float: Number + num_traits::Float {
    /// True division.
    fn divide(self, other: Self) -> Self;
    /// 1 / x.
    fn reciprocal(self) -> Self;
    /// To the nearest integer, halves to the even one.
    fn rint(self) -> Self;
}

macro_rules! implement_float {
    ($($t:ty),*) => {$(
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
            fn power(self, exponent: Self) -> Self { self.powf(exponent) }
            #[inline(always)]
            fn neg(self) -> Self { -self }
            #[inline(always)]
            fn abs(self) -> Self { <$t>::abs(self) }
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

        impl Float for $t {
            #[inline(always)]
            fn divide(self, other: Self) -> Self { self / other }
            #[inline(always)]
            fn reciprocal(self) -> Self { 1.0 / self }
            #[inline(always)]
            fn rint(self) -> Self { self.round_ties_even() }
        }
    )*};
}

implement_float!(f32, f64);

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
        impl CastFrom<$to> for bool {
            #[inline(always)]
            fn cast_from(value: $to) -> Self { value != <$to>::ZERO }
        }
    )*};
    (@from $to:ty: $($from:ty),*) => {$(
        impl CastFrom<$from> for $to {
            #[inline(always)]
            fn cast_from(value: $from) -> Self { value as $to }
        }
    )*};
}

implement_casts!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

impl CastFrom<bool> for bool {
    #[inline(always)]
    fn cast_from(value: bool) -> Self {
        value
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
        assert_eq!(Number::floor_div(1.0, 0.1), 9.0);
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
    fn extremes_and_nan() {
        let nan = f64::NAN;
        assert!(Number::maximum(nan, 1.0).is_nan() && Number::maximum(1.0, nan).is_nan());
        assert!(Number::minimum(nan, 1.0).is_nan() && Number::minimum(1.0, nan).is_nan());
        assert_eq!((Number::fmax(nan, 1.0), Number::fmax(1.0, nan)), (1.0, 1.0));
        assert_eq!((Number::fmin(nan, 1.0), Number::fmin(1.0, nan)), (1.0, 1.0));
        assert!(nan.sign().is_nan());
        assert_eq!(Number::abs(i8::MIN), i8::MIN);
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
