//! Operations on neighbours one after the other become one, if nobody else reads what lies between: the array goes through the cache
//! once.

use hashbrown::{HashMap, HashSet};
use talatat_graph::Key;

use super::from_sources_up;
use crate::array::expr::{Expr, ExprRef, Op};

/// Joins all that can be joined, from the sources up.
pub(super) fn join(roots: &[ExprRef]) -> Vec<ExprRef> {
    let mut readers: HashMap<Key, usize> = HashMap::new();
    Expr::visit(roots, &mut |expr| {
        for input in &expr.inputs {
            *readers.entry(input.key).or_default() += 1;
        }
    });
    let results: HashSet<Key> = roots.iter().map(|root| root.key).collect();
    let alone = |input: &ExprRef| readers.get(&input.key) == Some(&1) && !results.contains(&input.key);
    from_sources_up(roots, |expr, now| match &expr.op {
        Op::Custom(operation) if expr.inputs.iter().all(alone) => operation.joined(&now).unwrap_or(now),
        _ => now,
    })
}
