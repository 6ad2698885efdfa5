//! Partitions in memory.

use std::sync::Arc;

use polars::prelude::{DataFrame, Expr, SchemaRef};
use talatat_graph::Key;

use super::Scan;
use crate::frame::divisions::Divisions;
use crate::frame::expr::{Columns, Facts, names};
use crate::frame::kernels::Source;

/// Partitions that are there, under the key that made them.
pub(crate) struct Held {
    pub(crate) parts: Arc<[DataFrame]>,
    pub(crate) schema: SchemaRef,
    pub(crate) key: Key,
    pub(crate) divisions: Option<Divisions>,
}

impl Scan for Held {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn key(&self) -> Key {
        self.key
    }

    fn partitions(&self) -> usize {
        self.parts.len()
    }

    fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.height() as u64).max().unwrap_or(0)
    }

    fn facts(&self) -> Facts {
        let lengths = self.parts.iter().map(|part| part.height() as u64).collect();
        Facts { lengths: Some(lengths), divisions: self.divisions.clone() }
    }

    fn describe(&self) -> String {
        format!("from_polars: {} partitions [{}]", self.parts.len(), names(&self.schema))
    }

    fn projected(&self, _: &Columns) -> Option<Arc<dyn Scan>> {
        None
    }

    fn filtered(&self, _: &Expr) -> Option<Arc<dyn Scan>> {
        None
    }

    fn source(&self) -> Source {
        Source::Data(self.parts.clone())
    }

    fn scratch(&self) -> u64 {
        0
    }

    fn is_free(&self) -> bool {
        true
    }
}
