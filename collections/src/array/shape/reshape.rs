//! Other shapes and other chunks.

use std::panic::Location;

use smallvec::SmallVec;

use crate::array::build::{axis_number, blockwise, cast, invalid, known_shape, misfit, rechunked, view};
use crate::array::chunks::Chunks;
use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Grid, shape_text};
use crate::array::handle::Array;
use crate::array::kernels::program::{Builder, Input};
use crate::array::statistics::reduce::Axes;
use crate::array::unify::{Operand, cut_like, unify};
use crate::error::{Error, Result};

type At = &'static Location<'static>;

impl<T: Element> Array<T> {
    /// The array with its axes in reverse order, as NumPy's `.T`. Blocks are not copied: whoever reads them reads them transposed.
    ///
    /// ```
    /// assert_eq!(talatat::array::ones::<f64>([2, 3, 4]).t().shape()?, [4, 3, 2]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn t(&self) -> Array<T> {
        let at = Location::caller();
        Array::from_result(self.expr().and_then(|expr| {
            let axes: Vec<Option<usize>> = (0..expr.ndim()).rev().map(Some).collect();
            view("transpose", expr, &axes, at)
        }))
    }

    /// The array with its axes in another order: axis `i` of the result is axis `order[i]`.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::ones::<f64>([2, 3, 4]);
    /// assert_eq!(x.transpose([2, 0, 1])?.shape()?, [4, 2, 3]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `order` does not name each axis once.
    #[track_caller]
    pub fn transpose(&self, order: impl AsRef<[isize]>) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        let order = order.as_ref();
        let axes: Vec<usize> =
            order.iter().map(|&axis| axis_number("transpose", axis, expr.ndim(), at)).collect::<Result<_>>()?;
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..expr.ndim()) {
            let reason = format!("{order:?} does not name each of the {} axes once", expr.ndim());
            return Err(Error::invalid_at("transpose", reason, at));
        }
        let axes: Vec<Option<usize>> = axes.into_iter().map(Some).collect();
        Ok(Array::from_expr(view("transpose", expr, &axes, at)?))
    }

    /// The array repeated to a shape by NumPy's rules, without a copy.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 3, 1)?.broadcast_to([2, 3])?;
    /// assert_eq!(x.compute()?, ndarray::array![[0, 1, 2], [0, 1, 2]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not match.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl AsRef<[usize]>) -> Result<Array<T>> {
        let at = Location::caller();
        let (expr, shape) = (self.expr()?, shape.as_ref());
        let own = known_shape("broadcast_to", expr, at)?;
        let fits = own.len() <= shape.len()
            && own.iter().rev().zip(shape.iter().rev()).all(|(&own, &wanted)| own == wanted || own == 1);
        if !fits {
            let reason = format!("shape {own:?} cannot be repeated to {shape:?}");
            return Err(Error::invalid_at("broadcast_to", reason, at));
        }
        let auto = Chunks::default().grid("broadcast_to", shape, T::DTYPE.size())?;
        Ok(Array::from_expr(broadcast("broadcast_to", expr, auto.axes(), at)?))
    }

    /// The array with new axes of length 1: axis `axes` of the result, or several of them. The other chunks stay as they are.
    ///
    /// ```
    /// let x = talatat::array::ones::<f64>([3]);
    /// assert_eq!(x.expand_dims(0)?.shape()?, [1, 3]);
    /// assert_eq!(x.expand_dims(-1)?.shape()?, [3, 1]);
    /// assert_eq!(x.expand_dims([0, 2])?.shape()?, [1, 3, 1]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice, or `..` is given, which names no places.
    #[track_caller]
    pub fn expand_dims(&self, axes: impl Into<Axes>) -> Result<Array<T>> {
        let at = Location::caller();
        let (expr, new) = (self.expr()?, axes.into());
        let Some(count) = new.which().map(<[isize]>::len) else {
            return Err(Error::invalid_at("expand_dims", "`..` names no places: name each new axis", at));
        };
        let new = new.numbers("expand_dims", expr.ndim() + count, at)?;
        let mut axes: Vec<Option<usize>> = (0..expr.ndim()).map(Some).collect();
        new.into_iter().for_each(|axis| axes.insert(axis, None));
        Ok(Array::from_expr(view("expand_dims", expr, &axes, at)?))
    }

    /// The same elements in row-major order under another shape; one length may be -1 and is then what the others leave.
    ///
    /// The array is first cut into blocks that are runs of its elements; each block of the result is made of the one or two
    /// that it overlaps.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 6, 1)?.reshape([2, -1])?;
    /// assert_eq!(x.compute()?, ndarray::array![[0, 1, 2], [3, 4, 5]].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes have different numbers of elements, or a length is known only when computed.
    #[track_caller]
    pub fn reshape(&self, shape: impl AsRef<[isize]>) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        Ok(Array::from_expr(reshape("reshape", expr, shape.as_ref(), at)?))
    }

    /// The array as one axis, in row-major order.
    ///
    /// ```
    /// assert_eq!(talatat::array::ones::<f64>([3, 4]).ravel()?.shape()?, [12]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a length is known only when computed.
    #[track_caller]
    pub fn ravel(&self) -> Result<Array<T>> {
        Ok(Array::from_expr(reshape("ravel", self.expr()?, &[-1], Location::caller())?))
    }

    /// The same array in other chunks; see [`Chunks`] for what can be said.
    ///
    /// A block that goes to several others is cut once into parts, and each part dies when it has been read: P blocks to Q blocks
    /// are at most P + Q tasks.
    ///
    /// ```
    /// let x = talatat::array::ones::<f64>([100, 100]).rechunk(("auto", 10))?;
    /// assert_eq!(x.rechunk([10, -1])?.numblocks(), [10, 1]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the chunks do not fit the shape, or a length is known only when computed.
    #[track_caller]
    pub fn rechunk(&self, chunks: impl Into<Chunks>) -> Result<Array<T>> {
        let at = Location::caller();
        let expr = self.expr()?;
        let shape = known_shape("rechunk", expr, at)?;
        let grid = chunks.into().grid("rechunk", &shape, T::DTYPE.size())?;
        Ok(Array::from_expr(rechunked(expr, grid, at)))
    }
}

/// The same elements under another shape.
pub(in crate::array) fn reshape(operation: &str, expr: &ExprRef, shape: &[isize], at: At) -> Result<ExprRef> {
    let own = known_shape(operation, expr, at)?;
    let shape = resolve(operation, &own, shape, at)?;
    if own.as_slice() == shape.as_slice() {
        return Ok(expr.clone());
    }
    let elements = expr.grid.largest_block(0).max(1);
    let runs = rechunked(expr, run_grid(&own, elements), at);
    let grid = run_grid(&shape, elements);
    Ok(Expr::new(expr.dtype, grid, Op::Reshape, [runs], at))
}

/// The array repeated along axes of length 1 and before its first one. `axes` are those of the result; where the array is not
/// repeated it keeps its chunks.
pub(in crate::array) fn broadcast(operation: &str, expr: &ExprRef, axes: &[Axis], at: At) -> Result<ExprRef> {
    let lead = axes.len() - expr.ndim();
    let is_one = |axis: &Axis| axis.length() == Some(1);
    let mut builder = Builder::new(axes.len());
    let input = Input::broadcast(expr.dtype, expr.ndim(), axes.len(), |axis| {
        is_one(&expr.grid.axes()[axis]) && !is_one(&axes[axis + lead])
    });
    let read = input.axes.clone();
    let register = builder.input(input);
    let program = builder.finish(register).map_err(|error| invalid(operation, &error, at))?;
    let extra: Vec<(usize, Axis)> =
        (0..axes.len()).filter(|&axis| read[axis].is_none()).map(|axis| (axis, axes[axis].clone())).collect();
    blockwise(operation, program, vec![expr.clone()], &extra, at)
}

/// The shape that is meant, with -1 filled in.
fn resolve(operation: &str, own: &[usize], wanted: &[isize], at: At) -> Result<Vec<usize>> {
    let elements: usize = own.iter().product();
    let wrong = || {
        let reason = format!("an array of shape {own:?} with {elements} elements cannot have the shape {wanted:?}");
        Error::invalid_at(operation, reason, at)
    };
    let rest: usize = wanted.iter().filter_map(|&length| usize::try_from(length).ok()).product();
    let open = wanted.iter().filter(|&&length| length < 0).count();
    if open > 1 || (open == 1 && (rest == 0 || !elements.is_multiple_of(rest))) {
        return Err(wrong());
    }
    let shape: Vec<usize> =
        wanted.iter().map(|&length| usize::try_from(length).unwrap_or_else(|_| elements / rest)).collect();
    if shape.iter().product::<usize>() == elements { Ok(shape) } else { Err(wrong()) }
}

/// Chunks whose blocks are runs of the flat array, of about `elements` elements: whole axes at the end, single indices at
/// the beginning, and one axis between that is cut.
pub(in crate::array) fn run_grid(shape: &[usize], elements: usize) -> Grid {
    let mut axes: Vec<Axis> = Vec::with_capacity(shape.len());
    let mut inner = 1_usize;
    let mut cut = false;
    for &length in shape.iter().rev() {
        if cut {
            axes.push(Axis::regular(length, 1));
        } else if inner.saturating_mul(length) <= elements {
            axes.push(Axis::whole(length));
        } else {
            axes.push(Axis::regular(length, (elements / inner.max(1)).max(1)));
            cut = true;
        }
        inner = inner.saturating_mul(length.max(1));
    }
    axes.reverse();
    if shape.contains(&0) { Grid::whole(shape) } else { Grid::new(axes) }
}

/// Arrays one after the other along an axis. Their blocks become the blocks of the result: nothing is copied.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{concatenate, ones, zeros};
/// let x = concatenate(&[ones::<f64>([2, 3]), zeros([1, 3])], 0)?;
/// assert_eq!(x.shape()?, [3, 3]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If there are no arrays, the axis is out of range, or the other axes differ.
#[track_caller]
pub fn concatenate<T: Element>(arrays: &[Array<T>], axis: isize) -> Result<Array<T>> {
    let at = Location::caller();
    let inputs = arrays.iter().map(|array| array.expr().cloned()).collect::<Result<Vec<ExprRef>>>()?;
    Ok(Array::from_expr(concatenate_exprs("concatenate", inputs, axis, T::DTYPE, at)?))
}

/// Arrays of one shape one after the other along a new axis.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{ones, stack, zeros};
/// let x = stack(&[ones::<f64>([4]), zeros([4])], 1)?;
/// assert_eq!(x.shape()?, [4, 2]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If there are no arrays, the axis is out of range, or the shapes differ.
#[track_caller]
pub fn stack<T: Element>(arrays: &[Array<T>], axis: isize) -> Result<Array<T>> {
    let at = Location::caller();
    let first = arrays.first().ok_or_else(|| Error::invalid_at("stack", "no arrays: give at least one", at))?;
    let number = axis_number("stack", axis, first.expr()?.ndim() + 1, at)?;
    let mut inputs = Vec::with_capacity(arrays.len());
    for array in arrays {
        let expr = array.expr()?;
        let (own, firsts) = (expr.grid.axes(), first.expr()?.grid.axes());
        let unknown = |(a, b): &(&Axis, &Axis)| a != b && (a.length().is_none() || b.length().is_none());
        if let Some((a, b)) = own.iter().zip(firsts).find(unknown) {
            return Err(misfit("stack", &[first.expr()?.clone(), expr.clone()], a, b, at));
        }
        if expr.grid.shape() != first.expr()?.grid.shape() {
            let shapes = (shape_text(&first.expr()?.grid), shape_text(&expr.grid));
            return Err(Error::invalid_at("stack", format!("shapes {} and {} differ", shapes.0, shapes.1), at));
        }
        let mut axes: Vec<Option<usize>> = (0..expr.ndim()).map(Some).collect();
        axes.insert(number, None);
        inputs.push(view("stack", expr, &axes, at)?);
    }
    Ok(Array::from_expr(concatenate_exprs("stack", inputs, number as isize, T::DTYPE, at)?))
}

pub(crate) fn concatenate_exprs(
    operation: &str,
    inputs: Vec<ExprRef>,
    axis: isize,
    dtype: DType,
    at: At,
) -> Result<ExprRef> {
    let first = inputs.first().ok_or_else(|| Error::invalid_at(operation, "no arrays: give at least one", at))?.clone();
    let axis = axis_number(operation, axis, first.ndim(), at)?;
    let mut lengths = Vec::new();
    let mut aligned = Vec::with_capacity(inputs.len());
    for input in &inputs {
        let same = input.ndim() == first.ndim()
            && (0..first.ndim()).all(|other| {
                let (a, b) = (&input.grid.axes()[other], &first.grid.axes()[other]);
                other == axis || a.as_long_as(b)
            });
        let axes = first.grid.axes().iter().zip(input.grid.axes()).enumerate();
        let unknown = |(other, (a, b)): &(usize, (&Axis, &Axis))| {
            *other != axis && a != b && (a.length().is_none() || b.length().is_none())
        };
        if let Some((_, (a, b))) = axes.into_iter().find(unknown) {
            return Err(misfit(operation, &[first.clone(), input.clone()], a, b, at));
        }
        if !same {
            let (a, b) = (shape_text(&first.grid), shape_text(&input.grid));
            let reason = format!("shapes {a} and {b} differ in another axis than {axis}");
            return Err(Error::invalid_at(operation, reason, at));
        }
        let along = input.grid.axes().get(axis).and_then(Axis::lengths).ok_or_else(|| {
            let shape = shape_text(&input.grid);
            let reason = format!("axis {axis} of an array of shape {shape} has a length that is known only when computed: persist it first");
            Error::invalid_at(operation, reason, at)
        })?;
        lengths.extend(along);
    }
    let reads: SmallVec<[Option<usize>; 4]> = (0..first.ndim()).map(|other| (other != axis).then_some(other)).collect();
    let operands: Vec<Operand<'_>> = inputs.iter().map(|expr| Operand { expr, reads: reads.clone() }).collect();
    let chosen = unify(&operands, first.ndim(), 0);
    for input in &inputs {
        let grid = cut_like(input, &reads, &chosen);
        aligned.push(cast(&rechunked(input, grid, at), dtype, at)?);
    }
    if aligned.len() == 1 {
        return Ok(aligned.swap_remove(0));
    }
    let grid = Grid::new(first.grid.axes().iter().enumerate().map(|(other, old)| match &chosen[other] {
        Some(axis) => axis.clone(),
        None if other == axis => Axis::from_lengths(lengths.iter().copied()),
        None => old.clone(),
    }));
    Ok(Expr::new(dtype, grid, Op::Concatenate { axis }, aligned, at))
}
