//! Arrays out of delayed calls.

use std::panic::Location;
use std::sync::Arc;

use ndarray::ArrayD;
use talatat_graph::{Edge, KernelError, KeyBuilder, Layer, closure_kernel};

use crate::array::dtype::Element;
use crate::array::expr::{Expr, Op};
use crate::array::grid::{Dims, Grid};
use crate::array::handle::Array;
use crate::array::kernels::Block;
use crate::collection::Collection;
use crate::delayed::{Delayed, Payload};
use crate::error::{Error, Result};
use crate::lower::{Foreign, Lowering};

/// Dask's `from_delayed`: an array of one block, which a delayed call makes; several of them are joined with `concatenate`, `stack` or
/// `block`. Nothing is copied if nobody else reads the call's result.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{concatenate, from_delayed};
/// let load = delayed(|day: i64| ndarray::ArrayD::from_elem(ndarray::IxDyn(&[2, 3]), day as f64));
/// let days: Vec<_> = (0..4_i64).map(|day| from_delayed(&load.call(day), [2, 3])).collect::<Result<_, _>>()?;
/// let all = concatenate(&days, 0)?;
/// assert_eq!(all.shape()?, [8, 3]);
/// assert_eq!(all.sum(..)?.item()?.compute()?, 36.0);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If there are more elements than can be counted. Computing it fails if the call gives another shape.
#[track_caller]
pub fn from_delayed<T: Element>(value: &Delayed<ArrayD<T>>, shape: impl AsRef<[usize]>) -> Result<Array<T>> {
    let at = Location::caller();
    let grid = Grid::whole(shape.as_ref());
    if let Some(reason) = grid.excess() {
        return Err(Error::invalid_at("from_delayed", reason, at));
    }
    let content = KeyBuilder::new("array.from_delayed").key(value.key()).value(&shape.as_ref()).finish();
    let blocks = Arc::new(Call { value: value.clone(), shape: shape.as_ref().into(), at });
    Ok(Array::from_expr(Expr::source(T::DTYPE, grid, Op::Foreign(blocks), content, at)))
}

struct Call<T> {
    value: Delayed<ArrayD<T>>,
    shape: Dims,
    at: &'static Location<'static>,
}

impl<T: Element> Foreign for Call<T> {
    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        let made = self.value.lower(lowering)?;
        let shape = self.shape.clone();
        let kernel = closure_kernel("from_delayed", move |_, inputs| {
            let value =
                inputs.first_mut().map(std::mem::take).ok_or_else(|| KernelError::new("an array of no call"))?;
            let array = ArrayD::<T>::from_value(value)?;
            if array.shape() != shape.as_slice() {
                let found = array.shape();
                let reason = format!("the call gave an array of shape {found:?} where {shape:?} was promised");
                return Err(KernelError::new(reason));
            }
            Ok(talatat_graph::Value::block(Block::from_array(array)))
        });
        let key = KeyBuilder::new("array.from_delayed").key(self.value.key()).value(&self.shape.as_slice()).finish();
        let layer = lowering.graph.layer(Layer::new(key, Arc::new(kernel)).at(self.at));
        let bytes = self.shape.iter().product::<usize>() as u64 * T::DTYPE.size() as u64;
        Ok(vec![lowering.graph.task(layer, 0, bytes, &made)?.into()])
    }

    fn describe(&self) -> String {
        format!("from_delayed {:?}", self.value)
    }
}
