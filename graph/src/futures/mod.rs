//! Calls that are submitted while others run: a graph that grows. Their room is this one; their threads are those of `pool/`.
//!
//! ```text
//! submit -> Call (waits for arguments) -> Agenda (priority, resources, bytes, time) or the deque of the thread -> runs -> Future
//! ```

mod agenda;
mod call;
mod future;
mod join;
mod many;
mod need;
mod node;

pub(crate) use agenda::Agenda;
pub(crate) use node::{Node, Standing, Then};

pub use call::{Failure, Work};
pub use future::{Future, Submit, in_call, is_cancelled, spawn};
pub use join::join;
pub use many::{AsCompleted, as_completed, gather, wait_all, wait_any};
pub use need::Need;
