//! The arrays that one graph is made for: rewritten together, so that what they share is seen.

use std::rc::Rc;

use hashbrown::HashMap;
use talatat_graph::{Edge, Key};

use super::{Lowering, lower, lower_all};
use crate::array::expr::ExprRef;
use crate::array::rewrite::{rewrite, rewrite_all};
use crate::error::Result;

/// Array expressions that a graph is made for, as they were asked for and as they were rewritten.
#[derive(Default)]
pub(crate) struct Roots {
    announced: Vec<ExprRef>,
    rewritten: HashMap<Key, ExprRef>,
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

    /// Rewrites an expression, with those announced beside it, and makes its blocks.
    pub(crate) fn lower(lowering: &mut Lowering, root: &ExprRef) -> Result<Rc<[Edge]>> {
        let announced = std::mem::take(&mut lowering.arrays.announced);
        if !announced.is_empty() {
            let rewritten = rewrite_all(&announced, &lowering.options.skip_rewrites);
            lower_all(lowering, &rewritten)?;
            lowering.arrays.rewritten.extend(announced.iter().map(|root| root.key).zip(rewritten));
        }
        let expr = match lowering.arrays.rewritten.get(&root.key) {
            Some(expr) => expr.clone(),
            None => {
                let expr = rewrite(root, &lowering.options.skip_rewrites);
                lowering.arrays.rewritten.insert(root.key, expr.clone());
                expr
            }
        };
        lower(lowering, &expr)
    }
}
