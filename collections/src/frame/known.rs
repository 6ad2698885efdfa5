//! What samples tell of frames before the rest of a computation is planned.

use std::collections::HashMap;

use talatat_graph::{Key, KeyBuilder};

use super::expr::FrameExpr;

/// A guess at all of a frame, from a sample of its partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) rows: u64,
    /// Different values of the columns that were looked at.
    pub(crate) groups: u64,
    /// How many partitions were looked at.
    pub(crate) sampled: usize,
}

/// What was found, by frame and columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known(HashMap<Key, Found>);

impl Known {
    pub(crate) fn of(&self, node: &FrameExpr, columns: &[String]) -> Option<Found> {
        self.0.get(&key(node, columns)).copied()
    }

    pub(crate) fn add(&mut self, node: &FrameExpr, columns: &[String], found: Found) {
        self.0.insert(key(node, columns), found);
    }
}

fn key(node: &FrameExpr, columns: &[String]) -> Key {
    KeyBuilder::new("frame.known").key(node.key).value(&columns).finish()
}

/// A question about an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// The number of the input.
    pub(crate) input: usize,
    /// The columns whose different values are asked for; with none, the number of rows is all.
    pub(crate) columns: Vec<String>,
}
