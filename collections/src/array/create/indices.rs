//! Arrays of indices, and functions of them.

use std::panic::Location;

use crate::array::build::{known_shape, view};
use crate::array::create::constants::create;
use crate::array::dtype::Element;
use crate::array::expr::ExprRef;
use crate::array::grid::Axis;
use crate::array::handle::Array;
use crate::array::kernels::program::BinaryOp;
use crate::array::shape::reshape::{broadcast, reshape};
use crate::error::Result;

type At = &'static Location<'static>;

/// The index along each axis, for all elements of an array of the given shape: `result[k, i, j, ..]` is the `k`-th of `i, j, ..`.
/// The shape is `[ndim, ..shape]`, the chunks are automatic. A program of the index: it takes no memory and fuses.
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::indices::<i64>([2, 2])?;
/// assert_eq!(x.compute()?, ndarray::array![[[0, 0], [1, 1]], [[0, 1], [0, 1]]].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the array would have more elements than can be counted.
#[track_caller]
pub fn indices<T: Element>(shape: impl AsRef<[usize]>) -> Result<Array<T>> {
    let at = Location::caller();
    let shape = shape.as_ref();
    let whole: Vec<usize> = [shape.len()].into_iter().chain(shape.iter().copied()).collect();
    create("indices", &whole, at, |builder| {
        let number = builder.index(0, &unit(whole.len(), 0))?;
        // The last axis' index, unless it is that of one before.
        let mut value = builder.index(0, &unit(whole.len(), whole.len() - 1))?;
        for axis in 0..shape.len().saturating_sub(1) {
            let this = builder.constant(axis as i64)?;
            let chosen = builder.binary(BinaryOp::Eq, number, this)?;
            let index = builder.index(0, &unit(whole.len(), axis + 1))?;
            value = builder.select(chosen, index, value)?;
        }
        Ok(value)
    })
}

/// [`indices`] as one array for each axis, each of length 1 along all others: an open mesh that is broadcast where it is used.
///
/// ```
/// use talatat::array::indices_sparse;
/// let mesh = indices_sparse::<i64>([2, 3])?;
/// assert_eq!((mesh[0].shape()?, mesh[1].shape()?), (vec![2, 1], vec![1, 3]));
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If an axis has more elements than can be counted.
#[track_caller]
pub fn indices_sparse<T: Element>(shape: impl AsRef<[usize]>) -> Result<Vec<Array<T>>> {
    let at = Location::caller();
    let shape = shape.as_ref();
    let one = |(axis, &length): (usize, &usize)| {
        let mut own = vec![1; shape.len()];
        own[axis] = length;
        create("indices_sparse", &own, at, |builder| builder.index(0, &unit(own.len(), axis)))
    };
    shape.iter().enumerate().map(one).collect()
}

/// Steps along one axis alone.
fn unit(ndim: usize, axis: usize) -> Vec<i64> {
    (0..ndim).map(|other| i64::from(other == axis)).collect()
}

/// A function of the index. It is called once, with an array for each axis that holds the element's index along it, and says with
/// operations on arrays what the element is; NumPy's default for the type of the indices is `f64`. The arrays have the given shape and
/// automatic chunks, take no memory, and fuse with what the function does.
///
/// ```
/// use talatat::prelude::*;
/// let table = talatat::array::fromfunction([3, 3], |i: &[Array<i64>]| (&i[0] + 1) * (&i[1] + 1))?;
/// assert_eq!(table.compute()?, ndarray::array![[1, 2, 3], [2, 4, 6], [3, 6, 9]].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the shape has more elements than can be counted, or what the function gives carries an error.
#[track_caller]
pub fn fromfunction<I: Element, T: Element>(
    shape: impl AsRef<[usize]>,
    function: impl FnOnce(&[Array<I>]) -> Array<T>,
) -> Result<Array<T>> {
    let at = Location::caller();
    let shape = shape.as_ref();
    let one = |axis| create("fromfunction", shape, at, |builder| builder.index(0, &unit(shape.len(), axis)));
    let arguments = (0..shape.len()).map(one).collect::<Result<Vec<_>>>()?;
    let made = function(&arguments);
    made.check()?;
    Ok(made)
}

/// Which of the first two arrays of a [`meshgrid`] goes along which axis.
///
/// ```
/// use talatat::array::Indexing;
/// assert_eq!(Indexing::default(), Indexing::Xy);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Indexing {
    /// As in pictures: the first array goes along the second axis, the second one along the first. NumPy's default.
    #[default]
    Xy,
    /// As in matrices: each array goes along its own axis.
    Ij,
}

/// Coordinates of a grid from the coordinates along its axes: each array repeated along the axes of the others. Arrays have one axis
/// or none; the chunks of the grid are theirs. Nothing is copied before it is read.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{Indexing, arange, meshgrid};
/// let mesh = meshgrid(&[arange::<i64>(0, 3, 1)?, arange(0, 2, 1)?], Indexing::Xy)?;
/// assert_eq!(mesh[0].compute()?, ndarray::array![[0, 1, 2], [0, 1, 2]].into_dyn());
/// assert_eq!(mesh[1].compute()?, ndarray::array![[0, 0, 0], [1, 1, 1]].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a length is known only when computed, or the grid has more elements than can be counted.
#[track_caller]
pub fn meshgrid<T: Element>(arrays: &[Array<T>], indexing: Indexing) -> Result<Vec<Array<T>>> {
    mesh("meshgrid", arrays, indexing, true, Location::caller())
}

/// [`meshgrid`] with length 1 along the axes of the others: an open mesh that is broadcast where it is used.
///
/// ```
/// use talatat::array::{Indexing, ones, meshgrid_sparse};
/// let mesh = meshgrid_sparse(&[ones::<f64>([3]), ones([2])], Indexing::Xy)?;
/// assert_eq!((mesh[0].shape()?, mesh[1].shape()?), (vec![1, 3], vec![2, 1]));
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If a length is known only when computed.
#[track_caller]
pub fn meshgrid_sparse<T: Element>(arrays: &[Array<T>], indexing: Indexing) -> Result<Vec<Array<T>>> {
    mesh("meshgrid_sparse", arrays, indexing, false, Location::caller())
}

fn mesh<T: Element>(
    operation: &str,
    arrays: &[Array<T>],
    indexing: Indexing,
    dense: bool,
    at: At,
) -> Result<Vec<Array<T>>> {
    let ndim = arrays.len();
    let place = |number: usize| if indexing == Indexing::Xy && ndim > 1 && number < 2 { 1 - number } else { number };
    let mut axes = vec![Axis::whole(1); ndim];
    let mut flat: Vec<ExprRef> = Vec::with_capacity(ndim);
    for (number, array) in arrays.iter().enumerate() {
        let expr = array.expr()?;
        known_shape(operation, expr, at)?;
        let expr = reshape(operation, expr, &[-1], at)?;
        axes[place(number)] = expr.grid.axes()[0].clone();
        flat.push(expr);
    }
    let spread = |(number, expr): (usize, &ExprRef)| {
        let order: Vec<Option<usize>> = (0..ndim).map(|axis| (axis == place(number)).then_some(0)).collect();
        let open = view(operation, expr, &order, at)?;
        Ok(Array::from_expr(if dense { broadcast(operation, &open, &axes, at)? } else { open }))
    };
    flat.iter().enumerate().map(spread).collect()
}
