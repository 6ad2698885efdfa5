//! Fourier transforms: NumPy's `fft`, with its names and types.
//!
//! The axis that is transformed is put in one chunk, and the others are cut smaller if blocks would become larger than chunks should be; several
//! axes are transformed together if they fit in one, else one after the other. A line is transformed by itself, in the same way in every block: the
//! result does not depend on chunks, threads or executor (on another kind of processor its last bits may differ). Types are NumPy's: of `f16`, `f32` and
//! [`C64`](crate::array::C64) the transform is [`C64`](crate::array::C64), of all others [`C128`](crate::array::C128).

pub(in crate::array) mod frequencies;
mod lines;
mod several;

use std::ops::RangeFull;

use crate::array::build::axis_number;
use crate::array::linalg::decompose::At;
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};

/// Which of two transforms that undo each other is divided: NumPy's `norm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FftNorm {
    /// The inverse one is divided by the length. NumPy's default.
    #[default]
    Backward,
    /// Both are divided by the root of the length.
    Ortho,
    /// The forward one is divided by the length.
    Forward,
}

impl FftNorm {
    /// By what a transform of a length is multiplied.
    fn scale(self, inverse: bool, length: usize) -> f64 {
        match (self, inverse) {
            (FftNorm::Backward, false) | (FftNorm::Forward, true) => 1.0,
            (FftNorm::Ortho, _) => 1.0 / (length as f64).sqrt(),
            (FftNorm::Backward, true) | (FftNorm::Forward, false) => 1.0 / length as f64,
        }
    }

    /// The norm that the transform with the other sign has.
    fn swapped(self) -> FftNorm {
        match self {
            FftNorm::Backward => FftNorm::Forward,
            FftNorm::Ortho => FftNorm::Ortho,
            FftNorm::Forward => FftNorm::Backward,
        }
    }
}

/// Along which axes to transform, how long, and with which [`FftNorm`]. Made from an axis, an array of axes, or `..` for all; [`along`]
/// is for the rest.
///
/// ```
/// use talatat::array::{FftNorm, along, ones};
/// let x = ones::<f64>([4, 6]);
/// assert_eq!(x.fft(-1)?.shape()?, [4, 6]);
/// assert_eq!(x.rfftn([0, 1])?.shape()?, [4, 4]);
/// assert_eq!(x.fft(along(0).lengths([8]).norm(FftNorm::Ortho))?.shape()?, [8, 6]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FftOptions {
    axes: Axes,
    lengths: Option<Vec<usize>>,
    norm: FftNorm,
}

/// An axis, several or all (`along(..)`) to transform, for [`FftOptions::lengths`] and [`FftOptions::norm`].
///
/// ```
/// use talatat::array::{along, ones};
/// assert_eq!(ones::<f64>([3, 4]).fftn(along(..).lengths([2, 8]))?.shape()?, [2, 8]);
/// # Ok::<(), talatat::Error>(())
/// ```
pub fn along(axes: impl Into<Axes>) -> FftOptions {
    FftOptions { axes: axes.into(), lengths: None, norm: FftNorm::Backward }
}

impl FftOptions {
    /// How long the transform is along each of the axes, NumPy's `n` and `s`: longer arrays are cut, shorter ones go on with zeros. Of
    /// `irfft` and its like the last one is the length of the result. With `along(..)` these are the last axes, as many as there are lengths.
    ///
    /// ```
    /// use talatat::array::{along, ones};
    /// assert_eq!(ones::<f64>([5]).rfft(along(0).lengths([8]))?.irfft(along(0).lengths([5]))?.shape()?, [5]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[must_use]
    pub fn lengths(mut self, lengths: impl Into<Vec<usize>>) -> FftOptions {
        self.lengths = Some(lengths.into());
        self
    }

    /// By what the transform is divided.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{FftNorm, along, ones};
    /// let mean = ones::<f64>([4]).fft(along(0).norm(FftNorm::Forward))?;
    /// assert_eq!(mean.compute()?[[0]].re, 1.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[must_use]
    pub fn norm(mut self, norm: FftNorm) -> FftOptions {
        self.norm = norm;
        self
    }

    /// The axes in the order they were given in, each with the length that was asked for.
    fn pairs(&self, operation: &str, ndim: usize, at: At) -> Result<Vec<(usize, Option<usize>)>> {
        let axes = match (self.axes.which(), &self.lengths) {
            (Some(axes), _) => {
                axes.iter().map(|&axis| axis_number(operation, axis, ndim, at)).collect::<Result<Vec<usize>>>()?
            }
            (None, Some(lengths)) if lengths.len() <= ndim => (ndim - lengths.len()..ndim).collect(),
            (None, _) => (0..ndim).collect(),
        };
        match &self.lengths {
            None => Ok(axes.into_iter().map(|axis| (axis, None)).collect()),
            Some(lengths) if lengths.len() == axes.len() => {
                Ok(axes.into_iter().zip(lengths).map(|(axis, &length)| (axis, Some(length))).collect())
            }
            Some(lengths) => {
                let reason = format!("{} lengths for {} axes: give one for each", lengths.len(), axes.len());
                Err(Error::invalid_at(operation, reason, at))
            }
        }
    }
}

macro_rules! axes_as_options {
    ($(($($generic:tt)*) $type:ty;)*) => {$(
        impl $($generic)* From<$type> for FftOptions {
            fn from(axes: $type) -> Self {
                along(axes)
            }
        }
    )*};
}

axes_as_options! {
    () RangeFull;
    () isize;
    () i32;
    () usize;
    (<const N: usize>) [i32; N];
    () Vec<isize>;
}
