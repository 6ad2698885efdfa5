//! What all arrays that are being written have in common.

use std::sync::Arc;

use talatat_graph::{Edge, Value};

use crate::array::expr::ExprRef;
use crate::array::rewrite::rewrite;
use crate::error::Result;
use crate::lower::{ArrayRoots, Lowering};

/// What was begun: it is removed with its last handle, unless it was finished.
pub(in crate::array) trait Begun: Send + Sync {
    /// Says that all has been finished: there is nothing to remove.
    fn finished(&self);
}

/// An array on its way to where it is written.
#[derive(Clone)]
pub(in crate::array) struct Writing {
    expr: ExprRef,
    begun: Option<Arc<dyn Begun>>,
    done: bool,
}

impl Writing {
    /// `expr` has no elements and one block, which is there when all is written.
    pub(in crate::array) fn new(expr: ExprRef, begun: Option<Arc<dyn Begun>>) -> Self {
        Writing { expr, begun, done: false }
    }

    pub(in crate::array) fn blocks(&self) -> usize {
        usize::from(!self.done)
    }

    pub(in crate::array) fn announce(&self, lowering: &mut Lowering) {
        if !self.done {
            lowering.arrays.announce(&self.expr);
        }
    }

    pub(in crate::array) fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        if self.done {
            return Ok(Vec::new());
        }
        Ok(ArrayRoots::lower(lowering, &self.expr)?.to_vec())
    }

    pub(in crate::array) fn gather(&self, _: Vec<Value>) {
        self.begun.iter().for_each(|begun| begun.finished());
    }

    pub(in crate::array) fn persisted(&self, blocks: Vec<Value>) -> Self {
        self.gather(blocks);
        Writing { done: true, ..self.clone() }
    }

    pub(in crate::array) fn describe_expression(&self, rewritten: bool) -> String {
        if rewritten { rewrite(&self.expr, &[]).describe() } else { self.expr.describe() }
    }

    pub(in crate::array) fn describe_lowered(&self, lowering: &Lowering) -> String {
        let lowered = lowering.arrays.rewritten(&self.expr);
        lowered.map_or_else(|| self.describe_expression(true), |expr| expr.describe())
    }
}

impl std::fmt::Debug for Writing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match (self.done, &self.begun) {
            (true, _) => "written",
            (false, Some(_)) => "begun",
            (false, None) => "not begun",
        };
        write!(f, "{}, {state}", self.expr.op.describe())
    }
}

/// Makes a handle on a [`Writing`] a collection.
macro_rules! writing_collection {
    ($Handle:ident) => {
        impl crate::collection::Collection for $Handle {
            type Output = ();
            type Persisted = Self;

            fn blocks(&self) -> crate::error::Result<usize> {
                Ok(self.0.blocks())
            }

            fn announce(&self, lowering: &mut crate::lower::Lowering) -> crate::error::Result<()> {
                self.0.announce(lowering);
                Ok(())
            }

            fn lower(&self, lowering: &mut crate::lower::Lowering) -> crate::error::Result<Vec<talatat_graph::Edge>> {
                self.0.lower(lowering)
            }

            fn gather(&self, blocks: Vec<talatat_graph::Value>) -> crate::error::Result<()> {
                self.0.gather(blocks);
                Ok(())
            }

            fn persisted(&self, blocks: Vec<talatat_graph::Value>) -> crate::error::Result<Self> {
                Ok($Handle(self.0.persisted(blocks)))
            }

            fn describe_expression(&self, rewritten: bool) -> String {
                self.0.describe_expression(rewritten)
            }

            fn describe_lowered(&self, lowering: &crate::lower::Lowering) -> String {
                self.0.describe_lowered(lowering)
            }
        }

        impl std::fmt::Debug for $Handle {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({:?})", stringify!($Handle), self.0)
            }
        }
    };
}
pub(in crate::array) use writing_collection;
