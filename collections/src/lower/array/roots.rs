//! The arrays that one graph is made for: rewritten together, so that what they share is seen.

use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;
use talatat_graph::{Edge, Key};

use super::{Lowering, lower, lower_all};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::rewrite::{replace, rewrite_traced};
use crate::error::Result;
use crate::lower::Foreign;

/// Array expressions that a graph is made for, as they were asked for and as they were rewritten.
#[derive(Default)]
pub(crate) struct Roots {
    announced: Vec<ExprRef>,
    rewritten: HashMap<Key, ExprRef>,
    /// What stands for expressions whose blocks another lowering into the same graph has made.
    given: HashMap<Key, ExprRef>,
}

/// Blocks that are there.
struct There {
    blocks: Arc<[Edge]>,
    what: String,
}

impl Foreign for There {
    fn lower(&self, _: &mut Lowering) -> Result<Vec<Edge>> {
        Ok(self.blocks.to_vec())
    }

    fn describe(&self) -> String {
        format!("shared {}", self.what)
    }
}

impl Roots {
    /// Says that an expression will be lowered. All that is announced before the first one is lowered is rewritten together.
    pub(crate) fn announce(&mut self, root: &ExprRef) {
        self.announced.push(root.clone());
    }

    /// What an expression was rewritten to, if it has been lowered.
    pub(crate) fn rewritten(&self, root: &ExprRef) -> Option<&ExprRef> {
        self.rewritten.get(&root.key)
    }

    /// No expressions yet, but that those whose blocks are in `memo` stand for themselves, wherever they are read.
    pub(crate) fn shared(&self, memo: &HashMap<Key, Rc<[Edge]>>) -> Roots {
        let given = self.rewritten.iter().filter_map(|(&key, expr)| {
            let blocks: Arc<[Edge]> = Arc::from(&**memo.get(&expr.key)?);
            let there = Arc::new(There { blocks, what: expr.op.describe() });
            let grid = expr.grid.clone();
            Some((key, Expr::source(expr.dtype, grid, Op::Foreign(there), key, expr.location)))
        });
        Roots { given: given.collect(), ..Roots::default() }
    }

    /// Rewrites an expression, with those announced beside it, and makes its blocks.
    pub(crate) fn lower(lowering: &mut Lowering, root: &ExprRef) -> Result<Rc<[Edge]>> {
        let announced = std::mem::take(&mut lowering.arrays.announced);
        if !announced.is_empty() {
            let rewritten = Self::rewrite(lowering, &announced);
            lower_all(lowering, &rewritten)?;
            lowering.arrays.rewritten.extend(announced.iter().map(|root| root.key).zip(rewritten));
        }
        let expr = match lowering.arrays.rewritten.get(&root.key) {
            Some(expr) => expr.clone(),
            None => {
                let rewritten = Self::rewrite(lowering, std::slice::from_ref(root));
                let expr = rewritten.into_iter().next().unwrap_or_else(|| root.clone());
                lowering.arrays.rewritten.insert(root.key, expr.clone());
                expr
            }
        };
        lower(lowering, &expr)
    }

    fn rewrite(lowering: &mut Lowering, roots: &[ExprRef]) -> Vec<ExprRef> {
        let given = &lowering.arrays.given;
        let roots = if given.is_empty() { roots.to_vec() } else { replace(roots, given) };
        rewrite_traced(&roots, &lowering.options.skip_rewrites, lowering.trace.as_mut())
    }
}
