//! What `persist` has left in memory.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use talatat_graph::memory::SpillSpace;
use talatat_graph::{Block, Result, Value};

/// The persisted blocks of a session that are in memory, as long as somebody holds them.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Vec<Weak<dyn Block>>>);

impl Kept {
    /// Bytes of all blocks that are still held.
    pub(crate) fn bytes(&self) -> u64 {
        let mut blocks = self.0.lock();
        blocks.retain(|block| block.strong_count() > 0);
        blocks.iter().filter_map(Weak::upgrade).map(|block| block.nbytes() as u64).sum()
    }

    /// Takes note of new blocks; those that would make it more than `most` bytes are written to the disk.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub(crate) fn admit(&self, values: &mut [Value], most: u64, space: &SpillSpace) -> Result<()> {
        let mut bytes = self.bytes();
        let mut new = Vec::new();
        for value in values {
            let Value::Block(block) = value else { continue };
            let more = block.nbytes() as u64;
            // A block that somebody else holds stays in memory anyway.
            if bytes + more > most
                && Arc::strong_count(block) == 1
                && let Some(spilled) = space.write(block)?
            {
                *value = spilled;
                continue;
            }
            bytes += more;
            new.push(Arc::downgrade(block));
        }
        self.0.lock().extend(new);
        Ok(())
    }
}
