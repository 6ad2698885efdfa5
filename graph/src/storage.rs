//! Bytes that go between memory and what outlives a program: files and stores.

use crate::graph::TaskGraph;
use crate::memory::projection::PartCounts;
use crate::task::TaskId;

/// Bytes that tasks read from files and stores and write to them, as far as it is known before they run. (What a task itself opens without saying
/// so, a user's function for instance, nobody knows.)
///
/// ```
/// use talatat_graph::StorageBytes;
/// let both = StorageBytes::reads(100).and(StorageBytes::writes(20).about());
/// assert_eq!(both.to_string(), "100 B read, 20 B written (about)");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorageBytes {
    /// Bytes that are read.
    pub read: u64,
    /// Bytes that are written.
    pub written: u64,
    /// Whether the numbers are estimates: what is compressed or written as text has another size there than in memory.
    pub estimated: bool,
}

impl StorageBytes {
    /// So many bytes are read.
    pub fn reads(bytes: u64) -> StorageBytes {
        StorageBytes { read: bytes, ..StorageBytes::default() }
    }

    /// So many bytes are written.
    pub fn writes(bytes: u64) -> StorageBytes {
        StorageBytes { written: bytes, ..StorageBytes::default() }
    }

    /// The same as an estimate. Of nothing there is none.
    pub fn about(self) -> StorageBytes {
        StorageBytes { estimated: !self.is_none(), ..self }
    }

    /// Both together.
    pub fn and(self, other: StorageBytes) -> StorageBytes {
        StorageBytes {
            read: self.read.saturating_add(other.read),
            written: self.written.saturating_add(other.written),
            estimated: self.estimated || other.estimated,
        }
    }

    /// Whether nothing is read or written.
    pub fn is_none(&self) -> bool {
        *self == StorageBytes::default()
    }
}

impl std::fmt::Display for StorageBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let about = if self.estimated { " (about)" } else { "" };
        write!(f, "{} read, {} written{about}", crate::format_bytes(self.read), crate::format_bytes(self.written))
    }
}

impl TaskGraph {
    /// Bytes that all tasks read from files and stores and write there. Of a graph before chains are fused: a fused task does not know how many bytes
    /// its steps hand on. O(tasks + edges).
    pub fn storage(&self) -> StorageBytes {
        let parts = PartCounts::new(self);
        let of = |task: TaskId| {
            let inputs = self.inputs(task).iter().fold(0_u64, |sum, &edge| sum.saturating_add(parts.bytes(self, edge)));
            self.layer(task).kernel.storage_bytes(self.block(task), inputs, self.bytes(task))
        };
        self.tasks().map(of).fold(StorageBytes::default(), StorageBytes::and)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::builder::GraphBuilder;
    use crate::closure::closure_kernel;
    use crate::graph::Edge;
    use crate::key::Key;
    use crate::layer::Layer;
    use crate::optimize::fuse;
    use crate::value::Value;

    /// Two blocks are read, and a half of each is written by two tasks.
    fn copying() -> TaskGraph {
        let mut graph = GraphBuilder::new();
        let read = closure_kernel("read", |_, _| Ok(Value::Unit)).storage(|_, _, made| StorageBytes::reads(made));
        let write = closure_kernel("write", |_, _| Ok(Value::Unit))
            .storage(|_, inputs, _| StorageBytes::writes(inputs).about());
        let read = graph.layer(Layer::new(Key::of("read", &[]), Arc::new(read)));
        let write = graph.layer(Layer::new(Key::of("write", &[]), Arc::new(write)));
        for block in 0..2 {
            let source = graph.task(read, block, 100, &[]).unwrap();
            for part in 0..2 {
                let written = graph.task(write, 2 * block + part, 0, &[Edge::part_of(source, part)]).unwrap();
                graph.output(written.into());
            }
        }
        graph.build()
    }

    #[test]
    fn tasks_say_what_they_read_and_write() {
        assert_eq!(copying().storage().to_string(), "200 B read, 200 B written (about)");
        assert!(GraphBuilder::new().build().storage().is_none());
    }

    #[test]
    fn what_is_fused_or_waits_says_it_too() {
        let mut graph = GraphBuilder::new();
        let read = closure_kernel("read", |_, _| Ok(Value::Unit)).storage(|_, _, _| StorageBytes::reads(64));
        let add = closure_kernel("add", |_, _| Ok(Value::Unit));
        let add = graph.layer(Layer::new(Key::of("add", &[]), Arc::new(add)));
        let first = graph.task(add, 0, 8, &[]).unwrap();
        let mark = graph.mark();
        let read = graph.layer(Layer::new(Key::of("read", &[]), Arc::new(read)));
        let read = graph.task(read, 0, 64, &[]).unwrap();
        graph.output(read.into());
        graph.set_apart(mark, Key::of("seed", &[]), Some(first.into())).unwrap();
        let graph = graph.build();
        assert_eq!(graph.storage(), StorageBytes::reads(64));
        let fused = fuse(graph);
        assert_eq!((fused.len(), fused.storage()), (1, StorageBytes::reads(64).about()));
    }
}
