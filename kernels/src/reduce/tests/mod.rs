//! Reductions: what single cases must give. Random cases are in `properties`.

mod properties;
mod reference;

use super::*;
use crate::dtype::with_dtype;

const ALL: [ReduceOp; 21] = [
    ReduceOp::Sum,
    ReduceOp::NanSum,
    ReduceOp::Prod,
    ReduceOp::NanProd,
    ReduceOp::Mean,
    ReduceOp::NanMean,
    ReduceOp::Var { ddof: 1 },
    ReduceOp::NanVar { ddof: 0 },
    ReduceOp::Std { ddof: 0 },
    ReduceOp::NanStd { ddof: 2 },
    ReduceOp::Min,
    ReduceOp::Max,
    ReduceOp::NanMin,
    ReduceOp::NanMax,
    ReduceOp::Any,
    ReduceOp::All,
    ReduceOp::ArgMin,
    ReduceOp::ArgMax,
    ReduceOp::NanArgMin,
    ReduceOp::NanArgMax,
    ReduceOp::CountNonzero,
];

/// One row to one lane.
fn whole<T: Reducible>(op: ReduceOp, values: &[T]) -> Result<LaneValues> {
    let mut state = Accumulator::new(op, T::KIND, 1)?;
    state.runs(0, Slab::row(values), 0)?;
    state.finish()
}

fn f64_of(op: ReduceOp, values: &[f64]) -> f64 {
    match whole(op, values) {
        Ok(LaneValues::F64(lanes)) => lanes[0],
        other => panic!("{op}: {other:?}"),
    }
}

fn index_of(op: ReduceOp, values: &[f64]) -> i64 {
    match whole(op, values) {
        Ok(LaneValues::I64(lanes)) => lanes[0],
        other => panic!("{op}: {other:?}"),
    }
}

/// The same results, bit by bit.
fn same(a: &Result<LaneValues>, b: &Result<LaneValues>) -> bool {
    match (a, b) {
        (Ok(LaneValues::F64(a)), Ok(LaneValues::F64(b))) => {
            a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits()))
        }
        (Ok(LaneValues::F32(a)), Ok(LaneValues::F32(b))) => {
            a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits()))
        }
        (a, b) => a == b,
    }
}

#[test]
fn many_additions_carry_in_time() {
    // The first row, a quarter of the others, puts these at the top of what a plane takes; as many
    // rows would overflow it without carries.
    let rows = 30_000;
    let row: Vec<f64> = (0..1100).map(|j| if j % 2 == 0 { 3.9 } else { -3.7 } + f64::from(j) * 1e-9).collect();
    let quarter: Vec<f64> = row.iter().map(|x| x / 4.0).collect();
    let expected: Vec<f64> = row.iter().map(|&x| x.mul_add(f64::from(rows), x / 4.0)).collect();
    let mut lanes = Accumulator::new(ReduceOp::Sum, DType::F64, row.len()).unwrap();
    let mut ones = Accumulator::new(ReduceOp::Sum, DType::F64, 2).unwrap();
    lanes.columns(0, Slab::row(&quarter), 0, 1).unwrap();
    ones.columns(0, Slab::row(&quarter[..2]), 0, 1).unwrap();
    for _ in 0..rows {
        lanes.columns(0, Slab::row(&row), 0, 1).unwrap();
        ones.runs(0, Slab::row(&row[..1]), 0).unwrap();
        ones.runs(1, Slab::row(&row[1..2]), 0).unwrap();
    }
    assert_eq!(ones.finish(), Ok(LaneValues::F64(expected[..2].to_vec())));
    assert_eq!(lanes.finish(), Ok(LaneValues::F64(expected)));
}

#[test]
fn merging_twice_itself_over_and_over_stays_exact() {
    let mut state = Accumulator::new(ReduceOp::Sum, DType::F64, 2).unwrap();
    state.columns(0, Slab::row(&[0.1, -1.0 / 3.0]), 0, 1).unwrap();
    let mut factor = 1.0;
    for _ in 0..60 {
        let copy = state.clone();
        state.merge(&copy).unwrap();
        factor *= 2.0;
    }
    assert_eq!(state.finish(), Ok(LaneValues::F64(vec![0.1 * factor, -factor / 3.0])));
}

#[test]
fn specials() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    assert_eq!(f64_of(ReduceOp::Sum, &[1.0, inf, -1e300]), inf);
    assert!(f64_of(ReduceOp::Sum, &[inf, 1.0, -inf]).is_nan());
    assert!(f64_of(ReduceOp::Sum, &[inf, nan]).is_nan());
    assert_eq!(f64_of(ReduceOp::NanSum, &[inf, nan, 2.0]), inf);
    assert_eq!(f64_of(ReduceOp::NanSum, &[nan, nan]).to_bits(), 0);
    assert_eq!(f64_of(ReduceOp::Sum, &[-0.0, -0.0]).to_bits(), 0);
    assert_eq!(f64_of(ReduceOp::Sum, &[f64::MAX, f64::MAX]), inf);
    assert_eq!(f64_of(ReduceOp::Sum, &[f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
    assert_eq!(f64_of(ReduceOp::Mean, &[f64::MAX, f64::MAX]), f64::MAX);
    assert_eq!(f64_of(ReduceOp::Mean, &[inf, 1.0]), inf);
    assert!(f64_of(ReduceOp::NanMean, &[nan]).is_nan());
    assert_eq!(f64_of(ReduceOp::NanMean, &[nan, 3.0, 4.0]), 3.5);
    assert!(f64_of(ReduceOp::Var { ddof: 0 }, &[1.0, inf]).is_nan());
    assert!(f64_of(ReduceOp::Var { ddof: 1 }, &[1.0]).is_nan());
    assert!(f64_of(ReduceOp::NanVar { ddof: 0 }, &[nan]).is_nan());
    assert_eq!(f64_of(ReduceOp::NanStd { ddof: 0 }, &[nan, 1.0, 3.0]), 1.0);
    assert_eq!(f64_of(ReduceOp::Var { ddof: 0 }, &[1e-310, 3e-310]), 0.0);
    assert_eq!(f64_of(ReduceOp::Var { ddof: 0 }, &[1e200, -1e200]), inf);
    assert!(f64_of(ReduceOp::Min, &[1.0, nan, -inf]).is_nan());
    assert_eq!(f64_of(ReduceOp::NanMin, &[1.0, nan, -inf]), -inf);
    assert_eq!(f64_of(ReduceOp::NanMax, &[nan, inf]), inf);
    assert_eq!(f64_of(ReduceOp::NanMin, &[nan, inf]), inf);
    assert!(f64_of(ReduceOp::NanMin, &[nan, nan]).is_nan());
    assert_eq!(f64_of(ReduceOp::Max, &[-0.0, -0.0]).to_bits(), 0);
    assert_eq!(f64_of(ReduceOp::NanProd, &[nan, 3.0, -0.5]), -1.5);
    assert!(f64_of(ReduceOp::Prod, &[nan, 3.0]).is_nan());
    assert_eq!(whole(ReduceOp::Any, &[0.0, nan]), Ok(LaneValues::Bool(vec![true])));
    assert_eq!(whole(ReduceOp::All, &[1.0, -0.0]), Ok(LaneValues::Bool(vec![false])));
    assert_eq!(whole(ReduceOp::CountNonzero, &[1.0, -0.0, nan]), Ok(LaneValues::I64(vec![2])));
    assert_eq!(whole(ReduceOp::Sum, &[true, true, false]), Ok(LaneValues::I64(vec![2])));
    assert_eq!(whole(ReduceOp::Mean, &[true, true, false, false]), Ok(LaneValues::F64(vec![0.5])));
}

#[test]
fn positions() {
    let nan = f64::NAN;
    let long: Vec<f64> = (0..1000).map(|j| f64::from((j * 7919) % 500)).collect();
    assert_eq!(index_of(ReduceOp::ArgMin, &long), 0);
    assert_eq!(index_of(ReduceOp::ArgMax, &long), long.iter().position(|&x| x == 499.0).unwrap() as i64);
    assert_eq!(index_of(ReduceOp::ArgMin, &[2.0, 1.0, 1.0]), 1);
    assert_eq!(index_of(ReduceOp::ArgMin, &[2.0, nan, -9.0, nan]), 1);
    assert_eq!(index_of(ReduceOp::NanArgMin, &[2.0, nan, -9.0, nan]), 2);
    assert_eq!(index_of(ReduceOp::NanArgMax, &[nan, f64::NEG_INFINITY]), 1);
    assert_eq!(index_of(ReduceOp::ArgMin, &[0.0, -0.0]), 0);
    assert_eq!(index_of(ReduceOp::ArgMax, &[f64::NEG_INFINITY]), 0);
    assert_eq!(whole(ReduceOp::NanArgMax, &[nan, nan]), Err(ReduceError::AllNan { op: ReduceOp::NanArgMax, lane: 0 }));
}

#[test]
fn nothing_at_all() {
    for op in ALL {
        for &input in DType::ALL {
            let result = Accumulator::new(op, input, 1).unwrap().finish();
            match result {
                Ok(values) => {
                    assert!(!op.needs_values());
                    assert_eq!(values.dtype(), op.output_dtype(input), "{op} of {input}");
                    let value = with_dtype!(values.dtype(), T => <T as Reducible>::lanes(&values).unwrap()[0].widen());
                    match op.name().trim_start_matches("nan") {
                        "sum" | "any" | "count_nonzero" => assert_eq!(value, 0.0, "{op}"),
                        "prod" | "all" => assert_eq!(value, 1.0, "{op}"),
                        _ => assert!(value.is_nan(), "{op}"),
                    }
                }
                Err(ReduceError::Empty { .. } | ReduceError::AllNan { .. }) => {
                    assert!(op.needs_values())
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn every_type_gives_the_promised_type() {
    for op in ALL {
        for &input in DType::ALL {
            with_dtype!(input, T => {
                let rows = [<T as Reducible>::ONE, <T as Default>::default(), <T as Reducible>::ONE];
                let found = whole(op, &rows).unwrap();
                assert_eq!(found.dtype(), op.output_dtype(input), "{op} of {input}");
                let mut lanes = Accumulator::new(op, input, 3).unwrap();
                lanes.columns(0, Slab::row(&rows), 0, 1).unwrap();
                assert!(lanes.nbytes() <= op.state_bytes(input, 3), "{op} of {input}");
                assert_eq!(lanes.finish().unwrap().len(), 3);
            });
        }
    }
}

#[test]
fn products_go_in_order() {
    let values = [0.1, 0.7, 1e10, 3.3];
    let mut state = Accumulator::new(ReduceOp::Prod, DType::F64, 1).unwrap();
    state.runs(0, Slab::row(&values[..2]), 0).unwrap();
    state.runs(0, Slab::row(&values[2..]), 2).unwrap();
    let other = state.clone();
    assert!(matches!(state.merge(&other), Err(ReduceError::Ordered { .. })));
    assert_eq!(state.finish(), Ok(LaneValues::F64(vec![values.iter().product()])));
}

#[test]
fn misuse_is_refused() {
    let mut state = Accumulator::new(ReduceOp::Sum, DType::F64, 4).unwrap();
    assert!(matches!(state.runs(0, Slab::row(&[1i32]), 0), Err(ReduceError::Dtype { .. })));
    assert!(matches!(state.runs(4, Slab::row(&[1.0]), 0), Err(ReduceError::Lane { .. })));
    assert!(matches!(state.columns(3, Slab::row(&[1.0, 2.0]), 0, 1), Err(ReduceError::Lane { .. })));
    assert!(matches!(state.columns(usize::MAX, Slab::row(&[1.0]), 0, 1), Err(ReduceError::Lane { .. })));
    let other = Accumulator::new(ReduceOp::Sum, DType::F64, 3).unwrap();
    assert!(matches!(state.merge(&other), Err(ReduceError::Merge { .. })));
    assert!(matches!(Accumulator::new(ReduceOp::Min, DType::I8, usize::MAX), Err(ReduceError::TooManyLanes { .. })));
    assert_eq!(state.finish(), Ok(LaneValues::F64(vec![0.0; 4])));
}

/// Both parts are summed exactly, whichever way the memory runs and however the rows are cut.
#[test]
fn complex_numbers() {
    use crate::dtype::{C64, C128};
    let z = C128::new;
    let values = [z(1e100, 1e100), z(1.0, 2.0), z(-1e100, 0.5), z(0.25, -1e100)];
    let of_columns = |op| {
        let mut state = Accumulator::new(op, DType::C128, 2)?;
        for (row, pair) in values.chunks(2).enumerate() {
            state.columns(0, Slab::row(pair), row as u64, 1)?;
        }
        let mut other = Accumulator::new(op, DType::C128, 2)?;
        other.columns(0, Slab::row(&[z(0.5, 0.5), z(f64::NAN, 1.0)]), 2, 1)?;
        state.merge(&other)?;
        state.finish()
    };
    assert_eq!(whole(ReduceOp::Sum, &values), Ok(LaneValues::C128(vec![z(1.25, 2.5)])));
    assert_eq!(whole(ReduceOp::Mean, &values), Ok(LaneValues::C128(vec![z(0.3125, 0.625)])));
    let sums = [z(0.5, 1e100), z(1.25, -1e100)];
    let Ok(LaneValues::C128(found)) = of_columns(ReduceOp::NanSum) else { panic!("sums of another type") };
    assert_eq!((found[0].re, found[1]), (sums[0].re, sums[1]));
    let Ok(LaneValues::C128(found)) = of_columns(ReduceOp::Sum) else { panic!("sums of another type") };
    assert!(found[1].re.is_nan() && !found[1].im.is_nan());
    let square = [z(1.0, 1.0), z(-1.0, 1.0), z(-1.0, -1.0), z(1.0, -1.0)];
    assert_eq!(whole(ReduceOp::Var { ddof: 0 }, &square), Ok(LaneValues::F64(vec![2.0])));
    assert_eq!(whole(ReduceOp::Max, &square), Ok(LaneValues::C128(vec![z(1.0, 1.0)])));
    assert_eq!(whole(ReduceOp::ArgMin, &square), Ok(LaneValues::I64(vec![2])));
    let small: Vec<C64> = (0..5000).map(|i| C64::new(i as f32, -0.5)).collect();
    assert_eq!(whole(ReduceOp::Sum, &small), Ok(LaneValues::C64(vec![C64::new(12_497_500.0, -2500.0)])));
}

#[test]
fn halves_are_rounded_once() {
    use crate::dtype::f16;
    let one = f16::ONE;
    // 2048 + 1 is a tie that goes down; what is left of it decides.
    let values: Vec<f16> = std::iter::repeat_n(one, 2049).chain([f16::from_bits(1)]).collect();
    assert_eq!(whole(ReduceOp::Sum, &values), Ok(LaneValues::F16(vec![f16::from_f32(2050.0)])));
    assert_eq!(whole(ReduceOp::Sum, &values[..2049]), Ok(LaneValues::F16(vec![f16::from_f32(2048.0)])));
    assert_eq!(whole(ReduceOp::NanMax, &[f16::NAN, one]), Ok(LaneValues::F16(vec![one])));
    assert_eq!(whole(ReduceOp::Mean, &[f16::MAX, f16::MAX]), Ok(LaneValues::F16(vec![f16::MAX])));
}
