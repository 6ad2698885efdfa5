//! Nanoseconds per element of the reductions, beside a plain sum: `cargo bench --bench reduce`.

use std::hint::black_box;
use std::time::Instant;

use talatat_kernels::reduce::{Accumulator, ReduceOp, Reducible, Slab};

/// The least time of several runs, per element.
fn nanoseconds(elements: usize, mut run: impl FnMut()) -> f64 {
    let repeats = (2_000_000 / elements).max(1);
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..repeats {
            run();
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / (repeats * elements) as f64);
    }
    best
}

fn table<T: Reducible>(title: &str, row: &[T], rows: usize) {
    println!("{title}: rows of {}", row.len());
    println!("  {:<10}{:>12}{:>12}", "", "to lane", "to lanes");
    for op in [
        ReduceOp::Sum,
        ReduceOp::NanSum,
        ReduceOp::Mean,
        ReduceOp::Std { ddof: 0 },
        ReduceOp::Min,
        ReduceOp::NanMin,
        ReduceOp::ArgMin,
        ReduceOp::Any,
        ReduceOp::CountNonzero,
        ReduceOp::Prod,
    ] {
        let elements = row.len() * rows;
        let new = |lanes| Accumulator::new(op, T::KIND, lanes).expect("lanes fit");
        let one = nanoseconds(elements, || {
            let mut state = new(1);
            for j in 0..rows {
                state.runs(0, Slab::row(black_box(row)), (j * row.len()) as u64).expect("fits");
            }
            black_box(state.finish().expect("not empty"));
        });
        let mut state = new(row.len());
        let many = nanoseconds(elements, || {
            for j in 0..rows {
                state.columns(0, Slab::row(black_box(row)), j as u64, 1).expect("fits");
            }
        });
        // A tenth of the repeats: it takes long.
        let finish = 10.0
            * nanoseconds(10 * row.len(), || {
                let _ = black_box(black_box(state.clone()).finish());
            });
        println!("  {:<10}{one:>12.3}{many:>12.3}   finish {finish:.1} ns a lane", op.name());
    }
}

fn main() {
    // `cargo bench -- 5x5` runs the last part only.
    let only_small = std::env::args().any(|argument| argument == "5x5");
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let doubles: Vec<f64> = (0..4096).map(|_| random()).collect();
    let singles: Vec<f32> = doubles.iter().map(|&x| x as f32).collect();
    let integers: Vec<i32> = doubles.iter().map(|&x| (x * 1000.0) as i32).collect();
    // Exponents from -300 to 300: the slow way.
    let wild: Vec<f64> = doubles.iter().map(|&x| x * 10f64.powf(600.0 * random() - 300.0)).collect();
    let plain = nanoseconds(4096, || {
        black_box(black_box(&doubles).iter().sum::<f64>());
    });
    println!("iter().sum::<f64>(): {plain:.3} ns");
    if !only_small {
        for length in [1000, 4096] {
            table("float64 in [0, 1)", &doubles[..length], 64);
        }
        table("float32 in [0, 1)", &singles[..1000], 64);
        table("int32", &integers[..1000], 64);
        table("float64 over 600 decades", &wild[..1000], 8);
    }
    let small = &doubles[..5];
    for op in [ReduceOp::Sum, ReduceOp::Mean, ReduceOp::Std { ddof: 0 }, ReduceOp::Max, ReduceOp::ArgMax] {
        let time = 25.0
            * nanoseconds(25, || {
                let mut state = Accumulator::new(op, f64::KIND, 1).expect("lanes fit");
                for j in 0..5 {
                    state.runs(0, Slab::row(black_box(small)), 5 * j).expect("fits");
                }
                black_box(state.finish().expect("not empty"));
            });
        println!("5 x 5 to a scalar, {:<7}{time:>8.0} ns", op.name());
    }
}
