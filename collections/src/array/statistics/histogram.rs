//! Elements counted by bins.

use std::panic::Location;
use std::sync::Arc;

use ndarray::{Array1, ArrayD};
use smallvec::smallvec;

use crate::array::build::{cast, elementwise, invalid, known_shape, only_real, rechunked, view};
use crate::array::create::constants::{from_ndarray, full};
use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Grid, shape_text};
use crate::array::handle::Array;
use crate::array::kernels::bins::{Binning, uniform_edges};
use crate::array::kernels::local::LocalOp;
use crate::array::kernels::program::BinaryOp;
use crate::array::kernels::reduce::ReduceOp;
use crate::array::statistics::difference::differences;
use crate::array::statistics::reduce::{Axes, axis, reduce};
use crate::error::{Error, Result};
use crate::lower::array::{Bins as Counted, OnBlocks};

type At = &'static Location<'static>;

/// The bins of a histogram: how many equal ones, or their edges. A bin has its left edge, the last one both.
///
/// Made from a number, from edges (numbers, or an array of one axis), or by [`bins`] where a range is to be given.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, bins};
/// let x = arange::<i64>(0, 10, 1)?;
/// assert_eq!(x.histogram(3)?.0.compute()?, ndarray::array![3, 3, 4].into_dyn());
/// assert_eq!(x.histogram(vec![0.0, 1.0, 5.0])?.0.compute()?, ndarray::array![1, 5].into_dyn());
/// assert_eq!(x.histogram(bins(2).range(0.0, 4.0))?.0.compute()?, ndarray::array![2, 3].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bins(How);

#[derive(Clone, Debug)]
enum How {
    Equal { count: usize, range: Option<(f64, f64)> },
    Edges(Vec<f64>),
    Lazy(Array<f64>),
}

/// So many equal bins, from the smallest element to the largest unless [`Bins::range`] says otherwise.
///
/// ```
/// use talatat::array::{bins, uniform};
/// let x = uniform(0.0, 1.0, [1000], 7)?;
/// assert_eq!(x.histogram(bins(20).range(0.0, 1.0))?.0.shape()?, [20]);
/// # Ok::<(), talatat::Error>(())
/// ```
pub fn bins(count: usize) -> Bins {
    Bins(How::Equal { count, range: None })
}

impl Bins {
    /// Equal bins from `low` to `high`; elements outside are not counted. With a range, the array is read once, else twice. Edges that were
    /// given stay what they are.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, bins};
    /// let (counts, edges) = arange::<f64>(0.0, 10.0, 1.0)?.histogram(bins(2).range(0.0, 4.0))?;
    /// assert_eq!(counts.compute()?, ndarray::array![2, 3].into_dyn());
    /// assert_eq!(edges.compute()?, ndarray::array![0.0, 2.0, 4.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn range(self, low: f64, high: f64) -> Bins {
        match self.0 {
            How::Equal { count, .. } => Bins(How::Equal { count, range: Some((low, high)) }),
            given => Bins(given),
        }
    }
}

impl From<usize> for Bins {
    fn from(count: usize) -> Self {
        bins(count)
    }
}

impl From<Vec<f64>> for Bins {
    fn from(edges: Vec<f64>) -> Self {
        Bins(How::Edges(edges))
    }
}

impl<const N: usize> From<[f64; N]> for Bins {
    fn from(edges: [f64; N]) -> Self {
        Bins(How::Edges(edges.into()))
    }
}

impl From<Array<f64>> for Bins {
    fn from(edges: Array<f64>) -> Self {
        Bins(How::Lazy(edges))
    }
}

impl From<&Array<f64>> for Bins {
    fn from(edges: &Array<f64>) -> Self {
        Bins(How::Lazy(edges.clone()))
    }
}

/// The edges of one coordinate, as `float64` in one chunk.
struct Edges {
    expr: ExprRef,
    count: usize,
    uniform: bool,
}

/// Edges for an array: rounded to its type if that is a float.
fn edges_of(operation: &str, bins: &Bins, of: &ExprRef, at: At) -> Result<Edges> {
    let rounded = |expr: &ExprRef| cast(&cast(expr, of.dtype.float(), at)?, DType::F64, at);
    let given = |edges: Vec<f64>| -> Result<ExprRef> {
        let edges: ArrayD<f64> = Array1::from(edges).into_dyn();
        Ok(from_ndarray(edges, -1)?.expr()?.clone())
    };
    let wrong = |reason: String| Error::invalid_at(operation, reason, at);
    let ascending = |edges: &[f64]| {
        let order = edges.windows(2).find(|pair| !matches!(pair, [a, b] if a <= b));
        let reason = |pair: &[f64]| format!("the edge {} comes after {}: edges must ascend", pair[1], pair[0]);
        order.map_or(Ok(()), |pair| Err(wrong(reason(pair))))
    };
    match &bins.0 {
        How::Edges(edges) => {
            if edges.len() < 2 {
                return Err(wrong(format!("{} edges: give two or more", edges.len())));
            }
            ascending(edges)?;
            Ok(Edges { count: edges.len() - 1, expr: given(edges.clone())?, uniform: false })
        }
        How::Lazy(edges) => {
            let edges = edges.expr()?;
            let shape = known_shape(operation, edges, at)?;
            let count = match shape.as_slice() {
                [length] if *length >= 2 => length - 1,
                _ => return Err(wrong(format!("edges of shape {shape:?}: give one axis with two or more"))),
            };
            Ok(Edges { count, expr: rechunked(edges, Grid::whole(&shape), at), uniform: false })
        }
        How::Equal { count, range: Some((low, high)) } => {
            let edges = uniform_edges(*count, *low, *high).map_err(|error| invalid(operation, &error, at))?;
            Ok(Edges { expr: rounded(&given(edges)?)?, count: *count, uniform: true })
        }
        // As NumPy, nothing lies between 0 and 1.
        How::Equal { count, range: None } if of.grid.axes().iter().any(|axis| axis.length() == Some(0)) => {
            edges_of(operation, &Bins(How::Equal { count: *count, range: Some((0.0, 1.0)) }), of, at)
        }
        How::Equal { count, range: None } => {
            if *count == 0 {
                return Err(wrong("0 bins: give at least one".into()));
            }
            let all = Axes::from(..);
            let ends = vec![reduce(of, ReduceOp::Min, &all, at)?, reduce(of, ReduceOp::Max, &all, at)?];
            let operation =
                OnBlocks { op: LocalOp::UniformEdges { bins: *count }, reads: vec![smallvec![], smallvec![]] };
            let grid = Grid::whole(&[*count + 1]);
            let expr = Expr::new(DType::F64, grid, Op::Custom(Arc::new(operation)), ends, at);
            Ok(Edges { expr: rounded(&expr)?, count: *count, uniform: true })
        }
    }
}

/// The counts of points by bins, or the sums of their weights, with the edges of each coordinate.
fn counted(
    operation: &str,
    points: &[ExprRef],
    bins: &[Bins],
    weights: Option<&ExprRef>,
    at: At,
) -> Result<(ExprRef, Vec<Edges>)> {
    points.iter().chain(weights).try_for_each(|expr| only_real(operation, expr, at))?;
    let Some(first) = points.first() else {
        return Err(Error::invalid_at(operation, "no coordinates: give at least one array", at));
    };
    let bins = match bins {
        [one] => std::iter::repeat_n(one, points.len()).collect::<Vec<_>>(),
        bins if bins.len() == points.len() => bins.iter().collect(),
        bins => {
            let reason = format!("bins for {} coordinates where there are {}", bins.len(), points.len());
            return Err(Error::invalid_at(operation, reason, at));
        }
    };
    let mut inputs = Vec::with_capacity(2 * points.len() + 1);
    for array in points.iter().chain(weights) {
        let same = |(a, b): (&Axis, &Axis)| a.as_long_as(b);
        if array.ndim() != first.ndim() || !array.grid.axes().iter().zip(first.grid.axes()).all(same) {
            let (a, b) = (shape_text(&first.grid), shape_text(&array.grid));
            return Err(Error::invalid_at(operation, format!("shapes {a} and {b}: they must be equal"), at));
        }
        let array = if array.dtype == DType::Bool { cast(array, DType::U8, at)? } else { array.clone() };
        inputs.push(rechunked(&array, first.grid.clone(), at));
    }
    let edges: Vec<Edges> = (bins.into_iter().zip(&inputs))
        .map(|(bins, points)| edges_of(operation, bins, points, at))
        .collect::<Result<_>>()?;
    inputs.extend(edges.iter().map(|edges| edges.expr.clone()));
    let weighted = weights.is_some();
    let binning = Binning::Edges { uniform: edges.iter().map(|edges| edges.uniform).collect(), weighted };
    let shape: Vec<usize> = edges.iter().map(|edges| edges.count).collect();
    let grid = Grid::whole(&shape);
    if let Some(reason) = grid.excess() {
        return Err(Error::invalid_at(operation, reason, at));
    }
    let counts = Expr::new(binning.summed(), grid, Op::Custom(Arc::new(Counted(binning))), inputs, at);
    Ok((counts, edges))
}

/// Counts over their sum and over the size of each bin.
fn density(operation: &str, counts: &ExprRef, edges: &[Edges], at: At) -> Result<ExprRef> {
    let counts = cast(counts, DType::F64, at)?;
    let mut inputs = vec![counts.clone(), reduce(&counts, ReduceOp::Sum, &Axes::from(..), at)?];
    for (number, edges) in edges.iter().enumerate() {
        let sizes = differences(operation, &edges.expr, 0, at)?;
        let axes: Vec<Option<usize>> = (0..counts.ndim()).map(|other| (other == number).then_some(0)).collect();
        inputs.push(view(operation, &sizes, &axes, at)?);
    }
    elementwise(operation, &inputs, at, |builder, x| {
        let (counts, total) = (x[0], x[1]);
        let sized = x[2..].iter().try_fold(counts, |counts, &size| builder.binary(BinaryOp::Div, counts, size))?;
        builder.binary(BinaryOp::Div, sized, total)
    })
}

impl<T: Element> Array<T> {
    /// How many elements lie in each bin, and the edges of the bins. NaN is in none.
    ///
    /// Each block is read once, and once more for the range if none is given; the counts are added as a tree. The bins of elements
    /// among equal ones are computed, not searched, and corrected as NumPy does where rounding may have moved them: an element is in the bin between
    /// whose edges it lies. For integers and `bool` edges are `float64`; those of `float32` are rounded to it (NumPy computes them in it if
    /// it has to find the range, which may differ in the last bit).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![1.0, 2.0, 1.0, 4.0], 2)?;
    /// let (counts, edges) = x.histogram(3)?;
    /// assert_eq!(counts.compute()?, ndarray::array![2, 1, 1].into_dyn());
    /// assert_eq!(edges.compute()?, ndarray::array![1.0, 2.0, 3.0, 4.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no bins, or edges do not ascend. When computed: if the range is to be found and an element is not finite.
    #[track_caller]
    pub fn histogram(&self, bins: impl Into<Bins>) -> Result<(Array<i64>, Array<T::Float>)> {
        let at = Location::caller();
        let (counts, edges) = counted("histogram", &[self.expr()?.clone()], &[bins.into()], None, at)?;
        Ok((Array::from_expr(counts), edges_array(&edges, at)?))
    }

    /// The sums of the weights of the elements in each bin, and the edges of the bins: [`Array::histogram`] with weights. Sums are exact in
    /// `float64` until they are rounded to the weights' type.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::from_ndarray;
    /// let x = from_ndarray(ndarray::array![1.0, 2.0, 1.0, 4.0], 2)?;
    /// let weights = from_ndarray(ndarray::array![0.5, 1.0, 0.25, 2.0], 2)?;
    /// let (sums, _) = x.histogram_weighted(3, &weights)?;
    /// assert_eq!(sums.compute()?, ndarray::array![0.75, 1.0, 2.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::histogram`], and if the weights have another shape.
    #[track_caller]
    pub fn histogram_weighted<W: Element>(
        &self,
        bins: impl Into<Bins>,
        weights: &Array<W>,
    ) -> Result<(Array<W>, Array<T::Float>)> {
        let at = Location::caller();
        let weights = weights.expr()?;
        let (sums, edges) = counted("histogram", &[self.expr()?.clone()], &[bins.into()], Some(weights), at)?;
        Ok((Array::from_expr(cast(&sums, W::DTYPE, at)?), edges_array(&edges, at)?))
    }

    /// The density of the elements in each bin, so that the area over all bins is 1, and the edges of the bins: NumPy's `density=True`.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![1.0, 2.0, 1.0, 4.0], 2)?;
    /// let (density, _) = x.histogram_density(vec![1.0, 2.0, 4.0])?;
    /// assert_eq!(density.compute()?, ndarray::array![0.5, 0.25].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::histogram`].
    #[track_caller]
    pub fn histogram_density(&self, bins: impl Into<Bins>) -> Result<(Array<f64>, Array<T::Float>)> {
        let at = Location::caller();
        let (counts, edges) = counted("histogram", &[self.expr()?.clone()], &[bins.into()], None, at)?;
        Ok((Array::from_expr(density("histogram", &counts, &edges, at)?), edges_array(&edges, at)?))
    }

    /// The edges that [`Array::histogram`] would use.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let edges = talatat::array::arange::<i64>(0, 5, 1)?.histogram_bin_edges(2)?;
    /// assert_eq!(edges.compute()?, ndarray::array![0.0, 2.0, 4.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::histogram`].
    #[track_caller]
    pub fn histogram_bin_edges(&self, bins: impl Into<Bins>) -> Result<Array<T::Float>> {
        let at = Location::caller();
        let edges = edges_of("histogram_bin_edges", &bins.into(), self.expr()?, at)?;
        Ok(Array::from_expr(cast(&edges.expr, T::Float::DTYPE, at)?))
    }

    /// How many points lie in each bin of two coordinates, that of the array along the first axis; with the edges of both. See
    /// [`histogramdd`] for weights and densities. As in NumPy the counts are floats.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::from_ndarray;
    /// let x = from_ndarray(ndarray::array![0.0, 0.0, 1.0], 2)?;
    /// let y = from_ndarray(ndarray::array![0.0, 3.0, 3.0], 2)?;
    /// let (counts, [_, edges]) = x.histogram2d(&y, 2, 3)?;
    /// assert_eq!(counts.compute()?, ndarray::array![[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]].into_dyn());
    /// assert_eq!(edges.compute()?, ndarray::array![0.0, 1.0, 2.0, 3.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::histogram`], and if the arrays have different shapes.
    #[track_caller]
    #[allow(clippy::type_complexity)] // two results, as the docs say
    pub fn histogram2d(
        &self,
        other: &Array<T>,
        bins: impl Into<Bins>,
        other_bins: impl Into<Bins>,
    ) -> Result<(Array<f64>, [Array<T::Float>; 2])> {
        let at = Location::caller();
        let points = [self.expr()?.clone(), other.expr()?.clone()];
        let (counts, edges) = counted("histogram2d", &points, &[bins.into(), other_bins.into()], None, at)?;
        let [first, second] = [0, 1].map(|number| edges_array(&edges[number..], at));
        Ok((Array::from_expr(cast(&counts, DType::F64, at)?), [first?, second?]))
    }

    /// How often each number comes in an array of whole numbers that are not negative: the count of `i` at index `i`. There are
    /// `minlength` counts or more; how many, the largest number says: the length is known when computed.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::from_ndarray(ndarray::array![1, 3, 1], 2)?;
    /// assert_eq!(x.bincount(0)?.compute()?, ndarray::array![0, 2, 0, 1].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the elements are floats. When computed: if a number is negative.
    #[track_caller]
    pub fn bincount(&self, minlength: usize) -> Result<Array<i64>> {
        Ok(Array::from_expr(numbers_counted(self.expr()?, None, minlength, Location::caller())?))
    }

    /// [`Array::bincount`] with weights: the sums of the weights of each number, exact until they are rounded once.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::from_ndarray;
    /// let x = from_ndarray(ndarray::array![1, 3, 1], 2)?;
    /// let weights = from_ndarray(ndarray::array![0.5, 2.0, 0.25], 2)?;
    /// assert_eq!(x.bincount_weighted(&weights, 0)?.compute()?, ndarray::array![0.0, 0.75, 0.0, 2.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::bincount`], and if the weights have another shape.
    #[track_caller]
    pub fn bincount_weighted<W: Element>(&self, weights: &Array<W>, minlength: usize) -> Result<Array<f64>> {
        let sums = numbers_counted(self.expr()?, Some(weights.expr()?), minlength, Location::caller())?;
        Ok(Array::from_expr(sums))
    }
}

/// The edges of the first coordinate in the type of the caller's array.
fn edges_array<F: Element>(edges: &[Edges], at: At) -> Result<Array<F>> {
    match edges.first() {
        Some(edges) => Ok(Array::from_expr(cast(&edges.expr, F::DTYPE, at)?)),
        None => Err(Error::invalid_at("histogram", "no coordinates: give at least one array", at)),
    }
}

/// How many points lie in each bin of several coordinates, each array being one of them; with the edges of each. `bins` holds
/// for all, or one for each. With weights they are added up (exactly, rounded once); with `density` the volume under the bins is 1.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, bins, histogramdd};
/// let x = arange::<f64>(0.0, 8.0, 1.0)?;
/// let (counts, edges) = histogramdd(&[x.clone(), &x % 2.0, &x * 0.5], &[bins(2)], None, false)?;
/// assert_eq!((counts.shape()?, edges.len()), (vec![2, 2, 2], 3));
/// assert_eq!(counts.sum(..)?.item()?.compute()?, 8.0);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If there are no arrays, they or the weights have different shapes, there are bins for another number of coordinates, or as
/// [`Array::histogram`].
#[track_caller]
#[allow(clippy::type_complexity)] // two results, as the docs say
pub fn histogramdd<T: Element>(
    points: &[Array<T>],
    bins: &[Bins],
    weights: Option<&Array<f64>>,
    density: bool,
) -> Result<(Array<f64>, Vec<Array<T::Float>>)> {
    let at = Location::caller();
    let points = points.iter().map(|array| array.expr().cloned()).collect::<Result<Vec<_>>>()?;
    let weights = weights.map(Array::expr).transpose()?;
    let (counts, edges) = counted("histogramdd", &points, bins, weights, at)?;
    let counts = match density {
        true => self::density("histogramdd", &counts, &edges, at)?,
        false => cast(&counts, DType::F64, at)?,
    };
    let edges = (0..edges.len()).map(|number| edges_array(&edges[number..], at)).collect::<Result<_>>()?;
    Ok((Array::from_expr(counts), edges))
}

fn numbers_counted(numbers: &ExprRef, weights: Option<&ExprRef>, least: usize, at: At) -> Result<ExprRef> {
    let wrong = |reason: String| Error::invalid_at("bincount", reason, at);
    if numbers.dtype.is_inexact() {
        return Err(wrong(format!("the elements are {}, not integers: use astype first", numbers.dtype)));
    }
    if numbers.ndim() != 1 {
        return Err(wrong(format!(
            "an array of {} dimensions: give one axis, for instance with ravel",
            numbers.ndim()
        )));
    }
    let numbers = if numbers.dtype == DType::Bool { cast(numbers, DType::U8, at)? } else { numbers.clone() };
    let most = match numbers.grid.axes().iter().any(|axis| axis.length() == Some(0)) {
        true => full::<i64>([], -1).expr()?.clone(),
        false => reduce(&numbers, ReduceOp::Max, &axis(..), at)?,
    };
    let mut inputs = vec![numbers.clone()];
    if let Some(weights) = weights {
        let same = weights.ndim() == 1 && weights.grid.axes()[0].length() == numbers.grid.axes()[0].length();
        if !same || (numbers.grid.axes()[0].length().is_none() && weights.grid != numbers.grid) {
            let (a, b) = (shape_text(&numbers.grid), shape_text(&weights.grid));
            return Err(wrong(format!("shapes {a} and {b}: numbers and weights must be equally many")));
        }
        inputs.push(rechunked(weights, numbers.grid.clone(), at));
    }
    let binning = Binning::Numbers { least, weighted: weights.is_some() };
    let origin = talatat_graph::KeyBuilder::new("bincount").key(most.key).number(least as u64).finish();
    inputs.push(most);
    let grid = Grid::new([Axis::Unknown { origin, chunks: 1 }]);
    Ok(Expr::new(binning.summed(), grid, Op::Custom(Arc::new(Counted(binning))), inputs, at))
}
