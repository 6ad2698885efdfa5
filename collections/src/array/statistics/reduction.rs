//! Reductions with functions of the user's.

use std::any::type_name;
use std::panic::Location;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};
use talatat_graph::{Block as GraphBlock, Brief, KernelError, KernelResult, KeyBuilder, Value};

use crate::array::dtype::Element;
use crate::array::expr::{Expr, Op};
use crate::array::functions::map_blocks::{BlockInfo, identity};
use crate::array::handle::Array;
use crate::array::kernels::Block;
use crate::array::statistics::reduce::{Axes, reduced_grid};
use crate::error::Result;
use crate::lower::array::{Own, OwnReduction};

/// A state of a user's reduction.
struct OwnState<S>(S);

impl<S: Send + Sync + 'static> GraphBlock for OwnState<S> {
    fn nbytes(&self) -> usize {
        size_of::<S>()
    }

    fn brief(&self) -> Brief {
        Brief::new("state", &[])
    }
}

fn take<S: Clone + Send + Sync + 'static>(mut value: Value) -> KernelResult<S> {
    let state = value.take::<OwnState<S>>()?;
    Ok(Arc::try_unwrap(state).map_or_else(|shared| shared.0.clone(), |state| state.0))
}

impl<T: Element> Array<T> {
    /// A reduction along axes with functions of one's own: `chunk` gives a state for each block, `combine` makes one of two states
    /// that follow each other in the order of the index, and `aggregate` makes of the last state the block of the result, whose shape
    /// is that of the blocks without the reduced axes (or with length 1, see [`Axes::keepdims`]).
    ///
    /// States are combined as a tree, so `combine` must not care where brackets are. The functions cannot leave the process. A state is
    /// counted in plans as the bytes of its type and of a block of the result.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{arange, axis};
    /// // The largest distance of neighbours that are not more than one block apart: (first, last, largest).
    /// let x = arange::<f64>(0.0, 10.0, 1.0)?.rechunk(3)?;
    /// let x = &x * &x;
    /// let gap = x.reduction(
    ///     ..,
    ///     |_, block| {
    ///         let values: Vec<f64> = block.iter().copied().collect();
    ///         let largest = values.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    ///         (values[0], values[values.len() - 1], largest)
    ///     },
    ///     |a: (f64, f64, f64), b| (a.0, b.1, a.2.max(b.2).max(b.0 - a.1)),
    ///     |state| ndarray::arr0(state.2).into_dyn(),
    /// )?;
    /// assert_eq!(gap.item()?.compute()?, 17.0);
    /// # let _ = axis(0);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice, or the array carries an error. When computed: if `aggregate` gives a block of another
    /// shape.
    #[track_caller]
    pub fn reduction<S, U, C, M, A>(
        &self,
        axes: impl Into<Axes>,
        chunk: C,
        combine: M,
        aggregate: A,
    ) -> Result<Array<U>>
    where
        S: Clone + Send + Sync + 'static,
        U: Element,
        C: Fn(&BlockInfo, ArrayViewD<'_, T>) -> S + Send + Sync + 'static,
        M: Fn(S, S) -> S + Send + Sync + 'static,
        A: Fn(S) -> ArrayD<U> + Send + Sync + 'static,
    {
        let at = Location::caller();
        let (expr, axes) = (self.expr()?, axes.into());
        let numbers = axes.numbers("reduction", expr.ndim(), at)?;
        let grid = reduced_grid(expr, &numbers, axes.keeps_dims());
        let ((name, first), (_, second), (_, third)) = (identity::<C>(), identity::<M>(), identity::<A>());
        let key = KeyBuilder::new("reduction").key(first).key(second).key(third).bytes(type_name::<S>().as_bytes());
        let function = OwnReduction {
            name,
            key: key.finish(),
            state_bytes: size_of::<S>() as u64,
            chunk: Arc::new(move |info, block| {
                Ok(Value::block(OwnState(chunk(info, block.view::<T>().map_err(KernelError::from_source)?))))
            }),
            combine: Arc::new(move |a, b| Ok(Value::block(OwnState(combine(take::<S>(a)?, take::<S>(b)?))))),
            aggregate: Arc::new(move |state| Ok(Block::from_array(aggregate(take::<S>(state)?)))),
        };
        let own = Own { function, axes: numbers, keepdims: axes.keeps_dims() };
        Ok(Array::from_expr(Expr::new(U::DTYPE, grid, Op::Custom(Arc::new(own)), [expr.clone()], at)))
    }
}
