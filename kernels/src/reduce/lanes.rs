//! Vectors of one value per lane with a run-time element type, and what reductions ask of an element type.

use serde::{Deserialize, Serialize};

use super::slab::Slab;
use crate::dtype::{C64, C128, Complex, DType, f16, for_each_dtype};
use crate::number::{CastFrom, Number, Ordered};

/// A slab of floats, as exact sums take them.
#[derive(Clone, Copy, Debug)]
pub enum FloatSlab<'a> {
    /// `float32`, used as it is, and `float16`.
    F32(Slab<'a, f32>),
    /// `float64`.
    F64(Slab<'a, f64>),
    /// Integers or booleans converted to `float64`.
    Whole(Slab<'a, f64>),
}

/// What a reduction needs to know of an element type.
///
/// Implemented for the element types of [`DType`] and not meant to be implemented for others.
pub trait Reducible: Ordered + Default + Send + Sync + std::fmt::Debug + 'static {
    /// The run-time name of the type.
    const KIND: DType;
    /// At least as small as every value.
    const LEAST: Self;
    /// At least as large as every value.
    const MOST: Self;
    /// The missing value, if the type has one.
    const NAN: Option<Self>;
    /// One.
    const ONE: Self;
    /// Whether the value is NaN (never for integers).
    fn is_nan(self) -> bool;
    /// Whether the value is true in NumPy's sense: not zero; NaN is.
    fn truth(self) -> bool;
    /// The value modulo 2^64 (an integer's; floats are truncated).
    fn wrap(self) -> u64;
    /// The product; modulo the type's range for integers.
    fn times(self, other: Self) -> Self;
    /// The nearest `f64`.
    fn widen(self) -> f64;
    /// The value with NaN and zero each brought to one pattern of bits.
    fn canonical(self) -> Self;
    /// Hands the slab on as floats, converted in pieces where needed: first row and column of a piece, and the piece.
    ///
    /// Complex numbers are two floats: two rows where `runs` says that a row goes to one lane, else two columns. With `skip`
    /// both are NaN where one is.
    fn as_floats(slab: Slab<'_, Self>, runs: bool, skip: bool, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>));
    /// A tagged vector of this type.
    fn tag(values: Vec<Self>) -> LaneValues;
    /// The values of a tagged vector, if it is of this type.
    fn lanes(values: &LaneValues) -> Option<&[Self]>;
    /// As [`Reducible::lanes`], to change them.
    fn lanes_mut(values: &mut LaneValues) -> Option<&mut [Self]>;
}

macro_rules! define_lanes {
    ($($variant:ident, $rust:ty, $name:literal;)*) => {
        /// One value per lane, tagged with the element type.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[allow(missing_docs)]
        pub enum LaneValues { $($variant(Vec<$rust>)),* }

        impl LaneValues {
            /// The element type.
            pub fn dtype(&self) -> DType {
                match self { $(LaneValues::$variant(_) => DType::$variant),* }
            }

            /// Number of lanes.
            pub fn len(&self) -> usize {
                match self { $(LaneValues::$variant(values) => values.len()),* }
            }

            /// Whether there are no lanes.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }
    };
}
for_each_dtype!(define_lanes);

/// The items that every implementation of [`Reducible`] has in the same words.
macro_rules! tagging {
    ($variant:ident) => {
        const KIND: DType = DType::$variant;

        fn tag(values: Vec<Self>) -> LaneValues {
            LaneValues::$variant(values)
        }

        fn lanes(values: &LaneValues) -> Option<&[Self]> {
            if let LaneValues::$variant(values) = values { Some(values) } else { None }
        }

        fn lanes_mut(values: &mut LaneValues) -> Option<&mut [Self]> {
            if let LaneValues::$variant(values) = values { Some(values) } else { None }
        }
    };
}

macro_rules! float {
    ($($variant:ident $float:ty),*) => {$(
        impl Reducible for $float {
            tagging!($variant);
            const LEAST: Self = <$float>::NEG_INFINITY;
            const MOST: Self = <$float>::INFINITY;
            const NAN: Option<Self> = Some(<$float>::NAN);
            const ONE: Self = 1.0;

            #[inline(always)]
            fn is_nan(self) -> bool {
                self != self
            }

            #[inline(always)]
            fn truth(self) -> bool {
                self != 0.0
            }

            #[inline(always)]
            fn wrap(self) -> u64 {
                self as i64 as u64
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }

            #[inline(always)]
            fn widen(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn canonical(self) -> Self {
                if self.is_nan() { <$float>::NAN } else { self + 0.0 }
            }

            fn as_floats(slab: Slab<'_, Self>, _: bool, _: bool, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>)) {
                take([0, 0], FloatSlab::$variant(slab));
            }
        }
    )*};
}
float!(F32 f32, F64 f64);

/// Conversion to floats in pieces of at most `N` values, which stay in the nearest cache.
fn whole_floats<T: Reducible, const N: usize>(slab: Slab<'_, T>, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>)) {
    let mut floats = [0.0; N];
    pieces(slab, N, |[row, column], part| {
        for (slots, values) in floats.chunks_mut(part.width()).zip(part.iter()) {
            for (float, x) in slots.iter_mut().zip(values) {
                *float = x.widen();
            }
        }
        if let Some(piece) = Slab::new(&floats, part.rows(), part.width(), part.width()) {
            take([row, column], FloatSlab::Whole(piece));
        }
    });
}

/// Parts of at most `most` elements, with the first row and column of each.
fn pieces<'a, T>(slab: Slab<'a, T>, most: usize, mut take: impl FnMut([usize; 2], Slab<'a, T>)) {
    let width = slab.width().clamp(1, most);
    for row in (0..slab.rows()).step_by(most / width) {
        for column in (0..slab.width()).step_by(width) {
            let rows = row..(row + most / width).min(slab.rows());
            take([row, column], slab.part(rows, column..(column + width).min(slab.width())));
        }
    }
}

/// As [`whole_floats`], with little space for little.
fn widened<T: Reducible>(slab: Slab<'_, T>, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>)) {
    if slab.rows() * slab.width() <= 16 {
        whole_floats::<T, 16>(slab, take)
    } else {
        whole_floats::<T, 1024>(slab, take)
    }
}

macro_rules! integer {
    ($($variant:ident $integer:ty),*) => {$(
        impl Reducible for $integer {
            tagging!($variant);
            const LEAST: Self = <$integer>::MIN;
            const MOST: Self = <$integer>::MAX;
            const NAN: Option<Self> = None;
            const ONE: Self = 1;

            #[inline(always)]
            fn is_nan(self) -> bool {
                false
            }

            #[inline(always)]
            fn truth(self) -> bool {
                self != 0
            }

            #[inline(always)]
            fn wrap(self) -> u64 {
                self as i64 as u64
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }

            #[inline(always)]
            fn widen(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn canonical(self) -> Self {
                self
            }

            fn as_floats(slab: Slab<'_, Self>, _: bool, _: bool, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>)) {
                widened(slab, take);
            }
        }
    )*};
}
integer!(I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64);

impl Reducible for bool {
    tagging!(Bool);
    const LEAST: Self = false;
    const MOST: Self = true;
    const NAN: Option<Self> = None;
    const ONE: Self = true;

    #[inline(always)]
    fn is_nan(self) -> bool {
        false
    }

    #[inline(always)]
    fn truth(self) -> bool {
        self
    }

    #[inline(always)]
    fn wrap(self) -> u64 {
        u64::from(self)
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self & other
    }

    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(u8::from(self))
    }

    #[inline(always)]
    fn canonical(self) -> Self {
        self
    }

    fn as_floats(slab: Slab<'_, Self>, _: bool, _: bool, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>)) {
        widened(slab, take);
    }
}

impl Reducible for f16 {
    tagging!(F16);
    const LEAST: Self = f16::NEG_INFINITY;
    const MOST: Self = f16::INFINITY;
    const NAN: Option<Self> = Some(f16::NAN);
    const ONE: Self = f16::ONE;

    #[inline(always)]
    fn is_nan(self) -> bool {
        f16::is_nan(self)
    }

    #[inline(always)]
    fn truth(self) -> bool {
        self.to_bits() & 0x7fff != 0
    }

    #[inline(always)]
    fn wrap(self) -> u64 {
        i64::cast_from(self) as u64
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        Number::mul(self, other)
    }

    #[inline(always)]
    fn widen(self) -> f64 {
        f64::cast_from(self)
    }

    #[inline(always)]
    fn canonical(self) -> Self {
        if f16::is_nan(self) {
            f16::NAN
        } else if self.truth() {
            self
        } else {
            f16::ZERO
        }
    }

    fn as_floats(slab: Slab<'_, Self>, _: bool, _: bool, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>)) {
        let mut floats = [0.0_f32; 1024];
        pieces(slab, floats.len(), |place, part| {
            for (slots, values) in floats.chunks_mut(part.width()).zip(part.iter()) {
                for (float, &x) in slots.iter_mut().zip(values) {
                    *float = f32::cast_from(x);
                }
            }
            if let Some(piece) = Slab::new(&floats, part.rows(), part.width(), part.width()) {
                take(place, FloatSlab::F32(piece));
            }
        });
    }
}

macro_rules! complex {
    ($($variant:ident $complex:ty, $part:ident $float:ty;)*) => {$(
        impl Reducible for $complex {
            tagging!($variant);
            const LEAST: Self = Complex { re: <$float>::NEG_INFINITY, im: <$float>::NEG_INFINITY };
            const MOST: Self = Complex { re: <$float>::INFINITY, im: <$float>::INFINITY };
            const NAN: Option<Self> = Some(Complex { re: <$float>::NAN, im: <$float>::NAN });
            const ONE: Self = <Self as Number>::ONE;

            #[inline(always)]
            fn is_nan(self) -> bool {
                self.re.is_nan() | self.im.is_nan()
            }

            #[inline(always)]
            fn truth(self) -> bool {
                (self.re != 0.0) | (self.im != 0.0)
            }

            #[inline(always)]
            fn wrap(self) -> u64 {
                self.re as i64 as u64
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                Number::mul(self, other)
            }

            #[inline(always)]
            fn widen(self) -> f64 {
                f64::from(self.re)
            }

            #[inline(always)]
            fn canonical(self) -> Self {
                match Self::NAN {
                    Some(nan) if Reducible::is_nan(self) => nan,
                    _ => Complex { re: self.re + 0.0, im: self.im + 0.0 },
                }
            }

            fn as_floats(slab: Slab<'_, Self>, runs: bool, skip: bool, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>)) {
                let mut floats = [0.0; 1024];
                pieces(slab, floats.len() / 2, |[row, column], part| {
                    let width = part.width();
                    for (slots, values) in floats.chunks_mut(2 * width).zip(part.iter()) {
                        for (j, &x) in values.iter().enumerate() {
                            let x = match Self::NAN {
                                Some(nan) if skip && Reducible::is_nan(x) => nan,
                                _ => x,
                            };
                            let [re, im] = if runs { [j, width + j] } else { [2 * j, 2 * j + 1] };
                            (slots[re], slots[im]) = (x.re, x.im);
                        }
                    }
                    let (rows, width) = if runs { (2 * part.rows(), width) } else { (part.rows(), 2 * width) };
                    if let Some(piece) = Slab::new(&floats, rows, width, width) {
                        take([2 * row, 2 * column], FloatSlab::$part(piece));
                    }
                });
            }
        }
    )*};
}
complex! { C64 C64, F32 f32; C128 C128, F64 f64; }
