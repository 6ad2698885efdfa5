//! The arithmetic of complex numbers, as NumPy's.

use super::{Inexact, Number, Ordered};
use crate::dtype::{C64, C128, Complex};

macro_rules! implement_complex {
    ($($t:ty, $part:ty;)*) => {$(
        impl Ordered for $t {
            #[inline(always)]
            fn less(self, other: Self) -> bool {
                let whole = !self.im.is_nan() & !other.im.is_nan();
                ((self.re < other.re) & whole) | ((self.re == other.re) & (self.im < other.im))
            }
            #[inline(always)]
            fn less_equal(self, other: Self) -> bool {
                let whole = !self.im.is_nan() & !other.im.is_nan();
                ((self.re < other.re) & whole) | ((self.re == other.re) & (self.im <= other.im))
            }
        }

        impl Number for $t {
            const ZERO: Self = Complex { re: 0.0, im: 0.0 };
            const ONE: Self = Complex { re: 1.0, im: 0.0 };
            #[inline(always)]
            fn add(self, other: Self) -> Self { Complex { re: self.re + other.re, im: self.im + other.im } }
            #[inline(always)]
            fn sub(self, other: Self) -> Self { Complex { re: self.re - other.re, im: self.im - other.im } }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                Complex {
                    re: self.re * other.re - self.im * other.im,
                    im: self.re * other.im + self.im * other.re,
                }
            }
            fn power(self, exponent: Self) -> Self {
                const MOST: $part = 100.0;
                if exponent == Self::ZERO {
                    return Self::ONE;
                }
                if self == Self::ZERO {
                    let undefined = Complex { re: <$part>::NAN, im: <$part>::NAN };
                    return if exponent.re > 0.0 { Self::ZERO } else { undefined };
                }
                if exponent.im == 0.0 && exponent.re.fract() == 0.0 && exponent.re.abs() < MOST {
                    let (mut base, mut rest, mut result) = (self, exponent.re.abs() as u32, Self::ONE);
                    // Without the product by 1, whose zeros could have other signs.
                    let mut begun = false;
                    while rest != 0 {
                        if rest & 1 == 1 {
                            result = if begun { result.mul(base) } else { base };
                            begun = true;
                        }
                        rest >>= 1;
                        if rest != 0 {
                            base = base.mul(base);
                        }
                    }
                    return if exponent.re < 0.0 { Inexact::reciprocal(result) } else { result };
                }
                let wide = |x: Self| C128::new(f64::from(x.re), f64::from(x.im));
                let power = crate::math::complex::exp(wide(exponent).mul(crate::math::complex::log(wide(self))));
                Complex { re: power.re as $part, im: power.im as $part }
            }
            #[inline(always)]
            fn neg(self) -> Self { Complex { re: -self.re, im: -self.im } }
            #[inline(always)]
            fn sign(self) -> Self {
                let size = self.re.hypot(self.im);
                if size == 0.0 {
                    Self::ZERO
                } else if size.is_infinite() {
                    // NumPy's: of an infinite number its parts' signs, if only one of them is infinite.
                    let part = |x: $part| if x.is_infinite() { (1.0 as $part).copysign(x) } else { 0.0 };
                    let both = self.re.is_infinite() && self.im.is_infinite();
                    if both || self.is_nan() {
                        Complex { re: <$part>::NAN, im: <$part>::NAN }
                    } else {
                        Complex { re: part(self.re), im: part(self.im) }
                    }
                } else {
                    Complex { re: self.re / size, im: self.im / size }
                }
            }
            #[inline(always)]
            fn maximum(self, other: Self) -> Self {
                if self.greater_equal(other) || Inexact::is_nan(self) { self } else { other }
            }
            #[inline(always)]
            fn minimum(self, other: Self) -> Self {
                if self.less_equal(other) || Inexact::is_nan(self) { self } else { other }
            }
            #[inline(always)]
            fn fmax(self, other: Self) -> Self {
                if self.greater_equal(other) || Inexact::is_nan(other) { self } else { other }
            }
            #[inline(always)]
            fn fmin(self, other: Self) -> Self {
                if self.less_equal(other) || Inexact::is_nan(other) { self } else { other }
            }
        }

        impl Inexact for $t {
            // Smith's: the larger part of the divisor scales it, so that nothing overflows without need.
            #[inline(always)]
            fn divide(self, other: Self) -> Self {
                let (a, b) = (other.re.abs(), other.im.abs());
                if a >= b {
                    if a == 0.0 && b == 0.0 {
                        return Complex { re: self.re / a, im: self.im / a };
                    }
                    let ratio = other.im / other.re;
                    let scale = 1.0 / (other.re + other.im * ratio);
                    Complex { re: (self.re + self.im * ratio) * scale, im: (self.im - self.re * ratio) * scale }
                } else {
                    let ratio = other.re / other.im;
                    let scale = 1.0 / (other.im + other.re * ratio);
                    Complex { re: (self.re * ratio + self.im) * scale, im: (self.im * ratio - self.re) * scale }
                }
            }
            #[inline(always)]
            fn reciprocal(self) -> Self {
                if self.im.abs() <= self.re.abs() {
                    let ratio = self.im / self.re;
                    let size = self.re + self.im * ratio;
                    Complex { re: 1.0 / size, im: -ratio / size }
                } else {
                    let ratio = self.re / self.im;
                    let size = self.re * ratio + self.im;
                    Complex { re: ratio / size, im: -1.0 / size }
                }
            }
            #[inline(always)]
            fn rint(self) -> Self {
                Complex { re: self.re.round_ties_even(), im: self.im.round_ties_even() }
            }
            #[inline(always)]
            fn is_nan(self) -> bool { self.re.is_nan() | self.im.is_nan() }
            #[inline(always)]
            fn is_finite(self) -> bool { self.re.is_finite() & self.im.is_finite() }
            #[inline(always)]
            fn is_infinite(self) -> bool { self.re.is_infinite() | self.im.is_infinite() }
        }
    )*};
}

implement_complex! { C64, f32; C128, f64; }

#[cfg(test)]
mod tests {
    use super::*;

    fn z(re: f64, im: f64) -> C128 {
        C128::new(re, im)
    }

    #[test]
    fn division_neither_overflows_nor_fails() {
        assert_eq!(z(1.0, 2.0).divide(z(3.0, -4.0)), z(-0.2, 0.4));
        assert_eq!(z(1e300, 1e300).divide(z(1e300, 1e300)), z(1.0, 0.0));
        assert_eq!(z(1.0, 0.0).divide(z(0.0, 0.0)).re, f64::INFINITY);
        assert_eq!(Inexact::reciprocal(z(0.0, 2.0)), z(0.0, -0.5));
    }

    #[test]
    fn order_is_of_parts() {
        assert!(z(1.0, 5.0).less(z(2.0, 0.0)) && z(1.0, 0.0).less(z(1.0, 1.0)) && z(1.0, 1.0).less_equal(z(1.0, 1.0)));
        assert!(!z(1.0, f64::NAN).less(z(2.0, 0.0)));
        assert!(z(f64::NAN, 0.0).compare(z(1.0, 0.0)).is_none());
        assert_eq!(z(1.0, 2.0).maximum(z(1.0, 3.0)), z(1.0, 3.0));
        assert!(Inexact::is_nan(z(1.0, f64::NAN).maximum(z(9.0, 9.0))));
        assert_eq!(z(1.0, f64::NAN).fmax(z(0.0, 0.0)), z(0.0, 0.0));
    }

    #[test]
    fn powers() {
        assert_eq!(z(1.0, 1.0).power(z(4.0, 0.0)), z(-4.0, 0.0));
        assert_eq!(z(0.0, 2.0).power(z(-2.0, 0.0)), z(-0.25, 0.0));
        assert_eq!(z(0.0, 0.0).power(z(0.0, 0.0)), z(1.0, 0.0));
        assert_eq!(z(0.0, 0.0).power(z(2.5, 1.0)), z(0.0, 0.0));
        let found = z(0.0, 1.0).power(z(0.0, 1.0));
        assert!((found.re - (-std::f64::consts::FRAC_PI_2).exp()).abs() < 1e-15 && found.im.abs() < 1e-15);
        assert_eq!(z(3.0, 4.0).sign(), z(0.6, 0.8));
    }
}
