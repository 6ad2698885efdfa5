//! Rewrites of expressions: the same elements in the same chunks, with less work. A file per rule, and a file for what several share.
//!
//! # What passes what
//!
//! What is wanted of a result moves towards the sources. A number says which of the notes below holds.
//!
//! | through | slice | take | mask | rechunk |
//! |---|---|---|---|---|
//! | elementwise, `where`, transpose, new and dropped axes, `broadcast_to` | yes | yes | 1 | 2 |
//! | creation, random numbers | in | in, 3 | - | in |
//! | an array in memory | in | in, 3 | 4 | in |
//! | `.npy` | in, with steps | in, 3 | 4 | in |
//! | Zarr | in, with steps | in, 3 | 4 | in, at the chunks of the store |
//! | reduction, along other axes | yes | yes | 5 | 8 |
//! | reduction, the reduced axes | - | - | - | 8 |
//! | rechunk | yes | yes | - | merged |
//! | slice | merged | 6 | - | - |
//! | `concatenate`, `stack`, `block` | steps forwards | in order | - | 2, other axes |
//! | `take`, `roll`, `pad`, `repeat`, `insert`, `delete` | step 1 | - | - | - |
//! | `flip` is a slice | merged | 6 | - | - |
//! | `reshape` | axes in front that stay, runs | first axis | - | - |
//! | windows, diagonals | steps forwards | - | - | - |
//! | `map_overlap`, weighted sums | blocks and neighbours | 7 | - | - |
//! | `map_blocks`, `blockwise`, gufuncs | whole blocks | 7 | - | - |
//! | scans, sorts, quantiles, groups, `compress` along another axis | yes | yes | - | - |
//! | a scan, its own axis | what comes before | - | - | - |
//! | products of integers: rows, columns, leading axes | yes | yes | - | - |
//! | products of floats | whole blocks | 7 | - | - |
//! | points and lazy takes: their axes, those that stay | yes | yes | - | - |
//! | assignment | parts beside it, the part itself | 7 | - | - |
//! | `topk`, `unique`, histograms, sketches, decompositions, user's reductions | 7 | 7 | - | - |
//!
//! 1. If one array is read along the axis and nobody else reads what is passed.
//! 2. If all that is below are sources: these then make other chunks. Else the result is less to move than the arrays it is made of.
//! 3. Blocks without a taken index are not made; a source of which few indices are taken is cut around them (`narrow`), and
//!    indices at even steps are a slice.
//! 4. Chunks in which a mask in memory keeps nothing are not read.
//! 5. If the mask is in memory and keeps at most a half.
//! 6. A gather of indices at even steps is a slice.
//! 7. Only blocks that hold a part of what is wanted are made, since all others are culled from the graph; the blocks themselves stay whole:
//!    a user's function sees the blocks that were promised to it, and products of floats are rounded by whole blocks.
//! 8. Upwards: the result of the reduction is cut instead of what it reads.
//!
//! Empty slices stay where they are in front of operations that make their own tasks. Takes move if they leave at most a half: of several
//! inputs each would be gathered from.
//!
//! # Chunks of sources
//!
//! A source (a creation, random numbers, an array in memory, a `.npy` file, whole chunks of a Zarr store) makes any chunks as easily as those that its
//! handle shows. So there are no chunks that wait to be chosen: a handle's chunks, `"auto"` ones too, are what it would have alone, and are kept as
//! promises of what is computed; but where an operation above wants others (a sort, a median or a product along an axis that is whole, a
//! reshape, arrays that are read together: see `array::unify`) the rechunk goes down into the source, through elementwise operations, transposes and
//! concatenations, and nothing is moved. (A handle whose chunks were open until the whole expression is known could not say its
//! `chunks`, and two handles on one array could not be promised to fit.) A source that is read in
//! several grids is read once where reductions can take the grid that others need (`regrid`). Raw chunks on a disk can be
//! read in parts, too: a rechunk that stays reads them cut as its result is (`strips`). What is printed by `explain` is what was chosen.
//!
//! # Common work
//!
//! Arrays that are computed together are rewritten together: a rule sees every reader. What two of them read is one expression with one key,
//! and so one set of tasks; programs that cost less than to write and read their result again are computed by each reader.

mod along;
mod fuse;
mod mask;
mod narrow;
mod overlap;
mod places;
mod rechunk;
mod regrid;
mod slice;
mod strips;
mod take;

use hashbrown::HashMap;
use talatat_graph::Key;

pub(crate) use fuse::is_cheap;
pub(crate) use rechunk::made_of_nothing;

use crate::array::expr::{Expr, ExprRef};
use crate::lower::Trace;

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
/// assert_eq!(names, ["slice", "take", "rechunk", "regrid", "strips", "mask", "overlap", "blockwise"]);
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
        name: "regrid",
        reason: "when rechunks have reached the sources it is seen which of these are read in several grids",
        run: regrid::share,
    },
    Rule { name: "strips", reason: "when it is seen which sources only a rechunk reads", run: strips::cut },
    Rule {
        name: "mask",
        reason: "after rechunks: the chunks of a mask in memory are then those that it is read in",
        run: mask::push,
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
    rewrite_traced(roots, skip, None)
}

/// The same, noting what each rule changed.
pub(crate) fn rewrite_traced(roots: &[ExprRef], skip: &[String], mut trace: Option<&mut Trace>) -> Vec<ExprRef> {
    let rules = RULES.iter().filter(|rule| !skip.iter().any(|name| name == rule.name));
    rules.fold(roots.to_vec(), |roots, rule| {
        let after = (rule.run)(&roots);
        if let Some(trace) = trace.as_deref_mut()
            && roots.iter().zip(&after).any(|(before, after)| before.key != after.key)
        {
            trace.rewritten(rule.name, after.iter().map(Expr::describe).collect());
        }
        after
    })
}

/// The expressions with others in the place of some, wherever these are read.
pub(crate) fn replace(roots: &[ExprRef], by: &HashMap<Key, ExprRef>) -> Vec<ExprRef> {
    from_sources_up(roots, |expr, now| by.get(&expr.key).cloned().unwrap_or(now))
}

/// Applies a rule from the results down to the sources until it changes nothing more. A rule looks at one expression and
/// gives what should stand in its place.
fn until_stable(roots: &[ExprRef], rule: impl Fn(&Expr) -> Option<ExprRef>) -> Vec<ExprRef> {
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
                known.insert(original.key, renewed(expr, &known));
            }
        }
    }
    roots.iter().map(|root| known.get(&root.key).unwrap_or(root).clone()).collect()
}

/// Applies a rule from the sources up to the results, once. It is given each expression as it was and as it is on what its inputs
/// became, and gives what should stand in its place.
fn from_sources_up(roots: &[ExprRef], mut rule: impl FnMut(&Expr, ExprRef) -> ExprRef) -> Vec<ExprRef> {
    let mut known: HashMap<Key, ExprRef> = HashMap::new();
    Expr::visit(roots, &mut |expr| {
        let now = renewed(expr.clone(), &known);
        known.insert(expr.key, rule(expr, now));
    });
    roots.iter().map(|root| known.get(&root.key).unwrap_or(root).clone()).collect()
}

/// An expression on what its inputs became; itself if none changed.
fn renewed(expr: ExprRef, known: &HashMap<Key, ExprRef>) -> ExprRef {
    let inputs: Vec<ExprRef> = expr.inputs.iter().map(|input| known.get(&input.key).unwrap_or(input).clone()).collect();
    let same = inputs.iter().zip(&expr.inputs).all(|(new, old)| new.key == old.key);
    if same { expr } else { expr.with_inputs(inputs) }
}

#[cfg(test)]
mod tests;
