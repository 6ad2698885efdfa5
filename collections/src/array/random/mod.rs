//! Random numbers that depend on the seed and the index alone: not on the chunks, the threads or the executor.
//!
//! Here are the distributions that everything else is made of, with a seed each; [`Generator`] has NumPy's distributions and draws a new
//! seed with each call; `sample` has choices and permutations.

mod generator;
mod sample;

use std::panic::Location;

use crate::array::create::constants::create;
use crate::array::dtype::Element;
use crate::array::handle::Array;
use crate::array::kernels::program::Distribution;
use crate::error::{Error, Result};

pub use generator::{Generator, default_rng};
pub use sample::Population;

type At = &'static Location<'static>;

/// Numbers from `low` (included) to `high` (excluded), all equally likely. The number at an index depends on the seed and the
/// index alone: not on the chunks, the threads or the executor.
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::uniform(0.0, 1.0, [1000], 42)?;
/// assert_eq!(x.compute()?, x.rechunk(7)?.compute()?);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the bounds are not finite or in the wrong order.
#[track_caller]
pub fn uniform(low: f64, high: f64, shape: impl AsRef<[usize]>, seed: u64) -> Result<Array<f64>> {
    random("uniform", Distribution::Uniform { low, high }, shape.as_ref(), seed, Location::caller())
}

/// Numbers of the normal distribution. See [`uniform`] for what they depend on.
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::normal(5.0, 2.0, [100, 100], 1)?;
/// let mean = x.mean(..)?.item()?.compute()?;
/// assert!((mean - 5.0).abs() < 0.1);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the deviation is negative or a parameter is not finite.
#[track_caller]
pub fn normal(mean: f64, deviation: f64, shape: impl AsRef<[usize]>, seed: u64) -> Result<Array<f64>> {
    random("normal", Distribution::Normal { mean, deviation }, shape.as_ref(), seed, Location::caller())
}

/// Integers from `low` (included) to `high` (excluded), all equally likely. See [`uniform`] for what they depend on.
///
/// ```
/// use talatat::prelude::*;
/// let dice = talatat::array::integers(1, 7, [60], 3)?.compute()?;
/// assert!(dice.iter().all(|&eyes| (1..7).contains(&eyes)));
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If `high` is not above `low`.
#[track_caller]
pub fn integers(low: i64, high: i64, shape: impl AsRef<[usize]>, seed: u64) -> Result<Array<i64>> {
    random("integers", Distribution::Integers { low, high }, shape.as_ref(), seed, Location::caller())
}

/// An array of a distribution: element `i`, in row-major order, is number `i` of the seed.
fn random<T: Element>(
    operation: &str,
    distribution: Distribution,
    shape: &[usize],
    seed: u64,
    at: At,
) -> Result<Array<T>> {
    distribution.check().map_err(|error| Error::invalid_at(operation, error.to_string(), at))?;
    create(operation, shape, at, |builder| {
        let mut strides = vec![0_i64; shape.len()];
        let mut stride = 1_i64;
        for (axis, &length) in shape.iter().enumerate().rev() {
            strides[axis] = stride;
            stride = stride.wrapping_mul(length as i64);
        }
        let index = builder.index(0, &strides)?;
        builder.random(distribution, seed, index)
    })
}
