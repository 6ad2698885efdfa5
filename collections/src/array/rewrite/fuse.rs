//! Blockwise fusion: a chain of elementwise operations becomes one program, and so one pass over memory.
//!
//! From the result down, an operation takes in those of its inputs that are blockwise too and that nobody outside reads, or
//! that cost next to nothing to compute again (creations, views, a few cheap instructions).

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use talatat_graph::Key;

use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::kernels::Program;
use crate::array::kernels::program::{BinaryOp, Instr, UnaryOp};

/// A program with more inputs or instructions is not made larger.
const MOST_INPUTS: usize = 24;
const MOST_INSTRUCTIONS: usize = 256;

/// Up to this cost a program is computed again rather than kept. An instruction on a tile in cache takes an eighth of
/// what writing an element to memory and reading it back takes (and less still where the pages are fresh).
const CHEAP: u32 = 8;

/// Reads the roots: it stands for whoever asked for them, and no operation has this key.
const CALLER: Key = Key::from_bits(0);

/// Fuses all that can be fused.
pub(super) fn fuse(roots: &[ExprRef]) -> Vec<ExprRef> {
    let mut order: Vec<ExprRef> = Vec::new();
    let mut readers: HashMap<Key, HashSet<Key>> = HashMap::new();
    Expr::visit(roots, &mut |expr| {
        for input in &expr.inputs {
            readers.entry(input.key).or_default().insert(expr.key);
        }
        order.push(expr.clone());
    });
    if !order.iter().any(|expr| expr.inputs.iter().any(|input| is_blockwise(input))) {
        return roots.to_vec();
    }
    for root in roots {
        readers.entry(root.key).or_default().insert(CALLER);
    }
    // What each expression is replaced by, before its inputs are.
    let mut fused: HashMap<Key, (Arc<Program>, Vec<ExprRef>)> = HashMap::new();
    let mut gone: HashSet<Key> = HashSet::new();
    for expr in order.iter().rev() {
        if gone.contains(&expr.key) {
            continue;
        }
        if let Op::Blockwise(program) = &expr.op
            && let Some(result) = grow(expr, program, &mut readers, &mut gone)
        {
            fused.insert(expr.key, result);
        }
    }
    // Rebuild from the sources up.
    let mut rebuilt: HashMap<Key, ExprRef> = HashMap::new();
    for expr in &order {
        if gone.contains(&expr.key) {
            continue;
        }
        let new = |input: &ExprRef| rebuilt.get(&input.key).unwrap_or(input).clone();
        let result = match fused.get(&expr.key) {
            Some((program, inputs)) => {
                let inputs: Vec<ExprRef> = inputs.iter().map(new).collect();
                expr.with(expr.grid.clone(), Op::Blockwise(program.clone()), inputs)
            }
            None => {
                let inputs: Vec<ExprRef> = expr.inputs.iter().map(new).collect();
                let same = inputs.iter().zip(&expr.inputs).all(|(new, old)| Arc::ptr_eq(new, old));
                if same { expr.clone() } else { expr.with_inputs(inputs) }
            }
        };
        rebuilt.insert(expr.key, result);
    }
    roots.iter().map(|root| rebuilt.get(&root.key).unwrap_or(root).clone()).collect()
}

fn is_blockwise(expr: &Expr) -> bool {
    matches!(expr.op, Op::Blockwise(_))
}

/// Takes inputs into a program until none is left that may go in.
fn grow(
    expr: &ExprRef,
    program: &Arc<Program>,
    readers: &mut HashMap<Key, HashSet<Key>>,
    gone: &mut HashSet<Key>,
) -> Option<(Arc<Program>, Vec<ExprRef>)> {
    let mut program = program.clone();
    let mut inputs = expr.inputs.clone();
    let mut grown = false;
    loop {
        let own =
            |input: &ExprRef| readers.get(&input.key).is_some_and(|readers| readers.iter().all(|key| *key == expr.key));
        let found = inputs.iter().enumerate().find_map(|(slot, input)| match &input.op {
            Op::Blockwise(inner) => {
                let fits = program.inputs.len() + inner.inputs.len() <= MOST_INPUTS
                    && program.instrs.len() + inner.instrs.len() <= MOST_INSTRUCTIONS;
                (fits && (own(input) || is_cheap(inner))).then(|| (slot, inner.clone(), input.inputs.clone()))
            }
            _ => None,
        });
        let Some((slot, inner, below)) = found else { break };
        let Ok(composed) = program.compose(slot, &inner) else { break };
        let taken = inputs[slot].clone();
        for input in &below {
            readers.entry(input.key).or_default().insert(expr.key);
        }
        inputs.splice(slot..slot + 1, below);
        let sources: Vec<Key> = inputs.iter().map(|input| input.key).collect();
        let Ok((merged, kept)) = composed.merge_inputs(&sources) else { break };
        inputs = kept.into_iter().map(|index| inputs[index].clone()).collect();
        program = Arc::new(merged);
        grown = true;
        if inputs.iter().all(|input| input.key != taken.key) {
            release(&taken, expr.key, readers, gone);
        }
    }
    grown.then_some((program, inputs))
}

/// One reader less: an expression that nobody reads any more stops reading its own inputs.
fn release(taken: &ExprRef, reader: Key, readers: &mut HashMap<Key, HashSet<Key>>, gone: &mut HashSet<Key>) {
    let Some(left) = readers.get_mut(&taken.key) else { return };
    left.remove(&reader);
    if left.is_empty() && gone.insert(taken.key) {
        for input in &taken.inputs {
            if let Some(readers) = readers.get_mut(&input.key) {
                readers.remove(&taken.key);
            }
        }
    }
}

/// Whether a program is computed again by each reader rather than once for all.
pub(crate) fn is_cheap(program: &Program) -> bool {
    cost(program) <= CHEAP
}

/// What a program costs an element, in cheap instructions.
fn cost(program: &Program) -> u32 {
    let cost = |instr: &Instr| match instr {
        Instr::Const(_) => 0,
        Instr::Index { .. } | Instr::Where { .. } | Instr::Cast { .. } => 1,
        Instr::Random { .. } => 20,
        Instr::Find { .. } => 10,
        Instr::Unary { op, .. } => match op {
            UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Square | UnaryOp::Not | UnaryOp::BitNot | UnaryOp::IsNan => 1,
            UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Trunc | UnaryOp::Rint | UnaryOp::Sign => 1,
            UnaryOp::Sqrt | UnaryOp::Reciprocal => 4,
            _ => 10,
        },
        Instr::Binary { op, .. } => match op {
            BinaryOp::Power | BinaryOp::Arctan2 | BinaryOp::Hypot | BinaryOp::Mod | BinaryOp::FloorDiv => 10,
            BinaryOp::Fmod | BinaryOp::Gcd | BinaryOp::Lcm | BinaryOp::LogAddExp | BinaryOp::LogAddExp2 => 10,
            BinaryOp::Ldexp => 4,
            BinaryOp::Div => 3,
            _ => 1,
        },
    };
    // Whoever computes it again also reads its inputs again: each one but the first costs as much as the result would.
    let whole = program.inputs.iter().filter(|input| input.axes.iter().all(Option::is_some)).count() as u32;
    program.instrs.iter().map(cost).sum::<u32>() + 2 * whole.saturating_sub(1)
}
