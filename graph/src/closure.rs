//! Kernels made of closures, for local work and tests.

use crate::error::KernelResult;
use crate::storage::StorageBytes;
use crate::task::{Kernel, TaskContext};
use crate::value::Value;

/// A kernel that runs a closure. It cannot leave the process.
pub struct ClosureKernel<F> {
    name: String,
    run: F,
    storage: Option<Box<Storage>>,
}

/// What a task reads from files or stores and writes there: see [`Kernel::storage_bytes`].
type Storage = dyn Fn(u64, u64, u64) -> StorageBytes + Send + Sync;

impl<F> ClosureKernel<F> {
    /// Says what the closure reads from files or stores and writes there, as [`Kernel::storage_bytes`] does.
    pub fn storage(mut self, bytes: impl Fn(u64, u64, u64) -> StorageBytes + Send + Sync + 'static) -> Self {
        self.storage = Some(Box::new(bytes));
        self
    }
}

/// Makes a kernel of a closure.
///
/// ```
/// use talatat_graph::{closure_kernel, Kernel, TaskContext, Value};
/// let double = closure_kernel("double", |_, inputs| match &inputs[0] {
///     Value::I64(x) => Ok(Value::I64(2 * x)),
///     other => Ok(other.clone()),
/// });
/// let result = double.run(TaskContext { block: 0 }, &mut [Value::I64(21)])?;
/// assert!(matches!(result, Value::I64(42)));
/// # Ok::<(), talatat_graph::KernelError>(())
/// ```
pub fn closure_kernel<F>(name: impl Into<String>, run: F) -> ClosureKernel<F>
where
    F: Fn(TaskContext, &mut [Value]) -> KernelResult<Value> + Send + Sync + 'static,
{
    ClosureKernel { name: name.into(), run, storage: None }
}

impl<F> Kernel for ClosureKernel<F>
where
    F: Fn(TaskContext, &mut [Value]) -> KernelResult<Value> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        (self.run)(task, inputs)
    }

    fn storage_bytes(&self, block: u64, inputs: u64, result: u64) -> StorageBytes {
        self.storage.as_ref().map_or_else(StorageBytes::default, |of| of(block, inputs, result))
    }
}
