//! Masks move towards the sources where nobody else reads what they pass, so that what a mask drops is not computed: through
//! elementwise operations on one array; if the mask is in memory and keeps at most a half, through reductions along other axes, too.
//! (Of a mask that is not known it cannot be told whether copying what it keeps is less than reading it all.)

use hashbrown::{HashMap, HashSet};
use talatat_graph::Key;

use super::take::sees_places;
use super::until_stable;
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::with_axis;
use crate::array::grid::Axis;

/// Moves all masks of some expressions.
pub(super) fn push(roots: &[ExprRef]) -> Vec<ExprRef> {
    let mut readers: HashMap<Key, HashSet<Option<Key>>> = HashMap::new();
    let mut masks = false;
    Expr::visit(roots, &mut |expr| {
        masks |= axis_of(expr).is_some();
        for input in &expr.inputs {
            readers.entry(input.key).or_default().insert(Some(expr.key));
        }
    });
    if !masks {
        return roots.to_vec();
    }
    for root in roots {
        readers.entry(root.key).or_default().insert(None);
    }
    until_stable(roots, |expr| push_down(expr, &readers))
}

/// The axis whose indices a mask keeps.
fn axis_of(expr: &Expr) -> Option<usize> {
    match &expr.op {
        Op::Custom(operation) => operation.masked(),
        _ => None,
    }
}

/// A link of a chain that a mask passes.
struct Link {
    expr: ExprRef,
    /// Which input it is masked through.
    input: usize,
    /// The axis of the result.
    axis: usize,
}

fn push_down(expr: &Expr, readers: &HashMap<Key, HashSet<Option<Key>>>) -> Option<ExprRef> {
    let (Some(axis), [input, mask]) = (axis_of(expr), expr.inputs.as_slice()) else { return None };
    let kept = expr.grid.axes().get(axis)?;
    let few = keeps_few(mask);
    let (mut below, mut along) = (input.clone(), axis);
    let mut chain: Vec<Link> = Vec::new();
    while readers.get(&below.key).is_some_and(|readers| readers.len() == 1)
        && let Some((input, own)) = passed(&below, along, few)
    {
        let next = below.inputs.get(input)?.clone();
        chain.push(Link { expr: std::mem::replace(&mut below, next), input, axis: along });
        along = own;
    }
    if chain.is_empty() {
        return None;
    }
    let masked = |whole: &Expr, axis: usize, op: Op, inputs: Vec<ExprRef>| {
        whole.with(with_axis(&whole.grid, axis, kept.clone()), op, inputs)
    };
    let compress = crate::lower::array::Compress { axis: along };
    let first = Op::Custom(std::sync::Arc::new(compress));
    let first = masked(&below, along, first, vec![below.clone(), mask.clone()]);
    let result = chain.iter().rev().fold(first, |masked_input, link| {
        let mut inputs = link.expr.inputs.clone();
        inputs[link.input] = masked_input;
        masked(&link.expr, link.axis, link.expr.op.clone(), inputs)
    });
    Some(result)
}

/// Which input, along which of its axes, is masked instead.
fn passed(expr: &Expr, axis: usize, few: bool) -> Option<(usize, usize)> {
    match &expr.op {
        Op::Blockwise(program) if !sees_places(program) => {
            let own = |read: &crate::array::kernels::program::Input| read.axes.get(axis).copied().flatten();
            let mut reading =
                program.inputs.iter().enumerate().filter_map(|(at, read)| Some((at, usize::from(own(read)?))));
            // Of several arrays each would be masked.
            reading.next().filter(|_| reading.next().is_none())
        }
        Op::Reduce { axes, keepdims, .. } if few => {
            let kept = |own: &usize| axes.binary_search(own).is_err();
            let own = if *keepdims { Some(axis).filter(kept) } else { (0..).filter(kept).nth(axis) };
            own.map(|own| (0, own))
        }
        _ => None,
    }
}

/// Whether a mask is known to keep at most a half.
fn keeps_few(mask: &Expr) -> bool {
    let (Op::Memory(block), Some(length)) = (&mask.op, mask.grid.axes().first().and_then(Axis::length)) else {
        return false;
    };
    block.view::<bool>().is_ok_and(|mask| mask.iter().filter(|keep| **keep).count() <= length / 2)
}
