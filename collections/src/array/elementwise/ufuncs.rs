//! More elementwise functions by NumPy's names.
//!
//! `add subtract multiply divide true_divide remainder bitwise_and bitwise_or bitwise_xor negative invert` are the operators
//! `+ - * / / % & | ^ - !`; the most common functions are in `elementwise`. Types are NumPy's, but that functions of floats
//! give `float64` for all integers (NumPy gives `float16` and `float32` for small ones).

use std::panic::Location;

use crate::array::build::elementwise;
use crate::array::dtype::{C128, DType, Element, Promote, f16};
use crate::array::elementwise::operators::{Operand, binary, binary_methods, register, unary, unary_methods};
use crate::array::expr::ExprRef;
use crate::array::handle::Array;
use crate::array::kernels::program::{BinaryOp, Builder, Reg, UnaryOp};
use crate::array::kernels::{KernelError, Scalar};
use crate::error::{Error, Result};

type At = &'static Location<'static>;

unary_methods! {
    exp2, Exp2, T::Float, "Power of 2.", "3.0_f64" => "y == 8.0";
    arcsinh, Arcsinh, T::Float, "Inverse hyperbolic sine.", "0.5_f64" => "(y - 0.5_f64.asinh()).abs() < 1e-12";
    arccosh, Arccosh, T::Float, "Inverse hyperbolic cosine; NaN below 1.", "1.5_f64" => "(y - 1.5_f64.acosh()).abs() < 1e-12";
    arctanh, Arctanh, T::Float, "Inverse hyperbolic tangent; NaN beyond 1.", "0.5_f64" => "(y - 0.5_f64.atanh()).abs() < 1e-12";
    degrees, Degrees, T::Float, "Degrees from radians.", "std::f64::consts::PI" => "y == 180.0";
    rad2deg, Degrees, T::Float, "Degrees from radians, as [`degrees`](Array::degrees).", "std::f64::consts::PI" => "y == 180.0";
    radians, Radians, T::Float, "Radians from degrees.", "180.0_f64" => "y == std::f64::consts::PI";
    deg2rad, Radians, T::Float, "Radians from degrees, as [`radians`](Array::radians).", "180.0_f64" => "y == std::f64::consts::PI";
    fix, Trunc, T, "Rounds towards zero, as [`trunc`](Array::trunc); integers stay.", "-1.5_f64" => "y == -1.0";
    spacing, Spacing, T::Float, "The distance to the next number away from 0, with the sign of the element (positive at -0.0).", "1.0_f64" => "y == f64::EPSILON";
    i0, I0, T::Float, "The modified Bessel function of the first kind and order 0.", "0.0_f64" => "y == 1.0";
    absolute, Abs, T::Real, "Absolute value, as [`abs`](Array::abs).", "-3_i32" => "y == 3";
    isposinf, IsPosInf, bool, "Whether an element is infinity.", "f64::INFINITY" => "y";
    isneginf, IsNegInf, bool, "Whether an element is minus infinity.", "f64::INFINITY" => "!y";
    signbit, SignBit, bool, "Whether the sign bit is set: below 0, and at -0.0.", "-0.0_f64" => "y";
    invert, BitNot, T, "Bitwise complement of integers, logical not of `bool`, as `!x`.", "5_u8" => "y == 250";
}

binary_methods! {
    remainder, Mod, <T as Promote<U>>::Output, "The remainder with the sign of the divisor, as `%` and NumPy's `mod`; of an integer by 0, 0.", "-7_i32, 3_i32" => "y == 2";
    fmod, Fmod, <T as Promote<U>>::Output, "The remainder with the sign of the dividend, as in C; of an integer by 0, 0.", "-7_i32, 3_i32" => "y == -1";
    copysign, Copysign, <<T as Promote<U>>::Output as Element>::Float, "`self` with the sign of `other`.", "1.0_f64, -0.0" => "y == -1.0";
    logaddexp, LogAddExp, <<T as Promote<U>>::Output as Element>::Float, "`log(exp(self) + exp(other))` without overflow.", "1000.0_f64, 1000.0_f64" => "y == 1000.0 + 2_f64.ln()";
    logaddexp2, LogAddExp2, <<T as Promote<U>>::Output as Element>::Float, "`log2(2^self + 2^other)` without overflow.", "2000.0_f64, 2000.0" => "y == 2001.0";
    nextafter, NextAfter, <<T as Promote<U>>::Output as Element>::Float, "The next number after `self` towards `other`.", "1.0_f64, 2.0" => "y == 1.0 + f64::EPSILON";
    heaviside, Heaviside, <<T as Promote<U>>::Output as Element>::Float, "0 where `self` is below 0, `other` where it is 0, 1 above.", "0.0_f64, 0.5" => "y == 0.5";
    gcd, Gcd, <T as Promote<U>>::Output, "The greatest common divisor of integers.", "12_i32, -18_i32" => "y == 6";
    lcm, Lcm, <T as Promote<U>>::Output, "The least common multiple of integers; wraps.", "4_i32, 6_i32" => "y == 12";
    left_shift, ShiftLeft, <T as Promote<U>>::Output, "Integers shifted to the left; 0 beyond the width.", "3_i32, 4_i32" => "y == 48";
    right_shift, ShiftRight, <T as Promote<U>>::Output, "Integers shifted to the right; the sign stays.", "-48_i32, 4_i32" => "y == -3";
    bitwise_and, BitAnd, <T as Promote<U>>::Output, "Bitwise and of integers, logical and of `bool`, as `&`.", "12_i32, 10_i32" => "y == 8";
    bitwise_or, BitOr, <T as Promote<U>>::Output, "Bitwise or of integers, logical or of `bool`, as `|`.", "12_i32, 10_i32" => "y == 14";
    bitwise_xor, BitXor, <T as Promote<U>>::Output, "Bitwise exclusive or of integers, logical of `bool`, as `^`.", "12_i32, 10_i32" => "y == 6";
}

/// An operation of one array, made of several instructions.
fn composed<T: Element>(
    operation: &str,
    x: &Array<T>,
    at: At,
    build: impl FnOnce(&mut Builder, Reg) -> std::result::Result<Reg, KernelError>,
) -> Result<ExprRef> {
    elementwise(operation, std::slice::from_ref(x.expr()?), at, |builder, registers| build(builder, registers[0]))
}

impl<T: Element> Array<T> {
    /// The elements as they are; NumPy's `positive` (which refuses `bool`, as this does).
    ///
    /// ```
    /// assert!(talatat::array::ones::<f64>([2]).positive().check().is_ok());
    /// assert!(talatat::array::ones::<bool>([2]).positive().check().is_err());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn positive(&self) -> Array<T> {
        if T::DTYPE == DType::Bool {
            let reason = "not defined on bool; cast it to a number";
            return Array::from_result(Err(Error::invalid_at("positive", reason, Location::caller())));
        }
        self.clone()
    }

    /// The absolute value as a float; of real numbers, as in NumPy ([`abs`](Array::abs) is for complex ones, too).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(talatat::array::full([2], -3_i32).fabs().compute()?[[1]], 3.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn fabs(&self) -> Array<T::Float> {
        let at = Location::caller();
        if T::DTYPE.is_complex() {
            let reason = "not defined on complex numbers: abs is";
            return Array::from_result(Err(Error::invalid_at("fabs", reason, at)));
        }
        Array::from_result(composed("fabs", self, at, |builder, x| {
            let x = builder.cast(x, T::DTYPE.float())?;
            builder.unary(UnaryOp::Abs, x)
        }))
    }

    /// Rounded to `decimals` places behind the point, halves to even; negative ones round places before it. As in NumPy, the
    /// element is multiplied by a power of 10, rounded and divided.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(talatat::array::full([2], 2.675_f64).round(1).compute()?[[0]], 2.7);
    /// assert_eq!(talatat::array::full([2], 1250_i32).round(-2).compute()?[[0]], 1200);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn round(&self, decimals: i32) -> Array<T> {
        let at = Location::caller();
        if T::DTYPE == DType::Bool && decimals != 0 {
            let reason = format!("to {decimals} decimals is not defined on bool; cast it to a number");
            return Array::from_result(Err(Error::invalid_at("round", reason, at)));
        }
        Array::from_result(composed("round", self, at, |builder, x| {
            if decimals == 0 || (decimals > 0 && !T::DTYPE.is_inexact()) {
                return builder.unary(UnaryOp::Rint, x);
            }
            let power = Scalar::from(10_f64.powi(decimals.saturating_abs())).cast(T::DTYPE.float());
            let power = builder.constant(power)?;
            let (first, last) =
                if decimals > 0 { (BinaryOp::Mul, BinaryOp::Div) } else { (BinaryOp::Div, BinaryOp::Mul) };
            let x = builder.cast(x, T::DTYPE.float())?;
            let scaled = builder.binary(first, x, power)?;
            let whole = builder.unary(UnaryOp::Rint, scaled)?;
            builder.binary(last, whole, power)
        }))
    }

    /// What is behind the point and what is before it, both with the sign of the element.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let (fraction, whole) = talatat::array::full([2], -1.75_f64).modf();
    /// assert_eq!((fraction.compute()?[[0]], whole.compute()?[[0]]), (-0.75, -1.0));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn modf(&self) -> (Array<T::Float>, Array<T::Float>) {
        let at = Location::caller();
        let whole = composed("modf", self, at, |builder, x| {
            let x = builder.cast(x, T::DTYPE.float())?;
            builder.unary(UnaryOp::Trunc, x)
        });
        (Array::from_result(unary(UnaryOp::ModfFraction, self, at)), Array::from_result(whole))
    }

    /// The mantissa, from 1/2 to 1, and the exponent of 2 that it is multiplied with; 0, infinities and NaN have the exponent 0.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let (mantissa, exponent) = talatat::array::full([2], 12.0_f64).frexp();
    /// assert_eq!((mantissa.compute()?[[0]], exponent.compute()?[[0]]), (0.75, 4));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn frexp(&self) -> (Array<T::Float>, Array<i32>) {
        let at = Location::caller();
        let exponent = Array::from_result(unary(UnaryOp::FrexpExponent, self, at));
        (Array::from_result(unary(UnaryOp::FrexpMantissa, self, at)), exponent)
    }

    /// `self * 2^exponent`, rounded once; the exponents are integers.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(talatat::array::full([2], 0.75_f64).ldexp(4_i32).compute()?[[0]], 12.0);
    /// assert!(talatat::array::full([2], 0.75_f64).ldexp(4.0).check().is_err());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn ldexp<U: Element>(&self, exponent: impl Into<Operand<U>>) -> Array<T::Float> {
        let at = Location::caller();
        if U::DTYPE.is_inexact() {
            let reason = format!("exponents of {} are not integers: cast them", U::DTYPE);
            return Array::from_result(Err(Error::invalid_at("ldexp", reason, at)));
        }
        let exponent = exponent.into();
        let build = || {
            let mut arrays = vec![self.expr()?.clone()];
            let scalar = exponent.part(&mut arrays)?;
            elementwise("ldexp", &arrays, at, |builder, registers| {
                let exponent = register(builder, scalar, &mut registers[1..].iter().copied(), "ldexp")?;
                let x = builder.cast(registers[0], T::DTYPE.float())?;
                let exponent = builder.cast(exponent, T::DTYPE.float())?;
                builder.binary(BinaryOp::Ldexp, x, exponent)
            })
        };
        Array::from_result(build())
    }

    /// The power in `float64` (with complex numbers `complex128`), whatever the types are.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(talatat::array::full([2], 2_i32).float_power(-1_i32).compute()?[[0]], 0.5);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn float_power<U: Element>(
        &self,
        exponent: impl Into<Operand<U>>,
    ) -> Array<<<T as Promote<U>>::Output as Element>::Wide>
    where
        T: Promote<U>,
    {
        let at = Location::caller();
        let exponent = exponent.into();
        let build = || {
            let mut arrays = vec![self.expr()?.clone()];
            let scalar = exponent.part(&mut arrays)?;
            elementwise("float_power", &arrays, at, |builder, registers| {
                let exponent = register(builder, scalar, &mut registers[1..].iter().copied(), "float_power")?;
                let wide = T::DTYPE.promote(U::DTYPE).wide();
                let (x, exponent) = (builder.cast(registers[0], wide)?, builder.cast(exponent, wide)?);
                builder.binary(BinaryOp::Power, x, exponent)
            })
        };
        Array::from_result(build())
    }

    /// The quotient rounded towards negative infinity, and the remainder.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let (quotient, remainder) = talatat::array::full([2], -7_i32).divmod(2_i32);
    /// assert_eq!((quotient.compute()?[[0]], remainder.compute()?[[0]]), (-4, 1));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    #[allow(clippy::type_complexity)]
    pub fn divmod<U: Element>(
        &self,
        other: impl Into<Operand<U>>,
    ) -> (Array<<T as Promote<U>>::Output>, Array<<T as Promote<U>>::Output>)
    where
        T: Promote<U>,
    {
        let (at, own, other) = (Location::caller(), self.into(), other.into());
        let both = [BinaryOp::FloorDiv, BinaryOp::Mod].map(|op| Array::from_result(binary(op, &own, &other, at)));
        both.into()
    }

    /// `sin(pi x) / (pi x)`, which is 1 at 0.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(talatat::array::full([2], 0.0_f64).sinc().compute()?[[0]], 1.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn sinc(&self) -> Array<T::Float> {
        Array::from_result(composed("sinc", self, Location::caller(), |builder, x| {
            let float = T::DTYPE.float();
            let x = builder.cast(x, float)?;
            let pi = builder.constant(Scalar::from(std::f64::consts::PI).cast(float))?;
            let (zero, one) = (builder.constant(Scalar::from(0.0).cast(float))?, Scalar::from(1.0).cast(float));
            let one = builder.constant(one)?;
            let angle = builder.binary(BinaryOp::Mul, x, pi)?;
            let is_zero = builder.binary(BinaryOp::Eq, angle, zero)?;
            let sine = builder.unary(UnaryOp::Sin, angle)?;
            let ratio = builder.binary(BinaryOp::Div, sine, angle)?;
            builder.select(is_zero, one, ratio)
        }))
    }

    /// The real parts; real numbers are their own.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Complex, full};
    /// assert_eq!(full([2], Complex::new(3.0, -4.0)).real().compute()?[[0]], 3.0);
    /// assert_eq!(full([2], 5_i32).real().compute()?[[0]], 5);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn real(&self) -> Array<T::Real> {
        Array::from_result(unary(UnaryOp::RealPart, self, Location::caller()))
    }

    /// The imaginary parts; 0 of real numbers.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Complex, full};
    /// assert_eq!(full([2], Complex::new(3.0, -4.0)).imag().compute()?[[0]], -4.0);
    /// assert_eq!(full([2], 5_i32).imag().compute()?[[0]], 0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn imag(&self) -> Array<T::Real> {
        Array::from_result(unary(UnaryOp::ImagPart, self, Location::caller()))
    }

    /// The complex conjugates, which real numbers are of themselves.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Complex, full};
    /// let x = full([2], Complex::new(3.0, -4.0));
    /// assert_eq!(x.conj().compute()?[[0]], Complex::new(3.0, 4.0));
    /// assert_eq!((&x * x.conj()).real().compute()?[[0]], 25.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn conj(&self) -> Array<T> {
        Array::from_result(unary(UnaryOp::Conj, self, Location::caller()))
    }

    /// Whether the imaginary part is 0.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Complex, full};
    /// assert!(!full([2], Complex::new(3.0, -4.0)).isreal().compute()?[[0]]);
    /// assert!(full([2], 5_i32).isreal().compute()?[[0]]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn isreal(&self) -> Array<bool> {
        Array::from_result(compare_imag("isreal", self, BinaryOp::Eq, Location::caller()))
    }

    /// Whether the imaginary part is not 0.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Complex, full};
    /// assert!(full([2], Complex::new(3.0, -4.0)).iscomplex().compute()?[[0]]);
    /// assert!(!full([2], 5_i32).iscomplex().compute()?[[0]]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn iscomplex(&self) -> Array<bool> {
        Array::from_result(compare_imag("iscomplex", self, BinaryOp::Ne, Location::caller()))
    }

    /// The angle in the complex plane, in radians: of real numbers 0 for positive ones, pi for negative ones and -0.0.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Complex, full};
    /// assert_eq!(full([2], Complex::new(0.0, 2.0)).angle().compute()?[[0]], std::f64::consts::FRAC_PI_2);
    /// assert_eq!(full([2], -2.0_f64).angle().compute()?[[0]], std::f64::consts::PI);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn angle(&self) -> Array<<T::Float as Element>::Real> {
        Array::from_result(composed("angle", self, Location::caller(), |builder, x| {
            let x = builder.cast(x, T::DTYPE.float())?;
            let (re, im) = (builder.unary(UnaryOp::RealPart, x)?, builder.unary(UnaryOp::ImagPart, x)?);
            builder.binary(BinaryOp::Arctan2, im, re)
        }))
    }

    /// The elements with `nan` for NaN, and the largest and smallest finite number for the infinities; of complex numbers each
    /// part on its own.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(talatat::array::full([2], f64::NAN).nan_to_num(0.0).compute()?[[0]], 0.0);
    /// assert_eq!(talatat::array::full([2], f64::INFINITY).nan_to_num(0.0).compute()?[[0]], f64::MAX);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn nan_to_num(&self, nan: T::Real) -> Array<T> {
        let high = match T::DTYPE.real() {
            DType::F16 => f64::from(f16::MAX),
            DType::F32 => f64::from(f32::MAX),
            _ => f64::MAX,
        };
        Array::from_result(replace_odd(
            self,
            [nan, Scalar::from(high).get(), Scalar::from(-high).get()],
            Location::caller(),
        ))
    }

    /// The elements with other numbers for NaN and the infinities; of complex numbers each part on its own.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::full([2], f64::NEG_INFINITY);
    /// assert_eq!(x.nan_to_num_with(0.0, 1.0, -1.0).compute()?[[0]], -1.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn nan_to_num_with(&self, nan: T::Real, infinity: T::Real, minus_infinity: T::Real) -> Array<T> {
        Array::from_result(replace_odd(self, [nan, infinity, minus_infinity], Location::caller()))
    }
}

/// Other numbers for NaN, infinity and minus infinity.
fn replace_odd<T: Element>(x: &Array<T>, values: [T::Real; 3], at: At) -> Result<ExprRef> {
    if !T::DTYPE.is_inexact() {
        return x.expr().cloned();
    }
    composed("nan_to_num", x, at, |builder, x| {
        let replaced = |builder: &mut Builder, x: Reg| {
            let tests = [UnaryOp::IsNan, UnaryOp::IsPosInf, UnaryOp::IsNegInf];
            tests.into_iter().zip(values).try_fold(x, |rest, (test, value)| {
                let (is_odd, value) = (builder.unary(test, x)?, builder.constant(value)?);
                builder.select(is_odd, value, rest)
            })
        };
        let (re, im) = (builder.unary(UnaryOp::RealPart, x)?, builder.unary(UnaryOp::ImagPart, x)?);
        let re = replaced(builder, re)?;
        if !T::DTYPE.is_complex() {
            return Ok(re);
        }
        let im = replaced(builder, im)?;
        let unit = builder.constant(Scalar::from(C128::new(0.0, 1.0)).cast(T::DTYPE))?;
        let turned = builder.binary(BinaryOp::Mul, im, unit)?;
        builder.binary(BinaryOp::Add, re, turned)
    })
}

/// The imaginary part compared with 0.
fn compare_imag<T: Element>(operation: &str, x: &Array<T>, op: BinaryOp, at: At) -> Result<ExprRef> {
    composed(operation, x, at, |builder, x| {
        let im = builder.unary(UnaryOp::ImagPart, x)?;
        let zero = builder.constant(false)?;
        builder.binary(op, im, zero)
    })
}
