//! Products of matrices.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::error::{KernelError, Result};
use super::number::{CastFrom, Number};
use crate::dtype::{C64, C128, Element, f16};

/// The shape of `[.., n, k] @ [.., k, m]`.
///
/// # Errors
/// [`KernelError::ShapeMismatch`] if the contracted or the leading axes differ.
pub fn product_shape(left: &[usize], right: &[usize]) -> Result<Vec<usize>> {
    let misfit =
        || KernelError::ShapeMismatch { operation: "matmul".into(), expected: left.to_vec(), found: right.to_vec() };
    let ([lead, n, k], [lead_right, k_right, m]) = (split(left).ok_or_else(misfit)?, split(right).ok_or_else(misfit)?);
    if k != k_right || lead != lead_right {
        return Err(misfit());
    }
    Ok([lead, n, m].concat())
}

fn split(shape: &[usize]) -> Option<[&[usize]; 3]> {
    let (lead, last) = shape.split_at_checked(shape.len().checked_sub(2)?)?;
    Some([lead, &last[..1], &last[1..]])
}

/// Elements that matrices can be made of.
pub trait Product: Element {
    /// `sum += left @ right`. Floats and complex numbers by ndarray's kernel (the `matrixmultiply` crate); integers wrap; `bool` is "or of ands".
    fn add_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, sum: ArrayViewMut2<'_, Self>);
}

/// `sum += left @ right`.
pub fn add_product<T: Product>(left: ArrayView2<'_, T>, right: ArrayView2<'_, T>, sum: ArrayViewMut2<'_, T>) {
    T::add_product(left, right, sum);
}

macro_rules! float_products {
    ($($type:ty: $one:expr),*) => {$(
        impl Product for $type {
            fn add_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, mut sum: ArrayViewMut2<'_, Self>) {
                ndarray::linalg::general_mat_mul($one, &left, &right, $one, &mut sum);
            }
        }
    )*};
}

/// Row by row: the inner loop runs along rows of `right` and of the sum.
fn by_rows<T: Element>(
    left: ArrayView2<'_, T>,
    right: ArrayView2<'_, T>,
    mut sum: ArrayViewMut2<'_, T>,
    step: impl Fn(T, T, T) -> T,
) {
    for (left, mut sum) in left.rows().into_iter().zip(sum.rows_mut()) {
        for (&a, right) in left.iter().zip(right.rows()) {
            sum.zip_mut_with(&right, |sum, &b| *sum = step(*sum, a, b));
        }
    }
}

macro_rules! integer_products {
    ($($type:ty),*) => {$(
        impl Product for $type {
            fn add_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, sum: ArrayViewMut2<'_, Self>) {
                by_rows(left, right, sum, |sum, a, b| Number::add(sum, Number::mul(a, b)));
            }
        }
    )*};
}

float_products!(f32: 1.0, f64: 1.0, C64: C64::ONE, C128: C128::ONE);
integer_products!(i8, i16, i32, i64, u8, u16, u32, u64);

/// Added up in `f32`, rounded once a block.
impl Product for f16 {
    fn add_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, mut sum: ArrayViewMut2<'_, Self>) {
        let (left, right) = (left.mapv(f32::cast_from), right.mapv(f32::cast_from));
        sum.zip_mut_with(&left.dot(&right), |sum, &part| *sum = f16::cast_from(f32::cast_from(*sum) + part));
    }
}

impl Product for bool {
    fn add_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, sum: ArrayViewMut2<'_, Self>) {
        by_rows(left, right, sum, |sum, a, b| sum | (a & b));
    }
}
