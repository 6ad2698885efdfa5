//! Plans of transforms: what does not depend on the elements. A thread keeps those of short lines, which are made for block after block.

use std::cell::RefCell;
use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_traits::{FromPrimitive, ToPrimitive};
use rustfft::{Fft, FftNum, FftPlanner};

use super::{FftError, Result};

/// Plans of longer lines are made each time: there are few such lines in a block, and their factors take memory.
const LONGEST_KEPT: usize = 1 << 12;

/// A thread that has seen so many lengths begins anew.
const MOST_KEPT: usize = 32;

/// Parts of complex numbers: `f32` and `f64`.
pub trait Real: FftNum + Default + FromPrimitive + ToPrimitive {
    /// The number that is nearest.
    fn rounded(value: f64) -> Self;

    #[doc(hidden)]
    fn with_planners<R>(work: impl FnOnce(&mut Planners<Self>) -> R) -> R;
}

/// What makes plans, and remembers those it made.
#[doc(hidden)]
pub struct Planners<T: Real> {
    complex: FftPlanner<T>,
    real: RealFftPlanner<T>,
    lengths: Vec<usize>,
}

impl<T: Real> Planners<T> {
    fn new() -> Planners<T> {
        Planners { complex: FftPlanner::new(), real: RealFftPlanner::new(), lengths: Vec::new() }
    }
}

macro_rules! reals {
    ($($type:ty, $kept:ident;)*) => {$(
        thread_local! {
            static $kept: RefCell<Option<Planners<$type>>> = const { RefCell::new(None) };
        }

        impl Real for $type {
            fn rounded(value: f64) -> $type {
                value as $type
            }

            fn with_planners<R>(work: impl FnOnce(&mut Planners<$type>) -> R) -> R {
                $kept.with_borrow_mut(|kept| work(kept.get_or_insert_with(Planners::new)))
            }
        }
    )*};
}

reals! {
    f32, KEPT_F32;
    f64, KEPT_F64;
}

fn plan<T: Real, P>(length: usize, make: impl FnOnce(&mut Planners<T>) -> P) -> Result<P> {
    match length {
        0 => Err(FftError::Empty),
        1..=LONGEST_KEPT => Ok(T::with_planners(|planners| {
            if !planners.lengths.contains(&length) {
                if planners.lengths.len() == MOST_KEPT {
                    *planners = Planners::new();
                }
                planners.lengths.push(length);
            }
            make(planners)
        })),
        _ => Ok(make(&mut Planners::new())),
    }
}

pub(super) fn complex<T: Real>(length: usize, inverse: bool) -> Result<Arc<dyn Fft<T>>> {
    plan(length, |planners: &mut Planners<T>| match inverse {
        false => planners.complex.plan_fft_forward(length),
        true => planners.complex.plan_fft_inverse(length),
    })
}

pub(super) fn real<T: Real>(length: usize) -> Result<Arc<dyn RealToComplex<T>>> {
    plan(length, |planners: &mut Planners<T>| planners.real.plan_fft_forward(length))
}

pub(super) fn back<T: Real>(length: usize) -> Result<Arc<dyn ComplexToReal<T>>> {
    plan(length, |planners: &mut Planners<T>| planners.real.plan_fft_inverse(length))
}
