//! From expressions to task graphs: the only place where tasks are made.

#[cfg(feature = "array")]
pub(crate) mod array;
mod bag;
mod delayed;
mod durable;
#[cfg(feature = "frame")]
pub(crate) mod frame;
mod manipulate;
mod trace;

use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;
use talatat_graph::{Edge, GraphBuilder, Key, Registry, TaskGraph};

#[cfg(all(feature = "array", feature = "frame"))]
pub(crate) use array::lower as lower_array;
#[cfg(feature = "array")]
pub(crate) use array::register as register_arrays;
#[cfg(feature = "array")]
pub(crate) use array::{
    Operation, Roots as ArrayRoots, StackWriting, StoreGuard, Storing, Text, TextOutput, TextWriting,
};
#[cfg(feature = "array")]
#[cfg(feature = "zarr")]
pub(crate) use array::{Zarr, ZarrWriting};
pub(crate) use bag::{lower as lower_bag, run};
pub(crate) use delayed::DelayedTasks;
pub(crate) use durable::{Keeping, Source, register as register_durable};
#[cfg(feature = "frame")]
pub(crate) use frame::Operation as FrameOperation;
#[cfg(feature = "frame")]
pub use frame::{Measured, SAMPLING, Stage};
pub(crate) use manipulate::register as register_manipulation;
pub use trace::{Rewritten, Split, Trace};

/// Blocks that a collection of another kind makes: a frame's column as an array, an array as a frame's column, delayed values as a bag's partitions.
pub trait Foreign: Send + Sync {
    /// Makes the tasks and gives their blocks, in order.
    fn lower(&self, lowering: &mut Lowering) -> crate::error::Result<Vec<Edge>>;

    /// One line for plans.
    #[cfg_attr(not(any(feature = "array", feature = "frame")), allow(dead_code))]
    fn describe(&self) -> String;

    /// Whether they are there already, so that one of them can be had without making the others.
    #[cfg(feature = "frame")]
    fn is_there(&self) -> bool {
        false
    }
}

/// How expressions are lowered.
#[derive(Clone, Debug, Default)]
pub struct LoweringOptions {
    /// Names of expression rewrites to leave out, for tests and for finding faults.
    pub skip_rewrites: Vec<String>,
    /// The most bytes that one task should take, with its inputs: shuffles inside of an operation are cut into as many parts as that asks for. No
    /// answer depends on it.
    pub task_bytes: Option<u64>,
}

/// A graph that is being made, with what it already computes: equal expressions are lowered once.
#[derive(Default)]
pub struct Lowering {
    /// The graph so far.
    pub graph: GraphBuilder,
    /// How to lower.
    pub options: LoweringOptions,
    /// What reads stored blocks; by default the built-in [`registry`](crate::registry()).
    pub registry: Option<Arc<Registry>>,
    /// What is noted for people, if anybody wants to know.
    pub trace: Option<Trace>,
    pub(crate) delayed: DelayedTasks,
    #[cfg(feature = "array")]
    pub(crate) arrays: ArrayRoots,
    #[cfg(feature = "frame")]
    pub(crate) frames: frame::Roots,
    memo: HashMap<Key, Rc<[Edge]>>,
}

impl Lowering {
    /// An empty graph.
    pub fn new(options: LoweringOptions) -> Lowering {
        Lowering { graph: GraphBuilder::new(), options, ..Lowering::default() }
    }

    /// The blocks of the expression with this key, if it was lowered before.
    pub fn seen(&self, key: Key) -> Option<Rc<[Edge]>> {
        self.memo.get(&key).cloned()
    }

    /// Notes the blocks of an expression.
    pub fn note(&mut self, key: Key, blocks: Vec<Edge>) -> Rc<[Edge]> {
        let blocks: Rc<[Edge]> = blocks.into();
        self.memo.insert(key, blocks.clone());
        blocks
    }

    /// The graph, with the given outputs.
    pub fn finish(mut self, outputs: impl IntoIterator<Item = Edge>) -> TaskGraph {
        DelayedTasks::finish(&mut self);
        outputs.into_iter().for_each(|edge| self.graph.output(edge));
        self.graph.build()
    }
}
