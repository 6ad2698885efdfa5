//! Element types and NumPy's type promotion.
//!
//! One row of `for_each_dtype!` is one element type; everything that has to exist once per
//! type is made from that table.

use std::fmt;

pub use half::f16;
pub use num_complex::Complex;
use serde::{Deserialize, Serialize};

pub use crate::number::Ordered;

/// NumPy's `complex64`: two `f32` (`num_complex` calls it `Complex32`).
pub type C64 = Complex<f32>;

/// NumPy's `complex128`: two `f64` (`num_complex` calls it `Complex64`).
pub type C128 = Complex<f64>;

/// Calls a macro with the table of element types: `Variant, rust type, "numpy name"`.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_dtype {
    ($callback:ident) => {
        $callback! {
            Bool, bool, "bool";
            I8, i8, "int8";
            I16, i16, "int16";
            I32, i32, "int32";
            I64, i64, "int64";
            U8, u8, "uint8";
            U16, u16, "uint16";
            U32, u32, "uint32";
            U64, u64, "uint64";
            F16, $crate::dtype::f16, "float16";
            F32, f32, "float32";
            F64, f64, "float64";
            C64, $crate::dtype::C64, "complex64";
            C128, $crate::dtype::C128, "complex128";
        }
    };
}
#[doc(hidden)]
pub use for_each_dtype;

/// Runs `$body` with `$T` bound to the Rust type of a run-time [`DType`].
///
/// The body is compiled once per element type: keep it a call.
#[doc(hidden)]
#[macro_export]
macro_rules! with_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::dtype::DType::Bool => {
                type $T = bool;
                $body
            }
            $crate::dtype::DType::I8 => {
                type $T = i8;
                $body
            }
            $crate::dtype::DType::I16 => {
                type $T = i16;
                $body
            }
            $crate::dtype::DType::I32 => {
                type $T = i32;
                $body
            }
            $crate::dtype::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::dtype::DType::U8 => {
                type $T = u8;
                $body
            }
            $crate::dtype::DType::U16 => {
                type $T = u16;
                $body
            }
            $crate::dtype::DType::U32 => {
                type $T = u32;
                $body
            }
            $crate::dtype::DType::U64 => {
                type $T = u64;
                $body
            }
            $crate::dtype::DType::F16 => {
                type $T = $crate::dtype::f16;
                $body
            }
            $crate::dtype::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::dtype::DType::F64 => {
                type $T = f64;
                $body
            }
            $crate::dtype::DType::C64 => {
                type $T = $crate::dtype::C64;
                $body
            }
            $crate::dtype::DType::C128 => {
                type $T = $crate::dtype::C128;
                $body
            }
        }
    };
}
#[doc(hidden)]
pub use with_dtype;

macro_rules! define_dtype {
    ($($variant:ident, $rust:ty, $name:literal;)*) => {
        /// The type of an array's elements.
        ///
        /// ```
        /// use talatat_kernels::dtype::DType;
        /// assert_eq!((DType::F32.name(), DType::F32.size()), ("float32", 4));
        /// assert_eq!(DType::U8.promote(DType::I8), DType::I16);
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        #[allow(missing_docs)]
        pub enum DType { $($variant),* }

        impl DType {
            /// All element types, in NumPy's order of kinds.
            pub const ALL: &'static [DType] = &[$(DType::$variant),*];

            /// NumPy's name of the type.
            pub fn name(self) -> &'static str {
                match self { $(DType::$variant => $name),* }
            }

            /// Bytes of one element.
            pub fn size(self) -> usize {
                match self { $(DType::$variant => std::mem::size_of::<$rust>()),* }
            }
        }

    };
}

/// A Rust type that can be the element of an array: `bool`, `i8` to `i64`, `u8` to `u64`, [`f16`](struct@f16), `f32`, `f64`, [`C64`], [`C128`].
///
/// ```
/// use talatat_kernels::dtype::{DType, Element};
/// assert_eq!(<i16 as Element>::Sum::DTYPE, DType::I64);
/// assert_eq!(<f32 as Element>::Float::DTYPE, DType::F32);
/// ```
pub trait Element:
    Copy
    + Send
    + Sync
    + Default
    + PartialEq
    + Ordered
    + fmt::Debug
    + fmt::Display
    + 'static
    + crate::Lane
    + Into<crate::Scalar>
    + bytemuck::NoUninit
{
    /// The run-time name of this type.
    const DTYPE: DType;

    /// What `sqrt`, `mean` and true division give: [`DType::float`].
    type Float: Element;

    /// What `sum` and `prod` give: [`DType::sum`].
    type Sum: Element;

    /// What real and imaginary part, absolute value and variance are: [`DType::real`].
    type Real: Element;

    /// The float with the most digits: `f64`, of complex numbers [`C128`]: [`DType::wide`].
    type Wide: Element;

    /// The complex type that Fourier transforms and eigenvalues are in: [`DType::complex`].
    type Complex: Element;
}

macro_rules! define_elements {
    ($($rust:ty, $variant:ident, $float:ty, $sum:ty, $real:ty, $wide:ty, $complex:ty;)*) => {
        $(
            impl Element for $rust {
                const DTYPE: DType = DType::$variant;
                type Float = $float;
                type Sum = $sum;
                type Real = $real;
                type Wide = $wide;
                type Complex = $complex;
            }
        )*

        #[cfg(test)]
        const DERIVED: &[[DType; 6]] =
            &[$([<$rust>::DTYPE, <$float>::DTYPE, <$sum>::DTYPE, <$real>::DTYPE, <$wide>::DTYPE, <$complex>::DTYPE]),*];
    };
}

define_elements! {
    bool, Bool, f64, i64, bool, f64, C128;
    i8, I8, f64, i64, i8, f64, C128;
    i16, I16, f64, i64, i16, f64, C128;
    i32, I32, f64, i64, i32, f64, C128;
    i64, I64, f64, i64, i64, f64, C128;
    u8, U8, f64, u64, u8, f64, C128;
    u16, U16, f64, u64, u16, f64, C128;
    u32, U32, f64, u64, u32, f64, C128;
    u64, U64, f64, u64, u64, f64, C128;
    f16, F16, f16, f16, f16, f64, C64;
    f32, F32, f32, f32, f32, f64, C64;
    f64, F64, f64, f64, f64, f64, C128;
    C64, C64, C64, C64, f32, C128, C64;
    C128, C128, C128, C128, f64, C128, C128;
}

for_each_dtype!(define_dtype);

/// What family a type belongs to; promotion is decided by it.
///
/// ```
/// use talatat_kernels::dtype::{DType, Kind};
/// assert_eq!(DType::U8.kind(), Kind::Unsigned);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// `bool`.
    Bool,
    /// Unsigned integers.
    Unsigned,
    /// Signed integers.
    Signed,
    /// Floating point.
    Float,
    /// Pairs of floats.
    Complex,
}

impl DType {
    /// The family of the type.
    pub fn kind(self) -> Kind {
        match self {
            DType::Bool => Kind::Bool,
            DType::U8 | DType::U16 | DType::U32 | DType::U64 => Kind::Unsigned,
            DType::I8 | DType::I16 | DType::I32 | DType::I64 => Kind::Signed,
            DType::F16 | DType::F32 | DType::F64 => Kind::Float,
            DType::C64 | DType::C128 => Kind::Complex,
        }
    }

    /// Whether the type is `f16`, `f32` or `f64`.
    pub fn is_float(self) -> bool {
        self.kind() == Kind::Float
    }

    /// Whether the type is a complex one.
    pub fn is_complex(self) -> bool {
        self.kind() == Kind::Complex
    }

    /// Whether the type has fractions, infinities and NaN: floats and complex numbers.
    pub fn is_inexact(self) -> bool {
        self.is_float() || self.is_complex()
    }

    /// The smallest type that holds the values of both, as NumPy promotes
    /// (`int64` with `uint64`, and integers of 32 bits or more with `float32`, give `float64`).
    pub fn promote(self, other: DType) -> DType {
        let (small, large) = if self.kind() <= other.kind() { (self, other) } else { (other, self) };
        match (small.kind(), large.kind()) {
            (a, b) if a == b => {
                if small.size() >= large.size() {
                    small
                } else {
                    large
                }
            }
            (Kind::Bool, _) => large,
            (Kind::Unsigned, Kind::Signed) if small.size() < large.size() => large,
            (Kind::Unsigned, Kind::Signed) => match small.size() {
                1 => DType::I16,
                2 => DType::I32,
                4 => DType::I64,
                _ => DType::F64,
            },
            (_, Kind::Complex) => match self.real().promote(other.real()) {
                DType::F64 => DType::C128,
                _ => DType::C64,
            },
            (_, _) if large == DType::F16 && small.size() == 1 => DType::F16,
            (_, _) if large != DType::F64 && small.size() <= 2 => DType::F32,
            _ => DType::F64,
        }
    }

    /// The floating type that NumPy computes `sqrt`, `mean`, true division in: floats and complex numbers stay, the
    /// integers of 8 and 16 bits and `bool` also give `f64` here (NumPy's `float16`/`float32` for
    /// `sqrt` of small integers are not reproduced), the rest gives `f64`.
    pub fn float(self) -> DType {
        if self.is_inexact() { self } else { DType::F64 }
    }

    /// The type that `sum` and `prod` accumulate and return: integers widen to 64 bits.
    pub fn sum(self) -> DType {
        match self.kind() {
            Kind::Bool | Kind::Signed => DType::I64,
            Kind::Unsigned => DType::U64,
            Kind::Float | Kind::Complex => self,
        }
    }

    /// `float64`, or `complex128` for complex numbers.
    pub fn wide(self) -> DType {
        if self.is_complex() { DType::C128 } else { DType::F64 }
    }

    /// The complex type that Fourier transforms and eigenvalues are in: `complex64` for `float16` and `float32`, else `complex128`.
    pub fn complex(self) -> DType {
        match self {
            DType::F16 | DType::F32 | DType::C64 => DType::C64,
            _ => DType::C128,
        }
    }

    /// The type of the real part.
    pub fn real(self) -> DType {
        match self {
            DType::C64 => DType::F32,
            DType::C128 => DType::F64,
            real => real,
        }
    }
}

/// [`DType::promote`] on the level of types: `<i32 as Promote<f32>>::Output` is `f64`.
///
/// ```
/// use talatat_kernels::dtype::Promote;
/// let sum: <i32 as Promote<f32>>::Output = 1.0_f64;
/// ```
pub trait Promote<U: Element>: Element {
    /// The smallest type that holds the values of both.
    type Output: Element;
}

/// One row per type, one column per other type, in the order of `for_each_dtype!`.
macro_rules! promote {
    ($($row:ident: $bool:ident $i8:ident $i16:ident $i32:ident $i64:ident $u8:ident $u16:ident $u32:ident $u64:ident $f16:ident $f32:ident $f64:ident $c64:ident $c128:ident;)*) => {$(
        impl Promote<bool> for $row { type Output = $bool; }
        impl Promote<i8> for $row { type Output = $i8; }
        impl Promote<i16> for $row { type Output = $i16; }
        impl Promote<i32> for $row { type Output = $i32; }
        impl Promote<i64> for $row { type Output = $i64; }
        impl Promote<u8> for $row { type Output = $u8; }
        impl Promote<u16> for $row { type Output = $u16; }
        impl Promote<u32> for $row { type Output = $u32; }
        impl Promote<u64> for $row { type Output = $u64; }
        impl Promote<f16> for $row { type Output = $f16; }
        impl Promote<f32> for $row { type Output = $f32; }
        impl Promote<f64> for $row { type Output = $f64; }
        impl Promote<C64> for $row { type Output = $c64; }
        impl Promote<C128> for $row { type Output = $c128; }
    )*};
}

promote! {
    bool: bool i8 i16 i32 i64 u8 u16 u32 u64 f16 f32 f64 C64 C128;
    i8: i8 i8 i16 i32 i64 i16 i32 i64 f64 f16 f32 f64 C64 C128;
    i16: i16 i16 i16 i32 i64 i16 i32 i64 f64 f32 f32 f64 C64 C128;
    i32: i32 i32 i32 i32 i64 i32 i32 i64 f64 f64 f64 f64 C128 C128;
    i64: i64 i64 i64 i64 i64 i64 i64 i64 f64 f64 f64 f64 C128 C128;
    u8: u8 i16 i16 i32 i64 u8 u16 u32 u64 f16 f32 f64 C64 C128;
    u16: u16 i32 i32 i32 i64 u16 u16 u32 u64 f32 f32 f64 C64 C128;
    u32: u32 i64 i64 i64 i64 u32 u32 u32 u64 f64 f64 f64 C128 C128;
    u64: u64 f64 f64 f64 f64 u64 u64 u64 u64 f64 f64 f64 C128 C128;
    f16: f16 f16 f32 f64 f64 f16 f32 f64 f64 f16 f32 f64 C64 C128;
    f32: f32 f32 f32 f64 f64 f32 f32 f64 f64 f32 f32 f64 C64 C128;
    f64: f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 C128 C128;
    C64: C64 C64 C64 C128 C128 C64 C64 C128 C128 C64 C64 C128 C64 C128;
    C128: C128 C128 C128 C128 C128 C128 C128 C128 C128 C128 C128 C128 C128 C128;
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_types_are_those_of_values() {
        assert_eq!(DERIVED.iter().map(|row| row[0]).collect::<Vec<_>>(), DType::ALL);
        for &[own, float, sum, real, wide, complex] in DERIVED {
            assert_eq!([own.float(), own.sum(), own.real(), own.wide()], [float, sum, real, wide]);
            assert_eq!(own.complex(), complex);
        }
    }

    #[test]
    fn promotion_is_symmetric_and_idempotent() {
        for &a in DType::ALL {
            assert_eq!(a.promote(a), a);
            for &b in DType::ALL {
                assert_eq!(a.promote(b), b.promote(a), "{a} {b}");
            }
        }
    }

    #[test]
    fn promotion_of_types_is_that_of_values() {
        fn output<T: Promote<U>, U: Element>() -> DType {
            T::Output::DTYPE
        }
        for &a in DType::ALL {
            for &b in DType::ALL {
                let found = with_dtype!(a, T => with_dtype!(b, U => output::<T, U>()));
                assert_eq!(found, a.promote(b), "{a} {b}");
            }
        }
    }

    #[test]
    fn promotion_like_numpy() {
        use DType::*;
        for (a, b, expected) in [
            (I32, F32, F64),
            (I16, F32, F32),
            (U8, I8, I16),
            (U32, I32, I64),
            (U64, I64, F64),
            (Bool, I8, I8),
            (Bool, F32, F32),
            (U8, I64, I64),
            (U64, F32, F64),
            (U16, I8, I32),
            (F16, U8, F16),
            (F16, I16, F32),
            (F16, F64, F64),
            (C64, I16, C64),
            (C64, I32, C128),
            (C64, F64, C128),
            (F16, C64, C64),
            (Bool, C64, C64),
        ] {
            assert_eq!(a.promote(b), expected, "{a} {b}");
        }
    }
}
