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

/// How rows of one frame meet those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partners {
    /// Rows that were looked at.
    pub(crate) rows: u64,
    /// What a join makes of them.
    pub(crate) joined: u64,
    /// Whether no two rows of the other frame have equal keys: all of it was looked at.
    pub(crate) unique: bool,
}

/// What was found, by frame and columns, and by joins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    found: HashMap<Key, Found>,
    partners: HashMap<Key, Partners>,
}

impl Known {
    pub(crate) fn of(&self, node: &FrameExpr, columns: &[String]) -> Option<Found> {
        self.found.get(&key(node, columns)).copied()
    }

    pub(crate) fn add(&mut self, node: &FrameExpr, columns: &[String], found: Found) {
        self.found.insert(key(node, columns), found);
    }

    /// What was found of a join, by the name it was asked for.
    pub(crate) fn partners(&self, join: Key) -> Option<Partners> {
        self.partners.get(&join).copied()
    }

    pub(crate) fn add_partners(&mut self, join: Key, partners: Partners) {
        self.partners.insert(join, partners);
    }

    /// Takes over what another one knows.
    pub(crate) fn extend(&mut self, other: Known) {
        self.found.extend(other.found);
        self.partners.extend(other.partners);
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
