//! Rewrites of expressions: the same elements in the same chunks, with less work. A file per rule.

mod fuse;
mod overlap;
mod rechunk;
mod slice;
mod take;

use hashbrown::HashMap;
use talatat_graph::Key;

pub(crate) use fuse::is_cheap;

use crate::array::expr::{Expr, ExprRef};

/// One rule.
pub struct Rule {
    /// Its name, as settings name it.
    pub name: &'static str,
    /// Why it stands where it does.
    pub reason: &'static str,
    run: fn(&[ExprRef]) -> Vec<ExprRef>,
}

/// The rules, in the order they run.
///
/// ```
/// let names: Vec<&str> = talatat::array::RULES.iter().map(|rule| rule.name).collect();
/// assert_eq!(names, ["slice", "take", "rechunk", "overlap", "blockwise"]);
/// # Ok::<(), talatat::Error>(())
/// ```
pub const RULES: &[Rule] = &[
    Rule {
        name: "slice",
        reason: "first: what is cut away early is neither read nor computed",
        run: |roots| until_stable(roots, slice::push_down),
    },
    Rule {
        name: "take",
        reason: "as slices do, and after them: a slice of a gather is a shorter gather",
        run: |roots| until_stable(roots, take::push_down),
    },
    Rule {
        name: "rechunk",
        reason: "after slices have moved through the rechunks, what is left of those may be merged",
        run: |roots| until_stable(roots, rechunk::merge),
    },
    Rule {
        name: "overlap",
        reason: "after slices, which leave only some blocks of an operation on neighbours",
        run: overlap::join,
    },
    Rule {
        name: "blockwise",
        reason: "last: it hides operations that the other rules look for in programs",
        run: fuse::fuse,
    },
];

/// Applies all rules except those named in `skip`.
pub fn rewrite(expr: &ExprRef, skip: &[String]) -> ExprRef {
    rewrite_all(std::slice::from_ref(expr), skip).pop().unwrap_or_else(|| expr.clone())
}

/// Applies all rules except those named in `skip` to expressions that are computed together: each rule sees every reader
/// of what they share.
pub fn rewrite_all(roots: &[ExprRef], skip: &[String]) -> Vec<ExprRef> {
    RULES
        .iter()
        .filter(|rule| !skip.iter().any(|name| name == rule.name))
        .fold(roots.to_vec(), |roots, rule| (rule.run)(&roots))
}

/// Applies a rule from the results down to the sources until it changes nothing more. A rule looks at one expression and
/// gives what should stand in its place.
fn until_stable(roots: &[ExprRef], rule: fn(&Expr) -> Option<ExprRef>) -> Vec<ExprRef> {
    let mut known: HashMap<Key, ExprRef> = HashMap::new();
    // An entry is visited twice: to apply the rule and go down, and to put the inputs' results in.
    let mut stack: Vec<(ExprRef, Option<ExprRef>)> = roots.iter().map(|root| (root.clone(), None)).collect();
    while let Some((original, changed)) = stack.pop() {
        match changed {
            None => {
                if known.contains_key(&original.key) {
                    continue;
                }
                let mut expr = original.clone();
                while let Some(next) = rule(&expr) {
                    expr = next;
                }
                let inputs = expr.inputs.clone();
                stack.push((original, Some(expr)));
                stack.extend(inputs.into_iter().map(|input| (input, None)));
            }
            Some(expr) => {
                let inputs: Vec<ExprRef> =
                    expr.inputs.iter().map(|input| known.get(&input.key).unwrap_or(input).clone()).collect();
                let same = inputs.iter().zip(&expr.inputs).all(|(new, old)| new.key == old.key);
                let result = if same { expr } else { expr.with_inputs(inputs) };
                known.insert(original.key, result);
            }
        }
    }
    roots.iter().map(|root| known.get(&root.key).unwrap_or(root).clone()).collect()
}

#[cfg(test)]
mod tests;
