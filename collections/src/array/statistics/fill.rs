//! Numbers between known ones: lines through points, the last known number.

use std::panic::Location;
use std::sync::Arc;

use smallvec::smallvec;

use crate::array::build::{axis_number, cast, known_shape, only_real, rechunked};
use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::Grid;
use crate::array::handle::Array;
use crate::array::kernels::local::LocalOp;
use crate::array::linalg::decompose::At;
use crate::array::shape::arrange::length_of;
use crate::array::shape::reshape::concatenate;
use crate::array::statistics::quantile::whole_along;
use crate::error::{Error, Result};
use crate::lower::array::OnBlocks;

/// What [`Array::interp`] gives before the first and behind the last point.
///
/// ```
/// use talatat::array::Outside;
/// assert_eq!(Outside::default(), Outside::Ends);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Outside {
    /// The values of these points. NumPy's default.
    #[default]
    Ends,
    /// NumPy's `left` and `right`.
    Values(f64, f64),
    /// The line goes on with this period; the places may be in any order.
    Period(f64),
}

/// A line of `float64` in one chunk.
fn line(expr: &ExprRef, at: At) -> Result<ExprRef> {
    only_real("interp", expr, at)?;
    let expr = cast(expr, DType::F64, at)?;
    let shape = known_shape("interp", &expr, at)?;
    if shape.len() != 1 {
        let reason = format!("points in an array of {} axes: give one", shape.len());
        return Err(Error::invalid_at("interp", reason, at));
    }
    Ok(rechunked(&expr, Grid::whole(&shape), at))
}

impl<T: Element> Array<T> {
    /// NumPy's `interp`: the line through points at the elements, in `float64`. The places of the points `xp` ascend (nothing checks that). The points are in one
    /// block; one task a block, `log m` comparisons an element. NaN stays (with a single point NumPy has that point's value).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Outside, arange, from_ndarray};
    /// let (xp, fp) = (from_ndarray(ndarray::array![1, 2, 4], 1)?, from_ndarray(ndarray::array![10.0, 20.0, 0.0], 1)?);
    /// let found = arange::<f64>(0.0, 4.0, 1.0)?.interp(&xp, &fp, Outside::Ends)?;
    /// assert_eq!(found.compute()?, ndarray::array![10.0, 10.0, 20.0, 10.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the points are not as many places as values, at least one, in arrays of one axis; if something is complex, or a period is 0.
    #[track_caller]
    pub fn interp<P: Element, F: Element>(&self, xp: &Array<P>, fp: &Array<F>, outside: Outside) -> Result<Array<f64>> {
        let at = Location::caller();
        only_real("interp", self.expr()?, at)?;
        let x = cast(self.expr()?, DType::F64, at)?;
        let [places, values] = [line(xp.expr()?, at)?, line(fp.expr()?, at)?];
        let lengths = [&places, &values].map(|line| line.grid.axes()[0].length().unwrap_or(0));
        if lengths[0] != lengths[1] || lengths[0] == 0 {
            let reason =
                format!("{} places and {} values: give a value for each, and at least one", lengths[0], lengths[1]);
            return Err(Error::invalid_at("interp", reason, at));
        }
        let outside = match outside {
            Outside::Ends => None,
            Outside::Values(before, behind) => Some((before, behind)),
            Outside::Period(period) => return self.periodic(places, values, period.abs(), at),
        };
        let reads = vec![(0..x.ndim()).map(Some).collect(), smallvec![None], smallvec![None]];
        let op = Op::Custom(Arc::new(OnBlocks { op: LocalOp::Interpolate { outside }, reads }));
        Ok(Array::from_expr(Expr::new(DType::F64, x.grid.clone(), op, [x, places, values], at)))
    }

    /// As NumPy does it: all in one period, in order, with the last point before the first and the first one behind the last.
    fn periodic(&self, places: ExprRef, values: ExprRef, period: f64, at: At) -> Result<Array<f64>> {
        if period == 0.0 {
            return Err(Error::invalid_at("interp", "a period of 0: give another one", at));
        }
        let places = Array::<f64>::from_expr(places).remainder(period);
        let order = places.argsort(0)?;
        let places = places.take_along_axis(&order, 0)?;
        let values = Array::<f64>::from_expr(values).take_along_axis(&order, 0)?;
        let around = |line: &Array<f64>, shift: f64| -> Result<Array<f64>> {
            let (first, last) = (line.slice(ndarray::s![..1])?, line.slice(ndarray::s![-1..])?);
            concatenate(&[last - shift, line.clone(), first + shift], 0)
        };
        let x = self.astype::<f64>().remainder(period);
        x.interp(&around(&places, period)?, &around(&values, 0.0)?, Outside::Ends)
    }

    /// Dask's `push`: NaN is replaced by the last number before it along an axis, at most `n` places away (any for none). Lines are put in one chunk.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![1.0, f64::NAN, f64::NAN, 4.0], 2)?;
    /// assert_eq!(x.push(None, 0)?.compute()?, ndarray::array![1.0, 1.0, 1.0, 4.0].into_dyn());
    /// assert!(x.push(Some(1), 0)?.compute()?[[2]].is_nan());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or of a length that is known only when computed.
    #[track_caller]
    pub fn push(&self, n: Option<usize>, axis: isize) -> Result<Array<T>> {
        let (at, expr) = (Location::caller(), self.expr()?);
        let axis = axis_number("push", axis, expr.ndim(), at)?;
        let input = whole_along(expr, axis, length_of("push", expr, axis, at)?, at);
        let reads = vec![(0..input.ndim()).map(Some).collect()];
        let op = Op::Custom(Arc::new(OnBlocks { op: LocalOp::Push { axis, most: n }, reads }));
        Ok(Array::from_expr(Expr::new(T::DTYPE, input.grid.clone(), op, [input], at)))
    }
}
