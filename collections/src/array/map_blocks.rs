//! Functions of the user's on blocks.

use std::fmt;
use std::sync::Arc;

use talatat_graph::{KernelResult, Key, KeyBuilder};

use super::grid::Dims;
use super::kernels::Block;

/// Where a block is, as a user's function sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// Which chunk along each axis.
    pub place: Dims,
    /// The index in the whole array of the block's first element.
    pub origin: Dims,
    /// The shape that the result is to have; 0 along axes whose lengths are not known.
    pub shape: Dims,
}

type Run = dyn Fn(&BlockInfo, &[&Block]) -> KernelResult<Block> + Send + Sync;

/// A function on blocks with an identity.
#[derive(Clone)]
pub struct BlockFunction {
    run: Arc<Run>,
    name: Arc<str>,
    key: Key,
}

impl BlockFunction {
    /// Wraps a function. A type without captures is known by its name and type; one with captures is unique.
    pub(crate) fn new<F: 'static>(
        _identity: &F,
        run: impl Fn(&BlockInfo, &[&Block]) -> KernelResult<Block> + Send + Sync + 'static,
    ) -> BlockFunction {
        use std::hash::Hash;
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = std::any::type_name::<F>();
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        std::any::TypeId::of::<F>().hash(&mut hasher);
        let key = KeyBuilder::new("map_blocks").bytes(name.as_bytes()).bytes(&hasher.digest128().to_le_bytes());
        let key = if size_of::<F>() == 0 { key } else { key.number(COUNT.fetch_add(1, Ordering::Relaxed)) };
        let short = name.rsplit("::").find(|part| *part != "{{closure}}").unwrap_or(name);
        BlockFunction { run: Arc::new(run), name: short.into(), key: key.finish() }
    }

    /// The function's name in plans.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The function's identity.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Calls the function.
    ///
    /// # Errors
    /// What the function fails with.
    pub fn call(&self, info: &BlockInfo, blocks: &[&Block]) -> KernelResult<Block> {
        (self.run)(info, blocks)
    }
}

impl fmt::Debug for BlockFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockFunction({})", self.name)
    }
}
