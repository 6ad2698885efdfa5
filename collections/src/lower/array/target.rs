//! Blocks into stores of users' own.

use std::sync::Arc;

use ndarray::ArrayViewD;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, TaskContext, Value};

use super::each::{block_of, lower_each};
use super::{Lowering, Operation, only_input, source_error};
use crate::array::dtype::Element;
use crate::array::expr::Expr;
use crate::array::grid::Grid;
use crate::array::store::target::StoreTarget;
use crate::error::Result;

/// The input goes to a target of the user's, a block at a time.
pub(crate) struct Storing<T, S> {
    target: Arc<S>,
    /// Where the array begins in the target.
    origin: Vec<usize>,
    /// What tells this target from others.
    number: u64,
    element: std::marker::PhantomData<fn() -> T>,
}

impl<T, S> Storing<T, S> {
    pub(crate) fn new(target: Arc<S>, origin: Vec<usize>, number: u64) -> Self {
        Storing { target, origin, number, element: std::marker::PhantomData }
    }
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> KernelError {
    KernelError::new(error.to_string())
}

/// `array.store.write`: hands a block over.
struct Write<T, S> {
    storing: Storing<T, S>,
    grid: Grid,
}

impl<T: Element, S: StoreTarget<T>> Kernel for Write<T, S> {
    fn name(&self) -> &str {
        "array.store.write"
    }

    fn describe(&self) -> String {
        format!("store to {}", std::any::type_name::<S>())
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let (block, origin) = block_of(inputs, &self.grid, task)?;
        let view: ArrayViewD<'_, T> = block.view::<T>().map_err(source_error)?;
        let start = origin.iter().zip(&self.storing.origin).map(|(own, first)| own + first);
        let region: Vec<std::ops::Range<usize>> =
            start.zip(view.shape()).map(|(start, &length)| start..start + length).collect();
        self.storing.target.write(&region, view).map_err(failed)?;
        Ok(Value::Unit)
    }
}

/// `array.store.finish`: all has been handed over.
struct Finish<T, S>(Storing<T, S>);

impl<T: Element, S: StoreTarget<T>> Kernel for Finish<T, S> {
    fn name(&self) -> &str {
        "array.store.finish"
    }

    fn run(&self, _: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        self.0.target.finish().map_err(failed)?;
        Ok(Value::Unit)
    }
}

impl<T: Element, S: StoreTarget<T>> Operation for Storing<T, S> {
    fn name(&self) -> &'static str {
        "store"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&(&self.origin, self.number))
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let storing = || Storing::new(self.target.clone(), self.origin.clone(), self.number);
        let write = Write { storing: storing(), grid: only_input(expr)?.grid.clone() };
        lower_each(lowering, expr, None, write, self.target.scratch(), Finish(storing()))
    }
}
