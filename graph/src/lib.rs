//! Task graphs: tasks in, results out.
//!
//! ```text
//! GraphBuilder -> TaskGraph -> passes (cull, dedupe, fuse, check) -> order -> Plan -> Scheduler -> Executor -> Values
//!                              optimize/                             order.rs plan.rs scheduler.rs  executor/
//! ```
//!
//! A task is data: the kernel of its [`Layer`], a block number and [`Edge`]s to other tasks. The [`Scheduler`] is a
//! pure state machine that every [`Executor`] shares; values live in a [`Store`] from the end of their task to the
//! end of their last reader.
//!
//! Under a memory limit the scheduler admits tasks by their bytes and says which results leave [`memory`] when it is short.
//!
//! Deliberately absent: arrays, frames, files, networks. This crate knows blocks only as [`Block`]: something with a
//! size, a description and perhaps a codec.

mod after;
mod builder;
mod bytes;
mod cancel;
mod closure;
mod content;
mod error;
mod events;
mod executor;
mod futures;
mod graph;
mod key;
mod layer;
pub mod memory;
mod optimize;
mod order;
mod petgraph;
mod plan;
mod pool;
mod registry;
mod scheduler;
mod status;
mod storage;
mod store;
mod sync;
mod task;
mod value;

pub use builder::{GraphBuilder, Mark};
pub use bytes::format_bytes;
pub use cancel::Cancel;
pub use closure::{ClosureKernel, closure_kernel};
pub use content::contents;
pub use error::{Error, KernelError, KernelResult, Result, Shortage, TaskSite};
pub use events::{Event, Observer, Watch};
pub use executor::{Executor, RunContext, Synchronous, Threads, invoke, run_in_order, testing};
pub use futures::{
    AsCompleted, Failure, Future, Need, Submit, Work, as_completed, gather, in_call, is_cancelled, join, spawn,
    wait_all, wait_any,
};
pub use graph::{Edge, Successors, TaskGraph};
pub use key::{Key, KeyBuilder};
pub use layer::{Layer, LayerId};
pub use optimize::{FUSED, Fused, PASSES, Pass, PassReport, Step, check, cull, dedupe, fuse, optimize};
pub use order::order;
pub use petgraph::{GraphView, ReadRef, TaskRef, TaskRefs, Visited};
pub use plan::{OperationSummary, Outputs, Plan, PlanOptions};
pub use pool::{Held, Observing, Pool};
pub use registry::Registry;
pub use scheduler::{Instruction, Scheduler};
pub use status::{Board, HeldUp, Levels, Probe, RunStatus, Running, Waiting};
pub use storage::StorageBytes;
pub use store::{Leaving, Store};
pub use task::{Kernel, TaskContext, TaskId};
pub use value::{Block, Brief, Remote, Value};
