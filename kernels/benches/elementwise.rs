//! Nanoseconds per element of elementwise programs, beside plain loops over `std` functions.
//!
//! `cargo bench -p talatat-collections --no-default-features --features array --bench elementwise`

use std::hint::black_box;
use std::time::Instant;

use talatat_kernels::dtype::{DType, Element};
use talatat_kernels::program::{
    Arg, BinaryOp, Builder, Compiled, Distribution, Input, Program, TileSink, UnaryOp, eval,
};
use talatat_kernels::reduce::Slab;
use talatat_kernels::{Block, KernelError, pool};

type Result<T, E = KernelError> = std::result::Result<T, E>;

/// A sum in eight lanes: what a reduction costs at least.
#[derive(Default)]
struct Sum([f64; 8]);

impl TileSink for Sum {
    fn slab<T: Element>(&mut self, _position: &[usize], _axis: usize, slab: Slab<'_, T>) {
        for values in slab.iter().filter_map(f64::slice_of) {
            let chunks = values.as_chunks::<8>();
            for chunk in chunks.0 {
                for (sum, x) in self.0.iter_mut().zip(chunk) {
                    *sum += x;
                }
            }
            self.0[0] += chunks.1.iter().sum::<f64>();
        }
    }

    fn parts(&self, _axis: usize) -> bool {
        false
    }
}

trait SliceOf: Sized {
    fn slice_of<T: Element>(values: &[T]) -> Option<&[Self]>;
}

impl SliceOf for f64 {
    fn slice_of<T: Element>(values: &[T]) -> Option<&[f64]> {
        use talatat_kernels::Lane;
        f64::slice(&<T as Lane>::tag(values))
    }
}

/// The best of some runs, in nanoseconds per element.
fn time(name: &str, elements: usize, mut f: impl FnMut()) {
    // Names that contain the argument, if there is one.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if wanted.is_some_and(|wanted| !name.contains(&wanted)) {
        return;
    }
    let mut best = f64::INFINITY;
    let begin = Instant::now();
    while begin.elapsed().as_secs_f64() < 0.5 {
        let start = Instant::now();
        f();
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{name:<58} {:>9.3} ns/element  ({:.3e} s)", best * 1e9 / elements as f64, best);
}

/// sqrt(x^2 + y^2) * exp(-x) + sin(y) with x = 1e-8 i, y = 2e-8 i.
fn wave() -> Result<Program> {
    let mut b = Builder::new(1);
    let i = b.index(0, &[1])?;
    let i = b.cast(i, DType::F64)?;
    let (small, large, two) = (b.constant(1e-8)?, b.constant(2e-8)?, b.constant(2.0)?);
    let (x, y) = (b.binary(BinaryOp::Mul, i, small)?, b.binary(BinaryOp::Mul, i, large)?);
    let (x2, y2) = (b.binary(BinaryOp::Power, x, two)?, b.binary(BinaryOp::Power, y, two)?);
    let sum = b.binary(BinaryOp::Add, x2, y2)?;
    let root = b.unary(UnaryOp::Sqrt, sum)?;
    let negative = b.unary(UnaryOp::Neg, x)?;
    let decay = b.unary(UnaryOp::Exp, negative)?;
    let product = b.binary(BinaryOp::Mul, root, decay)?;
    let sine = b.unary(UnaryOp::Sin, y)?;
    let result = b.binary(BinaryOp::Add, product, sine)?;
    b.finish(result)
}

fn unary(op: UnaryOp, dtype: DType) -> Result<Compiled> {
    let mut b = Builder::new(1);
    let x = b.input(Input::identity(dtype, 1));
    let y = b.unary(op, x)?;
    b.finish(y)?.compile()
}

fn binary(op: BinaryOp, dtype: DType) -> Result<Compiled> {
    let mut b = Builder::new(1);
    let (x, y) = (b.input(Input::identity(dtype, 1)), b.input(Input::identity(dtype, 1)));
    let z = b.binary(op, x, y)?;
    b.finish(z)?.compile()
}

fn main() -> Result<()> {
    let n = 10_000_000;
    let program = wave()?.compile()?;
    time("mean of sqrt(x^2+y^2)*exp(-x)+sin(y), fused with the sum", n, || {
        let mut sum = Sum::default();
        program.eval_tiles(&[], &[n], &[0], &mut sum).unwrap_or_default();
        black_box(sum.0);
    });
    time("  the same, written to a block", n, || {
        black_box(program.eval(vec![], &[n], &[0])).ok();
    });
    time("  plain loop over std", n, || {
        let mut sum = 0.0;
        for i in 0..n {
            let (x, y) = (i as f64 * 1e-8, i as f64 * 2e-8);
            sum += (x * x + y * y).sqrt() * (-x).exp() + y.sin();
        }
        black_box(sum);
    });

    let small = 16_384;
    let x = Block::from_vec(&[small], (0..small).map(|i| 0.001 * i as f64 + 0.5).collect())?;
    for op in [
        UnaryOp::Neg,
        UnaryOp::Sqrt,
        UnaryOp::Exp,
        UnaryOp::Log,
        UnaryOp::Sin,
        UnaryOp::Cos,
        UnaryOp::Tanh,
        UnaryOp::Floor,
        UnaryOp::Log10,
    ] {
        for dtype in [DType::F64, DType::F32] {
            let (program, x) = (unary(op, dtype)?, x.cast(dtype));
            time(&format!("{} of {dtype}", op.name()), small, || {
                black_box(program.eval(vec![Arg::Borrowed(&x)], &[small], &[0])).ok();
            });
        }
    }
    for (op, dtype) in [
        (BinaryOp::Add, DType::F64),
        (BinaryOp::Maximum, DType::F64),
        (BinaryOp::Lt, DType::F64),
        (BinaryOp::Add, DType::I16),
        (BinaryOp::Mul, DType::I64),
        (BinaryOp::FloorDiv, DType::I64),
        (BinaryOp::Power, DType::F64),
    ] {
        let (program, x) = (binary(op, dtype)?, x.cast(dtype));
        time(&format!("{} of {dtype}", op.name()), small, || {
            black_box(program.eval(vec![Arg::Borrowed(&x), Arg::Borrowed(&x)], &[small], &[0])).ok();
        });
    }

    let side = 2000;
    let square = Block::from_vec(&[side, side], vec![1.5; side * side])?;
    let transposed = Input { dtype: DType::F64, axes: [Some(1), Some(0)].into_iter().collect() };
    let mut b = Builder::new(2);
    let (x, y) = (b.input(Input::identity(DType::F64, 2)), b.input(transposed));
    let sum = b.binary(BinaryOp::Add, x, y)?;
    let program = b.finish(sum)?.compile()?;
    time("x + x.T, 2000 x 2000", side * side, || {
        black_box(program.eval(vec![Arg::Borrowed(&square), Arg::Borrowed(&square)], &[side, side], &[0, 0])).ok();
    });

    let place = |distribution| {
        let mut b = Builder::new(1);
        let i = b.index(0, &[1])?;
        let x = b.random(distribution, 1, i)?;
        b.finish(x)?.compile()
    };
    for distribution in [
        Distribution::Uniform { low: 0.0, high: 1.0 },
        Distribution::Normal { mean: 0.0, deviation: 1.0 },
        Distribution::Integers { low: 0, high: 100 },
    ] {
        let program = place(distribution)?;
        time(&format!("{distribution:?}"), small, || {
            black_box(program.eval(vec![], &[small], &[0])).ok();
        });
    }

    let (one, two) = (Block::full(&[1], 1.5)?, Block::full(&[1], 2.5)?);
    let program = binary(BinaryOp::Add, DType::F64)?;
    time("one element, compiled before", 1000, || {
        for _ in 0..1000 {
            black_box(program.eval(vec![Arg::Borrowed(&one), Arg::Borrowed(&two)], &[1], &[0])).ok();
        }
    });
    let program = program.program();
    time("one element, compiled each time", 1000, || {
        for _ in 0..1000 {
            black_box(eval(program, vec![Arg::Borrowed(&one), Arg::Borrowed(&two)], &[1], &[0])).ok();
        }
    });
    println!("{:?}", pool::statistics());
    Ok(())
}
