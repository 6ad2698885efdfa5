//! Running sums and products.

use std::panic::Location;
use std::sync::Arc;

use crate::array::build::{cast, elementwise};
use crate::array::dtype::Element;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::handle::Array;
use crate::array::kernels::Scalar;
use crate::array::kernels::program::UnaryOp;
use crate::array::kernels::scan::ScanOp;
use crate::array::shape::arrange::{length_of, one_axis};
use crate::array::statistics::reduce::Axes;
use crate::error::Result;
use crate::lower::array::Scan;

type At = &'static Location<'static>;

/// Running results along an axis; without NaN if `skip` is set.
fn scan(operation: &str, expr: &ExprRef, op: ScanOp, skip: bool, axes: &Axes, at: At) -> Result<ExprRef> {
    let (expr, axis) = one_axis(operation, expr, axes, at)?;
    length_of(operation, &expr, axis, at)?;
    let sum = expr.dtype.sum();
    let input = match skip && expr.dtype.is_inexact() {
        true => elementwise(operation, &[expr], at, |builder, registers| {
            let missing = builder.unary(UnaryOp::IsNan, registers[0])?;
            let neutral = Scalar::from(f64::from(u8::from(op == ScanOp::Prod))).cast(sum);
            let neutral = builder.constant(neutral)?;
            builder.select(missing, neutral, registers[0])
        })?,
        false => cast(&expr, sum, at)?,
    };
    Ok(Expr::new(sum, input.grid.clone(), Op::Custom(Arc::new(Scan { op, axis })), [input], at))
}

macro_rules! scans {
    ($($name:ident, $op:ident, $skip:literal, $doc:literal, $input:literal => $result:literal;)*) => {
        /// Running results along an axis: `x.cumsum(0)?`; `..` stands for the flat array, as `None` does in NumPy.
        ///
        /// Each block is read once after the one before it has been; where there are few lines of blocks side by side, blocks are
        /// first read for their totals, so that they need not wait for each other.
        ///
        /// **Floats.** NumPy adds each element to the rounded sum so far, and the error grows with the index. Here
        /// the axis is cut into segments of 128 elements at multiples of 128, wherever chunks begin; elements are added within a
        /// segment, and to that the sum of all segments before, which is carried in twice the precision. So the error does
        /// not grow with the index, and the bits depend on the elements alone, not on chunks, threads or the
        /// executor (they do depend on where the elements stand: the running sum of a slice is not the slice of a running sum).
        /// Products of floats are multiplied one after the other, as NumPy's. Integers are added and multiplied
        /// modulo 2^64 in `int64` or `uint64`.
        impl<T: Element> Array<T> {$(
            #[doc = $doc]
            ///
            /// ```
            /// use talatat::prelude::*;
            #[doc = concat!("let x = talatat::array::from_ndarray(ndarray::array!", $input, ", 1)?;")]
            #[doc = concat!("assert_eq!(x.", stringify!($name), "(0)?.compute()?, ndarray::array!", $result, ".into_dyn());")]
            /// # Ok::<(), talatat::Error>(())
            /// ```
            ///
            /// # Errors
            /// If the axis is out of range or of a length that is known only when computed, or more than one is named.
            #[track_caller]
            pub fn $name(&self, axis: impl Into<Axes>) -> Result<Array<T::Sum>> {
                let at = Location::caller();
                let scan = scan(stringify!($name), self.expr()?, ScanOp::$op, $skip, &axis.into(), at)?;
                Ok(Array::from_expr(scan))
            }
        )*}
    };
}

scans! {
    cumsum, Sum, false, "The running sum.", "[1_i32, 2, 3]" => "[1_i64, 3, 6]";
    cumprod, Prod, false, "The running product.", "[2.0, 3.0, 4.0]" => "[2.0, 6.0, 24.0]";
    nancumsum, Sum, true, "[`Array::cumsum`] with 0 for NaN.", "[1.0, f64::NAN, 3.0]" => "[1.0, 1.0, 4.0]";
    nancumprod, Prod, true, "[`Array::cumprod`] with 1 for NaN.", "[2.0, f64::NAN, 3.0]" => "[2.0, 2.0, 6.0]";
}
