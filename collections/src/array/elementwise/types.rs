//! Bits, missing elements, and which types hold which.

use std::panic::Location;

use crate::array::dtype::{DType, Element, Kind};
use crate::array::handle::Array;
use crate::error::{Error, Result};

/// How strict [`can_cast`] is, in NumPy's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Casting {
    /// The same type.
    No,
    /// All values are held. NumPy's default.
    #[default]
    Safe,
    /// Or a smaller type of the same kind, or of one that holds more: `float64` to `float32`, `int64` to `float32`.
    SameKind,
    /// Any.
    Unsafe,
}

/// NumPy's `can_cast`: whether elements of a type may become those of another.
///
/// ```
/// use talatat::array::{Casting, DType, can_cast};
/// assert!(can_cast(DType::I32, DType::F64, Casting::Safe) && !can_cast(DType::I64, DType::F32, Casting::Safe));
/// assert!(can_cast(DType::F64, DType::F32, Casting::SameKind) && !can_cast(DType::F64, DType::I64, Casting::SameKind));
/// # Ok::<(), talatat::Error>(())
/// ```
pub fn can_cast(from: DType, to: DType, casting: Casting) -> bool {
    match casting {
        Casting::No => from == to,
        Casting::Safe => from.promote(to) == to,
        Casting::SameKind => from.kind() <= to.kind(),
        Casting::Unsafe => true,
    }
}

impl<T: Element> Array<T> {
    /// NumPy's `bitwise_count`: how many bits of the magnitude of an integer are ones. Fused with what comes before and next.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![0_i8, 7, -8, -128], 2)?;
    /// assert_eq!(x.bitwise_count()?.compute()?, ndarray::array![0_u8, 3, 1, 1].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the elements are no integers.
    #[track_caller]
    pub fn bitwise_count(&self) -> Result<Array<u8>> {
        if !matches!(T::DTYPE.kind(), Kind::Bool | Kind::Signed | Kind::Unsigned) {
            let reason = format!("not defined on {}: integers have bits to count", T::DTYPE);
            return Err(Error::invalid_at("bitwise_count", reason, Location::caller()));
        }
        // The magnitude of the smallest number wraps, and its sign is not to be copied into the longer type.
        let own = u64::MAX >> (64 - 8 * T::DTYPE.size());
        let x = self.abs().astype::<u64>().bitwise_and(own);
        // Counts of two bits, of four, of eight, and their sum (Warren, Hacker's Delight, 5-1).
        let x = &x - x.right_shift(1_u64).bitwise_and(0x5555_5555_5555_5555_u64);
        let x = x.bitwise_and(0x3333_3333_3333_3333_u64) + x.right_shift(2_u64).bitwise_and(0x3333_3333_3333_3333_u64);
        let x = (&x + x.right_shift(4_u64)).bitwise_and(0x0f0f_0f0f_0f0f_0f0f_u64);
        let count = (x * 0x0101_0101_0101_0101_u64).right_shift(56_u64).astype::<u8>();
        count.check()?;
        Ok(count)
    }

    /// Dask's `isnull`: whether an element is missing: [`isnan`](Array::isnan).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert!(talatat::array::full([2], f64::NAN).isnull().compute()?[[0]]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn isnull(&self) -> Array<bool> {
        self.isnan()
    }

    /// Dask's `notnull`: whether an element is there: not [`isnan`](Array::isnan).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert!(talatat::array::full([2], 1.5).notnull().compute()?[[0]]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn notnull(&self) -> Array<bool> {
        !self.isnan()
    }
}
