//! What a bag is made of: kernels, and the shape of the graph that they are put into.

use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;

use talatat_graph::{Kernel, Key, Value};

use crate::lower::Foreign;

/// A shared expression.
pub(crate) type Node = Arc<BagExpr>;

/// One step from bags to a bag.
pub(crate) struct BagExpr {
    /// One line for plans.
    pub(crate) name: String,
    pub(crate) op: Op,
    pub(crate) inputs: Vec<Node>,
    pub(crate) key: Key,
    pub(crate) partitions: usize,
    pub(crate) size: Size,
    /// Bytes that a task needs beside what it reads and makes.
    pub(crate) scratch: u64,
    pub(crate) location: &'static Location<'static>,
}

/// How the tasks of a step hang together. Kernels know the items' type; nothing else does.
pub(crate) enum Op {
    /// Each partition is made of nothing.
    Source(Arc<dyn Kernel>),
    /// Blocks that are there.
    Ready(Vec<Value>),
    /// Each partition is made of the inputs' partitions of the same number.
    Each(Arc<dyn Kernel>),
    /// Neighbours are merged until one partition is left. The kernel takes any number of partitions, in order.
    Tree(Arc<dyn Kernel>),
    /// One partition is made of all, in order.
    All(Arc<dyn Kernel>),
    /// Each partition of each input is cut into as many parts as there will be partitions; each of those takes its parts of the first input,
    /// then of the second. P + Q tasks.
    Exchange { cut: Vec<Arc<dyn Kernel>>, take: Arc<dyn Kernel> },
    /// The same items in the same order, in more or fewer partitions.
    Recut { cut: Arc<dyn Kernel>, join: Arc<dyn Kernel> },
    /// The partitions of the inputs one after the other.
    Concat,
    /// Some partitions.
    Select(Range<usize>),
    /// Partitions that something else makes.
    Foreign { from: Arc<dyn Foreign>, kernel: Arc<dyn Kernel> },
}

/// A guess at the largest partition.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    pub(crate) items: u64,
    pub(crate) bytes: u64,
}

impl Size {
    /// So many items of so many bytes each.
    pub(crate) fn of(items: u64, each: u64) -> Size {
        Size { items, bytes: items.saturating_mul(each) }
    }

    pub(crate) fn times(self, factor: u64) -> Size {
        Size { items: self.items.saturating_mul(factor), bytes: self.bytes.saturating_mul(factor) }
    }

    pub(crate) fn or_larger(self, other: Size) -> Size {
        Size { items: self.items.max(other.items), bytes: self.bytes.max(other.bytes) }
    }
}

impl BagExpr {
    /// The expression as an indented tree, a step a line.
    pub(crate) fn describe(&self) -> String {
        const LINES: usize = 40;
        let mut text = String::new();
        let mut stack = vec![(self, 0_usize)];
        let mut lines = 0;
        while let Some((node, depth)) = stack.pop() {
            if lines == LINES {
                text.push_str("...\n");
                break;
            }
            lines += 1;
            let plural = if node.partitions == 1 { "" } else { "s" };
            let (name, partitions, indent) = (&node.name, node.partitions, 2 * depth);
            text.push_str(&format!("{:indent$}{name}, {partitions} partition{plural}\n", ""));
            stack.extend(node.inputs.iter().rev().map(|input| (&**input, depth + 1)));
        }
        text
    }
}

/// Long chains are dropped link by link: depth is no limit.
impl Drop for BagExpr {
    fn drop(&mut self) {
        let mut stack = std::mem::take(&mut self.inputs);
        while let Some(node) = stack.pop() {
            if let Some(mut last) = Arc::into_inner(node) {
                stack.append(&mut last.inputs);
            }
        }
    }
}
