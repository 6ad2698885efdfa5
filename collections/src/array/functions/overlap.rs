//! Functions on blocks that see a border of their neighbours' elements.

use std::panic::Location;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};
use talatat_graph::{KernelError, KernelResult};

use crate::array::build::rechunked;
use crate::array::dtype::Element;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::functions::map_blocks::{BlockFunction, BlockInfo, one};
use crate::array::grid::{Axis, shape_text};
use crate::array::handle::Array;
use crate::error::{Error, Result};
use crate::lower::array::{Border, Halo, MapOverlap};

type At = &'static Location<'static>;

/// How far a block sees along each axis, in elements: one number for all axes, one for each, or a pair for before and after for each.
///
/// ```
/// use talatat::array::Depth;
/// assert_eq!(Depth::from([1, 1]), Depth::from([(1, 1), (1, 1)]));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth(Lengths);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Lengths {
    All(usize),
    Each(Vec<(usize, usize)>),
}

impl From<usize> for Depth {
    fn from(all: usize) -> Self {
        Depth(Lengths::All(all))
    }
}

impl<const N: usize> From<[usize; N]> for Depth {
    fn from(axes: [usize; N]) -> Self {
        axes.to_vec().into()
    }
}

impl From<Vec<usize>> for Depth {
    fn from(axes: Vec<usize>) -> Self {
        Depth(Lengths::Each(axes.into_iter().map(|depth| (depth, depth)).collect()))
    }
}

impl<const N: usize> From<[(usize, usize); N]> for Depth {
    fn from(axes: [(usize, usize); N]) -> Self {
        axes.to_vec().into()
    }
}

impl From<Vec<(usize, usize)>> for Depth {
    fn from(axes: Vec<(usize, usize)>) -> Self {
        Depth(Lengths::Each(axes))
    }
}

/// What stands beyond the ends of an array, in Dask's and SciPy's words.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{Boundary, arange};
/// let x = arange::<i64>(1, 5, 1)?;
/// let seen = |boundary| -> talatat::Result<Vec<i64>> {
///     // Each element becomes the one that stands three places before it.
///     let shifted = x.map_overlap([(3, 0)], boundary, |info, block| {
///         ndarray::ArrayD::from_shape_fn(ndarray::IxDyn(&info.shape), |at| block[[at[0]]])
///     })?;
///     Ok(shifted.compute()?.into_raw_vec_and_offset().0)
/// };
/// assert_eq!(seen(Boundary::Reflect)?, [3, 2, 1, 1]);
/// assert_eq!(seen(Boundary::Mirror)?, [4, 3, 2, 1]);
/// assert_eq!(seen(Boundary::Nearest)?, [1, 1, 1, 1]);
/// assert_eq!(seen(Boundary::Periodic)?, [2, 3, 4, 1]);
/// assert_eq!(seen(Boundary::Constant(0))?, [0, 0, 0, 1]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Boundary<T> {
    /// Nothing: blocks at an end of the array have no border there.
    None,
    /// The array mirrored beyond its last element, which is repeated: Dask's and SciPy's `reflect`, NumPy's `symmetric`.
    Reflect,
    /// The array mirrored at its last element, which is not repeated: SciPy's `mirror`, NumPy's `reflect`.
    Mirror,
    /// The last element, again and again: NumPy's `edge`.
    Nearest,
    /// The array from its other end: NumPy's and SciPy's `wrap`.
    Periodic,
    /// One value.
    Constant(T),
}

impl<T: Element> Boundary<T> {
    fn border(self) -> Border {
        match self {
            Boundary::None => Border::None,
            Boundary::Reflect => Border::Reflect,
            Boundary::Mirror => Border::Mirror,
            Boundary::Nearest => Border::Nearest,
            Boundary::Periodic => Border::Periodic,
            Boundary::Constant(value) => Border::Constant(value.into()),
        }
    }
}

/// A [`Boundary`] for all axes, or one for each.
///
/// ```
/// use talatat::array::{Borders, Boundary};
/// let periodic_in_longitude: Borders<f64> = [Boundary::Nearest, Boundary::Periodic].into();
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Borders<T>(Ends<T>);

#[derive(Clone, Debug, PartialEq)]
enum Ends<T> {
    All(Boundary<T>),
    Each(Vec<Boundary<T>>),
}

impl<T> From<Boundary<T>> for Borders<T> {
    fn from(all: Boundary<T>) -> Self {
        Borders(Ends::All(all))
    }
}

impl<T, const N: usize> From<[Boundary<T>; N]> for Borders<T> {
    fn from(axes: [Boundary<T>; N]) -> Self {
        Vec::from(axes).into()
    }
}

impl<T> From<Vec<Boundary<T>>> for Borders<T> {
    fn from(axes: Vec<Boundary<T>>) -> Self {
        Borders(Ends::Each(axes))
    }
}

impl<T: Element> Borders<T> {
    /// The same, with zeros where nothing was asked for.
    pub(in crate::array) fn or_zeros(self) -> Borders<T> {
        let zeros = |boundary| match boundary {
            Boundary::None => Boundary::Constant(T::default()),
            other => other,
        };
        Borders(match self.0 {
            Ends::All(all) => Ends::All(zeros(all)),
            Ends::Each(axes) => Ends::Each(axes.into_iter().map(zeros).collect()),
        })
    }
}

impl<T: Element> Array<T> {
    /// Applies a function to each block with a border of its neighbours' elements, and gives an array of the same shape and chunks.
    ///
    /// `depth` is how wide the border is along each axis, `boundary` what stands beyond the array's ends. The function gets where
    /// the block is (without the border) and the block with the border. It gives a block of the same shape, whose border is cut off, or one
    /// without the border, which spares a copy. With [`Boundary::None`] blocks at an end have no border there.
    ///
    /// A block is one task, which reads its neighbours' blocks as they are. The border may be wider than a chunk. A slice of the result
    /// computes the blocks that it touches. Axes are bordered one after the other, as Dask does it; that decides the corners. A function
    /// cannot leave the process.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{Boundary, arange};
    /// use ndarray::s;
    /// let x = arange::<f64>(0.0, 6.0, 1.0)?.rechunk(2)?;
    /// let slope = x.map_overlap(1, Boundary::Nearest, |_, x| {
    ///     let n = x.len();
    ///     let x = x.into_shape_with_order(n).expect("one axis");
    ///     ((&x.slice(s![2..]) - &x.slice(s![..-2])) / 2.0).into_dyn()
    /// })?;
    /// assert_eq!(slope.compute()?.into_raw_vec_and_offset().0, [0.5, 1.0, 1.0, 1.0, 1.0, 0.5]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not one depth and one boundary for all axes or for each, a border goes along an axis whose length is known only when
    /// computed, or the array carries an error.
    #[track_caller]
    pub fn map_overlap<U, F>(
        &self,
        depth: impl Into<Depth>,
        boundary: impl Into<Borders<T>>,
        function: F,
    ) -> Result<Array<U>>
    where
        U: Element,
        F: Fn(&BlockInfo, ArrayViewD<'_, T>) -> ArrayD<U> + Send + Sync + 'static,
    {
        let at = Location::caller();
        overlapped(&[self], (&depth.into(), &boundary.into()), at, function, |function, info, blocks| {
            let [block] = blocks else { return Err(KernelError::new("one block was promised")) };
            Ok(function(info, block.view()))
        })
    }
}

/// Applies a function to the blocks of several arrays of one shape, each with a border of its neighbours' elements; see
/// [`Array::map_overlap`]. The arrays are cut like the first one.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{Boundary, arange, map_overlap};
/// let x = arange::<i64>(0, 6, 1)?.rechunk(2)?;
/// let y = &x * 10;
/// // Each element of x and the element of y after it.
/// let sum = map_overlap(&[&x, &y], [(0, 1)], Boundary::Periodic, |info, blocks| {
///     ndarray::ArrayD::from_shape_fn(ndarray::IxDyn(&info.shape), |at| blocks[0][[at[0]]] + blocks[1][[at[0] + 1]])
/// })?;
/// assert_eq!(sum.compute()?.into_raw_vec_and_offset().0, [10, 21, 32, 43, 54, 5]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// As [`Array::map_overlap`], and if there are no arrays or their shapes differ.
#[track_caller]
pub fn map_overlap<T, U, F>(
    arrays: &[&Array<T>],
    depth: impl Into<Depth>,
    boundary: impl Into<Borders<T>>,
    function: F,
) -> Result<Array<U>>
where
    T: Element,
    U: Element,
    F: Fn(&BlockInfo, &[ArrayViewD<'_, T>]) -> ArrayD<U> + Send + Sync + 'static,
{
    let at = Location::caller();
    overlapped(arrays, (&depth.into(), &boundary.into()), at, function, |function, info, blocks| {
        Ok(function(info, blocks))
    })
}

fn overlapped<T, U, F, C>(
    arrays: &[&Array<T>],
    (depth, boundary): (&Depth, &Borders<T>),
    at: At,
    function: F,
    call: C,
) -> Result<Array<U>>
where
    T: Element,
    U: Element,
    F: Send + Sync + 'static,
    C: Fn(&F, &BlockInfo, &[ArrayViewD<'_, T>]) -> KernelResult<ArrayD<U>> + Send + Sync + 'static,
{
    const NAME: &str = "map_overlap";
    let exprs = arrays.iter().map(|array| array.expr()).collect::<Result<Vec<_>>>()?;
    let Some((&first, others)) = exprs.split_first() else {
        return Err(Error::invalid_at(NAME, "no arrays: give at least one", at));
    };
    let mut inputs = vec![first.clone()];
    for other in others {
        let same = |(a, b): (&Axis, &Axis)| a.as_long_as(b);
        if other.ndim() != first.ndim() || !first.grid.axes().iter().zip(other.grid.axes()).all(same) {
            let (first, other) = (shape_text(&first.grid), shape_text(&other.grid));
            return Err(Error::invalid_at(NAME, format!("arrays of the shapes {first} and {other} differ"), at));
        }
        inputs.push(rechunked(other, first.grid.clone(), at));
    }
    let halo = halo(NAME, first, depth, boundary, at)?;
    let run = BlockFunction::of_views(function, move |function, info, views| Ok(one(call(function, info, views)?)));
    let operation = MapOverlap { halo, function: run, arrays: inputs.len(), dtype: U::DTYPE };
    Ok(Array::from_expr(Expr::new(U::DTYPE, first.grid.clone(), Op::Custom(Arc::new(operation)), inputs, at)))
}

/// The halo of an array's blocks, checked.
pub(in crate::array) fn halo<T: Element>(
    operation: &str,
    expr: &ExprRef,
    depth: &Depth,
    boundary: &Borders<T>,
    at: At,
) -> Result<Halo> {
    let ndim = expr.ndim();
    let wrong = |reason: String| Err(Error::invalid_at(operation, reason, at));
    let depth = match &depth.0 {
        Lengths::All(all) => vec![(*all, *all); ndim],
        Lengths::Each(axes) if axes.len() == ndim => axes.clone(),
        Lengths::Each(axes) => {
            return wrong(format!(
                "{} depths for an array of {ndim} dimensions: give one number for all, or one for each axis",
                axes.len()
            ));
        }
    };
    let borders: Vec<Border> = match &boundary.0 {
        Ends::All(all) => vec![all.border(); ndim],
        Ends::Each(axes) if axes.len() == ndim => axes.iter().map(|border| border.border()).collect(),
        Ends::Each(axes) => {
            return wrong(format!(
                "{} boundaries for an array of {ndim} dimensions: give one for all, or one for each axis",
                axes.len()
            ));
        }
    };
    for (number, (axis, &(before, after))) in expr.grid.axes().iter().zip(&depth).enumerate() {
        let Some(length) = axis.length() else {
            if (before, after) == (0, 0) {
                continue;
            }
            return wrong(format!(
                "a border along axis {number}, whose length is known only when computed: call persist first"
            ));
        };
        let total = length.checked_add(before).and_then(|total| total.checked_add(after));
        if total.is_none_or(|total| isize::try_from(total).is_err()) {
            return wrong(format!("a border along axis {number} of more elements than can be counted"));
        }
    }
    Ok(Halo::new(&expr.grid, &depth, &borders))
}
