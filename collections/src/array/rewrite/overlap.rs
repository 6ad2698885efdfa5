//! Operations on neighbours one after the other become one, if nobody else reads what lies between: the array goes through the cache
//! once.

use hashbrown::{HashMap, HashSet};
use talatat_graph::Key;

use crate::array::expr::{Expr, ExprRef, Op};

/// Joins all that can be joined, from the sources up.
pub(super) fn join(roots: &[ExprRef]) -> Vec<ExprRef> {
    let mut order: Vec<ExprRef> = Vec::new();
    let mut readers: HashMap<Key, usize> = HashMap::new();
    Expr::visit(roots, &mut |expr| {
        for input in &expr.inputs {
            *readers.entry(input.key).or_default() += 1;
        }
        order.push(expr.clone());
    });
    let results: HashSet<Key> = roots.iter().map(|root| root.key).collect();
    let mut joined: HashMap<Key, ExprRef> = HashMap::new();
    for expr in &order {
        let inputs: Vec<ExprRef> =
            expr.inputs.iter().map(|input| joined.get(&input.key).unwrap_or(input).clone()).collect();
        let same = inputs.iter().zip(&expr.inputs).all(|(new, old)| new.key == old.key);
        let expr_now = if same { expr.clone() } else { expr.with_inputs(inputs) };
        let alone = |input: &ExprRef| readers.get(&input.key) == Some(&1) && !results.contains(&input.key);
        let both = match &expr.op {
            Op::Custom(operation) if expr.inputs.iter().all(alone) => operation.joined(&expr_now),
            _ => None,
        };
        joined.insert(expr.key, both.unwrap_or(expr_now));
    }
    roots.iter().map(|root| joined.get(&root.key).unwrap_or(root).clone()).collect()
}
