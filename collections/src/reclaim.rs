//! Memory that is kept for later use: what the pools of buffers hold.

use talatat_graph::memory::Reclaim;

use crate::storage;

/// The pools of buffers of arrays and of files. They keep what is fast to use again, and give it back when a run needs the memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pools;

impl Reclaim for Pools {
    fn shrink(&self, most: u64) {
        // Half of it may be kept: what is about to be used is counted among what is in use already.
        storage::shrink_buffers(most / 2);
        #[cfg(feature = "array")]
        crate::array::kernels::pool::shrink(usize::try_from(most / 2).unwrap_or(usize::MAX));
    }
}
