//! Fourier transforms of lines in slices, by [rustfft](https://docs.rs/rustfft) and [realfft](https://docs.rs/realfft), one thread each:
//! the scheduler makes them parallel.
//!
//! A crate of its own, which knows nothing of arrays, blocks and tasks: its dependencies take long to compile. A [`Line`] is a transform that
//! is ready to be applied to any number of lines, one at a time, so that what comes of a line does not depend on its neighbours.
//! It reads as many elements as it needs: a longer line is cut, a shorter one goes on with zeros. Lengths with large prime factors are as
//! good as others, `n log n` operations (Bluestein, 1970; Rader, 1968).
//!
//! - [`Complexes`]: complex numbers to complex numbers.
//! - [`Reals`]: real numbers to complex ones: all of them, or the first half, of which the rest is the mirror image.
//! - [`Halves`]: such a half back to real numbers.

mod plans;

use std::sync::Arc;

use num_complex::Complex;
use realfft::{ComplexToReal, RealToComplex};
use rustfft::Fft;

pub use plans::Real;

/// What can go wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FftError {
    /// A transform of no elements.
    #[error("a transform of length 0: there must be at least one element")]
    Empty,
    /// A result that is not as long as the transform makes it.
    #[error("{found} elements for a result of {expected}")]
    Length {
        /// How many elements the transform makes.
        expected: usize,
        /// How many there is room for.
        found: usize,
    },
}

/// The result of a transform.
pub type Result<T> = std::result::Result<T, FftError>;

/// A transform that is ready for any number of lines.
pub trait Line {
    /// What it reads.
    type From: Copy + Default;
    /// What it makes.
    type To: Copy + Default;

    /// How many elements it reads at most.
    fn reads(&self) -> usize;

    /// How many elements it makes.
    fn makes(&self) -> usize;

    /// Transforms one line.
    ///
    /// # Errors
    /// [`FftError::Length`] if `to` is not [`makes`](Line::makes) long.
    fn run(&mut self, from: &[Self::From], to: &mut [Self::To]) -> Result<()>;
}

/// About how many bytes a transform of a length takes beside its lines, where a complex number has `size` bytes: its factors and its working
/// memory. Prime factors beyond the ones that have loops of their own are transformed in about three times their length.
///
/// ```
/// assert!(talatat_fft::working_bytes(1 << 20, 16) < 100 << 20);
/// ```
pub fn working_bytes(length: usize, size: usize) -> u64 {
    let (mut rest, mut factor, mut largest) = (length, 2, 1);
    while factor <= rest / factor {
        if rest % factor == 0 {
            (rest, largest) = (rest / factor, factor);
        } else {
            factor += 1;
        }
    }
    let prime = largest.max(rest);
    let hard = if prime > 31 { prime as u64 } else { 0 };
    (length as u64).saturating_mul(4).saturating_add(hard.saturating_mul(12)).saturating_mul(size as u64)
}

/// The elements of a line, then zeros.
fn fill<T: Copy + Default>(from: &[T], to: &mut [T]) {
    let count = from.len().min(to.len());
    let (own, rest) = to.split_at_mut(count);
    own.copy_from_slice(&from[..count]);
    rest.fill(T::default());
}

fn check(expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(FftError::Length { expected, found }) }
}

/// Complex numbers to as many complex numbers.
///
/// ```
/// use num_complex::Complex;
/// use talatat_fft::{Complexes, Line};
/// let mut transform = Complexes::new(4, false, 1.0)?;
/// let mut made = [Complex::default(); 4];
/// transform.run(&[Complex::new(1.0, 0.0), Complex::new(0.0, 2.0)], &mut made)?;
/// assert_eq!(made, [Complex::new(1.0, 2.0), Complex::new(3.0, 0.0), Complex::new(1.0, -2.0), Complex::new(-1.0, 0.0)]);
/// # Ok::<(), talatat_fft::FftError>(())
/// ```
pub struct Complexes<T: Real> {
    plan: Arc<dyn Fft<T>>,
    scratch: Vec<Complex<T>>,
    scale: T,
}

impl<T: Real> Complexes<T> {
    /// The transform of a length, with the sign of the exponent turned around if it is `inverse`, times `scale`.
    ///
    /// # Errors
    /// [`FftError::Empty`].
    pub fn new(length: usize, inverse: bool, scale: f64) -> Result<Complexes<T>> {
        let plan = plans::complex::<T>(length, inverse)?;
        let scratch = vec![Complex::default(); plan.get_inplace_scratch_len()];
        Ok(Complexes { plan, scratch, scale: T::rounded(scale) })
    }
}

impl<T: Real> Line for Complexes<T> {
    type From = Complex<T>;
    type To = Complex<T>;

    fn reads(&self) -> usize {
        self.plan.len()
    }

    fn makes(&self) -> usize {
        self.plan.len()
    }

    fn run(&mut self, from: &[Complex<T>], to: &mut [Complex<T>]) -> Result<()> {
        check(self.plan.len(), to.len())?;
        fill(from, to);
        self.plan.process_with_scratch(to, &mut self.scratch);
        scaled(to, self.scale);
        Ok(())
    }
}

fn scaled<T: Real>(line: &mut [Complex<T>], scale: T) {
    if scale != T::one() {
        line.iter_mut().for_each(|value| *value = value.scale(scale));
    }
}

/// Real numbers to complex ones.
///
/// ```
/// use num_complex::Complex;
/// use talatat_fft::{Line, Reals, Shape};
/// let mut transform = Reals::new(4, Shape::Half, 1.0)?;
/// let mut made = [Complex::default(); 3];
/// transform.run(&[1.0, 2.0, 3.0, 4.0], &mut made)?;
/// assert_eq!(made, [Complex::new(10.0, 0.0), Complex::new(-2.0, 2.0), Complex::new(-2.0, 0.0)]);
/// # Ok::<(), talatat_fft::FftError>(())
/// ```
pub struct Reals<T: Real> {
    plan: Arc<dyn RealToComplex<T>>,
    line: Vec<T>,
    scratch: Vec<Complex<T>>,
    shape: Shape,
    scale: T,
}

/// Which part of the transform of real numbers is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The first `n / 2 + 1` numbers: the rest are their conjugates.
    Half,
    /// All.
    Whole {
        /// The sign of the exponent is turned around.
        inverse: bool,
    },
}

impl<T: Real> Reals<T> {
    /// The transform of a length, times `scale`.
    ///
    /// # Errors
    /// [`FftError::Empty`].
    pub fn new(length: usize, shape: Shape, scale: f64) -> Result<Reals<T>> {
        let plan = plans::real::<T>(length)?;
        let scratch = plan.make_scratch_vec();
        Ok(Reals { plan, line: vec![T::default(); length], scratch, shape, scale: T::rounded(scale) })
    }
}

impl<T: Real> Line for Reals<T> {
    type From = T;
    type To = Complex<T>;

    fn reads(&self) -> usize {
        self.line.len()
    }

    fn makes(&self) -> usize {
        match self.shape {
            Shape::Half => self.line.len() / 2 + 1,
            Shape::Whole { .. } => self.line.len(),
        }
    }

    fn run(&mut self, from: &[T], to: &mut [Complex<T>]) -> Result<()> {
        check(self.makes(), to.len())?;
        let length = self.line.len();
        let half = length / 2 + 1;
        fill(from, &mut self.line);
        // The lengths are those of the plan, and that is all that it checks.
        let (expected, found) = (self.makes(), to.len());
        let done = self.plan.process_with_scratch(&mut self.line, &mut to[..half], &mut self.scratch);
        done.map_err(|_| FftError::Length { expected, found })?;
        let scale = self.scale;
        scaled(&mut to[..half], scale);
        if let Shape::Whole { inverse } = self.shape {
            let (own, rest) = to.split_at_mut(half);
            if inverse {
                own.iter_mut().for_each(|value| *value = value.conj());
            }
            for (value, image) in rest.iter_mut().zip(own[1..].iter().rev().skip(usize::from(length.is_multiple_of(2))))
            {
                *value = image.conj();
            }
        }
        Ok(())
    }
}

/// The first half of a transform back to real numbers; what an imaginary part should not have is left out.
///
/// ```
/// use num_complex::Complex;
/// use talatat_fft::{Halves, Line};
/// let mut transform = Halves::new(4, 0.25)?;
/// let mut made = [0.0; 4];
/// transform.run(&[Complex::new(10.0, 0.0), Complex::new(-2.0, 2.0), Complex::new(-2.0, 0.0)], &mut made)?;
/// assert_eq!(made, [1.0, 2.0, 3.0, 4.0]);
/// # Ok::<(), talatat_fft::FftError>(())
/// ```
pub struct Halves<T: Real> {
    plan: Arc<dyn ComplexToReal<T>>,
    line: Vec<Complex<T>>,
    scratch: Vec<Complex<T>>,
    scale: T,
}

impl<T: Real> Halves<T> {
    /// The transform that makes `length` real numbers, times `scale`.
    ///
    /// # Errors
    /// [`FftError::Empty`].
    pub fn new(length: usize, scale: f64) -> Result<Halves<T>> {
        let plan = plans::back::<T>(length)?;
        let scratch = plan.make_scratch_vec();
        Ok(Halves { plan, line: vec![Complex::default(); length / 2 + 1], scratch, scale: T::rounded(scale) })
    }
}

impl<T: Real> Line for Halves<T> {
    type From = Complex<T>;
    type To = T;

    fn reads(&self) -> usize {
        self.line.len()
    }

    fn makes(&self) -> usize {
        self.plan.len()
    }

    fn run(&mut self, from: &[Complex<T>], to: &mut [T]) -> Result<()> {
        check(self.plan.len(), to.len())?;
        fill(from, &mut self.line);
        // The sum is real, and with an even number the one in the middle is, too.
        if let Some(first) = self.line.first_mut() {
            first.im = T::zero();
        }
        if let (0, Some(last)) = (to.len() % 2, self.line.last_mut()) {
            last.im = T::zero();
        }
        let (expected, found) = (self.plan.len(), to.len());
        let done = self.plan.process_with_scratch(&mut self.line, to, &mut self.scratch);
        done.map_err(|_| FftError::Length { expected, found })?;
        if self.scale != T::one() {
            to.iter_mut().for_each(|value| *value = *value * self.scale);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
