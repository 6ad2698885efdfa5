//! Operations that make their own tasks.

use std::any::Any;

use talatat_graph::{Edge, KeyBuilder};

use super::Lowering;
use crate::array::expr::{Expr, ExprRef};
use crate::array::range::StepRange;
use crate::error::Result;
use crate::storage::Location;

/// What an operation on arrays must say of itself; its inputs, grid and dtype are those of the expression it stands in.
pub(crate) trait Operation: Any + Send + Sync {
    /// Its name in plans.
    fn name(&self) -> &'static str;

    /// Mixes in all that the result depends on beside the inputs and the grid.
    fn parameters(&self, key: KeyBuilder) -> KeyBuilder;

    /// One line for plans.
    fn describe(&self) -> String {
        self.name().into()
    }

    /// What gives the part `slice` (some `ranges` of `expr`, which is this operation) with less work, if there is such a
    /// thing; its grid is that of `slice`.
    fn sliced(&self, _expr: &Expr, _slice: &Expr, _ranges: &[StepRange]) -> Option<ExprRef> {
        None
    }

    /// What does this operation and that of its input in one pass, if there is such a thing; asked if nobody else reads the
    /// input.
    fn joined(&self, _expr: &Expr) -> Option<ExprRef> {
        None
    }

    /// Where its elements are read from, if that may be written to while it is computed.
    #[cfg_attr(not(feature = "zarr"), allow(dead_code))]
    fn reads(&self) -> Option<&Location> {
        None
    }

    /// Makes the tasks and gives the blocks, in the order of the grid. The inputs have been lowered.
    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>>;
}
