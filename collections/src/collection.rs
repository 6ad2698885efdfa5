//! What all lazy collections have in common.

use talatat_graph::{Edge, Value};

use crate::error::Result;
use crate::lower::Lowering;

/// Something lazy that can be computed: an array, a frame, a delayed value.
///
/// A collection makes tasks only in [`lower`](Collection::lower); running them is the business of whoever calls it.
pub trait Collection {
    /// What computing gives: an `ndarray` array, a `DataFrame`, a value.
    type Output;

    /// Rewrites the collection's expression and appends its tasks to the graph.
    /// Gives the edges whose values [`gather`](Collection::gather) wants, in order.
    ///
    /// # Errors
    /// If an operation on the way here was called with arguments that cannot work.
    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>>;

    /// Puts the computed blocks together.
    ///
    /// # Errors
    /// If the blocks are not what the collection promised.
    fn gather(&self, blocks: Vec<Value>) -> Result<Self::Output>;

    /// The same collection, standing on blocks that have been computed.
    ///
    /// # Errors
    /// If the blocks are not what the collection promised.
    fn persisted(&self, blocks: Vec<Value>) -> Result<Self>
    where
        Self: Sized;

    /// The expression as an indented tree, one operation a line, before (`false`) or after (`true`) rewriting.
    fn describe_expression(&self, rewritten: bool) -> String;
}
