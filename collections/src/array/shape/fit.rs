//! Arrays made longer or shorter: repeated to a shape, without their zeros, with elements around their differences; common shapes.

use crate::array::dtype::{Element, Promote};
use crate::array::functions::index_notation::aligned;
use crate::array::handle::{Array, Item};
use crate::array::shape::reshape::concatenate;
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};

/// From which side [`Array::trim_zeros`] takes zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trim {
    /// Both. NumPy's default.
    #[default]
    Both,
    /// The front.
    Front,
    /// The back.
    Back,
}

impl<T: Element> Array<T> {
    /// NumPy's `resize`: the elements in row-major order, again and again, in another shape; zeros, if there are none.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 3, 1)?.resize([2, 4])?;
    /// assert_eq!(x.compute()?, ndarray::array![[0, 1, 2, 0], [1, 2, 0, 1]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a length is known only when computed, or the shape has more elements than can be counted.
    #[track_caller]
    pub fn resize(&self, shape: impl AsRef<[usize]>) -> Result<Array<T>> {
        let shape = shape.as_ref();
        let own: usize = self.shape()?.iter().product();
        let wanted = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
        let Some(wanted) = wanted.filter(|&wanted| isize::try_from(wanted).is_ok()) else {
            return Err(Error::invalid("resize", format!("the shape {shape:?} has more elements than can be counted")));
        };
        if own == 0 || wanted == 0 {
            return Ok(crate::array::create::constants::zeros(shape));
        }
        let times = wanted.div_ceil(own);
        let flat = self.ravel()?;
        let flat = if times > 1 { flat.tile([times])? } else { flat };
        let shape: Vec<isize> = shape.iter().map(|&length| length as isize).collect();
        flat.slice(ndarray::s![..wanted as isize])?.reshape(shape)
    }

    /// NumPy's `trim_zeros` along an axis: without the indices before the first and behind the last one where an element is not 0. How many are left is
    /// known when it is computed. For several axes call it for each.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Trim, from_ndarray};
    /// let x = from_ndarray(ndarray::array![0, 0, 1, 0, 2, 0], 2)?;
    /// assert_eq!(x.trim_zeros(Trim::Both, 0)?.compute()?, ndarray::array![1, 0, 2].into_dyn());
    /// assert_eq!(x.trim_zeros(Trim::Back, 0)?.compute()?, ndarray::array![0, 0, 1, 0, 2].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, or a length is known only when computed.
    #[track_caller]
    pub fn trim_zeros(&self, trim: Trim, axis: isize) -> Result<Array<T>> {
        let at = std::panic::Location::caller();
        let number = crate::array::build::axis_number("trim_zeros", axis, self.expr()?.ndim(), at)?;
        let others: Vec<isize> = (0..self.ndim()).filter(|&other| other != number).map(|axis| axis as isize).collect();
        let some = self.astype::<bool>();
        let some = if others.is_empty() { some } else { some.any(Axes::from(others))? };
        let seen = |some: &Array<bool>| -> Result<Array<bool>> { Ok(some.cumsum(0)?.greater(0_i64)) };
        let back = || seen(&some.flip(0)?)?.flip(0);
        let kept = match trim {
            Trim::Front => seen(&some)?,
            Trim::Back => back()?,
            Trim::Both => seen(&some)?.logical_and(back()?),
        };
        self.compress(&kept, number)
    }

    /// NumPy's `ediff1d`: the differences of neighbours of the flat array, with elements before and behind them.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::from_ndarray;
    /// let x = from_ndarray(ndarray::array![1, 4, 2], 2)?;
    /// let found = x.ediff1d(None, Some(&from_ndarray(ndarray::array![99], 1)?))?;
    /// assert_eq!(found.compute()?, ndarray::array![3, -2, 99].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a length is known only when computed.
    #[track_caller]
    pub fn ediff1d(&self, to_begin: Option<&Array<T>>, to_end: Option<&Array<T>>) -> Result<Array<T>> {
        let between = self.ravel()?.diff(1, 0)?;
        let flat = |part: Option<&Array<T>>| part.map(Array::ravel).transpose();
        let parts: Vec<Array<T>> = [flat(to_begin)?, Some(between), flat(to_end)?].into_iter().flatten().collect();
        match parts.as_slice() {
            [only] => Ok(only.clone()),
            several => concatenate(several, 0),
        }
    }

    /// NumPy's `array_equiv`: whether one of the arrays can be repeated to the shape of both and all elements are equal.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::ones;
    /// assert!(ones::<i64>([3]).array_equiv(&ones::<i64>([2, 3]))?.compute()?);
    /// assert!(!ones::<i64>([3]).array_equiv(&ones::<i64>([4]))?.compute()?);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an array carries an error, or a length is known only when computed.
    #[track_caller]
    pub fn array_equiv<U: Element>(&self, other: &Array<U>) -> Result<Item<bool>>
    where
        T: Promote<U>,
    {
        if broadcast_shapes(&[&self.shape()?, &other.shape()?]).is_err() {
            return crate::array::create::constants::full([0_usize; 0], false).item();
        }
        self.equal(other).all(..)?.item()
    }

    /// NumPy's `apply_over_axes`: a function of an array and an axis, applied for one axis after the other; an axis that it takes away comes back with
    /// length 1.
    ///
    /// ```
    /// use talatat::array::{Array, ones};
    /// let sums = ones::<i64>([2, 3, 4]).apply_over_axes(&[0, 2], |x: &Array<i64>, axis| x.sum(axis))?;
    /// assert_eq!(sums.shape()?, [1, 3, 1]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the function, and if its result has an axis more, or more than one less.
    #[track_caller]
    pub fn apply_over_axes(
        &self,
        axes: &[isize],
        mut function: impl FnMut(&Array<T>, isize) -> Result<Array<T>>,
    ) -> Result<Array<T>> {
        let at = std::panic::Location::caller();
        let mut found = self.clone();
        let ndim = self.expr()?.ndim();
        for &axis in axes {
            let axis = crate::array::build::axis_number("apply_over_axes", axis, ndim, at)? as isize;
            let next = function(&found, axis)?;
            found = match next.expr()?.ndim() {
                own if own == ndim => next,
                own if own + 1 == ndim => next.expand_dims(axis)?,
                own => {
                    let reason =
                        format!("the function made {own} axes of {ndim}: it may take away the one it is given");
                    return Err(Error::invalid_at("apply_over_axes", reason, at));
                }
            };
        }
        Ok(found)
    }
}

/// NumPy's `broadcast_shapes`: the shape that arrays of some shapes are repeated to.
///
/// ```
/// use talatat::array::broadcast_shapes;
/// assert_eq!(broadcast_shapes(&[&[3, 1], &[4], &[]])?, [3, 4]);
/// assert!(broadcast_shapes(&[&[3], &[4]]).is_err());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If they do not match.
#[track_caller]
pub fn broadcast_shapes(shapes: &[&[usize]]) -> Result<Vec<usize>> {
    let ndim = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let mut common = vec![1_usize; ndim];
    for shape in shapes {
        for (own, &length) in common[ndim - shape.len()..].iter_mut().zip(*shape) {
            match (*own, length) {
                (_, 1) => {}
                (1, length) => *own = length,
                (own, length) if own == length => {}
                _ => {
                    let reason = format!("shapes {shapes:?} do not match: axes must be equal, or 1 to be repeated");
                    return Err(Error::invalid("broadcast_shapes", reason));
                }
            }
        }
    }
    Ok(common)
}

/// Dask's `unify_chunks`: arrays whose axes have names (a letter each), cut alike along axes of one name, as the largest of them is.
///
/// ```
/// use talatat::array::{ones, unify_chunks};
/// let (x, y) = (ones::<f64>([10, 4]).rechunk([5, 4])?, ones::<f64>([10]).rechunk(2)?);
/// let both = unify_chunks(&[(&x, "ij"), (&y, "i")])?;
/// assert_eq!(both[1].chunks(), [Some(vec![5, 5])]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If an array has not as many names as axes or one of them twice, or axes of one name have different lengths (1 is let be).
#[track_caller]
pub fn unify_chunks<T: Element>(arrays: &[(&Array<T>, &str)]) -> Result<Vec<Array<T>>> {
    let at = std::panic::Location::caller();
    let exprs = arrays.iter().map(|(array, _)| array.expr().cloned()).collect::<Result<Vec<_>>>()?;
    let names: Vec<Vec<char>> = arrays.iter().map(|(_, names)| names.chars().collect()).collect();
    let names: Vec<&[char]> = names.iter().map(Vec::as_slice).collect();
    let (cut, _) = aligned("unify_chunks", &exprs, &names, at)?;
    Ok(cut.into_iter().map(Array::from_expr).collect())
}
