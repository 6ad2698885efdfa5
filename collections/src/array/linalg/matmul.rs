//! Products of matrices.

use std::panic::Location;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::array::build::{cast, misfit, rechunked, view};
use crate::array::dtype::{Element, Promote};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Grid, shape_text};
use crate::array::handle::Array;
use crate::array::unify::{Operand, unify};
use crate::error::{Error, Result};
use crate::lower::array::Contract;

type At = &'static Location<'static>;

impl<T: Element> Array<T> {
    /// The matrix product, as NumPy's `@`: over the last axis of `self` and the last but one of `other`; an array of one axis is
    /// a row or a column; leading axes are repeated to match.
    ///
    /// Products of blocks are added up in the order of the contracted axis, in place. Sums of floats are rounded within a
    /// block by the product's kernel, so unlike other reductions the last bits may depend on the chunks of that axis.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{eye, ones};
    /// let x = ones::<f64>([2, 3]).matmul(&eye::<f64>(3, 3, 0))?;
    /// assert_eq!(x.compute()?, ndarray::Array2::<f64>::ones((2, 3)).into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the contracted axes differ, or the leading axes do not match.
    #[track_caller]
    pub fn matmul<U: Element>(&self, other: &Array<U>) -> Result<Array<<T as Promote<U>>::Output>>
    where
        T: Promote<U>,
    {
        let at = Location::caller();
        let dtype = <T as Promote<U>>::Output::DTYPE;
        let (left, right) = (cast(self.expr()?, dtype, at)?, cast(other.expr()?, dtype, at)?);
        if left.ndim() == 0 || right.ndim() == 0 {
            return Err(Error::invalid_at("matmul", "a scalar has no matrix product: use *", at));
        }
        let row = left.ndim() == 1;
        let column = right.ndim() == 1;
        let left = if row { view("matmul", &left, &[None, Some(0)], at)? } else { left };
        let right = if column { view("matmul", &right, &[Some(0), None], at)? } else { right };
        let product = product("matmul", left, right, at)?;
        let ndim = product.ndim();
        let mut axes: Vec<Option<usize>> = (0..ndim).map(Some).collect();
        if column {
            axes.remove(ndim - 1);
        }
        if row {
            axes.remove(ndim - 2);
        }
        let product = if row || column { view("matmul", &product, &axes, at)? } else { product };
        Ok(Array::from_expr(product))
    }

    /// NumPy's `dot`: over the last axis of `self` and the last but one (or only) of `other`; the result has the other axes of
    /// `self`, then the other axes of `other`. For arrays of one or two axes the same as [`matmul`](Array::matmul), with a scalar
    /// the product.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::ones;
    /// let x = ones::<f64>([2, 3]).dot(&ones::<f64>([4, 3, 5]))?;
    /// assert_eq!(x.shape()?, [2, 4, 5]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the contracted axes differ.
    #[track_caller]
    pub fn dot<U: Element>(&self, other: &Array<U>) -> Result<Array<<T as Promote<U>>::Output>>
    where
        T: Promote<U>,
    {
        let at = Location::caller();
        let dtype = <T as Promote<U>>::Output::DTYPE;
        let (left, right) = (cast(self.expr()?, dtype, at)?, cast(other.expr()?, dtype, at)?);
        if left.ndim() == 0 || right.ndim() == 0 {
            let product = self * other;
            product.check()?;
            return Ok(product);
        }
        let (row, column) = (left.ndim() == 1, right.ndim() == 1);
        let left = if row { view("dot", &left, &[None, Some(0)], at)? } else { left };
        let right = if column { view("dot", &right, &[Some(0), None], at)? } else { right };
        // The leading axes of one are of length 1 in the other, so that each matrix meets each.
        let (ours, theirs) = (left.ndim() - 2, right.ndim() - 2);
        let repeated = |count| std::iter::repeat_n(None, count);
        let axes: Vec<_> = (0..ours).map(Some).chain(repeated(theirs)).chain([Some(ours), Some(ours + 1)]).collect();
        let left = view("dot", &left, &axes, at)?;
        let axes: Vec<_> = repeated(ours).chain((0..theirs + 2).map(Some)).collect();
        let right = view("dot", &right, &axes, at)?;
        let lead = ours + theirs;
        let rows = (0..ours).chain((!row).then_some(lead));
        let axes: Vec<_> = rows.chain(ours..lead).chain((!column).then_some(lead + 1)).map(Some).collect();
        Ok(Array::from_expr(view("dot", &product("dot", left, right, at)?, &axes, at)?))
    }
}

/// The product of stacks of matrices, cut alike along the axes they share.
pub(in crate::array) fn product(operation: &str, left: ExprRef, right: ExprRef, at: At) -> Result<ExprRef> {
    let misfit = |left: &ExprRef, right: &ExprRef, a: &Axis, b: &Axis| {
        if a.length().is_none() || b.length().is_none() {
            return misfit(operation, &[left.clone(), right.clone()], a, b, at);
        }
        let (a, b) = (shape_text(&left.grid), shape_text(&right.grid));
        Error::invalid_at(operation, format!("shapes {a} and {b} do not match"), at)
    };
    let ndim = left.ndim().max(right.ndim());
    let (left, right) = (padded(left, ndim, at)?, padded(right, ndim, at)?);
    let inner = &left.grid.axes()[ndim - 1];
    let other = &right.grid.axes()[ndim - 2];
    if inner.length() != other.length() || (inner.length().is_none() && inner != other) {
        return Err(misfit(&left, &right, inner, other));
    }
    // Leading axes of length 1 are repeated.
    let mut lead: Vec<Axis> = Vec::with_capacity(ndim - 2);
    for axis in 0..ndim - 2 {
        let (a, b) = (&left.grid.axes()[axis], &right.grid.axes()[axis]);
        lead.push(match (a.length(), b.length()) {
            (x, y) if x == y && (x.is_some() || a == b) => a.clone(),
            (Some(1), _) => b.clone(),
            (_, Some(1)) => a.clone(),
            _ => return Err(misfit(&left, &right, a, b)),
        });
    }
    // The one that is less to move is cut like the other along the contracted axis.
    let reads = |own: usize, inner: usize| {
        let mut reads: SmallVec<[Option<usize>; 4]> = SmallVec::from_elem(None, 3);
        (reads[0], reads[1]) = (Some(inner), None);
        reads[if own == ndim - 2 { 1 } else { 2 }] = Some(own);
        reads
    };
    let operands = [
        Operand { expr: &left, reads: reads(ndim - 2, ndim - 1) },
        Operand { expr: &right, reads: reads(ndim - 1, ndim - 2) },
    ];
    let inner = unify(&operands, 3, 0).into_iter().next().flatten().unwrap_or_else(|| inner.clone());
    let (rows, columns) = (left.grid.axes()[ndim - 2].clone(), right.grid.axes()[ndim - 1].clone());
    let with = |last: [&Axis; 2]| Grid::new(lead.iter().chain(last).cloned());
    let left = repeated(left, with([&rows, &inner]), at)?;
    let right = repeated(right, with([&inner, &columns]), at)?;
    let grid = with([&rows, &columns]);
    let (left, left_turned) = peeled(left);
    let (right, right_turned) = peeled(right);
    let operation = Contract {
        shared: ndim - 2,
        left: 1,
        right: 1,
        inner: 1,
        turned: [left_turned, right_turned],
        dtype: left.dtype,
    };
    Ok(Expr::new(left.dtype, grid, Op::Custom(Arc::new(operation)), [left, right], at))
}

/// What a transpose of the last two axes was made of, and that it was one: a product reads matrices either way.
fn peeled(expr: ExprRef) -> (ExprRef, bool) {
    if let (Op::Blockwise(program), [input]) = (&expr.op, expr.inputs.as_slice())
        && program.instrs.is_empty()
        && input.ndim() == expr.ndim()
    {
        let ndim = expr.ndim();
        let turned = |axis: usize| match ndim - axis {
            1 => ndim - 2,
            2 => ndim - 1,
            _ => axis,
        };
        let swapped = |(axis, read): (usize, &Option<u8>)| read.is_some_and(|read| usize::from(read) == turned(axis));
        if program.inputs[0].axes.iter().enumerate().all(swapped) {
            return (input.clone(), true);
        }
    }
    (expr, false)
}

/// The array with axes of length 1 in front, up to `ndim` axes.
fn padded(expr: ExprRef, ndim: usize, at: At) -> Result<ExprRef> {
    if expr.ndim() == ndim {
        return Ok(expr);
    }
    let lead = ndim - expr.ndim();
    let axes: Vec<Option<usize>> = (0..ndim).map(|axis| axis.checked_sub(lead)).collect();
    view("matmul", &expr, &axes, at)
}

/// The array in the chunks of a grid, with leading axes of length 1 repeated to the grid's.
fn repeated(expr: ExprRef, grid: Grid, at: At) -> Result<ExprRef> {
    use crate::array::build::{blockwise, invalid};
    use crate::array::kernels::program::{Builder, Input};
    let stretched: Vec<bool> =
        expr.grid.axes().iter().zip(grid.axes()).map(|(own, wanted)| own.length() != wanted.length()).collect();
    if !stretched.contains(&true) {
        return Ok(rechunked(&expr, grid, at));
    }
    let ndim = expr.ndim();
    let mut builder = Builder::new(ndim);
    let register = builder.input(Input::broadcast(expr.dtype, ndim, ndim, |axis| stretched[axis]));
    let program = builder.finish(register).map_err(|error| invalid("matmul", &error, at))?;
    let extra: Vec<(usize, Axis)> =
        (0..ndim).filter(|&axis| stretched[axis]).map(|axis| (axis, grid.axes()[axis].clone())).collect();
    let repeated = blockwise("matmul", program, vec![expr], &extra, at)?;
    Ok(rechunked(&repeated, grid, at))
}
