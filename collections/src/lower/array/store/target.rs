//! Blocks into stores of users' own.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ndarray::ArrayViewD;
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, StorageBytes, TaskContext, Value};

use super::each::{After, block_of, lower_each};
use crate::array::dtype::Element;
use crate::array::expr::Expr;
use crate::array::grid::Grid;
use crate::array::store::target::StoreTarget;
use crate::error::Result;
use crate::lower::array::{Lowering, Operation, only_input, source_error};

/// A target that is being stored into.
struct Progress<T, S> {
    target: Arc<S>,
    /// How many regions it has taken.
    stored: AtomicUsize,
    finished: AtomicBool,
    element: PhantomData<fn() -> T>,
}

/// Tells the target when it is dropped before all is there.
pub(crate) struct StoreGuard<T: Element, S: StoreTarget<T>>(Arc<Progress<T, S>>);

impl<T: Element, S: StoreTarget<T>> StoreGuard<T, S> {
    /// Says that all is there.
    pub(crate) fn finished(&self) {
        self.0.finished.store(true, Ordering::Relaxed);
    }
}

impl<T: Element, S: StoreTarget<T>> Drop for StoreGuard<T, S> {
    fn drop(&mut self) {
        if !self.0.finished.load(Ordering::Relaxed) {
            self.0.target.abandon();
        }
    }
}

/// The input goes to a target of the user's, a block at a time.
pub(crate) struct Storing<T: Element, S: StoreTarget<T>> {
    progress: Arc<Progress<T, S>>,
    /// Where the array begins in the target.
    origin: Vec<usize>,
    /// What tells this write from others.
    number: u64,
}

impl<T: Element, S: StoreTarget<T>> Storing<T, S> {
    pub(crate) fn new(target: Arc<S>, origin: Vec<usize>, number: u64) -> (Self, StoreGuard<T, S>) {
        let (stored, finished) = (AtomicUsize::new(0), AtomicBool::new(false));
        let progress = Arc::new(Progress { target, stored, finished, element: PhantomData });
        (Storing { progress: progress.clone(), origin, number }, StoreGuard(progress))
    }
}

// Whether the target can be cloned does not matter.
impl<T: Element, S: StoreTarget<T>> Clone for Storing<T, S> {
    fn clone(&self) -> Self {
        Storing { progress: self.progress.clone(), origin: self.origin.clone(), number: self.number }
    }
}

/// `array.store.write`: hands a block over.
struct Write<T: Element, S: StoreTarget<T>> {
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
        let progress = &self.storing.progress;
        progress.target.write(&region, view).map_err(|error| {
            let (stored, all) = (progress.stored.load(Ordering::Relaxed), self.grid.blocks());
            KernelError::new(format!("the region {region:?}: {error}; {stored} of {all} regions had been stored"))
        })?;
        progress.stored.fetch_add(1, Ordering::Relaxed);
        Ok(Value::Unit)
    }

    fn storage_bytes(&self, _: u64, inputs: u64, _: u64) -> StorageBytes {
        StorageBytes::writes(inputs)
    }
}

/// `array.store.finish`: all has been handed over.
struct Finish<T: Element, S: StoreTarget<T>>(Storing<T, S>);

impl<T: Element, S: StoreTarget<T>> Kernel for Finish<T, S> {
    fn name(&self) -> &str {
        "array.store.finish"
    }

    fn run(&self, _: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        let progress = &self.0.progress;
        progress.target.finish().map_err(|error| KernelError::new(error.to_string()))?;
        progress.finished.store(true, Ordering::Relaxed);
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
        let write = Write { storing: self.clone(), grid: only_input(expr)?.grid.clone() };
        lower_each(lowering, expr, After::Nothing, write, self.progress.target.scratch(), Finish(self.clone()))
    }
}
