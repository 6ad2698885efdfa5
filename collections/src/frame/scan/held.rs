//! Partitions that are there: in memory, or on disk because memory was short.

use std::sync::Arc;

use polars::prelude::{Expr, SchemaRef};
use talatat_graph::Key;

use super::Scan;
use crate::frame::divisions::Divisions;
use crate::frame::expr::{Columns, Facts, names};
use crate::frame::kernels::Source;
use crate::frame::partition::Held;

/// Partitions that are there, under the key that made them.
pub(crate) struct HeldScan {
    pub(crate) parts: Arc<[Held]>,
    pub(crate) schema: SchemaRef,
    pub(crate) key: Key,
    pub(crate) divisions: Option<Divisions>,
}

impl Scan for HeldScan {
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
        self.parts.iter().map(|part| part.rows() as u64).max().unwrap_or(0)
    }

    fn facts(&self) -> Facts {
        let lengths = self.parts.iter().map(|part| part.rows() as u64).collect();
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
