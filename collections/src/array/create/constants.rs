//! Arrays out of nothing: constants, ranges. All are programs of the element's index, so they take no memory,
//! do not depend on the chunks, and fuse with what is done to them.

use std::panic::Location;
use std::sync::Arc;

use ndarray::{ArcArray, Dimension, IxDyn};
use talatat_graph::{Key, KeyBuilder};

use crate::array::build::{blockwise, invalid};
use crate::array::chunks::Chunks;
use crate::array::dtype::{C128, DType, Element, with_dtype};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::Grid;
use crate::array::handle::Array;
use crate::array::kernels::number::Inexact;
use crate::array::kernels::program::{BinaryOp, Builder, Reg};
use crate::array::kernels::{Block, KernelError, Scalar};
use crate::error::{Error, Result};

type At = &'static Location<'static>;

/// A creation: a program without inputs on a shape, cut automatically.
pub(in crate::array) fn create<T: Element>(
    operation: &str,
    shape: &[usize],
    at: At,
    build: impl FnOnce(&mut Builder) -> std::result::Result<Reg, KernelError>,
) -> Result<Array<T>> {
    create_on(operation, &Chunks::default().grid(operation, shape, T::DTYPE.size())?, at, build)
}

/// A creation in given chunks.
pub(in crate::array) fn create_on<T: Element>(
    operation: &str,
    grid: &Grid,
    at: At,
    build: impl FnOnce(&mut Builder) -> std::result::Result<Reg, KernelError>,
) -> Result<Array<T>> {
    let mut builder = Builder::new(grid.ndim());
    let made = build(&mut builder)
        .and_then(|register| builder.cast(register, T::DTYPE))
        .and_then(|register| builder.finish(register));
    let program = made.map_err(|error| invalid(operation, &error, at))?;
    let axes: Vec<_> = grid.axes().iter().cloned().enumerate().collect();
    Ok(Array::from_expr(blockwise(operation, program, Vec::new(), &axes, at)?))
}

pub(in crate::array) fn infallible<T: Element>(result: Result<Array<T>>) -> Array<T> {
    Array::from_result(result.and_then(|array| array.expr().cloned()))
}

/// An array of one value.
///
/// ```
/// use talatat::prelude::*;
/// assert_eq!(talatat::array::full([2, 3], 7_i32).compute()?.sum(), 42);
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn full<T: Element>(shape: impl AsRef<[usize]>, value: T) -> Array<T> {
    infallible(create("full", shape.as_ref(), Location::caller(), |builder| builder.constant(value)))
}

/// An array of zeros (`false` for `bool`).
///
/// ```
/// use talatat::prelude::*;
/// assert_eq!(talatat::array::zeros::<f32>([2, 2]).compute()?.sum(), 0.0);
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn zeros<T: Element>(shape: impl AsRef<[usize]>) -> Array<T> {
    let constant = |builder: &mut Builder| builder.constant(Scalar::from(false));
    infallible(create("zeros", shape.as_ref(), Location::caller(), constant))
}

/// An array of ones (`true` for `bool`).
///
/// ```
/// use talatat::prelude::*;
/// assert_eq!(talatat::array::ones::<u8>([5]).compute()?.len(), 5);
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn ones<T: Element>(shape: impl AsRef<[usize]>) -> Array<T> {
    let constant = |builder: &mut Builder| builder.constant(Scalar::from(true));
    infallible(create("ones", shape.as_ref(), Location::caller(), constant))
}

/// `start, start + step, ..` up to `stop`, which is left out; element `i` is `start + i * step`. Of complex
/// numbers the real part of `(stop - start) / step` says how many there are.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::arange;
/// assert_eq!(arange::<i64>(0, 5, 2)?.compute()?.into_raw_vec_and_offset().0, [0, 2, 4]);
/// assert_eq!(arange::<f64>(1.0, 0.0, -0.25)?.shape()?, [4]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If `step` is 0 or a bound is not finite.
#[track_caller]
pub fn arange<T: Element>(start: T, stop: T, step: T) -> Result<Array<T>> {
    let at = Location::caller();
    let [start, stop, step]: [Scalar; 3] = [start, stop, step].map(Into::into);
    let length = if T::DTYPE.is_inexact() {
        let steps = if T::DTYPE.is_complex() {
            let [start, stop, step] = [start, stop, step].map(|scalar| scalar.get::<C128>());
            (stop - start).divide(step).re
        } else {
            let [start, stop, step] = [start, stop, step].map(|scalar| scalar.get::<f64>());
            (stop - start) / step
        };
        let length = steps.ceil();
        if step.get::<C128>() == C128::ZERO || !length.is_finite() {
            return Err(Error::invalid_at("arange", format!("from {start} to {stop} by {step}"), at));
        }
        length.max(0.0) as usize
    } else {
        let [start, stop, step] = [start, stop, step].map(integer);
        if step == 0 {
            return Err(Error::invalid_at("arange", "a step of 0 never arrives: give another one", at));
        }
        let distance = stop - start;
        usize::try_from((distance + step - step.signum()) / step).unwrap_or(0)
    };
    create("arange", &[length], at, |builder| {
        // As NumPy: the index times the step, in the type of the result (of float16 in float32).
        let dtype = match T::DTYPE {
            DType::F16 => DType::F32,
            dtype if dtype.is_inexact() => dtype,
            _ => DType::I64,
        };
        let index = builder.index(0, &[1])?;
        let index = builder.cast(index, dtype)?;
        let (start, step) = (builder.constant(start.cast(dtype))?, builder.constant(step.cast(dtype))?);
        let offset = builder.binary(BinaryOp::Mul, index, step)?;
        builder.binary(BinaryOp::Add, offset, start)
    })
}

fn integer(scalar: Scalar) -> i128 {
    match scalar {
        Scalar::U64(value) => i128::from(value),
        other => i128::from(other.get::<i64>()),
    }
}

/// `count` numbers from `start` to `stop`, evenly spaced; `stop` is the last one.
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::linspace(0.0, 1.0, 5)?;
/// assert_eq!(x.compute()?.into_raw_vec_and_offset().0, [0.0, 0.25, 0.5, 0.75, 1.0]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a bound is not finite.
#[track_caller]
pub fn linspace(start: f64, stop: f64, count: usize) -> Result<Array<f64>> {
    spaced(start, stop, count, count.saturating_sub(1), Location::caller())
}

/// [`linspace`] without the last number: `count` intervals from `start` to `stop`, which is left out.
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::linspace_open(0.0, 1.0, 4)?;
/// assert_eq!(x.compute()?.into_raw_vec_and_offset().0, [0.0, 0.25, 0.5, 0.75]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a bound is not finite.
#[track_caller]
pub fn linspace_open(start: f64, stop: f64, count: usize) -> Result<Array<f64>> {
    spaced(start, stop, count, count, Location::caller())
}

fn spaced(start: f64, stop: f64, count: usize, intervals: usize, at: At) -> Result<Array<f64>> {
    if !start.is_finite() || !stop.is_finite() {
        return Err(Error::invalid_at("linspace", format!("from {start} to {stop}: the bounds must be finite"), at));
    }
    let step = (stop - start) / intervals.max(1) as f64;
    create("linspace", &[count], at, |builder| {
        let index = builder.index(0, &[1])?;
        let float = builder.cast(index, DType::F64)?;
        let (step, first) = (builder.constant(step)?, builder.constant(start)?);
        let offset = builder.binary(BinaryOp::Mul, float, step)?;
        let value = builder.binary(BinaryOp::Add, offset, first)?;
        if intervals == count || count < 2 {
            return Ok(value);
        }
        // The last one is `stop` itself, not what rounding makes of it.
        let (last, stop) = (builder.constant(intervals as i64)?, builder.constant(stop)?);
        let is_last = builder.binary(BinaryOp::Eq, index, last)?;
        builder.select(is_last, stop, value)
    })
}

/// `rows` x `columns` with ones on the diagonal `k` (0 is the main one, positive ones are above) and zeros elsewhere.
///
/// ```
/// use talatat::prelude::*;
/// assert_eq!(talatat::array::eye::<f64>(3, 4, 1).compute()?[[0, 1]], 1.0);
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn eye<T: Element>(rows: usize, columns: usize, k: isize) -> Array<T> {
    infallible(create("eye", &[rows, columns], Location::caller(), |builder| {
        let distance = builder.index(0, &[-1, 1])?;
        let k = builder.constant(k as i64)?;
        builder.binary(BinaryOp::Eq, distance, k)
    }))
}

/// An array in memory, as a lazy one. It is shared, not copied; chunks are views of it.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::from_ndarray;
/// let x = from_ndarray(ndarray::array![[1.0, 2.0], [3.0, 4.0]], [1, 2])?;
/// assert_eq!(x.numblocks(), [2, 1]);
/// let sum: f64 = x.sum(..)?.item()?.compute()?;
/// assert_eq!(sum, 10.0);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the chunks do not fit the shape.
#[track_caller]
pub fn from_ndarray<T: Element, D: Dimension>(
    array: impl Into<ArcArray<T, D>>,
    chunks: impl Into<Chunks>,
) -> Result<Array<T>> {
    let at = Location::caller();
    let array: ArcArray<T, D> = array.into();
    let array = array.into_dyn();
    let grid = chunks.into().grid("from_ndarray", array.shape(), T::DTYPE.size())?;
    Ok(Array::from_expr(in_memory(array, grid, at)))
}

/// An array in memory, cut as a grid of its shape says.
pub(in crate::array) fn in_memory<T: Element>(array: ArcArray<T, IxDyn>, grid: Grid, at: At) -> ExprRef {
    let block = Block::from_shared(array);
    let content = content_key(&block);
    Expr::source(T::DTYPE, grid, Op::Memory(Arc::new(block)), content, at)
}

/// A hash of an array's type, shape and elements, at memory speed.
fn content_key(block: &Block) -> Key {
    let key = KeyBuilder::new("memory").number(block.dtype() as u64).value(block.shape());
    with_dtype!(block.dtype(), T => {
        let Ok(view) = block.view::<T>() else { return key.finish() };
        match view.as_slice() {
            Some(values) => key.bytes(bytemuck::cast_slice(values)),
            None => {
                let values: Vec<T> = view.iter().copied().collect();
                key.bytes(bytemuck::cast_slice(&values))
            }
        }
    })
    .finish()
}
