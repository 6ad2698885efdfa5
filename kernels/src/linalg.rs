//! Products of matrices.

use ndarray::{ArrayView2, ArrayViewD, ArrayViewMut2, ArrayViewMutD};
use talatat_linalg::{Matrix, Real};

use super::error::{KernelError, Result};
use super::number::{CastFrom, Number};
use crate::dtype::{C64, C128, Element, f16};

/// Elements that matrices can be made of.
pub trait Product: Element {
    /// `sum += left @ right`, of matrices that fit. Floats by the kernels of `faer`, complex numbers by ndarray's (the
    /// `matrixmultiply` crate); integers wrap; `bool` is "or of ands".
    fn add_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, sum: ArrayViewMut2<'_, Self>);

    /// The sum of two elements, as products are added up.
    fn sum(self, other: Self) -> Self;
}

/// `sum += left @ right`.
///
/// # Errors
/// [`KernelError::ShapeMismatch`] if the matrices do not fit.
pub fn add_product<T: Product>(
    left: ArrayView2<'_, T>,
    right: ArrayView2<'_, T>,
    sum: ArrayViewMut2<'_, T>,
) -> Result<()> {
    if left.ncols() != right.nrows() || sum.dim() != (left.nrows(), right.ncols()) {
        let found = [left.shape(), right.shape()].concat();
        return Err(KernelError::ShapeMismatch { operation: "matmul".into(), expected: sum.shape().to_vec(), found });
    }
    T::add_product(left, right, sum);
    Ok(())
}

/// `sum += other`.
///
/// # Errors
/// [`KernelError::ShapeMismatch`] if the shapes differ.
pub fn add_to<T: Product>(mut sum: ArrayViewMutD<'_, T>, other: ArrayViewD<'_, T>) -> Result<()> {
    if sum.shape() != other.shape() {
        let (expected, found) = (sum.shape().to_vec(), other.shape().to_vec());
        return Err(KernelError::ShapeMismatch { operation: "matmul".into(), expected, found });
    }
    sum.zip_mut_with(&other, |sum, &other| *sum = sum.sum(other));
    Ok(())
}

/// A matrix in memory as `faer` wants it: rows or columns one after the other.
fn matrix<'a, T: Product + Real>(view: &'a ArrayView2<'_, T>) -> Option<Matrix<'a, T>> {
    let (rows, columns) = view.dim();
    match (view.to_slice(), view.t().to_slice()) {
        (Some(values), _) => Matrix::new(values, rows, columns).ok(),
        (None, Some(values)) => Matrix::new(values, columns, rows).ok().map(Matrix::t),
        (None, None) => None,
    }
}

macro_rules! float_products {
    ($($type:ty),*) => {$(
        impl Product for $type {
            fn add_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, mut sum: ArrayViewMut2<'_, Self>) {
                if let (Some(left), Some(right), Some(sum)) = (matrix(&left), matrix(&right), sum.as_slice_mut())
                    && talatat_linalg::add_product(left, right, 1.0, sum).is_ok()
                {
                    return;
                }
                ndarray::linalg::general_mat_mul(1.0, &left, &right, 1.0, &mut sum);
            }

            fn sum(self, other: Self) -> Self {
                self + other
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

            fn sum(self, other: Self) -> Self {
                Number::add(self, other)
            }
        }
    )*};
}

macro_rules! complex_products {
    ($($type:ty),*) => {$(
        impl Product for $type {
            fn add_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, mut sum: ArrayViewMut2<'_, Self>) {
                ndarray::linalg::general_mat_mul(<$type>::ONE, &left, &right, <$type>::ONE, &mut sum);
            }

            fn sum(self, other: Self) -> Self {
                self + other
            }
        }
    )*};
}

float_products!(f32, f64);
complex_products!(C64, C128);
integer_products!(i8, i16, i32, i64, u8, u16, u32, u64);

/// Added up in `f32`, rounded once a block.
impl Product for f16 {
    fn add_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, mut sum: ArrayViewMut2<'_, Self>) {
        let (left, right) = (left.mapv(f32::cast_from), right.mapv(f32::cast_from));
        sum.zip_mut_with(&left.dot(&right), |sum, &part| *sum = f16::cast_from(f32::cast_from(*sum) + part));
    }

    fn sum(self, other: Self) -> Self {
        Number::add(self, other)
    }
}

impl Product for bool {
    fn add_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, sum: ArrayViewMut2<'_, Self>) {
        by_rows(left, right, sum, |sum, a, b| sum | (a & b));
    }

    fn sum(self, other: Self) -> Self {
        self | other
    }
}
