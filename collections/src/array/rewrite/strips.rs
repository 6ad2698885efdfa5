//! A source whose blocks are cut anew is read in strips that lie in one block of the result along the leading axes, if strips are read as easily:
//! from raw chunks on a disk. From time to space in 1 GB of memory: where all of time is put together for one strip of space after the other, a
//! strip is what has to be held, not the array.

use hashbrown::{HashMap, HashSet};
use talatat_graph::Key;

use super::from_sources_up;
use crate::array::expr::{Expr, ExprRef, Op};

/// Cuts the sources that nobody but a rechunk reads.
pub(super) fn cut(roots: &[ExprRef]) -> Vec<ExprRef> {
    let mut readers: HashMap<Key, usize> = HashMap::new();
    Expr::visit(roots, &mut |expr| {
        for input in &expr.inputs {
            *readers.entry(input.key).or_default() += 1;
        }
    });
    let results: HashSet<Key> = roots.iter().map(|root| root.key).collect();
    let alone = |input: &ExprRef| readers.get(&input.key) == Some(&1) && !results.contains(&input.key);
    from_sources_up(roots, |expr, now| match (&expr.op, now.inputs.as_slice()) {
        (Op::Rechunk, [source]) if expr.inputs.iter().all(alone) => {
            let Op::Custom(operation) = &source.op else { return now };
            let Some(strips) = operation.strips(source, &now.grid) else { return now };
            now.with_inputs([Expr::new(source.dtype, strips, source.op.clone(), [], source.location)])
        }
        _ => now,
    })
}
