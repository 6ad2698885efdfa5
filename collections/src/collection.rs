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

    /// What stands on computed blocks: nearly always the collection itself.
    type Persisted;

    /// How many blocks [`lower`](Collection::lower) makes.
    ///
    /// # Errors
    /// If an operation on the way here was called with arguments that cannot work.
    fn blocks(&self) -> Result<usize>;

    /// Says that [`lower`](Collection::lower) will follow. Collections that are announced before the first one is lowered may
    /// be rewritten together, so that what they share is computed once.
    ///
    /// # Errors
    /// As [`lower`](Collection::lower).
    fn announce(&self, lowering: &mut Lowering) -> Result<()> {
        let _ = lowering;
        Ok(())
    }

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
    fn persisted(&self, blocks: Vec<Value>) -> Result<Self::Persisted>;

    /// Adds tasks that look at blocks which are going to be kept: what [`persisted_seen`](Collection::persisted_seen) wants to know of them
    /// without having them brought here. `blocks` are the edges of [`lower`](Collection::lower). By default there is nothing to look at.
    ///
    /// # Errors
    /// If the graph has no room for more tasks.
    fn looks(&self, lowering: &mut Lowering, blocks: &[Edge]) -> Result<Vec<Edge>> {
        let _ = (lowering, blocks);
        Ok(Vec::new())
    }

    /// [`persisted`](Collection::persisted) with what [`looks`](Collection::looks) found: as many values are taken as it had edges.
    ///
    /// # Errors
    /// As [`persisted`](Collection::persisted).
    fn persisted_seen(&self, blocks: Vec<Value>, seen: &mut dyn Iterator<Item = Value>) -> Result<Self::Persisted> {
        let _ = seen;
        self.persisted(blocks)
    }

    /// Whether blocks can be kept as bytes, as far as types tell.
    ///
    /// # Errors
    /// If they are of a type that cannot be written; the message says how to mend that.
    fn check_storable(&self) -> Result<()> {
        Ok(())
    }

    /// The expression as an indented tree, one operation a line, before (`false`) or after (`true`) rewriting.
    fn describe_expression(&self, rewritten: bool) -> String;

    /// The expression as it was lowered: rewritten beside the others in the same graph, with the rules that were left on.
    fn describe_lowered(&self, lowering: &Lowering) -> String {
        let _ = lowering;
        self.describe_expression(true)
    }
}
