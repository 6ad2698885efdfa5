//! Vectors of one value per lane with a run-time element type, and what reductions ask of an element type.

use serde::{Deserialize, Serialize};

use super::slab::Slab;
use crate::dtype::{DType, for_each_dtype};

/// A slab of floats, as exact sums take them.
#[derive(Clone, Copy, Debug)]
pub enum FloatSlab<'a> {
    /// `float32`, used as it is.
    F32(Slab<'a, f32>),
    /// `float64`.
    F64(Slab<'a, f64>),
    /// Integers or booleans converted to `float64`.
    Whole(Slab<'a, f64>),
}

/// What a reduction needs to know of an element type.
///
/// Implemented for the element types of [`DType`] and not meant to be implemented for others.
pub trait Reducible: Copy + PartialEq + PartialOrd + Default + Send + Sync + std::fmt::Debug + 'static {
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
    fn as_floats(slab: Slab<'_, Self>, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>));
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

            fn as_floats(slab: Slab<'_, Self>, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>)) {
                take([0, 0], FloatSlab::$variant(slab));
            }
        }
    )*};
}
float!(F32 f32, F64 f64);

/// Conversion to floats in pieces of at most `N` values, which stay in the nearest cache.
fn whole_floats<T: Reducible, const N: usize>(slab: Slab<'_, T>, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>)) {
    let mut floats = [0.0; N];
    let width = slab.width().clamp(1, N);
    for row in (0..slab.rows()).step_by(N / width) {
        for column in (0..slab.width()).step_by(width) {
            let rows = row..(row + N / width).min(slab.rows());
            let part = slab.part(rows, column..(column + width).min(slab.width()));
            for (slots, values) in floats.chunks_mut(part.width()).zip(part.iter()) {
                for (float, x) in slots.iter_mut().zip(values) {
                    *float = x.widen();
                }
            }
            if let Some(piece) = Slab::new(&floats, part.rows(), part.width(), part.width()) {
                take([row, column], FloatSlab::Whole(piece));
            }
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

            fn as_floats(slab: Slab<'_, Self>, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>)) {
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

    fn as_floats(slab: Slab<'_, Self>, take: &mut dyn FnMut([usize; 2], FloatSlab<'_>)) {
        widened(slab, take);
    }
}
