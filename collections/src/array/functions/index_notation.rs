//! Functions of the user's on blocks that belong together, in index notation.

use std::panic::Location;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};

use crate::array::build::{misfit, rechunked};
use crate::array::dtype::Element;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::functions::map_blocks::{BlockFunction, BlockInfo, one};
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::error::{Error, Result};
use crate::lower::array::{IndexFunction, Label};

type At = &'static Location<'static>;

/// The new length of a chunk for its old one.
type Adjust = Box<dyn Fn(usize) -> usize>;

/// A function on blocks whose axes have names, to be [`call`](Blockwise::call)ed; see [`blockwise`].
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, blockwise};
/// // Each element twice.
/// let x = arange::<i64>(0, 3, 1)?.rechunk(2)?;
/// let twice = blockwise("i", &[(&x, "i")]).adjust_chunks('i', |length| 2 * length).call(|info, blocks| {
///     ndarray::ArrayD::from_shape_fn(ndarray::IxDyn(&info.shape), |at| blocks[0][[at[0] / 2]])
/// })?;
/// assert_eq!(twice.compute()?.into_raw_vec_and_offset().0, [0, 0, 1, 1, 2, 2]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[must_use = "nothing is made before `call`"]
pub struct Blockwise<T> {
    out: Vec<char>,
    arrays: Vec<(Array<T>, Vec<char>)>,
    new: Vec<(char, Vec<usize>)>,
    adjusted: Vec<(char, Adjust)>,
    at: At,
}

/// A function on blocks in index notation, as Dask's `blockwise`: each letter names an axis of the result (`out`) or of the arrays.
///
/// A block of the result is made of the blocks of the arrays at the same chunks of the same axes. An axis that the result has not
/// is contracted: the function gets it whole (Dask's `concatenate=True`), so keep the other chunks small. Axes of one name
/// are cut alike, as the largest array is; along axes of length 1 an array is repeated. [`new_axis`](Blockwise::new_axis) and
/// [`adjust_chunks`](Blockwise::adjust_chunks) say what the arrays do not. One task a block. A slice of the result computes the
/// blocks that it touches. A function cannot leave the process.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, blockwise};
/// use ndarray::Ix2;
/// let x = arange::<f64>(0.0, 6.0, 1.0)?.reshape([2, 3])?.rechunk(1)?;
/// let product = blockwise("ij", &[(&x, "ik"), (&x, "jk")]).call(|_, blocks| {
///     let [a, b] = [0, 1].map(|k| blocks[k].view().into_dimensionality::<Ix2>().expect("two axes"));
///     a.dot(&b.t()).into_dyn()
/// })?;
/// assert_eq!(product.compute()?, ndarray::array![[5.0, 14.0], [14.0, 50.0]].into_dyn());
/// let outer = blockwise("ij", &[(&arange::<i64>(1, 3, 1)?, "i"), (&arange::<i64>(0, 3, 1)?, "j")]).call(|info, blocks| {
///     ndarray::ArrayD::from_shape_fn(ndarray::IxDyn(&info.shape), |at| blocks[0][[at[0]]] * blocks[1][[at[1]]])
/// })?;
/// assert_eq!(outer.compute()?, ndarray::array![[0, 1, 2], [0, 2, 4]].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn blockwise<T: Element>(out: &str, arrays: &[(&Array<T>, &str)]) -> Blockwise<T> {
    let arrays = arrays.iter().map(|(array, names)| ((*array).clone(), names.chars().collect())).collect();
    Blockwise { out: out.chars().collect(), arrays, new: Vec::new(), adjusted: Vec::new(), at: Location::caller() }
}

impl<T: Element> Blockwise<T> {
    /// An axis of the result that no array has, with the lengths of its chunks.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{blockwise, ones};
    /// let x = ones::<f64>([2]);
    /// let y = blockwise("iz", &[(&x, "i")]).new_axis('z', [1, 2]).call(|info, _| ndarray::ArrayD::<f64>::zeros(info.shape.to_vec()))?;
    /// assert_eq!(y.chunks(), [Some(vec![2]), Some(vec![1, 2])]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn new_axis(mut self, name: char, chunks: impl Into<Vec<usize>>) -> Self {
        self.new.push((name, chunks.into()));
        self
    }

    /// Says that chunks of an axis become longer or shorter: `lengths` gives the new length for an old one.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{blockwise, ones};
    /// let x = ones::<f64>([5]).rechunk(2)?;
    /// let firsts = blockwise("i", &[(&x, "i")]).adjust_chunks('i', |_| 1).call(|_, blocks| {
    ///     blocks[0].slice_axis(ndarray::Axis(0), (..1).into()).to_owned()
    /// })?;
    /// assert_eq!(firsts.shape()?, [3]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn adjust_chunks(mut self, name: char, lengths: impl Fn(usize) -> usize + 'static) -> Self {
        self.adjusted.push((name, Box::new(lengths)));
        self
    }

    /// The array that a function makes: it gets where the block of the result is and the blocks of the arrays, in their order.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{blockwise, ones};
    /// let x = ones::<f64>([4, 6]).rechunk([2, 3])?;
    /// let sums = blockwise("i", &[(&x, "ij")]).call(|_, blocks| blocks[0].sum_axis(ndarray::Axis(1)))?;
    /// assert_eq!(sums.compute()?.into_raw_vec_and_offset().0, [6.0; 4]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an array has not one name for each axis or has one twice, lengths of one name differ, a name of the result is nowhere or given twice,
    /// or an axis whose lengths are known only when computed is to be adjusted.
    pub fn call<U, F>(self, function: F) -> Result<Array<U>>
    where
        U: Element,
        F: Fn(&BlockInfo, &[ArrayViewD<'_, T>]) -> ArrayD<U> + Send + Sync + 'static,
    {
        let at = self.at;
        let exprs = self.arrays.iter().map(|(array, _)| array.expr().cloned()).collect::<Result<Vec<_>>>()?;
        let names: Vec<&[char]> = self.arrays.iter().map(|(_, names)| names.as_slice()).collect();
        let (inputs, cuts) = aligned("blockwise", &exprs, &names, at)?;
        let wrong = |reason: String| Err(Error::invalid_at("blockwise", reason, at));
        let mut axes = Vec::with_capacity(self.out.len());
        for (number, name) in self.out.iter().enumerate() {
            if self.out[..number].contains(name) {
                return wrong(format!("the result has the axis {name} twice"));
            }
            let new = self.new.iter().find(|(new, _)| new == name);
            let cut = cuts.iter().find(|(cut, _)| cut == name);
            axes.push(match (cut, new) {
                (Some(_), Some(_)) => return wrong(format!("the axis {name} is not new: an array has it")),
                (None, None) => return wrong(format!("no array has the axis {name}: say its length with new_axis")),
                (None, Some((_, lengths))) => Axis::from_lengths(lengths.iter().copied()),
                (Some((_, axis)), None) => axis.clone(),
            });
            let Some((_, lengths)) = self.adjusted.iter().find(|(adjusted, _)| adjusted == name) else { continue };
            let Some(old) = axes[number].lengths() else {
                return wrong(format!(
                    "the axis {name} has lengths that are known only when computed: persist it first"
                ));
            };
            axes[number] = Axis::from_lengths(old.into_iter().map(lengths));
        }
        let labels = inputs.iter().zip(&names).map(|(input, names)| {
            let label = |(axis, name): (&Axis, &char)| {
                let shared = cuts.iter().any(|(cut, whole)| cut == name && whole == axis);
                match self.out.iter().position(|out| out == name) {
                    _ if !shared => Label::Only,
                    Some(out) => Label::Out(out),
                    None => Label::All,
                }
            };
            input.grid.axes().iter().zip(*names).map(label).collect()
        });
        let labels: Vec<Vec<Label>> = labels.collect();
        let grid = Grid::new(axes);
        if let Some(reason) = grid.excess() {
            return wrong(reason);
        }
        let function = BlockFunction::of_views(function, |function, info, views| Ok(one(function(info, views))));
        let outputs = vec![(grid.clone(), U::DTYPE)];
        let operation = IndexFunction::new("blockwise", function, &inputs, labels, grid.clone(), outputs);
        Ok(Array::from_expr(Expr::new(U::DTYPE, grid, Op::Custom(Arc::new(operation)), inputs, at)))
    }
}

/// Arrays cut alike along axes of one name, as the largest of them is, and how. Where an array has length 1 and others have not, it
/// stays as it is.
#[allow(clippy::type_complexity)]
pub(in crate::array) fn aligned<N: Copy + PartialEq + std::fmt::Display>(
    operation: &str,
    exprs: &[ExprRef],
    names: &[&[N]],
    at: At,
) -> Result<(Vec<ExprRef>, Vec<(N, Axis)>)> {
    let mut cuts: Vec<(N, Axis, u64)> = Vec::new();
    for (number, (expr, names)) in exprs.iter().zip(names).enumerate() {
        let wrong = |reason: String| Err(Error::invalid_at(operation, format!("array {number} {reason}"), at));
        if names.len() != expr.ndim() {
            return wrong(format!("has {} axes and {} names: give each axis one", expr.ndim(), names.len()));
        }
        let length = |axis: &Axis| axis.length().unwrap_or(1_000_000) as u64;
        let bytes = expr.grid.axes().iter().map(length).fold(expr.dtype.size() as u64, u64::saturating_mul);
        for (place, (axis, name)) in expr.grid.axes().iter().zip(*names).enumerate() {
            if names[..place].contains(name) {
                return wrong(format!("has the axis {name} twice: take its diagonal first"));
            }
            let Some((_, known, most)) = cuts.iter_mut().find(|(known, ..)| known == name) else {
                cuts.push((*name, axis.clone(), bytes));
                continue;
            };
            let same = axis.as_long_as(known);
            if same && bytes > *most || !same && known.length() == Some(1) {
                (*known, *most) = (axis.clone(), bytes);
            } else if !same && axis.length() != Some(1) {
                return Err(misfit(operation, exprs, axis, known, at));
            }
        }
    }
    let inputs = exprs.iter().zip(names).map(|(expr, names)| {
        let axes = expr.grid.axes().iter().zip(*names).map(|(axis, name)| {
            let cut = cuts.iter().find(|(cut, ..)| cut == name).map(|(_, cut, _)| cut);
            match (cut, axis.length()) {
                (Some(cut), length) if cut.length() == length => cut.clone(),
                (_, Some(length)) => Axis::whole(length),
                _ => axis.clone(),
            }
        });
        rechunked(expr, Grid::new(axes), at)
    });
    Ok((inputs.collect(), cuts.into_iter().map(|(name, cut, _)| (name, cut)).collect()))
}

impl<T: Element> Array<T> {
    /// Applies a function to each block, as [`map_blocks`](Array::map_blocks) does, where the blocks of the result have other axes: without
    /// those in `drop` (which the function sees whole), and with the `new` ones, each a place among the axes of the result and a length.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use ndarray::Axis;
    /// let x = talatat::array::ones::<f64>([4, 6]).rechunk([2, 3])?;
    /// let sums = x.map_blocks_axes(&[1], &[], |_, block| block.sum_axis(Axis(1)))?;
    /// assert_eq!((sums.compute()?.sum(), sums.chunks()), (24.0, vec![Some(vec![2, 2])]));
    /// let pairs = x.map_blocks_axes(&[], &[(0, 2)], |_, block| {
    ///     ndarray::stack(Axis(0), &[block.view(), block.view()]).expect("one shape")
    /// })?;
    /// assert_eq!(pairs.shape()?, [2, 4, 6]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice, or the array carries an error.
    #[track_caller]
    pub fn map_blocks_axes<U, F>(&self, drop: &[isize], new: &[(usize, usize)], function: F) -> Result<Array<U>>
    where
        U: Element,
        F: Fn(&BlockInfo, ArrayViewD<'_, T>) -> ArrayD<U> + Send + Sync + 'static,
    {
        let at = Location::caller();
        let expr = self.expr()?;
        let wrong = |reason: String| Err(Error::invalid_at("map_blocks", reason, at));
        let mut dropped = vec![false; expr.ndim()];
        for &axis in drop {
            let axis = crate::array::build::axis_number("map_blocks", axis, expr.ndim(), at)?;
            if std::mem::replace(&mut dropped[axis], true) {
                return wrong(format!("axis {axis} is dropped twice"));
            }
        }
        let ndim = expr.ndim() - drop.len() + new.len();
        let mut axes: Vec<Option<Axis>> = vec![None; ndim];
        for &(place, length) in new {
            match axes.get_mut(place) {
                Some(axis @ None) => *axis = Some(Axis::whole(length)),
                Some(_) => return wrong(format!("there are two new axes at {place}")),
                None => return wrong(format!("a new axis at {place} of a result of {ndim} dimensions")),
            }
        }
        let mut free = (0..ndim).filter(|&place| axes[place].is_none()).collect::<Vec<_>>().into_iter();
        let labels: Vec<Label> = dropped
            .iter()
            .map(|dropped| if *dropped { None } else { free.next() }.map_or(Label::All, Label::Out))
            .collect();
        for (label, axis) in labels.iter().zip(expr.grid.axes()) {
            if let Label::Out(place) = label {
                axes[*place] = Some(axis.clone());
            }
        }
        let grid = Grid::new(axes.into_iter().flatten());
        let function = BlockFunction::of_views(function, |function: &F, info, views: &[ArrayViewD<'_, T>]| {
            let first = views.first().ok_or_else(|| talatat_graph::KernelError::new("one block was promised"))?;
            Ok(one(function(info, first.view())))
        });
        let (inputs, outputs) = (vec![expr.clone()], vec![(grid.clone(), U::DTYPE)]);
        let operation = IndexFunction::new("map_blocks", function, &inputs, vec![labels], grid.clone(), outputs);
        Ok(Array::from_expr(Expr::new(U::DTYPE, grid, Op::Custom(Arc::new(operation)), inputs, at)))
    }
}
