//! Kernels: what a task runs.

use std::panic::Location;

use crate::error::{Error, KernelError, KernelResult, Result};
use crate::key::{Key, KeyBuilder};
use crate::storage::StorageBytes;
use crate::value::Value;

/// The number of a task in its graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct TaskId(pub u32);

impl TaskId {
    /// The number as an index.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a kernel is told about the task it runs.
#[derive(Clone, Copy, Debug)]
pub struct TaskContext {
    /// The block's number within its layer.
    pub block: u64,
}

/// An operation on blocks with its parameters: what all tasks of a [`Layer`](crate::Layer) run.
///
/// A kernel that can leave the process has a name known to the [`Registry`](crate::Registry) and encodes its parameters.
/// Kernels hold no open resources and run any number of times, in any order, on any thread.
pub trait Kernel: Send + Sync + 'static {
    /// The operation's name, e.g. `array.reduce`; the registry knows the kernel by it.
    fn name(&self) -> &str;

    /// One line for plans: the name and what matters of the parameters.
    fn describe(&self) -> String {
        self.name().to_string()
    }

    /// Computes one block. `inputs` are in the order of the task's edges; a kernel may take values out of it:
    /// a value nobody else reads is then its own and may be overwritten.
    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value>;

    /// The parameters as bytes, for other processes; enough of them to run this one block.
    fn encode(&self, block: u64) -> Result<Vec<u8>> {
        let _ = block;
        Err(Error::NotPortable {
            operation: self.describe(),
            reason: "it is a closure of this process; register the function as a named kernel: a type that implements `Kernel` \
                     with `encode`, and on both sides `Registry::new().kernel::<TheType>(\"its.name\")`"
                .into(),
        })
    }

    /// The block, if this kernel computes nothing and only hands out what is there anyway: an executor that sends tasks elsewhere
    /// sends the block, or leaves it where it is, instead of the task.
    fn held(&self, block: u64) -> Option<Value> {
        let _ = block;
        None
    }

    /// The name of a block's result by which other graphs of this process know it, too; `None` if nobody knows it, or running the task again may
    /// give another result. It is kept under that name in a [`Cache`](crate::memory::Cache).
    fn lasting(&self, block: u64) -> Option<Key> {
        let _ = block;
        None
    }

    /// A name of what this kernel computes of its inputs, the same in every run of every program that computes the same: see
    /// [`contents`](crate::contents). By default what it hands out, or else its name and its parameters tell.
    ///
    /// # Errors
    /// If nothing that can be compared between two runs tells what it computes; the message says how to mend that.
    fn content(&self, block: u64) -> KernelResult<Key> {
        if let Some(value) = self.held(block) {
            return value.content();
        }
        let parameters = self.encode(block).map_err(|error| match error {
            Error::NotPortable { reason, .. } => KernelError::new(reason),
            error => KernelError::from_source(error),
        })?;
        Ok(KeyBuilder::new(self.name()).bytes(&parameters).number(block).finish())
    }

    /// Whether it changes something outside that is to be changed once: a file that gets its name, a folder that is emptied. An executor that
    /// sends tasks elsewhere, where they may run again after a machine is lost, runs such a task itself. It either reads nothing and gives
    /// nothing ([`Value::Unit`]), or nobody reads its result; it is never fused with others.
    fn once(&self) -> bool {
        false
    }

    /// Bytes that the task of a block reads from files or stores and writes there, for [`explain`](crate::TaskGraph::storage): `inputs` are the bytes of
    /// what it reads of other tasks, `result` those of what it makes, both as promised.
    fn storage_bytes(&self, block: u64, inputs: u64, result: u64) -> StorageBytes {
        let _ = (block, inputs, result);
        StorageBytes::default()
    }

    /// Where the user called the operation for this block, if the kernel knows better than its layer.
    fn location(&self, block: u64) -> Option<&'static Location<'static>> {
        let _ = block;
        None
    }

    /// The steps, if this kernel is several fused ones: the executor then runs them one by one,
    /// so that an error names the step and a cancel need not wait for the rest.
    fn fused(&self) -> Option<&crate::optimize::Fused> {
        None
    }
}
