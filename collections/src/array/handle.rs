//! The handle that users hold.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use ndarray::{ArrayD, IxDyn, Slice as NdSlice};
use talatat_graph::{Edge, Key, KeyBuilder, Value, format_bytes};

use crate::array::build::known_shape;
use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Dims, Grid, shape_text};
use crate::array::kernels::{Block, pool};
use crate::array::rewrite::rewrite;
use crate::collection::Collection;
use crate::error::{Error, Result};
use crate::lower::{ArrayRoots, Lowering};

/// A lazy n-dimensional array, cut into blocks. Cloning is cheap.
///
/// Nothing is computed until `compute`, `persist` or a writer asks for it. Shapes, types and chunks are known before.
/// An operator or elementwise function whose arguments do not fit gives an array that carries the error: it is returned by the first
/// method that returns a `Result`, by [`check`](Array::check) at once, and at the latest by `compute`.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, ones};
///
/// let x = arange::<f64>(0.0, 12.0, 1.0)?.reshape([3, 4])?;
/// let y = (&x + x.mean(axis(1).keepdims())?) * ones::<f64>([4]);
/// assert_eq!(y.compute()?[[0, 0]], 1.5);
/// assert!((ones::<f64>([3]) + ones::<f64>([4])).check().is_err());
/// # use talatat::array::axis;
/// # Ok::<(), talatat::Error>(())
/// ```
pub struct Array<T> {
    expr: Result<ExprRef>,
    element: PhantomData<fn() -> T>,
}

impl<T> Clone for Array<T> {
    fn clone(&self) -> Self {
        Array { expr: self.expr.clone(), element: PhantomData }
    }
}

impl<T: Element> Array<T> {
    /// A handle on an expression of this element type.
    pub(crate) fn from_expr(expr: ExprRef) -> Self {
        debug_assert_eq!(expr.dtype, T::DTYPE);
        Array { expr: Ok(expr), element: PhantomData }
    }

    /// A handle on an expression or on the error that stands for it; elements are converted to `T` if need be.
    #[track_caller]
    pub(crate) fn from_result(expr: Result<ExprRef>) -> Self {
        let location = std::panic::Location::caller();
        let expr = expr.and_then(|expr| crate::array::build::cast(&expr, T::DTYPE, location));
        Array { expr, element: PhantomData }
    }

    /// The expression, or the error that the array carries.
    pub(crate) fn expr(&self) -> Result<&ExprRef> {
        self.expr.as_ref().map_err(Error::clone)
    }

    /// The error that the array carries, if an operator or elementwise function on the way got arguments that do not fit.
    ///
    /// ```
    /// use talatat::array::ones;
    /// let sum = ones::<f64>([3]) + ones::<f64>([4]);
    /// assert!(sum.check().unwrap_err().to_string().contains("(3,) and (4,)"));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// That one.
    pub fn check(&self) -> Result<()> {
        self.expr().map(|_| ())
    }

    /// The element type.
    ///
    /// ```
    /// use talatat::array::{DType, ones};
    /// assert_eq!((ones::<i32>([3]) / 2).dtype(), DType::F64);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn dtype(&self) -> DType {
        T::DTYPE
    }

    /// How many dimensions there are; 0 if the array carries an error.
    ///
    /// ```
    /// assert_eq!(talatat::array::ones::<f64>([3, 4]).ndim(), 2);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn ndim(&self) -> usize {
        self.expr.as_ref().map_or(0, |expr| expr.ndim())
    }

    /// The shape.
    ///
    /// ```
    /// assert_eq!(talatat::array::ones::<f64>([3, 4]).shape()?, [3, 4]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a length is known only when computed, or the array carries an error.
    #[track_caller]
    pub fn shape(&self) -> Result<Vec<usize>> {
        Ok(known_shape("shape", self.expr()?, std::panic::Location::caller())?.to_vec())
    }

    /// The lengths of the chunks of each axis; `None` for axes whose lengths are known only when computed.
    ///
    /// ```
    /// let x = talatat::array::ones::<f64>([5, 2]).rechunk([2, 2])?;
    /// assert_eq!(x.chunks(), [Some(vec![2, 2, 1]), Some(vec![2])]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn chunks(&self) -> Vec<Option<Vec<usize>>> {
        self.expr.as_ref().map_or_else(|_| Vec::new(), |expr| expr.grid.axes().iter().map(Axis::lengths).collect())
    }

    /// How many chunks each axis has.
    ///
    /// ```
    /// assert_eq!(talatat::array::ones::<f64>([5, 2]).rechunk([2, 2])?.numblocks(), [3, 1]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn numblocks(&self) -> Vec<usize> {
        self.expr.as_ref().map_or_else(|_| Vec::new(), |expr| expr.grid.chunk_counts().to_vec())
    }

    /// How many blocks there are.
    ///
    /// ```
    /// assert_eq!(talatat::array::ones::<f64>([5, 4]).rechunk(2)?.npartitions(), 6);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn npartitions(&self) -> usize {
        self.expr.as_ref().map_or(0, |expr| expr.grid.blocks())
    }

    /// Bytes of all elements, if the shape is known.
    ///
    /// ```
    /// assert_eq!(talatat::array::ones::<f32>([5, 4]).nbytes(), Some(80));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn nbytes(&self) -> Option<u64> {
        let shape = self.expr.as_ref().ok()?.grid.shape()?;
        Some(shape.iter().map(|&length| length as u64).product::<u64>() * T::DTYPE.size() as u64)
    }

    /// The name of what is computed: equal calls have equal keys.
    ///
    /// ```
    /// use talatat::array::ones;
    /// assert_eq!((ones::<f32>([5]) + 1.0).key()?, (ones::<f32>([5]) + 1.0).key()?);
    /// assert_ne!((ones::<f32>([5]) + 1.0).key()?, (ones::<f32>([5]) + 2.0).key()?);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array carries an error.
    pub fn key(&self) -> Result<Key> {
        Ok(self.expr()?.key)
    }

    /// The array as a single element, for arrays of one element: computing it gives a `T`.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let total = talatat::array::ones::<f64>([10, 10]).sum(..)?.item()?;
    /// assert_eq!(total.compute()?, 100.0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not exactly one element.
    #[track_caller]
    pub fn item(&self) -> Result<Item<T>> {
        let expr = self.expr()?;
        let shape = known_shape("item", expr, std::panic::Location::caller())?;
        if shape.iter().product::<usize>() != 1 {
            return Err(Error::invalid("item", format!("the array has the shape {shape:?}, not one element")));
        }
        Ok(Item(self.clone()))
    }
}

impl<T: Element> Collection for Array<T> {
    type Output = ArrayD<T>;
    type Persisted = Self;

    fn blocks(&self) -> Result<usize> {
        Ok(self.expr()?.grid.blocks())
    }

    fn announce(&self, lowering: &mut Lowering) -> Result<()> {
        lowering.arrays.announce(self.expr()?);
        Ok(())
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        Ok(ArrayRoots::lower(lowering, self.expr()?)?.to_vec())
    }

    fn gather(&self, blocks: Vec<Value>) -> Result<ArrayD<T>> {
        gather(&self.expr()?.grid, blocks)
    }

    fn persisted(&self, blocks: Vec<Value>) -> Result<Self> {
        let expr = self.expr()?;
        let grid = resolved(&expr.grid, &blocks)?;
        let key = KeyBuilder::new("persisted").key(expr.key).finish();
        let op = Op::Persisted(blocks.into());
        Ok(Array::from_expr(Expr::source(T::DTYPE, grid, op, key, expr.location)))
    }

    fn describe_expression(&self, rewritten: bool) -> String {
        match self.expr() {
            Err(error) => format!("{error}\n"),
            Ok(expr) if rewritten => rewrite(expr, &[]).describe(),
            Ok(expr) => expr.describe(),
        }
    }

    fn describe_lowered(&self, lowering: &Lowering) -> String {
        let lowered = self.expr().ok().and_then(|expr| lowering.arrays.rewritten(expr));
        lowered.map_or_else(|| self.describe_expression(true), Expr::describe)
    }
}

/// The only element of an array; see [`Array::item`].
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{Item, ones};
/// let total: Item<f64> = ones::<f64>([10]).sum(..)?.item()?;
/// assert_eq!(total.compute()?, 10.0);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Item<T>(Array<T>);

impl<T: Element> Collection for Item<T> {
    type Output = T;
    type Persisted = Self;

    fn blocks(&self) -> Result<usize> {
        self.0.blocks()
    }

    fn announce(&self, lowering: &mut Lowering) -> Result<()> {
        self.0.announce(lowering)
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        self.0.lower(lowering)
    }

    fn gather(&self, blocks: Vec<Value>) -> Result<T> {
        let array = self.0.gather(blocks)?;
        array.first().copied().ok_or_else(|| broken("an item was promised and none computed"))
    }

    fn persisted(&self, blocks: Vec<Value>) -> Result<Self> {
        Ok(Item(self.0.persisted(blocks)?))
    }

    fn describe_expression(&self, rewritten: bool) -> String {
        self.0.describe_expression(rewritten)
    }

    fn describe_lowered(&self, lowering: &Lowering) -> String {
        self.0.describe_lowered(lowering)
    }
}

fn broken(what: impl Into<String>) -> Error {
    talatat_graph::Error::InvalidGraph(what.into()).into()
}

/// The grid with lengths that were not known read off the computed blocks.
fn resolved(grid: &Grid, blocks: &[Value]) -> Result<Grid> {
    if grid.is_known() {
        return Ok(grid.clone());
    }
    let mut axes = Vec::with_capacity(grid.ndim());
    for (number, axis) in grid.axes().iter().enumerate() {
        if axis.length().is_some() {
            axes.push(axis.clone());
            continue;
        }
        let mut lengths = Vec::with_capacity(axis.chunks());
        for chunk in 0..axis.chunks() {
            let mut place = Dims::from_elem(0, grid.ndim());
            place[number] = chunk;
            let block = blocks.get(grid.block_at(&place));
            // What is on another machine or on disk need not come here to tell how long it is.
            let told = block.filter(|block| matches!(block, Value::Spilled(_) | Value::Remote(_))).map(Value::brief);
            lengths.push(match told.and_then(|brief| brief.extents().get(number).copied()) {
                Some(length) => usize::try_from(length).map_err(|_| broken("a block is longer than memory"))?,
                None => {
                    let block = block.cloned().map(Value::loaded).transpose()?;
                    block_of(block.as_ref())?.shape().get(number).copied().unwrap_or(0)
                }
            });
        }
        axes.push(Axis::from_lengths(lengths));
    }
    Ok(Grid::new(axes))
}

fn block_of(value: Option<&Value>) -> Result<&Block> {
    let value = value.ok_or_else(|| broken("a block is missing"))?;
    value.get::<Block>().map_err(|error| broken(error.to_string()))
}

/// One array of all blocks; a single block is handed over without a copy.
fn gather<T: Element>(grid: &Grid, mut blocks: Vec<Value>) -> Result<ArrayD<T>> {
    let wrong = |error: &dyn fmt::Display| broken(error.to_string());
    if let [only] = blocks.as_mut_slice() {
        let block = only.take::<Block>().map_err(|error| wrong(&error))?;
        let block = Arc::try_unwrap(block).unwrap_or_else(|shared| (*shared).clone());
        return block.into_array::<T>().map_err(|error| wrong(&error));
    }
    let grid = resolved(grid, &blocks)?;
    let shape = grid.shape().unwrap_or_default();
    let buffer = pool::take::<T>(shape.iter().product());
    let mut array = ArrayD::from_shape_vec(IxDyn(&shape), buffer).map_err(|error| wrong(&error))?;
    for (number, value) in blocks.iter_mut().enumerate() {
        let place = grid.place(number);
        let (origin, lengths) = (grid.block_origin(&place), grid.block_shape(&place));
        {
            let block = block_of(Some(value))?;
            let view = block.view::<T>().map_err(|error| wrong(&error))?;
            let mut region = array.slice_each_axis_mut(|axis| {
                let axis = axis.axis.index();
                NdSlice::from(origin[axis] as isize..(origin[axis] + lengths[axis]) as isize)
            });
            if region.shape() != view.shape() {
                let (found, expected) = (view.shape(), region.shape());
                return Err(broken(format!("block {number} has the shape {found:?} where {expected:?} was promised")));
            }
            region.assign(&view);
        }
        *value = Value::Unit;
    }
    Ok(array)
}

impl<T: Element> fmt::Display for Array<T> {
    /// Shape, type, chunks, bytes and blocks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expr {
            Err(error) => write!(f, "Array<{}>({error})", T::DTYPE),
            Ok(expr) => {
                let bytes = self.nbytes().map_or_else(|| "unknown size".into(), format_bytes);
                write!(f, "Array<{}> {}, {bytes}, {} blocks", T::DTYPE, expr.grid, expr.grid.blocks())
            }
        }
    }
}

impl<T> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expr {
            Err(error) => write!(f, "Array({error})"),
            Ok(expr) => write!(f, "Array({} {}, {})", expr.dtype, shape_text(&expr.grid), expr.key),
        }
    }
}
