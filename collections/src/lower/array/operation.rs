//! Operations that make their own tasks.

use std::any::Any;

use talatat_graph::{Edge, KeyBuilder};

use super::{Lowering, Reads};
use crate::array::expr::{Expr, ExprRef};
use crate::array::grid::Grid;
use crate::array::range::StepRange;
use crate::error::Result;
use crate::storage::Location;

/// Each axis of an array along itself, but for one.
pub(super) fn all_but(axis: usize, ndim: usize) -> Reads {
    (0..ndim).map(|other| (other != axis).then_some(other)).collect()
}

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

    /// For each input, the axis of the result that each of its axes goes along index by index: what the result has at an index there
    /// depends on that index of the input and on no other, so a part of the result is the operation on parts of the inputs. Nothing
    /// for other axes. Only axes that are cut alike are looked at.
    fn follows(&self, _expr: &Expr) -> Vec<Reads> {
        Vec::new()
    }

    /// The axis whose indices a mask, the second input, keeps.
    fn masked(&self) -> Option<usize> {
        None
    }

    /// For what is read: the finest chunks that it can be read in, none of them twice. Chunks of these are read as they are asked for.
    fn cuts(&self, _expr: &Expr) -> Option<Grid> {
        None
    }

    /// For what is read: chunks nearer to those that are wanted than its own are, no larger, and read at the same cost; `None` if there
    /// are none.
    fn strips(&self, _expr: &Expr, _wanted: &Grid) -> Option<Grid> {
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
