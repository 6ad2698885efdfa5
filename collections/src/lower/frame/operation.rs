//! Operations on frames that make their own tasks.

use std::sync::Arc;

use polars::prelude::Expr;
use talatat_graph::{Edge, KeyBuilder};

use super::merge::Merge;
use crate::error::Result;
use crate::frame::expr::{Columns, Node, Shape};
use crate::frame::known::{Ask, Known};
use crate::lower::Lowering;

/// What an operation on frames must say of itself. Its inputs are those of the expression it stands in.
pub(crate) trait Operation: Send + Sync {
    /// Its name in keys and plans.
    fn name(&self) -> &'static str;

    /// One line for plans.
    fn describe(&self) -> String {
        self.name().into()
    }

    /// Mixes in all that the result depends on beside the inputs.
    fn parameters(&self, key: KeyBuilder) -> KeyBuilder;

    /// What comes out of these inputs: asked anew whenever an input is rewritten.
    ///
    /// # Errors
    /// If it makes no sense of them.
    fn result(&self, inputs: &[Node]) -> Result<Shape>;

    /// What gives only these columns of the result, and what it reads then; `None` if it needs all columns of its inputs. If all
    /// columns are wanted, the result is to be as before. Inputs come with the columns that it reads and with no others, in
    /// the order that they have.
    fn narrowed(&self, _inputs: &[Node], _wanted: &Columns) -> Option<Narrowed> {
        None
    }

    /// Into which inputs a condition on the result goes, in their names: filtering these and leaving the filter out gives
    /// the same rows. Nothing if it has to stay above.
    fn sinks(&self, _inputs: &[Node], _condition: &Expr) -> Vec<(usize, Expr)> {
        Vec::new()
    }

    /// What it would like to know of its inputs before that is decided, if it is worth looking at a part of them.
    fn asks(&self, _inputs: &[Node]) -> Vec<Ask> {
        Vec::new()
    }

    /// The same with its way decided by what is known of its inputs, now that they are as they will be; `None` if there is nothing to decide.
    fn decided(&self, _inputs: &[Node], _known: &Known) -> Option<Arc<dyn Operation>> {
        None
    }

    /// The same, prepared for keys that are far more frequent than others; `None` if they do not matter.
    fn spread(&self, _inputs: &[Node]) -> Option<Arc<dyn Operation>> {
        None
    }

    /// Itself, if it is a join by keys: their order can be another one.
    fn as_merge(&self) -> Option<&Merge> {
        None
    }

    /// Makes the tasks: an edge for each partition.
    ///
    /// # Errors
    /// If an input cannot be lowered, or the graph has no room.
    fn lower(&self, lowering: &mut Lowering, node: &Node) -> Result<Vec<Edge>>;
}

/// An operation that gives fewer columns.
pub(crate) struct Narrowed {
    pub(crate) operation: Arc<dyn Operation>,
    /// The columns of each input that it reads; `None` for all.
    pub(crate) reads: Vec<Option<Columns>>,
}
