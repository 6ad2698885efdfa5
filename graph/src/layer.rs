//! Layers: what tasks have in common.

use std::panic::Location;
use std::sync::Arc;

use crate::futures::Need;
use crate::key::Key;
use crate::task::Kernel;

/// The number of a layer in its graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LayerId(pub u32);

/// Tasks that share one kernel and one set of parameters.
#[derive(Clone)]
pub struct Layer {
    /// The hash of what the layer computes; equal keys compute equal blocks.
    pub key: Key,
    /// What every task of the layer runs.
    pub kernel: Arc<dyn Kernel>,
    /// Bytes that one task needs beside its inputs and its output.
    pub scratch: u64,
    /// The same as a share of the bytes of a task's inputs, as large as they turn out: added to `scratch`.
    pub scratch_share: f32,
    /// Where the user asked for it.
    pub location: Option<&'static Location<'static>>,
    /// Annotations: when tasks may start, and what they take beside a thread. They change no result.
    pub need: Option<Arc<Need>>,
    /// Whether a task is known to be so short that waking another thread for it does not pay.
    pub tiny: bool,
    /// Whether results are views of memory that is there anyway, before the run and after it: they do not count.
    pub borrowed: bool,
    /// Whether the bytes of results are guesses: a plan is not refused for them, and they are corrected while it runs.
    pub estimated: bool,
    /// Whether a task without inputs reads its result from a disk: when memory is short, the result is not written but read there again.
    pub again: bool,
}

impl Layer {
    /// A layer without scratch memory.
    pub fn new(key: Key, kernel: Arc<dyn Kernel>) -> Layer {
        Layer {
            key,
            kernel,
            scratch: 0,
            scratch_share: 0.0,
            location: None,
            tiny: false,
            borrowed: false,
            need: None,
            estimated: false,
            again: false,
        }
    }

    /// Sets where the user asked for the layer.
    pub fn at(mut self, location: &'static Location<'static>) -> Layer {
        self.location = Some(location);
        self
    }

    /// Sets the bytes that one task needs beside its inputs and its output.
    pub fn scratch(mut self, bytes: u64) -> Layer {
        self.scratch = bytes;
        self
    }

    /// Sets what one task needs beside its inputs and its output as a share of its inputs' bytes: for kernels whose tables and copies grow with
    /// what they read, where how much that is may be a guess.
    pub fn scratch_of_inputs(mut self, share: f32) -> Layer {
        self.scratch_share = share;
        self
    }

    /// Scratch memory for reading a result again that was dropped.
    pub(crate) fn scratch_again(&self) -> u64 {
        if self.again { self.scratch } else { 0 }
    }

    /// Scratch memory of a task that reads so many bytes.
    pub(crate) fn scratch_for(&self, inputs: u64) -> u64 {
        self.scratch.saturating_add((inputs as f64 * f64::from(self.scratch_share)) as u64)
    }

    /// Annotates the tasks.
    pub fn needs(mut self, need: Option<Arc<Need>>) -> Layer {
        self.need = need;
        self
    }

    /// Says that results are views of memory that is there anyway.
    pub fn borrowed(mut self, borrowed: bool) -> Layer {
        self.borrowed = borrowed;
        self
    }

    /// Says that tasks read their results from a disk, and will find the same there as long as the graph runs: what has to leave memory is
    /// dropped and read again, which costs no more than reading back what was spilled. For tasks without inputs.
    pub fn again(mut self, again: bool) -> Layer {
        self.again = again;
        self
    }

    /// Says that tasks are so short that waking another thread for them does not pay.
    pub fn tiny(mut self, tiny: bool) -> Layer {
        self.tiny = tiny;
        self
    }
}
