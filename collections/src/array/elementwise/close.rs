//! Whether arrays are equal, or nearly.

use std::panic::Location;

use crate::array::build::elementwise;
use crate::array::dtype::{Element, Promote};
use crate::array::elementwise::operators::{Operand, register};
use crate::array::expr::ExprRef;
use crate::array::handle::{Array, Item};
use crate::array::kernels::Scalar;
use crate::array::kernels::program::{BinaryOp, UnaryOp};
use crate::error::Result;

type At = &'static Location<'static>;

impl<T: Element> Array<T> {
    /// Whether elements are equal within NumPy's default tolerances: `|a - b| <= 1e-8 + 1e-5 |b|`. NaN equals nothing.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert!(talatat::array::full([2], 1.0_f64).isclose(1.000001).compute()?[[0]]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn isclose<U: Element>(&self, other: impl Into<Operand<U>>) -> Array<bool> {
        Array::from_result(close(self, &other.into(), Tolerance::default(), Location::caller()))
    }

    /// Whether elements are equal within a tolerance.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::Tolerance;
    /// let tolerance = Tolerance { absolute: 0.5, equal_nan: true, ..Tolerance::default() };
    /// assert!(talatat::array::full([2], 1.0_f64).isclose_within(1.25, tolerance).compute()?[[0]]);
    /// assert!(talatat::array::full([2], f64::NAN).isclose_within(f64::NAN, tolerance).compute()?[[0]]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn isclose_within<U: Element>(&self, other: impl Into<Operand<U>>, tolerance: Tolerance) -> Array<bool> {
        Array::from_result(close(self, &other.into(), tolerance, Location::caller()))
    }

    /// Whether all elements are equal within NumPy's default tolerances; see [`isclose`](Array::isclose).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::linspace(0.0, 1.0, 5)?;
    /// assert!(x.allclose(&x + 1e-9)?.compute()?);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not match.
    #[track_caller]
    pub fn allclose<U: Element>(&self, other: impl Into<Operand<U>>) -> Result<Item<bool>> {
        self.isclose(other).all(..)?.item()
    }

    /// Whether the shapes are equal and all elements are; NaN equals nothing.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::linspace(0.0, 1.0, 5)?;
    /// assert!(x.array_equal(&x)?.compute()?);
    /// assert!(!x.array_equal(&x.reshape([5, 1])?)?.compute()?);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an array carries an error, or a length is known only when computed and the two come from different places.
    #[track_caller]
    pub fn array_equal<U: Element>(&self, other: &Array<U>) -> Result<Item<bool>>
    where
        T: Promote<U>,
    {
        let (own, theirs) = (self.expr()?.grid.shape(), other.expr()?.grid.shape());
        let known_to_differ = self.ndim() != other.ndim() || (own.is_some() && theirs.is_some() && own != theirs);
        if known_to_differ {
            return crate::array::create::constants::full([0_usize; 0], false).item();
        }
        self.equal(other).all(..)?.item()
    }
}

/// How far apart two numbers may be: `|a - b| <= absolute + relative |b|`.
///
/// ```
/// use talatat::array::Tolerance;
/// assert_eq!(Tolerance::default(), Tolerance { relative: 1e-5, absolute: 1e-8, equal_nan: false });
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// NumPy's `rtol`.
    pub relative: f64,
    /// NumPy's `atol`.
    pub absolute: f64,
    /// Whether NaN equals NaN.
    pub equal_nan: bool,
}

impl Default for Tolerance {
    fn default() -> Self {
        Tolerance { relative: 1e-5, absolute: 1e-8, equal_nan: false }
    }
}

fn close<T: Element, U: Element>(a: &Array<T>, b: &Operand<U>, tolerance: Tolerance, at: At) -> Result<ExprRef> {
    let mut arrays = vec![a.expr()?.clone()];
    let scalar = b.part(&mut arrays)?;
    elementwise("isclose", &arrays, at, |builder, registers| {
        let float = U::DTYPE.float();
        let real = float.real();
        let x = registers[0];
        let y = register(builder, scalar, &mut registers[1..].iter().copied(), "isclose")?;
        let y = builder.cast(y, float)?;
        let x_dtype = T::DTYPE.promote(float);
        let x = builder.cast(x, x_dtype)?;
        let relative = builder.constant(Scalar::from(tolerance.relative).cast(real))?;
        let absolute = builder.constant(Scalar::from(tolerance.absolute).cast(real))?;
        let size = builder.unary(UnaryOp::Abs, y)?;
        let room = builder.binary(BinaryOp::Mul, size, relative)?;
        let room = builder.binary(BinaryOp::Add, room, absolute)?;
        let difference = builder.binary(BinaryOp::Sub, x, y)?;
        let difference = builder.unary(UnaryOp::Abs, difference)?;
        let near = builder.binary(BinaryOp::Le, difference, room)?;
        let finite = builder.unary(UnaryOp::IsFinite, y)?;
        let near = builder.binary(BinaryOp::And, near, finite)?;
        let equal = builder.binary(BinaryOp::Eq, x, y)?;
        let near = builder.binary(BinaryOp::Or, near, equal)?;
        if !tolerance.equal_nan {
            return Ok(near);
        }
        let (a, b) = (builder.unary(UnaryOp::IsNan, x)?, builder.unary(UnaryOp::IsNan, y)?);
        let both = builder.binary(BinaryOp::And, a, b)?;
        builder.binary(BinaryOp::Or, near, both)
    })
}
