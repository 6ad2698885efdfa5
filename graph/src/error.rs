//! Errors, by who can mend them.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::bytes::format_bytes;

/// What a kernel says when it fails: a message and, if there is one, the error beneath.
#[derive(Clone)]
pub struct KernelError {
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The result of a kernel.
pub type KernelResult<T> = std::result::Result<T, KernelError>;

impl KernelError {
    /// An error with a message.
    pub fn new(message: impl Into<String>) -> Self {
        KernelError { message: message.into(), source: None }
    }

    /// An error made of another one.
    pub fn from_source(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        KernelError { message: source.to_string(), source: Some(Arc::new(source)) }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KernelError({})", self.message)
    }
}

impl std::error::Error for KernelError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().and_then(|source| source.source())
    }
}

/// Which task an error speaks of.
#[derive(Clone, Debug)]
pub struct TaskSite {
    /// The operation, e.g. `array.reduce`.
    pub operation: String,
    /// The block's number within its layer.
    pub block: u64,
    /// Descriptions of the task's inputs, e.g. `float64[3, 4]`.
    pub inputs: Box<[String]>,
    /// Where the user called the operation.
    pub location: Option<&'static Location<'static>>,
    /// The machine that ran it, if it was another one than this.
    pub worker: Option<Box<str>>,
}

impl fmt::Display for TaskSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, block {}", self.operation, self.block)?;
        if !self.inputs.is_empty() {
            write!(f, " of {}", self.inputs.join(", "))?;
        }
        if let Some(location) = self.location {
            write!(f, ", called at {}:{}", location.file(), location.line())?;
        }
        if let Some(worker) = &self.worker {
            write!(f, ", on {worker}")?;
        }
        Ok(())
    }
}

/// An error of building, planning or running a graph.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A kernel refused its input.
    #[error("{site}: {source}")]
    Kernel {
        /// The task.
        site: TaskSite,
        /// What the kernel said.
        source: KernelError,
    },
    /// A kernel panicked. The executor lives on.
    #[error("{site}: panicked: {message}")]
    Panic {
        /// The task.
        site: TaskSite,
        /// The panic's message.
        message: String,
    },
    /// The computation was cancelled.
    #[error("cancelled after {done} of {total} tasks")]
    Cancelled {
        /// Tasks that had finished.
        done: usize,
        /// Tasks of the graph.
        total: usize,
    },
    /// The plan needs more memory than the limit allows.
    #[error(
        "{operation} needs {} {}, but the memory limit is {}: {}",
        format_bytes(*needed), shortage.what(), format_bytes(*limit), shortage.mend()
    )]
    Memory {
        /// The operation at the peak.
        operation: String,
        /// Bytes that would be live.
        needed: u64,
        /// The limit in force.
        limit: u64,
        /// What the bytes are for.
        shortage: Shortage,
    },
    /// A call wants more of a resource than there is.
    #[error(
        "{operation} wants {wanted} of the resource {resource:?}, and there are {total}: say how many there are when the session is built, or want fewer"
    )]
    Resource {
        /// The call.
        operation: String,
        /// The resource.
        resource: String,
        /// How much the call wants.
        wanted: u64,
        /// How much there is.
        total: u64,
    },
    /// A call waits for itself, perhaps by way of others.
    #[error(
        "{waiting} waits for {awaited}, which cannot end before it does: pass futures on as arguments instead of waiting for them"
    )]
    Circular {
        /// The call that waits.
        waiting: String,
        /// What it waits for.
        awaited: String,
    },
    /// Nobody wants the result of a call any more, or whoever was to run it is gone.
    #[error("{operation} was cancelled")]
    Dropped {
        /// The call.
        operation: String,
    },
    /// A task or a block cannot leave this process.
    #[error("{operation} cannot be serialized: {reason}")]
    NotPortable {
        /// The operation or the block.
        operation: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A result has no name that another run of the program would find it by.
    #[error("{site}: its result cannot be found again by another run: {source}")]
    NotDurable {
        /// The task.
        site: Box<TaskSite>,
        /// Why, and what to do.
        source: KernelError,
    },
    /// An executor that must not compute was asked to.
    #[error("refused to compute {tasks} tasks: {reason}")]
    Refused {
        /// Tasks of the graph.
        tasks: usize,
        /// Why.
        reason: String,
    },
    /// The graph is malformed: a cycle, a missing input, a part that does not exist.
    #[error("invalid graph: {0}")]
    InvalidGraph(String),
    /// Who should run the graph cannot be reached, is gone, or is not what it must be.
    #[error("{executor}: {reason}")]
    Unavailable {
        /// The executor.
        executor: String,
        /// What happened, and what to do.
        reason: String,
    },
    /// Reading or writing of spilled blocks failed.
    #[error("spilling to {path}: {source}")]
    Spill {
        /// The folder.
        path: String,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
}

/// What there is not enough memory for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// All that must be in memory at once, as nothing may go to the disk.
    Peak,
    /// One task with its inputs.
    Task,
    /// The results, which are wanted in memory.
    Results,
}

impl Shortage {
    fn what(self) -> &'static str {
        match self {
            Shortage::Peak => "at once",
            Shortage::Task => "for one task: its inputs, its result and its scratch memory",
            Shortage::Results => "for the results, which are wanted in memory",
        }
    }

    fn mend(self) -> &'static str {
        match self {
            Shortage::Peak => {
                "use smaller chunks, let results go to the disk, raise memory_limit, or compute less at a time"
            }
            Shortage::Task => "use smaller chunks or partitions, or raise memory_limit",
            Shortage::Results => "write them to files, persist them, compute less at a time, or raise memory_limit",
        }
    }
}

/// The result of building, planning or running a graph.
pub type Result<T> = std::result::Result<T, Error>;
