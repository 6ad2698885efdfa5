//! One element with its type.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::number::CastFrom;
use crate::dtype::{DType, Element, for_each_dtype, with_dtype};

macro_rules! define_scalar {
    ($($variant:ident, $rust:ty, $name:literal;)*) => {
        /// One element, tagged with its type.
        ///
        /// Equality and hash are those of the bits: NaN equals itself, 0.0 differs from -0.0.
        ///
        /// ```
        /// use talatat_kernels::{Scalar, dtype::DType};
        /// let x = Scalar::from(2.75);
        /// assert_eq!(x.dtype(), DType::F64);
        /// assert_eq!(x.cast(DType::I8), Scalar::from(2_i8));
        /// ```
        #[derive(Clone, Copy, Debug, Serialize, Deserialize)]
        #[allow(missing_docs)]
        pub enum Scalar { $($variant($rust)),* }

        impl Scalar {
            /// The element type.
            pub fn dtype(self) -> DType {
                match self { $(Scalar::$variant(_) => DType::$variant),* }
            }

            /// The element as `T`, converted as [`CastFrom`] says.
            pub fn get<T: Element>(self) -> T {
                T::from_scalar(self)
            }
        }

        $(impl From<$rust> for Scalar {
            fn from(value: $rust) -> Self {
                Scalar::$variant(value)
            }
        })*

        impl fmt::Display for Scalar {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Scalar::$variant(x) => fmt::Display::fmt(x, f)),* }
            }
        }

        /// Converts any scalar to one of the element types.
        pub(super) fn cast_scalar<T>(value: Scalar) -> T
        where
            T: $(CastFrom<$rust> +)*
        {
            match value { $(Scalar::$variant(x) => T::cast_from(x)),* }
        }
    };
}

for_each_dtype!(define_scalar);

impl Scalar {
    /// The same value in another element type, converted as [`CastFrom`] says.
    pub fn cast(self, to: DType) -> Scalar {
        with_dtype!(to, T => Scalar::from(self.get::<T>()))
    }

    /// The complex conjugate; a real number itself.
    pub fn conj(self) -> Scalar {
        match self {
            Scalar::C64(z) => Scalar::C64(z.conj()),
            Scalar::C128(z) => Scalar::C128(z.conj()),
            real => real,
        }
    }

    /// Type and bits, for equality and hash.
    fn key(self) -> (DType, u128) {
        let both = |re: u64, im: u64| (u128::from(re) << 64) | u128::from(im);
        let bits = match self {
            Scalar::F16(x) => u128::from(x.to_bits()),
            Scalar::F32(x) => u128::from(x.to_bits()),
            Scalar::F64(x) => u128::from(x.to_bits()),
            Scalar::C64(x) => both(u64::from(x.re.to_bits()), u64::from(x.im.to_bits())),
            Scalar::C128(x) => both(x.re.to_bits(), x.im.to_bits()),
            Scalar::U64(x) => u128::from(x),
            other => u128::from(other.get::<i64>() as u64),
        };
        (self.dtype(), bits)
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_of_bits() {
        assert_eq!(Scalar::from(f64::NAN), Scalar::from(f64::NAN));
        assert_ne!(Scalar::from(0.0), Scalar::from(-0.0));
        assert_ne!(Scalar::from(1_u8), Scalar::from(1_i8));
        assert_eq!(Scalar::from(u64::MAX), Scalar::from(u64::MAX));
    }

    #[test]
    fn casts_to_every_type() {
        for &dtype in DType::ALL {
            let one = Scalar::from(true).cast(dtype);
            assert_eq!(one.dtype(), dtype);
            assert_eq!(one.get::<f64>(), 1.0);
        }
    }
}
