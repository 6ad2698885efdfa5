//! Bytes: what a plan will need, what a run may take, and what goes to the disk.
//!
//! ```text
//! Plan       projection: the peak of the order, and the most that one task needs with its inputs
//!            forecast: the run played through on several threads, with blocks that are only their size
//! Scheduler  budget: may this task start; if not, which result should leave  (victims: the one needed furthest in the future)
//!            headroom: what the machine has left, if that is less than the limit
//! Executor   spill: writes what leaves, reads back what a task needs
//!            cache: what costs much and is small stays for graphs to come, as long as there is room
//! ```

pub(crate) mod budget;
pub(crate) mod cache;
mod forecast;
mod headroom;
pub(crate) mod projection;
mod spill;
mod victims;

pub use budget::Excess;
pub use cache::{Cache, CacheLevels};
pub use forecast::{Forecast, Played, forecast, play};
pub use headroom::Headroom;
pub(crate) use headroom::Watch;
pub use projection::{Peak, project};
pub use spill::{Compression, SpillSpace, Spilled};

use crate::graph::Edge;
use crate::task::TaskId;

/// What a scheduler asks of whoever holds the results.
pub trait Residency {
    /// Bytes that all results hold in memory.
    fn live(&self) -> u64;
    /// Bytes that a task's result holds in memory.
    fn resident(&self, task: TaskId) -> u64;
    /// Bytes that an input holds in memory.
    fn in_memory(&self, edge: Edge) -> u64;
    /// Bytes that reading an input back from the disk will take.
    fn on_disk(&self, edge: Edge) -> u64;
    /// What may be held now under a limit: less, if the machine has less.
    fn allowed(&self, limit: u64) -> u64 {
        limit
    }
}

/// Memory that is kept for later use beside what results hold, and is given back when it is short.
pub trait Reclaim: Send + Sync {
    /// Frees what is kept beyond `most` bytes.
    fn shrink(&self, most: u64);
}

/// Holds nothing: for runs without a memory limit.
impl Residency for () {
    fn live(&self) -> u64 {
        0
    }

    fn resident(&self, _: TaskId) -> u64 {
        0
    }

    fn in_memory(&self, _: Edge) -> u64 {
        0
    }

    fn on_disk(&self, _: Edge) -> u64 {
        0
    }
}
