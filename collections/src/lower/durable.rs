//! Blocks that are kept in a store as tasks: one writes a block that was made, one reads a block that is there.

use std::panic::Location as Line;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use talatat_graph::{
    Edge, Error as GraphError, Kernel, KernelError, KernelResult, Key, KeyBuilder, Layer, Registry, StorageBytes,
    TaskContext, Value,
};

use super::Lowering;
use crate::durable::{Head, Stored};
use crate::error::Result;
use crate::storage::Location;

pub(crate) fn register(registry: Registry) -> Registry {
    registry.kernel::<Save>(Save::NAME).kernel::<Load>(Load::NAME)
}

/// Where a block comes from.
pub(crate) enum Source {
    /// It is in the store.
    Stored(Head),
    /// A task makes it; this is its name.
    Made(Edge, Key),
}

/// Where blocks are kept, and what becomes of them.
pub(crate) struct Keeping<'a> {
    pub(crate) place: &'a Location,
    pub(crate) registry: Option<Arc<Registry>>,
    /// Whether handles on the blocks are handed on, instead of the blocks.
    pub(crate) leave: bool,
    pub(crate) line: &'static Line<'static>,
}

impl Keeping<'_> {
    /// Makes the tasks: a layer of those that write, a layer of those that read.
    pub(crate) fn lower(&self, lowering: &mut Lowering, sources: &[Source]) -> Result<Vec<Edge>> {
        let made = sources.iter().filter_map(|source| match source {
            Source::Made(_, key) => Some(*key),
            Source::Stored(_) => None,
        });
        let stored = sources.iter().filter_map(|source| match source {
            Source::Stored(head) => Some(head.clone()),
            Source::Made(..) => None,
        });
        let (place, leave, first) = (self.place.clone(), self.leave, 0);
        let save = Save { place: place.clone(), keys: made.collect(), first, leave, registry: self.registry.clone() };
        let load = Load { place, heads: stored.collect(), first, leave, registry: self.registry.clone() };
        let key = |name: &str, keys: &mut dyn Iterator<Item = Key>| {
            let key = KeyBuilder::new(name).value(self.place).number(u64::from(leave));
            keys.fold(key, KeyBuilder::key).finish()
        };
        let graph = &mut lowering.graph;
        // A kernel that cannot send bytes from where they are copies them; so does one that reads.
        let save_key = key(Save::NAME, &mut save.keys.iter().copied());
        let load_key = key(Load::NAME, &mut load.heads.iter().map(Head::key));
        let largest = load.heads.iter().map(|head| head.nbytes).max().unwrap_or(0);
        let save = Layer::new(save_key, Arc::new(save)).at(self.line).scratch_of_inputs(1.0);
        let load = Layer::new(load_key, Arc::new(load)).at(self.line).scratch(if leave { 0 } else { largest });
        // What a local file holds need not be written to the disk again.
        let load = load.again(!leave && self.place.local_path().is_some());
        // How large blocks are is what their layers say of them, and that may be a guess.
        let (save, load) = (graph.layer(Layer { estimated: true, ..save }), graph.layer(load));
        let (mut saved, mut loaded) = (0, 0);
        sources
            .iter()
            .map(|source| {
                let task = match source {
                    Source::Made(edge, _) => {
                        saved += 1;
                        let bytes = if leave { 0 } else { graph.bytes(edge.task) };
                        graph.task(save, saved - 1, bytes, &[*edge])?
                    }
                    Source::Stored(head) => {
                        loaded += 1;
                        graph.task(load, loaded - 1, if leave { 0 } else { head.nbytes }, &[])?
                    }
                };
                Ok(task.into())
            })
            .collect()
    }
}

/// Writes a block and hands it on.
#[derive(Serialize, Deserialize)]
struct Save {
    place: Location,
    /// The names of the blocks from number `first` on.
    keys: Vec<Key>,
    first: u64,
    leave: bool,
    #[serde(skip)]
    registry: Option<Arc<Registry>>,
}

impl Save {
    const NAME: &str = "durable.save";
}

/// Reads a block.
#[derive(Serialize, Deserialize)]
struct Load {
    place: Location,
    /// What is known of the blocks from number `first` on.
    heads: Vec<Head>,
    first: u64,
    leave: bool,
    #[serde(skip)]
    registry: Option<Arc<Registry>>,
}

impl Load {
    const NAME: &str = "durable.load";
}

/// The entry of a block in a list that begins with that of block `first`.
fn entry<T>(list: &[T], first: u64, block: u64) -> KernelResult<&T> {
    let at = block.checked_sub(first).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| list.get(at)).ok_or_else(|| KernelError::new(format!("there is no block {block}")))
}

fn encoded<K: Kernel + Serialize>(kernel: &K) -> talatat_graph::Result<Vec<u8>> {
    postcard::to_stdvec(kernel)
        .map_err(|error| GraphError::NotPortable { operation: kernel.describe(), reason: error.to_string() })
}

fn not_portable(error: KernelError) -> GraphError {
    GraphError::InvalidGraph(error.to_string())
}

impl Kernel for Save {
    fn name(&self) -> &str {
        Save::NAME
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let key = *entry(&self.keys, self.first, task.block)?;
        let value = inputs.first_mut().map(std::mem::take).ok_or_else(|| KernelError::new("there is no block"))?;
        let stored = Stored::write(&self.place, key, &value, self.registry.clone());
        let stored = stored.map_err(KernelError::from_source)?;
        Ok(if self.leave { Value::Remote(Arc::new(stored)) } else { value })
    }

    fn storage_bytes(&self, _: u64, inputs: u64, _: u64) -> StorageBytes {
        StorageBytes::writes(inputs).about()
    }

    fn encode(&self, block: u64) -> talatat_graph::Result<Vec<u8>> {
        let keys = vec![*entry(&self.keys, self.first, block).map_err(not_portable)?];
        encoded(&Save { place: self.place.clone(), keys, first: block, leave: self.leave, registry: None })
    }
}

impl Kernel for Load {
    fn name(&self) -> &str {
        Load::NAME
    }

    fn run(&self, task: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        let head = entry(&self.heads, self.first, task.block)?;
        let stored = Stored::new(&self.place, head.key(), head.clone(), self.registry.clone());
        let stored = stored.map_err(KernelError::from_source)?;
        if self.leave {
            return Ok(Value::Remote(Arc::new(stored)));
        }
        stored.read().map_err(KernelError::from_source)
    }

    fn storage_bytes(&self, _: u64, _: u64, result: u64) -> StorageBytes {
        // Left there, a block is not read.
        if self.leave { StorageBytes::default() } else { StorageBytes::reads(result).about() }
    }

    fn encode(&self, block: u64) -> talatat_graph::Result<Vec<u8>> {
        let heads = vec![entry(&self.heads, self.first, block).map_err(not_portable)?.clone()];
        encoded(&Load { place: self.place.clone(), heads, first: block, leave: self.leave, registry: None })
    }
}
