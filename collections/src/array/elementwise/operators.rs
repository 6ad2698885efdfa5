//! Elementwise operations: one row each, with NumPy's broadcasting and promotion.
//!
//! Operators work on arrays, references to them and scalars of the array's type. What does not fit gives an array that carries
//! the error (see [`Array`]). What NumPy has more of them is in [`crate::array::ufuncs`].

use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Rem, Sub};
use std::panic::Location;

use crate::array::build::{cast, elementwise};
use crate::array::dtype::{C64, C128, DType, Element, Kind, Promote, f16};
use crate::array::expr::ExprRef;
use crate::array::handle::Array;
use crate::array::kernels::program::{BinaryOp, Builder, Reg, UnaryOp};
use crate::array::kernels::{KernelError, Scalar};
use crate::error::Result;

/// The other side of an elementwise operation: an array, a reference to one, a scalar, or a list, which is an array of one axis.
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::ones::<f64>([3]);
/// for sum in [x.maximum(2.0), x.maximum(&x * 2.0), x.maximum(&(&x + 1.0))] {
///     assert_eq!(sum.compute()?[[0]], 2.0);
/// }
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Operand<U>(Side<U>);

#[derive(Clone, Debug)]
enum Side<U> {
    Array(Array<U>),
    Scalar(U),
}

impl<U> From<Array<U>> for Operand<U> {
    fn from(array: Array<U>) -> Self {
        Operand(Side::Array(array))
    }
}

impl<U> From<&Array<U>> for Operand<U> {
    fn from(array: &Array<U>) -> Self {
        Operand(Side::Array(array.clone()))
    }
}

impl<U: Element> From<U> for Operand<U> {
    fn from(scalar: U) -> Self {
        Operand(Side::Scalar(scalar))
    }
}

impl<U: Element> From<Vec<U>> for Operand<U> {
    /// An array of one axis.
    #[track_caller]
    fn from(values: Vec<U>) -> Self {
        let array = crate::array::create::constants::from_ndarray(
            ndarray::Array1::from(values),
            crate::array::AxisChunks::Auto,
        );
        Operand(Side::Array(Array::from_result(array.and_then(|array| array.expr().cloned()))))
    }
}

impl<U: Element> From<&[U]> for Operand<U> {
    #[track_caller]
    fn from(values: &[U]) -> Self {
        values.to_vec().into()
    }
}

impl<U: Element, const N: usize> From<[U; N]> for Operand<U> {
    #[track_caller]
    fn from(values: [U; N]) -> Self {
        values.to_vec().into()
    }
}

impl<U: Element> Operand<U> {
    /// The array; one without axes for a scalar.
    #[track_caller]
    pub(in crate::array) fn array(self) -> Array<U> {
        match self.0 {
            Side::Array(array) => array,
            Side::Scalar(scalar) => crate::array::create::constants::full([], scalar),
        }
    }

    /// The scalar; an array goes to the end of `arrays` instead.
    pub(in crate::array) fn part(&self, arrays: &mut Vec<ExprRef>) -> Result<Option<Scalar>> {
        match &self.0 {
            Side::Scalar(scalar) => Ok(Some((*scalar).into())),
            Side::Array(array) => {
                arrays.push(array.expr()?.clone());
                Ok(None)
            }
        }
    }
}

/// The register of an operand: a constant for a scalar, else that of the next array.
pub(in crate::array) fn register(
    builder: &mut Builder,
    scalar: Option<Scalar>,
    arrays: &mut impl Iterator<Item = Reg>,
    operation: &'static str,
) -> std::result::Result<Reg, KernelError> {
    match scalar {
        Some(scalar) => builder.constant(scalar),
        None => arrays.next().ok_or(KernelError::Arguments { operation, expected: 1, found: 0 }),
    }
}

type At = &'static Location<'static>;

/// A binary operation on expressions or scalars; at least one side is an array.
pub(in crate::array) fn binary<T: Element, U: Element>(
    op: BinaryOp,
    a: &Operand<T>,
    b: &Operand<U>,
    at: At,
) -> Result<ExprRef> {
    let mut arrays: Vec<ExprRef> = Vec::with_capacity(2);
    let scalars = (a.part(&mut arrays)?, b.part(&mut arrays)?);
    elementwise(op.name(), &arrays, at, |builder, registers| {
        let mut registers = registers.iter().copied();
        let a = register(builder, scalars.0, &mut registers, op.name())?;
        let b = register(builder, scalars.1, &mut registers, op.name())?;
        let compares =
            matches!(op, BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge);
        match (T::DTYPE.kind(), U::DTYPE.kind()) {
            (Kind::Signed, _) if compares && U::DTYPE == DType::U64 => compare_exactly(builder, op, a, b, a),
            (_, Kind::Signed) if compares && T::DTYPE == DType::U64 => compare_exactly(builder, op, a, b, b),
            _ => builder.binary(op, a, b),
        }
    })
}

/// Compares a signed integer with an `u64`, which have no type in common that holds both: a negative one is less than any
/// `u64`, one that is not is an `u64`. `signed` says which of the two it is.
fn compare_exactly(
    builder: &mut Builder,
    op: BinaryOp,
    a: Reg,
    b: Reg,
    signed: Reg,
) -> std::result::Result<Reg, KernelError> {
    let zero = builder.constant(0_i64)?;
    let negative = builder.binary(BinaryOp::Lt, signed, zero)?;
    let answer = builder.constant(match op {
        BinaryOp::Lt | BinaryOp::Le => signed == a,
        BinaryOp::Gt | BinaryOp::Ge => signed == b,
        op => op == BinaryOp::Ne,
    })?;
    let (a, b) = (builder.cast(a, DType::U64)?, builder.cast(b, DType::U64)?);
    let compared = builder.binary(op, a, b)?;
    builder.select(negative, answer, compared)
}

pub(in crate::array) fn unary<T: Element>(op: UnaryOp, x: &Array<T>, at: At) -> Result<ExprRef> {
    elementwise(op.name(), std::slice::from_ref(x.expr()?), at, |builder, registers| builder.unary(op, registers[0]))
}

macro_rules! unary_methods {
    ($($name:ident, $op:ident, $output:ty, $doc:literal, $input:literal => $check:literal;)*) => {
        /// Elementwise functions of one array.
        impl<T: Element> Array<T> {$(
            #[doc = $doc]
            ///
            /// ```
            /// use talatat::prelude::*;
            #[doc = concat!("let x = talatat::array::full([2], ", $input, ");")]
            #[doc = concat!("let y = x.", stringify!($name), "().compute()?[[1]];")]
            #[doc = concat!("assert!(", $check, ");")]
            /// # Ok::<(), talatat::Error>(())
            /// ```
            #[track_caller]
            pub fn $name(&self) -> Array<$output> {
                Array::from_result(unary(UnaryOp::$op, self, Location::caller()))
            }
        )*}
    };
}

unary_methods! {
    sqrt, Sqrt, T::Float, "Square root; NaN below 0.", "4.0_f64" => "y == 2.0";
    exp, Exp, T::Float, "Exponential.", "1.0_f64" => "(y - 1_f64.exp()).abs() < 1e-12";
    expm1, Expm1, T::Float, "`exp(x) - 1`, exact near 0.", "1e-20_f64" => "y == 1e-20";
    log, Log, T::Float, "Natural logarithm; NaN below 0.", "10.0_f64" => "(y - 10_f64.ln()).abs() < 1e-12";
    log1p, Log1p, T::Float, "`log(1 + x)`, exact near 0.", "1e-20_f64" => "y == 1e-20";
    log2, Log2, T::Float, "Logarithm to base 2.", "8.0_f64" => "y == 3.0";
    log10, Log10, T::Float, "Logarithm to base 10.", "1000.0_f64" => "(y - 3.0).abs() < 1e-12";
    sin, Sin, T::Float, "Sine of radians.", "0.5_f64" => "(y - 0.5_f64.sin()).abs() < 1e-12";
    cos, Cos, T::Float, "Cosine of radians.", "0.5_f64" => "(y - 0.5_f64.cos()).abs() < 1e-12";
    tan, Tan, T::Float, "Tangent of radians.", "0.5_f64" => "(y - 0.5_f64.tan()).abs() < 1e-12";
    arcsin, Arcsin, T::Float, "Inverse sine, in radians.", "0.5_f64" => "(y - 0.5_f64.asin()).abs() < 1e-12";
    arccos, Arccos, T::Float, "Inverse cosine, in radians.", "0.5_f64" => "(y - 0.5_f64.acos()).abs() < 1e-12";
    arctan, Arctan, T::Float, "Inverse tangent, in radians.", "0.5_f64" => "(y - 0.5_f64.atan()).abs() < 1e-12";
    sinh, Sinh, T::Float, "Hyperbolic sine.", "0.5_f64" => "(y - 0.5_f64.sinh()).abs() < 1e-12";
    cosh, Cosh, T::Float, "Hyperbolic cosine.", "0.5_f64" => "(y - 0.5_f64.cosh()).abs() < 1e-12";
    tanh, Tanh, T::Float, "Hyperbolic tangent.", "0.5_f64" => "(y - 0.5_f64.tanh()).abs() < 1e-12";
    cbrt, Cbrt, T::Float, "Cube root.", "27.0_f64" => "(y - 3.0).abs() < 1e-12";
    reciprocal, Reciprocal, T::Float, "`1 / x`, in floating point also for integers (NumPy rounds those to 0).", "4_i32" => "y == 0.25";
    abs, Abs, T::Real, "Absolute value, of complex numbers real; the least signed integer wraps to itself.", "-3_i32" => "y == 3";
    sign, Sign, T, "-1, 0 or 1, of complex numbers `x / abs(x)`; NaN stays.", "-3.5_f64" => "y == -1.0";
    square, Square, T, "`x * x`; integers wrap (`bool` stays `bool`, which NumPy makes `int8`).", "3_i32" => "y == 9";
    floor, Floor, T, "Rounds towards negative infinity; integers stay.", "-1.5_f64" => "y == -2.0";
    ceil, Ceil, T, "Rounds towards infinity; integers stay.", "-1.5_f64" => "y == -1.0";
    trunc, Trunc, T, "Rounds towards zero; integers stay.", "-1.5_f64" => "y == -1.0";
    rint, Rint, T::Float, "Rounds to the nearest integer, halves to even; integers become floats.", "2.5_f64" => "y == 2.0";
    isnan, IsNan, bool, "Whether an element is not a number.", "f64::NAN" => "y";
    isfinite, IsFinite, bool, "Whether an element is neither infinite nor NaN.", "f64::NAN" => "!y";
    isinf, IsInf, bool, "Whether an element is infinite.", "f64::INFINITY" => "y";
    logical_not, Not, bool, "Whether an element is zero.", "2_i32" => "!y";
}

macro_rules! binary_methods {
    ($($name:ident, $op:ident, $output:ty, $doc:literal, $input:literal => $check:literal;)*) => {
        /// Elementwise functions of two arrays, or of an array and a scalar.
        impl<T: Element> Array<T> {$(
            #[doc = $doc]
            ///
            /// ```
            /// use talatat::prelude::*;
            #[doc = concat!("let (a, b) = (", $input, ");")]
            /// let x = talatat::array::full([2], a);
            #[doc = concat!("let y = x.", stringify!($name), "(b).compute()?[[1]];")]
            #[doc = concat!("assert!(", $check, ");")]
            /// # Ok::<(), talatat::Error>(())
            /// ```
            #[track_caller]
            pub fn $name<U: Element>(&self, other: impl Into<Operand<U>>) -> Array<$output>
            where
                T: Promote<U>,
            {
                Array::from_result(binary(BinaryOp::$op, &self.into(), &other.into(), Location::caller()))
            }
        )*}
    };
}

pub(in crate::array) use {binary_methods, unary_methods};

binary_methods! {
    power, Power, <T as Promote<U>>::Output, "`self` to the power of `other`; integers wrap. A negative power of an integer is rounded to 0 (NumPy refuses it).", "2_i32, 10_i32" => "y == 1024";
    floor_divide, FloorDiv, <T as Promote<U>>::Output, "The quotient, rounded towards negative infinity; an integer divided by 0 gives 0.", "-7_i32, 2_i32" => "y == -4";
    minimum, Minimum, <T as Promote<U>>::Output, "The smaller of the two; NaN wins.", "1.0_f64, f64::NAN" => "y.is_nan()";
    maximum, Maximum, <T as Promote<U>>::Output, "The larger of the two; NaN wins.", "1_u8, -1_i8" => "y == 1_i16";
    fmin, Fmin, <T as Promote<U>>::Output, "The smaller of the two; NaN loses.", "1.0_f64, f64::NAN" => "y == 1.0";
    fmax, Fmax, <T as Promote<U>>::Output, "The larger of the two; NaN loses.", "1.0_f64, 2.0" => "y == 2.0";
    arctan2, Arctan2, <<T as Promote<U>>::Output as Element>::Float, "The angle of the point (other, self), in radians.", "1.0_f64, -1.0_f64" => "(y - 1_f64.atan2(-1.0)).abs() < 1e-12";
    hypot, Hypot, <<T as Promote<U>>::Output as Element>::Float, "`sqrt(self² + other²)` without overflow.", "3.0_f64, 4.0" => "y == 5.0";
    equal, Eq, bool, "Whether the two are equal; NaN is not equal to itself.", "1_i32, 1.0" => "y";
    not_equal, Ne, bool, "Whether the two differ.", "f64::NAN, f64::NAN" => "y";
    less, Lt, bool, "`self < other`; false where one is NaN.", "-1_i64, u64::MAX" => "y";
    less_equal, Le, bool, "`self <= other`; false where one is NaN.", "2, 2" => "y";
    greater, Gt, bool, "`self > other`; false where one is NaN.", "2, 2" => "!y";
    greater_equal, Ge, bool, "`self >= other`; false where one is NaN.", "2, 2" => "y";
    logical_and, And, bool, "Whether both are not zero.", "2_i32, 0_i32" => "!y";
    logical_or, Or, bool, "Whether one of the two is not zero.", "2_i32, 0_i32" => "y";
    logical_xor, Xor, bool, "Whether exactly one of the two is not zero.", "2_i32, 3_i32" => "!y";
}

impl<T: Element> Array<T> {
    /// The elements converted to another type: floats to integers towards zero and within the type's range, NaN to 0; of complex
    /// numbers the real part if the type is real (NumPy warns of it).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::linspace(0.0, 2.5, 6)?;
    /// assert_eq!(x.astype::<i32>().compute()?.into_raw_vec_and_offset().0, [0, 0, 1, 1, 2, 2]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn astype<U: Element>(&self) -> Array<U> {
        let at = Location::caller();
        Array::from_result(self.expr().and_then(|expr| cast(expr, U::DTYPE, at)))
    }

    /// The elements limited to `low..=high`; NaN stays.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 5, 1)?;
    /// assert_eq!(x.clip(1, 3).compute()?.into_raw_vec_and_offset().0, [1, 1, 2, 3, 3]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn clip(&self, low: impl Into<Operand<T>>, high: impl Into<Operand<T>>) -> Array<T> {
        let at = Location::caller();
        let low = Array::<T>::from_result(binary(BinaryOp::Maximum, &self.into(), &low.into(), at));
        Array::from_result(binary(BinaryOp::Minimum, &low.into(), &high.into(), at))
    }
}

/// The elements of `a` where `condition` is true, else those of `b`.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, where_};
/// let x = arange::<i64>(-2, 3, 1)?;
/// let y = where_(&x.less(0), -&x, &x);
/// assert_eq!(y.compute()?.into_raw_vec_and_offset().0, [2, 1, 0, 1, 2]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn where_<T, U>(
    condition: &Array<bool>,
    a: impl Into<Operand<T>>,
    b: impl Into<Operand<U>>,
) -> Array<<T as Promote<U>>::Output>
where
    T: Promote<U>,
    U: Element,
{
    let at = Location::caller();
    let (a, b) = (a.into(), b.into());
    let select = || {
        let mut arrays = vec![condition.expr()?.clone()];
        let scalars = (a.part(&mut arrays)?, b.part(&mut arrays)?);
        elementwise("where", &arrays, at, |builder, registers| {
            let mut others = registers[1..].iter().copied();
            let a = register(builder, scalars.0, &mut others, "where")?;
            let b = register(builder, scalars.1, &mut others, "where")?;
            builder.select(registers[0], a, b)
        })
    };
    Array::from_result(select())
}

macro_rules! operators {
    ($($trait:ident, $method:ident, $op:expr, $output:ty;)*) => {$(
        impl<T: Promote<U>, U: Element> $trait<Array<U>> for Array<T> {
            type Output = Array<$output>;

            #[track_caller]
            fn $method(self, other: Array<U>) -> Self::Output {
                Array::from_result(binary($op(T::DTYPE, U::DTYPE), &self.into(), &other.into(), Location::caller()))
            }
        }

        impl<T: Promote<U>, U: Element> $trait<&Array<U>> for Array<T> {
            type Output = Array<$output>;

            #[track_caller]
            fn $method(self, other: &Array<U>) -> Self::Output {
                Array::from_result(binary($op(T::DTYPE, U::DTYPE), &self.into(), &other.into(), Location::caller()))
            }
        }

        impl<T: Promote<U>, U: Element> $trait<Array<U>> for &Array<T> {
            type Output = Array<$output>;

            #[track_caller]
            fn $method(self, other: Array<U>) -> Self::Output {
                Array::from_result(binary($op(T::DTYPE, U::DTYPE), &self.into(), &other.into(), Location::caller()))
            }
        }

        impl<T: Promote<U>, U: Element> $trait<&Array<U>> for &Array<T> {
            type Output = Array<$output>;

            #[track_caller]
            fn $method(self, other: &Array<U>) -> Self::Output {
                Array::from_result(binary($op(T::DTYPE, U::DTYPE), &self.into(), &other.into(), Location::caller()))
            }
        }
    )*};
}

macro_rules! scalar_operators {
    ($trait:ident, $method:ident, $op:expr, $scalar:ty, $output:ty) => {
        impl $trait<$scalar> for Array<$scalar> {
            type Output = Array<$output>;

            #[track_caller]
            fn $method(self, other: $scalar) -> Self::Output {
                let dtype = <$scalar>::DTYPE;
                Array::from_result(binary($op(dtype, dtype), &self.into(), &other.into(), Location::caller()))
            }
        }

        impl $trait<$scalar> for &Array<$scalar> {
            type Output = Array<$output>;

            #[track_caller]
            fn $method(self, other: $scalar) -> Self::Output {
                let dtype = <$scalar>::DTYPE;
                Array::from_result(binary($op(dtype, dtype), &self.into(), &other.into(), Location::caller()))
            }
        }

        impl $trait<Array<$scalar>> for $scalar {
            type Output = Array<$output>;

            #[track_caller]
            fn $method(self, other: Array<$scalar>) -> Self::Output {
                let dtype = <$scalar>::DTYPE;
                Array::from_result(binary($op(dtype, dtype), &self.into(), &other.into(), Location::caller()))
            }
        }

        impl $trait<&Array<$scalar>> for $scalar {
            type Output = Array<$output>;

            #[track_caller]
            fn $method(self, other: &Array<$scalar>) -> Self::Output {
                let dtype = <$scalar>::DTYPE;
                Array::from_result(binary($op(dtype, dtype), &self.into(), &other.into(), Location::caller()))
            }
        }
    };
    ($($scalar:ty),*) => {$(
        scalar_operators!(Add, add, always::<{ ADD }>, $scalar, $scalar);
        scalar_operators!(Sub, sub, always::<{ SUB }>, $scalar, $scalar);
        scalar_operators!(Mul, mul, always::<{ MUL }>, $scalar, $scalar);
        scalar_operators!(Div, div, always::<{ DIV }>, $scalar, <$scalar as Element>::Float);
        scalar_operators!(Rem, rem, always::<{ REM }>, $scalar, $scalar);
    )*};
}

const ADD: usize = 0;
const SUB: usize = 1;
const MUL: usize = 2;
const DIV: usize = 3;
const REM: usize = 4;
const AND: usize = 5;
const OR: usize = 6;
const XOR: usize = 7;

/// The operation behind an operator, which for the bitwise ones depends on the types: `bool` has logical ones.
fn always<const OPERATOR: usize>(a: DType, b: DType) -> BinaryOp {
    let logical = a == DType::Bool && b == DType::Bool;
    match OPERATOR {
        ADD => BinaryOp::Add,
        SUB => BinaryOp::Sub,
        MUL => BinaryOp::Mul,
        DIV => BinaryOp::Div,
        REM => BinaryOp::Mod,
        AND if logical => BinaryOp::And,
        OR if logical => BinaryOp::Or,
        XOR if logical => BinaryOp::Xor,
        AND => BinaryOp::BitAnd,
        OR => BinaryOp::BitOr,
        _ => BinaryOp::BitXor,
    }
}

operators! {
    Add, add, always::<{ ADD }>, <T as Promote<U>>::Output;
    Sub, sub, always::<{ SUB }>, <T as Promote<U>>::Output;
    Mul, mul, always::<{ MUL }>, <T as Promote<U>>::Output;
    Div, div, always::<{ DIV }>, <<T as Promote<U>>::Output as Element>::Float;
    Rem, rem, always::<{ REM }>, <T as Promote<U>>::Output;
    BitAnd, bitand, always::<{ AND }>, <T as Promote<U>>::Output;
    BitOr, bitor, always::<{ OR }>, <T as Promote<U>>::Output;
    BitXor, bitxor, always::<{ XOR }>, <T as Promote<U>>::Output;
}

scalar_operators!(i8, i16, i32, i64, u8, u16, u32, u64, f16, f32, f64, C64, C128);

impl<T: Element> Neg for &Array<T> {
    type Output = Array<T>;

    #[track_caller]
    fn neg(self) -> Array<T> {
        Array::from_result(unary(UnaryOp::Neg, self, Location::caller()))
    }
}

impl<T: Element> Neg for Array<T> {
    type Output = Array<T>;

    #[track_caller]
    fn neg(self) -> Array<T> {
        Array::from_result(unary(UnaryOp::Neg, &self, Location::caller()))
    }
}

/// Logical for `bool`, bitwise for integers.
impl<T: Element> Not for &Array<T> {
    type Output = Array<T>;

    #[track_caller]
    fn not(self) -> Array<T> {
        Array::from_result(unary(UnaryOp::BitNot, self, Location::caller()))
    }
}

impl<T: Element> Not for Array<T> {
    type Output = Array<T>;

    #[track_caller]
    fn not(self) -> Array<T> {
        Array::from_result(unary(UnaryOp::BitNot, &self, Location::caller()))
    }
}
