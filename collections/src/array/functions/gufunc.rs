//! Functions of the user's on some axes, repeated over all others: NumPy's generalised functions and `apply_along_axis`.

use std::panic::Location;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayView1, ArrayViewD, ArrayViewMutD, Axis as NdAxis, IxDyn};
use talatat_graph::{KernelError, KernelResult};

use crate::array::build::{axis_number, known_shape, rechunked};
use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::functions::index_notation::aligned;
use crate::array::functions::map_blocks::{BlockFunction, Results, one};
use crate::array::gather::with_axis;
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::kernels::Block;
use crate::error::{Error, Result};
use crate::lower::array::{IndexFunction, Label, Part};

type At = &'static Location<'static>;

/// Applies a function to the last axes of arrays, as its signature says, and repeats it over the others: NumPy's generalised
/// functions, Dask's `apply_gufunc` with `vectorize=True`.
///
/// The signature names the core axes of each array and of the result, `"(i,j),(j)->(i)"`; a number is an axis of that length. The
/// function gets the core axes alone, as many times as the other axes have indices; those are repeated to match as
/// NumPy does it. Core axes are put in one chunk. `sizes` are the lengths of core axes that only the result has. One task a
/// block. A function cannot leave the process.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{apply_gufunc, arange};
/// let x = arange::<f64>(0.0, 6.0, 1.0)?.reshape([3, 2])?.rechunk(1)?;
/// let y = arange::<f64>(1.0, 3.0, 1.0)?;
/// let products = apply_gufunc("(i),(i)->()", &[&x, &y], &[], |cores| {
///     ndarray::arr0((&cores[0] * &cores[1]).sum()).into_dyn()
/// })?;
/// assert_eq!(products.compute()?.into_raw_vec_and_offset().0, [2.0, 8.0, 14.0]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the signature cannot be read, does not fit the arrays or has not one result, a size is missing, or a core axis has a length that is known
/// only when computed.
#[track_caller]
pub fn apply_gufunc<T, U, F>(
    signature: &str,
    arrays: &[&Array<T>],
    sizes: &[(&str, usize)],
    function: F,
) -> Result<Array<U>>
where
    T: Element,
    U: Element,
    F: Fn(&[ArrayViewD<'_, T>]) -> ArrayD<U> + Send + Sync + 'static,
{
    let at = Location::caller();
    let call = |function: &F, cores: &[ArrayViewD<'_, T>]| vec![function(cores)];
    let mut results = gufunc(signature, arrays, sizes, at, function, call)?;
    match (results.pop(), results.len()) {
        (Some(only), 0) => Ok(only),
        (_, others) => {
            let reason = format!("{signature:?} has {} results: call apply_gufunc_all", others + 1);
            Err(Error::invalid_at("apply_gufunc", reason, at))
        }
    }
}

/// As [`apply_gufunc`], for functions of several results, `"(i)->(),()"`: they are computed together.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{apply_gufunc_all, arange};
/// let x = arange::<i64>(0, 6, 1)?.reshape([2, 3])?.rechunk(1)?;
/// let ends = apply_gufunc_all("(i)->(),()", &[&x], &[], |cores| {
///     let (first, last) = (cores[0][[0]], cores[0][[cores[0].len() - 1]]);
///     vec![ndarray::arr0(first).into_dyn(), ndarray::arr0(last).into_dyn()]
/// })?;
/// assert_eq!(ends[0].compute()?.into_raw_vec_and_offset().0, [0, 3]);
/// assert_eq!(ends[1].compute()?.into_raw_vec_and_offset().0, [2, 5]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// As [`apply_gufunc`].
#[track_caller]
pub fn apply_gufunc_all<T, U, F>(
    signature: &str,
    arrays: &[&Array<T>],
    sizes: &[(&str, usize)],
    function: F,
) -> Result<Vec<Array<U>>>
where
    T: Element,
    U: Element,
    F: Fn(&[ArrayViewD<'_, T>]) -> Vec<ArrayD<U>> + Send + Sync + 'static,
{
    gufunc(signature, arrays, sizes, Location::caller(), function, |function, cores| function(cores))
}

/// The core axes of each argument and of each result.
type Signature<'a> = (Vec<Vec<&'a str>>, Vec<Vec<&'a str>>);

/// Reads a signature.
fn parse(signature: &str) -> Option<Signature<'_>> {
    let (inputs, outputs) = signature.split_once("->")?;
    let names = |list: &'_ str| -> bool {
        list.is_empty()
            || list.split(',').all(|name| {
                let name = name.trim();
                !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
            })
    };
    fn lists(text: &str, names: impl Fn(&str) -> bool) -> Option<Vec<Vec<&str>>> {
        let mut found = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (list, after) = rest.strip_prefix('(')?.split_once(')')?;
            let list = list.trim();
            if !names(list) {
                return None;
            }
            found.push(if list.is_empty() { Vec::new() } else { list.split(',').map(str::trim).collect() });
            rest = after.trim();
            if !rest.is_empty() {
                rest = rest.strip_prefix(',')?.trim();
                if rest.is_empty() {
                    return None;
                }
            }
        }
        Some(found)
    }
    let (inputs, outputs) = (lists(inputs, names)?, lists(outputs, names)?);
    (!outputs.is_empty()).then_some((inputs, outputs))
}

fn gufunc<T, U, F, C>(
    signature: &str,
    arrays: &[&Array<T>],
    sizes: &[(&str, usize)],
    at: At,
    function: F,
    call: C,
) -> Result<Vec<Array<U>>>
where
    T: Element,
    U: Element,
    F: Send + Sync + 'static,
    C: Fn(&F, &[ArrayViewD<'_, T>]) -> Vec<ArrayD<U>> + Send + Sync + 'static,
{
    const NAME: &str = "apply_gufunc";
    let wrong = |reason: String| Error::invalid_at(NAME, reason, at);
    let (cores, results) = parse(signature)
        .ok_or_else(|| wrong(format!("{signature:?} is no signature: write one like \"(i,j),(j)->(i)\"")))?;
    if cores.len() != arrays.len() {
        return Err(wrong(format!("{signature:?} is for {} arrays, {} were given", cores.len(), arrays.len())));
    }
    let mut lengths: Vec<(&str, usize)> = sizes.to_vec();
    let mut inputs = Vec::with_capacity(arrays.len());
    for (number, (array, names)) in arrays.iter().zip(&cores).enumerate() {
        let expr = array.expr()?;
        let Some(loops) = expr.ndim().checked_sub(names.len()) else {
            return Err(wrong(format!("array {number} has {} axes, {signature:?} names {}", expr.ndim(), names.len())));
        };
        let mut grid = expr.grid.clone();
        for (axis, name) in (loops..expr.ndim()).zip(names) {
            let length = grid.axes()[axis].length().ok_or_else(|| {
                wrong(format!(
                    "axis {axis} of array {number} has a length that is known only when computed: call persist first"
                ))
            })?;
            let known =
                name.parse().ok().or(lengths.iter().find(|(known, _)| known == name).map(|(_, length)| *length));
            match known {
                None => lengths.push((name, length)),
                Some(known) if known == length => {}
                Some(known) => {
                    return Err(wrong(format!(
                        "axis {name} is {length} long in array {number}, and {known} elsewhere"
                    )));
                }
            }
            grid = with_axis(&grid, axis, Axis::whole(length));
        }
        inputs.push(rechunked(expr, grid, at));
    }
    let shape = |names: &Vec<&str>| -> Result<Vec<usize>> {
        let length = |name: &&str| {
            let known =
                name.parse().ok().or(lengths.iter().find(|(known, _)| known == name).map(|(_, length)| *length));
            known.ok_or_else(|| wrong(format!("how long is axis {name} of the result? Give it among the sizes")))
        };
        names.iter().map(length).collect()
    };
    let shapes: Vec<Vec<usize>> = results.iter().map(shape).collect::<Result<_>>()?;
    // The axes that the function is repeated over, counted from the end.
    let loops: Vec<usize> = inputs.iter().zip(&cores).map(|(input, names)| input.ndim() - names.len()).collect();
    let most = loops.iter().copied().max().unwrap_or(0);
    // Names for all axes: the repeated ones by their place, the core ones of each array by themselves.
    let names: Vec<Vec<usize>> = inputs
        .iter()
        .zip(&loops)
        .enumerate()
        .map(|(number, (input, &loops))| {
            let core = |axis: usize| most + 64 * (number + 1) + axis;
            (0..input.ndim()).map(|axis| if axis < loops { axis + most - loops } else { core(axis) }).collect()
        })
        .collect();
    let names: Vec<&[usize]> = names.iter().map(Vec::as_slice).collect();
    let (inputs, cuts) = aligned(NAME, &inputs, &names, at)?;
    let repeated: Vec<Axis> = (0..most)
        .map(|place| {
            cuts.iter().find(|(name, _)| *name == place).map_or_else(|| Axis::whole(1), |(_, axis)| axis.clone())
        })
        .collect();
    let labels = inputs.iter().zip(&loops).map(|(input, &loops)| {
        let label = |(number, axis): (usize, &Axis)| {
            let place = number + most - loops;
            if number < loops && *axis == repeated[place] { Label::Out(place) } else { Label::Only }
        };
        input.grid.axes().iter().enumerate().map(label).collect()
    });
    let labels: Vec<Vec<Label>> = labels.collect();
    let grid =
        |shape: &Vec<usize>| Grid::new(repeated.iter().cloned().chain(shape.iter().map(|&length| Axis::whole(length))));
    let outputs: Vec<(Grid, DType)> = shapes.iter().map(|shape| (grid(shape), U::DTYPE)).collect();
    if let Some(reason) = outputs.iter().find_map(|(grid, _)| grid.excess()) {
        return Err(wrong(reason));
    }
    let function = BlockFunction::of_views(function, move |function, _, views: &[ArrayViewD<'_, T>]| {
        over_loops(views, &loops, most, &shapes, |cores| call(function, cores))
    });
    let first = outputs[0].0.clone();
    let several = outputs.clone();
    let operation = IndexFunction::new(NAME, function, &inputs, labels, first.clone(), outputs);
    let whole = Expr::new(U::DTYPE, first, Op::Custom(Arc::new(operation)), inputs, at);
    Ok(parts(&whole, several.into_iter().map(|(grid, _)| grid)).map(Array::from_expr).collect())
}

/// The arrays that an operation of several results makes.
pub(in crate::array) fn parts(
    whole: &ExprRef,
    grids: impl ExactSizeIterator<Item = Grid>,
) -> impl Iterator<Item = ExprRef> {
    let only = grids.len() == 1;
    grids.enumerate().map(move |(number, grid)| {
        if only {
            return whole.clone();
        }
        let op = Op::Custom(Arc::new(Part { number: number as u32 }));
        Expr::new(whole.dtype, grid, op, [whole.clone()], whole.location)
    })
}

/// Calls a function for the core axes at each index of the others, and puts the results together.
fn over_loops<T: Element, U: Element>(
    views: &[ArrayViewD<'_, T>],
    loops: &[usize],
    most: usize,
    shapes: &[Vec<usize>],
    call: impl Fn(&[ArrayViewD<'_, T>]) -> Vec<ArrayD<U>>,
) -> KernelResult<Results> {
    let mut shape = vec![1; most];
    for (view, &loops) in views.iter().zip(loops) {
        for (axis, &length) in view.shape()[..loops].iter().enumerate() {
            let place = &mut shape[axis + most - loops];
            if length != 1 {
                *place = length;
            }
        }
    }
    let mut results: Vec<ArrayD<U>> =
        shapes.iter().map(|core| ArrayD::default(IxDyn(&[shape.as_slice(), core].concat()))).collect();
    for index in ndarray::indices(IxDyn(&shape)) {
        let cores: Vec<ArrayViewD<'_, T>> = views
            .iter()
            .zip(loops)
            .map(|(view, &loops)| {
                (0..loops).fold(view.clone(), |view, axis| {
                    let at = if view.len_of(NdAxis(0)) == 1 { 0 } else { index[axis + most - loops] };
                    view.index_axis_move(NdAxis(0), at)
                })
            })
            .collect();
        let found = call(&cores);
        if found.len() != results.len() {
            let (found, expected) = (found.len(), results.len());
            return Err(KernelError::new(format!("the function gave {found} results where {expected} were promised")));
        }
        for (found, result) in found.iter().zip(&mut results) {
            let target = (0..most).fold(result.view_mut(), |view, axis| view.index_axis_move(NdAxis(0), index[axis]));
            put(found, target)?;
        }
    }
    Ok(results.into_iter().map(Block::from_array).collect())
}

fn put<U: Element>(found: &ArrayD<U>, mut target: ArrayViewMutD<'_, U>) -> KernelResult<()> {
    if found.shape() != target.shape() {
        let (found, expected) = (found.shape(), target.shape());
        return Err(KernelError::new(format!("the function gave the shape {found:?} where {expected:?} was promised")));
    }
    target.assign(found);
    Ok(())
}

impl<T: Element> Array<T> {
    /// NumPy's `apply_along_axis`: a function of the elements along an axis, for each line of them. The result has the axes of `shape`, that of what
    /// the function gives, in the place of the axis.
    ///
    /// The axis is put in one chunk; one task a block. A function cannot leave the process.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 6, 1)?.reshape([2, 3])?.rechunk(1)?;
    /// let ends = x.apply_along_axis(0, [2], |line| ndarray::array![line[line.len() - 1], line[0]].into_dyn())?;
    /// assert_eq!(ends.compute()?, ndarray::array![[3, 4, 5], [0, 1, 2]].into_dyn());
    /// let spans = x.apply_along_axis(-1, [], |line| ndarray::arr0(line[2] - line[0]).into_dyn())?;
    /// assert_eq!(spans.compute()?.into_raw_vec_and_offset().0, [2, 2]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or empty, or a length is known only when computed.
    #[track_caller]
    pub fn apply_along_axis<U, F>(&self, axis: isize, shape: impl AsRef<[usize]>, function: F) -> Result<Array<U>>
    where
        U: Element,
        F: Fn(ArrayView1<'_, T>) -> ArrayD<U> + Send + Sync + 'static,
    {
        const NAME: &str = "apply_along_axis";
        let at = Location::caller();
        let expr = self.expr()?;
        let axis = axis_number(NAME, axis, expr.ndim(), at)?;
        let length = known_shape(NAME, expr, at)?[axis];
        if length == 0 {
            return Err(Error::invalid_at(NAME, format!("axis {axis} is empty: there are no lines along it"), at));
        }
        let input = rechunked(expr, with_axis(&expr.grid, axis, Axis::whole(length)), at);
        let core: Vec<usize> = shape.as_ref().to_vec();
        let (before, after) = (&input.grid.axes()[..axis], &input.grid.axes()[axis + 1..]);
        let middle = core.iter().map(|&length| Axis::whole(length));
        let grid = Grid::new(before.iter().cloned().chain(middle).chain(after.iter().cloned()));
        if let Some(reason) = grid.excess() {
            return Err(Error::invalid_at(NAME, reason, at));
        }
        let label = |number: usize| match number.cmp(&axis) {
            std::cmp::Ordering::Less => Label::Out(number),
            std::cmp::Ordering::Equal => Label::Only,
            std::cmp::Ordering::Greater => Label::Out(number - 1 + core.len()),
        };
        let labels = vec![(0..input.ndim()).map(label).collect()];
        let dims = core.len();
        let function = BlockFunction::of_views(function, move |function: &F, info, views: &[ArrayViewD<'_, T>]| {
            let view = views.first().ok_or_else(|| KernelError::new("one block was promised"))?;
            let mut result = ArrayD::<U>::default(IxDyn(&info.shape));
            let others: Vec<usize> =
                (0..info.shape.len()).filter(|place| !(axis..axis + dims).contains(place)).collect();
            let shape: Vec<usize> = others.iter().map(|&place| info.shape[place]).collect();
            for (index, line) in ndarray::indices(IxDyn(&shape)).into_iter().zip(view.lanes(NdAxis(axis))) {
                let mut target = result.view_mut();
                // From the last axis on, so that the places of the others stay.
                for (number, &place) in others.iter().enumerate().rev() {
                    target = target.index_axis_move(NdAxis(place), index[number]);
                }
                put(&function(line), target)?;
            }
            Ok(one(result))
        });
        let (inputs, outputs) = (vec![input], vec![(grid.clone(), U::DTYPE)]);
        let operation = IndexFunction::new(NAME, function, &inputs, labels, grid.clone(), outputs);
        Ok(Array::from_expr(Expr::new(U::DTYPE, grid, Op::Custom(Arc::new(operation)), inputs, at)))
    }
}
