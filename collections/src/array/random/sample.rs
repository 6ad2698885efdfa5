//! Choices and permutations.

use std::panic::Location;

use ndarray::ArcArray1;

use super::generator::Generator;
use super::random;
use crate::array::build::axis_number;
use crate::array::create::constants::from_ndarray;
use crate::array::dtype::Element;
use crate::array::handle::Array;
use crate::array::index::Index;
use crate::array::kernels::program::{Distribution, shuffled};
use crate::array::range::StepRange;
use crate::array::shape::arrange::length_of;
use crate::array::shape::arrange::part;
use crate::error::{Error, Result};

type At = &'static Location<'static>;

/// A permutation of up to this many numbers is drawn when it is asked for and kept in memory (8 MB at most), all equally likely.
const KEPT: usize = 1 << 20;

/// What is chosen from: the numbers from 0 up to one, or the elements of an array along its first axis.
///
/// ```
/// use talatat::array::{Population, arange};
/// let numbers: Population<i64> = 10.into();
/// assert!(matches!(numbers, Population::Below(10)));
/// let elements: Population<f64> = arange::<f64>(0.0, 1.0, 0.25)?.into();
/// assert!(matches!(elements, Population::Elements(_)));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Population<T> {
    /// The numbers from 0 up to this one, which is left out.
    Below(usize),
    /// The elements of an array, or what it has at each index of the first axis.
    Elements(Array<T>),
}

impl From<usize> for Population<i64> {
    fn from(length: usize) -> Self {
        Population::Below(length)
    }
}

impl<T> From<Array<T>> for Population<T> {
    fn from(array: Array<T>) -> Self {
        Population::Elements(array)
    }
}

impl<T> From<&Array<T>> for Population<T> {
    fn from(array: &Array<T>) -> Self {
        Population::Elements(array.clone())
    }
}

impl Generator {
    /// The numbers from 0 up to `length` in random order. Up to a million of them are shuffled in memory, every order equally
    /// likely; of more each is computed from its index when it is needed, by a keyed bijection, and none is kept.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let mut order = talatat::array::default_rng(1).permutation(100)?.compute()?.into_raw_vec_and_offset().0;
    /// assert!(!order.is_sorted());
    /// order.sort();
    /// assert!(order.into_iter().eq(0..100));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the length is more than indices can count.
    #[track_caller]
    pub fn permutation(&mut self, length: usize) -> Result<Array<i64>> {
        let (at, seed) = (Location::caller(), self.draw());
        if length > KEPT {
            return random("permutation", Distribution::Permutation { length: length as u64 }, &[length], seed, at);
        }
        let order = shuffled(length, seed).into_iter().map(|index| index as i64).collect();
        from_ndarray(ArcArray1::from_vec(order), "auto")
    }

    /// The array with the indices of an axis in random order, as a new array.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 12, 1)?.reshape([4, 3])?;
    /// let y = talatat::array::default_rng(1).shuffle(&x, 0)?;
    /// assert_eq!(y.sum(0)?.compute()?, x.sum(0)?.compute()?);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or its length is known only when computed.
    #[track_caller]
    pub fn shuffle<T: Element>(&mut self, array: &Array<T>, axis: isize) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = array.expr()?;
        let number = axis_number("shuffle", axis, expr.ndim(), at)?;
        let length = length_of("shuffle", expr, number, at)?;
        if length > KEPT {
            return array.take(self.permutation(length)?, axis);
        }
        let order: Vec<isize> = shuffled(length, self.draw()).into_iter().map(|index| index as isize).collect();
        array.take(order, axis)
    }

    /// Elements of a population, all equally likely, in the given shape: any number of times, or each at most once if `replace` is
    /// false.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let mut rng = talatat::array::default_rng(5);
    /// let x = rng.choice(10, [4, 5], true)?;
    /// assert!(x.compute()?.iter().all(|x| (0..10).contains(x)));
    /// let mut all = rng.choice(10, [10], false)?.compute()?.into_raw_vec_and_offset().0;
    /// all.sort();
    /// assert!(all.into_iter().eq(0..10));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the population is empty or has fewer elements than are wanted at most once each, or its length is known only when computed.
    #[track_caller]
    pub fn choice<T: Element>(
        &mut self,
        population: impl Into<Population<T>>,
        shape: impl AsRef<[usize]>,
        replace: bool,
    ) -> Result<Array<T>> {
        let (at, population, shape) = (Location::caller(), population.into(), shape.as_ref());
        let length = size("choice", &population, at)?;
        let count = shape.iter().fold(1_usize, |count, &length| count.saturating_mul(length));
        if count > 0 && (length == 0 || (!replace && count > length)) {
            let reason = format!("{count} of {length} elements: give more, or take them several times");
            return Err(Error::invalid_at("choice", reason, at));
        }
        let chosen = if replace || count == 0 {
            random("choice", Distribution::Integers { low: 0, high: length.max(1) as i64 }, shape, self.draw(), at)?
        } else {
            let order = self.permutation(length)?;
            let first = part(order.expr()?, 0, StepRange { start: 0, step: 1, length: count }, at);
            let shape: Vec<isize> = shape.iter().map(|&length| length as isize).collect();
            Array::from_expr(first).reshape(shape)?
        };
        of_population(population, chosen)
    }

    /// As [`Generator::choice`] with replacement, with a probability for each element; they are divided by their sum.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let mut rng = talatat::array::default_rng(5);
    /// let x = rng.choice_weighted(3, &[0.2, 0.0, 0.8], [1000])?.compute()?;
    /// assert!(x.iter().all(|&x| x != 1));
    /// assert!(x.iter().filter(|&&x| x == 2).count() > 700);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not one weight for each element, one is negative or not finite, or all are 0.
    #[track_caller]
    pub fn choice_weighted<T: Element>(
        &mut self,
        population: impl Into<Population<T>>,
        weights: &[f64],
        shape: impl AsRef<[usize]>,
    ) -> Result<Array<T>> {
        let (at, population) = (Location::caller(), population.into());
        let length = size("choice_weighted", &population, at)?;
        let wrong = |reason: String| Err(Error::invalid_at("choice_weighted", reason, at));
        if weights.len() != length {
            return wrong(format!("{} weights for {length} elements: give one each", weights.len()));
        }
        let mut total = 0.0;
        let ends: Vec<f64> = weights
            .iter()
            .map(|weight| {
                total += weight;
                total
            })
            .collect();
        if weights.iter().any(|weight| !(0.0..f64::INFINITY).contains(weight)) || !(total > 0.0 && total.is_finite()) {
            return wrong("weights must be finite and not negative, and their sum positive".into());
        }
        // The last element with a weight ends at the sum itself, which no number reaches.
        let last = weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(0);
        let ends: Vec<f64> = ends[..last].iter().map(|end| end / total).collect();
        let unit = Distribution::Uniform { low: 0.0, high: 1.0 };
        let unit: Array<f64> = random("choice_weighted", unit, shape.as_ref(), self.draw(), at)?;
        of_population(population, unit.digitize(ends, false))
    }
}

/// How many elements there are.
fn size<T: Element>(operation: &str, population: &Population<T>, at: At) -> Result<usize> {
    match population {
        Population::Below(length) => Ok(*length),
        Population::Elements(array) => {
            let expr = array.expr()?;
            axis_number(operation, 0, expr.ndim(), at)?;
            length_of(operation, expr, 0, at)
        }
    }
}

/// What the population has at some indices.
#[track_caller]
fn of_population<T: Element>(population: Population<T>, chosen: Array<i64>) -> Result<Array<T>> {
    match population {
        Population::Below(_) => Ok(chosen.astype()),
        Population::Elements(array) => array.take(Index::Array(chosen), 0),
    }
}
