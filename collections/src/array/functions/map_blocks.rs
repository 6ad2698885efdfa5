//! Functions of the user's on blocks.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};
use smallvec::SmallVec;
use talatat_graph::{KernelError, KernelResult, Key, KeyBuilder};

use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::handle::Array;
use crate::array::kernels::Block;
use crate::error::{Error, Result};
use crate::lower::array::{IndexFunction, Label};

/// Where a block is, as a user's function sees it.
///
/// ```
/// use talatat::prelude::*;
/// let x = talatat::array::ones::<f64>([5]).rechunk(2)?;
/// let places = x.map_blocks(|info, block| block.mapv(|_| (info.place[0] * 100 + info.origin[0] * 10 + info.shape[0]) as i64))?;
/// assert_eq!(places.compute()?.into_raw_vec_and_offset().0, [2, 2, 122, 122, 241]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// Which chunk along each axis.
    pub place: Dims,
    /// The index in the whole array of the block's first element.
    pub origin: Dims,
    /// The shape that the result is to have; 0 along axes whose lengths are not known.
    pub shape: Dims,
}

/// The blocks that a function gives: most give one.
pub(crate) type Results = SmallVec<[Block; 1]>;

type Run = dyn Fn(&BlockInfo, &[&Block]) -> KernelResult<Results> + Send + Sync;

/// The name and the identity of a function of the user's: a type without captures is known by its name and type; one with captures is
/// unique.
pub(in crate::array) fn identity<F: 'static>() -> (Arc<str>, Key) {
    use std::hash::Hash;
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = std::any::type_name::<F>();
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    std::any::TypeId::of::<F>().hash(&mut hasher);
    let key = KeyBuilder::new("map_blocks").bytes(name.as_bytes()).bytes(&hasher.digest128().to_le_bytes());
    let key = if size_of::<F>() == 0 { key } else { key.number(COUNT.fetch_add(1, Ordering::Relaxed)) };
    let short = name.rsplit("::").find(|part| *part != "{{closure}}").unwrap_or(name);
    (short.into(), key.finish())
}

/// A function on blocks with an identity.
#[derive(Clone)]
pub struct BlockFunction {
    run: Arc<Run>,
    name: Arc<str>,
    key: Key,
}

impl BlockFunction {
    /// Wraps a function.
    pub(crate) fn new<F: 'static>(
        _identity: &F,
        run: impl Fn(&BlockInfo, &[&Block]) -> KernelResult<Results> + Send + Sync + 'static,
    ) -> BlockFunction {
        let (name, key) = identity::<F>();
        BlockFunction { run: Arc::new(run), name, key }
    }

    /// A user's function on views: `call` calls it.
    pub(crate) fn of_views<T: Element, F: Send + Sync + 'static>(
        function: F,
        call: impl Fn(&F, &BlockInfo, &[ArrayViewD<'_, T>]) -> KernelResult<Results> + Send + Sync + 'static,
    ) -> BlockFunction {
        let function = Arc::new(function);
        let shared = function.clone();
        BlockFunction::new(&*function, move |info, blocks| {
            let views = blocks.iter().map(|block| block.view::<T>().map_err(KernelError::from_source));
            call(&shared, info, &views.collect::<KernelResult<Vec<_>>>()?)
        })
    }

    /// The function's name in plans.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The function's identity.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Calls the function.
    ///
    /// # Errors
    /// What the function fails with.
    pub fn call(&self, info: &BlockInfo, blocks: &[&Block]) -> KernelResult<Block> {
        self.call_all(info, blocks)?.pop().ok_or_else(|| KernelError::new("a function that gave no block"))
    }

    /// Calls a function that may give several blocks.
    pub(crate) fn call_all(&self, info: &BlockInfo, blocks: &[&Block]) -> KernelResult<Results> {
        (self.run)(info, blocks)
    }
}

impl fmt::Debug for BlockFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockFunction({})", self.name)
    }
}

impl<T: Element> Array<T> {
    /// Applies a function to each block. The function gets the block and where it is, and gives a block of the same shape.
    ///
    /// A function cannot leave the process; see [`map_blocks`] for several arrays and other shapes.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::ones::<f64>([4]).rechunk(2)?;
    /// let y = x.map_blocks(|info, block| &block * (info.origin[0] as f64))?;
    /// assert_eq!(y.compute()?.into_raw_vec_and_offset().0, [0.0, 0.0, 2.0, 2.0]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array carries an error.
    #[track_caller]
    pub fn map_blocks<U, F>(&self, function: F) -> Result<Array<U>>
    where
        U: Element,
        F: Fn(&BlockInfo, ArrayViewD<'_, T>) -> ArrayD<U> + Send + Sync + 'static,
    {
        let at = Location::caller();
        let expr = self.expr()?;
        map_on_grid(&[self], expr.grid.clone(), at, function, |function, info, blocks| {
            let [block] = blocks else { return Err(KernelError::new("one block was promised")) };
            Ok(function(info, block.view()))
        })
    }
}

/// Applies a function to the blocks of several arrays that stand at the same place, and gives an array in the given chunks (as
/// many along each axis as the inputs have).
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{map_blocks, ones};
/// let x = ones::<f64>([4, 6]).rechunk([2, 3])?;
/// // The sum of each block, one element a block.
/// let sums = map_blocks(&[&x], vec![vec![1, 1], vec![1, 1]], |_, blocks| {
///     ndarray::ArrayD::from_elem(ndarray::IxDyn(&[1, 1]), blocks[0].sum())
/// })?;
/// assert_eq!(sums.compute()?, ndarray::array![[6.0, 6.0], [6.0, 6.0]].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the arrays have other numbers of chunks than the result, or one carries an error.
#[track_caller]
pub fn map_blocks<T, U, F>(arrays: &[&Array<T>], chunks: Vec<Vec<usize>>, function: F) -> Result<Array<U>>
where
    T: Element,
    U: Element,
    F: Fn(&BlockInfo, &[ArrayViewD<'_, T>]) -> ArrayD<U> + Send + Sync + 'static,
{
    let at = Location::caller();
    let grid = Grid::new(chunks.into_iter().map(Axis::from_lengths));
    map_on_grid(arrays, grid, at, function, |function, info, blocks| Ok(function(info, blocks)))
}

fn map_on_grid<T, U, F, C>(
    arrays: &[&Array<T>],
    grid: Grid,
    at: &'static Location<'static>,
    function: F,
    call: C,
) -> Result<Array<U>>
where
    T: Element,
    U: Element,
    F: Send + Sync + 'static,
    C: Fn(&F, &BlockInfo, &[ArrayViewD<'_, T>]) -> KernelResult<ArrayD<U>> + Send + Sync + 'static,
{
    let mut inputs = Vec::with_capacity(arrays.len());
    for array in arrays {
        let expr = array.expr()?;
        if expr.grid.chunk_counts() != grid.chunk_counts() {
            let (own, wanted) = (expr.grid.chunk_counts(), grid.chunk_counts());
            let reason = format!("an array of {own:?} chunks for a result of {wanted:?}: rechunk it first");
            return Err(Error::invalid_at("map_blocks", reason, at));
        }
        inputs.push(expr.clone());
    }
    let run = BlockFunction::of_views(function, move |function, info, views| Ok(one(call(function, info, views)?)));
    Ok(Array::from_expr(each_block(run, U::DTYPE, grid, inputs, at)))
}

/// A result of one block.
pub(crate) fn one<U: Element>(array: ArrayD<U>) -> Results {
    SmallVec::from_iter([Block::from_array(array)])
}

/// A function on the blocks of inputs that have as many chunks along each axis as the result.
pub(crate) fn each_block(
    function: BlockFunction,
    dtype: DType,
    grid: Grid,
    inputs: Vec<ExprRef>,
    at: &'static Location<'static>,
) -> ExprRef {
    let labels = inputs.iter().map(|input| (0..input.ndim()).map(Label::Out).collect()).collect();
    let outputs = vec![(grid.clone(), dtype)];
    let operation = IndexFunction::new("map_blocks", function, &inputs, labels, grid.clone(), outputs);
    Expr::new(dtype, grid, Op::Custom(Arc::new(operation)), inputs, at)
}
