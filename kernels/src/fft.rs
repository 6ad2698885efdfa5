//! Fourier transforms of blocks along an axis.

use num_complex::Complex;
use serde::{Deserialize, Serialize};
use talatat_fft::{Complexes, FftError, Halves, Line, Reals, Shape, working_bytes};

use super::block::Block;
use super::dtype::{DType, Element};
use super::error::{KernelError, Result};
use super::pool;

/// Lines along an axis that is not the last are copied so many bytes at a time, and back.
const PANEL: usize = 128 << 10;

/// But not fewer of them: a piece of memory that is read for one is read for its neighbours.
const NARROWEST: usize = 8;

/// What becomes of the lines along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// All of the transform.
    Forward,
    /// All of the transform with the other sign.
    Inverse,
    /// The first `length / 2 + 1` numbers of the transform of real numbers.
    Half,
    /// Such a half, with the other sign, to real numbers.
    Real,
}

/// A transform along an axis of blocks that are whole along it, in the precision of their elements: `float32`, `float64`, `complex64`,
/// `complex128`. A line's result depends on the line alone.
///
/// ```
/// use talatat_kernels::Block;
/// use talatat_kernels::dtype::Complex;
/// use talatat_kernels::fft::{Fourier, Kind};
/// let lines = Block::from_vec(&[2, 2], vec![1.0, 2.0, 3.0, 4.0])?;
/// let made = Fourier { kind: Kind::Forward, axis: 0, length: 2, scale: 1.0 }.run(&lines)?;
/// let expected = [4.0, 6.0, -2.0, -2.0].map(|re| Complex::new(re, 0.0));
/// assert_eq!(made, Block::from_vec(&[2, 2], expected.to_vec())?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fourier {
    /// What is made.
    pub kind: Kind,
    /// The axis.
    pub axis: usize,
    /// How long the transform is: lines are cut, or go on with zeros.
    pub length: usize,
    /// By what the result is multiplied.
    pub scale: f64,
}

impl Fourier {
    /// The name in plans.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Forward => "fft",
            Kind::Inverse => "ifft",
            Kind::Half => "rfft",
            Kind::Real => "irfft",
        }
    }

    /// How long the result is along the axis.
    pub fn makes(&self) -> usize {
        match self.kind {
            Kind::Half => self.length / 2 + 1,
            _ => self.length,
        }
    }

    /// The type of the result for elements of a type.
    pub fn dtype(&self, from: DType) -> DType {
        match self.kind {
            Kind::Real => from.complex().real(),
            _ => from.complex(),
        }
    }

    /// About how many bytes [`Fourier::run`] takes beside its result, if the block has its axes in another order in memory, `block` of them.
    pub fn working_bytes(&self, from: DType, block: u64) -> u64 {
        let size = from.complex().size();
        let line = (self.length as u64).saturating_mul(2 * size as u64);
        let panel = line.saturating_mul(NARROWEST as u64).max(2 * PANEL as u64);
        working_bytes(self.length, size).saturating_add(panel).saturating_add(block)
    }

    /// The transforms of the lines of a block.
    ///
    /// # Errors
    /// If the axis is not there, the length is 0, or the elements are of a type that is not transformed.
    pub fn run(&self, block: &Block) -> Result<Block> {
        match (self.kind, block.dtype()) {
            (Kind::Forward | Kind::Inverse, DType::C64) => self.complex::<f32>(block),
            (Kind::Forward | Kind::Inverse, DType::C128) => self.complex::<f64>(block),
            (Kind::Forward | Kind::Inverse | Kind::Half, DType::F32) => self.real::<f32>(block),
            (Kind::Forward | Kind::Inverse | Kind::Half, DType::F64) => self.real::<f64>(block),
            (Kind::Real, DType::C64) => self.back::<f32>(block),
            (Kind::Real, DType::C128) => self.back::<f64>(block),
            (kind, dtype) => {
                let help = match kind {
                    Kind::Half => "cast it to float32 or float64, or take its real part",
                    Kind::Real => "cast it to complex64 or complex128",
                    _ => "cast it to float32, float64, complex64 or complex128",
                };
                Err(KernelError::DTypeUnsupported { operation: self.name(), dtype, help })
            }
        }
    }

    fn complex<T: talatat_fft::Real>(&self, block: &Block) -> Result<Block>
    where
        Complex<T>: Element,
    {
        let inverse = self.kind == Kind::Inverse;
        self.lines(block, Complexes::<T>::new(self.length, inverse, self.scale))
    }

    fn real<T: talatat_fft::Real + Element>(&self, block: &Block) -> Result<Block>
    where
        Complex<T>: Element,
    {
        let shape = match self.kind {
            Kind::Half => Shape::Half,
            kind => Shape::Whole { inverse: kind == Kind::Inverse },
        };
        self.lines(block, Reals::<T>::new(self.length, shape, self.scale))
    }

    fn back<T: talatat_fft::Real + Element>(&self, block: &Block) -> Result<Block>
    where
        Complex<T>: Element,
    {
        self.lines(block, Halves::<T>::new(self.length, self.scale))
    }

    /// Applies a transform to all lines.
    fn lines<L: Line<From: Element, To: Element>>(
        &self,
        block: &Block,
        line: std::result::Result<L, FftError>,
    ) -> Result<Block> {
        let wrong = |error: FftError| KernelError::Parameter { operation: self.name(), reason: error.to_string() };
        let mut line = line.map_err(wrong)?;
        let packed = block.packed();
        let block = packed.as_ref().unwrap_or(block);
        let (before, after) = (block.shape().get(..self.axis), block.shape().get(self.axis + 1..));
        let (Some(before), Some(after), Some(&length)) = (before, after, block.shape().get(self.axis)) else {
            return Err(KernelError::Axis { axis: self.axis, ndim: block.ndim() });
        };
        let shape = [before, &[line.makes()], after].concat();
        let inner = super::block::elements(after)?;
        let mut made = pool::take::<L::To>(super::block::elements_of::<L::To>(&shape)?);
        let view = block.view::<L::From>()?;
        if let (Some(source), false) = (view.to_slice(), made.is_empty()) {
            let own = (length * inner, line.makes() * inner);
            for (number, made) in made.chunks_exact_mut(own.1).enumerate() {
                let source = &source[number * own.0..(number + 1) * own.0];
                match inner {
                    1 => line.run(source, made).map_err(wrong)?,
                    _ => across(source, made, inner, &mut line).map_err(wrong)?,
                }
            }
        }
        Block::from_vec(&shape, made)
    }
}

/// Transforms the columns of a matrix of `width` of them, some at a time.
fn across<L: Line>(
    source: &[L::From],
    made: &mut [L::To],
    width: usize,
    line: &mut L,
) -> std::result::Result<(), FftError> {
    let (reads, makes) = (line.reads().min(source.len() / width), line.makes());
    let bytes = reads * size_of::<L::From>() + makes * size_of::<L::To>();
    let most = (PANEL / bytes.max(1)).max(NARROWEST).min(width);
    let mut from = vec![L::From::default(); most * reads];
    let mut to = vec![L::To::default(); most * makes];
    for first in (0..width).step_by(most) {
        let count = most.min(width - first);
        for (at, row) in source.chunks_exact(width).take(reads).enumerate() {
            for (own, value) in row[first..first + count].iter().enumerate() {
                from[own * reads + at] = *value;
            }
        }
        for own in 0..count {
            line.run(&from[own * reads..(own + 1) * reads], &mut to[own * makes..(own + 1) * makes])?;
        }
        for (at, row) in made.chunks_exact_mut(width).enumerate() {
            for (own, value) in row[first..first + count].iter_mut().enumerate() {
                *value = to[own * makes + at];
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, Axis as NdAxis, IxDyn};
    use proptest::prelude::*;

    use super::*;
    use crate::dtype::C128;

    fn numbers(shape: &[usize]) -> ArrayD<f64> {
        let mut next = 0.0;
        ArrayD::from_shape_simple_fn(IxDyn(shape), || {
            next = (next * 5.0 + 3.0) % 17.0;
            next - 8.0
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// Blocks of any shape and order in memory have the lines that each line has alone.
        #[test]
        fn lines_are_transformed_alone(
            shape in prop::collection::vec(0_usize..7, 1..4),
            axis in 0_usize..4,
            length in 1_usize..9,
            kind in prop::sample::select(vec![Kind::Forward, Kind::Inverse, Kind::Half, Kind::Real]),
            turned in any::<bool>(),
        ) {
            let fourier = Fourier { kind, axis: axis % shape.len(), length, scale: 0.5 };
            let array = if turned { numbers(&shape).reversed_axes() } else { numbers(&shape) };
            let block = |array: ArrayD<f64>| match kind {
                Kind::Real => Block::from_array(array.mapv(|value| C128::new(value, value * 0.5 - 1.0))),
                _ => Block::from_array(array),
            };
            let made = fourier.run(&block(array.clone())).unwrap();
            prop_assert_eq!(made.dtype(), fourier.dtype(DType::F64));
            prop_assert_eq!(made.shape()[fourier.axis], fourier.makes());
            let made = made.cast(DType::C128).into_array::<C128>().unwrap();
            let single = Fourier { axis: 0, ..fourier };
            for (line, own) in array.lanes(NdAxis(fourier.axis)).into_iter().zip(made.lanes(NdAxis(fourier.axis))) {
                let alone = single.run(&block(line.to_owned().into_dyn())).unwrap();
                let alone = alone.cast(DType::C128).into_array::<C128>().unwrap();
                prop_assert_eq!(own.to_vec(), alone.iter().copied().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn what_cannot_be_transformed_is_refused() {
        let block = Block::full(&[3], 1.0_f64).unwrap();
        let fourier = Fourier { kind: Kind::Forward, axis: 0, length: 3, scale: 1.0 };
        assert!(Fourier { axis: 1, ..fourier }.run(&block).is_err());
        assert!(Fourier { length: 0, ..fourier }.run(&block).is_err());
        assert!(Fourier { kind: Kind::Real, ..fourier }.run(&block).is_err());
        assert!(fourier.run(&Block::full(&[3], 1_i32).unwrap()).is_err());
        let complex = Block::full(&[3], C128::new(1.0, 0.0)).unwrap();
        assert!(Fourier { kind: Kind::Half, ..fourier }.run(&complex).is_err());
    }
}
