//! Several arrays become one, or of one shape.

use std::panic::Location;

use crate::array::build::{known_shape, view};
use crate::array::dtype::Element;
use crate::array::expr::ExprRef;
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::shape::arrange::at_least;
use crate::array::shape::reshape::{broadcast, concatenate_exprs};
use crate::error::{Error, Result};

type At = &'static Location<'static>;

fn exprs<T: Element>(arrays: &[Array<T>]) -> Result<Vec<ExprRef>> {
    arrays.iter().map(|array| array.expr().cloned()).collect()
}

/// Arrays side by side: one after the other along the second axis, or along the only one of arrays with one axis. Blocks are not
/// copied; the chunks are those of [`concatenate`](crate::array::concatenate).
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{hstack, ones, zeros};
/// assert_eq!(hstack(&[ones::<f64>([2]), zeros([3])])?.shape()?, [5]);
/// assert_eq!(hstack(&[ones::<f64>([2, 1]), zeros([2, 3])])?.shape()?, [2, 4]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If there are no arrays, or their other axes differ.
#[track_caller]
pub fn hstack<T: Element>(arrays: &[Array<T>]) -> Result<Array<T>> {
    let at = Location::caller();
    let arrays = exprs(arrays)?.iter().map(|expr| at_least("hstack", expr, 1, at)).collect::<Result<Vec<_>>>()?;
    let axis = if arrays.first().is_some_and(|expr| expr.ndim() == 1) { 0 } else { 1 };
    Ok(Array::from_expr(concatenate_exprs("hstack", arrays, axis, T::DTYPE, at)?))
}

/// Arrays on top of each other: one after the other along the first axis; an array with one axis is a row. Blocks are not copied;
/// the chunks are those of [`concatenate`](crate::array::concatenate).
///
/// ```
/// use talatat::array::{ones, vstack, zeros};
/// assert_eq!(vstack(&[ones::<f64>([3]), zeros([3])])?.shape()?, [2, 3]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If there are no arrays, or their other axes differ.
#[track_caller]
pub fn vstack<T: Element>(arrays: &[Array<T>]) -> Result<Array<T>> {
    let at = Location::caller();
    let arrays = exprs(arrays)?.iter().map(|expr| at_least("vstack", expr, 2, at)).collect::<Result<Vec<_>>>()?;
    Ok(Array::from_expr(concatenate_exprs("vstack", arrays, 0, T::DTYPE, at)?))
}

/// Arrays behind each other: one after the other along the third axis, which arrays with fewer axes get. Blocks are not copied; the
/// chunks are those of [`concatenate`](crate::array::concatenate).
///
/// ```
/// use talatat::array::{dstack, ones, zeros};
/// assert_eq!(dstack(&[ones::<f64>([3]), zeros([3])])?.shape()?, [1, 3, 2]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If there are no arrays, or their other axes differ.
#[track_caller]
pub fn dstack<T: Element>(arrays: &[Array<T>]) -> Result<Array<T>> {
    let at = Location::caller();
    let deep = |expr: &ExprRef| match expr.ndim() {
        0 => view("dstack", expr, &[None, None, None], at),
        1 => view("dstack", expr, &[None, Some(0), None], at),
        2 => view("dstack", expr, &[Some(0), Some(1), None], at),
        _ => Ok(expr.clone()),
    };
    let arrays = exprs(arrays)?.iter().map(deep).collect::<Result<Vec<_>>>()?;
    Ok(Array::from_expr(concatenate_exprs("dstack", arrays, 2, T::DTYPE, at)?))
}

/// Arrays in nested lists, for [`block`]. Made from arrays, references to them, and lists of what it is made from.
///
/// ```
/// use talatat::array::{Nested, ones};
/// let row: Nested<f64> = [ones::<f64>([2]), ones([3])].into();
/// assert!(matches!(row, Nested::List(list) if list.len() == 2));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Nested<T> {
    /// An array.
    Array(Array<T>),
    /// A list.
    List(Vec<Nested<T>>),
}

impl<T> From<Array<T>> for Nested<T> {
    fn from(array: Array<T>) -> Self {
        Nested::Array(array)
    }
}

impl<T> From<&Array<T>> for Nested<T> {
    fn from(array: &Array<T>) -> Self {
        Nested::Array(array.clone())
    }
}

impl<T, B: Into<Nested<T>>> From<Vec<B>> for Nested<T> {
    fn from(list: Vec<B>) -> Self {
        Nested::List(list.into_iter().map(Into::into).collect())
    }
}

impl<T, B: Into<Nested<T>>, const N: usize> From<[B; N]> for Nested<T> {
    fn from(list: [B; N]) -> Self {
        Nested::List(list.into_iter().map(Into::into).collect())
    }
}

impl<T: Element> Nested<T> {
    /// How deep the lists are, and the most axes of an array; all must be equally deep.
    fn measure(&self, at: At) -> Result<(usize, usize)> {
        let list = match self {
            Nested::Array(array) => return Ok((0, array.expr()?.ndim())),
            Nested::List(list) => list,
        };
        let mut all: Option<(usize, usize)> = None;
        for entry in list {
            let (depth, ndim) = entry.measure(at)?;
            match &mut all {
                None => all = Some((depth, ndim)),
                Some((first, _)) if *first != depth => {
                    let reason = format!("arrays {first} and {depth} lists deep: put all equally deep");
                    return Err(Error::invalid_at("block", reason, at));
                }
                Some((_, most)) => *most = ndim.max(*most),
            }
        }
        let (depth, ndim) = all.ok_or_else(|| Error::invalid_at("block", "an empty list: leave it out", at))?;
        Ok((depth + 1, ndim))
    }

    /// Lists are joined along the last axes, the innermost along the last one.
    fn join(&self, depth: usize, ndim: usize, at: At) -> Result<ExprRef> {
        match self {
            Nested::Array(array) => at_least("block", array.expr()?, ndim, at),
            Nested::List(list) => {
                let parts = list.iter().map(|entry| entry.join(depth - 1, ndim, at)).collect::<Result<Vec<_>>>()?;
                concatenate_exprs("block", parts, -(depth as isize), T::DTYPE, at)
            }
        }
    }
}

/// An array of blocks in nested lists: the innermost lists are joined along the last axis, those around them along the one before,
/// and so on. Arrays with fewer axes get axes of length 1 in front. Blocks are not copied; the chunks are those of
/// [`concatenate`](crate::array::concatenate).
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{block, eye, full, ones, zeros};
/// let x = block([[eye::<i64>(2, 2, 0), zeros([2, 1])], [full([1, 2], 5), ones([1, 1])]])?;
/// assert_eq!(x.compute()?, ndarray::array![[1, 0, 0], [0, 1, 0], [5, 5, 1]].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a list is empty, arrays are not equally deep, or shapes do not fit.
#[track_caller]
pub fn block<T: Element>(arrays: impl Into<Nested<T>>) -> Result<Array<T>> {
    let at = Location::caller();
    let nested = arrays.into();
    let (depth, ndim) = nested.measure(at)?;
    Ok(Array::from_expr(nested.join(depth, ndim.max(depth), at)?))
}

/// The arrays repeated to one shape by NumPy's rules, without a copy, and cut alike: along each axis as the largest of those that are
/// not repeated along it.
///
/// ```
/// use talatat::array::{broadcast_arrays, ones};
/// let both = broadcast_arrays(&[ones::<f64>([3, 1]), ones([4])])?;
/// assert_eq!((both[0].shape()?, both[1].shape()?), (vec![3, 4], vec![3, 4]));
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the shapes do not match, or a length is known only when computed.
#[track_caller]
pub fn broadcast_arrays<T: Element>(arrays: &[Array<T>]) -> Result<Vec<Array<T>>> {
    let at = Location::caller();
    let exprs = exprs(arrays)?;
    let grid = common(&exprs, at)?;
    let repeated = exprs.iter().map(|expr| {
        let repeated = broadcast("broadcast_arrays", expr, grid.axes(), at)?;
        Ok(Array::from_expr(crate::array::build::rechunked(&repeated, grid.clone(), at)))
    });
    repeated.collect()
}

/// The grid of arrays that are repeated to one shape.
fn common(exprs: &[ExprRef], at: At) -> Result<Grid> {
    let ndim = exprs.iter().map(|expr| expr.ndim()).max().unwrap_or(0);
    let mut chosen: Vec<(Axis, usize)> = vec![(Axis::whole(1), 0); ndim];
    for expr in exprs {
        let shape = known_shape("broadcast_arrays", expr, at)?;
        let elements: usize = shape.iter().product();
        for (number, axis) in expr.grid.axes().iter().enumerate() {
            let (best, most) = &mut chosen[ndim - shape.len() + number];
            let (own, other) = (axis.length(), best.length());
            if own != other && own != Some(1) && other != Some(1) {
                let shapes: Vec<String> = exprs.iter().map(|expr| crate::array::grid::shape_text(&expr.grid)).collect();
                let reason =
                    format!("shapes {} do not match: axes must be equal, or 1 to be repeated", shapes.join(" and "));
                return Err(Error::invalid_at("broadcast_arrays", reason, at));
            }
            if other == Some(1) && own != Some(1) || own == other && elements > *most {
                (*best, *most) = (axis.clone(), elements);
            }
        }
    }
    Ok(Grid::new(chosen.into_iter().map(|(axis, _)| axis)))
}
