//! Arrays with missing elements, of any element type.
//!
//! Missing values are a mask beside the data: two lazy arrays of one shape, which fuse into one pass where they are read together. Of floats NaN
//! may stand for a missing value (the `nan` forms of reductions, [`Array::nan_to_num`]); integers and `bool` have no such value, and NaN
//! can also be a result, so the mask is the general way. There is no bit of validity in the blocks themselves: every kernel would pay for
//! it, and arrays without missing elements are the rule.

use std::panic::Location;

use crate::array::dtype::{Element, Promote};
use crate::array::elementwise::operators::{Operand, where_};
use crate::array::grid::shape_text;
use crate::array::handle::Array;
use crate::array::kernels::reduce::Reducible;
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};

/// An array and a mask of the same shape, which is true where the element is missing. Made by [`masked_where`] and its like.
#[derive(Clone, Debug)]
pub struct Masked<T> {
    data: Array<T>,
    mask: Array<bool>,
}

/// The array without the elements at which a condition is true.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, masked_where};
/// let x = arange::<i64>(0, 5, 1)?;
/// let odd = masked_where(&(&x % 2).equal(0), &x)?;
/// assert_eq!(odd.filled(-1)?.compute()?, ndarray::array![-1, 1, -1, 3, -1].into_dyn());
/// assert_eq!((odd.count(..)?.item()?, odd.sum(..)?.data().item()?).compute()?, (2, 4));
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the shapes differ.
#[track_caller]
pub fn masked_where<T: Element>(condition: &Array<bool>, data: &Array<T>) -> Result<Masked<T>> {
    let (own, other) = (&data.expr()?.grid, &condition.expr()?.grid);
    let same = own.ndim() == other.ndim() && own.axes().iter().zip(other.axes()).all(|(a, b)| a.as_long_as(b));
    if !same {
        let reason = format!("a condition of shape {} for an array of shape {}", shape_text(other), shape_text(own));
        return Err(Error::invalid_at("masked_where", reason, Location::caller()));
    }
    Ok(Masked { data: data.clone(), mask: condition.clone() })
}

macro_rules! conditions {
    ($($name:ident($($value:ident),*) = $condition:expr, $what:literal, $call:literal => $filled:literal;)*) => {$(
        #[doc = concat!("The array without the elements that are ", $what, ".")]
        ///
        /// ```
        /// use talatat::prelude::*;
        #[doc = concat!("use talatat::array::{arange, ", stringify!($name), "};")]
        #[doc = concat!("let x = ", $call, "?;")]
        #[doc = concat!("assert_eq!(x.filled(9.0)?.compute()?, ndarray::array!", $filled, ".into_dyn());")]
        /// # Ok::<(), talatat::Error>(())
        /// ```
        ///
        /// # Errors
        /// If the array carries an error.
        #[track_caller]
        pub fn $name<T: Promote<T, Output = T>>(data: &Array<T>, $($value: T),*) -> Result<Masked<T>> {
            masked_where(&$condition(data, $($value),*), data)
        }
    )*};
}

conditions! {
    masked_invalid() = |x: &Array<T>| !x.isfinite(), "NaN or infinite", "masked_invalid(&(arange::<f64>(-1.0, 2.0, 1.0)? / 0.0))" => "[9.0, 9.0, 9.0]";
    masked_equal(value) = |x: &Array<T>, value| x.equal(value), "equal to a value", "masked_equal(&arange::<f64>(0.0, 3.0, 1.0)?, 1.0)" => "[0.0, 9.0, 2.0]";
    masked_not_equal(value) = |x: &Array<T>, value| x.not_equal(value), "not equal to a value", "masked_not_equal(&arange::<f64>(0.0, 3.0, 1.0)?, 1.0)" => "[9.0, 1.0, 9.0]";
    masked_greater(value) = |x: &Array<T>, value| x.greater(value), "greater than a value", "masked_greater(&arange::<f64>(0.0, 3.0, 1.0)?, 1.0)" => "[0.0, 1.0, 9.0]";
    masked_less(value) = |x: &Array<T>, value| x.less(value), "less than a value", "masked_less(&arange::<f64>(0.0, 3.0, 1.0)?, 1.0)" => "[9.0, 1.0, 2.0]";
    masked_inside(low, high) = |x: &Array<T>, low, high| x.greater_equal(low) & x.less_equal(high), "between two values, or one of them", "masked_inside(&arange::<f64>(0.0, 3.0, 1.0)?, 1.0, 2.0)" => "[0.0, 9.0, 9.0]";
    masked_outside(low, high) = |x: &Array<T>, low, high| x.less(low) | x.greater(high), "below the first or above the second of two values", "masked_outside(&arange::<f64>(0.0, 3.0, 1.0)?, 1.0, 2.0)" => "[9.0, 1.0, 2.0]";
}

impl<T: Promote<T, Output = T>> Masked<T> {
    /// The elements; where they are missing, whatever was there.
    ///
    /// ```
    /// use talatat::array::{arange, masked_equal};
    /// assert_eq!(masked_equal(&arange::<f64>(0.0, 3.0, 1.0)?, 1.0)?.data().shape()?, [3]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn data(&self) -> &Array<T> {
        &self.data
    }

    /// Where elements are missing.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, masked_equal};
    /// let x = masked_equal(&arange::<f64>(0.0, 3.0, 1.0)?, 1.0)?;
    /// assert_eq!(x.mask().compute()?, ndarray::array![false, true, false].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn mask(&self) -> &Array<bool> {
        &self.mask
    }

    /// The array with a value where elements are missing.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, masked_equal};
    /// let x = masked_equal(&arange::<f64>(0.0, 3.0, 1.0)?, 1.0)?;
    /// assert_eq!(x.filled(7.0)?.compute()?, ndarray::array![0.0, 7.0, 2.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array carries an error.
    #[track_caller]
    pub fn filled(&self, value: impl Into<Operand<T>>) -> Result<Array<T>> {
        let filled = where_(&self.mask, value, &self.data);
        filled.check()?;
        Ok(filled)
    }

    /// The elements that are there, in row-major order; how many there are is known when it is computed.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, masked_equal};
    /// let x = masked_equal(&arange::<f64>(0.0, 3.0, 1.0)?, 1.0)?;
    /// assert_eq!(x.compressed()?.compute()?, ndarray::array![0.0, 2.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::extract`].
    #[track_caller]
    pub fn compressed(&self) -> Result<Array<T>> {
        self.data.extract(&!&self.mask)
    }

    /// How many elements are there along axes.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, masked_equal};
    /// let x = masked_equal(&arange::<f64>(0.0, 3.0, 1.0)?, 1.0)?;
    /// assert_eq!(x.count(..)?.item()?.compute()?, 2);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn count(&self, axes: impl Into<Axes>) -> Result<Array<i64>> {
        (!&self.mask).sum(axes)
    }

    /// A function of the elements, which keeps the shape; what was missing stays missing.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, masked_equal};
    /// let x = masked_equal(&arange::<f64>(0.0, 3.0, 1.0)?, 1.0)?;
    /// assert_eq!(x.map(|x| x * 10.0)?.filled(-1.0)?.compute()?, ndarray::array![0.0, -1.0, 20.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the function changes the shape.
    #[track_caller]
    pub fn map<U: Element>(&self, function: impl FnOnce(&Array<T>) -> Array<U>) -> Result<Masked<U>> {
        masked_where(&self.mask, &function(&self.data))
    }

    /// A function of the elements of two arrays, with NumPy's broadcasting; what is missing in one is missing in the result.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, masked_equal};
    /// let (x, y) = (arange::<f64>(0.0, 3.0, 1.0)?, arange::<f64>(1.0, 4.0, 1.0)?);
    /// let sum = masked_equal(&x, 1.0)?.zip(&masked_equal(&y, 3.0)?, |x, y| x + y)?;
    /// assert_eq!(sum.filled(-1.0)?.compute()?, ndarray::array![1.0, -1.0, -1.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not match, or the function gives another.
    #[track_caller]
    pub fn zip<U: Element, V: Element>(
        &self,
        other: &Masked<U>,
        function: impl FnOnce(&Array<T>, &Array<U>) -> Array<V>,
    ) -> Result<Masked<V>> {
        masked_where(&(&self.mask | &other.mask), &function(&self.data, &other.data))
    }

    /// Where nothing is there along axes.
    fn empty(&self, axes: Axes) -> Result<Array<bool>> {
        self.mask.all(axes)
    }

    /// What a reduction gives of the elements that are there, with a value that does not matter to it in the place of the others.
    #[track_caller]
    fn reduced<U: Element>(
        &self,
        neutral: T,
        axes: Axes,
        reduce: impl FnOnce(&Array<T>, Axes) -> Result<Array<U>>,
    ) -> Result<Masked<U>> {
        masked_where(&self.empty(axes.clone())?, &reduce(&self.filled(neutral)?, axes)?)
    }
}

macro_rules! reductions {
    ($($name:ident -> $output:ty, $neutral:expr, $doc:literal, $check:literal;)*) => {
        /// Reductions of the elements that are there; a result is missing where none are.
        impl<T: Promote<T, Output = T> + Reducible> Masked<T> {$(
            #[doc = $doc]
            ///
            /// ```
            /// use talatat::prelude::*;
            /// use talatat::array::{arange, masked_equal};
            /// let x = masked_equal(&arange::<f64>(1.0, 4.0, 1.0)?, 2.0)?;
            #[doc = concat!("assert_eq!(x.", stringify!($name), "(..)?.data().item()?.compute()?, ", $check, ");")]
            /// # Ok::<(), talatat::Error>(())
            /// ```
            ///
            /// # Errors
            /// If an axis is out of range or named twice.
            #[track_caller]
            pub fn $name(&self, axes: impl Into<Axes>) -> Result<Masked<$output>> {
                self.reduced($neutral, axes.into(), |x, axes| x.$name(axes))
            }
        )*}
    };
}

reductions! {
    sum -> T::Sum, T::default(), "The sum.", "4.0";
    prod -> T::Sum, T::ONE, "The product.", "3.0";
    min -> T, T::MOST, "The smallest element.", "1.0";
    max -> T, T::LEAST, "The largest element.", "3.0";
    any -> bool, T::default(), "Whether any element is not zero.", "true";
    all -> bool, T::ONE, "Whether all elements are not zero.", "true";
}

impl<T: Promote<T, Output = T>> Masked<T> {
    /// The mean of the elements that are there; missing where none are.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, masked_equal};
    /// let x = masked_equal(&arange::<i64>(1, 4, 1)?, 2)?;
    /// assert_eq!(x.mean(..)?.data().item()?.compute()?, 2.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn mean(&self, axes: impl Into<Axes>) -> Result<Masked<f64>> {
        let axes = axes.into();
        let sum = self.filled(T::default())?.astype::<f64>().sum(axes.clone())?;
        masked_where(&self.empty(axes.clone())?, &(sum / self.count(axes)?.astype::<f64>()))
    }

    /// The variance of the elements that are there, divided by their number less `ddof`; missing where not enough are.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, masked_equal};
    /// let x = masked_equal(&arange::<i64>(1, 4, 1)?, 2)?;
    /// assert_eq!(x.var(.., 0)?.data().item()?.compute()?, 1.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn var(&self, axes: impl Into<Axes>, ddof: u32) -> Result<Masked<f64>> {
        let axes = axes.into();
        let data = self.data.astype::<f64>();
        let mean = self.mean(axes.clone().keepdims())?;
        let distance = where_(&self.mask, 0.0, data - mean.data());
        let count = self.count(axes.clone())?.astype::<f64>() - f64::from(ddof);
        masked_where(&count.less_equal(0.0), &((&distance * &distance).sum(axes)? / &count))
    }

    /// The standard deviation of the elements that are there; see [`Masked::var`].
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, masked_equal};
    /// let x = masked_equal(&arange::<i64>(1, 6, 2)?, 3)?;
    /// assert_eq!(x.std(.., 0)?.data().item()?.compute()?, 2.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[track_caller]
    pub fn std(&self, axes: impl Into<Axes>, ddof: u32) -> Result<Masked<f64>> {
        self.var(axes, ddof)?.map(|variance| variance.sqrt())
    }
}
