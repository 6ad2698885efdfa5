//! One reading of a source: where it is read in several grids, reductions, which can take any, take the one that others need.
//!
//! In `(x - x.median(0)).std(..)` the median wants whole columns of `x` and the difference has the chunks of `x`: `x` would be read twice,
//! and each block be kept or read again until all medians it meets are known. Cut for the median, each block is read once.
//!
//! A grid is needed if something else than elementwise operations under a reduction reads the source in it. If none is, the first one that
//! is found stands for all.

use hashbrown::{HashMap, HashSet};
use talatat_graph::Key;

use super::fuse::is_cheap;
use super::rechunk::{DEEPEST, made_anew, merge, reduced};
use super::{from_sources_up, until_stable};
use crate::array::build::rechunked;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::grid::Grid;

/// Puts reductions on the chunks that their sources are read in anyway.
pub(super) fn share(roots: &[ExprRef]) -> Vec<ExprRef> {
    let sources = Sources::of(roots);
    if sources.grids.is_empty() {
        return roots.to_vec();
    }
    let mut moved = false;
    let shared = from_sources_up(roots, |expr, now| match (&expr.op, expr.inputs.as_slice(), now.inputs.as_slice()) {
        (Op::Reduce { .. }, [input], [new]) if let Some(grid) = sources.wanted(expr, input) => {
            moved = true;
            reduced(expr, rechunked(new, grid, expr.location))
        }
        _ => now,
    });
    if !moved {
        return roots.to_vec();
    }
    until_stable(&shared, merge)
}

/// An array below elementwise operations: for each of its axes, the one of their result that it goes along.
struct Leaf<'a> {
    expr: &'a ExprRef,
    along: Vec<Option<usize>>,
}

/// What is read by elementwise operations.
fn leaves<'a>(expr: &'a ExprRef, along: Vec<Option<usize>>, depth: u32, found: &mut Vec<Leaf<'a>>) {
    match &expr.op {
        Op::Blockwise(program) if depth > 0 && !expr.inputs.is_empty() => {
            for (input, read) in expr.inputs.iter().zip(&program.inputs) {
                let mut own = vec![None; input.ndim()];
                for (axis, out) in read.axes.iter().zip(&along) {
                    if let Some(own) = axis.and_then(|axis| own.get_mut(usize::from(axis))) {
                        *own = *out;
                    }
                }
                leaves(input, own, depth - 1, found);
            }
        }
        _ => found.push(Leaf { expr, along }),
    }
}

fn leaves_of(input: &ExprRef) -> Vec<Leaf<'_>> {
    let mut found = Vec::new();
    leaves(input, (0..input.ndim()).map(Some).collect(), DEEPEST, &mut found);
    found
}

/// Sources that are read in several grids.
struct Sources {
    /// Which source an expression is.
    identities: HashMap<Key, Key>,
    /// The grid that stands for all of a source.
    grids: HashMap<Key, Grid>,
    /// Expressions that are read as they are by others than reductions.
    needed: HashSet<Key>,
}

impl Sources {
    fn of(roots: &[ExprRef]) -> Sources {
        let (mut identities, mut variants): (HashMap<Key, Key>, HashMap<Key, Vec<&ExprRef>>) = Default::default();
        Expr::visit(roots, &mut |expr| {
            if let Some(identity) = identity(expr) {
                identities.insert(expr.key, identity);
                variants.entry(identity).or_default().push(expr);
            }
        });
        variants.retain(|_, variants| variants.len() > 1);
        identities.retain(|_, identity| variants.contains_key(identity));
        let needed = if variants.is_empty() { HashSet::new() } else { needed(roots, &identities) };
        let stands = |variants: &Vec<&ExprRef>| {
            let first = variants.iter().find(|variant| needed.contains(&variant.key)).or_else(|| variants.first());
            first.map(|variant| variant.grid.clone())
        };
        let grids = variants.iter().filter_map(|(identity, variants)| Some((*identity, stands(variants)?))).collect();
        Sources { identities, grids, needed }
    }

    /// The chunks that the input of a reduction should have, if it should have others.
    fn wanted(&self, reduction: &Expr, input: &ExprRef) -> Option<Grid> {
        let leaves = leaves_of(input);
        let (leaf, grid) = leaves.iter().find_map(|leaf| {
            let grid = self.grids.get(self.identities.get(&leaf.expr.key)?)?;
            (leaf.expr.grid != *grid && !self.needed.contains(&leaf.expr.key)).then_some((leaf, grid))
        })?;
        let mut axes = input.grid.axes().to_vec();
        for (cut, along) in grid.axes().iter().zip(&leaf.along) {
            if let Some(axis) = along.and_then(|along| axes.get_mut(along)) {
                *axis = cut.clone();
            }
        }
        let wanted = Grid::new(axes);
        // What the reduction leaves may have to be cut anew.
        let small = 2 * elements(&reduction.grid) <= elements(&leaf.expr.grid);
        (small && made_anew(input, &wanted, DEEPEST)).then_some(wanted)
    }
}

fn elements(grid: &Grid) -> usize {
    grid.axes().iter().map(|axis| axis.length().unwrap_or(1)).fold(1, usize::saturating_mul)
}

/// What a source is apart from its chunks, if it is worth being read once: what is in memory, or cheap to make, is there anyway.
fn identity(expr: &Expr) -> Option<Key> {
    let worth = match &expr.op {
        Op::Npy { .. } => true,
        Op::Blockwise(program) => expr.inputs.is_empty() && !is_cheap(program),
        Op::Custom(operation) => expr.inputs.is_empty() && operation.cuts(expr).is_some(),
        _ => false,
    };
    let shape = expr.grid.shape().filter(|_| worth)?;
    Some(expr.with(Grid::whole(&shape), expr.op.clone(), []).key)
}

/// The sources that are read, as they are cut, by others than elementwise operations under reductions.
fn needed(roots: &[ExprRef], identities: &HashMap<Key, Key>) -> HashSet<Key> {
    let mut seen: HashSet<Key> = HashSet::new();
    let mut stack: Vec<&ExprRef> = roots.iter().collect();
    while let Some(expr) = stack.pop() {
        if !seen.insert(expr.key) {
            continue;
        }
        match (&expr.op, expr.inputs.as_slice()) {
            (Op::Reduce { .. }, [input]) => {
                let others = leaves_of(input).into_iter().map(|leaf| leaf.expr);
                stack.extend(others.filter(|leaf| !identities.contains_key(&leaf.key)));
            }
            (_, inputs) => stack.extend(inputs),
        }
    }
    seen
}
