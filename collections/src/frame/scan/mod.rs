//! Where frames begin: partitions that a task can make by itself.
//!
//! A scan knows its columns, its partitions and what was pushed down into it. It is a value: pushing something down gives another one.

mod held;
mod pushed;

use std::sync::Arc;

use polars::prelude::{Expr, SchemaRef};
use talatat_graph::{Edge, Key};

pub(crate) use held::HeldScan;
pub(crate) use pushed::{Pushed, files_described, files_to_key};

use super::expr::{Columns, Facts, FrameExpr};
use super::kernels::Source;
use crate::error::Result;
use crate::lower::Lowering;

/// Partitions of files or of memory, read by the tasks that work on them.
pub(crate) trait Scan: Send + Sync {
    /// The columns that come out.
    fn schema(&self) -> SchemaRef;

    /// What the partitions are: the files' versions, the options and what was pushed down.
    fn key(&self) -> Key;

    /// How many partitions there are.
    fn partitions(&self) -> usize;

    /// A guess at the rows of the largest partition.
    fn rows(&self) -> u64;

    /// What is known for certain.
    fn facts(&self) -> Facts {
        Facts::default()
    }

    /// One line for people.
    fn describe(&self) -> String;

    /// The same with these columns and no others, in its own order, if that makes less work. Not to be empty where rows would be lost.
    fn projected(&self, columns: &Columns) -> Option<Arc<dyn Scan>>;

    /// The same without the rows for which the condition is not true, if it can leave them out.
    /// There are as many partitions as before, for other expressions speak of them by number: what statistics rule out is an empty
    /// partition, which costs nothing to make.
    fn filtered(&self, condition: &Expr) -> Option<Arc<dyn Scan>>;

    /// The same without reading what statistics show to hold no row that the filter keeps, if there are any. It has another key.
    fn pruned(&self) -> Option<Arc<dyn Scan>> {
        None
    }

    /// What the kernels need.
    fn source(&self) -> Source;

    /// Bytes that a task needs beside its result.
    fn scratch(&self) -> u64;

    /// For each partition what the task that makes it reads.
    ///
    /// # Errors
    /// If the graph has no room for more tasks.
    fn needs(&self, _lowering: &mut Lowering, _expr: &FrameExpr) -> Result<Vec<Vec<Edge>>> {
        Ok(vec![Vec::new(); self.partitions()])
    }

    /// Whether a partition can be made without reading those before it.
    fn reads_anywhere(&self) -> bool {
        true
    }

    /// Whether making a partition again costs nothing, so that two readers need not share it.
    fn is_free(&self) -> bool {
        false
    }
}
