//! Programs against the naive way: one element at a time, through scalars.

use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;

use super::super::block::Block;
use super::super::error::Result;
use super::super::scalar::Scalar;
use super::*;
use crate::dtype::{Element, with_dtype};
use crate::reduce::Slab;

/// An element of a block.
fn element(block: &Block, index: &[usize]) -> Scalar {
    with_dtype!(block.dtype(), T => Scalar::from(block.view::<T>().unwrap()[IxDyn(index)]))
}

/// The result's element at an index of the block, by a walk over the instructions.
fn naive(program: &Program, blocks: &[Block], index: &[usize], origin: &[usize]) -> Scalar {
    let mut values: Vec<Scalar> = Vec::new();
    for (input, block) in program.inputs.iter().zip(blocks) {
        let mut at = vec![0; block.ndim()];
        for (&i, axis) in index.iter().zip(&input.axes) {
            if let Some(axis) = axis {
                at[usize::from(*axis)] = i;
            }
        }
        values.push(element(block, &at));
    }
    for instr in &program.instrs {
        let value = |reg: Reg| values[reg as usize];
        let value = match instr {
            Instr::Const(scalar) => *scalar,
            Instr::Index { offset, strides } => {
                let sum = (0..index.len()).map(|k| strides[k] * (origin[k] + index[k]) as i64).sum::<i64>();
                Scalar::from(offset + sum)
            }
            Instr::Cast { to, x } => value(*x).cast(*to),
            Instr::Where { condition, a, b } => {
                if value(*condition).get::<bool>() {
                    value(*a)
                } else {
                    value(*b)
                }
            }
            // The operations have tests of their own; here they are applied to single elements.
            other => {
                let operands: Vec<Block> = other
                    .operands()
                    .iter()
                    .map(|&reg| with_dtype!(value(reg).dtype(), T => Block::full(&[], value(reg).get::<T>()).unwrap()))
                    .collect();
                let inputs = operands.iter().map(|block| Input::identity(block.dtype(), 0)).collect();
                let mut next = 0;
                let instr = other.clone().with_operands(|_| {
                    next += 1;
                    next - 1
                });
                let single = Program { ndim: 0, inputs, instrs: vec![instr], result: operands.len() as Reg };
                let args = operands.iter().map(Arg::Borrowed).collect();
                element(&eval(&single, args, &[], &[]).unwrap(), &[])
            }
        };
        values.push(value);
    }
    values[program.result as usize]
}

fn bits_equal(a: Scalar, b: Scalar) -> bool {
    let nan = |x: Scalar| x.dtype().is_float() && x.get::<f64>().is_nan();
    a == b || (a.dtype() == b.dtype() && nan(a) && nan(b))
}

/// All indices of a shape.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    ndarray::indices(IxDyn(shape)).into_iter().map(|i| ndarray::Dimension::slice(&i).to_vec()).collect()
}

/// Collects rows and checks the promises about them.
struct Collect {
    shape: Vec<usize>,
    parted: usize,
    values: Vec<Option<Scalar>>,
}

impl TileSink for Collect {
    fn slab<T: Element>(&mut self, position: &[usize], axis: usize, slab: Slab<'_, T>) {
        let first = position.iter().zip(&self.shape).fold(0, |sum, (&i, &n)| {
            assert!(i < n);
            sum * n + i
        });
        let product = |axes: &[usize]| axes.iter().product::<usize>();
        let run = product(&self.shape[self.parted.min(self.shape.len())..]);
        let step = product(self.shape.get(axis + 1..).unwrap_or(&[]));
        let from = if axis < self.parted { 0 } else { self.parted };
        let walk = product(&self.shape[from..]) / step.max(1);
        for (row, values) in slab.iter().enumerate() {
            let start = first + row * step;
            assert!(row == 0 || (first / step) / walk == (start / step) / walk, "rows cross axis {}", self.parted);
            assert!(start / run == (start + values.len() - 1) / run, "a run crosses axis {}", self.parted);
            for (i, &value) in values.iter().enumerate() {
                assert!(self.values[start + i].replace(value.to_scalar()).is_none(), "an element came twice");
            }
        }
    }

    fn parts(&self, axis: usize) -> bool {
        axis == self.parted
    }
}

/// Evaluates in all ways and compares every element with the naive value.
fn check(program: &Program, blocks: &[Block], shape: &[usize], origin: &[usize], parted: usize) -> Result<()> {
    let expected: Vec<Scalar> = indices(shape).iter().map(|index| naive(program, blocks, index, origin)).collect();
    let compare = |block: &Block| {
        assert_eq!(block.shape(), shape);
        for (index, &expected) in indices(shape).iter().zip(&expected) {
            let found = element(block, index);
            assert!(bits_equal(found, expected), "{found} is not {expected} at {index:?} of {program:?}");
        }
    };
    compare(&eval(program, blocks.iter().map(Arg::Borrowed).collect(), shape, origin)?);
    compare(&eval(program, blocks.iter().cloned().map(Arg::Dying).collect(), shape, origin)?);

    let count = expected.len();
    let mut sink = Collect { shape: shape.to_vec(), parted, values: vec![None; count] };
    eval_tiles(program, &blocks.iter().collect::<Vec<_>>(), shape, origin, &mut sink)?;
    for (found, expected) in sink.values.iter().zip(&expected) {
        assert!(bits_equal(found.expect("every element comes"), *expected));
    }
    Ok(())
}

/// A plan for a random program; numbers choose among what is there.
#[derive(Clone, Debug)]
struct Recipe {
    shape: Vec<usize>,
    origin: Vec<usize>,
    parted: usize,
    inputs: Vec<(usize, u64, u64, bool)>,
    steps: Vec<(u8, usize, usize, usize, usize)>,
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let shape = prop_oneof![
        prop::collection::vec(0_usize..5, 0..5),
        prop::collection::vec(1_usize..4, 5..7),
        (1_usize..70, 1_usize..70).prop_map(|(a, b)| vec![a, b]),
        (1_usize..3000).prop_map(|n| vec![n]),
        (1_usize..700).prop_map(|n| vec![n, 3]),
    ];
    let inputs = prop::collection::vec((0_usize..11, any::<u64>(), any::<u64>(), any::<bool>()), 0..3);
    let steps = prop::collection::vec((0_u8..8, any::<usize>(), any::<usize>(), any::<usize>(), any::<usize>()), 1..8);
    (shape, 0_usize..1000, 0_usize..6, inputs, steps).prop_map(|(shape, start, parted, inputs, steps)| Recipe {
        origin: (0..shape.len()).map(|axis| start * axis + start / 7).collect(),
        parted: parted % shape.len().max(1),
        shape,
        inputs,
        steps,
    })
}

/// A block that an input of random axes reads: permuted, broadcast, sometimes with gaps in memory.
fn input_for(shape: &[usize], dtype: DType, axes_seed: u64, value_seed: u64, gaps: bool) -> (Input, Block) {
    let mut axes: Vec<usize> = (0..shape.len()).collect();
    let mut seed = axes_seed;
    let mut next = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    if next(2) == 0 {
        for i in (1..axes.len()).rev() {
            axes.swap(i, next(i + 1));
        }
    }
    let broadcast: Vec<bool> = axes.iter().map(|_| next(4) == 0).collect();
    // Axis k of the block is axis axes[k] of the result.
    let mut input = Input { dtype, axes: SmallVec::from_elem(None, shape.len()) };
    let mut block_shape = Vec::new();
    for &axis in &axes {
        if !broadcast[axis] {
            input.axes[axis] = Some(block_shape.len() as u8);
            block_shape.push(shape[axis]);
        } else if next(2) == 0 {
            block_shape.push(1);
        }
    }
    let mut wide = block_shape.clone();
    if let (true, Some(last)) = (gaps, wide.last_mut()) {
        *last *= 2;
    }
    let mut state = value_seed;
    let array = ArrayD::from_shape_simple_fn(IxDyn(&wide), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (state >> 40) % 50 {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => -0.0,
            3 => 1e300,
            _ => ((state >> 32) as i32 % 2000) as f64 / 8.0,
        }
    });
    let block = with_dtype!(dtype, T => {
        let mut array = Block::from_array(array).cast(dtype).into_array::<T>().unwrap().into_shared();
        if gaps && array.ndim() > 0 {
            let axis = ndarray::Axis(array.ndim() - 1);
            let step = if value_seed.is_multiple_of(2) { 2 } else { -2 };
            array.slice_axis_inplace(axis, ndarray::Slice::new(0, None, step));
        }
        Block::from_shared(array)
    });
    (input, block)
}

fn build(recipe: &Recipe) -> (Program, Vec<Block>) {
    let mut b = Builder::new(recipe.shape.len());
    let mut regs = Vec::new();
    let mut blocks = Vec::new();
    for &(dtype, axes, values, gaps) in &recipe.inputs {
        let (input, block) = input_for(&recipe.shape, DType::ALL[dtype], axes, values, gaps);
        regs.push(b.input(input));
        blocks.push(block);
    }
    let strides: Vec<i64> = (0..recipe.shape.len()).map(|axis| axis as i64 * 3 - 1).collect();
    regs.push(b.index(5, &strides).unwrap());
    for &(kind, x, y, z, choice) in &recipe.steps {
        let reg = |i: usize| regs[i % regs.len()];
        let (x, y, z) = (reg(x), reg(y), reg(z));
        let made = match kind {
            0 | 1 => b.unary(UnaryOp::ALL[choice % UnaryOp::ALL.len()], x),
            2..=4 => b.binary(BinaryOp::ALL[choice % BinaryOp::ALL.len()], x, y),
            5 => b.select(x, y, z),
            6 => b.cast(x, DType::ALL[choice % DType::ALL.len()]),
            _ => b.constant(Scalar::from((choice % 7) as f64 - 2.0).cast(DType::ALL[choice % DType::ALL.len()])),
        };
        // Operations without a meaning on the type are refused; the program goes on without them.
        if let Ok(made) = made {
            regs.push(made);
        }
    }
    let result = *regs.last().unwrap();
    (b.finish(result).unwrap(), blocks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn programs_agree_with_the_naive_way(recipe in recipe()) {
        let (program, blocks) = build(&recipe);
        check(&program, &blocks, &recipe.shape, &recipe.origin, recipe.parted).unwrap();
    }

    #[test]
    fn damaged_programs_are_errors_not_panics(recipe in recipe(), damage in any::<(u32, usize, u32)>()) {
        let (mut program, blocks) = build(&recipe);
        let (what, place, value) = damage;
        match what % 5 {
            0 => program.result = value % 20,
            1 => {
                let at = place % program.instrs.len().max(1);
                if let Some(instr) = program.instrs.get_mut(at) {
                    *instr = instr.clone().with_operands(|_| value % 20);
                }
            }
            2 => drop(program.inputs.pop()),
            3 => {
                if let Some(input) = program.inputs.first_mut() {
                    input.axes.push(Some(value as u8));
                    input.axes.swap_remove(0);
                }
            }
            _ => program.ndim = place % 9,
        }
        let args = blocks.iter().map(Arg::Borrowed).collect();
        let _ = eval(&program, args, &recipe.shape, &recipe.origin);
        let _ = program.drop_unused_inputs();
    }

    #[test]
    fn composition_is_evaluation_in_two_steps(inner in recipe(), outer in recipe()) {
        let (inner_program, inner_blocks) = build(&inner);
        let origin = &inner.origin;
        let block = eval(&inner_program, inner_blocks.iter().map(Arg::Borrowed).collect(), &inner.shape, origin).unwrap();
        // The outer program reads it transposed, with a new broadcast axis in front.
        let ndim = inner.shape.len() + 1;
        let mut b = Builder::new(ndim);
        let axes = (0..ndim).map(|axis| axis.checked_sub(1).map(|k| (inner.shape.len() - 1 - k) as u8)).collect();
        let x = b.input(Input { dtype: block.dtype(), axes });
        let (extra, extra_block) = input_for(&[2], DType::F32, outer.inputs.len() as u64, 3, false);
        let mut extra = extra;
        extra.axes.resize(ndim, None);
        let y = b.input(extra);
        let scaled = b.binary(BinaryOp::Maximum, y, x).unwrap();
        let program = b.finish(scaled).unwrap();
        let mut shape = vec![2];
        shape.extend(inner.shape.iter().rev());
        let mut outer_origin = vec![0];
        outer_origin.extend(origin.iter().rev());

        let twice = eval(&program, vec![Arg::Borrowed(&block), Arg::Borrowed(&extra_block)], &shape, &outer_origin).unwrap();
        let fused = program.compose(0, &inner_program).unwrap();
        let mut args: Vec<Arg<'_>> = inner_blocks.iter().map(Arg::Borrowed).collect();
        args.push(Arg::Borrowed(&extra_block));
        let once = eval(&fused, args, &shape, &outer_origin).unwrap();
        for index in indices(&shape) {
            prop_assert!(bits_equal(element(&twice, &index), element(&once, &index)));
        }
    }

    #[test]
    fn views_of_indices_are_indices_of_views(a in 1_usize..6, b in 1_usize..6, offset in 0_i64..3, step in 1_i64..3) {
        let mut builder = Builder::new(2);
        let index = builder.index(100, &[10, 1]).unwrap();
        let program = builder.finish(index).unwrap();
        // result[j, new, i] = program[i * step + offset, j]
        let map = [AxisMap::To { axis: 2, offset, step }, AxisMap::to(0)];
        let view = program.remap_axes(3, &map).unwrap();
        let block = eval(&view, vec![], &[b, 2, a], &[0, 0, 0]).unwrap();
        for index in indices(&[b, 2, a]) {
            let (j, i) = (index[0] as i64, index[2] as i64);
            prop_assert_eq!(element(&block, &index), Scalar::from(100 + 10 * (i * step + offset) + j));
        }
        let row = program.remap_axes(1, &[AxisMap::At(offset), AxisMap::to(0)]).unwrap();
        let row = eval(&row, vec![], &[b], &[0]).unwrap();
        prop_assert_eq!(element(&row, &[b - 1]), Scalar::from(100 + 10 * offset + b as i64 - 1));
        let transposed = eval(&program.transpose(&[1, 0]).unwrap(), vec![], &[b, a], &[0, 0]).unwrap();
        prop_assert_eq!(element(&transposed, &[b - 1, a - 1]), Scalar::from(100 + 10 * (a as i64 - 1) + b as i64 - 1));
    }
}

fn identity_of(dtype: DType) -> (Builder, Reg) {
    let mut b = Builder::new(1);
    let x = b.input(Input::identity(dtype, 1));
    (b, x)
}

#[test]
fn common_subexpressions_share_registers_and_dead_ones_go() {
    let (mut b, x) = identity_of(DType::F64);
    let (p, q) = (b.unary(UnaryOp::Exp, x).unwrap(), b.unary(UnaryOp::Exp, x).unwrap());
    assert_eq!(p, q);
    b.unary(UnaryOp::Sin, x).unwrap();
    let sum = b.binary(BinaryOp::Add, p, q).unwrap();
    assert_eq!(b.finish(sum).unwrap().instrs.len(), 2);
}

#[test]
fn constants_are_folded() {
    let mut b = Builder::new(0);
    let (two, three) = (b.constant(2_i32).unwrap(), b.constant(3.5).unwrap());
    let product = b.binary(BinaryOp::Mul, two, three).unwrap();
    let program = b.finish(product).unwrap();
    assert_eq!(program.instrs, [Instr::Const(Scalar::from(7.0))]);
    assert_eq!(element(&eval(&program, vec![], &[], &[]).unwrap(), &[]), Scalar::from(7.0));
}

#[test]
fn powers_of_constants_are_reduced() {
    for (exponent, instrs) in [(0.0, 1), (1.0, 0), (2.0, 1), (3.0, 2), (0.5, 1), (-1.0, 1)] {
        let (mut b, x) = identity_of(DType::F64);
        let e = b.constant(exponent).unwrap();
        let power = b.binary(BinaryOp::Power, x, e).unwrap();
        let program = b.finish(power).unwrap();
        assert_eq!(program.instrs.len(), instrs, "{exponent}");
        assert!(!program.instrs.iter().any(|i| matches!(i, Instr::Binary { op: BinaryOp::Power, .. })));
        let block = Block::from_vec(&[3], vec![0.25, 2.0, 9.0]).unwrap();
        let result = eval(&program, vec![Arg::Borrowed(&block)], &[3], &[0]).unwrap();
        for (i, x) in [0.25_f64, 2.0, 9.0].into_iter().enumerate() {
            let found = element(&result, &[i]).get::<f64>();
            assert!((found - x.powf(exponent)).abs() <= f64::EPSILON * found, "{x} to {exponent}");
        }
    }
}

#[test]
fn booleans_add_as_numpy_says() {
    for (op, expected) in [
        (BinaryOp::Add, Ok(DType::Bool)),
        (BinaryOp::Mul, Ok(DType::Bool)),
        (BinaryOp::FloorDiv, Ok(DType::I8)),
        (BinaryOp::Div, Ok(DType::F64)),
        (BinaryOp::Sub, Err(())),
    ] {
        let (mut b, x) = identity_of(DType::Bool);
        let found = b.binary(op, x, x).map(|reg| b.dtype(reg).unwrap()).map_err(|_| ());
        assert_eq!(found, expected, "{op:?}");
    }
}

#[test]
fn a_dying_argument_is_overwritten() {
    let (mut b, x) = identity_of(DType::F64);
    let y = b.unary(UnaryOp::Neg, x).unwrap();
    let program = b.finish(y).unwrap();
    let block = Block::full(&[5000], 1.0).unwrap();
    let address = block.view::<f64>().unwrap().as_ptr();
    let result = eval(&program, vec![Arg::Dying(block)], &[5000], &[0]).unwrap();
    assert_eq!(result.view::<f64>().unwrap().as_ptr(), address);
    assert_eq!(result, Block::full(&[5000], -1.0).unwrap());
}

#[test]
fn wrong_arguments_are_errors() {
    let (b, x) = identity_of(DType::F64);
    let program = b.finish(x).unwrap();
    let good = Block::full(&[4], 1.0).unwrap();
    let single = Block::full(&[4], 1.0_f32).unwrap();
    assert!(eval(&program, vec![], &[4], &[0]).is_err());
    assert!(eval(&program, vec![Arg::Borrowed(&single)], &[4], &[0]).is_err());
    assert!(eval(&program, vec![Arg::Borrowed(&good)], &[5], &[0]).is_err());
    assert!(eval(&program, vec![Arg::Borrowed(&good)], &[4], &[]).is_err());
    assert!(eval(&program, vec![Arg::Borrowed(&good)], &[4, 1], &[0, 0]).is_err());
    let matrix = Block::full(&[4, 2], 1.0).unwrap();
    assert!(eval(&program, vec![Arg::Borrowed(&matrix)], &[4], &[0]).is_err());
    let index = Builder::new(1).index(0, &[1, 2]);
    assert!(index.is_err());
}

#[test]
fn many_dimensions_and_empty_blocks() {
    let ndim = 32;
    let mut b = Builder::new(ndim);
    let x = b.input(Input::identity(DType::I32, ndim));
    let y = b.index(0, &vec![1; ndim]).unwrap();
    let sum = b.binary(BinaryOp::Add, x, y).unwrap();
    let program = b.finish(sum).unwrap();
    let mut shape = vec![1; ndim];
    (shape[3], shape[17], shape[31]) = (2, 3, 4);
    let block = Block::full(&shape, 7_i32).unwrap();
    check(&program, &[block], &shape, &vec![1; ndim], 20).unwrap();
    shape[5] = 0;
    let empty = Block::full(&shape, 7_i32).unwrap();
    let result = eval(&program, vec![Arg::Borrowed(&empty)], &shape, &vec![0; ndim]).unwrap();
    assert_eq!((result.len(), result.shape()), (0, &shape[..]));
}

#[test]
fn inputs_of_one_block_are_merged() {
    let mut b = Builder::new(1);
    let inputs: Vec<Reg> = (0..3).map(|_| b.input(Input::identity(DType::F64, 1))).collect();
    let (p, q) = (b.unary(UnaryOp::Exp, inputs[0]).unwrap(), b.unary(UnaryOp::Exp, inputs[2]).unwrap());
    let sum = b.binary(BinaryOp::Add, p, q).unwrap();
    let program = b.finish(sum).unwrap();
    let (merged, kept) = program.merge_inputs(&["a", "b", "a"]).unwrap();
    assert_eq!((merged.instrs.len(), kept), (2, vec![0, 1]));
    let (used, kept) = merged.drop_unused_inputs().unwrap();
    assert_eq!((used.inputs.len(), used.instrs.len(), kept), (1, 2, vec![0]));
}

#[test]
fn programs_travel() {
    let mut b = Builder::new(1);
    let i = b.index(3, &[2]).unwrap();
    let x = b.random(Distribution::Normal { mean: 0.5, deviation: 2.0 }, 9, i).unwrap();
    let nan = b.constant(f64::NAN).unwrap();
    let result = b.binary(BinaryOp::Fmax, x, nan).unwrap();
    let program = b.finish(result).unwrap();
    let bytes = postcard::to_allocvec(&program).unwrap();
    assert_eq!(postcard::from_bytes::<Program>(&bytes).unwrap(), program);
}
