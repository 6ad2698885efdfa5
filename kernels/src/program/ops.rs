//! The table of elementwise operations: one operation is one row.
//!
//! A row is `Variant, "NumPy's name", domain, result, kernel, "meaning"`. The domain says which
//! element types the kernel exists for, the result whether the type stays or becomes `bool` (or `int32`, an exponent).
//! `each(f)` maps a function of one element over the loop of its arity, `whole(f)` is a function of slices.

use serde::{Deserialize, Serialize};

use super::super::error::{KernelError, Result};
use super::super::lane::{Lane, Slice, SliceMut};
use super::super::loops;
use super::super::math::{Analytic, Elementary};
use super::super::number::{Float, Inexact, Integer, Number, Ordered, Real};
use super::super::scalar::Scalar;
use crate::dtype::{C64, C128, DType, Element, Kind, f16};

/// The element types an operation is defined on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Domain {
    /// All types.
    Any,
    /// All but `bool`.
    Number,
    /// Integers and floats.
    Real,
    /// Floats.
    Float,
    /// Floats and complex numbers.
    Inexact,
    /// Complex numbers.
    Complex,
    /// All integers.
    Integer,
    /// `bool` alone.
    Bool,
}

impl Domain {
    /// Whether the type belongs to it.
    pub fn contains(self, dtype: DType) -> bool {
        match self {
            Domain::Any => true,
            Domain::Number => dtype != DType::Bool,
            Domain::Real => dtype != DType::Bool && !dtype.is_complex(),
            Domain::Float => dtype.is_float(),
            Domain::Inexact => dtype.is_inexact(),
            Domain::Complex => dtype.is_complex(),
            Domain::Integer => matches!(dtype.kind(), Kind::Signed | Kind::Unsigned),
            Domain::Bool => dtype == DType::Bool,
        }
    }

    fn help(self) -> &'static str {
        match self {
            Domain::Any => "it takes any type",
            Domain::Number => "cast it to a number",
            Domain::Real => "cast it to a real number",
            Domain::Float | Domain::Inexact => "cast it to float64",
            Domain::Complex => "cast it to complex128",
            Domain::Integer => "cast it to an integer",
            Domain::Bool => "compare it with something first",
        }
    }

    fn check(self, operation: &'static str, dtype: DType) -> Result<()> {
        if self.contains(dtype) {
            return Ok(());
        }
        Err(KernelError::DTypeUnsupported { operation, dtype, help: self.help() })
    }
}

/// An operand of a binary operation; the first is always a slice.
#[derive(Clone, Copy)]
pub(super) enum Operand<'a> {
    /// One element for each of the result.
    Slice(Slice<'a>),
    /// The same element for all: it stays in a register of the processor.
    Scalar(Scalar),
}

impl Operand<'_> {
    fn dtype(&self) -> DType {
        match self {
            Operand::Slice(slice) => slice.dtype(),
            Operand::Scalar(scalar) => scalar.dtype(),
        }
    }
}

/// Binds `$T` to the type of a slice if it is in the domain; else does nothing.
macro_rules! with_domain {
    (Any, $dtype:expr, $T:ident => $body:expr) => {
        crate::dtype::with_dtype!($dtype, $T => $body)
    };
    (Number, $dtype:expr, $T:ident => $body:expr) => {
        with_domain!(@ $dtype, $T => $body, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64, F16 f16, F32 f32, F64 f64, C64 C64, C128 C128)
    };
    (Real, $dtype:expr, $T:ident => $body:expr) => {
        with_domain!(@ $dtype, $T => $body, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64, F16 f16, F32 f32, F64 f64)
    };
    (Integer, $dtype:expr, $T:ident => $body:expr) => {
        with_domain!(@ $dtype, $T => $body, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64)
    };
    (Float, $dtype:expr, $T:ident => $body:expr) => {
        with_domain!(@ $dtype, $T => $body, F16 f16, F32 f32, F64 f64)
    };
    (Inexact, $dtype:expr, $T:ident => $body:expr) => {
        with_domain!(@ $dtype, $T => $body, F16 f16, F32 f32, F64 f64, C64 C64, C128 C128)
    };
    (Complex, $dtype:expr, $T:ident => $body:expr) => {
        with_domain!(@ $dtype, $T => $body, C64 C64, C128 C128)
    };
    (Bool, $dtype:expr, $T:ident => $body:expr) => {
        with_domain!(@ $dtype, $T => $body, Bool bool)
    };
    (@ $dtype:expr, $T:ident => $body:expr, $($variant:ident $rust:ty),*) => {
        match $dtype {
            $(DType::$variant => {
                type $T = $rust;
                $body
            })*
            #[allow(unreachable_patterns)]
            _ => {}
        }
    };
}

/// The type of the result.
macro_rules! result_type {
    (Same, $T:ty) => {
        $T
    };
    (Truth, $T:ty) => {
        bool
    };
    (Exponent, $T:ty) => {
        i32
    };
    (Part, $T:ty) => {
        <$T as Element>::Real
    };
}

macro_rules! result_dtype {
    (Same, $dtype:expr) => {
        $dtype
    };
    (Truth, $dtype:expr) => {
        DType::Bool
    };
    (Exponent, $dtype:expr) => {
        DType::I32
    };
    (Part, $dtype:expr) => {
        $dtype.real()
    };
}

macro_rules! table {
    (
        $(#[$doc:meta])* $name:ident, $run:ident, $operands:tt of $operand:ty, $T:ident;
        $($variant:ident, $text:literal, $domain:ident, $result:ident, $how:ident($kernel:expr), $meaning:literal;)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        pub enum $name { $(#[doc = $meaning] $variant),* }

        impl $name {
            /// All rows of the table.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// NumPy's name of the operation.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            /// The element types of its operands.
            pub fn domain(self) -> Domain {
                match self { $($name::$variant => Domain::$domain),* }
            }

            /// The type of the result for operands of `dtype`.
            ///
            /// # Errors
            /// [`KernelError::DTypeUnsupported`] outside of the domain.
            pub fn result(self, dtype: DType) -> Result<DType> {
                self.domain().check(self.name(), dtype)?;
                Ok(match self { $($name::$variant => result_dtype!($result, dtype)),* })
            }
        }

        /// Applies the operation to operands; those of other types than the operation's are left alone.
        pub(super) fn $run(op: $name, operands: [$operand; $operands], out: &mut SliceMut<'_>) {
            let dtype = operands[0].dtype();
            match op {
                $($name::$variant => with_domain!($domain, dtype, $T => {
                    apply!($operands $how, operands, out, $T, result_type!($result, $T), $kernel)
                })),*
            }
        }
    };
}

macro_rules! apply {
    (1 each, $x:expr, $out:expr, $T:ty, $U:ty, $kernel:expr) => {
        if let (Some(x), Some(out)) = (<$T as Lane>::slice(&$x[0]), <$U as Lane>::slice_mut($out)) {
            loops::map1(x, out, $kernel);
        }
    };
    (1 whole, $x:expr, $out:expr, $T:ty, $U:ty, $kernel:expr) => {
        if let (Some(x), Some(out)) = (<$T as Lane>::slice(&$x[0]), <$U as Lane>::slice_mut($out)) {
            $kernel(x, out);
        }
    };
    (2 each, $x:expr, $out:expr, $T:ty, $U:ty, $kernel:expr) => {
        if let (Operand::Slice(a), Some(out)) = (&$x[0], <$U as Lane>::slice_mut($out)) {
            match (<$T as Lane>::slice(a), &$x[1]) {
                (Some(a), Operand::Slice(b)) => {
                    if let Some(b) = <$T as Lane>::slice(b) {
                        loops::map2(a, b, out, $kernel);
                    }
                }
                (Some(a), Operand::Scalar(b)) => {
                    let b = b.get::<$T>();
                    loops::map1_with(a, b, out, $kernel);
                }
                _ => {}
            }
        }
    };
}

table! {
    /// An operation of one operand.
    UnaryOp, run_unary, 1 of Slice<'_>, T;
    Neg, "negative", Number, Same, each(<T as Number>::neg), "`-x`; integers wrap.";
    Abs, "absolute", Real, Same, each(<T as Real>::abs), "Absolute value; integers wrap.";
    Sign, "sign", Number, Same, each(<T as Number>::sign), "-1, 0 or 1; NaN stays.";
    Square, "square", Number, Same, each(<T as Number>::square), "`x * x`.";
    Not, "logical_not", Bool, Same, each(|x: T| !x), "Logical not.";
    BitNot, "invert", Integer, Same, each(<T as Integer>::bit_not), "Bitwise complement.";
    Sqrt, "sqrt", Inexact, Same, whole(<T as Analytic>::sqrt), "Square root.";
    Reciprocal, "reciprocal", Inexact, Same, each(<T as Inexact>::reciprocal), "`1 / x`.";
    Floor, "floor", Float, Same, each(<T as num_traits::Float>::floor), "Towards negative infinity.";
    Ceil, "ceil", Float, Same, each(<T as num_traits::Float>::ceil), "Towards infinity.";
    Trunc, "trunc", Float, Same, each(<T as num_traits::Float>::trunc), "Towards zero.";
    Rint, "rint", Inexact, Same, each(<T as Inexact>::rint), "To the nearest integer, halves to even.";
    Exp, "exp", Inexact, Same, whole(<T as Analytic>::exp), "Exponential.";
    Log, "log", Inexact, Same, whole(<T as Analytic>::log), "Natural logarithm.";
    Sin, "sin", Inexact, Same, whole(<T as Analytic>::sin), "Sine of radians.";
    Cos, "cos", Inexact, Same, whole(<T as Analytic>::cos), "Cosine of radians.";
    Tanh, "tanh", Inexact, Same, whole(<T as Analytic>::tanh), "Hyperbolic tangent.";
    Exp2, "exp2", Inexact, Same, whole(<T as Analytic>::exp2), "Power of 2.";
    Expm1, "expm1", Inexact, Same, whole(<T as Analytic>::expm1), "`exp(x) - 1`, exact near 0.";
    Log2, "log2", Inexact, Same, whole(<T as Analytic>::log2), "Logarithm to base 2.";
    Log10, "log10", Inexact, Same, whole(<T as Analytic>::log10), "Logarithm to base 10.";
    Log1p, "log1p", Inexact, Same, whole(<T as Analytic>::log1p), "`log(1 + x)`, exact near 0.";
    Tan, "tan", Inexact, Same, whole(<T as Analytic>::tan), "Tangent of radians.";
    Arcsin, "arcsin", Inexact, Same, whole(<T as Analytic>::arcsin), "Inverse sine.";
    Arccos, "arccos", Inexact, Same, whole(<T as Analytic>::arccos), "Inverse cosine.";
    Arctan, "arctan", Inexact, Same, whole(<T as Analytic>::arctan), "Inverse tangent.";
    Sinh, "sinh", Inexact, Same, whole(<T as Analytic>::sinh), "Hyperbolic sine.";
    Cosh, "cosh", Inexact, Same, whole(<T as Analytic>::cosh), "Hyperbolic cosine.";
    Arcsinh, "arcsinh", Inexact, Same, whole(<T as Analytic>::arcsinh), "Inverse hyperbolic sine.";
    Arccosh, "arccosh", Inexact, Same, whole(<T as Analytic>::arccosh), "Inverse hyperbolic cosine.";
    Arctanh, "arctanh", Inexact, Same, whole(<T as Analytic>::arctanh), "Inverse hyperbolic tangent.";
    Cbrt, "cbrt", Float, Same, each(<T as Elementary>::cbrt_element), "Cube root.";
    IsNan, "isnan", Inexact, Truth, each(<T as Inexact>::is_nan), "Whether it is not a number.";
    IsFinite, "isfinite", Inexact, Truth, each(<T as Inexact>::is_finite), "Whether it is neither infinite nor NaN.";
    IsInf, "isinf", Inexact, Truth, each(<T as Inexact>::is_infinite), "Whether it is infinite.";
    IsPosInf, "isposinf", Float, Truth, each(|x: T| x == T::INFINITY), "Whether it is infinity.";
    IsNegInf, "isneginf", Float, Truth, each(|x: T| x == T::NEG_INFINITY), "Whether it is minus infinity.";
    SignBit, "signbit", Float, Truth, each(<T as num_traits::Float>::is_sign_negative), "Whether the sign bit is set, that of -0.0 and NaN too.";
    Degrees, "degrees", Float, Same, each(<T as Float>::degrees), "Degrees from radians.";
    Radians, "radians", Float, Same, each(<T as Float>::radians), "Radians from degrees.";
    Spacing, "spacing", Float, Same, each(<T as Float>::spacing), "The distance to the next number away from 0, with the sign of `x`.";
    ModfFraction, "modf", Float, Same, each(<T as Float>::fraction), "What is behind the point, with the sign of `x`.";
    FrexpMantissa, "frexp", Float, Same, each(<T as Float>::mantissa), "The mantissa, from 1/2 to 1.";
    FrexpExponent, "frexp exponent", Float, Exponent, each(<T as Float>::exponent), "The exponent of 2 that goes with the mantissa; 0 for 0, infinity and NaN.";
    Magnitude, "absolute", Complex, Part, each(|x: T| x.re.hypot_element(x.im)), "Absolute value of a complex number.";
    RealPart, "real", Complex, Part, each(|x: T| x.re), "Real part.";
    ImagPart, "imag", Complex, Part, each(|x: T| x.im), "Imaginary part.";
    Conj, "conjugate", Complex, Same, each(|x: T| T::new(x.re, -x.im)), "Complex conjugate.";
    I0, "i0", Float, Same, each(<T as Elementary>::i0_element), "The modified Bessel function of order 0.";
}

table! {
    /// An operation of two operands of one type.
    BinaryOp, run_binary, 2 of Operand<'_>, T;
    Add, "add", Number, Same, each(<T as Number>::add), "Sum; integers wrap.";
    Sub, "subtract", Number, Same, each(<T as Number>::sub), "Difference; integers wrap.";
    Mul, "multiply", Number, Same, each(<T as Number>::mul), "Product; integers wrap.";
    Div, "divide", Inexact, Same, each(<T as Inexact>::divide), "True division.";
    FloorDiv, "floor_divide", Real, Same, each(<T as Real>::floor_div), "Quotient towards negative infinity; `x // 0` of integers is 0.";
    Mod, "remainder", Real, Same, each(<T as Real>::modulo), "Remainder with the divisor's sign; `x % 0` of integers is 0.";
    Power, "power", Number, Same, each(<T as Number>::power), "`a` to the `b`; integers wrap.";
    Minimum, "minimum", Number, Same, each(<T as Number>::minimum), "The smaller; NaN wins.";
    Maximum, "maximum", Number, Same, each(<T as Number>::maximum), "The larger; NaN wins.";
    Fmin, "fmin", Number, Same, each(<T as Number>::fmin), "The smaller; NaN loses.";
    Fmax, "fmax", Number, Same, each(<T as Number>::fmax), "The larger; NaN loses.";
    Arctan2, "arctan2", Float, Same, each(<T as Elementary>::arctan2_element), "Angle of the point (b, a).";
    Hypot, "hypot", Float, Same, each(<T as Elementary>::hypot_element), "`sqrt(a² + b²)` without overflow.";
    Copysign, "copysign", Float, Same, each(<T as num_traits::Float>::copysign), "`a` with the sign of `b`.";
    Fmod, "fmod", Real, Same, each(<T as Real>::fmod), "Remainder with the sign of `a`; of an integer by 0, 0.";
    LogAddExp, "logaddexp", Float, Same, each(<T as Elementary>::logaddexp_element), "`log(exp(a) + exp(b))` without overflow.";
    LogAddExp2, "logaddexp2", Float, Same, each(<T as Elementary>::logaddexp2_element), "`log2(2^a + 2^b)` without overflow.";
    NextAfter, "nextafter", Float, Same, each(<T as Float>::next_after), "The next number after `a` towards `b`.";
    Heaviside, "heaviside", Float, Same, each(<T as Float>::heaviside), "0 below 0, `b` at 0, 1 above.";
    Ldexp, "ldexp", Float, Same, each(<T as Float>::load_exponent), "`a * 2^b` for an integral `b`.";
    Gcd, "gcd", Integer, Same, each(<T as Integer>::gcd), "The greatest common divisor.";
    Lcm, "lcm", Integer, Same, each(<T as Integer>::lcm), "The least common multiple; 0 if one is 0; wraps.";
    Eq, "equal", Any, Truth, each(|a: T, b: T| a == b), "Whether they are equal.";
    Ne, "not_equal", Any, Truth, each(|a: T, b: T| a != b), "Whether they differ.";
    Lt, "less", Any, Truth, each(<T as Ordered>::less), "`a < b`.";
    Le, "less_equal", Any, Truth, each(<T as Ordered>::less_equal), "`a <= b`.";
    Gt, "greater", Any, Truth, each(<T as Ordered>::greater), "`a > b`.";
    Ge, "greater_equal", Any, Truth, each(<T as Ordered>::greater_equal), "`a >= b`.";
    And, "logical_and", Bool, Same, each(|a: T, b: T| a & b), "Logical and.";
    Or, "logical_or", Bool, Same, each(|a: T, b: T| a | b), "Logical or.";
    Xor, "logical_xor", Bool, Same, each(|a: T, b: T| a ^ b), "Logical exclusive or.";
    BitAnd, "bitwise_and", Integer, Same, each(<T as Integer>::bit_and), "Bitwise and.";
    BitOr, "bitwise_or", Integer, Same, each(<T as Integer>::bit_or), "Bitwise or.";
    BitXor, "bitwise_xor", Integer, Same, each(<T as Integer>::bit_xor), "Bitwise exclusive or.";
    ShiftLeft, "left_shift", Integer, Same, each(<T as Integer>::shift_left), "Left shift; 0 beyond the width.";
    ShiftRight, "right_shift", Integer, Same, each(<T as Integer>::shift_right), "Right shift, keeping the sign.";
}

impl BinaryOp {
    /// The operation that gives the same with its operands swapped, if there is one.
    pub(super) fn swapped(self) -> Option<BinaryOp> {
        use BinaryOp::*;
        match self {
            Add | Mul | Eq | Ne | And | Or | Xor | BitAnd | BitOr | BitXor | Gcd | Lcm => Some(self),
            Lt => Some(Gt),
            Gt => Some(Lt),
            Le => Some(Ge),
            Ge => Some(Le),
            _ => None,
        }
    }
}

/// Where `condition` is true the element of `a`, else of `b`.
pub(super) fn run_where(condition: Slice<'_>, a: Slice<'_>, b: Slice<'_>, out: &mut SliceMut<'_>) {
    with_domain!(Any, a.dtype(), T => {
        if let (Some(condition), Some(a), Some(b), Some(out)) = (
            <bool as Lane>::slice(&condition),
            <T as Lane>::slice(&a),
            <T as Lane>::slice(&b),
            <T as Lane>::slice_mut(out),
        ) {
            loops::select(condition, a, b, out);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::super::block::Block;
    use super::super::{Arg, Builder, Input, Program, eval};
    use super::*;
    use crate::dtype::with_dtype;

    /// The value of an operation on elements that fill a block (so that vector loops run, with a
    /// rest), or with the second one constant.
    fn value(program: &Program, args: &[Scalar]) -> Scalar {
        let n = 37;
        let blocks: Vec<Block> =
            args.iter().map(|x| with_dtype!(x.dtype(), T => Block::full(&[n], x.get::<T>()).unwrap())).collect();
        let result = eval(program, blocks.iter().map(Arg::Borrowed).collect(), &[n], &[0]).unwrap();
        with_dtype!(result.dtype(), T => {
            let view = result.view::<T>().unwrap();
            let bits = |i: usize| Scalar::from(view[i]);
            assert!((0..n).all(|i| bits(i) == bits(0)), "lanes differ");
            bits(0)
        })
    }

    fn unary(op: UnaryOp, x: Scalar) -> Scalar {
        let mut b = Builder::new(1);
        let input = b.input(Input::identity(x.dtype(), 1));
        let y = b.unary(op, input).unwrap();
        value(&b.finish(y).unwrap(), &[x])
    }

    fn binary(op: BinaryOp, x: Scalar, y: Scalar) -> Scalar {
        let program = |constant: bool| {
            let mut b = Builder::new(1);
            let x = b.input(Input::identity(x.dtype(), 1));
            let y = if constant { b.constant(y).unwrap() } else { b.input(Input::identity(y.dtype(), 1)) };
            let z = b.binary(op, x, y).unwrap();
            b.finish(z).unwrap()
        };
        let found = value(&program(false), &[x, y]);
        assert_eq!(value(&program(true), &[x]), found, "{op:?} with a constant");
        found
    }

    /// What NumPy 2 answers for the argument, on `float64`.
    const UNARY: &[(UnaryOp, f64, f64)] = &[
        (UnaryOp::Neg, 1.5, -1.5),
        (UnaryOp::Abs, -1.5, 1.5),
        (UnaryOp::Sign, -3.0, -1.0),
        (UnaryOp::Square, -1.5, 2.25),
        (UnaryOp::Sqrt, 2.25, 1.5),
        (UnaryOp::Reciprocal, 4.0, 0.25),
        (UnaryOp::Floor, -1.5, -2.0),
        (UnaryOp::Ceil, -1.5, -1.0),
        (UnaryOp::Trunc, -1.5, -1.0),
        (UnaryOp::Rint, 2.5, 2.0),
        (UnaryOp::Exp, 1.0, std::f64::consts::E),
        (UnaryOp::Log, 10.0, std::f64::consts::LN_10),
        (UnaryOp::Sin, 0.5, 0.479425538604203),
        (UnaryOp::Cos, 0.5, 0.8775825618903728),
        (UnaryOp::Tanh, 0.5, 0.46211715726000973),
        (UnaryOp::Exp2, 3.0, 8.0),
        (UnaryOp::Expm1, 1e-10, 1.00000000005e-10),
        (UnaryOp::Log2, 8.0, 3.0),
        (UnaryOp::Log10, 1000.0, 3.0),
        (UnaryOp::Log1p, 1e-10, 9.9999999995e-11),
        (UnaryOp::Tan, 0.5, 0.5463024898437905),
        (UnaryOp::Arcsin, 0.5, std::f64::consts::FRAC_PI_6),
        (UnaryOp::Arccos, 0.5, std::f64::consts::FRAC_PI_3),
        (UnaryOp::Arctan, 1.0, std::f64::consts::FRAC_PI_4),
        (UnaryOp::Sinh, 1.0, 1.1752011936438014),
        (UnaryOp::Cosh, 1.0, 1.5430806348152437),
        (UnaryOp::Arcsinh, 1.0, 0.881373587019543),
        (UnaryOp::Arccosh, 2.0, 1.3169578969248166),
        (UnaryOp::Arctanh, 0.5, 0.5493061443340549),
        (UnaryOp::Cbrt, 27.0, 3.0),
        (UnaryOp::IsNan, f64::NAN, 1.0),
        (UnaryOp::IsFinite, f64::NEG_INFINITY, 0.0),
        (UnaryOp::IsInf, f64::NEG_INFINITY, 1.0),
        (UnaryOp::IsPosInf, f64::NEG_INFINITY, 0.0),
        (UnaryOp::IsNegInf, f64::NEG_INFINITY, 1.0),
        (UnaryOp::SignBit, -0.0, 1.0),
        (UnaryOp::Degrees, std::f64::consts::PI, 180.0),
        (UnaryOp::Radians, 180.0, std::f64::consts::PI),
        (UnaryOp::Spacing, -1.0, -f64::EPSILON),
        (UnaryOp::ModfFraction, -1.75, -0.75),
        (UnaryOp::FrexpMantissa, -12.0, -0.75),
        (UnaryOp::FrexpExponent, -12.0, 4.0),
        (UnaryOp::I0, 1.0, 1.2660658777520084),
    ];

    /// Of complex numbers alone.
    const COMPLEX: &[(UnaryOp, C128, Scalar)] = &[
        (UnaryOp::Magnitude, C128 { re: 3.0, im: -4.0 }, Scalar::F64(5.0)),
        (UnaryOp::RealPart, C128 { re: 3.0, im: -4.0 }, Scalar::F64(3.0)),
        (UnaryOp::ImagPart, C128 { re: 3.0, im: -4.0 }, Scalar::F64(-4.0)),
        (UnaryOp::Conj, C128 { re: 3.0, im: -4.0 }, Scalar::C128(C128 { re: 3.0, im: 4.0 })),
    ];

    /// What NumPy 2 answers for the arguments, on `float64`.
    const BINARY: &[(BinaryOp, f64, f64, f64)] = &[
        (BinaryOp::Add, 1.5, 2.0, 3.5),
        (BinaryOp::Sub, 1.5, 2.0, -0.5),
        (BinaryOp::Mul, 1.5, 2.0, 3.0),
        (BinaryOp::Div, 1.5, 2.0, 0.75),
        (BinaryOp::FloorDiv, -1.5, 2.0, -1.0),
        (BinaryOp::Mod, -1.5, 2.0, 0.5),
        (BinaryOp::Power, 1.5, 4.0, 5.0625),
        (BinaryOp::Minimum, 1.5, 2.0, 1.5),
        (BinaryOp::Maximum, 1.5, 2.0, 2.0),
        (BinaryOp::Fmin, 1.5, f64::NAN, 1.5),
        (BinaryOp::Fmax, 1.5, f64::NAN, 1.5),
        (BinaryOp::Arctan2, 1.0, -1.0, 2.356194490192345),
        (BinaryOp::Hypot, 3e200, 4e200, 5e200),
        (BinaryOp::Copysign, 1.5, -0.0, -1.5),
        (BinaryOp::Fmod, -7.5, 2.0, -1.5),
        (BinaryOp::LogAddExp, 1000.0, 1000.0, 1000.6931471805599),
        (BinaryOp::LogAddExp2, 1.0, 1.0, 2.0),
        (BinaryOp::NextAfter, 1.0, 2.0, 1.0 + f64::EPSILON),
        (BinaryOp::Heaviside, 0.0, 0.5, 0.5),
        (BinaryOp::Ldexp, 0.75, 4.0, 12.0),
        (BinaryOp::Eq, 1.0, 1.0, 1.0),
        (BinaryOp::Ne, 1.0, 1.0, 0.0),
        (BinaryOp::Lt, 1.0, 2.0, 1.0),
        (BinaryOp::Le, 2.0, 1.0, 0.0),
        (BinaryOp::Gt, 2.0, 1.0, 1.0),
        (BinaryOp::Ge, 1.0, 2.0, 0.0),
    ];

    /// On `int64`.
    const BITS: &[(BinaryOp, i64, i64, i64)] = &[
        (BinaryOp::Add, i64::MAX, 1, i64::MIN),
        (BinaryOp::FloorDiv, -7, 2, -4),
        (BinaryOp::FloorDiv, 7, 0, 0),
        (BinaryOp::Mod, -7, 2, 1),
        (BinaryOp::Power, -3, 5, -243),
        (BinaryOp::Minimum, -3, 5, -3),
        (BinaryOp::Fmax, -3, 5, 5),
        (BinaryOp::Lt, -3, 5, 1),
        (BinaryOp::Fmod, -7, 2, -1),
        (BinaryOp::Fmod, -7, 0, 0),
        (BinaryOp::Gcd, -12, 18, 6),
        (BinaryOp::Gcd, 0, 0, 0),
        (BinaryOp::Lcm, -4, 6, 12),
        (BinaryOp::Lcm, 0, 6, 0),
        (BinaryOp::And, 2, 0, 0),
        (BinaryOp::Or, 2, 0, 1),
        (BinaryOp::Xor, 2, 1, 0),
        (BinaryOp::BitAnd, 12, 10, 8),
        (BinaryOp::BitOr, 12, 10, 14),
        (BinaryOp::BitXor, 12, 10, 6),
        (BinaryOp::ShiftLeft, 3, 4, 48),
        (BinaryOp::ShiftRight, -48, 4, -3),
    ];

    fn close(found: Scalar, expected: f64) -> bool {
        let found = found.get::<f64>();
        (found - expected).abs() <= 1e-15 * expected.abs()
    }

    #[test]
    fn rows_answer_as_numpy() {
        for &(op, x, expected) in UNARY {
            let found = unary(op, x.into());
            assert!(close(found, expected), "{}({x}) = {found}, expected {expected}", op.name());
        }
        for &(op, x, y, expected) in BINARY {
            let found = binary(op, x.into(), y.into());
            assert!(close(found, expected), "{}({x}, {y}) = {found}, expected {expected}", op.name());
        }
        for &(op, x, y, expected) in BITS {
            let found = binary(op, x.into(), y.into());
            assert_eq!(found.get::<i64>(), expected, "{}({x}, {y})", op.name());
        }
        for &(op, z, expected) in COMPLEX {
            assert_eq!(unary(op, z.into()), expected, "{}({z})", op.name());
        }
        assert_eq!(unary(UnaryOp::Not, true.into()), false.into());
        assert_eq!(unary(UnaryOp::BitNot, 5_u8.into()), 250_u8.into());
        assert_eq!(unary(UnaryOp::BitNot, true.into()), false.into());
    }

    #[test]
    fn every_row_has_an_answer() {
        for op in UnaryOp::ALL {
            let tested = UNARY.iter().any(|row| row.0 == *op)
                || COMPLEX.iter().any(|row| row.0 == *op)
                || matches!(op, UnaryOp::Not | UnaryOp::BitNot);
            assert!(tested, "{op:?} is not in the table of the test");
        }
        for op in BinaryOp::ALL {
            let tested = BINARY.iter().any(|row| row.0 == *op) || BITS.iter().any(|row| row.0 == *op);
            assert!(tested, "{op:?} is not in the table of the test");
        }
    }

    #[test]
    fn swapped_operations_give_the_same() {
        for &op in BinaryOp::ALL {
            let Some(swapped) = op.swapped() else {
                continue;
            };
            for (x, y) in [(3_i64, 5_i64), (5, 3), (4, 4)] {
                assert_eq!(binary(op, x.into(), y.into()), binary(swapped, y.into(), x.into()), "{op:?}");
            }
        }
    }
}
